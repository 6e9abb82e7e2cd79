//! Rows that may match: chosen by the masks of contexts and events, then by what is asked of arguments and results.

use events::Marks;
use format::Block;
use scopes::batch;

use crate::matching::{Buffers, Facts, Matcher, Present, Split};
use crate::predicates::Predicates;

/// A row that may match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Candidate {
    pub row: u32,
    /// Its number among the rows of its event.
    pub ordinal: u32,
    /// Scopes that see the row itself.
    pub visible: u64,
    /// Scopes that want something derived from it.
    pub base: u64,
}

impl Matcher<'_> {
    /// Appends the rows of events that are not chosen by their own columns; see [`Present::is_column_first`].
    pub(crate) fn find_candidates(
        &self,
        block: &Block,
        present: &[Present],
        buffers: &mut Buffers,
    ) -> format::Result<()> {
        let Buffers { contexts, events, rows, masks, candidates, counters, splits, .. } = buffers;
        let times = if splits.is_empty() { &[] } else { block.times()? };
        // What a row's own time leaves of its context's mask.
        let left = |row: usize, context: Option<&u16>| match context {
            Some(context) if !splits.is_empty() => {
                at_time(splits, *context, times.get(row).copied().unwrap_or(0))
            }
            _ => u64::MAX,
        };
        let event_codes = block.event_codes()?;
        let of = |row: usize| event_codes.get(row).and_then(|code| present.get(usize::from(*code)));
        let hidden = Hidden::of(block, present)?;
        if self.is_recorded() {
            let context_codes = block.context_codes()?;
            for (row, scopes) in block.scopes()?.iter().enumerate() {
                let needed = of(row).map_or(0, |it| it.needed);
                let base = match context_codes.get(row) {
                    Some(context) if needed != 0 && !hidden.is(row) => {
                        contexts.get(*context) & needed & left(row, Some(context))
                    }
                    _ => 0,
                };
                let visible = if hidden.is(row) { 0 } else { *scopes };
                if visible | base != 0 {
                    candidates.push(Candidate { row: row as u32, ordinal: 0, visible, base });
                }
            }
        } else {
            events.fill(present.iter().map(|it| if it.is_column_first { 0 } else { it.visible | it.needed }));
            rows.clear();
            masks.clear();
            let context_codes = block.context_codes()?;
            batch::select(contexts, events, context_codes, event_codes, rows, masks);
            for (row, mask) in rows.iter().zip(masks.iter()) {
                let mask = mask & left(*row as usize, context_codes.get(*row as usize));
                let Some(it) = of(*row as usize) else { continue };
                if hidden.is(*row as usize) {
                    continue;
                }
                let (visible, base) = (mask & it.visible, mask & it.needed);
                if visible | base != 0 {
                    candidates.push(Candidate { row: *row, ordinal: 0, visible, base });
                }
            }
        }
        count_ordinals(event_codes, present.len(), counters, candidates);
        Ok(())
    }

    /// Lets predicates on arguments, results and single events at the candidates' visible masks.
    pub(crate) fn filter_candidates(
        &self,
        block: &Block,
        facts: Facts<'_>,
        present: &[Present],
        buffers: &mut Buffers,
    ) -> format::Result<()> {
        if present.iter().all(|it| it.asking == 0 || it.is_column_first) {
            return Ok(());
        }
        let (event_codes, context_codes) = (block.event_codes()?, block.context_codes()?);
        let times = if self.plan().needs().started { block.times()? } else { &[] };
        let mut predicates: Vec<Option<Predicates<'_>>> = Vec::new();
        predicates.resize_with(present.len(), || None);
        let rows = buffers.candidates.len();
        for candidate in &mut buffers.candidates {
            let row = candidate.row as usize;
            let Some(code) = event_codes.get(row).copied() else { continue };
            let Some(it) = present.get(usize::from(code)) else { continue };
            if candidate.visible & it.asking == 0 {
                continue;
            }
            let Some(slot) = predicates.get_mut(usize::from(code)) else { continue };
            let predicate = match slot {
                Some(predicate) => predicate,
                None => slot.insert(Predicates::new(self.plan(), block, code, it.event, rows)?),
            };
            let context = context_codes.get(row).copied().unwrap_or(0);
            let visible = predicate.pass(candidate.visible, candidate.ordinal as usize);
            candidate.visible = predicate.pass_row(visible, row, context, |contexts| {
                let time_ns = times.get(row).copied().unwrap_or(0);
                self.event_context(it.event, contexts, context, facts, time_ns)
            });
        }
        buffers.candidates.retain(|candidate| candidate.visible | candidate.base != 0);
        Ok(())
    }
}

/// Rows that are there for the state of processes only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hidden<'a> {
    marks: &'a [u32],
}

impl<'a> Hidden<'a> {
    pub fn of(block: &'a Block, present: &[Present]) -> format::Result<Hidden<'a>> {
        if present.iter().any(|it| it.is_state && it.visible | it.needed != 0) {
            Ok(Hidden { marks: block.marks()? })
        } else {
            Ok(Hidden { marks: &[] })
        }
    }

    pub fn is(&self, row: usize) -> bool {
        self.marks.get(row).is_some_and(|marks| marks & Marks::STATE_ONLY != 0)
    }
}

/// The mask that a context has at a time, where it changes; all scopes where it does not.
fn at_time(splits: &[(u16, Split)], context: u16, time_ns: u64) -> u64 {
    match splits.binary_search_by_key(&context, |(code, _)| *code) {
        Ok(at) => splits
            .get(at)
            .map_or(u64::MAX, |(_, split)| if time_ns < split.from_ns { split.before } else { split.after }),
        Err(_) => u64::MAX,
    }
}

/// Of each row its number among the rows of its event.
pub(crate) fn ordinals(event_codes: &[u16], events: usize) -> Vec<u32> {
    let mut counters = vec![0u32; events];
    let number = |code: &u16| {
        let Some(counter) = counters.get_mut(usize::from(*code)) else { return 0 };
        *counter += 1;
        *counter - 1
    };
    event_codes.iter().map(number).collect()
}

/// Gives each candidate its number among the rows of its event.
fn count_ordinals(event_codes: &[u16], events: usize, counters: &mut Vec<u32>, candidates: &mut [Candidate]) {
    counters.clear();
    counters.resize(events, 0);
    let mut row = 0;
    for candidate in candidates {
        let until = candidate.row as usize;
        for code in event_codes.get(row..until).unwrap_or(&[]) {
            if let Some(counter) = counters.get_mut(usize::from(*code)) {
                *counter += 1;
            }
        }
        row = until;
        let code = event_codes.get(until).copied().unwrap_or(0);
        candidate.ordinal = counters.get(usize::from(code)).copied().unwrap_or(0);
    }
}
