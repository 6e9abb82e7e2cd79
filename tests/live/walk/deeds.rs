//! One deed for each event that is no system call, as far as a host lets itself be treated so.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::acts::{c_string, check, name_self, wait_for};
use crate::io_uring;

/// Does all of them in the folder. What a host refuses is passed over: the test names the events that never came.
pub fn all(folder: &str) -> io::Result<()> {
    let folder = Path::new(folder);
    type Deed = fn(&Path) -> io::Result<()>;
    let deeds: [(&str, Deed); 10] = [
        ("processes", processes),
        ("files", files),
        ("memory", memory),
        ("mounts", mounts),
        ("cgroups", cgroups),
        ("sockets", sockets),
        ("packets", packets),
        ("bpf", bpf),
        ("the ring", ring),
        ("messages", messages),
    ];
    for (name, deed) in deeds {
        if let Err(error) = deed(folder) {
            eprintln!("{name}: {error}");
        }
    }
    Ok(())
}

/// What events that are recorded only when they are named need: files, another process, and some time for the scheduler.
pub fn again(folder: &str) -> io::Result<()> {
    let folder = Path::new(folder).join("again");
    fs::create_dir(&folder)?;
    Command::new("true").status()?;
    files(&folder)
}

/// Runs it in a child, which no other deed is to suffer from.
fn in_a_child(work: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    // SAFETY: this program has one thread.
    let child = check(unsafe { libc::fork() }.into())?;
    if child == 0 {
        let code = if work().is_ok() { 0 } else { 1 };
        // SAFETY: a plain number.
        unsafe { libc::_exit(code) };
    }
    wait_for(child)
}

fn processes(folder: &Path) -> io::Result<()> {
    name_self("deeds")?;
    std::env::set_current_dir(folder)?;
    Command::new("true").status()?;
    let failed = Command::new(folder.join("missing")).status();
    drop(failed);
    // SAFETY: plain numbers, and a handler that is none.
    unsafe {
        libc::signal(libc::SIGUSR1, libc::SIG_IGN);
        libc::kill(libc::getpid(), libc::SIGUSR1);
        // No call has this number.
        libc::syscall(600);
        let limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const limit);
    }
    // SAFETY: calls without pointers.
    in_a_child(|| unsafe {
        check(libc::unshare(libc::CLONE_NEWUTS).into())?;
        check(libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0))?;
        check(libc::setgid(65_534).into())?;
        check(libc::setuid(65_534).into()).map(drop)
    })
}

fn files(folder: &Path) -> io::Result<()> {
    let (file, other, fifo) =
        (folder.join("file"), folder.join("other"), c_string(&in_folder(folder, "fifo"))?);
    // The first bytes of a program.
    File::create(&file)?.write_all(b"\x7fELF\x02\x01\x01\0and more")?;
    let name = c_string(&in_folder(folder, "file"))?;
    // SAFETY: strings with their NUL.
    unsafe {
        check(libc::truncate(name.as_ptr(), 5).into())?;
        check(libc::mkfifo(fifo.as_ptr(), 0o600).into())?;
        let watch = check(libc::inotify_init().into())? as i32;
        check(libc::inotify_add_watch(watch, name.as_ptr(), libc::IN_OPEN).into())?;
        libc::close(watch);
    }
    symlink(&file, folder.join("link"))?;
    fs::rename(&file, &other)?;
    File::options().append(true).open(&other)?.set_modified(std::time::SystemTime::now())?;
    let (mut from, mut to) = io::pipe()?;
    to.write_all(b"x")?;
    from.read_exact(&mut [0])?;
    // SAFETY: one vector of one byte each way.
    unsafe {
        let mut byte = 0u8;
        let vector = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
        check(libc::writev(to.as_raw_fd(), &raw const vector, 1) as i64)?;
        check(libc::readv(from.as_raw_fd(), &raw const vector, 1) as i64)?;
    }
    fs::remove_file(&other)
}

fn in_folder(folder: &Path, name: &str) -> String {
    folder.join(name).to_string_lossy().into_owned()
}

/// A line of a log, and a message to audit.
fn messages(_: &Path) -> io::Result<()> {
    let log = PathBuf::from(format!("/var/log/deeds-{}.log", std::process::id()));
    File::create(&log)?.write_all(b"Nov 29 06:12:01 web deeds[7]: done\n")?;
    fs::remove_file(&log)?;
    tell_audit(1124, b"op=deed terminal=none res=success")
}

