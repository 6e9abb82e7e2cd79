//! Calls that a seccomp filter took back: nothing was done, and no row says otherwise.

use std::fs;
use std::io;

use events::Marks;
use libtest_mimic::Failed;

use crate::Test;
use crate::acts::{c_string, check, name_self};
use crate::host::{act, count, ensure, marks, path, record, same, scratch};

pub const TESTS: &[Test] = &[("calls_that_seccomp_took_back_are_marked_and_did_nothing", taken_back)];

fn taken_back() -> Result<(), Failed> {
    let dir = scratch()?;
    let work = dir.path().join("work");
    fs::create_dir(&work)?;
    for name in ["renamed", "unlinked"] {
        fs::write(work.join(name), "")?;
    }
    let program = act("be-trapped", path(&work)?)?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &[], &program)?;
    ensure(work.join("renamed").exists() && work.join("unlinked").exists(), || {
        "the filter let it pass".into()
    })?;
    for (call, comm) in [("rename", "trapped"), ("unlink", "trapped"), ("mkdir", "killed")] {
        let blocked = marks(&file, call, comm)?;
        ensure(blocked.len() == 1 && blocked.iter().all(|marks| marks.has(Marks::BLOCKED)), || {
            format!("{call}: {blocked:?}")
        })?;
        let comm = format!("comm={comm}");
        same(call, count(&file, &["-f", &comm, "-f", &format!("{call}.retval>=0")])?, 0)?;
    }
    for hook in ["security_inode_rename", "security_inode_unlink", "security_inode_mkdir"] {
        if hook != "security_inode_mkdir" {
            let hooked = count(&file, &["-f", "comm=trapped", "-f", &format!("event={hook}")])?;
            same(hook, hooked, 0)?;
        }
    }
    // A call of the number 0 that returns 0 was made, under a filter or not.
    let reads = marks(&file, "read", "trapped")?;
    ensure(!reads.is_empty() && !reads.iter().any(|marks| marks.has(Marks::BLOCKED)), || {
        format!("read: {reads:?}")
    })
}

pub fn be_trapped(folder: &str) -> io::Result<()> {
    let from = c_string(&format!("{folder}/renamed"))?;
    let to = c_string(&format!("{folder}/never"))?;
    let gone = c_string(&format!("{folder}/unlinked"))?;
    let empty = fs::File::open("/dev/null")?;
    // SAFETY: the child makes calls and ends.
    let child = check(unsafe { libc::fork() }.into())?;
    if child == 0 {
        name_self("killed")?;
        filter(&[libc::SYS_mkdir], libc::SECCOMP_RET_KILL_PROCESS)?;
        // SAFETY: strings with their NUL.
        unsafe { libc::syscall(libc::SYS_mkdir, to.as_ptr(), 0o755) };
        std::process::exit(1);
    }
    let mut status = 0;
    // SAFETY: a child of our own.
    check(unsafe { libc::waitpid(child as i32, &raw mut status, 0) }.into())?;
    if !libc::WIFSIGNALED(status) || libc::WTERMSIG(status) != libc::SIGSYS {
        return Err(io::Error::other(format!("the child was not killed: {status:#x}")));
    }

    name_self("trapped")?;
    // SAFETY: a handler that does nothing; strings with their NUL; a buffer of one byte.
    unsafe {
        libc::signal(libc::SIGSYS, nothing as *const () as libc::sighandler_t);
        filter(&[libc::SYS_rename, libc::SYS_unlink], libc::SECCOMP_RET_TRAP)?;
        libc::syscall(libc::SYS_rename, from.as_ptr(), to.as_ptr());
        libc::syscall(libc::SYS_unlink, gone.as_ptr());
        let mut byte = 0u8;
        use std::os::fd::AsRawFd as _;
        check(libc::read(empty.as_raw_fd(), (&raw mut byte).cast(), 1) as i64)?;
    }
    Ok(())
}

extern "C" fn nothing(_: libc::c_int) {}

/// Has these calls answered with an action, and all others made.
fn filter(calls: &[i64], action: u32) -> io::Result<()> {
    let statement = |code: u32, jt: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf: 0, k };
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0)];
    for (at, call) in calls.iter().enumerate() {
        let to_action = (calls.len() - at) as u8;
        program.push(statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, to_action, *call as u32));
    }
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW));
    program.push(statement(libc::BPF_RET | libc::BPF_K, 0, action));
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program is there while it is taken.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())?;
        check(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program).into())
            .map(drop)
    }
}
