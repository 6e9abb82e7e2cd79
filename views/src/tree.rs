//! The processes of a capture over time: who started whom, with what command line, when each began and ended and how, and
//! what of an answer each did.

use std::cmp::Reverse;

use events::context::{Credentials, Entity};
use events::{Names, Raw, catalogue, value};
use format::Block;
use hashbrown::HashMap;
use pipeline::source::{BootClocks, File};
use pipeline::{Batch, EventView, Projection, Source};

use crate::blocks;
use crate::known::Who;
use crate::sightings::{self, Sighting, outrank};
use crate::text;

/// One process of one boot.
#[derive(Clone, Debug, Default)]
pub struct Process {
    pub host: String,
    pub boot: usize,
    pub pid: u32,
    /// Start on the boot clock, ns; cut to clock ticks where only /proc told it.
    pub start_ns: u64,
    /// The parent that started it, as far as is known: not who took it over later.
    pub parent: Option<Entity>,
    pub comm: Vec<u8>,
    pub exe: Vec<u8>,
    /// Of its last exec; empty where nobody saw one.
    pub argv: Vec<Vec<u8>>,
    pub uid: u32,
    pub credentials: Option<Credentials>,
    pub container: String,
    /// Wall clock, ns since the epoch.
    pub start_wall_ns: Option<i64>,
    pub end_wall_ns: Option<i64>,
    pub exit: Option<Exit>,
    /// Of the answer.
    pub tally: Tally,
    /// A second question found events of it.
    pub is_marked: bool,
    pub children: Vec<usize>,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Exit {
    pub code: i64,
    /// 0: none.
    pub signal: u64,
}

impl Exit {
    /// The name of the signal that ended it.
    pub fn signal_name(self) -> Option<&'static str> {
        if self.signal == 0 { None } else { Names::Signal.table().and_then(|table| table.name(self.signal)) }
    }
}

impl Process {
    pub fn duration_ns(&self) -> Option<i64> {
        Some(self.end_wall_ns?.saturating_sub(self.start_wall_ns?).max(0))
    }

    pub fn entity(&self) -> Entity {
        Entity { pid: self.pid, start_ns: self.start_ns }
    }

    /// `0`, `SIGKILL`; `-` of one that was still there at the end, or that nobody saw end.
    pub fn exit_text(&self) -> String {
        match self.exit {
            None => "-".to_owned(),
            Some(exit) if exit.signal != 0 => match exit.signal_name() {
                Some(name) => name.to_owned(),
                None => format!("signal {}", exit.signal),
            },
            Some(exit) => exit.code.to_string(),
        }
    }

    /// The command line where it is known, else the name in brackets, as `ps` has it.
    pub fn command(&self) -> Vec<u8> {
        let mut command = Vec::new();
        if self.argv.is_empty() && !self.comm.is_empty() {
            command.push(b'[');
            text::shown(&self.comm, &mut command);
            command.push(b']');
        }
        for (at, word) in self.argv.iter().enumerate() {
            if at > 0 {
                command.push(b' ');
            }
            text::shown(word, &mut command);
        }
        command
    }
}

/// `12.345ms`, `1.234s`, `2m03s`, `1h02m`.
pub fn duration(ns: i64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0 => format!("{:.3}ms", ns as f64 / 1e6),
        1..60 => format!("{:.3}s", ns as f64 / 1e9),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// What an answer has of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub events: u64,
    /// Calls that failed.
    pub failures: u64,
    /// Scopes that saw any of them.
    pub scopes: u64,
}

impl Tally {
    fn event(&mut self, failed: bool, scopes: u64) {
        self.events += 1;
        self.failures += u64::from(failed);
        self.scopes |= scopes;
    }

    pub fn add(&mut self, more: Tally) {
        self.events += more.events;
        self.failures += more.failures;
        self.scopes |= more.scopes;
    }
}

/// All processes, and which have no parent.
#[derive(Debug, Default)]
pub struct Forest {
    pub processes: Vec<Process>,
    pub roots: Vec<usize>,
    by_who: HashMap<Who, usize>,
}

/// A process on the way through a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    pub process: usize,
    pub depth: usize,
}