/// Sends a message of a program to the kernel's audit.
pub fn tell_audit(kind: u16, text: &[u8]) -> io::Result<()> {
    let mut message = (16 + text.len() as u32).to_ne_bytes().to_vec();
    message.extend_from_slice(&kind.to_ne_bytes());
    // NLM_F_REQUEST, no sequence, no port.
    message.extend_from_slice(&[1, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    message.extend_from_slice(text);
    // SAFETY: the message is as long as said, and the descriptor is closed here only.
    unsafe {
        let socket =
            check(libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_AUDIT).into())? as i32;
        let mut kernel: libc::sockaddr_nl = std::mem::zeroed();
        kernel.nl_family = libc::AF_NETLINK as u16;
        let (address, size) = ((&raw const kernel).cast(), size_of_val(&kernel) as u32);
        let sent = libc::sendto(socket, message.as_ptr().cast(), message.len(), 0, address, size);
        let sent = check(sent as i64);
        libc::close(socket);
        sent.map(drop)
    }
}

fn memory(_: &Path) -> io::Result<()> {
    let all = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: new memory, which nothing else uses.
    unsafe {
        let page = libc::mmap(std::ptr::null_mut(), 4096, all, kind, -1, 0);
        check(libc::mprotect(page, 4096, libc::PROT_READ).into())?;
        check(libc::mprotect(page, 4096, all).into())?;
        check(libc::munmap(page, 4096).into()).map(drop)
    }
}

fn mounts(folder: &Path) -> io::Result<()> {
    let place = folder.join("mount");
    fs::create_dir(&place)?;
    let (place, kind) = (c_string(&place.to_string_lossy())?, c_string("tmpfs")?);
    // SAFETY: strings with their NUL.
    in_a_child(|| unsafe {
        check(libc::unshare(libc::CLONE_NEWNS).into())?;
        let (all, private) = (c_string("/")?, libc::MS_REC | libc::MS_PRIVATE);
        check(libc::mount(kind.as_ptr(), all.as_ptr(), std::ptr::null(), private, std::ptr::null()).into())?;
        check(libc::mount(kind.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, std::ptr::null()).into())?;
        check(libc::umount(place.as_ptr()).into()).map(drop)
    })
}

fn cgroups(_: &Path) -> io::Result<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    let mount = mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2"));
    let root =
        mount.and_then(|line| line.split(' ').nth(1)).ok_or(io::Error::other("no cgroup2 is mounted"))?;
    let own = PathBuf::from(root).join(format!("deeds-{}", std::process::id()));
    fs::create_dir(&own)?;
    let moved = in_a_child(|| fs::write(own.join("cgroup.procs"), "0"));
    for _ in 0..100 {
        if fs::remove_dir(&own).is_ok() {
            return moved;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(io::Error::other("the group stays"))
}

fn sockets(_: &Path) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    client.set_nodelay(true)?;
    let (mut served, _) = listener.accept()?;
    drop(served.try_clone()?);
    // SAFETY: a descriptor of our own.
    let copy = check(unsafe { libc::dup(served.as_raw_fd()) }.into())?;
    // SAFETY: the descriptor that has just been made.
    unsafe { libc::close(copy as i32) };
    client.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    served.read_exact(&mut [0; 20])?;
    served.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")?;
    client.read_exact(&mut [0; 20])?;
    Ok(())
}

fn packets(_: &Path) -> io::Result<()> {
    // A name server's question and answer, on its port or not at all.
    let server = UdpSocket::bind("127.0.0.1:53")?;
    let client = UdpSocket::bind("127.0.0.1:0")?;
    let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
    client.send_to(question, "127.0.0.1:53")?;
    let mut asked = [0; 64];
    let (length, from) = server.recv_from(&mut asked)?;
    let mut answer = asked[..length].to_vec();
    answer[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1]);
    answer.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01");
    server.send_to(&answer, from)?;
    client.recv_from(&mut asked)?;
    echo(libc::AF_INET, &[2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], libc::IPPROTO_ICMP, 8)?;
    let mut address = [0; 28];
    address[0] = libc::AF_INET6 as u8;
    address[23] = 1;
    echo(libc::AF_INET6, &address, libc::IPPROTO_ICMPV6, 128)
}

/// Asks the host itself for an echo, which it gives.
fn echo(family: i32, address: &[u8], protocol: i32, request: u8) -> io::Result<()> {
    // The sum of the words is all ones, as a right one is: of IPv6 the kernel puts it in.
    let packet = [request, 0, 0xff - request, 0xff, 0, 0, 0, 0];
    // SAFETY: an address and a packet that live as long as the call.
    unsafe {
        let socket = check(libc::socket(family, libc::SOCK_RAW, protocol).into())? as i32;
        let sent = libc::sendto(
            socket,
            packet.as_ptr().cast(),
            packet.len(),
            0,
            address.as_ptr().cast(),
            address.len() as u32,
        );
        let sent = check(sent as i64);
        libc::close(socket);
        sent.map(drop)
    }
}

/// A map, a program, and that program at a tracepoint.
fn bpf(_: &Path) -> io::Result<()> {
    const MAP_CREATE: i64 = 0;
    const PROG_LOAD: i64 = 5;
    const RAW_TRACEPOINT_OPEN: i64 = 17;
    const RAW_TRACEPOINT: u32 = 17;
    // An array of one number.
    let map = [2u32, 4, 4, 1];
    // r0 = 0; exit
    let code = [0x0000_0000_0000_00b7u64, 0x95];
    let (licence, name) = (c_string("GPL")?, c_string("sys_enter")?);
    // type and count, code, licence, and no log
    let program =
        [u64::from(RAW_TRACEPOINT) | 2 << 32, code.as_ptr() as u64, licence.as_ptr() as u64, 0, 0, 0];
    // SAFETY: attributes that live as long as the calls, and are as long as they are said to be.
    unsafe {
        let map = check(libc::syscall(libc::SYS_bpf, MAP_CREATE, map.as_ptr(), 16))?;
        let program = check(libc::syscall(libc::SYS_bpf, PROG_LOAD, program.as_ptr(), 48))?;
        let attach = [name.as_ptr() as u64, program as u64];
        let attached = check(libc::syscall(libc::SYS_bpf, RAW_TRACEPOINT_OPEN, attach.as_ptr(), 16));
        libc::close(map as i32);
        libc::close(program as i32);
        libc::close(attached? as i32);
    }
    Ok(())
}

fn ring(folder: &Path) -> io::Result<()> {
    let place = folder.join("ring");
    fs::create_dir(&place)?;
    let own = std::env::current_exe()?;
    Command::new(own).arg(io_uring::RUN).arg(place).status().map(drop)
}
