//! Names of numbers: flags, modes, signals, errno, families, requests.
//!
//! Values are those of x86_64. Where aarch64 has others (`O_DIRECT` and three more), the recorder turns them into these.

mod audit;
mod bpf;
pub mod errno;
mod files;
mod io_uring;
mod ioctl;
mod ipc;
mod memory;
mod mounts;
mod processes;
mod show;
mod signals;
mod socket_options;
mod sockets;
mod system;
mod table;
mod time;
mod waiting;

pub use show::Named;
pub use table::Table;

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident = $module:ident :: $table:ident;)*) => {
        /// How a number is named.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Names {
            /// It is only a number.
            None,
            /// A system call, by its id in the catalogue.
            Syscall,
            /// An option of a socket: which table, the level says. See [`Names::given`].
            SocketOption,
            $($(#[$doc])* $name,)*
        }

        impl Names {
            /// All that have a table of their own.
            pub const TABLES: &'static [Names] = &[$(Names::$name),*];

            /// The table behind a name, where there is one.
            pub const fn table(self) -> Option<&'static Table> {
                match self {
                    Names::None | Names::Syscall | Names::SocketOption => None,
                    $(Names::$name => Some(&$module::$table),)*
                }
            }
        }
    };
}

names! {
    /// Flags of `faccessat2`.
    AccessFlags = files::ACCESS_FLAGS;
    /// What `access` asks for.
    AccessMode = files::ACCESS_MODE;
    /// Types of messages that programs send to audit.
    AuditMessage = audit::AUDIT_MESSAGE;
    /// What `arch_prctl` does.
    ArchPrctlOption = processes::ARCH_PRCTL_OPTION;
    /// Flags of the `*at` calls.
    AtFlags = files::AT_FLAGS;
    /// What `bpf` does.
    BpfCommand = bpf::BPF_COMMAND;
    /// A kind of BPF map.
    BpfMapType = bpf::BPF_MAP_TYPE;
    /// What a BPF program was attached to.
    BpfPerfType = bpf::BPF_PERF_TYPE;
    /// A kind of BPF program.
    BpfProgType = bpf::BPF_PROG_TYPE;
    /// A capability.
    Capability = processes::CAPABILITY;
    /// A set of capabilities.
    CapabilitySet = processes::CAPABILITY_SET;
    /// A clock.
    ClockId = time::CLOCK_ID;
    /// The signal at the end of the child, then what it shares.
    CloneFlags = processes::CLONE_FLAGS;
    /// Flags of `close_range`.
    CloseRangeFlags = files::CLOSE_RANGE_FLAGS;
    /// Flags of `delete_module`.
    DeleteModuleFlags = system::DELETE_MODULE_FLAGS;
    /// Flags of a descriptor.
    DescriptorFlags = files::DESCRIPTOR_FLAGS;
    /// A directory descriptor that is none.
    DirFd = files::DIR_FD;
    /// A family of addresses.
    Domain = sockets::DOMAIN;
    /// What is waited for.
    EpollEvents = waiting::EPOLL_EVENTS;
    /// Flags of `epoll_create1`.
    EpollFlags = waiting::EPOLL_FLAGS;
    /// What `epoll_ctl` does.
    EpollOp = waiting::EPOLL_OP;
    /// Flags of `eventfd2`.
    EventfdFlags = signals::EVENTFD_FLAGS;
    /// Advice of `fadvise64`.
    FadviseAdvice = files::FADVISE_ADVICE;
    /// What `fallocate` does.
    FallocateMode = files::FALLOCATE_MODE;
    /// Class of a fanotify group, then its flags.
    FanotifyInitFlags = waiting::FANOTIFY_INIT_FLAGS;
    /// Flags of `fanotify_mark`.
    FanotifyMarkFlags = waiting::FANOTIFY_MARK_FLAGS;
    /// What fanotify watches.
    FanotifyMask = waiting::FANOTIFY_MASK;
    /// What `fcntl` does.
    FcntlCommand = files::FCNTL_COMMAND;
    /// Type of a file, then its permission bits.
    FileMode = files::FILE_MODE;
    /// Flags of `finit_module`.
    FinitModuleFlags = system::FINIT_MODULE_FLAGS;
    /// What `flock` does.
    FlockOperation = files::FLOCK_OPERATION;
    /// What `fsconfig` does.
    FsconfigCommand = mounts::FSCONFIG_COMMAND;
    /// Flags of `fsmount`.
    FsmountFlags = mounts::FSMOUNT_FLAGS;
    /// Flags of `fsopen`.
    FsopenFlags = mounts::FSOPEN_FLAGS;
    /// Flags of `fspick`.
    FspickFlags = mounts::FSPICK_FLAGS;
    /// Size of a futex, then its flags.
    Futex2Flags = ipc::FUTEX2_FLAGS;
    /// What `futex` does, then its flags.
    FutexOp = ipc::FUTEX_OP;
    /// Flags of `get_mempolicy`.
    GetMempolicyFlags = memory::GET_MEMPOLICY_FLAGS;
    /// Flags of `getrandom`.
    GetrandomFlags = system::GETRANDOM_FLAGS;
    /// Whom `waitid` waits for.
    IdType = processes::ID_TYPE;
    /// Flags of `inotify_init1`.
    InotifyFlags = waiting::INOTIFY_FLAGS;
    /// What is watched.
    InotifyMask = waiting::INOTIFY_MASK;
    /// Flags of `io_uring_enter`.
    IoUringEnterFlags = io_uring::IO_URING_ENTER_FLAGS;
    /// What a submission asks for.
    IoUringOp = io_uring::IO_URING_OP;
    /// What `io_uring_register` does.
    IoUringRegisterOp = io_uring::IO_URING_REGISTER_OP;
    /// Flags of `io_uring_setup`.
    IoUringSetupFlags = io_uring::IO_URING_SETUP_FLAGS;
    /// A request of `ioctl`.
    IoctlRequest = ioctl::IOCTL_REQUEST;
    /// Whose I/O priority.
    IoprioWhich = processes::IOPRIO_WHICH;
    /// A protocol over IP.
    IpProtocol = sockets::IP_PROTOCOL;
    /// What `shmctl`, `semctl` and `msgctl` do.
    IpcCommand = ipc::IPC_COMMAND;
    /// An interval timer.
    ItimerWhich = time::ITIMER_WHICH;
    /// What `kcmp` compares.
    KcmpType = processes::KCMP_TYPE;
    /// What the kernel reads a file for.
    KernelReadType = system::KERNEL_READ_TYPE;
    /// Flags of `kexec_file_load`.
    KexecFileFlags = system::KEXEC_FILE_FLAGS;
    /// Flags of `kexec_load`; the high half is an architecture.
    KexecFlags = system::KEXEC_FLAGS;
    /// A keyring of the caller.
    KeySpecial = system::KEY_SPECIAL;
    /// What `keyctl` does.
    KeyctlOperation = system::KEYCTL_OPERATION;
    /// A kind of Landlock rule.
    LandlockRuleType = processes::LANDLOCK_RULE_TYPE;
    /// A kind of record lock.
    LockType = files::LOCK_TYPE;
    /// An attribute of a security module.
    LsmAttr = system::LSM_ATTR;
    /// Advice of `madvise`.
    MadviseAdvice = memory::MADVISE_ADVICE;
    /// Kind of a mapping, then its flags.
    MapFlags = memory::MAP_FLAGS;
    /// Flags of `mbind` and `move_pages`.
    MbindFlags = memory::MBIND_FLAGS;
    /// What is suspicious about a change of rights.
    MemProtAlert = memory::MEM_PROT_ALERT;
    /// What `membarrier` does.
    MembarrierCommand = memory::MEMBARRIER_COMMAND;
    /// Flags of `memfd_create`.
    MemfdFlags = files::MEMFD_FLAGS;
    /// Policy of NUMA memory, then its flags.
    MempolicyMode = memory::MEMPOLICY_MODE;
    /// Flags of `mlock2`.
    Mlock2Flags = memory::MLOCK2_FLAGS;
    /// Flags of `mlockall`.
    MlockallFlags = memory::MLOCKALL_FLAGS;
    /// Attributes of a mount, in `fsmount`.
    MountAttrFlags = mounts::MOUNT_ATTR_FLAGS;
    /// Flags of `mount`.
    MountFlags = mounts::MOUNT_FLAGS;
    /// Flags of `move_mount`.
    MoveMountFlags = mounts::MOVE_MOUNT_FLAGS;
    /// Flags of `mremap`.
    MremapFlags = memory::MREMAP_FLAGS;
    /// Flags of sending and receiving.
    MsgFlags = sockets::MSG_FLAGS;
    /// Flags of `msgsnd` and `msgrcv`.
    MsgQueueFlags = ipc::MSG_QUEUE_FLAGS;
    /// Flags of `msync`.
    MsyncFlags = memory::MSYNC_FLAGS;
    /// Namespaces and shared state, in `unshare` and `setns`.
    NamespaceFlags = processes::NAMESPACE_FLAGS;
    /// Types of a directory's entries.
    DirentType = files::DIRENT_TYPE;
    /// How a file is opened. `O_SYNC` and `O_TMPFILE` hold a bit of another flag.
    OpenFlags = files::OPEN_FLAGS;
    /// Flags of `dup3` and its like.
    OpenFlagsOnly = files::OPEN_FLAGS_ONLY;
    /// Flags of `open_tree`.
    OpenTreeFlags = mounts::OPEN_TREE_FLAGS;
    /// Who asked for a connection.
    ConnDirection = sockets::CONN_DIRECTION;
    /// Which way a packet went.
    PacketDirection = sockets::PACKET_DIRECTION;
    /// Flags of `perf_event_open`.
    PerfFlags = system::PERF_FLAGS;
    /// What a perf event counts.
    PerfType = system::PERF_TYPE;
    /// An execution domain, then its flags.
    Personality = processes::PERSONALITY;
    /// Flags of `pidfd_open`.
    PidfdFlags = processes::PIDFD_FLAGS;
    /// Flags of `pipe2`.
    PipeFlags = files::PIPE_FLAGS;
    /// Rights that a protection key takes away.
    PkeyRights = memory::PKEY_RIGHTS;
    /// What is polled for.
    PollEvents = waiting::POLL_EVENTS;
    /// What `prctl` does.
    PrctlOption = processes::PRCTL_OPTION;
    /// Whose priority.
    PriorityWhich = processes::PRIORITY_WHICH;
    /// Rights of a mapping.
    Prot = memory::PROT;
    /// What `ptrace` does.
    PtraceRequest = processes::PTRACE_REQUEST;
    /// What `reboot` does.
    RebootCommand = system::REBOOT_COMMAND;
    /// The magic numbers of `reboot`.
    RebootMagic = system::REBOOT_MAGIC;
    /// Flags of `renameat2`.
    RenameFlags = files::RENAME_FLAGS;
    /// How `openat2` walks a path.
    ResolveFlags = files::RESOLVE_FLAGS;
    /// A limited resource.
    Resource = processes::RESOURCE;
    /// No limit.
    RlimitValue = processes::RLIMIT_VALUE;
    /// Whose usage.
    RusageWho = processes::RUSAGE_WHO;
    /// Flags of `preadv2` and `pwritev2`.
    RwFlags = files::RW_FLAGS;
    /// Flags of `sigaction`.
    SaFlags = signals::SA_FLAGS;
    /// A scheduling policy.
    SchedPolicy = processes::SCHED_POLICY;
    /// Flags of `seccomp`.
    SeccompFlags = processes::SECCOMP_FLAGS;
    /// What is sealed of a memory file.
    Seals = files::SEALS;
    /// What `seccomp` does.
    SeccompOperation = processes::SECCOMP_OPERATION;
    /// Flags of System V objects; the low nine bits are permissions.
    ShmFlags = ipc::SHM_FLAGS;
    /// Flags of `shmat`.
    ShmatFlags = ipc::SHMAT_FLAGS;
    /// What is shut down.
    ShutdownHow = sockets::SHUTDOWN_HOW;
    /// How a timer or queue tells.
    SigevNotify = signals::SIGEV_NOTIFY;
    /// A signal.
    Signal = signals::SIGNAL;
    /// What became of a signal.
    SignalResult = signals::SIGNAL_RESULT;
    /// Flags of `signalfd4`.
    SignalfdFlags = signals::SIGNALFD_FLAGS;
    /// What is done with a set of signals.
    SigprocmaskHow = signals::SIGPROCMASK_HOW;
    /// Flags of `accept4`.
    SocketFlags = sockets::SOCKET_FLAGS;
    /// Whose option it is.
    SocketLevel = socket_options::SOCKET_LEVEL;
    /// Options of IPv4.
    SocketOptionIp = socket_options::SOCKET_OPTION_IP;
    /// Options of IPv6.
    SocketOptionIpv6 = socket_options::SOCKET_OPTION_IPV6;
    /// Options of netlink sockets.
    SocketOptionNetlink = socket_options::SOCKET_OPTION_NETLINK;
    /// Options of packet sockets.
    SocketOptionPacket = socket_options::SOCKET_OPTION_PACKET;
    /// Options of any socket.
    SocketOptionSocket = socket_options::SOCKET_OPTION_SOCKET;
    /// Options of TCP.
    SocketOptionTcp = socket_options::SOCKET_OPTION_TCP;
    /// Options of UDP.
    SocketOptionUdp = socket_options::SOCKET_OPTION_UDP;
    /// A kind of socket, then its flags.
    SocketType = sockets::SOCKET_TYPE;
    /// Flags of `splice`, `tee` and `vmsplice`.
    SpliceFlags = files::SPLICE_FLAGS;
    /// What `statx` asks for.
    StatxMask = files::STATX_MASK;
    /// Flags of `swapon`; the low 15 bits are a priority.
    SwapFlags = mounts::SWAP_FLAGS;
    /// Flags of `sync_file_range`.
    SyncFileRangeFlags = files::SYNC_FILE_RANGE_FLAGS;
    /// What `syslog` does.
    SyslogAction = system::SYSLOG_ACTION;
    /// State of a TCP socket.
    TcpState = sockets::TCP_STATE;
    /// Flags of `timer_settime` and `clock_nanosleep`.
    TimerFlags = time::TIMER_FLAGS;
    /// Flags of `timerfd_create`.
    TimerfdFlags = time::TIMERFD_FLAGS;
    /// Flags of `timerfd_settime`.
    TimerfdSetFlags = time::TIMERFD_SET_FLAGS;
    /// Flags of `umount2`.
    UmountFlags = mounts::UMOUNT_FLAGS;
    /// Flags of `unlinkat`.
    UnlinkFlags = files::UNLINK_FLAGS;
    /// Flags of `userfaultfd`.
    UserfaultfdFlags = system::USERFAULTFD_FLAGS;
    /// Options of `wait4` and `waitid`.
    WaitOptions = processes::WAIT_OPTIONS;
    /// Where `lseek` counts from.
    Whence = files::WHENCE;
    /// Flags of `setxattr`.
    XattrFlags = files::XATTR_FLAGS;
}

