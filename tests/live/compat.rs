//! Calls by the 32-bit entry (`int 0x80`): other numbers, other registers, the same names.

use libtest_mimic::Failed;

use crate::host::{ensure, events, record, same, scratch};
use crate::{Test, multiplexed, narrow};

pub const TESTS: &[Test] =
    &[("calls_of_a_32_bit_task_are_known_by_their_names", calls_by_the_32_bit_entry_are_named)];

/// First argument: make the calls and leave.
pub const RUN: &str = "--make-32-bit-calls";

const FILE: &str = "/proc/self/comm";
const MISSING: &str = "/no/such/file";

fn calls_by_the_32_bit_entry_are_named() -> Result<(), Failed> {
    let program = std::env::current_exe()?;
    let program = program.to_str().ok_or("this test's path is not UTF-8")?;
    let said = std::process::Command::new(program).arg(RUN).output()?;
    if said.status.code() == Some(NO_ENTRY) {
        println!(
            "calls_of_a_32_bit_task_are_known_by_their_names: this kernel has no 32-bit entry, nothing to see"
        );
        return Ok(());
    }
    let dir = scratch()?;
    let file = record(dir.path(), &[], &[program, RUN])?;
    let rows = events(&file, &["-f", &format!("binary={program}")])?;
    let compat: Vec<_> = rows.iter().filter(|row| row["contextFlags"]["isCompat"] == true).collect();
    let names: Vec<_> = compat.iter().filter_map(|row| row["eventName"].as_str()).collect();
    let calls = ["getpid", "openat", "read", "llseek", "unlink", "socket", "close"];
    let called: Vec<_> = names.iter().copied().filter(|name| !name.starts_with("security_")).collect();
    same("32-bit calls", called, calls.to_vec())?;

    let row = |name: &str| {
        let mut rows = compat.iter().filter(|row| row["eventName"] == name);
        rows.next().copied().ok_or_else(|| Failed::from(format!("no {name}")))
    };
    let argument = |name: &str, argument: &str| -> Result<serde_json::Value, Failed> {
        let row = row(name)?;
        let arguments = row["args"].as_array().ok_or("no arguments")?;
        let found = arguments.iter().find(|one| one["name"] == argument);
        Ok(found.ok_or_else(|| format!("{name} has no {argument}: {row}"))?["value"].clone())
    };
    same("getpid's result", &row("getpid")?["returnValue"], &row("getpid")?["hostProcessId"])?;
    same("dirfd", argument("openat", "dirfd")?, serde_json::json!(-100))?;
    same("pathname", argument("openat", "pathname")?, serde_json::json!(FILE))?;
    let descriptor = row("openat")?["returnValue"].clone();
    same("read's descriptor", argument("read", "fd")?, descriptor.clone())?;
    same("close's descriptor", argument("close", "fd")?, descriptor)?;
    same("unlink's path", argument("unlink", "pathname")?, serde_json::json!(MISSING))?;
    same("unlink's result", &row("unlink")?["returnValue"], &serde_json::json!(-2))?;
    same("socket's family", argument("socket", "domain")?, serde_json::json!(1))?;
    // The task itself is a 64-bit one: its other calls are not marked.
    ensure(
        rows.iter().any(|row| row["eventName"] == "exit_group" && row["contextFlags"]["isCompat"] == false),
        || "the 64-bit exit_group is marked as a 32-bit call".to_owned(),
    )
}

/// Exit code where `int 0x80` leads nowhere.
pub const NO_ENTRY: i32 = 77;

/// Makes the calls. Addresses must fit into 32 bits.
#[cfg(target_arch = "x86_64")]
pub fn run() -> ! {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

    // A kernel without the entry kills with SIGSEGV; that is told from a failure by trying in a child's stead.
    // SAFETY: the handler only leaves.
    unsafe { libc::signal(libc::SIGSEGV, leave as *const () as libc::sighandler_t) };
    // SAFETY: new memory, below 4 GiB by the flag.
    let page = unsafe {
        mmap_anonymous(
            std::ptr::null_mut(),
            3 * 4096,
            ProtFlags::READ | ProtFlags::WRITE,
            MapFlags::PRIVATE | MapFlags::from_bits_retain(libc::MAP_32BIT as u32),
        )
    };
    let Ok(page) = page else { std::process::exit(1) };
    let page: *mut u8 = page.cast();
    match std::env::args().nth(2).as_deref() {
        Some(narrow::STRUCTURES) => narrow::program::structures(&mut narrow::program::Page::new(page)),
        Some(multiplexed::MULTIPLEXED) => multiplexed::program::run(&mut narrow::program::Page::new(page)),
        _ => plain(page),
    }
    // Without what the library does at the end, which makes calls too.
    // SAFETY: a plain number.
    unsafe { libc::_exit(0) }
}

/// Calls without structures.
#[cfg(target_arch = "x86_64")]
fn plain(page: *mut u8) {
    let put = |at: usize, bytes: &[u8]| {
        // SAFETY: all of it is within the page; its end is zero already.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), page.add(at), bytes.len()) };
        page as u32 + at as u32
    };
    let (path, missing) = (put(0, FILE.as_bytes()), put(256, MISSING.as_bytes()));
    // socket(AF_UNIX, SOCK_STREAM, 0)
    let socket = put(512, &[1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let buffer = put(1024, &[]);
    call(20, [0; 5]);
    let fd = call(295, [-100i32 as u32, path, 0, 0, 0]) as u32;
    call(3, [fd, buffer, 64, 0, 0]);
    call(140, [fd, 0, 0, buffer, 0]);
    call(10, [missing, 0, 0, 0, 0]);
    call(102, [1, socket, 0, 0, 0]);
    call(6, [fd, 0, 0, 0, 0]);
}

#[cfg(not(target_arch = "x86_64"))]
pub fn run() -> ! {
    std::process::exit(NO_ENTRY)
}

#[cfg(target_arch = "x86_64")]
extern "C" fn leave(_: libc::c_int) {
    // SAFETY: leaving is allowed in a signal handler.
    unsafe { libc::_exit(NO_ENTRY) }
}

/// A call by its 32-bit number.
#[cfg(target_arch = "x86_64")]
pub fn call(number: u32, [a, b, c, d, e]: [u32; 5]) -> i32 {
    call6(number, [a, b, c, d, e, 0])
}

/// The same with all arguments that there can be. `rbx` and `rbp` are the compiler's, so they are swapped in and out.
#[cfg(target_arch = "x86_64")]
pub fn call6(number: u32, [a, b, c, d, e, f]: [u32; 6]) -> i32 {
    let result: i32;
    // SAFETY: the calls above only write into the page; the entry keeps all registers but rax and r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg rbx, r12",
            "xchg rbp, r13",
            "int 0x80",
            "xchg rbp, r13",
            "xchg rbx, r12",
            // Named: a register that the compiler chooses may be rbx.
            inout("r12") u64::from(a) => _,
            inout("r13") u64::from(f) => _,
            inout("eax") number as i32 => result,
            in("ecx") b,
            in("edx") c,
            in("esi") d,
            in("edi") e,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result
}
