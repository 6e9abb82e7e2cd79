//! Who descends from whom: the first client of the stage with state.
//!
//! A process's bits are constant from its fork on, so forks that are told a little early do no harm. Of each boot there is
//! one state for each plan, whatever number of files the boot is in: a process forked in one part of a rotated set is the
//! same in the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use events::Context;
use events::catalogue::process::{SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK};
use events::context::Entity;
use format::Process;
use scopes::{Lineage, LineageBits, Plan, Subject};

use crate::source::{File, Host};
use crate::stage::{Client, Reads, Scanned, Told};
use crate::{Matcher, Source};

/// The state of processes of all boots.
#[derive(Clone, Debug)]
pub struct Lineages<'a> {
    source: &'a Source,
    states: Vec<State<'a>>,
    /// By file and host: the state that answers for it.
    of: BTreeMap<(usize, u16), usize>,
    columns: Columns,
}

#[derive(Clone, Debug)]
struct State<'a> {
    boot: usize,
    plan: &'a Plan,
    /// Blocks that were judged by it may still be looked at: then it is copied before it goes on.
    lineage: Arc<Lineage>,
}

/// What is read of the rows of processes.
pub(crate) fn reads() -> Vec<Reads> {
    let columns = Columns::new();
    vec![
        Reads {
            event: SCHED_PROCESS_FORK,
            args: vec![columns.child_pid, columns.start_time],
            contexts: true,
            results: false,
            only: None,
            descriptors: None,
        },
        Reads {
            event: SCHED_PROCESS_EXIT,
            args: vec![columns.whole],
            contexts: true,
            results: false,
            only: None,
            descriptors: None,
        },
    ]
}

/// Where the arguments stand that are read.
#[derive(Clone, Copy, Debug)]
struct Columns {
    child_pid: usize,
    start_time: usize,
    whole: usize,
}

impl Columns {
    fn new() -> Columns {
        // A position that no event has: its value is missing.
        let position = |event, name| {
            let declared = events::catalogue::by_id(event).and_then(|event| event.arg(name));
            declared.map_or(usize::MAX, |(position, _)| position)
        };
        Columns {
            child_pid: position(SCHED_PROCESS_FORK, "child_pid"),
            start_time: position(SCHED_PROCESS_FORK, "start_time"),
            whole: position(SCHED_PROCESS_EXIT, "process_group_exit"),
        }
    }
}

