//! Who runs, and how: ids, capabilities, scheduling, limits.

use libc::*;

use super::raw::{NULL, call};

pub fn run() {
    ids();
    capabilities();
    scheduling();
    limits();
}

fn ids() {
    call!(SYS_getpid);
    call!(SYS_getppid);
    call!(SYS_gettid);
    call!(SYS_getuid);
    call!(SYS_geteuid);
    call!(SYS_getgid);
    call!(SYS_getegid);
    let mut groups = [0u32; 32];
    call!(SYS_getgroups, 32, &mut groups);
    call!(SYS_getgroups, 0, NULL);
    call!(SYS_setgroups, 1_000_000, NULL);
    call!(SYS_setuid, 0);
    call!(SYS_setgid, 0);
    call!(SYS_setreuid, -1, -1);
    call!(SYS_setregid, -1, 0);
    call!(SYS_setresuid, 0, -1, 0);
    call!(SYS_setresgid, -1, 0, -1);
    let (mut real, mut effective, mut saved) = (0u32, 0u32, 0u32);
    call!(SYS_getresuid, &mut real, &mut effective, &mut saved);
    call!(SYS_getresgid, &mut real, &mut effective, &mut saved);
    call!(SYS_setfsuid, -1);
    call!(SYS_setfsgid, 0);
    call!(SYS_getpgid, 0);
    call!(SYS_setpgid, 999_999_999, 0);
    call!(SYS_getpgrp);
    call!(SYS_getsid, 0);
    call!(SYS_getsid, 999_999_999);
    call!(SYS_personality, 0xffff_ffff_u32);
}

fn capabilities() {
    let mut header = [0x2008_0522u32, 0];
    let mut data = [0u32; 6];
    call!(SYS_capget, &mut header, &mut data);
    call!(SYS_capset, &mut header, &data);
    header[1] = 999_999_999;
    call!(SYS_capget, &mut header, &mut data);
    header[0] = 0x1111;
    call!(SYS_capset, &mut header, NULL);
}

fn scheduling() {
    call!(SYS_sched_yield);
    let mut parameters = 0i32;
    call!(SYS_sched_getparam, 0, &mut parameters);
    call!(SYS_sched_setparam, 0, &parameters);
    call!(SYS_sched_setparam, 0, &99i32);
    call!(SYS_sched_getscheduler, 0);
    call!(SYS_sched_setscheduler, 0, SCHED_OTHER, &parameters);
    call!(SYS_sched_setscheduler, 999_999_999, SCHED_FIFO, &5i32);
    call!(SYS_sched_get_priority_max, SCHED_FIFO);
    call!(SYS_sched_get_priority_min, SCHED_RR);
    call!(SYS_sched_get_priority_min, 99);
    let mut interval = [0u64; 2];
    call!(SYS_sched_rr_get_interval, 0, &mut interval);
    let mut processors = [0u64; 16];
    call!(SYS_sched_getaffinity, 0, 128, &mut processors);
    call!(SYS_sched_setaffinity, 0, 128, &processors);
    let mut attributes = [0u64; 7];
    call!(SYS_sched_getattr, 0, &mut attributes, 56, 0);
    call!(SYS_sched_setattr, 0, &attributes, 0);
    call!(SYS_sched_setattr, 0, NULL, 0);
    call!(SYS_getpriority, PRIO_PROCESS, 0);
    call!(SYS_setpriority, PRIO_PROCESS, 999_999_999, 5);
    call!(SYS_ioprio_get, 1, 0);
    call!(SYS_ioprio_set, 1, 999_999_999, 0x4004);
    let (mut cpu, mut node) = (0u32, 0u32);
    call!(SYS_getcpu, &mut cpu, &mut node, NULL);
}

fn limits() {
    let mut limit = [0u64; 2];
    call!(SYS_getrlimit, RLIMIT_NOFILE, &mut limit);
    call!(SYS_setrlimit, RLIMIT_NOFILE, &limit);
    call!(SYS_setrlimit, 77, &limit);
    call!(SYS_prlimit64, 0, RLIMIT_CORE, &[0u64, u64::MAX], &mut limit);
    call!(SYS_prlimit64, 0, RLIMIT_STACK, NULL, &mut limit);
    call!(SYS_prlimit64, 999_999_999, RLIMIT_STACK, NULL, &mut limit);
    let mut usage = [0u64; 18];
    call!(SYS_getrusage, RUSAGE_SELF, &mut usage);
    call!(SYS_getrusage, 77, &mut usage);
}
