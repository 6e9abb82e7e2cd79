//! Who descends from whom: the first client of the stage with state.
//!
//! A process's bits are constant from its fork on, so forks that are told a little early do no harm. Of each boot there is
//! one state for each plan, whatever number of files the boot is in: a process forked in one part of a rotated set is the
//! same in the next.

use std::collections::BTreeMap;

use events::catalogue::process::{SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK};
use events::context::Entity;
use events::{Context, EventId, Raw};
use format::{Block, BlockInfo, Process};
use scopes::{Lineage, LineageBits, Plan, Subject};

use crate::source::{File, Host};
use crate::stage::Forward;
use crate::{Matcher, Source};

/// The state of processes of all boots.
#[derive(Clone, Debug)]
pub(crate) struct Lineages<'a> {
    source: &'a Source,
    states: Vec<State<'a>>,
    /// By file and host: the state that answers for it.
    of: BTreeMap<(usize, u16), usize>,
}

#[derive(Clone, Debug)]
struct State<'a> {
    boot: usize,
    plan: &'a Plan,
    lineage: Lineage,
}

/// Something that changes the state of one boot.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The processes that were there when a file's recording began.
    Snapshot { file: usize, host: u16 },
    /// A fork or an exit, with all that is needed to tell it.
    Task(Box<Task>),
}

#[derive(Clone, Debug)]
pub(crate) struct Task {
    /// On the ordering clock.
    time: u64,
    /// On the boot clock of its host.
    boot_ns: u64,
    file: usize,
    host: u16,
    /// Of the forking or ending task, its strings in `text`.
    context: Context<'static>,
    text: [Vec<u8>; 3],
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Fork(Entity),
    Exit,
}

impl<'a> Lineages<'a> {
    /// The states that matchers need, and the snapshots that they are to be told with their times. `None` when none of
    /// them asks for lineage.
    pub fn new(source: &'a Source, matchers: &[Matcher<'a>]) -> Option<(Lineages<'a>, Vec<(u64, Change)>)> {
        let mut states: Vec<State<'a>> = Vec::new();
        let (mut of, mut snapshots) = (BTreeMap::new(), Vec::new());
        let files = || source.files().iter().enumerate();
        for ((number, file), plan) in files().zip(matchers.iter().map(Matcher::plan)) {
            if !plan.needs().lineage {
                continue;
            }
            for (host_number, host) in (0u16..).zip(&file.hosts) {
                let known =
                    states.iter().position(|state| state.boot == host.boot && std::ptr::eq(state.plan, plan));
                let at = known.unwrap_or_else(|| {
                    states.push(State { boot: host.boot, plan, lineage: Lineage::new(plan) });
                    states.len() - 1
                });
                of.insert((number, host_number), at);
            }
        }
        if states.is_empty() {
            return None;
        }
        let is_asked = |boot: usize| states.iter().any(|state| state.boot == boot);
        for (number, file) in files() {
            for (host_number, host) in (0u16..).zip(&file.hosts) {
                if is_asked(host.boot) {
                    let change = Change::Snapshot { file: number, host: host_number };
                    snapshots.push((file.start(host_number), change));
                }
            }
        }
        snapshots.sort_by_key(|(time, _)| *time);
        // What a boot's oldest recording knew holds from the beginning.
        let mut begun = Vec::new();
        for (time, change) in &mut snapshots {
            let Change::Snapshot { file, host } = change else { continue };
            let host = source.files().get(*file).and_then(|file| file.host(*host));
            if let Some(host) = host.filter(|host| !begun.contains(&host.boot)) {
                begun.push(host.boot);
                *time = 0;
            }
        }
        Some((Lineages { source, states, of }, snapshots))
    }

    /// Whether a block has anything to tell.
    pub fn is_told_by(&self, boot: usize, info: &BlockInfo) -> bool {
        (info.statistics.rows_of(SCHED_PROCESS_FORK) > 0 || info.statistics.rows_of(SCHED_PROCESS_EXIT) > 0)
            && self.states.iter().any(|state| state.boot == boot)
    }

    /// The lineage of each context of a block, by code.
    pub fn bits(&self, file: usize, block: &Block) -> format::Result<Vec<LineageBits>> {
        let state = self.of.get(&(file, block.host())).and_then(|at| self.states.get(*at));
        let Some(State { lineage, .. }) = state else { return Ok(Vec::new()) };
        Ok(block.contexts()?.iter().map(|context| lineage.bits(&context)).collect())
    }

    fn tell_task(&mut self, task: &Task) {
        let Some(file) = self.source.files().get(task.file) else { return };
        let Some(host) = file.host(task.host) else { return };
        let [comm, exe, uts] = &task.text;
        let context = Context { comm, exe, uts, ..task.context };
        for state in self.states.iter_mut().filter(|state| state.boot == host.boot) {
            match task.what {
                What::Exit => state.lineage.exit(context.process(), task.time),
                What::Fork(child) => {
                    let container = host.containers.get(context.cgroup_id).map(|container| container.facts());
                    let subject = Subject {
                        context: &context,
                        container: container.as_ref(),
                        lineage: LineageBits::default(),
                        recording: host.recording,
                        time_ns: task.boot_ns,
                    };
                    state.lineage.fork(state.plan, &subject, child);
                }
            }
        }
    }
}

