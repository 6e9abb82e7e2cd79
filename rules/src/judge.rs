//! Blocks to findings: rows that some rule takes, in order of time, with what is known of their processes at that moment.

mod answers;
mod candidates;
mod columns;
mod evidence;
mod following;
mod holds;
mod host_names;
mod own_row;
mod row;
mod triggers;
mod unseen;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use events::catalogue::network::NET_PACKET_DNS_RESPONSE;
use events::catalogue::process::SCHED_PROCESS_EXIT;
use events::{EventId, Marks};
use pipeline::source::{File, Host};
use pipeline::{Batch, Source};

use crate::compile::{Program, Programs};
use crate::facts::{Processes, Users};
use crate::finding::Finding;
use crate::machines::Machines;
use crate::rule::Rule;

pub use candidates::{Candidate, Candidates, look};
use candidates::{STATE_EVENTS, judged, of_facts};
use columns::Judged;
pub use evidence::printed;
use following::{Following, change, reach};
use host_names::HostNames;
use own_row::OwnRow;
pub use row::Row;
use unseen::Unseen;

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
    source: &'c Source,
    /// When recordings begin whose processes are not told yet: time, file and host.
    beginnings: VecDeque<(u64, usize, u16)>,
    /// What unseen rows tell of processes once their time has come.
    unseen: Unseen,
    /// The stretch of the wall clock that is asked about; rows outside of it only tell of processes.
    range: Option<Range<i64>>,
    /// By boot.
    processes: BTreeMap<usize, Processes>,
    following: Following,
    /// By boot: what DNS answered.
    names: BTreeMap<usize, HostNames>,
}

