//! File systems: mounting, statistics, space.

use super::{arg, call, dirfd, fd, int, off, path, size, uint, ulong};
use crate::ArgKind::{Any, Array, Bytes, Fd, Pointer, Sized, Str, Struct, U32};
use crate::Len::{Arg, Inside, Return};
use crate::StructKind::{Cachestat, CachestatRange, MntIdReq, MountAttr, Statfs, Ustat};
use crate::{Event, Names, Returns, Set, Sets, StructKind};

const DEFAULT_FS: Sets = Sets::of(&[Set::Default, Set::Syscalls, Set::Fs]);
const FS: Sets = Sets::of(&[Set::Syscalls, Set::Fs]);
const FS_FS_INFO: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsInfo]);
const PLAIN: Sets = Sets::of(&[Set::Syscalls]);

pub(super) const EVENTS: &[Event] = &[
    call(
        136,
        "ustat",
        [62, -1],
        FS_FS_INFO,
        &[arg("dev", "dev_t", U32), arg("ubuf", "struct ustat*", Struct(Ustat)).out()],
    ),
    call(
        137,
        "statfs",
        [99, 43],
        FS_FS_INFO,
        &[path("path"), arg("buf", "struct statfs*", Struct(Statfs)).out()],
    ),
    call(
        138,
        "fstatfs",
        [100, 44],
        FS_FS_INFO,
        &[fd("fd"), arg("buf", "struct statfs*", Struct(Statfs)).out()],
    ),
    call(139, "sysfs", [135, -1], FS_FS_INFO, &[int("option"), ulong("arg1"), ulong("arg2")]),
    call(155, "pivot_root", [217, 41], FS, &[path("new_root"), path("put_old")]),
    call(
        165,
        "mount",
        [21, 40],
        FS,
        &[
            path("source"),
            path("target"),
            path("filesystemtype"),
            ulong("mountflags").named(Names::MountFlags),
            arg("data", "const void*", Str),
        ],
    ),
    call(166, "umount2", [52, 39], FS, &[path("target"), int("flags").named(Names::UmountFlags)]),
    call(167, "swapon", [87, 224], FS, &[path("path"), int("swapflags").named(Names::SwapFlags)]),
    call(168, "swapoff", [115, 225], FS, &[path("path")]),
    call(180, "nfsservctl", [169, 42], FS, &[]),
    call(187, "readahead", [225, 213], FS, &[fd("fd"), off("offset"), size("count")]),
    call(
        221,
        "fadvise64",
        [250, 223],
        FS,
        &[fd("fd"), off("offset"), size("len"), int("advice").named(Names::FadviseAdvice)],
    ),
    call(
        428,
        "open_tree",
        [428, 428],
        PLAIN,
        &[dirfd("dfd"), path("filename"), uint("flags").named(Names::OpenTreeFlags)],
    )
    .returns(Returns::Fd),
    call(
        429,
        "move_mount",
        [429, 429],
        DEFAULT_FS,
        &[
            dirfd("from_dfd"),
            path("from_path"),
            dirfd("to_dfd"),
            path("to_path"),
            uint("flags").named(Names::MoveMountFlags),
        ],
    ),
    call(430, "fsopen", [430, 430], FS, &[path("fsname"), uint("flags").named(Names::FsopenFlags)])
        .returns(Returns::Fd),
    call(
        431,
        "fsconfig",
        [431, 431],
        FS,
        &[
            arg("fs_fd", "int*", Fd),
            uint("cmd").named(Names::FsconfigCommand),
            path("key"),
            arg("value", "const void*", Any(1)),
            int("aux"),
        ],
    ),
    call(
        432,
        "fsmount",
        [432, 432],
        FS,
        &[
            fd("fsfd"),
            uint("flags").named(Names::FsmountFlags),
            uint("ms_flags").named(Names::MountAttrFlags),
        ],
    )
    .returns(Returns::Fd),
    call(
        433,
        "fspick",
        [433, 433],
        FS,
        &[dirfd("dirfd"), path("pathname"), uint("flags").named(Names::FspickFlags)],
    )
    .returns(Returns::Fd),
    call(
        442,
        "mount_setattr",
        [442, 442],
        FS,
        &[
            dirfd("dfd"),
            arg("path", "char*", Str),
            uint("flags").named(Names::AtFlags),
            arg("uattr", "struct mount_attr*", Sized(MountAttr, Arg(4))),
            size("usize"),
        ],
    ),
    call(
        443,
        "quotactl_fd",
        [443, 443],
        FS,
        &[arg("fd", "unsigned int", Fd), uint("cmd"), arg("id", "qid_t", U32), arg("addr", "void*", Pointer)],
    ),
    call(
        451,
        "cachestat",
        [451, 451],
        FS_FS_INFO,
        &[
            arg("fd", "unsigned int", Fd),
            arg("cstat_range", "struct cachestat_range*", Struct(CachestatRange)),
            arg("cstat", "struct cachestat*", Struct(Cachestat)).out(),
            uint("flags"),
        ],
    ),
    call(
        457,
        "statmount",
        [457, 457],
        FS_FS_INFO,
        &[
            arg("req", "const struct mnt_id_req*", Sized(MntIdReq, Inside(0))),
            arg("buf", "struct statmount*", Bytes(Inside(0))).out(),
            size("bufsize"),
            uint("flags"),
        ],
    ),
    call(
        458,
        "listmount",
        [458, 458],
        FS_FS_INFO,
        &[
            arg("req", "const struct mnt_id_req*", Sized(MntIdReq, Inside(0))),
            arg("mnt_ids", "u64*", Array(StructKind::U64, Return)).out(),
            size("nr_mnt_ids"),
            uint("flags"),
        ],
    ),
    call(
        467,
        "open_tree_attr",
        [467, 467],
        FS,
        &[
            dirfd("dfd"),
            path("filename"),
            arg("flags", "unsigned", U32).named(Names::OpenTreeFlags),
            arg("uattr", "struct mount_attr*", Sized(MountAttr, Arg(4))),
            size("usize"),
        ],
    )
    .returns(Returns::Fd),
];
