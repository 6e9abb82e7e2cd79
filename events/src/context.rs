//! Who did it: the task that an event belongs to.

/// A task's context at the moment of an event. It changes rarely, so captures intern it: an event holds an index.
///
/// Host ids are those of the initial pid namespace; `ns_*` are those that the task sees itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Context<'a> {
    /// Thread group id on the host: what user space calls the pid (`task_struct.tgid`).
    pub pid: u32,
    /// Thread id on the host (`task_struct.pid`).
    pub tid: u32,
    /// Thread group id of `real_parent` on the host.
    pub ppid: u32,
    pub ns_pid: u32,
    pub ns_tid: u32,
    pub ns_ppid: u32,
    /// Real user id (`cred.uid`), in the initial user namespace.
    pub uid: u32,
    pub gid: u32,
    /// Inode numbers of the namespaces (`ns_common.inum`).
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub net_ns: u32,
    pub user_ns: u32,
    /// Inode number of the cgroup in the default hierarchy (`bpf_get_current_cgroup_id`).
    pub cgroup_id: u64,
    /// Start of the thread, ns since boot (`task_struct.start_boottime`).
    pub thread_start_ns: u64,
    /// Start of the thread group's leader, ns since boot. With `pid` it names the process for good: see [`Entity`].
    pub process_start_ns: u64,
    /// Start of the parent's thread group leader, ns since boot.
    pub parent_start_ns: u64,
    /// As the kernel keeps it: at most 15 bytes.
    pub comm: &'a [u8],
    /// Path of the running executable as its mount namespace sees it; empty for kernel threads.
    pub exe: &'a [u8],
    /// Node name of the uts namespace.
    pub uts: &'a [u8],
    pub flags: ContextFlags,
    /// What it acts with beside its real ids; `None` where nobody told.
    pub credentials: Option<Credentials>,
    pub standing: Standing<'a>,
}

/// The ids and capabilities that a task acts with (`task_struct.cred`). Ids are those of the initial user namespace.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Credentials {
    pub euid: u32,
    pub egid: u32,
    pub suid: u32,
    pub sgid: u32,
    pub fsuid: u32,
    pub fsgid: u32,
    /// Sets of capabilities, bit N for the one with number N.
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
    pub bounding: u64,
    pub ambient: u64,
}

/// Where a task's process stands: what its calls change and no credential tells. `None`: not known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Standing<'a> {
    /// The working directory, as its mount namespace sees it.
    pub cwd: Option<&'a [u8]>,
    /// Its session and its group, as the pids of their leaders on the host.
    pub session: Option<u32>,
    pub group: Option<u32>,
    /// The number of the controlling terminal's device, 0 for none: see [`crate::terminal`].
    pub terminal: Option<u32>,
    /// Who logged in, whatever users have been since; [`UNSET`] for what nobody's login led to.
    pub login_uid: Option<u32>,
    /// Number of that login, by audit; [`UNSET`] for none.
    pub audit_session: Option<u32>,
}

/// A login uid or an audit session that nobody has set.
pub const UNSET: u32 = u32::MAX;

/// Facts of a task that are a bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct ContextFlags(pub u32);

impl ContextFlags {
    /// A 32-bit task on a 64-bit kernel.
    pub const COMPAT: u32 = 1;
    pub const KERNEL_THREAD: u32 = 2;
    /// The executable's path was cut at the recorder's bound.
    pub const EXE_TRUNCATED: u32 = 4;
    /// The executable's path could not be read.
    pub const EXE_UNKNOWN: u32 = 8;

    pub const fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }
}

/// A process told apart from all others that had or will have its pid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Entity {
    pub pid: u32,
    pub start_ns: u64,
}

impl Context<'_> {
    pub fn process(&self) -> Entity {
        Entity { pid: self.pid, start_ns: self.process_start_ns }
    }

    /// The same without texts: all of them that a context has.
    pub fn without_texts(&self) -> Context<'static> {
        let standing = Standing { cwd: None, ..self.standing };
        Context { comm: b"", exe: b"", uts: b"", standing, ..*self }
    }

    pub fn parent(&self) -> Entity {
        Entity { pid: self.ppid, start_ns: self.parent_start_ns }
    }
}
