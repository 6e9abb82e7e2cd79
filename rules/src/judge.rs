//! Blocks to findings: rows that some rule takes, in order of time, with what is known of their processes at that moment.

mod columns;
mod evidence;

use std::collections::BTreeMap;
use std::ops::Range;

use events::catalogue::process::{SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK, SET_FS_PWD};
use events::context::Entity;
use events::{Context, EventId, Marks};
use format::Block;
use pipeline::source::{File, Host};

use crate::class::Guard;
use crate::compile::{Node, Program, Programs};
use crate::facts::Processes;
use crate::finding::Finding;
use crate::form::{Test, same};
use crate::machines::Machines;
use crate::rule::Rule;

use columns::Judged;
pub use columns::Row;
pub use evidence::printed;

/// `O_CREAT`, and which of read and write an open is for.
const O_CREAT: u64 = 0o100;
const O_ACCMODE: u64 = 3;
/// A file that an open made has changed no longer ago than this.
const CREATED_WITHIN_NS: u64 = 100_000_000;

/// Rows behind the one of a hook among which its call's is looked for.
const CALL_WITHIN_ROWS: usize = 256;

/// Which block is judged.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    pub file: &'a File,
    pub host: &'a Host,
    pub block: usize,
    /// Rows before it in order of time, where that is known.
    pub rows_before: Option<u64>,
}

/// Asks compiled rules of blocks, one after the other in order of their first rows.
#[derive(Debug)]
pub struct Judge<'c> {
    programs: &'c Programs,
    machines: Machines<'c>,
    /// The stretch of the wall clock that is asked about; rows outside of it only tell of processes.
    range: Option<Range<i64>>,
    /// By boot.
    processes: BTreeMap<usize, Processes>,
    /// By boot and uid.
    users: BTreeMap<(usize, u32), String>,
}

impl<'c> Judge<'c> {
    pub fn new(rules: &'c [Rule], programs: &'c Programs, range: Option<Range<i64>>) -> Judge<'c> {
        let machines = Machines::new(rules);
        Judge { programs, machines, range, processes: BTreeMap::new(), users: BTreeMap::new() }
    }

    /// Events whose rows it wants to see: those of the rules, and those that tell of processes.
    pub fn events(programs: &Programs) -> Vec<EventId> {
        let state = [SCHED_PROCESS_FORK, SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT, SET_FS_PWD];
        let mut all: Vec<EventId> = programs.events.keys().copied().chain(state).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What a file knows of the moment when its recording began.
    pub fn begin(&mut self, file: &File) {
        let records = file.capture.records().unwrap_or_default();
        for (number, host) in (0u16..).zip(&file.hosts) {
            let of_host = records.processes.iter().filter(|process| process.host == number);
            self.processes.entry(host.boot).or_default().snapshot(of_host);
            for user in records.users.iter().filter(|user| user.host == number) {
                self.users.entry((host.boot, user.uid)).or_insert_with(|| user.name.clone());
            }
        }
    }

    /// Rules with what they remember of events.
    pub fn machines(&mut self) -> &mut Machines<'c> {
        &mut self.machines
    }

    /// What had to be forgotten for want of room: findings may be missing.
    pub fn forgotten(&self) -> u64 {
        self.processes.values().map(|it| it.forgotten).sum::<u64>() + self.machines.forgotten()
    }

    /// Takes a block with the rows that [`look`] found in it.
    pub fn block(
        &mut self,
        at: At<'_>,
        block: &Block,
        candidates: Vec<Candidate>,
        found: &mut dyn FnMut(Finding),
    ) -> format::Result<()> {
        self.each(at, block, candidates, &mut |machines, row, program| {
            if row.passes(program.guard) && row.holds(&program.node) {
                machines.advance(row.key_ns, found);
                machines.hit(program, row, found);
            }
        })?;
        // Time has come to the end of the block, whether there was anything for rules in it or not.
        if self.machines.waits()
            && let Some(last) = block.times()?.last()
        {
            self.machines.advance(at.file.key(block.host(), *last), found);
        }
        Ok(())
    }

    /// Calls `see` with each row and each program that may take it, and keeps nothing of it.
    pub fn rows(
        &mut self,
        at: At<'_>,
        block: &Block,
        candidates: Vec<Candidate>,
        see: &mut dyn FnMut(&Row<'_, '_>, &Program),
    ) -> format::Result<()> {
        self.each(at, block, candidates, &mut |_, row, program| see(row, program))
    }

    fn each(
        &mut self,
        at: At<'_>,
        block: &Block,
        candidates: Vec<Candidate>,
        take: &mut dyn FnMut(&mut Machines<'c>, &Row<'_, '_>, &Program),
    ) -> format::Result<()> {
        if candidates.is_empty() {
            return Ok(());
        }
        let judged = judged(self.programs, block, |code| {
            candidates.iter().any(|candidate| candidate.code == code && !candidate.is_only_state)
        })?;
        let (times, contexts, context_codes) = (block.times()?, block.contexts()?, block.context_codes()?);
        let rets = block.rets()?;
        let boot = at.host.boot;
        let processes = self.processes.entry(boot).or_default();
        let users = &self.users;
        let user = |uid: u32| users.get(&(boot, uid)).cloned();
        for Candidate { row, code, ordinal, is_state, is_only_state } in candidates {
            let Some(context) = context_codes.get(row as usize).and_then(|code| contexts.get(*code)) else {
                continue;
            };
            let event = block.event_list().get(usize::from(code)).copied();
            if is_state && event != Some(SCHED_PROCESS_EXIT) {
                change(processes, block, code, ordinal, event, &context)?;
            }
            if let Some(judged) =
                judged.get(usize::from(code)).and_then(Option::as_ref).filter(|_| !is_only_state)
            {
                let time_ns = times.get(row as usize).copied().unwrap_or_default();
                let row = Row {
                    at,
                    block,
                    judged,
                    row,
                    ordinal: ordinal as usize,
                    context_code: context_codes.get(row as usize).copied().unwrap_or_default(),
                    context: &context,
                    time_ns,
                    wall_ns: block.clock().wall(time_ns) as i64,
                    key_ns: at.file.key(block.host(), time_ns),
                    ret: rets.get(row as usize).copied().unwrap_or_default(),
                    processes,
                    user: &user,
                };
                let is_asked = self.range.as_ref().is_none_or(|range| range.contains(&row.wall_ns));
                let triggered = if is_asked { row.triggered() } else { Vec::new() };
                for number in triggered {
                    let Some(program) = judged.programs.programs.get(number as usize) else { continue };
                    take(&mut self.machines, &row, program);
                }
            }
            if is_state && event == Some(SCHED_PROCESS_EXIT) && context.pid == context.tid {
                processes.exit(context.process());
            }
        }
        judged.iter().flatten().find_map(Judged::damage).map_or(Ok(()), Err)
    }
}

