//! What the programs record beside system calls, and the order of each one's argument words.

macro_rules! hooks {
    ($($(#[$doc:meta])* $hook:ident = $number:literal $name:literal [$($arg:ident),* $(,)?];)*) => {
        /// A hook: its number is its bit in `Config::hooks`, and its slot is that above [`super::Slot::HOOK_BASE`].
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Hook { $($(#[$doc])* $hook = $number,)* }

        impl Hook {
            pub const ALL: &'static [Hook] = &[$(Hook::$hook),*];

            /// The event's name in the catalogue.
            pub const fn name(self) -> &'static str {
                match self { $(Hook::$hook => $name),* }
            }

            /// Names of the arguments, in the order of the record's words. The catalogue may order them otherwise.
            pub const fn args(self) -> &'static [&'static str] {
                match self { $(Hook::$hook => &[$(stringify!($arg)),*]),* }
            }

            pub const fn slot(self) -> u16 {
                super::Slot::HOOK_BASE as u16 + self as u16
            }

            pub fn by_slot(slot: u16) -> Option<Hook> {
                Hook::ALL.iter().copied().find(|hook| hook.slot() == slot)
            }

            /// Number of argument words.
            pub const fn words(self) -> u8 {
                self.args().len() as u8
            }
        }
    };
}

hooks! {
    ProcessFork = 0 "sched_process_fork" [
        parent_tid, parent_ns_tid, parent_pid, parent_ns_pid, parent_start_time, child_tid, child_ns_tid, child_pid,
        child_ns_pid, start_time, child_process_start_time, clone_flags,
    ];
    ProcessExec = 1 "sched_process_exec" [
        cmdpath, pathname, dev, inode, ctime, inode_mode, argv, interp, stdin_type, stdin_path, invoked_from_kernel,
        prev_comm, env,
    ];
    ProcessExit = 2 "sched_process_exit" [exit_code, signal_code, process_group_exit];
    TaskRename = 3 "task_rename" [old_name, new_name];
    SignalGenerate = 4 "signal_generate" [sig, code, target_comm, target_pid, target_tid, group, result];
    CgroupMkdir = 5 "cgroup_mkdir" [cgroup_id, cgroup_path, hierarchy_id];
    CgroupRmdir = 6 "cgroup_rmdir" [cgroup_id, cgroup_path, hierarchy_id];
    CgroupAttachTask = 7 "cgroup_attach_task" [cgroup_path, comm, pid, cgroup_id, hierarchy_id];
    InetSockSetState = 8 "inet_sock_set_state" [
        old_state, new_state, protocol, local_addr, remote_addr, conn_direction, cookie,
    ];
    ModuleLoad = 9 "module_load" [name, version, src_version];
    ModuleFree = 10 "module_free" [name, version, src_version];
    FileOpen = 11 "security_file_open" [pathname, flags, dev, inode, ctime, syscall_pathname, inode_mode];
    Packet = 12 "net_packet" [data, length, direction, ifindex, cookie];
    SwitchNamespaces = 13 "switch_task_ns" [pid, new_mnt, new_pid, new_uts, new_ipc, new_net, new_cgroup];
    CommitCreds = 14 "commit_creds" [old_cred, new_cred];
}