impl Forest {
    /// Reads who there was from what stands beside the rows, from the contexts of all blocks, and from execs and exits.
    /// Memory is about 300 bytes a process and its command line. Blocks that cannot be read are told by whoever asks them.
    pub fn of(source: &Source, threads: usize) -> format::Result<Forest> {
        let mut learning = Learning::default();
        sightings::of_snapshots(source, &mut |sighting, argv| {
            let at = learning.learn(sighting);
            if let (Some(process), Some(ranks)) = learning.at(at) {
                let began_ns = *sighting.seen_ns.start();
                outrank(&mut ranks.exec, began_ns, &mut process.argv, || strings(argv));
            }
        });
        blocks::each(source, threads, &touch, &mut |file, block| {
            sightings::of_block(file, block, &mut |sighting| {
                learning.learn(sighting);
            })?;
            learning.lives(file, block)
        })?;
        let mut forest = learning.forest;
        // A process may have begun in a part that has no row of it, before the wall clock was set.
        let clocks = BootClocks::of(source);
        for process in forest.processes.iter_mut() {
            process.start_wall_ns = clocks.wall(process.boot, process.start_ns);
        }
        forest.grow();
        Ok(forest)
    }

    /// The process that this is.
    pub fn find(&self, who: &Who) -> Option<&Process> {
        self.place(who).and_then(|at| self.processes.get(at))
    }

    /// Where it stands among all.
    pub fn place(&self, who: &Who) -> Option<usize> {
        self.by_who.get(who).copied()
    }

    /// Hangs processes below their parents. One whose parent nobody saw gets one of which only the pid is known.
    fn grow(&mut self) {
        let mut at = 0;
        while let Some(process) = self.processes.get(at) {
            let (boot, host, parent) = (process.boot, process.host.clone(), process.parent);
            match parent {
                None => self.roots.push(at),
                Some(Entity { pid, start_ns }) => {
                    let above = *self.by_who.entry(Who::new(boot, pid, start_ns)).or_insert_with(|| {
                        self.processes.push(Process { host, boot, pid, start_ns, ..Process::default() });
                        self.processes.len() - 1
                    });
                    match self.processes.get_mut(above).filter(|_| above != at) {
                        Some(above) => above.children.push(at),
                        None => self.roots.push(at),
                    }
                }
            }
            at += 1;
        }
        let order: Vec<_> = self.processes.iter().map(|it| (it.boot, it.start_ns, it.pid)).collect();
        let key = |at: &usize| order.get(*at).copied();
        self.roots.sort_by_key(key);
        self.processes.iter_mut().for_each(|process| process.children.sort_by_key(key));
        self.open_circles();
    }

    /// Damage may make a process its own ancestor: it becomes a root, so that each process is told once.
    fn open_circles(&mut self) {
        let mut seen = vec![false; self.processes.len()];
        let mut stack = self.roots.clone();
        let mut first = 0;
        loop {
            while let Some(at) = stack.pop() {
                if let Some(seen) = seen.get_mut(at) {
                    *seen = true;
                }
                let Some(process) = self.processes.get_mut(at) else { continue };
                process.children.retain(|child| !seen.get(*child).copied().unwrap_or(true));
                stack.extend(&process.children);
            }
            let Some(next) = seen.iter().skip(first).position(|seen| !seen) else { return };
            first += next;
            self.roots.push(first);
            stack.push(first);
        }
    }

    /// What is read of the rows of batches.
    pub fn projection() -> Projection {
        Projection { contexts: true, rets: true, ..Projection::NONE }
    }

