//! Rows of a block that something may come of, found without knowing any state.

use events::catalogue::network::NET_PACKET_DNS_RESPONSE;
use events::catalogue::process::{SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK};
use events::{EventId, Marks};
use format::Block;
use format::facts::{FactChange, FactSet};
use pipeline::Batch;
use pipeline::stage::{Passing, Sieve};

use super::At;
use super::columns::Judged;
use super::own_row::OwnRow;
use super::triggers::{self, Triggers};
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
    /// Which of [`Candidates::programs`] may take it; of a derived row all of its event may.
    programs: (u32, u32),
}

/// Rows that something may come of, in order, and the programs that each may make hold.
#[derive(Debug, Default)]
pub struct Candidates {
    pub rows: Vec<Candidate>,
    programs: Vec<u32>,
}

impl Candidates {
    /// The programs that a candidate may make hold as far as the row itself tells.
    pub fn programs(&self, candidate: &Candidate) -> &[u32] {
        let (from, to) = candidate.programs;
        self.programs.get(from as usize..to as usize).unwrap_or_default()
    }
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

/// Rows that some program may take by what they hold themselves, and those that tell of processes, in order. It knows no
/// state: any thread may look.
pub fn look(programs: &Programs, batch: &Batch<'_>) -> format::Result<Candidates> {
    // What is told where a recording ends are rows that were told before, with what was derived from them since.
    let mut candidates = if batch.reference().is_end() {
        Candidates::default()
    } else {
        recorded_candidates(programs, batch)?
    };
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
        candidates.rows.push(Candidate {
            row,
            code,
            ordinal,
            derived: Some(number as u32),
            is_state,
            is_only_state: !has_programs,
            is_unseen: false,
            programs: (0, 0),
        });
    }
    // A row comes before what is derived from it.
    candidates.rows.sort_by_key(|candidate| candidate.row);
    Ok(candidates)
}

/// One event of a block while candidates are looked for.
struct Looked<'c, 'b> {
    judged: Option<Judged<'c, 'b>>,
    possible: Vec<u32>,
    state: State,
    /// Its rows in order, with the codes of their contexts; empty where nothing is looked for.
    rows: Vec<u32>,
    contexts: Vec<u16>,
}

impl Looked<'_, '_> {
    fn is_wanted(&self) -> bool {
        self.state.any() || !self.possible.is_empty()
    }
}

fn recorded_candidates(programs: &Programs, batch: &Batch<'_>) -> format::Result<Candidates> {
    let block = batch.block();
    let looked = judged(programs, block, |_| true)?.into_iter().zip(0u16..).zip(block.event_list());
    let looked = looked.map(|((judged, code), event)| {
        let possible = judged.as_ref().map(triggers::possible).unwrap_or_default();
        let state = State::of(programs, block, code, *event)?;
        Ok(Looked { judged, possible, state, rows: Vec::new(), contexts: Vec::new() })
    });
    let mut looked: Vec<Looked<'_, '_>> = looked.collect::<format::Result<_>>()?;
    let mut candidates = Candidates::default();
    if looked.iter().any(Looked::is_wanted) {
        let is_wanted: Vec<bool> = looked.iter().map(Looked::is_wanted).collect();
        for ((row, code), context) in (0u32..).zip(block.event_codes()?).zip(block.context_codes()?) {
            let at = usize::from(*code);
            if is_wanted.get(at) == Some(&true)
                && let Some(of_event) = looked.get_mut(at)
            {
                of_event.rows.push(row);
                of_event.contexts.push(*context);
            }
        }
        for (code, of_event) in (0u16..).zip(&looked).filter(|(_, it)| it.is_wanted()) {
            of_event.find(code, batch, &mut candidates)?;
        }
        candidates.rows.sort_unstable_by_key(|candidate| candidate.row);
    }
    let damage = looked.iter().filter_map(|it| it.judged.as_ref()).find_map(Judged::damage);
    damage.map_or(Ok(candidates), Err)
}

impl Looked<'_, '_> {
    /// Adds the candidates among the rows of the event.
    fn find(&self, code: u16, batch: &Batch<'_>, candidates: &mut Candidates) -> format::Result<()> {
        let block = batch.block();
        let triggers = match &self.judged {
            Some(judged) if !self.possible.is_empty() => {
                Some((judged, Triggers::new(judged, self.possible.clone(), &self.contexts)))
            }
            _ => None,
        };
        let triggers = triggers.filter(|(_, triggers)| !triggers.is_empty());
        if triggers.is_none() && !self.state.any() {
            return Ok(());
        }
        let (times, rets, marks, contexts) =
            (block.times()?, block.rets()?, block.marks()?, block.contexts()?);
        let at =
            At { file: batch.file(), host: batch.host(), block: batch.reference().block, rows_before: None };
        let mut programs = Vec::new();
        for ((ordinal, row), context_code) in (0u32..).zip(&self.rows).zip(&self.contexts) {
            let place = *row as usize;
            // Rows that a part of a capture keeps for the state of processes alone are none that people see.
            let is_seen = marks.get(place).is_none_or(|marks| marks & Marks::STATE_ONLY == 0);
            // A rule is about what calls came to: of one that had not returned nothing is known to have been done.
            let is_done = marks.get(place).is_none_or(|marks| marks & Marks::UNFINISHED == 0);
            programs.clear();
            if let Some((judged, triggers)) = triggers.as_ref().filter(|_| is_seen && is_done) {
                triggers.of_row(judged, ordinal as usize, *context_code, &mut programs);
                if !programs.is_empty()
                    && let Some(context) = contexts.get(*context_code)
                {
                    let time_ns = times.get(place).copied().unwrap_or_default();
                    let own = OwnRow {
                        at,
                        block,
                        judged,
                        row: *row,
                        ordinal: ordinal as usize,
                        context_code: *context_code,
                        context: &context,
                        time_ns,
                        wall_ns: block.clock().wall(time_ns) as i64,
                        key_ns: at.file.key(block.host(), time_ns),
                        ret: rets.get(place).copied().unwrap_or_default(),
                        derived: None,
                    };
                    triggers.keep(&own, &mut programs);
                }
            }
            let is_state = self.state.has(ordinal);
            if is_state || !programs.is_empty() {
                let from = candidates.programs.len() as u32;
                candidates.programs.extend_from_slice(&programs);
                candidates.rows.push(Candidate {
                    row: *row,
                    code,
                    ordinal,
                    derived: None,
                    is_state,
                    is_only_state: programs.is_empty(),
                    is_unseen: !is_seen,
                    programs: (from, candidates.programs.len() as u32),
                });
            }
        }
        Ok(())
    }
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
