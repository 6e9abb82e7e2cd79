//! Reading and writing through descriptors, and what else is done to them.

use super::{arg, call, fd, int, off, size, uint, ulong};
use crate::ArgKind::{Any, Array, Bytes, Fd, I64, Indirect, Iovec, Pointer, Struct, U64};
use crate::Len::{Arg, Return, ReturnWithin};
use crate::StructKind::{IoEvent, IoUringParams, Iocb, Long, SigSet, SigSetArg, Timespec, ULong};
use crate::{Event, Names, Returns, Set, Sets};

const FS_FS_ASYNC_IO: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsAsyncIo]);
const FS_FS_FD_OPS: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsFdOps]);
const FS_FS_READ_WRITE: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsReadWrite]);
const FS_FS_SYNC: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsSync]);
const PLAIN: Sets = Sets::of(&[Set::Syscalls]);

pub(super) const EVENTS: &[Event] = &[
    call(
        0,
        "read",
        [3, 63],
        FS_FS_READ_WRITE,
        &[fd("fd"), arg("buf", "void*", Bytes(ReturnWithin(2))).out(), size("count")],
    ),
    call(
        1,
        "write",
        [4, 64],
        FS_FS_READ_WRITE,
        &[fd("fd"), arg("buf", "void*", Bytes(Arg(2))), size("count")],
    ),
    call(
        8,
        "lseek",
        [19, 62],
        FS_FS_READ_WRITE,
        &[fd("fd"), off("offset"), uint("whence").named(Names::Whence)],
    ),
    call(
        16,
        "ioctl",
        [54, 29],
        FS_FS_FD_OPS,
        &[fd("fd"), ulong("request").named(Names::IoctlRequest), arg("arg", "unsigned long", Any(1))],
    ),
    call(
        17,
        "pread64",
        [180, 67],
        FS_FS_READ_WRITE,
        &[fd("fd"), arg("buf", "void*", Bytes(ReturnWithin(2))).out(), size("count"), off("offset")],
    ),
    call(
        18,
        "pwrite64",
        [181, 68],
        FS_FS_READ_WRITE,
        &[fd("fd"), arg("buf", "const void*", Bytes(Arg(2))), size("count"), off("offset")],
    ),
    call(
        19,
        "readv",
        [145, 65],
        FS_FS_READ_WRITE,
        &[fd("fd"), arg("iov", "const struct iovec*", Iovec(Arg(2))).out(), int("iovcnt")],
    ),
    call(
        20,
        "writev",
        [146, 66],
        FS_FS_READ_WRITE,
        &[fd("fd"), arg("iov", "const struct iovec*", Iovec(Arg(2))), int("iovcnt")],
    ),
    call(
        26,
        "msync",
        [144, 227],
        FS_FS_SYNC,
        &[arg("addr", "void*", Pointer), size("length"), int("flags").named(Names::MsyncFlags)],
    ),
    call(32, "dup", [41, 23], FS_FS_FD_OPS, &[fd("oldfd")]).returns(Returns::Fd),
    call(33, "dup2", [63, -1], FS_FS_FD_OPS, &[fd("oldfd"), fd("newfd")]).returns(Returns::Fd),
    call(
        40,
        "sendfile",
        [239, 71],
        FS_FS_READ_WRITE,
        &[fd("out_fd"), fd("in_fd"), arg("offset", "off_t*", Struct(Long)), size("count")],
    ),
    call(
        72,
        "fcntl",
        [55, 25],
        FS_FS_FD_OPS,
        &[fd("fd"), int("cmd").named(Names::FcntlCommand), arg("arg", "unsigned long", Any(1))],
    ),
    call(73, "flock", [143, 32], FS_FS_FD_OPS, &[fd("fd"), int("operation").named(Names::FlockOperation)]),
    call(74, "fsync", [118, 82], FS_FS_SYNC, &[fd("fd")]),
    call(75, "fdatasync", [148, 83], FS_FS_SYNC, &[fd("fd")]),
    call(162, "sync", [36, 81], FS_FS_SYNC, &[]),
    call(
        206,
        "io_setup",
        [245, 0],
        FS_FS_ASYNC_IO,
        &[uint("nr_events"), arg("ctx_idp", "io_context_t*", Struct(ULong)).out()],
    ),
    call(207, "io_destroy", [246, 1], FS_FS_ASYNC_IO, &[arg("ctx_id", "io_context_t", U64)]),
    call(
        208,
        "io_getevents",
        [247, 4],
        FS_FS_ASYNC_IO,
        &[
            arg("ctx_id", "io_context_t", U64),
            arg("min_nr", "long", I64),
            arg("nr", "long", I64),
            arg("events", "struct io_event*", Array(IoEvent, Return)).out(),
            arg("timeout", "struct timespec*", Struct(Timespec)),
        ],
    ),
    call(
        209,
        "io_submit",
        [248, 2],
        FS_FS_ASYNC_IO,
        &[
            arg("ctx_id", "io_context_t", U64),
            arg("nr", "long", I64),
            arg("iocbpp", "struct iocb**", Indirect(Iocb, Arg(1))),
        ],
    ),
    call(
        210,
        "io_cancel",
        [249, 3],
        FS_FS_ASYNC_IO,
        &[
            arg("ctx_id", "io_context_t", U64),
            arg("iocb", "struct iocb*", Struct(Iocb)),
            arg("result", "struct io_event*", Struct(IoEvent)).out(),
        ],
    ),
    call(
        277,
        "sync_file_range",
        [314, 84],
        FS_FS_SYNC,
        &[fd("fd"), off("offset"), off("nbytes"), uint("flags").named(Names::SyncFileRangeFlags)],
    ),
    call(
        292,
        "dup3",
        [330, 24],
        FS_FS_FD_OPS,
        &[fd("oldfd"), fd("newfd"), int("flags").named(Names::OpenFlagsOnly)],
    )
    .returns(Returns::Fd),
    call(
        295,
        "preadv",
        [333, 69],
        FS_FS_READ_WRITE,
        &[
            fd("fd"),
            arg("iov", "const struct iovec*", Iovec(Arg(2))).out(),
            ulong("iovcnt"),
            ulong("pos_l"),
            ulong("pos_h"),
        ],
    ),
    call(
        296,
        "pwritev",
        [334, 70],
        FS_FS_READ_WRITE,
        &[
            fd("fd"),
            arg("iov", "const struct iovec*", Iovec(Arg(2))),
            ulong("iovcnt"),
            ulong("pos_l"),
            ulong("pos_h"),
        ],
    ),
    call(306, "syncfs", [344, 267], FS_FS_SYNC, &[fd("fd")]),
    call(
        326,
        "copy_file_range",
        [377, 285],
        FS_FS_READ_WRITE,
        &[
            fd("fd_in"),
            arg("off_in", "off_t*", Struct(Long)),
            fd("fd_out"),
            arg("off_out", "off_t*", Struct(Long)),
            size("len"),
            uint("flags"),
        ],
    ),
    call(
        327,
        "preadv2",
        [378, 286],
        FS_FS_READ_WRITE,
        &[
            fd("fd"),
            arg("iov", "const struct iovec*", Iovec(Arg(2))).out(),
            ulong("iovcnt"),
            ulong("pos_l"),
            ulong("pos_h"),
            int("flags").named(Names::RwFlags),
        ],
    ),
    call(
        328,
        "pwritev2",
        [379, 287],
        FS_FS_READ_WRITE,
        &[
            fd("fd"),
            arg("iov", "const struct iovec*", Iovec(Arg(2))),
            ulong("iovcnt"),
            ulong("pos_l"),
            ulong("pos_h"),
            int("flags").named(Names::RwFlags),
        ],
    ),
    call(
        333,
        "io_pgetevents",
        [416, 292],
        FS_FS_ASYNC_IO,
        &[
            arg("ctx_id", "aio_context_t", U64),
            arg("min_nr", "long", I64),
            arg("nr", "long", I64),
            arg("events", "struct io_event*", Array(IoEvent, Return)).out(),
            arg("timeout", "struct timespec*", Struct(Timespec)),
            arg("usig", "const struct __aio_sigset*", Struct(SigSetArg)),
        ],
    ),
    call(
        425,
        "io_uring_setup",
        [425, 425],
        PLAIN,
        &[uint("entries"), arg("p", "struct io_uring_params*", Struct(IoUringParams))],
    )
    .returns(Returns::Fd),
    call(
        426,
        "io_uring_enter",
        [426, 426],
        PLAIN,
        &[
            arg("fd", "unsigned int", Fd),
            uint("to_submit"),
            uint("min_complete"),
            uint("flags").named(Names::IoUringEnterFlags),
            arg("sig", "sigset_t*", Struct(SigSet)),
            size("argsz"),
        ],
    ),
    call(
        427,
        "io_uring_register",
        [427, 427],
        PLAIN,
        &[
            arg("fd", "unsigned int", Fd),
            uint("opcode").named(Names::IoUringRegisterOp),
            arg("arg", "void*", Pointer),
            uint("nr_args"),
        ],
    ),
];