impl Forward for Lineages<'_> {
    type Change = Change;

    fn tell(&mut self, change: &Change) {
        match change {
            Change::Task(task) => self.tell_task(task),
            Change::Snapshot { file: number, host: host_number } => {
                let Some(file) = self.source.files().get(*number) else { return };
                let Some(host) = file.host(*host_number) else { return };
                for state in self.states.iter_mut().filter(|state| state.boot == host.boot) {
                    tell_snapshot(&mut state.lineage, state.plan, file, *host_number, host);
                }
            }
        }
    }

    fn forget(&mut self, before: u64) {
        self.states.iter_mut().for_each(|state| state.lineage.forget(before));
    }
}

/// The forks of processes in a block and the ends of processes, with their times on the ordering clock.
pub(crate) fn changes(number: usize, file: &File, block: &Block) -> format::Result<Vec<(u64, Change)>> {
    let mut changes = Vec::new();
    let host = block.host();
    each_change(block, &mut |boot_ns, context, what| {
        let time = file.key(host, boot_ns);
        let task = Task {
            time,
            boot_ns,
            file: number,
            host,
            context: Context { comm: b"", exe: b"", uts: b"", ..*context },
            text: [context.comm.to_vec(), context.exe.to_vec(), context.uts.to_vec()],
            what,
        };
        changes.push((time, Change::Task(Box::new(task))));
    })?;
    Ok(changes)
}
/// Calls `see` with the time, context and meaning of each fork of a process and each end of one.
fn each_change(block: &Block, see: &mut dyn FnMut(u64, &Context<'_>, What)) -> format::Result<()> {
    let code_of =
        |id: EventId| block.event_list().iter().position(|event| *event == id).map(|code| code as u16);
    let (fork, exit) = (code_of(SCHED_PROCESS_FORK), code_of(SCHED_PROCESS_EXIT));
    let (times, context_codes, contexts) = (block.times()?, block.context_codes()?, block.contexts()?);
    let column = |code: Option<u16>, id: EventId, name: &str| {
        let position =
            events::catalogue::by_id(id).and_then(|event| event.arg(name)).map(|(position, _)| position);
        match (code, position) {
            (Some(code), Some(position)) => block.args(code).column(position).map(Some),
            _ => Ok(None),
        }
    };
    let child_pid = column(fork, SCHED_PROCESS_FORK, "child_pid")?;
    let start_time = column(fork, SCHED_PROCESS_FORK, "start_time")?;
    let whole = column(exit, SCHED_PROCESS_EXIT, "process_group_exit")?;
    let number =
        |column: &Option<format::ColumnView<'_>>, ordinal| match column.map(|column| column.get(ordinal)) {
            Some(Raw::Number(number)) => Some(number),
            _ => None,
        };
    let (mut forks, mut exits) = (0, 0);
    for (row, code) in block.event_codes()?.iter().enumerate() {
        if Some(*code) != fork && Some(*code) != exit {
            continue;
        }
        let context = context_codes.get(row).and_then(|code| contexts.get(*code));
        let (Some(time), Some(context)) = (times.get(row), context) else { continue };
        if Some(*code) == fork {
            let child = number(&child_pid, forks).zip(number(&start_time, forks));
            forks += 1;
            if let Some((pid, start_ns)) = child {
                see(*time, &context, What::Fork(Entity { pid: pid as u32, start_ns }));
            }
        } else {
            // Where the event does not say whether the whole process ends, its main thread stands for it.
            let ends = number(&whole, exits).map_or(context.pid == context.tid, |whole| whole != 0);
            exits += 1;
            if ends {
                see(*time, &context, What::Exit);
            }
        }
    }
    Ok(())
}

/// Tells the processes that were there when a file's recording began.
fn tell_snapshot(lineage: &mut Lineage, plan: &Plan, file: &File, number: u16, host: &Host) {
    let processes = || file.capture.processes().iter().filter(move |process| process.host == number);
    let contexts: Vec<Context<'_>> = processes().map(context).collect();
    let facts: Vec<_> =
        contexts.iter().map(|context| host.containers.get(context.cgroup_id).map(|it| it.facts())).collect();
    let subjects: Vec<Subject<'_>> = contexts
        .iter()
        .zip(&facts)
        .map(|(context, container)| Subject {
            context,
            container: container.as_ref(),
            lineage: LineageBits::default(),
            recording: host.recording,
            time_ns: host.recording.start_ns,
        })
        .collect();
    lineage.snapshot(plan, &subjects);
}

/// A process of the snapshot as its main thread's context. What /proc does not say is zero.
fn context(process: &Process) -> Context<'_> {
    Context {
        pid: process.pid,
        tid: process.pid,
        ppid: process.ppid,
        ns_pid: process.ns_pid,
        ns_tid: process.ns_pid,
        uid: process.uid,
        gid: process.gid,
        mnt_ns: process.mnt_ns,
        pid_ns: process.pid_ns,
        net_ns: process.net_ns,
        user_ns: process.user_ns,
        cgroup_id: process.cgroup_id,
        thread_start_ns: process.start_ns,
        process_start_ns: process.start_ns,
        parent_start_ns: process.parent_start_ns,
        comm: &process.comm,
        exe: &process.exe,
        ..Context::default()
    }
}
