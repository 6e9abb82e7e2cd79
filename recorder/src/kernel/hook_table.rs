//! Which functions of the kernel are looked at for which events.

use events::abi::hooks::Hook;

/// A program of the object and the function that it is for.
#[derive(Debug)]
pub struct Attachment {
    /// Its name in the object.
    pub program: &'static str,
    pub function: &'static str,
    /// Only where the function has so many arguments: those that it had in other versions are another program's.
    pub parameters: Option<u32>,
    /// The events that it gives.
    pub hooks: &'static [Hook],
    pub at: At,
    /// The security module's hook that has the same arguments.
    pub lsm: Option<&'static str>,
}

/// When a program runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    Entry,
    /// At the exit; without trampolines by two programs, of which the first keeps the arguments for the second.
    Exit {
        enter: &'static str,
        leave: &'static str,
    },
    /// At both, by two programs: `enter`, and at the exit the attachment's own, or without trampolines `leave`.
    Both {
        enter: &'static str,
        leave: &'static str,
    },
}

const fn on(function: &'static str, hooks: &'static [Hook]) -> Attachment {
    Attachment { program: function, function, parameters: None, hooks, at: At::Entry, lsm: None }
}

const fn security(function: &'static str, lsm: &'static str, hooks: &'static [Hook]) -> Attachment {
    Attachment { lsm: Some(lsm), ..on(function, hooks) }
}

const fn after(
    function: &'static str,
    enter: &'static str,
    leave: &'static str,
    hooks: &'static [Hook],
) -> Attachment {
    Attachment { at: At::Exit { enter, leave }, ..on(function, hooks) }
}

const fn around(
    function: &'static str,
    enter: &'static str,
    leave: &'static str,
    hooks: &'static [Hook],
) -> Attachment {
    Attachment { at: At::Both { enter, leave }, ..on(function, hooks) }
}

