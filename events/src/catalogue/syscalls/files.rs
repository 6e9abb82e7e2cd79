//! Files and directories: opening, making, renaming, removing.

use super::{CREATED, arg, call, dirfd, fd, int, mode, off, path, size, uint};
use crate::ArgKind::{Dirents, Fd, Sized, Str, Struct, Text, U32, U64};
use crate::Len::{Arg, Inside, Return};
use crate::StructKind::{FileHandle, Int, OpenHow};
use crate::{Event, Names, Returns, Set, Sets};

const DEFAULT_FS_FS_FILE_OPS: Sets = Sets::of(&[Set::Default, Set::Syscalls, Set::Fs, Set::FsFileOps]);
const FS_FS_DIR_OPS: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsDirOps]);
const FS_FS_FILE_OPS: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsFileOps]);
const FS_FS_LINK_OPS: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsLinkOps]);

pub(super) const EVENTS: &[Event] = &[
    call(
        2,
        "open",
        [5, -1],
        FS_FS_FILE_OPS,
        &[path("pathname"), int("flags").named(Names::OpenFlags), mode("mode"), CREATED],
    )
    .returns(Returns::Fd),
    call(3, "close", [6, 57], FS_FS_FILE_OPS, &[fd("fd")]),
    call(76, "truncate", [92, 45], FS_FS_FILE_OPS, &[path("path"), off("length")]),
    call(77, "ftruncate", [93, 46], FS_FS_FILE_OPS, &[fd("fd"), off("length")]),
    call(
        78,
        "getdents",
        [141, -1],
        FS_FS_DIR_OPS,
        &[fd("fd"), arg("dirp", "struct linux_dirent*", Dirents(Return)).out(), uint("count")],
    ),
    call(79, "getcwd", [183, 17], FS_FS_DIR_OPS, &[arg("buf", "char*", Str).out(), size("size")]),
    call(80, "chdir", [12, 49], FS_FS_DIR_OPS, &[path("path")]),
    call(81, "fchdir", [133, 50], FS_FS_DIR_OPS, &[fd("fd")]),
    call(82, "rename", [38, -1], FS_FS_FILE_OPS, &[path("oldpath"), path("newpath")]),
    call(83, "mkdir", [39, -1], FS_FS_DIR_OPS, &[path("pathname"), mode("mode")]),
    call(84, "rmdir", [40, -1], FS_FS_DIR_OPS, &[path("pathname")]),
    call(85, "creat", [8, -1], DEFAULT_FS_FS_FILE_OPS, &[path("pathname"), mode("mode"), CREATED])
        .returns(Returns::Fd),
    call(86, "link", [9, -1], FS_FS_LINK_OPS, &[path("oldpath"), path("newpath")]),
    call(87, "unlink", [10, -1], FS_FS_LINK_OPS, &[path("pathname")]),
    call(88, "symlink", [83, -1], FS_FS_LINK_OPS, &[path("target"), path("linkpath")]),
    call(
        89,
        "readlink",
        [85, -1],
        FS_FS_LINK_OPS,
        &[path("pathname"), arg("buf", "char*", Text(Return)).out(), size("bufsiz")],
    ),
    call(133, "mknod", [14, -1], FS_FS_FILE_OPS, &[path("pathname"), mode("mode"), arg("dev", "dev_t", U32)]),
    call(161, "chroot", [61, 51], FS_FS_DIR_OPS, &[path("path")]),
    call(
        212,
        "lookup_dcookie",
        [253, 18],
        FS_FS_DIR_OPS,
        &[arg("cookie", "u64", U64), arg("buffer", "char*", Text(Return)).out(), size("len")],
    ),
    call(
        217,
        "getdents64",
        [220, 61],
        FS_FS_DIR_OPS,
        &[
            arg("fd", "unsigned int", Fd),
            arg("dirp", "struct linux_dirent64*", Dirents(Return)).out(),
            uint("count"),
        ],
    ),
    call(
        257,
        "openat",
        [295, 56],
        FS_FS_FILE_OPS,
        &[dirfd("dirfd"), path("pathname"), int("flags").named(Names::OpenFlags), mode("mode"), CREATED],
    )
    .returns(Returns::Fd),
    call(258, "mkdirat", [296, 34], FS_FS_DIR_OPS, &[dirfd("dirfd"), path("pathname"), mode("mode")]),
    call(
        259,
        "mknodat",
        [297, 33],
        FS_FS_FILE_OPS,
        &[dirfd("dirfd"), path("pathname"), mode("mode"), arg("dev", "dev_t", U32)],
    ),
    call(
        263,
        "unlinkat",
        [301, 35],
        FS_FS_LINK_OPS,
        &[dirfd("dirfd"), path("pathname"), int("flags").named(Names::UnlinkFlags)],
    ),
    call(
        264,
        "renameat",
        [302, 38],
        FS_FS_FILE_OPS,
        &[dirfd("olddirfd"), path("oldpath"), dirfd("newdirfd"), path("newpath")],
    ),
    call(
        265,
        "linkat",
        [303, 37],
        FS_FS_LINK_OPS,
        &[
            dirfd("olddirfd"),
            path("oldpath"),
            dirfd("newdirfd"),
            path("newpath"),
            uint("flags").named(Names::AtFlags),
        ],
    ),
    call(266, "symlinkat", [304, 36], FS_FS_LINK_OPS, &[path("target"), dirfd("newdirfd"), path("linkpath")]),
    call(
        267,
        "readlinkat",
        [305, 78],
        FS_FS_LINK_OPS,
        &[dirfd("dirfd"), path("pathname"), arg("buf", "char*", Text(Return)).out(), int("bufsiz")],
    ),
    call(
        285,
        "fallocate",
        [324, 47],
        FS_FS_FILE_OPS,
        &[fd("fd"), int("mode").named(Names::FallocateMode), off("offset"), off("len")],
    ),
    call(
        303,
        "name_to_handle_at",
        [341, 264],
        FS_FS_FILE_OPS,
        &[
            dirfd("dirfd"),
            path("pathname"),
            arg("handle", "struct file_handle*", Sized(FileHandle, Inside(8))).out(),
            arg("mount_id", "int*", Struct(Int)).out(),
            int("flags").named(Names::AtFlags),
        ],
    ),
    call(
        304,
        "open_by_handle_at",
        [342, 265],
        FS_FS_FILE_OPS,
        &[
            fd("mount_fd"),
            arg("handle", "struct file_handle*", Sized(FileHandle, Inside(8))),
            int("flags").named(Names::OpenFlags),
        ],
    )
    .returns(Returns::Fd),
    call(
        316,
        "renameat2",
        [353, 276],
        FS_FS_FILE_OPS,
        &[
            dirfd("olddirfd"),
            path("oldpath"),
            dirfd("newdirfd"),
            path("newpath"),
            uint("flags").named(Names::RenameFlags),
        ],
    ),
    call(
        319,
        "memfd_create",
        [356, 279],
        DEFAULT_FS_FS_FILE_OPS,
        &[path("name"), uint("flags").named(Names::MemfdFlags)],
    )
    .returns(Returns::Fd),
    call(
        436,
        "close_range",
        [436, 436],
        FS_FS_FILE_OPS,
        &[uint("first"), uint("last"), uint("flags").named(Names::CloseRangeFlags)],
    ),
    call(
        437,
        "openat2",
        [437, 437],
        FS_FS_FILE_OPS,
        &[
            dirfd("dirfd"),
            path("pathname"),
            arg("how", "struct open_how*", Sized(OpenHow, Arg(3))),
            size("size"),
            CREATED,
        ],
    )
    .returns(Returns::Fd),
];
