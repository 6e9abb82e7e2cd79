//! Processes and threads: made, waited for, turned into other programs.

use std::arch::asm;
use std::ffi::CString;

use libc::*;

use super::raw::{NULL, call};

pub fn run() {
    children();
    descriptors_of_processes();
    threads();
    controls();
    failing();
    program();
}

fn children() {
    let mut status = 0i32;
    let mut usage = [0u64; 18];
    let child = call!(SYS_fork);
    if child == 0 {
        call!(SYS_setsid);
        call!(SYS_setpgid, 0, 0);
        call!(SYS_exit_group, 7);
    }
    call!(SYS_wait4, child, &mut status, 0, &mut usage);
    call!(SYS_wait4, -1, &mut status, WNOHANG, NULL);
    let child = vfork();
    let mut info = [0u32; 32];
    call!(SYS_waitid, P_PID, child, &mut info, WEXITED, &mut usage);
    call!(SYS_waitid, P_ALL, 0, &mut info, WEXITED | WNOHANG, NULL);
    let mut parent_tid = 0i32;
    let child = call!(SYS_clone, CLONE_PARENT_SETTID | SIGCHLD, NULL, &mut parent_tid, NULL, NULL);
    if child == 0 {
        call!(SYS_kill, std::process::id(), SIGKILL);
        call!(SYS_exit, 3);
    }
    call!(SYS_wait4, child, &mut status, 0, NULL);
    let mut arguments = [0u64; 11];
    arguments[4] = SIGCHLD as u64;
    let child = call!(SYS_clone3, &arguments, 88);
    if child == 0 {
        call!(SYS_exit, 0);
    }
    call!(SYS_wait4, child, &mut status, 0, NULL);
    call!(SYS_clone3, &arguments, 7);
}

/// A child that leaves at once.
fn vfork() -> i64 {
    let child: i64;
    // SAFETY: the child runs on the parent's stack, but only the instructions below: it touches no memory and leaves.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov edi, 5",
            "mov eax, 60",
            "syscall",
            "2:",
            inlateout("rax") SYS_vfork => child,
            out("rdi") _,
            out("rcx") _,
            out("r11") _,
        );
    }
    child
}

fn descriptors_of_processes() {
    let own = std::process::id();
    let pidfd = call!(SYS_pidfd_open, own, 0);
    call!(SYS_pidfd_send_signal, pidfd, SIGUSR1, NULL, 0);
    let copy = call!(SYS_pidfd_getfd, pidfd, 0, 0);
    call!(SYS_close, copy);
    call!(SYS_pidfd_getfd, pidfd, 9999, 0);
    call!(SYS_close, pidfd);
    call!(SYS_pidfd_open, 999_999_999, 0);
    call!(SYS_pidfd_send_signal, -1, SIGUSR1, NULL, 0);
}

fn threads() {
    for number in 0..3i64 {
        let thread = std::thread::spawn(move || {
            call!(SYS_gettid);
            call!(SYS_prctl, PR_SET_NAME, c"judge-thread", 0, 0, 0);
            call!(SYS_lseek, -1, number, SEEK_SET);
            call!(SYS_nanosleep, &[0u64, 2_000_000], NULL);
        });
        call!(SYS_sched_yield);
        let _ = thread.join();
    }
}

fn controls() {
    let mut name = [0u8; 16];
    call!(SYS_prctl, PR_GET_NAME, name.as_mut_ptr());
    call!(SYS_prctl, PR_SET_PDEATHSIG, 0);
    call!(SYS_prctl, PR_GET_DUMPABLE);
    call!(SYS_prctl, PR_CAPBSET_READ, 21);
    call!(SYS_prctl, 0x7777_7777, 1, 2, 3, 4);
    call!(SYS_set_tid_address, NULL);
    call!(SYS_ptrace, PTRACE_PEEKDATA, 999_999_999, 0x1000, 0x2000);
    call!(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0);
    call!(SYS_rseq, 0x1000, 32, 0x77, 0x5305_3053);
    call!(SYS_restart_syscall);
}

fn failing() {
    call!(SYS_execve, c"/absent/program", &[NULL], &[NULL]);
    let arguments = [c"program".as_ptr(), c"with \"arguments\"".as_ptr(), c"".as_ptr(), std::ptr::null()];
    let environment = [c"A=1".as_ptr(), c"B=two words".as_ptr(), std::ptr::null()];
    call!(SYS_execve, c"/absent/program", &arguments, &environment);
    call!(SYS_execveat, AT_FDCWD, c"/absent/program", &arguments, &environment, AT_SYMLINK_NOFOLLOW);
}

/// This program once more, as a child that only leaves.
fn program() {
    let Some(own) = std::env::args().next().and_then(|own| CString::new(own).ok()) else { return };
    let child = call!(SYS_fork);
    if child == 0 {
        let word = CString::new(super::LEAVE).unwrap_or_default();
        let arguments = [own.as_ptr(), word.as_ptr(), std::ptr::null()];
        let environment = [c"JUDGE=1".as_ptr(), std::ptr::null()];
        call!(SYS_execve, own.as_c_str(), &arguments, &environment);
        call!(SYS_exit_group, 1);
    }
    let mut status = 0i32;
    call!(SYS_wait4, child, &mut status, 0, NULL);
}
