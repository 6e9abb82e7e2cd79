//! Processes: birth, death, tracing, limits, namespaces, sandboxes.

use super::{arg, call, dirfd, fd, int, path, pid, size, uint, ulong};
use crate::ArgKind::{Any, Array, I64, Iovec, Pointer, Sized, StrArray, Struct, U32};
use crate::Len::{Arg, Inside, Return};
use crate::StructKind::{
    CapData, CapHeader, CloneArgs, Int, LandlockRuleset, NsIdReq, Rlimit, Rlimit64, Rusage, SigInfo, Tms,
    UserDesc, Vector,
};
use crate::{Event, Names, Returns, Set, Sets, StructKind};

const DEFAULT_PROC: Sets = Sets::of(&[Set::Default, Set::Syscalls, Set::Proc]);
const PLAIN: Sets = Sets::of(&[Set::Syscalls]);
const PROC: Sets = Sets::of(&[Set::Syscalls, Set::Proc]);
const PROC_FS: Sets = Sets::of(&[Set::Syscalls, Set::Proc, Set::Fs]);
const PROC_PROC_LIFE: Sets = Sets::of(&[Set::Syscalls, Set::Proc, Set::ProcLife]);

pub(super) const EVENTS: &[Event] = &[
    call(
        56,
        "clone",
        [120, 220],
        PROC_PROC_LIFE,
        &[
            ulong("flags").named(Names::CloneFlags),
            arg("stack", "void*", Pointer),
            arg("parent_tid", "int*", Struct(Int)).out(),
            arg("child_tid", "int*", Pointer),
            ulong("tls"),
        ],
    )
    .returns(Returns::Pid),
    call(57, "fork", [2, -1], PROC_PROC_LIFE, &[]).returns(Returns::Pid),
    call(58, "vfork", [190, -1], PROC_PROC_LIFE, &[]).returns(Returns::Pid),
    call(
        59,
        "execve",
        [11, 221],
        PROC_PROC_LIFE,
        &[
            path("pathname"),
            arg("argv", "const char*const*", StrArray),
            arg("envp", "const char*const*", StrArray),
        ],
    ),
    call(60, "exit", [1, 93], PROC_PROC_LIFE, &[int("status")]).returns(Returns::Nothing),
    call(
        61,
        "wait4",
        [114, 260],
        PROC_PROC_LIFE,
        &[
            pid("pid"),
            arg("wstatus", "int*", Struct(Int)).out(),
            int("options").named(Names::WaitOptions),
            arg("rusage", "struct rusage*", Struct(Rusage)).out(),
        ],
    )
    .returns(Returns::Pid),
    call(
        97,
        "getrlimit",
        [191, 163],
        PROC,
        &[int("resource").named(Names::Resource), arg("rlim", "struct rlimit*", Struct(Rlimit)).out()],
    ),
    call(
        98,
        "getrusage",
        [77, 165],
        PROC,
        &[int("who").named(Names::RusageWho), arg("usage", "struct rusage*", Struct(Rusage)).out()],
    ),
    call(100, "times", [43, 153], PROC, &[arg("buf", "struct tms*", Struct(Tms)).out()]),
    call(
        101,
        "ptrace",
        [26, 117],
        DEFAULT_PROC,
        &[
            arg("request", "long", I64).named(Names::PtraceRequest),
            pid("pid"),
            arg("addr", "void*", Pointer),
            arg("data", "void*", Pointer),
        ],
    ),
    call(
        125,
        "capget",
        [184, 90],
        PROC,
        &[
            arg("hdrp", "cap_user_header_t", Struct(CapHeader)),
            arg("datap", "cap_user_data_t", Struct(CapData)).out(),
        ],
    ),
    call(
        126,
        "capset",
        [185, 91],
        PROC,
        &[
            arg("hdrp", "cap_user_header_t", Struct(CapHeader)),
            arg("datap", "const cap_user_data_t", Struct(CapData)),
        ],
    ),
    call(134, "uselib", [86, -1], PROC, &[path("library")]),
    call(
        157,
        "prctl",
        [172, 167],
        PROC,
        &[
            int("option").named(Names::PrctlOption),
            arg("arg2", "unsigned long", Any(0)),
            arg("arg3", "unsigned long", Any(0)),
            arg("arg4", "unsigned long", Any(0)),
            arg("arg5", "unsigned long", Any(0)),
        ],
    ),
    call(
        158,
        "arch_prctl",
        [384, -1],
        PROC,
        &[int("option").named(Names::ArchPrctlOption), arg("addr", "unsigned long", Any(0))],
    ),
    call(
        160,
        "setrlimit",
        [75, 164],
        PROC,
        &[int("resource").named(Names::Resource), arg("rlim", "const struct rlimit*", Struct(Rlimit))],
    ),
    call(205, "set_thread_area", [243, -1], PROC, &[arg("u_info", "struct user_desc*", Struct(UserDesc))]),
    call(211, "get_thread_area", [244, -1], PROC, &[arg("u_info", "struct user_desc*", Struct(UserDesc))]),
    call(218, "set_tid_address", [258, 96], PROC, &[arg("tidptr", "int*", Pointer)]).returns(Returns::Pid),
    call(231, "exit_group", [252, 94], PROC_PROC_LIFE, &[int("status")]).returns(Returns::Nothing),
    call(
        247,
        "waitid",
        [284, 95],
        PROC_PROC_LIFE,
        &[
            int("idtype").named(Names::IdType),
            pid("id"),
            arg("infop", "struct siginfo*", Struct(SigInfo)).out(),
            int("options").named(Names::WaitOptions),
            arg("rusage", "struct rusage*", Struct(Rusage)).out(),
        ],
    ),
    call(272, "unshare", [310, 97], PROC, &[int("flags").named(Names::NamespaceFlags)]),
    call(
        302,
        "prlimit64",
        [340, 261],
        PROC,
        &[
            pid("pid"),
            int("resource").named(Names::Resource),
            arg("new_limit", "const struct rlimit64*", Struct(Rlimit64)),
            arg("old_limit", "struct rlimit64*", Struct(Rlimit64)).out(),
        ],
    ),
    call(308, "setns", [346, 268], DEFAULT_PROC, &[fd("fd"), int("nstype").named(Names::NamespaceFlags)]),
    call(
        310,
        "process_vm_readv",
        [347, 270],
        DEFAULT_PROC,
        &[
            pid("pid"),
            arg("local_iov", "const struct iovec*", Iovec(Arg(2))).out(),
            ulong("liovcnt"),
            arg("remote_iov", "const struct iovec*", Array(Vector, Arg(4))),
            ulong("riovcnt"),
            ulong("flags"),
        ],
    ),
    call(
        311,
        "process_vm_writev",
        [348, 271],
        DEFAULT_PROC,
        &[
            pid("pid"),
            arg("local_iov", "const struct iovec*", Iovec(Arg(2))),
            ulong("liovcnt"),
            arg("remote_iov", "const struct iovec*", Array(Vector, Arg(4))),
            ulong("riovcnt"),
            ulong("flags"),
        ],
    ),
    call(
        312,
        "kcmp",
        [349, 272],
        PROC,
        &[pid("pid1"), pid("pid2"), int("type").named(Names::KcmpType), ulong("idx1"), ulong("idx2")],
    ),
    call(
        317,
        "seccomp",
        [354, 277],
        PROC,
        &[
            uint("operation").named(Names::SeccompOperation),
            uint("flags").named(Names::SeccompFlags),
            arg("args", "const void*", Any(0)),
        ],
    ),
    call(
        322,
        "execveat",
        [358, 281],
        PROC_PROC_LIFE,
        &[
            dirfd("dirfd"),
            path("pathname"),
            arg("argv", "const char*const*", StrArray),
            arg("envp", "const char*const*", StrArray),
            int("flags").named(Names::AtFlags),
        ],
    ),
    call(
        334,
        "rseq",
        [386, 293],
        PLAIN,
        &[
            arg("rseq", "struct rseq*", Pointer),
            arg("rseq_len", "u32", U32),
            int("flags"),
            arg("sig", "u32", U32).named(Names::Signal),
        ],
    ),
    call(434, "pidfd_open", [434, 434], PLAIN, &[pid("pid"), uint("flags").named(Names::PidfdFlags)])
        .returns(Returns::Fd),
    call(
        435,
        "clone3",
        [435, 435],
        PROC_PROC_LIFE,
        &[arg("cl_args", "struct clone_args*", Sized(CloneArgs, Arg(1))), size("size")],
    )
    .returns(Returns::Pid),
    call(438, "pidfd_getfd", [438, 438], PLAIN, &[fd("pidfd"), int("targetfd"), uint("flags")])
        .returns(Returns::Fd),
    call(
        444,
        "landlock_create_ruleset",
        [444, 444],
        PROC_FS,
        &[
            arg("attr", "struct landlock_ruleset_attr*", Sized(LandlockRuleset, Arg(1))),
            size("size"),
            arg("flags", "u32", U32),
        ],
    )
    .returns(Returns::Fd),
    call(
        445,
        "landlock_add_rule",
        [445, 445],
        PROC_FS,
        &[
            fd("ruleset_fd"),
            arg("rule_type", "landlock_rule_type", U32).named(Names::LandlockRuleType),
            arg("rule_attr", "void*", Any(1)),
            arg("flags", "u32", U32),
        ],
    ),
    call(446, "landlock_restrict_self", [446, 446], PROC_FS, &[fd("ruleset_fd"), arg("flags", "u32", U32)]),
    call(
        470,
        "listns",
        [470, 470],
        PROC,
        &[
            arg("req", "const struct ns_id_req*", Sized(NsIdReq, Inside(0))),
            arg("ns_ids", "u64*", Array(StructKind::U64, Return)).out(),
            size("nr_ns_ids"),
            uint("flags"),
        ],
    ),
];
