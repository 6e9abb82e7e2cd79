//! Lists of the system calls that a thread may make, as filters that the kernel runs.
//!
//! A call that is not on the list fails with `EPERM`. It does not end the process: a library that one day makes a call
//! more would otherwise cost the evidence, and a thread that is taken over gets no further by an error.

use std::io;

use crate::host::privileges::Part;

/// What every thread needs to run: memory, waiting, time, its end, and a panic's message. A signal's handler runs on
/// whatever thread the kernel picks, and tells of it through a socket that is there already (`sendto`).
const RUNTIME: &[libc::c_long] = &[
    libc::SYS_futex,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_nanosleep,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_getrandom,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_tgkill,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_sendto,
    libc::SYS_close,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Files and directories, for reading.
const READING: &[libc::c_long] = &[
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_read,
    libc::SYS_pread64,
    libc::SYS_lseek,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_fcntl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_stat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lstat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_open,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_readlink,
];

/// The capture's files: made, named, filled, removed.
const WRITING: &[libc::c_long] = &[
    libc::SYS_pwrite64,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fdatasync,
    libc::SYS_fsync,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_linkat,
    libc::SYS_unlinkat,
    libc::SYS_flock,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
];

/// The programs' maps and bells, the end of the command, and asking for the priority back.
const DRAINING: &[libc::c_long] = &[
    libc::SYS_bpf,
    libc::SYS_ioctl,
    libc::SYS_ppoll,
    libc::SYS_epoll_pwait,
    libc::SYS_pidfd_send_signal,
    libc::SYS_kill,
    libc::SYS_getpriority,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_uname,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
];

/// Sockets of container runtimes: asked, never listened on.
const ASKING: &[libc::c_long] = &[
    libc::SYS_socket,
    libc::SYS_connect,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_ioctl,
    libc::SYS_recvfrom,
    libc::SYS_shutdown,
    libc::SYS_getuid,
    libc::SYS_geteuid,
];

/// What processes have, and bpf programs: looked at, never made.
const HOLDING: &[libc::c_long] = &[libc::SYS_bpf, libc::SYS_pidfd_open, libc::SYS_pidfd_getfd];

/// The calls of a thread with this part; `None` leaves it all of them.
fn allowed(part: Part) -> Option<Vec<libc::c_long>> {
    let lists: &[&[libc::c_long]] = match part {
        Part::Encode => &[RUNTIME],
        Part::Write => &[RUNTIME, READING, WRITING],
        Part::Metrics => &[RUNTIME, READING, WRITING, &[libc::SYS_fchmod]],
        Part::Drain => &[RUNTIME, READING, DRAINING],
        Part::Names => &[RUNTIME, READING, ASKING],
        Part::Hashes => &[RUNTIME, READING],
        Part::Artifacts => &[RUNTIME, READING, HOLDING],
        Part::Other => return None,
    };
    Some(lists.concat())
}

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

/// Offsets in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// The filter: the calls of this architecture that are on the list pass. Numbers of x32 differ and are on no list.
fn program(calls: &[libc::c_long]) -> Vec<libc::sock_filter> {
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let refuse = step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let mut steps = vec![
        step(LOAD, 0, 0, ARCHITECTURE),
        step(JUMP_IF_EQUAL, 1, 0, AUDIT_ARCH),
        refuse,
        step(LOAD, 0, 0, NUMBER),
    ];
    for call in calls {
        steps.push(step(JUMP_IF_EQUAL, 0, 1, *call as u32));
        steps.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    }
    steps.push(refuse);
    steps
}

/// Lets the calling thread make only the calls of its part, for ever. Needs `no_new_privs`.
pub fn allow_only(part: Part) -> io::Result<()> {
    let Some(calls) = allowed(part) else { return Ok(()) };
    let mut steps = program(&calls);
    let length = u16::try_from(steps.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let filter = libc::sock_fprog { len: length, filter: steps.as_mut_ptr() };
    // SAFETY: the filter and its steps live until the call is over, and the kernel copies them.
    let result =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_list_lets_a_thread_execute_trace_or_mount() {
        for part in [
            Part::Drain,
            Part::Encode,
            Part::Write,
            Part::Names,
            Part::Hashes,
            Part::Artifacts,
            Part::Metrics,
        ] {
            let calls = allowed(part).unwrap();
            for forbidden in [
                libc::SYS_execve,
                libc::SYS_execveat,
                libc::SYS_clone3,
                libc::SYS_ptrace,
                libc::SYS_process_vm_writev,
                libc::SYS_mount,
                libc::SYS_init_module,
                libc::SYS_setuid,
                libc::SYS_capset,
                libc::SYS_listen,
                libc::SYS_memfd_create,
            ] {
                assert!(!calls.contains(&forbidden), "{part:?}: {forbidden}");
            }
            assert!(program(&calls).len() < 4096);
        }
    }
}
