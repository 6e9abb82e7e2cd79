//! Extended attributes and inode flags.

use super::{arg, call, dirfd, fd, int, path, size, uint};
use crate::ArgKind::{Bytes, Sized, StrList};
use crate::Len::{Arg, ReturnWithin};
use crate::StructKind::XattrArgs;
use crate::{Event, Names, Set, Sets};

const FS_FS_FILE_ATTR: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsFileAttr]);

pub(super) const EVENTS: &[Event] = &[
    call(
        188,
        "setxattr",
        [226, 5],
        FS_FS_FILE_ATTR,
        &[
            path("path"),
            path("name"),
            arg("value", "const void*", Bytes(Arg(3))),
            size("size"),
            int("flags").named(Names::XattrFlags),
        ],
    ),
    call(
        189,
        "lsetxattr",
        [227, 6],
        FS_FS_FILE_ATTR,
        &[
            path("path"),
            path("name"),
            arg("value", "const void*", Bytes(Arg(3))),
            size("size"),
            int("flags").named(Names::XattrFlags),
        ],
    ),
    call(
        190,
        "fsetxattr",
        [228, 7],
        FS_FS_FILE_ATTR,
        &[
            fd("fd"),
            path("name"),
            arg("value", "const void*", Bytes(Arg(3))),
            size("size"),
            int("flags").named(Names::XattrFlags),
        ],
    ),
    call(
        191,
        "getxattr",
        [229, 8],
        FS_FS_FILE_ATTR,
        &[path("path"), path("name"), arg("value", "void*", Bytes(ReturnWithin(3))).out(), size("size")],
    ),
    call(
        192,
        "lgetxattr",
        [230, 9],
        FS_FS_FILE_ATTR,
        &[path("path"), path("name"), arg("value", "void*", Bytes(ReturnWithin(3))).out(), size("size")],
    ),
    call(
        193,
        "fgetxattr",
        [231, 10],
        FS_FS_FILE_ATTR,
        &[fd("fd"), path("name"), arg("value", "void*", Bytes(ReturnWithin(3))).out(), size("size")],
    ),
    call(
        194,
        "listxattr",
        [232, 11],
        FS_FS_FILE_ATTR,
        &[path("path"), arg("list", "char*", StrList(ReturnWithin(2))).out(), size("size")],
    ),
    call(
        195,
        "llistxattr",
        [233, 12],
        FS_FS_FILE_ATTR,
        &[path("path"), arg("list", "char*", StrList(ReturnWithin(2))).out(), size("size")],
    ),
    call(
        196,
        "flistxattr",
        [234, 13],
        FS_FS_FILE_ATTR,
        &[fd("fd"), arg("list", "char*", StrList(ReturnWithin(2))).out(), size("size")],
    ),
    call(197, "removexattr", [235, 14], FS_FS_FILE_ATTR, &[path("path"), path("name")]),
    call(198, "lremovexattr", [236, 15], FS_FS_FILE_ATTR, &[path("path"), path("name")]),
    call(199, "fremovexattr", [237, 16], FS_FS_FILE_ATTR, &[fd("fd"), path("name")]),
    call(
        463,
        "setxattrat",
        [463, 463],
        FS_FS_FILE_ATTR,
        &[
            dirfd("dfd"),
            path("pathname"),
            uint("at_flags").named(Names::AtFlags),
            path("name"),
            arg("uargs", "const struct xattr_args*", Sized(XattrArgs, Arg(5))),
            size("usize"),
        ],
    ),
    call(
        464,
        "getxattrat",
        [464, 464],
        FS_FS_FILE_ATTR,
        &[
            dirfd("dfd"),
            path("pathname"),
            uint("at_flags").named(Names::AtFlags),
            path("name"),
            arg("uargs", "struct xattr_args*", Sized(XattrArgs, Arg(5))),
            size("usize"),
        ],
    ),
    call(
        465,
        "listxattrat",
        [465, 465],
        FS_FS_FILE_ATTR,
        &[
            dirfd("dfd"),
            path("pathname"),
            uint("at_flags").named(Names::AtFlags),
            arg("list", "char*", StrList(ReturnWithin(4))).out(),
            size("size"),
        ],
    ),
    call(
        466,
        "removexattrat",
        [466, 466],
        FS_FS_FILE_ATTR,
        &[dirfd("dfd"), path("pathname"), uint("at_flags").named(Names::AtFlags), path("name")],
    ),
];
