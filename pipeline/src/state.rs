//! What a block is judged by that stands in other blocks: who descends from whom.
//!
//! Blocks are judged on many threads, but ancestry is told in order of time. So one thread at a time brings the state
//! forward to the end of the next block and takes out what that block's contexts need of it. A process's bits are constant
//! from its fork on, so forks that are told a little early do no harm.

use std::collections::BTreeMap;

use events::catalogue::process::{SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK};
use events::context::Entity;
use events::{Context, EventId, Raw};
use format::{Block, Process, Scratch};
use scopes::{Lineage, LineageBits, Plan, Subject};

use crate::source::{BlockRef, File, Host};
use crate::{Error, Matcher, Result, Source};

/// The state of processes, brought forward block by block in order of time.
#[derive(Debug)]
pub struct State<'a> {
    source: &'a Source,
    plans: Vec<&'a Plan>,
    /// One for each boot (a process is the same in all files of one boot) and plan.
    lineages: Vec<Lineage>,
    /// By file and host: which lineage; empty when nobody asks for any.
    of: BTreeMap<(usize, u16), usize>,
    /// Blocks up to here were read for their forks and exits.
    read: usize,
    /// Read, and not told yet: later than the block that was judged last.
    pending: Vec<Change>,
    scratch: Scratch,
}

/// A fork or an exit, with all that is needed to tell it.
#[derive(Clone, Debug)]
struct Change {
    /// On the ordering clock.
    time: u64,
    /// On the boot clock of its host.
    boot_ns: u64,
    lineage: usize,
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

impl<'a> State<'a> {
    pub fn new(source: &'a Source, matchers: &[Matcher<'a>]) -> State<'a> {
        let mut state = State {
            source,
            plans: matchers.iter().map(Matcher::plan).collect(),
            lineages: Vec::new(),
            of: BTreeMap::new(),
            read: 0,
            pending: Vec::new(),
            scratch: Scratch::new(),
        };
        let mut known: BTreeMap<(&str, *const Plan), usize> = BTreeMap::new();
        for (number, (file, plan)) in source.files().iter().zip(&state.plans).enumerate() {
            if !plan.needs().lineage {
                continue;
            }
            for (host_number, host) in (0u16..).zip(&file.hosts) {
                let of = *known.entry((&host.boot_id, *plan)).or_insert_with(|| {
                    state.lineages.push(Lineage::new(plan));
                    state.lineages.len() - 1
                });
                state.of.insert((number, host_number), of);
                if let Some(lineage) = state.lineages.get_mut(of) {
                    tell_snapshot(lineage, plan, file, host_number, host);
                }
            }
        }
        state
    }

    /// The lineage of each context of a block, by code; empty when nobody asks. Blocks must come in the source's order,
    /// though some may be left out.
    pub fn lineage(&mut self, block: BlockRef) -> Result<Vec<LineageBits>> {
        if self.of.is_empty() {
            return Ok(Vec::new());
        }
        for lineage in &mut self.lineages {
            lineage.forget(block.first);
        }
        while let Some(next) = self.source.blocks().get(self.read).filter(|next| next.first <= block.last) {
            self.read_changes(*next)?;
            self.read += 1;
        }
        self.pending.sort_by_key(|change| change.time);
        let due = self.pending.partition_point(|change| change.time <= block.last);
        let due: Vec<Change> = self.pending.drain(..due).collect();
        due.iter().for_each(|change| self.tell(change));
        self.bits(block)
    }

    fn bits(&mut self, reference: BlockRef) -> Result<Vec<LineageBits>> {
        let Some(file) = self.source.file(reference) else { return Ok(Vec::new()) };
        let damaged = |source| Error::Capture { file: file.name.clone(), source };
        let block = file.capture.block(reference.block, &mut self.scratch).map_err(damaged)?;
        let lineage = self.of.get(&(reference.file, block.host())).and_then(|of| self.lineages.get(*of));
        let Some(lineage) = lineage else { return Ok(Vec::new()) };
        Ok(block.contexts().map_err(damaged)?.iter().map(|context| lineage.bits(&context)).collect())
    }

    /// Takes the forks and exits out of a block.
    fn read_changes(&mut self, reference: BlockRef) -> Result<()> {
        let (Some(file), Some(info)) = (self.source.file(reference), self.source.info(reference)) else {
            return Ok(());
        };
        let Some(lineage) = self.of.get(&(reference.file, info.host())).copied() else { return Ok(()) };
        if info.statistics.rows_of(SCHED_PROCESS_FORK) == 0
            && info.statistics.rows_of(SCHED_PROCESS_EXIT) == 0
        {
            return Ok(());
        }
        let damaged = |source| Error::Capture { file: file.name.clone(), source };
        let block = file.capture.block(reference.block, &mut self.scratch).map_err(damaged)?;
        changes(&block, &mut |row_time, context, what| {
            self.pending.push(Change {
                time: file.key(info.host(), row_time),
                boot_ns: row_time,
                lineage,
                file: reference.file,
                host: info.host(),
                context: Context { comm: b"", exe: b"", uts: b"", ..*context },
                text: [context.comm.to_vec(), context.exe.to_vec(), context.uts.to_vec()],
                what,
            });
        })
        .map_err(damaged)
    }

    fn tell(&mut self, change: &Change) {
        let (Some(lineage), Some(plan)) =
            (self.lineages.get_mut(change.lineage), self.plans.get(change.file))
        else {
            return;
        };
        let [comm, exe, uts] = &change.text;
        let context = Context { comm, exe, uts, ..change.context };
        match change.what {
            What::Exit => lineage.exit(context.process(), change.time),
            What::Fork(child) => {
                let host = self.source.files().get(change.file).and_then(|file| file.host(change.host));
                let Some(host) = host else { return };
                let container = host.containers.get(context.cgroup_id).map(|container| container.facts());
                let subject = Subject {
                    context: &context,
                    container: container.as_ref(),
                    lineage: LineageBits::default(),
                    recording: host.recording,
                    time_ns: change.boot_ns,
                };
                lineage.fork(plan, &subject, child);
            }
        }
    }
}

/// Calls `see` with the time, context and meaning of each fork of a process and each end of one.
fn changes(block: &Block, see: &mut dyn FnMut(u64, &Context<'_>, What)) -> format::Result<()> {
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

/// Tells the processes that were there when recording began.
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