/// All of them. Where several give one event, it is there when one of them is.
pub const ATTACHMENTS: &[Attachment] = &[
    security("security_file_open", "file_open", &[Hook::FileOpen]),
    security("security_inode_unlink", "inode_unlink", &[Hook::InodeUnlink]),
    security("security_inode_rename", "inode_rename", &[Hook::InodeRename]),
    security("security_inode_mknod", "inode_mknod", &[Hook::InodeMknod]),
    security("security_inode_symlink", "inode_symlink", &[Hook::InodeSymlink]),
    security("security_sb_mount", "sb_mount", &[Hook::SbMount]),
    security("security_sb_umount", "sb_umount", &[Hook::SbUmount]),
    security("security_path_notify", "path_notify", &[Hook::PathNotify, Hook::InotifyWatch]),
    security("security_kernel_read_file", "kernel_read_file", &[Hook::KernelReadFile]),
    security("security_kernel_post_read_file", "kernel_post_read_file", &[Hook::KernelPostReadFile]),
    security("security_socket_create", "socket_create", &[Hook::SocketCreate]),
    security("security_socket_listen", "socket_listen", &[Hook::SocketListen]),
    security("security_socket_connect", "socket_connect", &[Hook::SocketConnect]),
    security("security_socket_accept", "socket_accept", &[Hook::SocketAccept]),
    security("security_socket_bind", "socket_bind", &[Hook::SocketBind]),
    security("security_socket_setsockopt", "socket_setsockopt", &[Hook::SocketSetsockopt]),
    security("security_bprm_check", "bprm_check_security", &[Hook::BprmCheck]),
    security("security_task_setrlimit", "task_setrlimit", &[Hook::TaskSetrlimit]),
    security("security_settime64", "settime", &[Hook::Settime64]),
    security("security_task_prctl", "task_prctl", &[Hook::TaskPrctl]),
    // The module's hook has an argument more before the flags.
    on("security_mmap_file", &[Hook::MmapFile, Hook::SharedObjectLoaded, Hook::MemProtAlert]),
    security("security_file_mprotect", "file_mprotect", &[Hook::FileMprotect, Hook::MemProtAlert]),
    security("security_bpf", "bpf", &[Hook::Bpf]),
    security("security_bpf_map", "bpf_map", &[Hook::BpfMap]),
    security("security_bpf_prog", "bpf_prog", &[Hook::BpfProg]),
    on("cap_capable", &[Hook::CapCapable]),
    // `do_mmap` itself has more arguments than trampolines take; all ways to it but that of `brk` lead through here.
    on("vm_mmap_pgoff", &[Hook::DoMmap]),
    on("commit_creds", &[Hook::CommitCreds]),
    on("switch_task_namespaces", &[Hook::SwitchNamespaces]),
    on("do_sigaction", &[Hook::DoSigaction]),
    on("set_fs_pwd", &[Hook::SetFsPwd]),
    on("load_elf_phdrs", &[Hook::LoadElfPhdrs]),
    on("do_exit", &[Hook::DoExit]),
    after("vfs_write", "vfs_write_enter", "vfs_write_leave", &[Hook::VfsWrite, Hook::MagicWrite]),
    after("vfs_writev", "vfs_writev_enter", "vfs_writev_leave", &[Hook::VfsWritev, Hook::MagicWrite]),
    after(
        "__kernel_write",
        "__kernel_write_enter",
        "__kernel_write_leave",
        &[Hook::KernelWrite, Hook::MagicWrite],
    ),
    after("vfs_read", "vfs_read_enter", "vfs_read_leave", &[Hook::VfsRead]),
    after("vfs_readv", "vfs_readv_enter", "vfs_readv_leave", &[Hook::VfsReadv]),
    after("do_splice", "do_splice_enter", "do_splice_leave", &[Hook::DirtyPipeSplice]),
    around("file_update_time", "file_update_time_enter", "file_update_time_leave", &[Hook::FileModification]),
    around("file_modified", "file_modified_enter", "file_modified_leave", &[Hook::FileModification]),
    around("kiocb_modified", "kiocb_modified_enter", "kiocb_modified_leave", &[Hook::FileModification]),
    on("vfs_utimes", &[Hook::VfsUtimes]),
    Attachment { parameters: Some(5), ..on("do_truncate", &[Hook::DoTruncate]) },
    Attachment {
        program: "do_truncate_of_dentry",
        parameters: Some(4),
        ..on("do_truncate", &[Hook::DoTruncate])
    },
    on("filldir64", &[Hook::HiddenInodes]),
    on("do_init_module", &[Hook::DoInitModule]),
    on("register_kprobe", &[Hook::KprobeAttach]),
    on("call_usermodehelper_exec", &[Hook::CallUsermodehelper]),
    on("proc_create", &[Hook::ProcCreate]),
    on("debugfs_create_file", &[Hook::DebugfsCreateFile]),
    on("debugfs_create_file_full", &[Hook::DebugfsCreateFile]),
    on("debugfs_create_dir", &[Hook::DebugfsCreateDir]),
    on("device_add", &[Hook::DeviceAdd]),
    after("__register_chrdev", "__register_chrdev_enter", "__register_chrdev_leave", &[Hook::RegisterChrdev]),
    after(
        "kallsyms_lookup_name",
        "kallsyms_lookup_name_enter",
        "kallsyms_lookup_name_leave",
        &[Hook::KallsymsLookupName],
    ),
];

/// An event that exits of system calls give in the kernel where the function cannot be looked at.
#[derive(Debug)]
pub struct KernelStandIn {
    pub hook: Hook,
    pub calls: &'static [&'static str],
    /// What the function would tell and the calls do not, in words for people; empty where there is nothing.
    pub lacks: &'static str,
}

const fn by_calls(hook: Hook, calls: &'static [&'static str], lacks: &'static str) -> KernelStandIn {
    KernelStandIn { hook, calls, lacks }
}

