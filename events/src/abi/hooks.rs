//! What the programs record beside system calls, and the order of each one's argument words.

macro_rules! hooks {
    ($($(#[$doc:meta])* $hook:ident = $number:literal $name:literal [$($arg:tt),* $(,)?];)*) => {
        /// A hook: its number is its bit in `Config::hooks` (64 in each word), and its slot is that above [`super::Slot::HOOK_BASE`].
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum Hook { $($(#[$doc])* $hook = $number,)* }

        impl Hook {
            pub const ALL: &'static [Hook] = &[$(Hook::$hook),*];

            /// The event's name in the catalogue.
            pub const fn name(self) -> &'static str {
                match self { $(Hook::$hook => $name),* }
            }

            /// Names of the arguments, in the order of the record's words. The catalogue may order them otherwise. Those
            /// that can be cut are among the first eight, for each of which the record has a mark.
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
        cmdpath, pathname, argv, interp, stdin_path, prev_comm, env, dev, inode, ctime, inode_mode, stdin_type,
        invoked_from_kernel, upper_layer, memfd,
    ];
    // The task is told so that an exec that it died in is found.
    ProcessExit = 2 "sched_process_exit" [exit_code, signal_code, process_group_exit, task];
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
    FileOpen = 11 "security_file_open" [
        pathname, flags, dev, inode, ctime, syscall_pathname, inode_mode, created,
    ];
    Packet = 12 "net_packet" [data, length, direction, ifindex, cookie];
    SwitchNamespaces = 13 "switch_task_ns" [pid, new_mnt, new_pid, new_uts, new_ipc, new_net, new_cgroup];
    CommitCreds = 14 "commit_creds" [old_cred, new_cred];
    BprmCheck = 15 "security_bprm_check" [pathname, dev, inode, argv, envp];
    InodeUnlink = 16 "security_inode_unlink" [pathname, inode, dev, ctime];
    InodeRename = 17 "security_inode_rename" [old_path, new_path];
    InodeMknod = 18 "security_inode_mknod" [file_name, mode, dev];
    InodeSymlink = 19 "security_inode_symlink" [linkpath, target];
    SocketCreate = 20 "security_socket_create" [family, type, protocol, kern];
    SocketListen = 21 "security_socket_listen" [sockfd, local_addr, backlog];
    SocketConnect = 22 "security_socket_connect" [sockfd, remote_addr];
    SocketAccept = 23 "security_socket_accept" [sockfd, local_addr];
    SocketBind = 24 "security_socket_bind" [sockfd, local_addr];
    SocketSetsockopt = 25 "security_socket_setsockopt" [sockfd, level, optname, local_addr];
    SbMount = 26 "security_sb_mount" [dev_name, path, type, flags];
    SbUmount = 27 "security_sb_umount" [mountpoint, type, flags];
    MmapFile = 28 "security_mmap_file" [pathname, flags, dev, inode, ctime, prot, mmap_flags];
    FileMprotect = 29 "security_file_mprotect" [pathname, prot, ctime, prev_prot, addr, len, pkey];
    Bpf = 30 "security_bpf" [cmd];
    BpfMap = 31 "security_bpf_map" [map_id, map_name];
    BpfProg = 32 "security_bpf_prog" [type, name, helpers, id, load];
    KernelReadFile = 33 "security_kernel_read_file" [pathname, dev, inode, type, ctime];
    KernelPostReadFile = 34 "security_kernel_post_read_file" [pathname, size, type];
    PathNotify = 35 "security_path_notify" [pathname, inode, dev, mask, obj_type];
    TaskSetrlimit = 36 "security_task_setrlimit" [target_host_pid, resource, new_rlim_cur, new_rlim_max];
    Settime64 = 37 "security_settime64" [tv_sec, tv_nsec, tz_minuteswest, tz_dsttime];
    TaskPrctl = 38 "security_task_prctl" [option, arg2, arg3, arg4, arg5];
    CapCapable = 39 "cap_capable" [cap];
    DoMmap = 40 "do_mmap" [addr, pathname, flags, dev, inode, ctime, pgoff, len, prot, mmap_flags];
    MemProtAlert = 41 "mem_prot_alert" [alert, addr, len, prot, prev_prot, pathname, dev, inode, ctime];
    SharedObjectLoaded = 42 "shared_object_loaded" [pathname, flags, dev, inode, ctime];
    DoExit = 43 "do_exit" [];
    DoSigaction = 44 "do_sigaction" [
        sig, is_sa_initialized, sa_flags, sa_mask, sa_handle_method, sa_handler, is_old_sa_initialized, old_sa_flags,
        old_sa_mask, old_sa_handle_method, old_sa_handler,
    ];
    SchedSwitch = 45 "sched_switch" [cpu, prev_tid, prev_comm, next_tid, next_comm];
    LoadElfPhdrs = 46 "load_elf_phdrs" [pathname, dev, inode];
    SetFsPwd = 47 "set_fs_pwd" [unresolved_path, resolved_path];
    VfsWrite = 48 "vfs_write" [pathname, dev, inode, count, pos];
    VfsWritev = 49 "vfs_writev" [pathname, dev, inode, vlen, pos];
    VfsRead = 50 "vfs_read" [pathname, dev, inode, count, pos];
    VfsReadv = 51 "vfs_readv" [pathname, dev, inode, vlen, pos];
    KernelWrite = 52 "__kernel_write" [pathname, dev, inode, count, pos];
    MagicWrite = 53 "magic_write" [pathname, bytes, dev, inode];
    VfsUtimes = 54 "vfs_utimes" [pathname, dev, inode, atime, mtime];
    DoTruncate = 55 "do_truncate" [pathname, inode, dev, length];
    FileModification = 56 "file_modification" [file_path, dev, inode, old_ctime, new_ctime];
    InotifyWatch = 57 "inotify_watch" [pathname, inode, dev];
    DirtyPipeSplice = 58 "dirty_pipe_splice" [
        inode_in, in_file_type, in_file_path, exposed_data_start_offset, exposed_data_len, inode_out,
        out_pipe_last_buffer_flags,
    ];
    HiddenInodes = 59 "hidden_inodes" [hidden_process];
    DoInitModule = 60 "do_init_module" [name, version, src_version, prev, next, prev_next, next_prev];
    KprobeAttach = 61 "kprobe_attach" [symbol_name, pre_handler_addr, post_handler_addr];
    BpfAttach = 62 "bpf_attach" [prog_type, prog_name, perf_symbol, perf_addr, prog_write_user, perf_type];
    IoUringCreate = 63 "io_uring_create" [fd, sq_entries, cq_entries, flags];
    IoUringSubmitReq = 64 "io_uring_submit_req" [
        opcode, user_data, flags, addr, fd, pathname, new_dirfd, new_pathname, op_flags, mode, sq_thread, request,
    ];
    CallUsermodehelper = 65 "call_usermodehelper" [pathname, argv, envp, wait];
    ProcCreate = 66 "proc_create" [name, proc_ops_addr];
    DebugfsCreateFile = 67 "debugfs_create_file" [file_name, path, mode, proc_ops_addr];
    DebugfsCreateDir = 68 "debugfs_create_dir" [name, path];
    DeviceAdd = 69 "device_add" [name, parent_name];
    RegisterChrdev = 70 "register_chrdev" [
        requested_major_number, granted_major_number, char_device_name, char_device_fops,
    ];
    KallsymsLookupName = 71 "kallsyms_lookup_name" [symbol_name, symbol_address];
    SocketDup = 72 "socket_dup" [oldfd, newfd, remote_addr];
    SysEnter = 73 "sys_enter" [number];
    SysExit = 74 "sys_exit" [number];
    UnknownSyscall = 75 "unknown_syscall" [arg0, arg1, arg2, arg3, arg4, arg5, number];
    IoUringComplete = 76 "io_uring_complete" [
        opcode, user_data, flags, request, opened, dev, inode, ctime, created,
    ];
}
