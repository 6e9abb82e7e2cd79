//! The system as a whole: names, logs, modules, programs in the kernel, rules. What would change it is made to fail.

use libc::*;

use super::raw::{NULL, call, numbered};

pub fn run() {
    asking();
    refused();
    programs();
    rules();
    removed();
}

fn asking() {
    let mut names = [0u8; 390];
    call!(SYS_uname, &mut names);
    let mut state = [0u64; 14];
    call!(SYS_sysinfo, &mut state);
    call!(SYS_syslog, 10, NULL, 0);
    let mut random = [0u8; 16];
    call!(SYS_getrandom, random.as_mut_ptr(), 16, GRND_NONBLOCK);
    call!(SYS_getrandom, random.as_mut_ptr(), 16, 0x77);
    call!(SYS_sysfs, 1, c"proc");
    call!(SYS_sysfs, 3);
    call!(SYS_arch_prctl, 0x1003, &mut state);
    call!(SYS_arch_prctl, 0x9999, 0x1234);
    let mut table = [0u64; 4];
    call!(SYS_modify_ldt, 0, &mut table, 32);
    call!(SYS_iopl, 77);
    call!(SYS_ioperm, 0x10_0000, 1, 1);
    let own = std::process::id();
    call!(SYS_kcmp, own, own, 0, 0, 1);
    call!(SYS_kcmp, own, 999_999_999, 2, 0, 0);
}

fn refused() {
    call!(SYS_sethostname, NULL, 1_000_000);
    call!(SYS_setdomainname, NULL, -1);
    call!(SYS_reboot, 0x1111_1111, 0x2222_2222, 0x3333_3333, NULL);
    call!(SYS_kexec_load, 0, 99_999, NULL, 0xffff_0000_u32);
    call!(SYS_kexec_file_load, -1, -1, 0, NULL, 0xffff);
    call!(SYS_init_module, NULL, 0, c"");
    call!(SYS_finit_module, -1, c"parameter=1", 0x77);
    call!(SYS_delete_module, c"absent_module", O_NONBLOCK);
    call!(SYS_setns, -1, CLONE_NEWNET);
    call!(SYS_unshare, 0x4000_0001);
    call!(SYS_unshare, CLONE_FS | CLONE_FILES);
}

fn programs() {
    // An array of two 8-byte values.
    let map = [2u32, 4, 8, 2, 0, 0, 0, 0, 0, 0, 0, 0];
    let fd = call!(SYS_bpf, 0, &map, 48);
    call!(SYS_close, fd);
    call!(SYS_bpf, 99, &map, 48);
    let mut counter = [0u32; 34];
    counter[0] = 1;
    counter[1] = 136;
    counter[10] = 0x61;
    let fd = call!(SYS_perf_event_open, &counter, 0, -1, -1, 8);
    call!(SYS_close, fd);
    counter[0] = 77;
    call!(SYS_perf_event_open, &counter, 0, -1, -1, 0);
    call!(SYS_seccomp, 2, 0, &0x7fff_0000u32);
    call!(SYS_seccomp, 99, 0, NULL);
}

fn rules() {
    call!(SYS_landlock_create_ruleset, NULL, 0, 1);
    let fd = call!(SYS_landlock_create_ruleset, &[3u64], 8, 0);
    call!(SYS_landlock_add_rule, fd, 1, &[3u64, 0xffff_ffff], 0);
    call!(SYS_landlock_restrict_self, -1, 0);
    call!(SYS_close, fd);
    let mut size = 0u32;
    numbered!(459, 100, NULL, &mut size, 0);
    numbered!(460, 100, NULL, 0, 0);
    let mut ids = [0u64; 32];
    size = 256;
    numbered!(461, &mut ids, &mut size, 0);
}

/// Calls that Linux once had, or had a place for.
fn removed() {
    call!(SYS_uselib, c"absent library");
    numbered!(174, c"name", 1);
    numbered!(177, NULL);
    numbered!(178, c"name", 1, NULL, 0, NULL);
    call!(SYS_nfsservctl, 1, NULL, NULL);
    call!(SYS_getpmsg, 1, 2, 3, 4, 5);
    call!(SYS_putpmsg, 1, 2, 3, 4, 5);
    call!(SYS_afs_syscall, 1, 2, 3, 4, 5);
    call!(SYS_tuxcall, 1, 2, 3);
    call!(SYS_security, 1, 2, 3);
    call!(SYS_vserver, 1, 2, 3, 4, 5);
    call!(SYS_set_thread_area, NULL);
    call!(SYS_get_thread_area, NULL);
    call!(SYS_epoll_ctl_old, 1, 2, 3, 4);
    call!(SYS_epoll_wait_old, 1, 2, 3, 4);
    numbered!(156, NULL);
}
