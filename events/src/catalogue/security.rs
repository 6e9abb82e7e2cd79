//! The kernel's security hooks. Where it carries no probe on them, the exit of the call that did the thing speaks.

use super::declare::{
    CALL, CREATED, arg, dev, event, fd, file_type_and_mode, hook, int, size, sockaddr, text, u32, u64, uint,
    ulong,
};
use crate::ArgKind::{Array, Bool, I64, Pointer, StrArray};
use crate::{Event, EventId, Len, Names, Set, StructKind};

pub const SECURITY_BPRM_CHECK: EventId = EventId(1200);
pub const SECURITY_FILE_OPEN: EventId = EventId(1201);
pub const SECURITY_INODE_UNLINK: EventId = EventId(1202);
pub const SECURITY_INODE_RENAME: EventId = EventId(1203);
pub const SECURITY_INODE_MKNOD: EventId = EventId(1204);
pub const SECURITY_INODE_SYMLINK: EventId = EventId(1205);
pub const SECURITY_SOCKET_CREATE: EventId = EventId(1206);
pub const SECURITY_SOCKET_LISTEN: EventId = EventId(1207);
pub const SECURITY_SOCKET_CONNECT: EventId = EventId(1208);
pub const SECURITY_SOCKET_ACCEPT: EventId = EventId(1209);
pub const SECURITY_SOCKET_BIND: EventId = EventId(1210);
pub const SECURITY_SOCKET_SETSOCKOPT: EventId = EventId(1211);
pub const SECURITY_SB_MOUNT: EventId = EventId(1212);
pub const SECURITY_SB_UMOUNT: EventId = EventId(1213);
pub const SECURITY_MMAP_FILE: EventId = EventId(1214);
pub const SECURITY_FILE_MPROTECT: EventId = EventId(1215);
pub const SECURITY_BPF: EventId = EventId(1216);
pub const SECURITY_BPF_MAP: EventId = EventId(1217);
pub const SECURITY_BPF_PROG: EventId = EventId(1218);
pub const SECURITY_KERNEL_READ_FILE: EventId = EventId(1219);
pub const SECURITY_KERNEL_POST_READ_FILE: EventId = EventId(1220);
pub const SECURITY_PATH_NOTIFY: EventId = EventId(1221);
pub const SECURITY_TASK_SETRLIMIT: EventId = EventId(1222);
pub const SECURITY_SETTIME64: EventId = EventId(1223);
pub const SECURITY_TASK_PRCTL: EventId = EventId(1224);