/// A row that something may come of.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    row: u32,
    code: u16,
    ordinal: u32,
    /// It tells of processes.
    is_state: bool,
    /// No program may take it.
    is_only_state: bool,
}

/// The events of a block that programs are there for.
fn judged<'c, 'b>(
    programs: &'c Programs,
    block: &'b Block,
    is_wanted: impl Fn(u16) -> bool,
) -> format::Result<Vec<Option<Judged<'c, 'b>>>> {
    let of_event = |(code, event): (u16, &EventId)| {
        let programs = programs.events.get(event).filter(|_| is_wanted(code));
        programs.map(|programs| Judged::new(programs, block, code)).transpose()
    };
    (0u16..).zip(block.event_list()).map(of_event).collect()
}

/// Rows that some program may take by their own columns, and those that tell of processes, in order. It knows no state: any
/// thread may look.
pub fn look(programs: &Programs, block: &Block) -> format::Result<Vec<Candidate>> {
    let judged = judged(programs, block, |_| true)?;
    let events = block.event_list();
    let is_state: Vec<bool> = events
        .iter()
        .map(|event| [SCHED_PROCESS_FORK, SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT, SET_FS_PWD].contains(event))
        .collect();
    // Of events whose columns rule all rows out nothing is looked at.
    let guards: Vec<Option<Vec<usize>>> =
        judged.iter().map(|judged| judged.as_ref().map_or(Some(Vec::new()), Judged::guards)).collect();
    let may_match: Vec<bool> = judged
        .iter()
        .zip(&guards)
        .map(|(judged, guards)| judged.as_ref().is_some_and(|judged| judged.may_match(guards.as_deref())))
        .collect();
    let wanted: Vec<bool> = is_state.iter().zip(&may_match).map(|(state, may)| *state || *may).collect();
    let mut candidates = Vec::new();
    if wanted.contains(&true) {
        let context_codes = block.context_codes()?;
        let mut ordinals = vec![0u32; judged.len()];
        for (row, code) in (0u32..).zip(block.event_codes()?) {
            let at = usize::from(*code);
            if wanted.get(at) != Some(&true) {
                continue;
            }
            let Some(ordinal) = ordinals.get_mut(at) else { continue };
            let is_state = is_state.get(at) == Some(&true);
            let judged = judged.get(at).and_then(Option::as_ref).filter(|_| may_match.get(at) == Some(&true));
            let triggers = judged.zip(guards.get(at)).is_some_and(|(judged, guards)| {
                let context = context_codes.get(row as usize).copied().unwrap_or_default();
                judged.triggers(guards.as_deref(), *ordinal as usize, context)
            });
            if is_state || triggers {
                let is_only_state = !triggers;
                candidates.push(Candidate { row, code: *code, ordinal: *ordinal, is_state, is_only_state });
            }
            *ordinal += 1;
        }
    }
    judged.iter().flatten().find_map(Judged::damage).map_or(Ok(candidates), Err)
}

