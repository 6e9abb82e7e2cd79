//! The processes alive at one point of a recording, so that a file which begins there can say so.
//!
//! A rotated file and a flight recorder's stretch begin in the middle: whoever was there before has no fork event in
//! them. The table starts as the snapshot and takes the changes of every block that lies before the point.
//!
//! A child has its parent's program, arguments and descriptors until it executes another: these are shared, not copied,
//! so that a thousand forks of a process with long arguments take no more than one.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use events::{Context, Raw, catalogue::process};
use format::Process;
use format::facts::{self, Actor, FactChange, FactSet, NsPids};

use crate::{
    contexts::OwnedContext,
    host::snapshot::{ProcessState, same_start},
    kernel::Record,
};

/// A process with its long texts apart, which others may share.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// Its `exe`, `argv` and `fds` are empty.
    process: Process,
    exe: Arc<[u8]>,
    argv: Arc<[u8]>,
    fds: Arc<[(i32, Vec<u8>)]>,
}

impl Entry {
    pub fn new(mut process: Process) -> Entry {
        let exe = std::mem::take(&mut process.exe).into();
        let argv = std::mem::take(&mut process.argv).into();
        let fds = std::mem::take(&mut process.fds).into();
        Entry { process, exe, argv, fds }
    }

    fn whole(&self) -> Process {
        let (exe, argv, fds) = (self.exe.to_vec(), self.argv.to_vec(), self.fds.to_vec());
        Process { exe, argv, fds, ..self.process.clone() }
    }

    fn fds_bytes(&self) -> usize {
        self.fds.iter().map(|(_, text)| size_of::<(i32, Vec<u8>)>() + text.len()).sum()
    }
}

/// What one event did to the processes there are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A process began: its parent, and what of it is known already.
    Fork {
        parent: u32,
        child: Entry,
        clone_flags: u64,
    },
    /// It runs another program, or what is known of it is newer than the table.
    Exec(Entry),
    Exit {
        pid: u32,
        start_ns: u64,
    },
    /// It has another directory, session, group or terminal, or somebody logged in.
    Facts {
        actor: Actor,
        change: FactChange,
    },
}

impl Change {
    /// The change that an event stands for; most events change nothing.
    pub fn of(record: &Record<'_>, owned: &OwnedContext) -> Option<Change> {
        let context = &owned.view();
        match record.event {
            process::SCHED_PROCESS_FORK => {
                let Some(child) = Fork::read(record) else { return Change::of_facts(record, context) };
                let parent = process_of(context);
                let child = Process {
                    pid: child.pid,
                    ppid: context.pid,
                    ns_pid: child.ns_pid,
                    start_ns: child.start_ns,
                    parent_start_ns: context.process_start_ns,
                    ..parent
                };
                let child = Entry { exe: Arc::clone(owned.exe()), ..Entry::new(child) };
                let clone_flags = match argument(record, "clone_flags") {
                    Raw::Number(flags) => flags,
                    _ => 0,
                };
                Some(Change::Fork { parent: context.pid, child, clone_flags })
            }
            process::SCHED_PROCESS_EXEC => {
                let argv = match argument(record, "argv") {
                    Raw::Bytes(argv) => argv.into(),
                    _ => Arc::default(),
                };
                let exe = Arc::clone(owned.exe());
                Some(Change::Exec(Entry { exe, argv, ..Entry::new(process_of(context)) }))
            }
            process::SCHED_PROCESS_EXIT => {
                let (pid, start_ns) = (context.pid, context.process_start_ns);
                ends_process(record, context).then_some(Change::Exit { pid, start_ns })
            }
            _ => Change::of_facts(record, context),
        }
    }

    fn of_facts(record: &Record<'_>, context: &Context<'_>) -> Option<Change> {
        let arg = |position: usize| record.args.get(position).copied().unwrap_or(Raw::Missing);
        let change = FactChange::of(record.event, record.ret, record.marks, &arg)?;
        Some(Change::Facts { actor: Actor::of(context), change })
    }
}

impl Change {
    /// Memory that is this change's own: what it shares with a context is not counted.
    pub fn bytes(&self) -> usize {
        size_of::<Change>()
            + match self {
                Change::Fork { child: entry, .. } | Change::Exec(entry) => {
                    entry.process.comm.len() + entry.argv.len()
                }
                Change::Facts { change: FactChange::Directory(Some(path)), .. } => path.len(),
                Change::Exit { .. } | Change::Facts { .. } => 0,
            }
    }
}

