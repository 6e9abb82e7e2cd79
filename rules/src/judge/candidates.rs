//! Rows of a block that something may come of, found without knowing any state.

use events::catalogue::network::NET_PACKET_DNS_RESPONSE;
use events::catalogue::process::{SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK};
use events::{EventId, Marks};
use format::Block;
use format::facts::{FactChange, FactSet};
use pipeline::Batch;
use pipeline::stage::{Passing, Sieve};

use super::columns::Judged;
use crate::compile::Programs;

/// A row that something may come of.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub row: u32,
    pub code: u16,
    pub ordinal: u32,
    /// Which of the batch's derived rows it is; the row itself is then the one that it is derived from.
    pub derived: Option<u32>,
    /// It tells of processes.
    pub is_state: bool,
    /// No program may take it.
    pub is_only_state: bool,
    /// A part of a capture has it for the state of processes, and its place is among the rows of other files.
    pub is_unseen: bool,
}

/// The events of a block that programs are there for.
pub fn judged<'c, 'b>(
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
pub fn look(programs: &Programs, batch: &Batch<'_>) -> format::Result<Vec<Candidate>> {
    // What is told where a recording ends are rows that were told before, with what was derived from them since.
    let mut candidates =
        if batch.reference().is_end() { Vec::new() } else { recorded_candidates(programs, batch.block())? };
    let derived = batch.derived();
    if derived.is_empty() {
        return Ok(candidates);
    }
    let codes = batch.block().event_codes()?;
    for number in 0..derived.len() {
        let Some(it) = derived.get(number) else { continue };
        let has_programs = programs.events.contains_key(&it.event.id);
        let is_state = programs.needs_host_names && it.event.id == NET_PACKET_DNS_RESPONSE;
        let Some((row, ordinal)) = batch.base_of(&it).filter(|_| has_programs || is_state) else { continue };
        let code = codes.get(row as usize).copied().unwrap_or_default();
        let derived = Some(number as u32);
        let is_only_state = !has_programs;
        candidates.push(Candidate { row, code, ordinal, derived, is_state, is_only_state, is_unseen: false });
    }
    // A row comes before what is derived from it.
    candidates.sort_by_key(|candidate| candidate.row);
    Ok(candidates)
}

fn recorded_candidates(programs: &Programs, block: &Block) -> format::Result<Vec<Candidate>> {
    let judged = judged(programs, block, |_| true)?;
    let events = block.event_list();
    let state: Vec<State> = (0u16..)
        .zip(events)
        .map(|(code, event)| State::of(programs, block, code, *event))
        .collect::<format::Result<_>>()?;
    // Of events whose columns rule all rows out nothing is looked at.
    let guards: Vec<Option<Vec<usize>>> =
        judged.iter().map(|judged| judged.as_ref().map_or(Some(Vec::new()), Judged::guards)).collect();
    let may_match: Vec<bool> = judged
        .iter()
        .zip(&guards)
        .map(|(judged, guards)| judged.as_ref().is_some_and(|judged| judged.may_match(guards.as_deref())))
        .collect();
    let wanted: Vec<bool> = state.iter().zip(&may_match).map(|(state, may)| state.any() || *may).collect();
    let mut candidates = Vec::new();
    if wanted.contains(&true) {
        let (context_codes, marks) = (block.context_codes()?, block.marks()?);
        let mut ordinals = vec![0u32; judged.len()];
        for (row, code) in (0u32..).zip(block.event_codes()?) {
            let at = usize::from(*code);
            if wanted.get(at) != Some(&true) {
                continue;
            }
            let Some(ordinal) = ordinals.get_mut(at) else { continue };
            let is_state = state.get(at).is_some_and(|state| state.has(*ordinal));
            // Rows that a part of a capture keeps for the state of processes alone are none that people see.
            let is_seen = marks.get(row as usize).is_none_or(|marks| marks & Marks::STATE_ONLY == 0);
            let judged = judged.get(at).and_then(Option::as_ref);
            let judged = judged.filter(|_| is_seen && may_match.get(at) == Some(&true));
            let triggers = judged.zip(guards.get(at)).is_some_and(|(judged, guards)| {
                let context = context_codes.get(row as usize).copied().unwrap_or_default();
                judged.triggers(guards.as_deref(), *ordinal as usize, context)
            });
            if is_state || triggers {
                let is_only_state = !triggers;
                let (code, ordinal) = (*code, *ordinal);
                let derived = None;
                let is_unseen = !is_seen;
                candidates.push(Candidate {
                    row,
                    code,
                    ordinal,
                    derived,
                    is_state,
                    is_only_state,
                    is_unseen,
                });
            }
            *ordinal += 1;
        }
    }
    judged.iter().flatten().find_map(Judged::damage).map_or(Ok(candidates), Err)
}

/// Events that tell of processes that begin, execute and end.
pub const STATE_EVENTS: [EventId; 3] = [SCHED_PROCESS_FORK, SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT];

/// The events that tell how these facts change.
pub fn of_facts(facts: FactSet) -> impl Iterator<Item = EventId> {
    let names = facts.iter().flat_map(|fact| fact.needs().iter().chain(fact.uses()));
    names.filter_map(|name| Some(events::catalogue::by_name(name)?.id))
}

/// Which rows of an event tell of processes.
#[derive(Debug)]
enum State {
    None,
    All,
    Some(Passing),
}

impl State {
    fn of(programs: &Programs, block: &Block, code: u16, event: EventId) -> format::Result<State> {
        if STATE_EVENTS.contains(&event) {
            return Ok(State::All);
        }
        if !of_facts(programs.followed).any(|it| it == event) {
            return Ok(State::None);
        }
        Ok(match FactChange::sieve(event) {
            None => State::All,
            Some((position, passes)) => State::Some(Passing::of(block, code, Sieve { position, passes })?),
        })
    }

    fn any(&self) -> bool {
        match self {
            State::None => false,
            State::All => true,
            State::Some(passing) => !passing.is_none(),
        }
    }

    fn has(&self, ordinal: u32) -> bool {
        match self {
            State::None => false,
            State::All => true,
            State::Some(passing) => passing.has(ordinal as usize),
        }
    }
}
