//! Attributes of files: status, mode, owner, times.

use super::{arg, call, dirfd, fd, gid, int, mode, path, size, uid, uint};
use crate::ArgKind::{Absent, Array, Sized, Str, Struct, U16};
use crate::Len::{Arg, Fixed};
use crate::StructKind::{FileAttr, Stat, Statx, Timespec, Timeval, Utimbuf};
use crate::{Event, Names, Returns, Set, Sets};

const DEFAULT_FS_FS_FILE_ATTR: Sets = Sets::of(&[Set::Syscalls, Set::Default, Set::Fs, Set::FsFileAttr]);
const FS_FS_FILE_ATTR: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsFileAttr]);

pub(super) const EVENTS: &[Event] = &[
    call(
        4,
        "stat",
        [106, -1],
        FS_FS_FILE_ATTR,
        &[path("pathname"), arg("statbuf", "struct stat*", Struct(Stat)).out()],
    ),
    call(
        5,
        "fstat",
        [108, 80],
        FS_FS_FILE_ATTR,
        &[fd("fd"), arg("statbuf", "struct stat*", Struct(Stat)).out()],
    ),
    call(
        6,
        "lstat",
        [107, -1],
        FS_FS_FILE_ATTR,
        &[path("pathname"), arg("statbuf", "struct stat*", Struct(Stat)).out()],
    ),
    call(21, "access", [33, -1], FS_FS_FILE_ATTR, &[path("pathname"), int("mode").named(Names::AccessMode)]),
    call(90, "chmod", [15, -1], DEFAULT_FS_FS_FILE_ATTR, &[path("pathname"), mode("mode")]),
    call(91, "fchmod", [94, 52], DEFAULT_FS_FS_FILE_ATTR, &[fd("fd"), mode("mode")]),
    call(92, "chown", [212, -1], DEFAULT_FS_FS_FILE_ATTR, &[path("pathname"), uid("owner"), gid("group")]),
    call(93, "fchown", [207, 55], DEFAULT_FS_FS_FILE_ATTR, &[fd("fd"), uid("owner"), gid("group")]),
    call(94, "lchown", [198, -1], DEFAULT_FS_FS_FILE_ATTR, &[path("pathname"), uid("owner"), gid("group")]),
    call(95, "umask", [60, 166], FS_FS_FILE_ATTR, &[mode("mask")]).returns(Returns::Mode),
    call(
        132,
        "utime",
        [30, -1],
        FS_FS_FILE_ATTR,
        &[path("filename"), arg("times", "const struct utimbuf*", Struct(Utimbuf))],
    ),
    call(
        235,
        "utimes",
        [271, -1],
        FS_FS_FILE_ATTR,
        &[arg("filename", "char*", Str), arg("times", "struct timeval*", Array(Timeval, Fixed(2)))],
    ),
    call(
        260,
        "fchownat",
        [298, 54],
        DEFAULT_FS_FS_FILE_ATTR,
        &[dirfd("dirfd"), path("pathname"), uid("owner"), gid("group"), int("flags").named(Names::AtFlags)],
    ),
    call(
        261,
        "futimesat",
        [299, -1],
        FS_FS_FILE_ATTR,
        &[dirfd("dirfd"), path("pathname"), arg("times", "struct timeval*", Array(Timeval, Fixed(2)))],
    ),
    call(
        262,
        "newfstatat",
        [300, 79],
        FS_FS_FILE_ATTR,
        &[
            dirfd("dirfd"),
            path("pathname"),
            arg("statbuf", "struct stat*", Struct(Stat)).out(),
            int("flags").named(Names::AtFlags),
        ],
    ),
    call(
        268,
        "fchmodat",
        [306, 53],
        DEFAULT_FS_FS_FILE_ATTR,
        &[dirfd("dirfd"), path("pathname"), mode("mode"), arg("flags", "int", Absent)],
    ),
    call(
        269,
        "faccessat",
        [307, 48],
        FS_FS_FILE_ATTR,
        &[
            dirfd("dirfd"),
            path("pathname"),
            int("mode").named(Names::AccessMode),
            arg("flags", "int", Absent),
        ],
    ),
    call(
        280,
        "utimensat",
        [412, 88],
        FS_FS_FILE_ATTR,
        &[
            dirfd("dirfd"),
            path("pathname"),
            arg("times", "struct timespec*", Array(Timespec, Fixed(2))),
            int("flags").named(Names::AtFlags),
        ],
    ),
    call(
        332,
        "statx",
        [383, 291],
        FS_FS_FILE_ATTR,
        &[
            dirfd("dirfd"),
            path("pathname"),
            int("flags").named(Names::AtFlags),
            uint("mask").named(Names::StatxMask),
            arg("statxbuf", "struct statx*", Struct(Statx)).out(),
        ],
    ),
    call(
        439,
        "faccessat2",
        [439, 439],
        FS_FS_FILE_ATTR,
        &[
            fd("fd"),
            path("path"),
            int("mode").named(Names::AccessMode),
            int("flag").named(Names::AccessFlags),
        ],
    ),
    call(
        452,
        "fchmodat2",
        [452, 452],
        DEFAULT_FS_FS_FILE_ATTR,
        &[
            dirfd("dfd"),
            path("filename"),
            arg("mode", "umode_t", U16).named(Names::FileMode),
            uint("flags").named(Names::AtFlags),
        ],
    ),
    call(
        468,
        "file_getattr",
        [468, 468],
        FS_FS_FILE_ATTR,
        &[
            dirfd("dfd"),
            path("filename"),
            arg("ufattr", "struct file_attr*", Sized(FileAttr, Arg(3))).out(),
            size("usize"),
            uint("at_flags").named(Names::AtFlags),
        ],
    ),
    call(
        469,
        "file_setattr",
        [469, 469],
        FS_FS_FILE_ATTR,
        &[
            dirfd("dfd"),
            path("filename"),
            arg("ufattr", "struct file_attr*", Sized(FileAttr, Arg(3))),
            size("usize"),
            uint("at_flags").named(Names::AtFlags),
        ],
    ),
];
