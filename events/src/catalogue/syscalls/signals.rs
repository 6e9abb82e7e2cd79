//! Signals: sending, waiting, handling.

use super::{arg, call, fd, int, pid, signal, size, timespec, uint};
use crate::ArgKind::{Absent, Struct};
use crate::StructKind::{SigAction, SigInfo, SigSet, SigStack};
use crate::{Event, Names, Returns, Set, Sets};

const SIGNALS: Sets = Sets::of(&[Set::Syscalls, Set::Signals]);

pub(super) const EVENTS: &[Event] = &[
    call(
        13,
        "rt_sigaction",
        [174, 134],
        SIGNALS,
        &[
            signal("signum"),
            arg("act", "const struct sigaction*", Struct(SigAction)),
            arg("oldact", "struct sigaction*", Struct(SigAction)).out(),
            size("sigsetsize"),
        ],
    ),
    call(
        14,
        "rt_sigprocmask",
        [175, 135],
        SIGNALS,
        &[
            int("how").named(Names::SigprocmaskHow),
            arg("set", "sigset_t*", Struct(SigSet)),
            arg("oldset", "sigset_t*", Struct(SigSet)).out(),
            size("sigsetsize"),
        ],
    ),
    call(15, "rt_sigreturn", [173, 139], SIGNALS, &[]),
    call(34, "pause", [29, -1], SIGNALS, &[]),
    call(62, "kill", [37, 129], SIGNALS, &[pid("pid"), signal("sig")]),
    call(
        127,
        "rt_sigpending",
        [176, 136],
        SIGNALS,
        &[arg("set", "sigset_t*", Struct(SigSet)).out(), size("sigsetsize")],
    ),
    call(
        128,
        "rt_sigtimedwait",
        [421, 137],
        SIGNALS,
        &[
            arg("set", "const sigset_t*", Struct(SigSet)),
            arg("info", "siginfo_t*", Struct(SigInfo)).out(),
            timespec("timeout"),
            size("sigsetsize"),
        ],
    ),
    call(
        129,
        "rt_sigqueueinfo",
        [178, 138],
        SIGNALS,
        &[pid("tgid"), signal("sig"), arg("info", "siginfo_t*", Struct(SigInfo))],
    ),
    call(
        130,
        "rt_sigsuspend",
        [179, 133],
        SIGNALS,
        &[arg("mask", "sigset_t*", Struct(SigSet)), size("sigsetsize")],
    ),
    call(
        131,
        "sigaltstack",
        [186, 132],
        SIGNALS,
        &[arg("ss", "const stack_t*", Struct(SigStack)), arg("old_ss", "stack_t*", Struct(SigStack)).out()],
    ),
    call(200, "tkill", [238, 130], SIGNALS, &[int("tid"), signal("sig")]),
    call(219, "restart_syscall", [0, 128], SIGNALS, &[]),
    call(234, "tgkill", [270, 131], SIGNALS, &[int("tgid"), int("tid"), signal("sig")]),
    call(
        282,
        "signalfd",
        [321, -1],
        SIGNALS,
        &[fd("fd"), arg("mask", "sigset_t*", Struct(SigSet)), int("flags")],
    )
    .returns(Returns::Fd),
    call(284, "eventfd", [323, -1], SIGNALS, &[uint("initval"), arg("flags", "int", Absent)])
        .returns(Returns::Fd),
    call(
        289,
        "signalfd4",
        [327, 74],
        SIGNALS,
        &[
            fd("fd"),
            arg("mask", "const sigset_t*", Struct(SigSet)),
            size("sizemask"),
            int("flags").named(Names::SignalfdFlags),
        ],
    )
    .returns(Returns::Fd),
    call(290, "eventfd2", [328, 19], SIGNALS, &[uint("initval"), int("flags").named(Names::EventfdFlags)])
        .returns(Returns::Fd),
    call(
        297,
        "rt_tgsigqueueinfo",
        [335, 240],
        SIGNALS,
        &[pid("tgid"), pid("tid"), signal("sig"), arg("info", "siginfo_t*", Struct(SigInfo))],
    ),
    call(
        424,
        "pidfd_send_signal",
        [424, 424],
        SIGNALS,
        &[fd("pidfd"), signal("sig"), arg("info", "siginfo_t*", Struct(SigInfo)), uint("flags")],
    ),
];