/// The child of a fork event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fork {
    pub pid: u32,
    pub ns_pid: u32,
    pub start_ns: u64,
}

impl Fork {
    /// `None` for a new thread of a process that is there already, and for an event without its arguments.
    pub fn read(record: &Record<'_>) -> Option<Fork> {
        let number = |name| match argument(record, name) {
            Raw::Number(n) => Some(n),
            _ => None,
        };
        let pid = number("child_pid")? as u32;
        if number("child_tid")? as u32 != pid {
            return None;
        }
        Some(Fork {
            pid,
            ns_pid: number("child_ns_pid").map_or(pid, |n| n as u32),
            start_ns: number("start_time").unwrap_or(record.time_ns),
        })
    }
}

/// Every thread has its exit event; the process ends with the last of them.
pub fn ends_process(record: &Record<'_>, context: &Context<'_>) -> bool {
    match argument(record, "process_group_exit") {
        Raw::Number(whole) => whole != 0,
        _ => context.tid == context.pid,
    }
}

/// An argument by its declared name.
pub(crate) fn argument<'a>(record: &Record<'a>, name: &str) -> Raw<'a> {
    events::catalogue::by_id(record.event)
        .and_then(|event| event.arg(name))
        .and_then(|(at, _)| record.args.get(at).copied())
        .unwrap_or(Raw::Missing)
}

/// What a context says of its process, but for its program.
fn process_of(context: &Context<'_>) -> Process {
    Process {
        pid: context.pid,
        ppid: context.ppid,
        ns_pid: context.ns_pid,
        start_ns: context.process_start_ns,
        parent_start_ns: context.parent_start_ns,
        uid: context.uid,
        gid: context.gid,
        cgroup_id: context.cgroup_id,
        mnt_ns: context.mnt_ns,
        pid_ns: context.pid_ns,
        net_ns: context.net_ns,
        user_ns: context.user_ns,
        comm: context.comm.to_vec(),
        credentials: context.credentials,
        ..Process::default()
    }
}

/// A process of a snapshot as the file has it.
pub fn process_from(state: &ProcessState, cgroup_id: u64) -> Process {
    Process {
        host: 0,
        pid: state.pid,
        ppid: state.ppid,
        ns_pid: state.ns_pid,
        start_ns: state.start_ns,
        parent_start_ns: state.parent_start_ns,
        uid: state.uid,
        gid: state.gid,
        cgroup_id,
        mnt_ns: state.mnt_ns,
        pid_ns: state.pid_ns,
        net_ns: state.net_ns,
        user_ns: state.user_ns,
        comm: state.comm.clone(),
        exe: state.exe.clone(),
        argv: state.argv.clone(),
        fds: state.fds.clone(),
        facts: state.facts.clone(),
        credentials: state.credentials,
    }
}

/// Bytes that the texts of all processes may take together.
pub const TEXTS_BOUND: usize = 64 << 20;
/// What is kept of each process's arguments when the bound is met, tried one after the other.
const SHORTER: [usize; 3] = [4096, 256, 0];

/// Processes by pid: at one time a pid is one process.
#[derive(Clone, Debug, Default)]
pub struct ProcessTable {
    alive: BTreeMap<u32, Entry>,
    /// At most so many bytes have texts: those that are shared count once when they are counted anew.
    texts_bytes: usize,
    ns_pids: NsPids,
    /// Facts whose changes are recorded: others are those of the beginning alone.
    followed: FactSet,
    has_begun: bool,
}

impl ProcessTable {
    /// `followed`: facts whose changes are recorded.
    pub fn new(mut processes: Vec<Process>, followed: FactSet) -> ProcessTable {
        facts::share_terminals(processes.iter_mut());
        let mut table = ProcessTable { followed, ..ProcessTable::default() };
        processes.iter().for_each(|p| table.ns_pids.learn(p.pid_ns, p.ns_pid, p.pid));
        table.alive = processes.into_iter().map(|p| (p.pid, Entry::new(p))).collect();
        table.hold_to_bound(TEXTS_BOUND);
        table
    }

