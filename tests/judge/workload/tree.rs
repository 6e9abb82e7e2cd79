//! Names: directories, links, attributes, permissions, mounts.

use libc::*;

use super::raw::{NULL, call, numbered};

pub fn run() {
    directories();
    links();
    looking();
    permissions();
    times();
    attributes();
    mounts();
}

fn directories() {
    call!(SYS_mkdir, c"dir", 0o755);
    call!(SYS_mkdir, c"dir", 0o755);
    call!(SYS_mkdirat, AT_FDCWD, c"dir/inner", 0o700);
    call!(SYS_rmdir, c"dir/inner");
    call!(SYS_rmdir, c"absent");
    let mut name = [0u8; 256];
    call!(SYS_getcwd, name.as_mut_ptr(), 256);
    call!(SYS_getcwd, name.as_mut_ptr(), 1);
    let here = call!(SYS_open, c".", O_PATH | O_DIRECTORY);
    call!(SYS_chdir, c"dir");
    call!(SYS_chdir, c"absent");
    call!(SYS_fchdir, here);
    call!(SYS_fchdir, -1);
    call!(SYS_close, here);
    call!(SYS_chroot, c"absent/root");
    call!(SYS_pivot_root, c"absent/new", c"absent/old");
}

fn links() {
    call!(SYS_rename, c"created", c"renamed");
    call!(SYS_renameat, AT_FDCWD, c"renamed", AT_FDCWD, c"dir/renamed");
    call!(SYS_renameat2, AT_FDCWD, c"dir/renamed", AT_FDCWD, c"data", 1);
    call!(SYS_renameat2, AT_FDCWD, c"dir/renamed", AT_FDCWD, c"renamed", 0);
    call!(SYS_link, c"renamed", c"hard");
    call!(SYS_linkat, AT_FDCWD, c"renamed", AT_FDCWD, c"hard2", AT_SYMLINK_FOLLOW);
    call!(SYS_symlink, c"target of the link", c"soft");
    call!(SYS_symlinkat, c"/etc/hostname", AT_FDCWD, c"soft2");
    let mut target = [0u8; 100];
    call!(SYS_readlink, c"soft", target.as_mut_ptr(), 100);
    call!(SYS_readlink, c"data", target.as_mut_ptr(), 100);
    call!(SYS_readlinkat, AT_FDCWD, c"soft2", target.as_mut_ptr(), 5);
    call!(SYS_unlink, c"hard");
    call!(SYS_unlink, c"hard");
    call!(SYS_unlinkat, AT_FDCWD, c"hard2", 0);
    call!(SYS_mkdir, c"gone", 0o700);
    call!(SYS_unlinkat, AT_FDCWD, c"gone", AT_REMOVEDIR);
    call!(SYS_mknod, c"pipe", S_IFIFO | 0o600, 0);
    call!(SYS_mknodat, AT_FDCWD, c"pipe2", S_IFIFO | 0o644, 0);
    call!(SYS_mknodat, AT_FDCWD, c"device", S_IFMT | 0o644, 0x0103);
}

fn looking() {
    call!(SYS_access, c"data", R_OK | W_OK);
    call!(SYS_access, c"absent", F_OK);
    call!(SYS_faccessat, AT_FDCWD, c"data", X_OK);
    call!(SYS_faccessat2, AT_FDCWD, c"data", R_OK, AT_EACCESS);
    let mut stat = [0u64; 18];
    let fd = call!(SYS_open, c"data", O_RDONLY);
    call!(SYS_stat, c"data", &mut stat);
    call!(SYS_stat, c"absent", &mut stat);
    call!(SYS_stat, c"/dev/null", &mut stat);
    call!(SYS_lstat, c"soft", &mut stat);
    call!(SYS_fstat, fd, &mut stat);
    call!(SYS_newfstatat, AT_FDCWD, c"dir", &mut stat, AT_SYMLINK_NOFOLLOW);
    call!(SYS_newfstatat, fd, c"", &mut stat, AT_EMPTY_PATH);
    let mut statx = [0u64; 32];
    call!(SYS_statx, AT_FDCWD, c"data", AT_STATX_SYNC_AS_STAT, 0xfff, &mut statx);
    call!(SYS_statx, AT_FDCWD, c"/dev/null", 0, 0x7ff, &mut statx);
    call!(SYS_statx, AT_FDCWD, c"absent", 0, 0x7ff, &mut statx);
    let mut statfs = [0u64; 15];
    call!(SYS_statfs, c"/proc", &mut statfs);
    call!(SYS_statfs, c".", &mut statfs);
    call!(SYS_fstatfs, fd, &mut statfs);
    let mut ustat = [0u64; 4];
    call!(SYS_ustat, 0xffff, &mut ustat);
    call!(SYS_close, fd);
}

