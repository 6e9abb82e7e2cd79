//! What stands beside the events: processes that were there before, cgroups and their containers, users, losses.

use events::context::Credentials;
use events::{Context, EventId};

use crate::Artifact;
use crate::facts::Facts;

/// A few records, in a frame of their own between blocks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Side {
    /// The processes that were there when recording began.
    Processes(Vec<Process>),
    /// A cgroup that is told of again replaces what was said of it before.
    Cgroups(Vec<Cgroup>),
    Losses(Vec<Loss>),
    Users(Vec<User>),
    /// In captures made from others; what is said of a host is all of its clock.
    Clocks(Vec<ClockOffset>),
    Artifacts(Vec<Artifact>),
}

/// A process as /proc showed it when recording began.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Process {
    /// Index of the host: 0 unless the capture was merged.
    pub host: u16,
    /// Thread group id on the host.
    pub pid: u32,
    pub ppid: u32,
    /// Thread group id in the process's own pid namespace.
    pub ns_pid: u32,
    /// Since boot, ns, cut to clock ticks as /proc shows it.
    pub start_ns: u64,
    pub parent_start_ns: u64,
    pub uid: u32,
    pub gid: u32,
    pub cgroup_id: u64,
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub net_ns: u32,
    pub user_ns: u32,
    pub comm: Vec<u8>,
    /// Empty for kernel threads.
    pub exe: Vec<u8>,
    /// Each argument followed by a NUL.
    pub argv: Vec<u8>,
    /// Open descriptors and what they stand for: a path, or `socket:[INODE]` and its like.
    pub fds: Vec<(i32, Vec<u8>)>,
    /// What its calls change: its directory, session, terminal, login.
    pub facts: Facts,
    /// What its main thread acts with; `None` where /proc did not say.
    pub credentials: Option<Credentials>,
}

impl Process {
    /// The process as filters see it: the context that its main thread would have. What /proc does not say is zero.
    pub fn context(&self) -> Context<'_> {
        Context {
            pid: self.pid,
            tid: self.pid,
            ppid: self.ppid,
            ns_pid: self.ns_pid,
            ns_tid: self.ns_pid,
            uid: self.uid,
            gid: self.gid,
            mnt_ns: self.mnt_ns,
            pid_ns: self.pid_ns,
            net_ns: self.net_ns,
            user_ns: self.user_ns,
            cgroup_id: self.cgroup_id,
            thread_start_ns: self.start_ns,
            process_start_ns: self.start_ns,
            parent_start_ns: self.parent_start_ns,
            comm: &self.comm,
            exe: &self.exe,
            credentials: self.credentials,
            standing: self.facts.standing(true),
            ..Context::default()
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cgroup {
    pub host: u16,
    /// Inode number in the default hierarchy.
    pub id: u64,
    /// From the root of the hierarchy, such as `/system.slice/docker-ID.scope`.
    pub path: String,
    /// Boot clock, ns; `None` when it was there before the recording.
    pub created_ns: Option<u64>,
    /// Boot clock, ns.
    pub removed_ns: Option<u64>,
    pub container: Option<Container>,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Container {
    /// 64 hex digits, as the runtime gave it.
    pub id: String,
    /// `docker`, `containerd`, `crio`, `podman`; empty when unknown, like the fields below.
    pub runtime: String,
    pub name: String,
    pub image: String,
    pub image_digest: String,
    pub pod_name: String,
    pub pod_namespace: String,
    pub pod_uid: String,
    /// Whether it holds a pod together, rather than working for it.
    pub pod_sandbox: bool,
    /// Boot clock, ns; `None` when it ran before the recording began, or nobody knows.
    pub started_ns: Option<u64>,
    pub settings: Settings,
}

/// How a container was made, as its runtime has it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Settings {
    /// It has all that its host's root has; `None`: not known.
    pub privileged: Option<bool>,
    /// What of the host is mounted in it; `None`: not known.
    pub mounts: Option<Vec<ContainerMount>>,
    /// Capabilities beyond those that containers have by default, such as `CAP_SYS_ADMIN`; `None`: not known.
    pub added_capabilities: Option<Vec<String>>,
}

/// Something of the host in a container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ContainerMount {
    pub source: String,
    /// In the container.
    pub destination: String,
    pub is_writable: bool,
}

impl Settings {
    /// Bytes of its texts.
    pub fn bytes(&self) -> usize {
        let mounts = self.mounts.iter().flatten().map(|it| it.source.len() + it.destination.len() + 64);
        let capabilities = self.added_capabilities.iter().flatten().map(|it| it.len() + 24);
        mounts.chain(capabilities).sum()
    }
}

/// Events that happened and are not in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    pub host: u16,
    /// Boot clock, ns.
    pub from_ns: u64,
    pub to_ns: u64,
    /// `None` when it was not on one CPU.
    pub cpu: Option<u16>,
    /// By the writing program's catalogue; `None` when nobody knows which.
    pub event: Option<EventId>,
    pub count: u64,
    /// In words, such as `buffer full`.
    pub cause: String,
}

/// The name of a user when recording began.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct User {
    pub host: u16,
    pub uid: u32,
    pub name: String,
}

/// From when on a host's wall clock was how far ahead of its boot clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClockOffset {
    pub host: u16,
    /// Boot clock, ns. The first one of a host holds for the time before it too.
    pub from_ns: u64,
    /// Added to the boot clock, wrapping, ns since 1970.
    pub wall_offset_ns: u64,
}