    /// Time goes on: what is not followed is not known any more.
    pub fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.alive.values_mut().for_each(|entry| entry.process.facts.keep(self.followed));
        }
    }

    pub fn apply(&mut self, change: Change) {
        self.begin();
        match change {
            Change::Fork { parent, mut child, clone_flags } => {
                if let Some(parent) = self.alive.get_mut(&parent) {
                    child.argv = Arc::clone(&parent.argv);
                    child.fds = Arc::clone(&parent.fds);
                    let is_kernel_thread = parent.exe.is_empty();
                    child.process.facts = parent.process.facts.fork(clone_flags, is_kernel_thread);
                }
                self.ns_pids.learn(child.process.pid_ns, child.process.ns_pid, child.process.pid);
                // A snapshot taken meanwhile may know more of it.
                let pid = child.process.pid;
                let known = self
                    .alive
                    .get(&pid)
                    .is_some_and(|p| same_start(p.process.start_ns, child.process.start_ns));
                if !known {
                    self.alive.insert(pid, child);
                }
            }
            Change::Exec(mut entry) => {
                if let Some(known) = self.alive.get_mut(&entry.process.pid) {
                    entry.fds = std::mem::take(&mut known.fds);
                    entry.process.facts = std::mem::take(&mut known.process.facts);
                }
                self.texts_bytes += entry.argv.len() + entry.exe.len();
                self.alive.insert(entry.process.pid, entry);
                if self.texts_bytes > TEXTS_BOUND {
                    self.hold_to_bound(TEXTS_BOUND);
                }
            }
            Change::Exit { pid, start_ns } => {
                if self.alive.get(&pid).is_some_and(|p| same_start(p.process.start_ns, start_ns))
                    && let Some(entry) = self.alive.remove(&pid)
                {
                    entry.process.facts.end(pid);
                }
            }
            Change::Facts { actor, change } => {
                self.ns_pids.learn(actor.pid_ns, actor.ns_pid, actor.pid);
                if let FactChange::Directory(Some(path)) = &change {
                    self.texts_bytes += path.len();
                }
                let (alive, followed) = (&mut self.alive, self.followed);
                change.apply(actor, &self.ns_pids, &mut |pid, change| {
                    if let Some(entry) = alive.get_mut(&pid) {
                        change(&mut entry.process.facts);
                        entry.process.facts.keep(followed);
                    }
                });
                if self.texts_bytes > TEXTS_BOUND {
                    self.hold_to_bound(TEXTS_BOUND);
                }
            }
        }
    }

    /// Counts the texts anew, and cuts arguments while they are too much. Half of the bound is free afterwards, so that
    /// this is rare.
    fn hold_to_bound(&mut self, bound: usize) {
        self.texts_bytes = self.count_texts();
        for keep in SHORTER {
            if self.texts_bytes <= bound / 2 {
                return;
            }
            for entry in self.alive.values_mut().filter(|entry| entry.argv.len() > keep) {
                // Whole arguments, as far as they go.
                let cut = entry.argv.get(..keep).unwrap_or_default();
                let end = cut.iter().rposition(|byte| *byte == 0).map_or(0, |nul| nul + 1);
                entry.argv = cut.get(..end).unwrap_or_default().into();
            }
            self.texts_bytes = self.count_texts();
        }
        if self.texts_bytes > bound / 2 {
            for entry in self.alive.values_mut() {
                entry.fds = Arc::default();
            }
            self.texts_bytes = self.count_texts();
        }
        if self.texts_bytes > bound / 2 {
            self.alive.values_mut().for_each(|entry| entry.process.facts.cwd = None);
            self.texts_bytes = self.count_texts();
        }
    }

    fn count_texts(&self) -> usize {
        let mut seen: HashSet<*const u8> = HashSet::new();
        let mut bytes = 0;
        for entry in self.alive.values() {
            for text in [&entry.exe, &entry.argv].into_iter().chain(&entry.process.facts.cwd) {
                if !text.is_empty() && seen.insert(text.as_ptr()) {
                    bytes += text.len();
                }
            }
            if !entry.fds.is_empty() && seen.insert(entry.fds.as_ptr().cast()) {
                bytes += entry.fds_bytes();
            }
        }
        bytes
    }

    /// In order of pid.
    pub fn processes(&self) -> Vec<Process> {
        self.alive.values().map(Entry::whole).collect()
    }
}

#[cfg(test)]
mod tests {
    use format::facts::{Fact, Facts};

