//! Which call stands in for which hook, and what of the hook it does not tell.

use super::{Given, When};

/// A hook's event, the call (or other hook) that stands in, and the hook's arguments by the call's. `=` is the result,
/// `#2` the number, `act@8` the 8 bytes at offset 8 of what it points to (`act@0:4`: 4 of them), `act?` whether it
/// points to something, `act!` the method of a handler.
pub struct Rule {
    pub event: &'static str,
    pub call: &'static str,
    pub args: &'static [(&'static str, &'static str)],
    pub when: When,
    pub given: Given,
    /// What the hook tells and the call does not, in words for people; empty where there is nothing.
    pub lacks: &'static str,
}

const fn rule(
    event: &'static str,
    call: &'static str,
    args: &'static [(&'static str, &'static str)],
) -> Rule {
    Rule { event, call, args, when: When::Succeeded, given: Given::Anything, lacks: "" }
}

impl Rule {
    const fn when(self, when: When) -> Rule {
        Rule { when, ..self }
    }

    const fn given(self, given: Given) -> Rule {
        Rule { given, ..self }
    }

    const fn lacks(self, lacks: &'static str) -> Rule {
        Rule { lacks, ..self }
    }
}

const EPERM: i32 = 1;
const ENOENT: i32 = 2;
const E2BIG: i32 = 7;
const EBADF: i32 = 9;
const EAGAIN: i32 = 11;
const EACCES: i32 = 13;
const EFAULT: i32 = 14;
const EBUSY: i32 = 16;
const ENOTDIR: i32 = 20;
const EINVAL: i32 = 22;
const ENAMETOOLONG: i32 = 36;
const ELOOP: i32 = 40;
const ENOTSOCK: i32 = 88;
const EAFNOSUPPORT: i32 = 97;

/// A socket is found and its address read before the hook; whatever comes of it (`EINPROGRESS`, `ECONNREFUSED`), after.
const ADDRESSED: When = When::Reached(&[EBADF, EFAULT, EINVAL, ENOTSOCK]);
const ON_SOCKET: When = When::Reached(&[EBADF, ENOTSOCK]);
const NEW_SOCKET: When = When::Reached(&[EAFNOSUPPORT, EINVAL]);

/// Speaks for what an io_uring did.
pub const COMPLETION: &str = "io_uring_complete";
const OPENED: &[(&str, &str)] = &[
    ("pathname", "opened"),
    ("flags", "op_flags"),
    ("dev", "dev"),
    ("inode", "inode"),
    ("ctime", "ctime"),
    ("syscall_pathname", "pathname"),
    ("created", "created"),
];
const REFUSED: &str = "opens into a ring's table of files, and those that fail after the hook";

pub const AT_REMOVEDIR: u64 = 0x200;
const CLOCK_REALTIME: u64 = 0;

const OF_PROGRAMS: &str =
    "the interpreter that loads a program and programs that are refused after the hook (`ENOEXEC`)";
const RENAMES: &str = "renames that are refused after the hook; of an exchange, the second of both";
const NAMES: &str = "names that the hook itself or the file system refuses";
const ACCEPTS: &str = "accepts that wait still when the recording ends";
const OF_KERNEL: &str = "sockets of the kernel itself";
const SOCKET_FILES: &str = "files of unix sockets, which `bind` makes; names that the file system refuses";
const INVALID: &str = "calls that end in `EINVAL`, which may come before the hook or after it";
const TRUNCATES: &str = "`ftruncate`, opens with `O_TRUNC`, and truncations that the file system refuses";
const CLOCKS: &str = "`stime` and `clock_settime` of 32-bit programs, and steps by `adjtimex`";
const PROTECTS: &str = "changes that the hook itself refuses";

const RENAME: &[(&str, &str)] = &[("old_path", "oldpath"), ("new_path", "newpath")];
const UNLINK: &[(&str, &str)] = &[("pathname", "pathname")];
const MKNOD: &[(&str, &str)] = &[("file_name", "pathname"), ("mode", "mode"), ("dev", "dev")];
const SYMLINK: &[(&str, &str)] = &[("linkpath", "linkpath"), ("target", "target")];
const SOCKET: &[(&str, &str)] =
    &[("family", "domain"), ("type", "type"), ("protocol", "protocol"), ("kern", "#0")];
const ACCEPT: &[(&str, &str)] = &[("sockfd", "sockfd")];
const ACCEPTED: &[(&str, &str)] = &[("sockfd", "sockfd"), ("remote_addr", "addr")];
const MPROTECT: &[(&str, &str)] = &[("addr", "addr"), ("len", "len"), ("prot", "prot"), ("pkey", "pkey")];

