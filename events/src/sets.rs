//! Event sets: named groups that filters and `--events` take.

macro_rules! sets {
    ($($name:ident = $text:literal),* $(,)?) => {
        /// A set of events, as Tracee's users know it. The order is ours; captures hold names.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        #[allow(non_camel_case_types)]
        pub enum Set { $($name),* }

        impl Set {
            pub const ALL: &'static [Set] = &[$(Set::$name),*];

            pub const fn name(self) -> &'static str {
                match self { $(Set::$name => $text),* }
            }

            pub fn by_name(name: &str) -> Option<Set> {
                match name { $($text => Some(Set::$name),)* _ => None }
            }
        }
    };
}

sets! {
    Default = "default", Syscalls = "syscalls", Bit32Unique = "32bit_unique", LsmHooks = "lsm_hooks",
    Fs = "fs", FsAsyncIo = "fs_async_io", FsDirOps = "fs_dir_ops", FsFdOps = "fs_fd_ops", FsFileAttr = "fs_file_attr",
    FsFileOps = "fs_file_ops", FsInfo = "fs_info", FsLinkOps = "fs_link_ops", FsMonitor = "fs_monitor",
    FsMuxIo = "fs_mux_io", FsReadWrite = "fs_read_write", FsSync = "fs_sync",
    Ipc = "ipc", IpcFutex = "ipc_futex", IpcMsgq = "ipc_msgq", IpcPipe = "ipc_pipe", IpcSem = "ipc_sem", IpcShm = "ipc_shm",
    Net = "net", NetSndRcv = "net_snd_rcv", NetSock = "net_sock", NetworkEvents = "network_events", Flows = "flows",
    Packets = "packets",
    Proc = "proc", ProcIds = "proc_ids", ProcLife = "proc_life", ProcMem = "proc_mem", ProcSched = "proc_sched",
    Signals = "signals",
    System = "system", SystemKeys = "system_keys", SystemModule = "system_module", SystemNuma = "system_numa",
    Time = "time", TimeClock = "time_clock", TimeTimer = "time_timer", TimeTod = "time_tod",
    Containers = "containers", Derived = "derived", SecurityAlert = "security_alert",
    Signatures = "signatures", Lsm = "lsm",
}

/// Which sets an event is in: a bit per [`Set`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Sets(pub u64);

impl Sets {
    pub const fn of(sets: &[Set]) -> Sets {
        let mut bits = 0;
        let mut i = 0;
        while i < sets.len() {
            bits |= 1 << sets[i] as u8;
            i += 1;
        }
        Sets(bits)
    }

    pub const fn has(self, set: Set) -> bool {
        self.0 & (1 << set as u8) != 0
    }

    pub fn iter(self) -> impl Iterator<Item = Set> {
        Set::ALL.iter().copied().filter(move |set| self.has(*set))
    }
}
