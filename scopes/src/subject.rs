//! What a context filter looks at: a task's context and what is known around it.

use events::Context;

/// One distinct context of a block (or of a live run), with everything that context filters ask.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub context: &'a Context<'a>,
    /// The container of the context's cgroup; `None` on the host.
    pub container: Option<&'a ContainerFacts<'a>>,
    /// From [`crate::Lineage::bits`]; the default when the plan asks for no lineage.
    pub lineage: LineageBits,
    pub recording: Recording,
    /// The name of the host when its recording began; empty when unknown.
    pub host: &'a str,
    /// Boot-clock time of an event with this context (the first one of the block): only `container=started` asks.
    pub time_ns: u64,
}

impl<'a> Subject<'a> {
    /// A subject of which only the context is known: on the host, without ancestors.
    pub fn of(context: &'a Context<'a>) -> Subject<'a> {
        Subject {
            context,
            container: None,
            lineage: LineageBits::default(),
            recording: Recording::default(),
            host: "",
            time_ns: 0,
        }
    }
}

/// Facts of the whole recording.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Recording {
    /// Boot-clock start: `pid=new` and `container=new` are relative to it.
    pub start_ns: u64,
    /// Mount namespace of the host's init, for `binary=host:/path`. When unknown, `host:` matches nothing.
    pub host_mnt_ns: Option<u32>,
}

impl Recording {
    /// The mount namespace of the host, from its processes as pids and mount namespaces: that of init, or where that one
    /// may not be looked at (a 0), of the kernel's own threads, which are in the one that the kernel began with.
    pub fn host_mnt_ns(processes: impl Iterator<Item = (u32, u32)>) -> Option<u32> {
        let known = processes.filter(|(pid, mnt_ns)| matches!(pid, 1 | 2) && *mnt_ns != 0);
        known.min().map(|(_, mnt_ns)| mnt_ns)
    }
}

/// What is known of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ContainerFacts<'a> {
    /// The full id, usually 64 hex digits.
    pub id: &'a str,
    /// Empty when no runtime told it; so are all below.
    pub name: &'a str,
    pub image: &'a str,
    pub pod_name: &'a str,
    pub pod_namespace: &'a str,
    pub pod_uid: &'a str,
    pub pod_sandbox: bool,
    /// Boot-clock time at which its cgroup was made, when that was seen.
    pub created_ns: Option<u64>,
    /// Boot-clock time of its entry point's exec. `None`: before it, or not seen; for a container that is older than the
    /// recording pass 0.
    pub started_ns: Option<u64>,
}

/// The state that a process has from its ancestors, a bit per scope. Constant from its fork on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LineageBits {
    /// Scopes whose nearest named ancestor (the process itself included) is one of `tree=`.
    pub tree: u64,
    /// Scopes that name any ancestor, in `tree=` or `tree!=`.
    pub named: u64,
    /// Scopes with `follow` of which an ancestor matched at a fork.
    pub follow: u64,
}