fn permissions() {
    let fd = call!(SYS_open, c"data", O_RDONLY);
    call!(SYS_umask, 0o27);
    call!(SYS_umask, 0o22);
    call!(SYS_chmod, c"data", 0o640);
    call!(SYS_fchmod, fd, 0o4755);
    call!(SYS_fchmodat, AT_FDCWD, c"data", 0o644);
    numbered!(452, AT_FDCWD, c"data", 0o600, AT_SYMLINK_NOFOLLOW);
    call!(SYS_chown, c"data", 1000, 1001);
    call!(SYS_fchown, fd, -1, 1002);
    call!(SYS_lchown, c"soft", 1003, -1);
    call!(SYS_fchownat, AT_FDCWD, c"data", 0, 0, AT_SYMLINK_NOFOLLOW);
    call!(SYS_close, fd);
}

fn times() {
    call!(SYS_utime, c"data", &[1_000_000_000u64, 1_100_000_000]);
    call!(SYS_utime, c"absent", NULL);
    call!(SYS_utimes, c"data", &[1_200_000_000u64, 5, 1_300_000_000, 999_999]);
    call!(SYS_utimensat, AT_FDCWD, c"data", &[1_400_000_000u64, 7, 0, 0x3fff_ffff], 0);
    call!(SYS_futimesat, AT_FDCWD, c"data", &[1_500_000_000u64, 1, 1_600_000_000, 2]);
}

fn attributes() {
    let fd = call!(SYS_open, c"data", O_RDONLY);
    let mut value = [0u8; 64];
    let value = value.as_mut_ptr();
    call!(SYS_setxattr, c"data", c"user.one", c"value 1", 7, 0);
    call!(SYS_lsetxattr, c"data", c"user.two", c"value\x01\x02", 7, XATTR_CREATE);
    call!(SYS_fsetxattr, fd, c"user.three", c"", 0, 0);
    call!(SYS_setxattr, c"data", c"user.one", c"", 0, XATTR_CREATE);
    call!(SYS_getxattr, c"data", c"user.one", value, 64);
    call!(SYS_getxattr, c"data", c"user.one", NULL, 0);
    call!(SYS_lgetxattr, c"data", c"user.two", value, 64);
    call!(SYS_fgetxattr, fd, c"user.absent", value, 64);
    call!(SYS_fgetxattr, fd, c"user.one", value, 64);
    call!(SYS_listxattr, c"data", value, 64);
    call!(SYS_llistxattr, c"data", NULL, 0);
    call!(SYS_flistxattr, fd, value, 64);
    call!(SYS_removexattr, c"data", c"user.one");
    call!(SYS_lremovexattr, c"data", c"user.two");
    call!(SYS_fremovexattr, fd, c"user.three");
    call!(SYS_removexattr, c"data", c"user.absent");
    let args = [c"at".as_ptr() as u64, 2];
    numbered!(463, AT_FDCWD, c"data", 0, c"user.at", &args, 16);
    numbered!(464, AT_FDCWD, c"data", 0, c"user.at", &args, 16);
    numbered!(465, AT_FDCWD, c"data", 0, value, 64);
    numbered!(466, AT_FDCWD, c"data", 0, c"user.at");
    let mut attributes = [0u64; 3];
    numbered!(468, AT_FDCWD, c"data", &mut attributes, 24, 0);
    numbered!(469, AT_FDCWD, c"absent", &attributes, 24, 0);
    call!(SYS_close, fd);
}

fn mounts() {
    call!(SYS_mount, c"absent source", c"absent target", c"tmpfs", MS_RDONLY | MS_NOSUID, c"size=1m");
    call!(SYS_umount2, c"absent target", MNT_DETACH);
    call!(SYS_open_tree, AT_FDCWD, c"absent", 0);
    call!(SYS_move_mount, -1, c"from", -1, c"to", 0);
    let fd = call!(SYS_fsopen, c"tmpfs", 1);
    call!(SYS_fsconfig, fd, 1, c"size", c"1m", 0);
    call!(SYS_fsconfig, fd, 0, c"ro", NULL, 0);
    call!(SYS_fsmount, fd, 1, 0xffff_0000_u32);
    call!(SYS_close, fd);
    call!(SYS_fsopen, c"absent filesystem", 0);
    call!(SYS_fspick, AT_FDCWD, c"absent", 0);
    call!(SYS_mount_setattr, AT_FDCWD, c"absent", 0, &[1u64, 0, 0, 0], 32);
    numbered!(467, AT_FDCWD, c"absent", 0, NULL, 0);
    let request = [24u64, 0xffff_ffff, 0];
    let mut answer = [0u64; 64];
    numbered!(457, &request, &mut answer, 512, 0);
    numbered!(458, &request, &mut answer, 8, 0);
    call!(SYS_quotactl, 0x8000_0700_u32, c"/dev/absent", 0, NULL);
    call!(SYS_quotactl_fd, -1, 0x8000_0700_u32, 0, NULL);
    call!(SYS_swapon, c"absent swap", 0x8000);
    call!(SYS_swapoff, c"absent swap");
    call!(SYS_acct, c"absent/account");
}