impl<'a> Lineages<'a> {
    /// The states that matchers need. `None` when none of them asks for lineage.
    pub fn new(source: &'a Source, matchers: &[Matcher<'a>]) -> Option<Lineages<'a>> {
        let mut states: Vec<State<'a>> = Vec::new();
        let mut of = BTreeMap::new();
        let files = source.files().iter().enumerate();
        for ((number, file), matcher) in files.zip(matchers) {
            for (host_number, host) in (0u16..).zip(&file.hosts) {
                let plan = matcher.of_host(host_number).plan();
                if !plan.needs().lineage {
                    continue;
                }
                let known =
                    states.iter().position(|state| state.boot == host.boot && std::ptr::eq(state.plan, plan));
                let at = known.unwrap_or_else(|| {
                    states.push(State { boot: host.boot, plan, lineage: Arc::new(Lineage::new(plan)) });
                    states.len() - 1
                });
                of.insert((number, host_number), at);
            }
        }
        (!states.is_empty()).then_some(Lineages { source, states, of, columns: Columns::new() })
    }

    /// The lineage of the processes of a host, as it is now; `None` where nobody asks for it.
    pub(crate) fn now(&self, file: usize, host: u16) -> Option<Arc<Lineage>> {
        let state = self.of.get(&(file, host)).and_then(|at| self.states.get(*at));
        state.map(|state| Arc::clone(&state.lineage))
    }

    /// The lineage of a task that did something in a scanned block, as it is now.
    pub(crate) fn of_task(&self, of: &Scanned, context: &Context<'_>) -> LineageBits {
        let state = self.of.get(&(of.file, of.block.host())).and_then(|at| self.states.get(*at));
        state.map_or(LineageBits::default(), |state| state.lineage.bits(context))
    }

    /// The lineage of a process of a boot, as it is now.
    pub fn of_process(&self, boot: usize, plan: &Plan, context: &Context<'_>) -> LineageBits {
        let state = self.states.iter().find(|state| state.boot == boot && std::ptr::eq(state.plan, plan));
        state.map_or(LineageBits::default(), |state| state.lineage.bits(context))
    }

    /// What [`crate::History`] is to read for it.
    pub fn reads() -> Vec<Reads> {
        reads()
    }

    /// By number of boot: whether somebody asks for lineage there.
    pub(crate) fn boots(&self) -> Vec<bool> {
        let most = self.states.iter().map(|state| state.boot + 1).max().unwrap_or_default();
        (0..most).map(|boot| self.states.iter().any(|state| state.boot == boot)).collect()
    }

    /// When the recordings begin that have something to tell: time, file and host.
    pub(crate) fn beginnings(&self) -> Vec<(u64, usize, u16)> {
        self.source.beginnings(|boot| self.states.iter().any(|state| state.boot == boot))
    }

    fn fork(&mut self, row: &Told<'_>, context: &Context<'_>) {
        let child = row.number(self.columns.child_pid).zip(row.number(self.columns.start_time));
        let Some((pid, start_ns)) = child else { return };
        let file = self.source.files().get(row.of.file);
        let Some(host) = file.and_then(|file| file.host(row.of.block.host())) else { return };
        let container = host.containers().get(context.cgroup_id).map(|container| container.facts());
        let subject = Subject {
            context,
            container: container.as_ref(),
            lineage: LineageBits::default(),
            recording: host.recording(),
            host: &host.name,
            time_ns: row.boot_ns(),
        };
        for state in self.states.iter_mut().filter(|state| state.boot == row.of.boot) {
            Arc::make_mut(&mut state.lineage).fork(
                state.plan,
                &subject,
                Entity { pid: pid as u32, start_ns },
            );
        }
    }

    fn exit(&mut self, row: &Told<'_>, context: &Context<'_>) {
        // Where the event does not say whether the whole process ends, its main thread stands for it.
        let ends = row.number(self.columns.whole).map_or(context.pid == context.tid, |whole| whole != 0);
        if !ends {
            return;
        }
        for state in self.states.iter_mut().filter(|state| state.boot == row.of.boot) {
            Arc::make_mut(&mut state.lineage).exit(context.process(), row.time);
        }
    }
}

impl Client for Lineages<'_> {
    fn begin(&mut self, file: usize, number: u16) {
        let Some(file) = self.source.files().get(file) else { return };
        let Some(host) = file.host(number) else { return };
        for state in self.states.iter_mut().filter(|state| state.boot == host.boot) {
            tell_snapshot(Arc::make_mut(&mut state.lineage), state.plan, file, number, host);
        }
    }

    fn tell(&mut self, row: &Told<'_>) {
        let is_fork = row.event == SCHED_PROCESS_FORK;
        if !is_fork && row.event != SCHED_PROCESS_EXIT {
            return;
        }
        let Some(context) = row.context() else { return };
        if is_fork { self.fork(row, &context) } else { self.exit(row, &context) }
    }

    fn forget(&mut self, first: u64) {
        for state in self.states.iter_mut().filter(|state| state.lineage.forgets_any(first)) {
            Arc::make_mut(&mut state.lineage).forget(first);
        }
    }
}

/// Tells the processes that were there when a file's recording began.
fn tell_snapshot(lineage: &mut Lineage, plan: &Plan, file: &File, number: u16, host: &Host) {
    // Of one host all is told at once, and need not be kept.
    let read;
    let all = if file.hosts.len() > 1 {
        file.capture.processes()
    } else {
        read = file.capture.records().unwrap_or_default();
        &read.processes
    };
    let processes = || all.iter().filter(move |process| process.host == number);
    let contexts: Vec<Context<'_>> = processes().map(Process::context).collect();
    let facts: Vec<_> = contexts
        .iter()
        .map(|context| host.containers().get(context.cgroup_id).map(|it| it.facts()))
        .collect();
    let subjects: Vec<Subject<'_>> = contexts
        .iter()
        .zip(&facts)
        .map(|(context, container)| Subject {
            context,
            container: container.as_ref(),
            lineage: LineageBits::default(),
            recording: host.recording(),
            host: &host.name,
            time_ns: host.start_ns,
        })
        .collect();
    lineage.snapshot(plan, &subjects);
}
