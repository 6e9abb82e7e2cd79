//! The processes alive at one point of a recording, so that a file which begins there can say so.
//!
//! A rotated file and a flight recorder's stretch begin in the middle: whoever was there before has no fork event in
//! them. The table starts as the snapshot and takes the changes of every block that lies before the point.

use std::collections::BTreeMap;

use events::{Context, Raw, catalogue::process};
use format::Process;

use crate::{
    kernel::Record,
    snapshot::{ProcessState, same_start},
};

/// What one event did to the processes there are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A process began: its parent, and what of it is known already.
    Fork {
        parent: u32,
        child: Process,
    },
    /// It runs another program, or what is known of it is newer than the table.
    Exec(Process),
    Exit {
        pid: u32,
        start_ns: u64,
    },
}

impl Change {
    /// The change that a fork, exec or exit event stands for; other events change nothing.
    pub fn of(record: &Record<'_>, context: &Context<'_>) -> Option<Change> {
        match record.event {
            process::SCHED_PROCESS_FORK => {
                let child = Fork::read(record)?;
                let parent = process_of(context);
                let child = Process {
                    pid: child.pid,
                    ppid: context.pid,
                    ns_pid: child.ns_pid,
                    start_ns: child.start_ns,
                    parent_start_ns: context.process_start_ns,
                    argv: Vec::new(),
                    ..parent
                };
                Some(Change::Fork { parent: context.pid, child })
            }
            process::SCHED_PROCESS_EXEC => {
                let argv = match argument(record, "argv") {
                    Raw::Bytes(argv) => argv.to_vec(),
                    _ => Vec::new(),
                };
                Some(Change::Exec(Process { argv, ..process_of(context) }))
            }
            process::SCHED_PROCESS_EXIT => {
                let (pid, start_ns) = (context.pid, context.process_start_ns);
                ends_process(record, context).then_some(Change::Exit { pid, start_ns })
            }
            _ => None,
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

/// What a context says of its process.
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
        exe: context.exe.to_vec(),
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
    }
}

/// Processes by pid: at one time a pid is one process.
#[derive(Clone, Debug, Default)]
pub struct ProcessTable {
    alive: BTreeMap<u32, Process>,
}

impl ProcessTable {
    pub fn new(processes: Vec<Process>) -> ProcessTable {
        ProcessTable { alive: processes.into_iter().map(|p| (p.pid, p)).collect() }
    }

    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Fork { parent, mut child } => {
                if let Some(parent) = self.alive.get(&parent) {
                    child.argv.clone_from(&parent.argv);
                    child.fds.clone_from(&parent.fds);
                }
                // A snapshot taken meanwhile may know more of it.
                let known =
                    self.alive.get(&child.pid).is_some_and(|p| same_start(p.start_ns, child.start_ns));
                if !known {
                    self.alive.insert(child.pid, child);
                }
            }
            Change::Exec(mut process) => {
                if let Some(known) = self.alive.get_mut(&process.pid) {
                    process.fds = std::mem::take(&mut known.fds);
                }
                self.alive.insert(process.pid, process);
            }
            Change::Exit { pid, start_ns } => {
                if self.alive.get(&pid).is_some_and(|p| same_start(p.start_ns, start_ns)) {
                    self.alive.remove(&pid);
                }
            }
        }
    }

    /// In order of pid.
    pub fn processes(&self) -> Vec<Process> {
        self.alive.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, start_ns: u64) -> Process {
        Process { pid, start_ns, argv: b"init\0".to_vec(), ..Process::default() }
    }

    #[test]
    fn forks_add_execs_replace_and_exits_remove() {
        let mut table = ProcessTable::new(vec![process(1, 0)]);
        let child = Process { pid: 7, start_ns: 5_000_000_123, ..Process::default() };
        table.apply(Change::Fork { parent: 1, child: child.clone() });
        assert_eq!(table.processes()[1].argv, b"init\0");
        let exec = Process { exe: b"/bin/ls".to_vec(), argv: b"ls\0".to_vec(), ..child };
        table.apply(Change::Exec(exec.clone()));
        assert_eq!(table.processes()[1], exec);
        table.apply(Change::Exit { pid: 7, start_ns: 1 });
        assert_eq!(table.processes().len(), 2, "an older process of that pid does not end the new one");
        table.apply(Change::Exit { pid: 7, start_ns: 5_000_000_123 });
        assert_eq!(table.processes(), [process(1, 0)]);
    }

    #[test]
    fn a_fork_that_the_snapshot_has_seen_already_changes_nothing() {
        let mut table = ProcessTable::new(vec![process(7, 1_230_000_000)]);
        let child = Process { pid: 7, start_ns: 1_234_567_890, ..Process::default() };
        table.apply(Change::Fork { parent: 1, child });
        assert_eq!(table.processes(), [process(7, 1_230_000_000)]);
    }
}
