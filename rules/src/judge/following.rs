//! Processes, brought forward by what is known of them when recordings begin, and by rows.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use events::catalogue::process::{SCHED_PROCESS_EXEC, SCHED_PROCESS_FORK};
use events::context::Entity;
use events::{Context, EventId, Marks};
use format::Block;
use format::facts::{FactChange, FactSet};
use pipeline::Source;

use super::unseen::Unseen;
use crate::facts::{Processes, Program, Users};
use crate::form::Execution;

/// What of processes is brought forward, for whatever boot.
#[derive(Debug)]
pub struct Following {
    pub facts: FactSet,
    pub executions: Arc<[Execution]>,
    /// By boot.
    pub users: BTreeMap<usize, Arc<Users>>,
}

impl Following {
    pub fn processes(&self, boot: usize) -> Processes {
        Processes::new(self.facts, Arc::clone(&self.executions), self.users(boot))
    }

    pub fn users(&self, boot: usize) -> Arc<Users> {
        self.users.get(&boot).map(Arc::clone).unwrap_or_default()
    }
}

/// Tells what is known of the time before `end`: processes that were there when recordings began, and what unseen rows say.
pub fn reach(
    processes: &mut BTreeMap<usize, Processes>,
    beginnings: &mut VecDeque<(u64, usize, u16)>,
    unseen: &mut Unseen,
    end: u64,
    source: &Source,
    following: &Following,
) -> format::Result<()> {
    loop {
        let begins = beginnings.front().map(|(time, ..)| *time).filter(|time| *time < end);
        let next = unseen.first().filter(|time| *time < end);
        // Of one time the beginning comes first.
        if let Some(time) = begins
            && next.is_none_or(|next| time <= next)
        {
            if let Some((_, file, host)) = beginnings.pop_front() {
                begin(processes, source, (file, host), following);
            }
        } else if next.is_some() {
            unseen.tell(&mut |boot, row| {
                row.tell(processes.entry(boot).or_insert_with(|| following.processes(boot)))
            })?;
        } else {
            return Ok(());
        }
    }
}

/// Tells the processes that were there when the recording of a host began.
pub fn begin(
    processes: &mut BTreeMap<usize, Processes>,
    source: &Source,
    (file, number): (usize, u16),
    following: &Following,
) {
    let Some(file) = source.files().get(file) else { return };
    let Some(host) = file.host(number) else { return };
    // Of one host all is told at once, and need not be kept.
    let all = match file.hosts.len() {
        0 | 1 => file.capture.records().unwrap_or_default().processes,
        _ => file.capture.processes().iter().filter(|process| process.host == number).cloned().collect(),
    };
    processes.entry(host.boot).or_insert_with(|| following.processes(host.boot)).snapshot(all);
}

/// Brings processes forward by a row, with its time, result and marks.
pub fn change(
    processes: &mut Processes,
    block: &Block,
    (code, ordinal): (u16, u32),
    event: Option<EventId>,
    context: &Context<'_>,
    (time_ns, ret, marks): (u64, i64, Marks),
) -> format::Result<()> {
    let Some(event) = event else { return Ok(()) };
    let declared = events::catalogue::by_id(event);
    let at = |position: usize| block.args(code).get(ordinal as usize, position);
    let arg = |name: &str| match declared.and_then(|event| event.arg(name)) {
        Some((position, _)) => at(position),
        None => Ok(events::Raw::Missing),
    };
    match event {
        SCHED_PROCESS_FORK => {
            let number = |raw| match raw {
                events::Raw::Number(number) => number,
                _ => 0,
            };
            let (pid, tid) = (number(arg("child_pid")?) as u32, number(arg("child_tid")?) as u32);
            // A new thread is no new process.
            if pid == tid {
                let child = Entity { pid, start_ns: number(arg("start_time")?) };
                let ns_pid = number(arg("child_ns_pid")?) as u32;
                processes.fork(context, child, ns_pid, number(arg("clone_flags")?));
            }
        }
        SCHED_PROCESS_EXEC => {
            let program = Program::of(arg("upper_layer")?, arg("memfd")?);
            processes.exec(context, time_ns, (arg("pathname")?, program), arg("argv")?, arg("env")?);
        }
        _ => {}
    }
    if FactChange::may_be(event) {
        let read = |position: usize| at(position).unwrap_or(events::Raw::Missing);
        if let Some(change) = FactChange::of(event, ret, marks, &read) {
            processes.change(context, &change);
        }
    }
    Ok(())
}
