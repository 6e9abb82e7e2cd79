//! What the hooks' test does inside a machine: one deed after another, each of which a hook of the kernel tells of.
//! Built alone and static, for there is nothing else in there.

use std::{
    ffi::{CString, c_char, c_int, c_long, c_void},
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
        unix::{fs::symlink, net::UnixListener, process::CommandExt as _},
    },
    process::Command,
};

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn mmap(address: *mut c_void, length: usize, protection: c_int, flags: c_int, fd: c_int, offset: i64) -> *mut c_void;
    fn mprotect(address: *mut c_void, length: usize, protection: c_int) -> c_int;
    fn mknod(path: *const c_char, mode: u32, dev: u64) -> c_int;
    fn mount(source: *const c_char, target: *const c_char, kind: *const c_char, flags: u64, data: *const c_void) -> c_int;
    fn umount2(target: *const c_char, flags: c_int) -> c_int;
    fn prctl(option: c_int, ...) -> c_int;
    fn setrlimit(resource: c_int, limit: *const [u64; 2]) -> c_int;
    fn dup2(old: c_int, new: c_int) -> c_int;
    fn setresuid(real: u32, effective: u32, saved: u32) -> c_int;
    fn unshare(flags: c_int) -> c_int;
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn files(at: &str) -> std::io::Result<()> {
    std::env::set_current_dir(at)?;
    let mut program = fs::File::create("program")?;
    // Some ticks of the clock that changes of files are told by: the write is to be another one than the making.
    std::thread::sleep(std::time::Duration::from_millis(50));
    program.write_all(b"\x7fELF\x02\x01\x01\0 and more than the first bytes of a program")?;
    program.set_len(10)?;
    fs::File::options().write(true).open("program")?.set_modified(std::time::UNIX_EPOCH)?;
    fs::rename("program", "renamed")?;
    symlink("where/it/leads", "link")?;
    fs::remove_file("renamed")?;
    // SAFETY: strings that outlive the calls.
    unsafe {
        mknod(c("pipe").as_ptr(), 0o010_600, 0);
        fs::create_dir_all("place")?;
        mount(c("some").as_ptr(), c("place").as_ptr(), c("tmpfs").as_ptr(), 6, std::ptr::null());
        umount2(c("place").as_ptr(), 2);
        let watcher = syscall(294, 0);
        syscall(254, watcher, c(at).as_ptr(), 0x100);
    }
    Ok(())
}

fn sockets(at: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let stream = TcpStream::connect(listener.local_addr()?)?;
    let _accepted = listener.accept()?;
    // SAFETY: plain numbers; 99 is nobody's.
    let _copy = unsafe { OwnedFd::from_raw_fd(dup2(stream.as_raw_fd(), 99)) };
    let _named = UnixListener::bind(format!("{at}/socket"))?;
    Ok(())
}

fn memory() {
    const ANONYMOUS: c_int = 0x22;
    // SAFETY: a mapping of our own.
    unsafe {
        let page = mmap(std::ptr::null_mut(), 4096, 3, ANONYMOUS, -1, 0);
        mprotect(page, 4096, 5);
        mmap(std::ptr::null_mut(), 4096, 7, ANONYMOUS, -1, 0);
    }
}

fn task() {
    let action = [1u64, 0, 0, 0];
    let now = [1_800_000_000i64, 5];
    // SAFETY: the kernel reads arrays that outlive the calls.
    unsafe {
        prctl(15, c("deed").as_ptr(), 0, 0, 0);
        setrlimit(4, &[7, 8]);
        // rt_sigaction(SIGUSR2, SIG_IGN)
        syscall(13, 12, action.as_ptr(), std::ptr::null::<u64>(), 8);
        // clock_settime(CLOCK_REALTIME)
        syscall(227, 0, now.as_ptr());
    }
}