const MAPS: &[&str] = &["mmap", "mmap2"];

pub const KERNEL_STAND_INS: &[KernelStandIn] = &[
    by_calls(
        Hook::FileOpen,
        &["open", "openat", "openat2", "creat"],
        "files that execs, `uselib`, `open_by_handle_at` and the kernel itself open; opens that fail after the hook",
    ),
    by_calls(Hook::SwitchNamespaces, &["setns", "unshare"], ""),
    by_calls(
        Hook::CommitCreds,
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
            "setuid16",
            "setgid16",
            "setreuid16",
            "setregid16",
            "setresuid16",
            "setresgid16",
            "setfsuid16",
            "setfsgid16",
            "setgroups16",
            "execve",
            "execveat",
        ],
        "`old_cred`; execs that give no rights beyond those of the user; `keyctl`, `prctl`, `unshare` and `setns`, where they change credentials",
    ),
    by_calls(Hook::MmapFile, MAPS, "mappings by `shmat` and of an exec itself; those that the hook refuses"),
    by_calls(Hook::DoMmap, MAPS, "mappings by `shmat` and of an exec itself; those that fail"),
    by_calls(Hook::SharedObjectLoaded, MAPS, ""),
    by_calls(Hook::MemProtAlert, MAPS, "mappings by `shmat`"),
    by_calls(
        Hook::SetFsPwd,
        &["chdir", "fchdir"],
        "directories that `pivot_root`, `setns` and `unshare` lead to",
    ),
    by_calls(
        Hook::BpfMap,
        &["bpf"],
        "maps that `BPF_OBJ_GET` opens, and those that are refused after the hook",
    ),
    by_calls(
        Hook::BpfProg,
        &["bpf"],
        "programs that `BPF_OBJ_GET` opens, and those that are refused after the hook",
    ),
    by_calls(
        Hook::BpfAttach,
        &["bpf", "ioctl"],
        "`perf_symbol`, `perf_addr`, `prog_write_user` and `perf_type`",
    ),
    by_calls(
        Hook::KernelReadFile,
        &["finit_module", "kexec_file_load"],
        "firmware, policies and certificates, which no call asks for",
    ),
    by_calls(
        Hook::MagicWrite,
        &["write", "pwrite64", "writev"],
        "beginnings of files that `pwritev`, `sendfile`, `splice`, `copy_file_range`, io_uring and shared mappings write",
    ),
    by_calls(Hook::SocketDup, &["dup", "dup2", "dup3", "fcntl"], ""),
];

#[cfg(test)]
mod tests {
    use events::{Source, catalogue};

    use super::*;

    #[test]
    fn every_hook_of_the_catalogue_is_looked_at_or_stood_in_for() {
        let mut without: Vec<&str> = Vec::new();
        for event in catalogue::events() {
            let Source::Hook { .. } = event.source else { continue };
            let hook = Hook::ALL.iter().copied().find(|hook| hook.name() == event.name);
            let is_known = hook.is_some_and(|hook| {
                ATTACHMENTS.iter().any(|it| it.hooks.contains(&hook))
                    || KERNEL_STAND_INS.iter().any(|it| it.hook == hook)
            });
            if !is_known {
                without.push(event.name);
            }
        }
        assert_eq!(without, [""; 0]);
    }

    #[test]
    fn words_of_hooks_are_arguments_of_their_events() {
        // What only the pipeline's filters know of an open, the spare words of a fork, and of an exit what execs are found by.
        const OWN: &[&str] = &["inode_mode", "child_process_start_time", "task"];
        for hook in Hook::ALL {
            let event = catalogue::by_name(hook.name()).unwrap_or_else(|| panic!("no event {}", hook.name()));
            for arg in hook.args().iter().filter(|arg| !OWN.contains(arg)) {
                assert!(event.arg(arg).is_some(), "{} has no argument {arg}", event.name);
            }
        }
    }
}