pub(super) const EVENTS: &[Event] = &[
    event(
        SECURITY_BPRM_CHECK,
        "security_bprm_check",
        hook("security_bprm_check", &["execve", "execveat"]),
        &[Set::LsmHooks, Set::Proc, Set::ProcLife],
        &[
            text("pathname"),
            dev("dev"),
            ulong("inode"),
            arg("argv", "const char*const*", StrArray),
            arg("envp", "const char*const*", StrArray),
            CALL,
        ],
    ),
    event(
        SECURITY_FILE_OPEN,
        "security_file_open",
        hook("security_file_open", &["open", "openat", "openat2", "creat"]),
        &[Set::LsmHooks, Set::Fs, Set::FsFileOps],
        &[
            text("pathname"),
            int("flags").named(Names::OpenFlags),
            dev("dev"),
            ulong("inode"),
            ulong("ctime"),
            text("syscall_pathname"),
            CREATED,
            CALL,
        ],
    ),
    event(
        SECURITY_INODE_UNLINK,
        "security_inode_unlink",
        hook("security_inode_unlink", &["unlink", "unlinkat"]),
        &[Set::Default, Set::LsmHooks, Set::Fs, Set::FsFileOps],
        &[text("pathname"), ulong("inode"), dev("dev"), u64("ctime"), CALL],
    ),
    event(
        SECURITY_INODE_RENAME,
        "security_inode_rename",
        hook("security_inode_rename", &["rename", "renameat", "renameat2"]),
        &[],
        &[text("old_path"), text("new_path"), CALL],
    ),
    event(
        SECURITY_INODE_MKNOD,
        "security_inode_mknod",
        hook("security_inode_mknod", &["mknod", "mknodat"]),
        &[Set::LsmHooks],
        &[text("file_name"), file_type_and_mode("mode"), dev("dev"), CALL],
    ),
    event(
        SECURITY_INODE_SYMLINK,
        "security_inode_symlink",
        hook("security_inode_symlink", &["symlink", "symlinkat"]),
        &[Set::LsmHooks, Set::Fs, Set::FsFileOps],
        &[text("linkpath"), text("target"), CALL],
    ),
    event(
        SECURITY_SOCKET_CREATE,
        "security_socket_create",
        hook("security_socket_create", &["socket", "socketpair"]),
        &[Set::LsmHooks, Set::Net, Set::NetSock],
        &[
            int("family").named(Names::Domain),
            int("type").named(Names::SocketType),
            int("protocol").named(Names::IpProtocol),
            int("kern"),
            CALL,
        ],
    ),
    event(
        SECURITY_SOCKET_LISTEN,
        "security_socket_listen",
        hook("security_socket_listen", &["listen"]),
        &[Set::LsmHooks, Set::Net, Set::NetSock],
        &[fd("sockfd"), sockaddr("local_addr"), int("backlog"), CALL],
    ),
    event(
        SECURITY_SOCKET_CONNECT,
        "security_socket_connect",
        hook("security_socket_connect", &["connect"]),
        &[Set::Default, Set::LsmHooks, Set::Net, Set::NetSock],
        &[fd("sockfd"), sockaddr("remote_addr"), CALL],
    ),
    event(
        SECURITY_SOCKET_ACCEPT,
        "security_socket_accept",
        hook("security_socket_accept", &["accept", "accept4"]),
        &[Set::Default, Set::LsmHooks, Set::Net, Set::NetSock],
        &[fd("sockfd"), sockaddr("local_addr"), CALL],
    ),
    event(
        SECURITY_SOCKET_BIND,
        "security_socket_bind",
        hook("security_socket_bind", &["bind"]),
        &[Set::Default, Set::LsmHooks, Set::Net, Set::NetSock],
        &[fd("sockfd"), sockaddr("local_addr"), CALL],
    ),
    event(
        SECURITY_SOCKET_SETSOCKOPT,
        "security_socket_setsockopt",
        hook("security_socket_setsockopt", &["setsockopt"]),
        &[Set::LsmHooks, Set::Net, Set::NetSock],
        &[
            fd("sockfd"),
            int("level").named(Names::SocketLevel),
            int("optname").named(Names::SocketOption),
            sockaddr("local_addr"),
            CALL,
        ],
    ),
    event(
        SECURITY_SB_MOUNT,
        "security_sb_mount",
        hook("security_sb_mount", &["mount"]),
        &[Set::Default, Set::LsmHooks, Set::Fs],
        &[text("dev_name"), text("path"), text("type"), ulong("flags").named(Names::MountFlags), CALL],
    ),
    event(
        SECURITY_SB_UMOUNT,
        "security_sb_umount",
        hook("security_sb_umount", &["umount2"]),
        &[Set::Default, Set::LsmHooks, Set::Fs],
        &[text("mountpoint"), text("type"), int("flags").named(Names::UmountFlags), CALL],
    ),
    event(
        SECURITY_MMAP_FILE,
        "security_mmap_file",
        hook("security_mmap_file", &["mmap"]),
        &[Set::LsmHooks, Set::Fs, Set::FsFileOps, Set::Proc, Set::ProcMem],
        &[
            text("pathname"),
            int("flags").named(Names::OpenFlags),
            dev("dev"),
            ulong("inode"),
            ulong("ctime"),
            ulong("prot").named(Names::Prot),
            ulong("mmap_flags").named(Names::MapFlags),
            CALL,
        ],
    ),
    event(
        SECURITY_FILE_MPROTECT,
        "security_file_mprotect",
        hook("security_file_mprotect", &["mprotect", "pkey_mprotect"]),
        &[Set::LsmHooks, Set::Proc, Set::ProcMem, Set::Fs, Set::FsFileOps],
        &[
            text("pathname"),
            int("prot").named(Names::Prot),
            ulong("ctime"),
            int("prev_prot").named(Names::Prot),
            arg("addr", "void*", Pointer),
            size("len"),
            int("pkey"),
            CALL,
        ],
    ),
    event(
        SECURITY_BPF,
        "security_bpf",
        hook("security_bpf", &["bpf"]),
        &[Set::LsmHooks],
        &[int("cmd").named(Names::BpfCommand), CALL],
    ),
    event(
        SECURITY_BPF_MAP,
        "security_bpf_map",
        hook("security_bpf_map", &["bpf"]),
        &[Set::LsmHooks],
        &[uint("map_id"), text("map_name"), CALL],
    ),
    event(
        SECURITY_BPF_PROG,
        "security_bpf_prog",
        hook("security_bpf_prog", &["bpf"]),
        &[],
        &[
            int("type").named(Names::BpfProgType),
            text("name"),
            arg("helpers", "u64[]", Array(StructKind::U64, Len::Probe)),
            u32("id"),
            arg("load", "bool", Bool),
            CALL,
        ],
    ),
    event(
        SECURITY_KERNEL_READ_FILE,
        "security_kernel_read_file",
        hook("security_kernel_read_file", &["finit_module", "kexec_file_load"]),
        &[Set::LsmHooks],
        &[
            text("pathname"),
            dev("dev"),
            ulong("inode"),
            int("type").named(Names::KernelReadType),
            ulong("ctime"),
            CALL,
        ],
    ),
    event(
        SECURITY_KERNEL_POST_READ_FILE,
        "security_kernel_post_read_file",
        hook("security_kernel_post_read_file", &["finit_module", "kexec_file_load"]),
        &[Set::LsmHooks],
        &[text("pathname"), arg("size", "long", I64), int("type").named(Names::KernelReadType), CALL],
    ),
    event(
        SECURITY_PATH_NOTIFY,
        "security_path_notify",
        hook("security_path_notify", &["inotify_add_watch", "fanotify_mark"]),
        &[Set::LsmHooks, Set::FsMonitor],
        &[
            text("pathname"),
            u64("inode"),
            u32("dev"),
            u64("mask").named(Names::InotifyMask),
            u32("obj_type"),
            CALL,
        ],
    ),
    event(
        SECURITY_TASK_SETRLIMIT,
        "security_task_setrlimit",
        hook("security_task_setrlimit", &["setrlimit", "prlimit64"]),
        &[Set::Lsm],
        &[
            u32("target_host_pid"),
            int("resource").named(Names::Resource),
            u64("new_rlim_cur"),
            u64("new_rlim_max"),
            CALL,
        ],
    ),
    event(
        SECURITY_SETTIME64,
        "security_settime64",
        hook("security_settime64", &["settimeofday", "clock_settime"]),
        &[Set::Lsm],
        &[
            arg("tv_sec", "long", I64),
            arg("tv_nsec", "long", I64),
            int("tz_minuteswest"),
            int("tz_dsttime"),
            CALL,
        ],
    ),
    event(
        SECURITY_TASK_PRCTL,
        "security_task_prctl",
        hook("security_task_prctl", &["prctl"]),
        &[Set::Lsm, Set::Proc],
        &[int("option").named(Names::PrctlOption), u64("arg2"), u64("arg3"), u64("arg4"), u64("arg5"), CALL],
    ),
];