impl Names {
    /// The names that hold when the argument that decides about them has this value: those of a socket's options, by
    /// level (`SOL_TCP` is 6). Others stay as they are.
    pub const fn given(self, level: u64) -> Names {
        match (self, level) {
            (Names::SocketOption, 0) => Names::SocketOptionIp,
            (Names::SocketOption, 1) => Names::SocketOptionSocket,
            (Names::SocketOption, 6) => Names::SocketOptionTcp,
            (Names::SocketOption, 17) => Names::SocketOptionUdp,
            (Names::SocketOption, 41) => Names::SocketOptionIpv6,
            (Names::SocketOption, 263) => Names::SocketOptionPacket,
            (Names::SocketOption, 270) => Names::SocketOptionNetlink,
            (Names::SocketOption, _) => Names::None,
            (other, _) => other,
        }
    }

    /// The tables that [`Names::given`] may choose from.
    pub const fn choices(self) -> &'static [Names] {
        match self {
            Names::SocketOption => &[
                Names::SocketOptionSocket,
                Names::SocketOptionTcp,
                Names::SocketOptionIp,
                Names::SocketOptionIpv6,
                Names::SocketOptionUdp,
                Names::SocketOptionPacket,
                Names::SocketOptionNetlink,
            ],
            _ => &[],
        }
    }
}