    /// What an answer has of a block's processes, by their places; any thread may ask.
    pub fn tally(&self, batch: &Batch<'_>) -> format::Result<Vec<(usize, Tally)>> {
        let is_call: Vec<bool> = (0..batch.block().event_list().len() as u16)
            .map(|code| batch.event(code).is_some_and(events::Event::is_syscall))
            .collect();
        let mut tallies: Vec<(usize, Tally)> = Vec::new();
        batch.each_deriving(&mut |event: &EventView<'_>| {
            if let Some(at) = self.by_who.get(&Who::of(event.host.boot, event.context)) {
                let mut tally = Tally::default();
                tally.event(event.event.is_syscall() && event.ret < 0, event.scopes);
                tallies.push((*at, tally));
            }
        })?;
        let block = batch.block();
        let mut of_contexts = vec![Tally::default(); block.context_count()];
        let (context_codes, event_codes, rets) =
            (block.context_codes()?, block.event_codes()?, block.rets()?);
        for (row, _, scopes) in batch.rows() {
            let row = row as usize;
            let (Some(context), Some(event)) = (context_codes.get(row), event_codes.get(row)) else {
                continue;
            };
            if let Some(tally) = of_contexts.get_mut(usize::from(*context)) {
                let is_call = is_call.get(usize::from(*event)).copied().unwrap_or(false);
                tally.event(is_call && rets.get(row).is_some_and(|ret| *ret < 0), scopes);
            }
        }
        let (contexts, boot) = (block.contexts()?, batch.host().boot);
        for (code, tally) in (0u16..).zip(of_contexts).filter(|(_, tally)| tally.events > 0) {
            let who = contexts.get(code).map(|context| Who::of(boot, &context));
            tallies.extend(who.and_then(|who| Some((*self.by_who.get(&who)?, tally))));
        }
        Ok(tallies)
    }

    /// The processes in order, each below its parent: those that `keeps` wants, and the way to their roots.
    pub fn walk(&self, keeps: impl Fn(&Process) -> bool) -> Vec<Step> {
        let all = self.below(&self.roots);
        let mut kept: Vec<bool> = self.processes.iter().map(keeps).collect();
        // Children stand behind their parents, so from the end on each passes on what it knows.
        for Step { process, .. } in all.iter().rev() {
            let children = self.processes.get(*process).map_or(&[][..], |it| it.children.as_slice());
            if children.iter().any(|child| kept.get(*child).copied().unwrap_or(false))
                && let Some(kept) = kept.get_mut(*process)
            {
                *kept = true;
            }
        }
        all.into_iter().filter(|step| kept.get(step.process).copied().unwrap_or(false)).collect()
    }

    /// These processes and all below them.
    pub fn below(&self, roots: &[usize]) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut stack: Vec<Step> = roots.iter().rev().map(|root| Step { process: *root, depth: 0 }).collect();
        while let Some(step) = stack.pop() {
            steps.push(step);
            let children = self.processes.get(step.process).map_or(&[][..], |it| it.children.as_slice());
            stack.extend(children.iter().rev().map(|child| Step { process: *child, depth: step.depth + 1 }));
        }
        steps
    }
}

/// A forest that is being read, and what the facts of its processes rank by.
#[derive(Default)]
struct Learning {
    forest: Forest,
    ranks: Vec<Ranks>,
}

/// When the facts of a process were seen. Threads may have names and users of their own: the process has its leader's, if that
/// was seen.
#[derive(Default)]
struct Ranks {
    parent: Option<Reverse<u64>>,
    comm: Option<(bool, u64)>,
    uid: Option<(bool, u64)>,
    credentials: Option<(bool, u64)>,
    exe: Option<u64>,
    container: Option<u64>,
    exec: Option<u64>,
    exit: Option<u64>,
}

impl Learning {
    fn at(&mut self, at: usize) -> (Option<&mut Process>, Option<&mut Ranks>) {
        (self.forest.processes.get_mut(at), self.ranks.get_mut(at))
    }

    fn learn(&mut self, sighting: &Sighting<'_>) -> usize {
        let Sighting { file, host, context, seen_ns } = sighting;
        let (boot, known) = (sighting.boot(), file.host(*host));
        let processes = &mut self.forest.processes;
        let at = *self.forest.by_who.entry(Who::of(boot, context)).or_insert_with(|| {
            let name = known.map(|host| host.name.clone()).unwrap_or_default();
            processes.push(Process { host: name, boot, pid: context.pid, ..Process::default() });
            self.ranks.push(Ranks::default());
            processes.len() - 1
        });
        let (Some(process), Some(ranks)) = self.at(at) else { return at };
        let (first_ns, last_ns) = (*seen_ns.start(), *seen_ns.end());
        // /proc cuts starts to ticks; a context knows the nanosecond.
        let start_ns = context.process_start_ns;
        process.start_ns = process.start_ns.max(start_ns);
        let parent = || Some(context.parent()).filter(|parent| parent.pid != 0);
        outrank(&mut ranks.parent, Reverse(first_ns), &mut process.parent, parent);
        let of_leader = context.pid == context.tid;
        outrank(&mut ranks.comm, (of_leader, last_ns), &mut process.comm, || context.comm.to_vec());
        outrank(&mut ranks.uid, (of_leader, last_ns), &mut process.uid, || context.uid);
        if context.credentials.is_some() {
            outrank(&mut ranks.credentials, (of_leader, last_ns), &mut process.credentials, || {
                context.credentials
            });
        }
        if !context.exe.is_empty() {
            outrank(&mut ranks.exe, last_ns, &mut process.exe, || context.exe.to_vec());
        }
        if let Some(container) = known.and_then(|host| host.containers().get(context.cgroup_id)) {
            let shown = if container.name.is_empty() { &container.id } else { &container.name };
            outrank(&mut ranks.container, last_ns, &mut process.container, || shown.clone());
        }
        at
    }

