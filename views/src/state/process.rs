//! A process at a moment.

use std::sync::Arc;

use events::Context;
use events::context::{Credentials, Entity};
use format::facts::Facts;

use super::Since;

/// A hundredth of a second: what /proc counts in.
const TICK_NS: u64 = 10_000_000;

/// Whether two starts, either of which /proc may have cut, are of one process.
pub(crate) fn same_start(a_ns: u64, b_ns: u64) -> bool {
    tick(a_ns) == tick(b_ns)
}

/// A start in ticks of the clock.
pub(crate) fn tick(start_ns: u64) -> u64 {
    start_ns / TICK_NS
}

#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    pub ns_pid: u32,
    /// Start on the boot clock, ns.
    pub start_ns: u64,
    /// As it was last said. It may have ended since, and another one have taken its children over: see
    /// [`super::Boot::parent`].
    pub parent: Entity,
    pub uid: u32,
    pub gid: u32,
    pub mnt_ns: u32,
    pub pid_ns: u32,
    pub net_ns: u32,
    pub user_ns: u32,
    pub cgroup_id: u64,
    pub comm: Arc<[u8]>,
    /// Empty for kernel threads, and where it is not known.
    pub exe: Arc<[u8]>,
    /// Each argument with a NUL behind it; `None` where nobody saw it.
    pub argv: Option<Arc<[u8]>>,
    /// Its directory, session, terminal and login, as far as somebody saw them.
    pub facts: Facts,
    /// What its main thread acts with, where that is known.
    pub credentials: Option<Credentials>,
    pub since: Since,
    /// When it began by the wall clock of the event that told so: near a time at which that clock was set, a part of a capture knows
    /// it only where it has rows.
    pub start_wall_ns: Option<i64>,
    pub(crate) table: u64,
    /// What it was refreshed from last.
    pub(crate) context_name: Option<(usize, u16)>,
    /// It began in a mount namespace of its own, which its first context names.
    pub(crate) has_new_mounts: bool,
}

impl Process {
    pub(crate) fn from_snapshot(known: format::Process, table: u64) -> Process {
        Process {
            pid: known.pid,
            ns_pid: known.ns_pid,
            start_ns: known.start_ns,
            parent: Entity { pid: known.ppid, start_ns: known.parent_start_ns },
            uid: known.uid,
            gid: known.gid,
            mnt_ns: known.mnt_ns,
            pid_ns: known.pid_ns,
            net_ns: known.net_ns,
            user_ns: known.user_ns,
            cgroup_id: known.cgroup_id,
            comm: known.comm.into(),
            exe: known.exe.into(),
            argv: Some(known.argv.into()),
            facts: known.facts,
            credentials: known.credentials,
            since: Since::Before,
            start_wall_ns: None,
            table,
            context_name: None,
            has_new_mounts: false,
        }
    }

    /// One whose beginning nobody saw.
    pub(crate) fn seen(context: &Context<'_>, wall_ns: i64, table: u64) -> Process {
        Process {
            pid: context.pid,
            ns_pid: context.ns_pid,
            start_ns: context.process_start_ns,
            parent: context.parent(),
            uid: context.uid,
            gid: context.gid,
            mnt_ns: context.mnt_ns,
            pid_ns: context.pid_ns,
            net_ns: context.net_ns,
            user_ns: context.user_ns,
            cgroup_id: context.cgroup_id,
            comm: context.comm.into(),
            exe: context.exe.into(),
            argv: None,
            facts: Facts::default(),
            credentials: context.credentials,
            since: Since::Seen(wall_ns),
            start_wall_ns: None,
            table,
            context_name: None,
            has_new_mounts: false,
        }
    }

    /// Takes what a context says. Returns the mount namespace that it has left for one of its own.
    pub(crate) fn refresh(&mut self, context: &Context<'_>) -> Option<u32> {
        // /proc cuts starts to ticks; a context knows the nanosecond.
        self.start_ns = self.start_ns.max(context.process_start_ns);
        if context.ppid != 0 {
            self.parent = context.parent();
        }
        // A thread may have a name and a user of its own: the process has its leader's.
        if context.pid == context.tid {
            if *self.comm != *context.comm {
                self.comm = context.comm.into();
            }
            (self.uid, self.gid) = (context.uid, context.gid);
            self.credentials = context.credentials.or(self.credentials);
        }
        if !context.exe.is_empty() && *self.exe != *context.exe {
            self.exe = context.exe.into();
        }
        let old = (self.has_new_mounts && self.mnt_ns != context.mnt_ns).then_some(self.mnt_ns);
        self.has_new_mounts &= old.is_none();
        (self.mnt_ns, self.pid_ns, self.net_ns) = (context.mnt_ns, context.pid_ns, context.net_ns);
        (self.user_ns, self.cgroup_id) = (context.user_ns, context.cgroup_id);
        old
    }

    /// As filters see it.
    pub fn context(&self) -> Context<'_> {
        Context {
            pid: self.pid,
            tid: self.pid,
            ppid: self.parent.pid,
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
            parent_start_ns: self.parent.start_ns,
            comm: &self.comm,
            exe: &self.exe,
            credentials: self.credentials,
            standing: self.facts.standing(true),
            ..Context::default()
        }
    }

    pub fn is_kernel_thread(&self) -> bool {
        self.exe.is_empty() && self.argv.as_ref().is_some_and(|argv| argv.is_empty())
    }
}

impl super::Boot {
    /// The pid of a process's parent: `None` where it has ended and nobody saw who took the children over.
    pub fn parent(&self, process: &Process) -> Option<u32> {
        let Entity { pid, start_ns } = process.parent;
        let is_there = |it: &Process| start_ns == 0 || same_start(it.start_ns, start_ns);
        (pid == 0 || self.processes.get(&pid).is_some_and(is_there)).then_some(pid)
    }
}
