//! The processes of a capture over time: who started whom, with what command line, when each began and ended and how, and
//! what of an answer each did.

use events::context::Entity;
use events::{Context, Names, Raw, catalogue, value};
use format::{Block, Scratch};
use hashbrown::HashMap;
use pipeline::source::File;
use pipeline::{Batch, EventView, Projection, Source};

use crate::known::Who;

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
    pub container: String,
    /// Wall clock, ns since the epoch.
    pub start_wall_ns: Option<i64>,
    pub end_wall_ns: Option<i64>,
    pub exit: Option<Exit>,
    /// Events of the answer that it did, calls of them that failed, and scopes that saw any.
    pub events: u64,
    pub failures: u64,
    pub scopes: u64,
    /// A second question found events of it.
    pub is_marked: bool,
    pub children: Vec<usize>,
    exec_ns: u64,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    pub fn of(source: &Source) -> format::Result<Forest> {
        let mut forest = Forest::default();
        let mut scratch = Scratch::new();
        for file in source.files() {
            for process in file.capture.processes() {
                let at = forest.learn(file, process.host, &process.context());
                if let Some(known) = forest.processes.get_mut(at).filter(|known| known.argv.is_empty()) {
                    known.argv = value::strings(&process.argv).map(<[u8]>::to_vec).collect();
                }
            }
            for block in 0..file.capture.block_count() {
                let Ok(block) = file.capture.block(block, &mut scratch) else { continue };
                let contexts = block.contexts()?;
                let count = u16::try_from(block.context_count()).unwrap_or(u16::MAX);
                for context in (0..count).filter_map(|code| contexts.get(code)) {
                    forest.learn(file, block.host(), &context);
                }
                forest.lives(file, &block)?;
            }
        }
        forest.grow();
        Ok(forest)
    }

    /// The process that this is.
    pub fn find(&self, who: &Who) -> Option<&Process> {
        self.by_who.get(who).and_then(|at| self.processes.get(*at))
    }

    fn learn(&mut self, file: &File, host: u16, context: &Context<'_>) -> usize {
        let known = file.host(host);
        let boot = known.map_or(0, |host| host.boot);
        let who = Who::of(boot, context);
        let at = match self.by_who.get(&who) {
            Some(at) => *at,
            None => {
                self.processes.push(Process {
                    host: known.map(|host| host.name.clone()).unwrap_or_default(),
                    boot,
                    pid: context.pid,
                    parent: Some(context.parent()).filter(|parent| parent.pid != 0),
                    ..Process::default()
                });
                self.by_who.insert(who, self.processes.len() - 1);
                self.processes.len() - 1
            }
        };
        let Some(process) = self.processes.get_mut(at) else { return at };
        // /proc cuts starts to ticks; a context knows the nanosecond.
        if context.process_start_ns > process.start_ns || process.start_wall_ns.is_none() {
            process.start_ns = context.process_start_ns;
            process.start_wall_ns = Some(file.wall(host, context.process_start_ns));
        }
        // A thread may have a name and a user of its own: the process has its leader's.
        if context.pid == context.tid || process.comm.is_empty() {
            process.comm = context.comm.to_vec();
            process.uid = context.uid;
        }
        if !context.exe.is_empty() {
            process.exe = context.exe.to_vec();
        }
        if process.container.is_empty()
            && let Some(container) = known.and_then(|host| host.containers().get(context.cgroup_id))
        {
            let shown = if container.name.is_empty() { &container.id } else { &container.name };
            process.container.clone_from(shown);
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
                let at = self.by_who.get(&Who::of(boot, &context));
                let Some(process) = at.and_then(|at| self.processes.get_mut(*at)) else { continue };
                if let Some(argv) = &argv {
                    if let Raw::Bytes(bytes) = argv.get(ordinal)
                        && *time >= process.exec_ns
                    {
                        process.exec_ns = *time;
                        process.argv = value::strings(bytes).map(<[u8]>::to_vec).collect();
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
                    process.exit = Some(Exit { code, signal: number(&signal).unwrap_or(0) & 0x7f });
                    process.end_wall_ns = Some(file.wall(block.host(), *time));
                }
            }
        }
        Ok(())
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

    /// Adds what an answer has of a block's processes.
    pub fn add(&mut self, batch: &Batch<'_>) -> format::Result<()> {
        self.each(batch, |process, failed, scopes| {
            process.events += 1;
            process.failures += u64::from(failed);
            process.scopes |= scopes;
        })
    }

    /// Marks the processes of which an answer has events.
    pub fn mark(&mut self, batch: &Batch<'_>) -> format::Result<()> {
        self.each(batch, |process, _, _| process.is_marked = true)
    }

    fn each(&mut self, batch: &Batch<'_>, see: impl Fn(&mut Process, bool, u64)) -> format::Result<()> {
        let Forest { processes, by_who, .. } = self;
        let failed = |event: &events::Event, ret: i64| event.is_syscall() && ret < 0;
        batch.each_deriving(&mut |event: &EventView<'_>| {
            let at = by_who.get(&Who::of(event.host.boot, event.context));
            if let Some(process) = at.and_then(|at| processes.get_mut(*at)) {
                see(process, failed(event.event, event.ret), event.scopes);
            }
        })?;
        let block = batch.block();
        let (contexts, boot) = (block.contexts()?, batch.host().boot);
        let count = u16::try_from(block.context_count()).unwrap_or(u16::MAX);
        let whose = |context: Context<'_>| by_who.get(&Who::of(boot, &context)).copied();
        let of: Vec<Option<usize>> = (0..count).map(|code| contexts.get(code).and_then(whose)).collect();
        let (context_codes, event_codes, rets) =
            (block.context_codes()?, block.event_codes()?, block.rets()?);
        for (row, _, scopes) in batch.rows() {
            let row = row as usize;
            let at = context_codes.get(row).and_then(|code| of.get(usize::from(*code)).copied().flatten());
            let event = event_codes.get(row).and_then(|code| batch.event(*code));
            let (Some(process), Some(event)) = (at.and_then(|at| processes.get_mut(at)), event) else {
                continue;
            };
            see(process, failed(event, rets.get(row).copied().unwrap_or(0)), scopes);
        }
        Ok(())
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