    /// Takes command lines and ends from a block's execs and exits, also those that are there for the state alone.
    fn lives(&mut self, file: &File, block: &Block) -> format::Result<()> {
        let boot = file.host(block.host()).map_or(0, |host| host.boot);
        for (code, id) in (0u16..).zip(block.event_list()) {
            let Some(event) = catalogue::by_id(*id) else { continue };
            let is_exec = event.name == "sched_process_exec";
            if !is_exec && event.name != "sched_process_exit" {
                continue;
            }
            let table = block.args(code);
            let column = |arg: &str| table.column(event.arg(arg).map_or(usize::MAX, |(at, _)| at));
            let (times, contexts, context_codes) =
                (block.times()?, block.contexts()?, block.context_codes()?);
            let rows = block.event_codes()?.iter().enumerate().filter(|(_, known)| **known == code);
            let argv = if is_exec { Some(column("argv")?) } else { None };
            let (exit, signal, is_group) = if is_exec {
                (None, None, None)
            } else {
                (
                    Some(column("exit_code")?),
                    Some(column("signal_code")?),
                    Some(column("process_group_exit")?),
                )
            };
            for (ordinal, (row, _)) in rows.enumerate() {
                let context = context_codes.get(row).and_then(|code| contexts.get(*code));
                let (Some(context), Some(time)) = (context, times.get(row)) else { continue };
                let Some(at) = self.forest.by_who.get(&Who::of(boot, &context)).copied() else { continue };
                let (Some(process), Some(ranks)) = self.at(at) else { continue };
                if let Some(argv) = &argv {
                    if let Raw::Bytes(bytes) = argv.get(ordinal) {
                        outrank(&mut ranks.exec, *time, &mut process.argv, || strings(bytes));
                    }
                    continue;
                }
                let number = |column: &Option<format::ColumnView<'_>>| match column.map(|it| it.get(ordinal))
                {
                    Some(Raw::Number(number)) => Some(number),
                    _ => None,
                };
                // A thread that ends alone ends no process.
                if number(&is_group).map_or(context.pid == context.tid, |is| is != 0) {
                    let code = number(&exit).unwrap_or(0) as i64;
                    let signal = number(&signal).unwrap_or(0) & 0x7f;
                    // As its row is told: by the clock of its block.
                    let end_wall_ns = Some(block.clock().wall(*time) as i64);
                    let mut end = (process.exit, process.end_wall_ns);
                    outrank(&mut ranks.exit, *time, &mut end, || (Some(Exit { code, signal }), end_wall_ns));
                    (process.exit, process.end_wall_ns) = end;
                }
            }
        }
        Ok(())
    }
}

/// A command line, as execs and snapshots hold it.
fn strings(argv: &[u8]) -> Vec<Vec<u8>> {
    value::strings(argv).map(<[u8]>::to_vec).collect()
}

/// Columns that lives are read from: contexts, and the rows of execs and exits.
fn touch(block: &Block) -> format::Result<()> {
    sightings::touch(block)?;
    let is_told = |id: &events::EventId| {
        catalogue::by_id(*id)
            .is_some_and(|event| event.name == "sched_process_exec" || event.name == "sched_process_exit")
    };
    if block.event_list().iter().any(is_told) {
        block.event_codes()?;
    }
    Ok(())
}