const ALERT: &[(&str, &str)] = &[("alert", "#2"), ("addr", "addr"), ("len", "len"), ("prot", "prot")];
const WRITABLE_ALERT: &[(&str, &str)] =
    &[("alert", "#3"), ("addr", "addr"), ("len", "len"), ("prot", "prot")];
const FAILED_EXEC: &[(&str, &str)] =
    &[("dirfd", "dirfd"), ("flags", "flags"), ("pathname", "pathname"), ("argv", "argv"), ("envp", "envp")];

pub const RULES: &[Rule] = &[
    rule("process_execute_failed", "execve", FAILED_EXEC).when(When::Failed),
    rule("process_execute_failed", "execveat", FAILED_EXEC).when(When::Failed),
    // What the rights were before, the call does not say.
    rule("mem_prot_alert", "mprotect", ALERT).when(When::Executable(2, false)),
    rule("mem_prot_alert", "pkey_mprotect", ALERT).when(When::Executable(2, false)),
    rule("mem_prot_alert", "mprotect", WRITABLE_ALERT).when(When::Executable(2, true)),
    rule("mem_prot_alert", "pkey_mprotect", WRITABLE_ALERT).when(When::Executable(2, true)),
    rule(
        "do_sigaction",
        "rt_sigaction",
        &[
            ("sig", "signum"),
            ("is_sa_initialized", "act?"),
            ("sa_flags", "act@8"),
            ("sa_mask", "act@24"),
            ("sa_handle_method", "act!"),
            ("sa_handler", "act@0"),
            ("is_old_sa_initialized", "oldact?"),
            ("old_sa_flags", "oldact@8"),
            ("old_sa_mask", "oldact@24"),
            ("old_sa_handle_method", "oldact!"),
            ("old_sa_handler", "oldact@0"),
        ],
    )
    .when(When::SucceededOr(&[EINVAL]))
    .lacks("handlers that 32-bit programs set by `signal` and `sigaction`"),
    rule(
        "security_task_setrlimit",
        "setrlimit",
        &[("resource", "resource"), ("new_rlim_cur", "rlim@0"), ("new_rlim_max", "rlim@8")],
    ),
    rule(
        "security_task_setrlimit",
        "prlimit64",
        &[("resource", "resource"), ("new_rlim_cur", "new_limit@0"), ("new_rlim_max", "new_limit@8")],
    )
    .when(When::Gives(2)),
    rule(
        "security_settime64",
        "clock_settime",
        &[("tv_sec", "tp@0"), ("tv_nsec", "tp@8"), ("tz_minuteswest", "#0"), ("tz_dsttime", "#0")],
    )
    .when(When::SucceededOr(&[EPERM]))
    .given(Given::Is(0, CLOCK_REALTIME))
    .lacks(CLOCKS),
    rule(
        "security_settime64",
        "settimeofday",
        &[("tv_sec", "tv@0"), ("tz_minuteswest", "tz@0:4"), ("tz_dsttime", "tz@4:4")],
    )
    .when(When::SucceededOr(&[EPERM]))
    .lacks(CLOCKS),
    rule("security_inode_rename", "rename", RENAME).lacks(RENAMES),
    rule("security_inode_rename", "renameat", RENAME).lacks(RENAMES),
    rule("security_inode_rename", "renameat2", RENAME).lacks(RENAMES),
    rule("security_inode_unlink", "unlink", UNLINK).lacks(NAMES),
    rule("security_inode_unlink", "unlinkat", UNLINK).given(Given::Lacks(2, AT_REMOVEDIR)).lacks(NAMES),
    rule("security_inode_mknod", "mknod", MKNOD).given(Given::Special(1)).lacks(SOCKET_FILES),
    rule("security_inode_mknod", "mknodat", MKNOD).given(Given::Special(2)).lacks(SOCKET_FILES),
    rule("security_inode_symlink", "symlink", SYMLINK).lacks(NAMES),
    rule("security_inode_symlink", "symlinkat", SYMLINK).lacks(NAMES),
    rule("security_socket_create", "socket", SOCKET).when(NEW_SOCKET).lacks(OF_KERNEL),
    rule("security_socket_create", "socketpair", SOCKET)
        .when(NEW_SOCKET)
        .lacks("the second socket of the pair"),
    rule("security_socket_listen", "listen", &[("sockfd", "sockfd"), ("backlog", "backlog")]).when(ON_SOCKET),
    rule("security_socket_connect", "connect", &[("sockfd", "sockfd"), ("remote_addr", "addr")])
        .when(ADDRESSED)
        .lacks(INVALID),
    rule("security_socket_accept", "accept", ACCEPT).when(ON_SOCKET).lacks(ACCEPTS),
    rule("security_socket_accept", "accept4", ACCEPT).when(ON_SOCKET).lacks(ACCEPTS),
    rule("security_socket_bind", "bind", &[("sockfd", "sockfd"), ("local_addr", "addr")])
        .when(ADDRESSED)
        .lacks(INVALID),
    rule(
        "security_socket_setsockopt",
        "setsockopt",
        &[("sockfd", "sockfd"), ("level", "level"), ("optname", "optname")],
    )
    .when(ON_SOCKET),
    rule(
        "security_sb_mount",
        "mount",
        &[("dev_name", "source"), ("path", "target"), ("type", "filesystemtype"), ("flags", "mountflags")],
    )
    .when(When::Reached(&[EFAULT, ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP, EACCES]))
    .lacks("mounts made by `fsmount` and `move_mount`, for which the kernel has other hooks"),
    rule("security_sb_umount", "umount2", &[("mountpoint", "target"), ("flags", "flags")])
        .when(When::SucceededOr(&[EBUSY, EAGAIN])),
    rule("security_sb_umount", "umount", &[("mountpoint", "target"), ("flags", "#0")])
        .when(When::SucceededOr(&[EBUSY, EAGAIN])),
    rule("security_file_mprotect", "mprotect", MPROTECT).lacks(PROTECTS),
    rule("security_file_mprotect", "pkey_mprotect", MPROTECT).lacks(PROTECTS),
    rule("security_bpf", "bpf", &[("cmd", "cmd")])
        .when(When::Reached(&[EFAULT, EPERM, E2BIG]))
        .lacks("commands that end in `EPERM`, which comes before the hook or of it"),
    rule(
        "security_task_prctl",
        "prctl",
        &[("option", "option"), ("arg2", "arg2"), ("arg3", "arg3"), ("arg4", "arg4"), ("arg5", "arg5")],
    )
    .when(When::Reached(&[])),
    rule("socket_accept", "accept", ACCEPTED),
    rule("socket_accept", "accept4", ACCEPTED),
    rule("do_truncate", "truncate", &[("pathname", "path"), ("length", "length")]).lacks(TRUNCATES),
    rule("do_truncate", "truncate64", &[("pathname", "path"), ("length", "length")]).lacks(TRUNCATES),
    rule("inotify_watch", "inotify_add_watch", &[("pathname", "pathname")]),
    rule(
        "security_bprm_check",
        "sched_process_exec",
        &[("pathname", "pathname"), ("dev", "dev"), ("inode", "inode"), ("argv", "argv"), ("envp", "env")],
    )
    .lacks(OF_PROGRAMS),
    rule(
        "load_elf_phdrs",
        "sched_process_exec",
        &[("pathname", "pathname"), ("dev", "dev"), ("inode", "inode")],
    )
    .lacks(OF_PROGRAMS),
    rule("do_exit", "sched_process_exit", &[]),
    // What is done by way of an io_uring, by the numbers of its operations.
    rule("security_file_open", COMPLETION, OPENED).given(Given::Is(0, 18)).lacks(REFUSED),
    rule("security_file_open", COMPLETION, OPENED).given(Given::Is(0, 28)).lacks(REFUSED),
    rule("security_inode_rename", COMPLETION, &[("old_path", "pathname"), ("new_path", "new_pathname")])
        .given(Given::Is(0, 35))
        .lacks(RENAMES),
    rule("security_inode_unlink", COMPLETION, UNLINK)
        .given(Given::OperationLacks(36, 7, AT_REMOVEDIR))
        .lacks(NAMES),
    rule("security_inode_symlink", COMPLETION, &[("linkpath", "new_pathname"), ("target", "pathname")])
        .given(Given::Is(0, 38))
        .lacks(NAMES),
    rule("security_socket_connect", COMPLETION, &[("sockfd", "fd"), ("remote_addr", "addr")])
        .when(ADDRESSED)
        .given(Given::Is(0, 16))
        .lacks(INVALID),
    rule("security_socket_accept", COMPLETION, &[("sockfd", "fd")])
        .when(ON_SOCKET)
        .given(Given::Is(0, 13))
        .lacks(ACCEPTS),
    rule("security_path_notify", "inotify_add_watch", &[("pathname", "pathname"), ("mask", "mask")])
        .lacks("watches by `fanotify_mark` and `F_NOTIFY`"),
];
