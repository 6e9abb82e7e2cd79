//! Behaviours that are told as events of their own. What each asks of which events stands in `rules/behaviours`; here is what
//! filters, tables and captures know of them: names, and the arguments that they take over from the event that showed them.

use super::declare::{arg, dev, event, fd, int, pid, size, sockaddr, text, u32, u64, ulong};
use crate::ArgKind::{Bytes, I64, Pointer, StrArray};
use crate::{Arg, Event, EventId, Len, Names, Set, Source};

pub const ANTI_DEBUGGING: EventId = EventId(1700);
pub const STDIO_OVER_SOCKET: EventId = EventId(1701);
pub const PTRACE_CODE_INJECTION: EventId = EventId(1702);
pub const DYNAMIC_CODE_LOADING: EventId = EventId(1703);
pub const FILELESS_EXECUTION: EventId = EventId(1704);
pub const CGROUP_NOTIFY_ON_RELEASE: EventId = EventId(1705);
pub const LD_PRELOAD: EventId = EventId(1706);
pub const K8S_SERVICE_ACCOUNT_TOKEN: EventId = EventId(1707);
pub const ASLR_INSPECTION: EventId = EventId(1708);
pub const CGROUP_RELEASE_AGENT: EventId = EventId(1709);
pub const CORE_PATTERN_MODIFICATION: EventId = EventId(1710);
pub const DEFAULT_LOADER_MOD: EventId = EventId(1711);
pub const K8S_API_CONNECTION: EventId = EventId(1712);
pub const DISK_MOUNT: EventId = EventId(1713);
pub const HIDDEN_FILE_CREATED: EventId = EventId(1714);
pub const ILLEGITIMATE_SHELL: EventId = EventId(1715);
pub const KERNEL_MODULE_LOADING: EventId = EventId(1716);
pub const K8S_CERT_THEFT: EventId = EventId(1717);
pub const DOCKER_ABUSE: EventId = EventId(1718);
pub const PROC_FOPS_HOOKING: EventId = EventId(1719);
pub const PROC_KCORE_READ: EventId = EventId(1720);
pub const DROPPED_EXECUTABLE: EventId = EventId(1721);
pub const PROC_MEM_ACCESS: EventId = EventId(1722);
pub const PROC_MEM_CODE_INJECTION: EventId = EventId(1723);
pub const PROCESS_VM_WRITE_INJECT: EventId = EventId(1724);
pub const RCD_MODIFICATION: EventId = EventId(1725);
pub const SCHEDULED_TASK_MOD: EventId = EventId(1726);
pub const SUDOERS_MODIFICATION: EventId = EventId(1727);
pub const SCHED_DEBUG_RECON: EventId = EventId(1728);
pub const SYSCALL_HOOKING: EventId = EventId(1729);
pub const SYSTEM_REQUEST_KEY_MOD: EventId = EventId(1730);

const PTRACE: &[Arg] = &[
    arg("request", "long", I64).named(Names::PtraceRequest),
    pid("pid"),
    arg("addr", "void*", Pointer),
    arg("data", "void*", Pointer),
];
const PATHNAME: Arg = text("pathname");
const FLAGS: Arg = int("flags").named(Names::OpenFlags);
const OPENED: &[Arg] = &[PATHNAME, FLAGS, dev("dev"), ulong("inode"), ulong("ctime")];
const OPENED_OR_RENAMED: &[Arg] = &[PATHNAME, FLAGS, text("old_path"), text("new_path")];
const WRITTEN: &[Arg] = &[PATHNAME, arg("bytes", "bytes", Bytes(Len::Probe)), dev("dev"), ulong("inode")];
const ARGV: Arg = arg("argv", "const char**", StrArray);
const ENV: Arg = arg("env", "const char**", StrArray);

const OPEN: &[&str] = &["security_file_open"];
const OPEN_OR_RENAME: &[&str] = &["security_file_open", "security_inode_rename"];
const OPEN_RENAME_OR_EXEC: &[&str] = &["security_file_open", "security_inode_rename", "sched_process_exec"];

/// A behaviour that rules tell of these events.
const fn behaviour(
    id: EventId,
    name: &'static str,
    from: &'static [&'static str],
    args: &'static [Arg],
) -> Event {
    event(id, name, Source::Derived { from }, SETS, args)
}

const SETS: &[Set] = &[Set::Default, Set::Derived, Set::Signatures, Set::SecurityAlert];

/// One that nothing recorded can show.
const fn unsupported(id: EventId, name: &'static str, why: &'static str) -> Event {
    event(id, name, Source::Unsupported(why), SETS, &[])
}

const KERNEL_TABLES: &str = "needs a look into tables of the kernel, which no recording holds";