/// A ring with one request that does nothing.
fn ring() {
    const ENTER: c_long = 426;
    let mut parameters = [0u32; 30];
    // SAFETY: the kernel fills the parameters; offsets are those that it says.
    unsafe {
        let fd = syscall(425, 2, parameters.as_mut_ptr());
        if fd < 0 {
            return;
        }
        // No more than there is, or older kernels refuse.
        let ring: *mut u8 = mmap(std::ptr::null_mut(), 4096, 3, 0x8001, fd as c_int, 0).cast();
        let entries: *mut u8 = mmap(std::ptr::null_mut(), 4096, 3, 0x8001, fd as c_int, 0x1000_0000).cast();
        if ring as isize == -1 || entries as isize == -1 {
            return;
        }
        entries.add(32).cast::<u64>().write(0xfeed);
        // Offsets of the tail and of the array among the parameters: words 10 + 1 and 10 + 6.
        ring.add(parameters[16] as usize).cast::<u32>().write(0);
        ring.add(parameters[11] as usize).cast::<u32>().write_volatile(1);
        syscall(ENTER, fd, 1, 0, 0, std::ptr::null::<u8>(), 0);
    }
}

/// A map and a program of BPF, and the program attached.
fn bpf() {
    const BPF: c_long = 321;
    let mut map = [0u8; 120];
    for (at, number) in [(0, 2u32), (4, 4), (8, 8), (12, 1)] {
        map[at..at + 4].copy_from_slice(&number.to_ne_bytes());
    }
    map[28..33].copy_from_slice(b"a_map");
    // r0 = 0; exit
    let code: [u64; 2] = [0xb7, 0x95];
    let licence = c("GPL");
    let mut program = [0u8; 120];
    // A raw tracepoint's program, of two instructions.
    program[..4].copy_from_slice(&17u32.to_ne_bytes());
    program[4..8].copy_from_slice(&2u32.to_ne_bytes());
    program[8..16].copy_from_slice(&(code.as_ptr() as u64).to_ne_bytes());
    program[16..24].copy_from_slice(&(licence.as_ptr() as u64).to_ne_bytes());
    program[48..54].copy_from_slice(b"a_prog");
    let tracepoint = c("sys_enter");
    let mut open = [0u8; 16];
    open[..8].copy_from_slice(&(tracepoint.as_ptr() as u64).to_ne_bytes());
    // SAFETY: attributes that outlive the calls.
    unsafe {
        syscall(BPF, 0, map.as_ptr(), 120);
        let fd = syscall(BPF, 5, program.as_ptr(), 120);
        open[8..12].copy_from_slice(&(fd as u32).to_ne_bytes());
        syscall(BPF, 17, open.as_ptr(), 16);
    }
}

/// A kprobe by the file of tracing, and what the kernel starts when a program dumps core.
fn kernel() {
    let _ = fs::write("/sys/kernel/tracing/kprobe_events", "p:deed do_sys_openat2");
    let _ = fs::write("/sys/kernel/tracing/events/kprobes/deed/enable", "1");
    let _ = fs::write("/sys/kernel/tracing/events/kprobes/deed/enable", "0");
    let _ = fs::write("/sys/kernel/tracing/kprobe_events", "");
    let _ = fs::write("/proc/sys/kernel/core_pattern", "|/usr/bin/true %p");
    let _ = Command::new("/usr/bin/sh").args(["-c", "ulimit -c unlimited; kill -SEGV $$"]).status();
}

fn main() -> std::io::Result<()> {
    // It sets the clock and what the kernel starts for a core dump: nowhere but in a machine that is thrown away.
    if !std::path::Path::new("/payload/hooks").exists() {
        return Err(std::io::Error::other("only for the test machine: it changes the system it runs on"));
    }
    let at = std::env::args().nth(1).unwrap_or_else(|| "/tmp/deeds".to_owned());
    fs::create_dir_all(&at)?;
    files(&at)?;
    sockets(&at)?;
    memory();
    task();
    ring();
    bpf();
    kernel();
    // SAFETY: plain numbers. A network of its own has a device of its own.
    unsafe {
        unshare(0x4000_0000);
        setresuid(1000, 1000, 0);
    }
    Err(Command::new("/usr/bin/true").arg("argument").exec())
}
