//! Structures whose bytes are captured as they stand, and their sizes.

macro_rules! structs {
    ($($(#[$doc:meta])* $name:ident = $size:literal $(in $same:ident)?),* $(,)?) => {
        /// Structures whose bytes are captured and that printing knows how to read. Layouts are those of 64-bit Linux.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u8)]
        pub enum StructKind { $($(#[$doc])* $name),* }

        impl StructKind {
            pub const ALL: &'static [StructKind] = &[$(StructKind::$name),*];

            /// Bytes of one, as the kernel lays it out for a 64-bit task (x86_64; see [`StructKind::aarch64_size`]).
            pub const fn size(self) -> u16 {
                match self { $(StructKind::$name => $size),* }
            }

            /// The same where the kernel runs on aarch64.
            pub const fn aarch64_size(self) -> u16 {
                match self {
                    StructKind::Stat => 128,
                    StructKind::EpollEvent => 16,
                    _ => self.size(),
                }
            }

            /// Whether a 32-bit task uses the same layout.
            pub const fn same_in_compat(self) -> bool {
                match self { $(StructKind::$name => false $(|| structs!(@$same))?),* }
            }
        }
    };
    (@compat) => { true };
}

structs! {
    // Numbers that are pointed to.
    Int = 4 in compat,
    UInt = 4 in compat,
    /// 64 bits, signed: `loff_t`, `time_t`.
    Long = 8,
    /// 64 bits, unsigned: `size_t`, an aio context.
    ULong = 8,
    /// A 64-bit number in 32-bit tasks too.
    U64 = 8 in compat,
    /// A pointer that is pointed to.
    Pointer = 8,
    U16 = 2 in compat,
    /// A `uid_t` or `gid_t`.
    Id = 4 in compat,
    /// Two descriptors: `pipe`, `socketpair`.
    FdPair = 8 in compat,
    /// A `struct iovec` that is not followed (another process's memory).
    Vector = 16,
    // Time.
    Timespec = 16,
    Timeval = 16,
    Timezone = 8 in compat,
    Itimerspec = 32,
    Itimerval = 32,
    Timex = 208,
    Tms = 32,
    Utimbuf = 16,
    /// `struct old_timespec32`.
    Timespec32 = 8 in compat,
    Itimerspec32 = 16 in compat,
    // Files.
    Stat = 144,
    Statx = 256 in compat,
    Statfs = 120,
    Ustat = 32,
    OpenHow = 24 in compat,
    Flock = 32,
    FileHandle = 136 in compat,
    MountAttr = 32 in compat,
    XattrArgs = 16 in compat,
    FileAttr = 24 in compat,
    MntIdReq = 32 in compat,
    NsIdReq = 32 in compat,
    CachestatRange = 16 in compat,
    Cachestat = 40 in compat,
    PollFd = 8 in compat,
    /// Packed on x86_64 only.
    EpollEvent = 12 in compat,
    Iocb = 64 in compat,
    IoEvent = 32 in compat,
    IoUringParams = 120 in compat,
    IoSqringOffsets = 40 in compat,
    IoCqringOffsets = 40 in compat,
    Termios = 36 in compat,
    Winsize = 8 in compat,
    // Processes.
    Rlimit = 16,
    Rlimit64 = 16 in compat,
    Rusage = 144,
    SchedParam = 4 in compat,
    SchedAttr = 56 in compat,
    CloneArgs = 88 in compat,
    CapHeader = 8 in compat,
    /// Two of `struct __user_cap_data_struct`: 64 bits each of effective, permitted and inheritable, halved.
    CapData = 24 in compat,
    RobustListHead = 24,
    FutexWaitv = 24 in compat,
    Rseq = 32 in compat,
    UserDesc = 16 in compat,
    LandlockRuleset = 24 in compat,
    // Signals.
    SigSet = 8 in compat,
    SigAction = 32,
    SigInfo = 128,
    SigStack = 24,
    SigEvent = 64,
    /// The sixth argument of `pselect6`: a pointer to a set and its size.
    SigSetArg = 16,
    // System V and POSIX queues.
    Sembuf = 6 in compat,
    ShmidDs = 112,
    SemidDs = 104,
    MsqidDs = 120,
    MqAttr = 64,
    // System.
    Utsname = 390 in compat,
    Sysinfo = 112,
    KexecSegment = 32,
    BpfAttr = 168 in compat,
    PerfEventAttr = 136 in compat,
    // Sockets.
    Linger = 8 in compat,
    Ucred = 12 in compat,
    SockFprog = 16,
    // Put together by the recorder's own probes, or by derived events.
    /// `struct slim_cred`: uid gid suid sgid euid egid fsuid fsgid user_ns securebits as u32, then five capability sets
    /// as u64 (inheritable, permitted, effective, bounding, ambient).
    SlimCred = 80 in compat,
}