impl<'c> Judge<'c> {
    pub fn new(
        rules: &'c [Rule],
        programs: &'c Programs,
        range: Option<Range<i64>>,
        source: &'c Source,
    ) -> Judge<'c> {
        let machines = Machines::new(rules);
        let mut users: BTreeMap<usize, Users> = BTreeMap::new();
        for file in source.files() {
            // Read and not kept, as what stands beside them.
            for user in file.capture.records().unwrap_or_default().users {
                let boot = file.host(user.host).map_or(0, |host| host.boot);
                users.entry(boot).or_default().entry(user.uid).or_insert(user.name);
            }
        }
        let users = users.into_iter().map(|(boot, users)| (boot, Arc::new(users))).collect();
        let following =
            Following { facts: programs.followed, executions: programs.executions.as_slice().into(), users };
        Judge {
            programs,
            machines,
            source,
            beginnings: source.beginnings(|_| true).into(),
            unseen: Unseen::default(),
            range,
            processes: BTreeMap::new(),
            following,
            names: BTreeMap::new(),
        }
    }

    /// Events whose rows it wants to see: those of the rules, and those that tell of processes.
    pub fn events(programs: &Programs) -> Vec<EventId> {
        let names = programs.needs_host_names.then_some(NET_PACKET_DNS_RESPONSE);
        let state = STATE_EVENTS.into_iter().chain(of_facts(programs.followed));
        let mut all: Vec<EventId> = programs.events.keys().copied().chain(state).chain(names).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Rules with what they remember of events.
    pub fn machines(&mut self) -> &mut Machines<'c> {
        &mut self.machines
    }

    /// What had to be forgotten for want of room: findings may be missing.
    pub fn forgotten(&self) -> u64 {
        self.processes.values().map(|it| it.forgotten).sum::<u64>() + self.machines.forgotten()
    }

    /// Takes a batch with the rows that [`look`] found in it.
    pub fn batch(
        &mut self,
        at: At<'_>,
        batch: &Batch<'_>,
        candidates: Candidates,
        found: &mut dyn FnMut(Finding),
    ) -> format::Result<()> {
        let block = batch.block();
        self.each(at, batch, candidates, &mut |machines, row, program| {
            if row.is_taken(program) {
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
        batch: &Batch<'_>,
        candidates: Candidates,
        see: &mut dyn FnMut(&Row<'_, '_>, &Program),
    ) -> format::Result<()> {
        self.each(at, batch, candidates, &mut |_, row, program| see(row, program))
    }

    /// Tells of processes what is known up to a time, but for what the rows of that time tell.
    fn reach(&mut self, time: u64) -> format::Result<()> {
        let Judge { processes, beginnings, unseen, source, following, .. } = self;
        reach(processes, beginnings, unseen, time, source, following)
    }

    fn each(
        &mut self,
        at: At<'_>,
        batch: &Batch<'_>,
        candidates: Candidates,
        take: &mut dyn FnMut(&mut Machines<'c>, &Row<'_, '_>, &Program),
    ) -> format::Result<()> {
        // Batches come in order of their first rows: what was before this one's is over.
        let reference = batch.reference();
        self.reach(reference.first)?;
        self.unseen.tells(at.host.boot, reference.file, reference.last);
        if candidates.rows.is_empty() {
            return Ok(());
        }
        let block = batch.block();
        let is_wanted = |it: &Candidate| it.derived.is_none() && !it.is_only_state;
        let recorded = judged(self.programs, block, |code| {
            candidates.rows.iter().any(|candidate| candidate.code == code && is_wanted(candidate))
        })?;
        let derived: Vec<Judged<'_, '_>> = batch
            .derived()
            .events()
            .filter_map(|event| self.programs.events.get(&event.id))
            .map(|programs| Judged::of_derived(programs, block))
            .collect::<format::Result<_>>()?;
        let (times, contexts, context_codes) = (block.times()?, block.contexts()?, block.context_codes()?);
        let rets = block.rets()?;
        let marks = block.marks()?;
        let boot = at.host.boot;
        let users = self.following.users(boot);
        let user = |uid: u32| users.get(&uid).cloned();
        let names = self.names.entry(boot).or_default();
        for candidate in &candidates.rows {
            let Candidate { row, code, ordinal, derived: number, is_state, is_only_state, is_unseen, .. } =
                *candidate;
            let Some(context) = context_codes.get(row as usize).and_then(|code| contexts.get(*code)) else {
                continue;
            };
            let event = block.event_list().get(usize::from(code)).copied();
            let time_ns = times.get(row as usize).copied().unwrap_or_default();
            let key_ns = at.file.key(block.host(), time_ns);
            if is_unseen {
                let block = || batch.shared_block();
                self.unseen.wait(key_ns, boot, reference.file, block, (row, code, ordinal));
                continue;
            }
            reach(
                &mut self.processes,
                &mut self.beginnings,
                &mut self.unseen,
                key_ns.saturating_add(1),
                self.source,
                &self.following,
            )?;
            let processes = self.processes.entry(boot).or_insert_with(|| self.following.processes(boot));
            let ret = rets.get(row as usize).copied().unwrap_or_default();
            let of_derived = number.and_then(|number| batch.derived().get(number as usize));
            if let Some(answer) = of_derived.filter(|it| it.event.id == NET_PACKET_DNS_RESPONSE) {
                names.learn(answer.event, &answer.args);
            } else if is_state && number.is_none() && event != Some(SCHED_PROCESS_EXIT) {
                let marks = Marks(marks.get(row as usize).copied().unwrap_or_default());
                change(processes, block, (code, ordinal), event, &context, (time_ns, ret, marks))?;
            }
            let judged = match of_derived {
                Some(it) => derived.iter().find(|judged| judged.programs.event.id == it.event.id),
                None => recorded.get(usize::from(code)).and_then(Option::as_ref),
            };
            if let Some(judged) = judged.filter(|_| !is_only_state) {
                let own = OwnRow {
                    at,
                    block,
                    judged,
                    row,
                    ordinal: ordinal as usize,
                    context_code: context_codes.get(row as usize).copied().unwrap_or_default(),
                    context: &context,
                    time_ns,
                    wall_ns: block.clock().wall(time_ns) as i64,
                    key_ns,
                    ret,
                    derived: of_derived,
                };
                let row = Row { own, processes, names, user: &user };
                let programs = &judged.programs.programs;
                if self.range.as_ref().is_some_and(|range| !range.contains(&row.wall_ns)) {
                    // Only what it tells of processes is asked for.
                } else if of_derived.is_some() {
                    programs.iter().for_each(|program| take(&mut self.machines, &row, program));
                } else {
                    let may_hold = candidates.programs(candidate).iter();
                    let may_hold = may_hold.filter_map(|number| programs.get(*number as usize));
                    may_hold.for_each(|program| take(&mut self.machines, &row, program));
                }
            }
            if is_state && number.is_none() && event == Some(SCHED_PROCESS_EXIT) && context.pid == context.tid
            {
                processes.exit(context.process());
            }
        }
        recorded.iter().flatten().find_map(Judged::damage).map_or(Ok(()), Err)
    }
}
