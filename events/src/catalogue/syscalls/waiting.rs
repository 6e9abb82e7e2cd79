//! Waiting for descriptors and watching files.

use super::{arg, call, dirfd, fd, int, path, size, timespec, uint};
use crate::ArgKind::{Array, Bits, Struct, U32, U64};
use crate::Len::{Arg, BitsOf, Return};
use crate::StructKind::{EpollEvent, PollFd, SigSet, SigSetArg, Timespec, Timeval};
use crate::{Event, Names, Returns, Set, Sets};

const FS_FS_MONITOR: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsMonitor]);
const FS_FS_MUX_IO: Sets = Sets::of(&[Set::Syscalls, Set::Fs, Set::FsMuxIo]);

pub(super) const EVENTS: &[Event] = &[
    call(
        7,
        "poll",
        [168, -1],
        FS_FS_MUX_IO,
        &[arg("fds", "struct pollfd*", Array(PollFd, Arg(1))), uint("nfds"), int("timeout")],
    ),
    call(
        23,
        "select",
        [142, -1],
        FS_FS_MUX_IO,
        &[
            int("nfds"),
            arg("readfds", "fd_set*", Bits(BitsOf(0))),
            arg("writefds", "fd_set*", Bits(BitsOf(0))),
            arg("exceptfds", "fd_set*", Bits(BitsOf(0))),
            arg("timeout", "struct timeval*", Struct(Timeval)),
        ],
    ),
    call(213, "epoll_create", [254, -1], FS_FS_MUX_IO, &[int("size")]).returns(Returns::Fd),
    call(214, "epoll_ctl_old", [-1, -1], FS_FS_MUX_IO, &[]),
    call(215, "epoll_wait_old", [-1, -1], FS_FS_MUX_IO, &[]),
    call(
        232,
        "epoll_wait",
        [256, -1],
        FS_FS_MUX_IO,
        &[
            fd("epfd"),
            arg("events", "struct epoll_event*", Array(EpollEvent, Return)).out(),
            int("maxevents"),
            int("timeout"),
        ],
    ),
    call(
        233,
        "epoll_ctl",
        [255, 21],
        FS_FS_MUX_IO,
        &[
            fd("epfd"),
            int("op").named(Names::EpollOp),
            fd("fd"),
            arg("event", "struct epoll_event*", Struct(EpollEvent)),
        ],
    ),
    call(253, "inotify_init", [291, -1], FS_FS_MONITOR, &[]).returns(Returns::Fd),
    call(
        254,
        "inotify_add_watch",
        [292, 27],
        FS_FS_MONITOR,
        &[fd("fd"), path("pathname"), arg("mask", "u32", U32).named(Names::InotifyMask)],
    ),
    call(255, "inotify_rm_watch", [293, 28], FS_FS_MONITOR, &[fd("fd"), int("wd")]),
    call(
        270,
        "pselect6",
        [413, 72],
        FS_FS_MUX_IO,
        &[
            int("nfds"),
            arg("readfds", "fd_set*", Bits(BitsOf(0))),
            arg("writefds", "fd_set*", Bits(BitsOf(0))),
            arg("exceptfds", "fd_set*", Bits(BitsOf(0))),
            arg("timeout", "struct timespec*", Struct(Timespec)),
            arg("sigmask", "void*", Struct(SigSetArg)),
        ],
    ),
    call(
        271,
        "ppoll",
        [414, 73],
        FS_FS_MUX_IO,
        &[
            arg("fds", "struct pollfd*", Array(PollFd, Arg(1))),
            uint("nfds"),
            arg("tmo_p", "struct timespec*", Struct(Timespec)),
            arg("sigmask", "const sigset_t*", Struct(SigSet)),
            size("sigsetsize"),
        ],
    ),
    call(
        281,
        "epoll_pwait",
        [319, 22],
        FS_FS_MUX_IO,
        &[
            fd("epfd"),
            arg("events", "struct epoll_event*", Array(EpollEvent, Return)).out(),
            int("maxevents"),
            int("timeout"),
            arg("sigmask", "const sigset_t*", Struct(SigSet)),
            size("sigsetsize"),
        ],
    ),
    call(291, "epoll_create1", [329, 20], FS_FS_MUX_IO, &[int("flags").named(Names::EpollFlags)])
        .returns(Returns::Fd),
    call(294, "inotify_init1", [332, 26], FS_FS_MONITOR, &[int("flags").named(Names::InotifyFlags)])
        .returns(Returns::Fd),
    call(
        300,
        "fanotify_init",
        [338, 262],
        FS_FS_MONITOR,
        &[uint("flags").named(Names::FanotifyInitFlags), uint("event_f_flags").named(Names::OpenFlags)],
    )
    .returns(Returns::Fd),
    call(
        301,
        "fanotify_mark",
        [339, 263],
        FS_FS_MONITOR,
        &[
            fd("fanotify_fd"),
            uint("flags").named(Names::FanotifyMarkFlags),
            arg("mask", "u64", U64).named(Names::FanotifyMask),
            dirfd("dirfd"),
            path("pathname"),
        ],
    ),
    call(
        441,
        "epoll_pwait2",
        [441, 441],
        FS_FS_MUX_IO,
        &[
            fd("fd"),
            arg("events", "struct epoll_event*", Array(EpollEvent, Return)).out(),
            int("maxevents"),
            timespec("timeout"),
            arg("sigset", "const sigset_t*", Struct(SigSet)),
            size("sigsetsize"),
        ],
    ),
];