    use super::*;

    fn process(pid: u32, start_ns: u64) -> Process {
        Process { pid, start_ns, argv: b"init\0".to_vec(), ..Process::default() }
    }

    #[test]
    fn forks_add_execs_replace_and_exits_remove() {
        let mut table = ProcessTable::new(vec![process(1, 0)], FactSet::ALL);
        let child = Process { pid: 7, start_ns: 5_000_000_123, ..Process::default() };
        table.apply(Change::Fork { parent: 1, child: Entry::new(child.clone()), clone_flags: 0 });
        assert_eq!(table.processes()[1].argv, b"init\0");
        let exec = Process { exe: b"/bin/ls".to_vec(), argv: b"ls\0".to_vec(), ..child };
        table.apply(Change::Exec(Entry::new(exec.clone())));
        assert_eq!(table.processes()[1], exec);
        table.apply(Change::Exit { pid: 7, start_ns: 1 });
        assert_eq!(table.processes().len(), 2, "an older process of that pid does not end the new one");
        table.apply(Change::Exit { pid: 7, start_ns: 5_000_000_123 });
        assert_eq!(table.processes(), [process(1, 0)]);
    }

    #[test]
    fn a_fork_that_the_snapshot_has_seen_already_changes_nothing() {
        let mut table = ProcessTable::new(vec![process(7, 1_230_000_000)], FactSet::ALL);
        let child = Process { pid: 7, start_ns: 1_234_567_890, ..Process::default() };
        table.apply(Change::Fork { parent: 1, child: Entry::new(child), clone_flags: 0 });
        assert_eq!(table.processes(), [process(7, 1_230_000_000)]);
    }

    #[test]
    fn forks_share_what_they_have_of_their_parent() {
        let mut table =
            ProcessTable::new(vec![Process { argv: vec![b'x'; 16 << 10], ..process(1, 0) }], FactSet::ALL);
        for pid in 2..10_000 {
            let child = Process { pid, start_ns: u64::from(pid) << 32, ..Process::default() };
            table.apply(Change::Fork { parent: 1, child: Entry::new(child), clone_flags: 0 });
        }
        assert_eq!(table.count_texts(), 16 << 10);
        assert_eq!(table.processes()[9_000].argv.len(), 16 << 10);
    }

    #[test]
    fn facts_are_inherited_kept_over_execs_and_changed_and_those_not_followed_are_of_the_beginning_alone() {
        let facts = Facts {
            cwd: Some(b"/root".as_slice().into()),
            session: Some(1),
            login_uid: Some(1000),
            ..Facts::default()
        };
        let all_but_logins = Fact::ALL.into_iter().filter(|fact| *fact != Fact::Login).collect();
        let init = Process { facts: facts.clone(), ..process(1, 0) };
        let mut table = ProcessTable::new(vec![init.clone()], all_but_logins);
        assert_eq!(table.processes(), [init]);
        let child = Process { pid: 7, start_ns: 5_000_000_123, ..Process::default() };
        table.apply(Change::Fork { parent: 1, child: Entry::new(child.clone()), clone_flags: 0 });
        let change = FactChange::Directory(Some(b"/tmp".as_slice().into()));
        table.apply(Change::Facts { actor: Actor { pid: 7, tid: 7, ..Actor::default() }, change });
        table.apply(Change::Exec(Entry::new(child)));
        let left = |pid: usize| table.processes()[pid].facts.clone();
        assert_eq!(left(0), Facts { login_uid: None, ..facts.clone() });
        assert_eq!(left(1), Facts { cwd: Some(b"/tmp".as_slice().into()), ..left(0) });
    }

    #[test]
    fn arguments_of_all_processes_together_are_bounded_and_whole_arguments_stay() {
        let mut table = ProcessTable::default();
        for pid in 1..20_000 {
            let argv = [&b"short\0"[..], &vec![pid as u8 | 1; 16 << 10], b"\0"].concat();
            let start_ns = u64::from(pid) << 32;
            table.apply(Change::Exec(Entry::new(Process { pid, start_ns, argv, ..Process::default() })));
            assert!(table.texts_bytes <= TEXTS_BOUND);
        }
        let processes = table.processes();
        assert!(processes.iter().all(|p| p.argv.starts_with(b"short\0")));
        assert!(processes.iter().any(|p| p.argv == b"short\0"));
    }
}