/// Brings processes forward by a row.
fn change(
    processes: &mut Processes,
    block: &Block,
    code: u16,
    ordinal: u32,
    event: Option<EventId>,
    context: &Context<'_>,
) -> format::Result<()> {
    let Some(event) = event else { return Ok(()) };
    let declared = events::catalogue::by_id(event);
    let arg = |name: &str| -> format::Result<events::Raw<'_>> {
        let Some((position, _)) = declared.and_then(|event| event.arg(name)) else {
            return Ok(events::Raw::Missing);
        };
        block.args(code).get(ordinal as usize, position)
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
                processes.fork(context, Entity { pid, start_ns: number(arg("start_time")?) });
            }
        }
        SCHED_PROCESS_EXEC => processes.exec(context, arg("pathname")?, arg("argv")?, arg("env")?),
        SET_FS_PWD => processes.change_directory(context, arg("resolved_path")?),
        _ => {}
    }
    Ok(())
}

impl Row<'_, '_> {
    /// The flags that an open was given. Where the call's exit stands in for the hook, the file's own flags no longer have
    /// those that open asks for once: the call's row, which follows, has them. `None` where nothing tells.
    fn open_flags(&self) -> Option<u64> {
        let is_stand_in = self.block.marks().ok()?.get(self.row as usize)? & Marks::STAND_IN != 0;
        if !is_stand_in {
            return self.number("flags");
        }
        let (codes, contexts) = (self.block.event_codes().ok()?, self.block.contexts().ok()?);
        let context_codes = self.block.context_codes().ok()?;
        let from = self.row as usize + 1;
        for row in from..codes.len().min(from + CALL_WITHIN_ROWS) {
            let context = contexts.get(*context_codes.get(row)?)?;
            if context.tid != self.context.tid {
                continue;
            }
            let code = *codes.get(row)?;
            let event = events::catalogue::by_id(*self.block.event_list().get(usize::from(code))?)?;
            if !matches!(event.name, "open" | "openat" | "openat2" | "creat") {
                continue;
            }
            if event.name == "creat" {
                return Some(O_CREAT);
            }
            let ordinal = codes.get(..row)?.iter().filter(|other| **other == code).count();
            return match self.block.args(code).get(ordinal, event.arg("flags")?.0) {
                Ok(events::Raw::Number(flags)) => Some(flags),
                _ => None,
            };
        }
        None
    }

    /// Programs that may take the row.
    fn triggered(&self) -> Vec<u32> {
        let programs = self.judged.programs;
        let mut triggered = programs.unguarded.clone();
        for (number, _) in programs.columns.iter().enumerate().filter(|(_, column)| column.guards) {
            for atom in self.judged.held(number, self).iter() {
                triggered.extend(programs.guarded.get(*atom as usize).into_iter().flatten());
            }
        }
        triggered.sort_unstable();
        triggered.dedup();
        triggered
    }

    pub fn holds(&self, node: &Node) -> bool {
        match node {
            Node::Const(value) => *value,
            Node::Not(inner) => !self.holds(inner),
            Node::All(parts) => parts.iter().all(|part| self.holds(part)),
            Node::Any(parts) => parts.iter().any(|part| self.holds(part)),
            Node::Atom(atom) => {
                let column = self.judged.programs.column_of.get(*atom as usize).copied().unwrap_or_default();
                self.judged.held(column as usize, self).contains(atom)
            }
            Node::Time(atom) => {
                let test = self.judged.programs.atoms.get(*atom as usize).map(|atom| &atom.test);
                test.is_some_and(|test| test.passes(crate::form::Value::Number(self.wall_ns.into())))
            }
            Node::Same(atom, own, other) => {
                let Some(Test::SameAs(_, case, shape)) =
                    self.judged.programs.atoms.get(*atom as usize).map(|atom| &atom.test)
                else {
                    return false;
                };
                let mut holds = false;
                self.each_value(own, &mut |left| {
                    self.each_value(other, &mut |right| holds |= same(left, right, *case, *shape));
                });
                holds
            }
        }
    }

    pub fn passes(&self, guard: Guard) -> bool {
        match guard {
            Guard::All => true,
            Guard::Success => self.ret >= 0,
            Guard::WholeProcess => match self.number("process_group_exit") {
                Some(whole) => whole != 0,
                None => self.context.pid == self.context.tid,
            },
            Guard::Flags { argument, mask, bits, success } => {
                (!success || self.ret >= 0) && self.number(argument).is_some_and(|flags| flags & mask == bits)
            }
            Guard::Created => {
                let changed = self.number("ctime").map(|ctime| ctime as i64);
                changed.is_some_and(|ctime| self.wall_ns.abs_diff(ctime) <= CREATED_WITHIN_NS)
                    && self.open_flags().is_none_or(|flags| flags & O_CREAT != 0)
            }
            Guard::ForWriting { argument, success } => {
                let mode = self.number(argument).map(|flags| flags & O_ACCMODE);
                (!success || self.ret >= 0) && matches!(mode, Some(1 | 2))
            }
            Guard::State { old, new } => {
                self.number("old_state") == Some(old)
                    && self.number("new_state").is_some_and(|it| new.contains(&it))
            }
        }
    }
}