pub(super) const EVENTS: &[Event] = &[
    behaviour(ANTI_DEBUGGING, "anti_debugging", &["ptrace"], PTRACE),
    behaviour(
        STDIO_OVER_SOCKET,
        "stdio_over_socket",
        &["security_socket_connect", "socket_dup"],
        &[fd("sockfd"), fd("oldfd"), fd("newfd"), sockaddr("remote_addr")],
    ),
    behaviour(PTRACE_CODE_INJECTION, "ptrace_code_injection", &["ptrace"], PTRACE),
    behaviour(
        DYNAMIC_CODE_LOADING,
        "dynamic_code_loading",
        &["mem_prot_alert"],
        &[
            u32("alert").named(Names::MemProtAlert),
            arg("addr", "void*", Pointer),
            size("len"),
            int("prot").named(Names::Prot),
            int("prev_prot").named(Names::Prot),
            PATHNAME,
        ],
    ),
    behaviour(
        FILELESS_EXECUTION,
        "fileless_execution",
        &["sched_process_exec"],
        &[PATHNAME, text("interp"), ARGV, text("prev_comm")],
    ),
    behaviour(CGROUP_NOTIFY_ON_RELEASE, "cgroup_notify_on_release", OPEN, OPENED),
    behaviour(
        LD_PRELOAD,
        "ld_preload",
        OPEN_RENAME_OR_EXEC,
        &[PATHNAME, FLAGS, text("old_path"), text("new_path"), ARGV, ENV],
    ),
    behaviour(K8S_SERVICE_ACCOUNT_TOKEN, "k8s_service_account_token", OPEN, OPENED),
    behaviour(ASLR_INSPECTION, "aslr_inspection", OPEN, OPENED),
    behaviour(CGROUP_RELEASE_AGENT, "cgroup_release_agent", OPEN_OR_RENAME, OPENED_OR_RENAMED),
    behaviour(CORE_PATTERN_MODIFICATION, "core_pattern_modification", OPEN, OPENED),
    behaviour(DEFAULT_LOADER_MOD, "default_loader_mod", OPEN_OR_RENAME, OPENED_OR_RENAMED),
    unsupported(
        K8S_API_CONNECTION,
        "k8s_api_connection",
        "needs the environment of the process, which rules know and filters do not: `tracer scan` finds it",
    ),
    behaviour(
        DISK_MOUNT,
        "disk_mount",
        &["security_sb_mount"],
        &[text("dev_name"), text("path"), text("type"), ulong("flags").named(Names::MountFlags)],
    ),
    behaviour(HIDDEN_FILE_CREATED, "hidden_file_created", &["magic_write"], WRITTEN),
    behaviour(
        ILLEGITIMATE_SHELL,
        "illegitimate_shell",
        &["sched_process_exec"],
        &[PATHNAME, ARGV, text("prev_comm")],
    ),
    behaviour(
        KERNEL_MODULE_LOADING,
        "kernel_module_loading",
        &["module_load"],
        &[
            text("name"),
            text("version"),
            text("src_version"),
            PATHNAME,
            u32("dev"),
            u64("inode"),
            u64("ctime"),
        ],
    ),
    behaviour(K8S_CERT_THEFT, "k8s_cert_theft", OPEN_OR_RENAME, OPENED_OR_RENAMED),
    behaviour(
        DOCKER_ABUSE,
        "docker_abuse",
        &["security_file_open", "security_socket_connect"],
        &[PATHNAME, FLAGS, fd("sockfd"), sockaddr("remote_addr")],
    ),
    unsupported(PROC_FOPS_HOOKING, "proc_fops_hooking", KERNEL_TABLES),
    behaviour(PROC_KCORE_READ, "proc_kcore_read", OPEN, OPENED),
    behaviour(DROPPED_EXECUTABLE, "dropped_executable", &["magic_write"], WRITTEN),
    behaviour(PROC_MEM_ACCESS, "proc_mem_access", OPEN, OPENED),
    behaviour(PROC_MEM_CODE_INJECTION, "proc_mem_code_injection", OPEN, OPENED),
    behaviour(
        PROCESS_VM_WRITE_INJECT,
        "process_vm_write_inject",
        &["process_vm_writev"],
        &[pid("pid"), ulong("liovcnt"), ulong("riovcnt"), ulong("flags")],
    ),
    behaviour(
        RCD_MODIFICATION,
        "rcd_modification",
        OPEN_RENAME_OR_EXEC,
        &[PATHNAME, FLAGS, text("old_path"), text("new_path"), ARGV],
    ),
    behaviour(
        SCHEDULED_TASK_MOD,
        "scheduled_task_mod",
        OPEN_RENAME_OR_EXEC,
        &[PATHNAME, FLAGS, text("old_path"), text("new_path"), ARGV],
    ),
    behaviour(SUDOERS_MODIFICATION, "sudoers_modification", OPEN_OR_RENAME, OPENED_OR_RENAMED),
    behaviour(SCHED_DEBUG_RECON, "sched_debug_recon", OPEN, OPENED),
    unsupported(SYSCALL_HOOKING, "syscall_hooking", KERNEL_TABLES),
    behaviour(SYSTEM_REQUEST_KEY_MOD, "system_request_key_mod", OPEN, OPENED),
];
