//! Birth, change and death of processes.

use super::declare::{
    CALL, arg, dev, event, fd, file_type_and_mode, hook, int, pid, signal, text, u32, ulong,
};
use crate::ArgKind::{Bool, I64, Pointer, Str, StrArray, Struct, U8};
use crate::{Event, EventId, Names, Set, Source, StructKind};

pub const SCHED_PROCESS_FORK: EventId = EventId(1000);
pub const SCHED_PROCESS_EXEC: EventId = EventId(1001);
pub const SCHED_PROCESS_EXIT: EventId = EventId(1002);
pub const TASK_RENAME: EventId = EventId(1003);
pub const SIGNAL_GENERATE: EventId = EventId(1004);
pub const COMMIT_CREDS: EventId = EventId(1005);
pub const SWITCH_TASK_NS: EventId = EventId(1006);
pub const DO_EXIT: EventId = EventId(1007);
pub const DO_SIGACTION: EventId = EventId(1008);
pub const SCHED_SWITCH: EventId = EventId(1009);
pub const CAP_CAPABLE: EventId = EventId(1010);
pub const LOAD_ELF_PHDRS: EventId = EventId(1011);
pub const PROCESS_EXECUTE_FAILED: EventId = EventId(1012);
pub const SET_FS_PWD: EventId = EventId(1013);
pub const INIT_NAMESPACES: EventId = EventId(1014);

pub(super) const EVENTS: &[Event] = &[
    event(
        SCHED_PROCESS_FORK,
        "sched_process_fork",
        Source::Tracepoint("sched_process_fork"),
        &[],
        &[
            int("parent_tid"),
            int("parent_ns_tid"),
            int("parent_pid"),
            int("parent_ns_pid"),
            int("child_tid"),
            int("child_ns_tid"),
            int("child_pid"),
            int("child_ns_pid"),
            ulong("start_time"),
            ulong("parent_start_time"),
            ulong("clone_flags").named(Names::CloneFlags),
            CALL,
        ],
    ),
    event(
        SCHED_PROCESS_EXEC,
        "sched_process_exec",
        Source::Tracepoint("sched_process_exec"),
        &[Set::Default, Set::Proc],
        &[
            text("cmdpath"),
            text("pathname"),
            dev("dev"),
            ulong("inode"),
            ulong("ctime"),
            file_type_and_mode("inode_mode"),
            arg("argv", "const char**", StrArray),
            text("interp"),
            file_type_and_mode("stdin_type"),
            arg("stdin_path", "char*", Str),
            int("invoked_from_kernel"),
            text("prev_comm"),
            arg("env", "const char**", StrArray),
            text("sha256"),
            arg("upper_layer", "bool", Bool).out(),
            arg("memfd", "bool", Bool),
            CALL,
        ],
    ),
    event(
        SCHED_PROCESS_EXIT,
        "sched_process_exit",
        Source::Tracepoint("sched_process_exit"),
        &[Set::Proc, Set::ProcLife],
        &[
            arg("exit_code", "long", I64),
            signal("signal_code"),
            arg("process_group_exit", "bool", Bool),
            CALL,
        ],
    ),
    event(
        TASK_RENAME,
        "task_rename",
        Source::Tracepoint("task_rename"),
        &[Set::Proc],
        &[text("old_name"), text("new_name"), CALL],
    ),
    event(
        SIGNAL_GENERATE,
        "signal_generate",
        Source::Tracepoint("signal_generate"),
        &[Set::Signals],
        &[
            signal("sig"),
            int("code"),
            text("target_comm"),
            pid("target_pid"),
            pid("target_tid"),
            arg("group", "bool", Bool),
            int("result").named(Names::SignalResult),
            CALL,
        ],
    ),
    event(
        COMMIT_CREDS,
        "commit_creds",
        hook(
            "commit_creds",
            &[
                "setuid",
                "setgid",
                "setreuid",
                "setregid",
                "setresuid",
                "setresgid",
                "setfsuid",
                "setfsgid",
                "setgroups",
                "capset",
            ],
        ),
        &[],
        &[
            arg("old_cred", "slim_cred_t", Struct(StructKind::SlimCred)),
            arg("new_cred", "slim_cred_t", Struct(StructKind::SlimCred)),
            CALL,
        ],
    ),
    event(
        SWITCH_TASK_NS,
        "switch_task_ns",
        hook("switch_task_namespaces", &["setns", "unshare"]),
        &[],
        &[
            pid("pid"),
            u32("new_mnt"),
            u32("new_pid"),
            u32("new_uts"),
            u32("new_ipc"),
            u32("new_net"),
            u32("new_cgroup"),
            CALL,
        ],
    ),
    event(DO_EXIT, "do_exit", hook("do_exit", &["exit", "exit_group"]), &[Set::Proc, Set::ProcLife], &[CALL]),
    event(
        DO_SIGACTION,
        "do_sigaction",
        hook("do_sigaction", &["rt_sigaction"]),
        &[Set::Proc],
        &[
            signal("sig"),
            arg("is_sa_initialized", "bool", Bool),
            ulong("sa_flags").named(Names::SaFlags),
            ulong("sa_mask"),
            arg("sa_handle_method", "u8", U8),
            arg("sa_handler", "void*", Pointer),
            arg("is_old_sa_initialized", "bool", Bool),
            ulong("old_sa_flags").named(Names::SaFlags),
            ulong("old_sa_mask"),
            arg("old_sa_handle_method", "u8", U8),
            arg("old_sa_handler", "void*", Pointer),
            CALL,
        ],
    ),
    event(
        SCHED_SWITCH,
        "sched_switch",
        Source::Tracepoint("sched_switch"),
        &[],
        &[int("cpu"), int("prev_tid"), text("prev_comm"), int("next_tid"), text("next_comm")],
    ),
    event(
        CAP_CAPABLE,
        "cap_capable",
        hook("cap_capable", &[]),
        &[],
        &[int("cap").named(Names::Capability), CALL],
    ),
    event(
        LOAD_ELF_PHDRS,
        "load_elf_phdrs",
        hook("load_elf_phdrs", &[]),
        &[Set::Proc],
        &[text("pathname"), dev("dev"), ulong("inode"), CALL],
    ),
    event(
        PROCESS_EXECUTE_FAILED,
        "process_execute_failed",
        Source::Exit { of: &["execve", "execveat"] },
        &[Set::Proc],
        &[
            fd("dirfd").named(Names::DirFd),
            int("flags").named(Names::AtFlags),
            text("pathname"),
            arg("argv", "const char*const*", StrArray),
            arg("envp", "const char*const*", StrArray),
            CALL,
        ],
    ),
    event(
        SET_FS_PWD,
        "set_fs_pwd",
        hook("set_fs_pwd", &["chdir", "fchdir"]),
        &[],
        &[text("unresolved_path"), text("resolved_path"), CALL],
    ),
    event(
        INIT_NAMESPACES,
        "init_namespaces",
        Source::Unsupported("the namespaces of the first process are those of pid 1 in a capture's snapshot"),
        &[],
        &[
            u32("cgroup"),
            u32("ipc"),
            u32("mnt"),
            u32("net"),
            u32("pid"),
            u32("pid_for_children"),
            u32("time"),
            u32("time_for_children"),
            u32("user"),
            u32("uts"),
        ],
    ),
];
