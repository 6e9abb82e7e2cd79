//! Events of which every scope that sees them asks something of their arguments or results, while all contexts pass: their
//! rows are chosen by number among the rows of their event, from the event's own columns. Where the rows stand in the
//! block is looked up for those that are left, and for counting not even that: the columns of the whole block, five rows
//! of other events for one of this, stay as they are.
//!
//! ```text
//! openat.pathname=*lib*   distinct texts -> a mask each -> codes of the openat rows -> openat row 3, 17, ...
//!                                                                                  -> rows 40, 212, ... of the block
//! ```

use format::Block;

use crate::matching::{Buffers, Facts, Matcher, Present};
use crate::predicates::Predicates;
use crate::selection::Candidate;

/// A row of an event that passes: its number among the event's rows, and its scopes.
pub(crate) type Survivor = (u32, u64);

/// Rows that are looked through at once.
const STRIDE: usize = 64;

impl Matcher<'_> {
    /// Marks the events whose rows can be chosen so.
    pub(crate) fn mark_column_first(&self, present: &mut [Present], buffers: &Buffers) {
        if self.is_recorded() || !buffers.splits.is_empty() {
            return;
        }
        let everywhere = buffers.contexts.all();
        for it in present {
            let asked = it.visible != 0 && it.visible & it.asking == it.visible;
            it.is_column_first =
                asked && it.needed == 0 && !it.is_state && it.visible & everywhere == it.visible;
        }
    }

    /// Appends the candidates of the events that are chosen so, each event's in order; or, where only their number is wanted and
    /// no row has to be looked at, returns that.
    pub(crate) fn find_column_first(
        &self,
        block: &Block,
        facts: Facts<'_>,
        present: &[Present],
        buffers: &mut Buffers,
        only_count: bool,
    ) -> format::Result<u64> {
        let mut counted = 0;
        let Buffers { survivors, candidates, .. } = buffers;
        for (code, it) in (0u16..).zip(present).filter(|(_, it)| it.is_column_first) {
            let rows = block.rows_of(code);
            let mut predicates = Predicates::new(self.plan(), block, code, it.event, rows)?;
            survivors.clear();
            predicates.survivors(it.visible, rows, survivors);
            let asks_rows = predicates.asks_rows();
            if survivors.is_empty() {
                continue;
            }
            if only_count && !asks_rows {
                counted += survivors.len() as u64;
                continue;
            }
            let context_codes = if asks_rows { block.context_codes()? } else { &[] };
            let times = if asks_rows && self.plan().needs().started { block.times()? } else { &[] };
            in_block(block.event_codes()?, code, survivors, |row, (ordinal, mask)| {
                let context = context_codes.get(row).copied().unwrap_or(0);
                let visible = predicates.pass_row(mask, row, context, |contexts| {
                    let time_ns = times.get(row).copied().unwrap_or(0);
                    self.event_context(it.event, contexts, context, facts, time_ns)
                });
                if visible != 0 {
                    candidates.push(Candidate { row: row as u32, ordinal, visible, base: 0 });
                }
            });
        }
        Ok(counted)
    }
}

/// Calls `found` with the row of each survivor of an event, given the events of all rows.
fn in_block(event_codes: &[u16], code: u16, survivors: &[Survivor], mut found: impl FnMut(usize, Survivor)) {
    let mut survivors = survivors.iter().copied().peekable();
    let (mut seen, mut row) = (0, 0);
    for stride in event_codes.chunks(STRIDE) {
        let Some((next, _)) = survivors.peek() else { break };
        let here: u32 = stride.iter().map(|it| u32::from(*it == code)).sum();
        if *next < seen + here {
            let rows = (row..).zip(stride).filter(|(_, it)| **it == code);
            for (ordinal, (row, _)) in (seen..).zip(rows) {
                if let Some(survivor) = survivors.next_if(|(next, _)| *next == ordinal) {
                    found(row, survivor);
                }
            }
        }
        seen += here;
        row += stride.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_among_an_events_rows_is_found_in_the_block() {
        let codes: Vec<u16> = (0..1000u32).map(|row| (row * row % 7 % 3) as u16).collect();
        let rows: Vec<usize> = (0..codes.len()).filter(|row| codes[*row] == 2).collect();
        for step in [1, 3, 50, 5000] {
            let survivors: Vec<Survivor> = (0..rows.len() as u32).step_by(step).map(|at| (at, 1)).collect();
            let mut found = Vec::new();
            in_block(&codes, 2, &survivors, |row, (ordinal, _)| found.push((row, ordinal)));
            let expected: Vec<_> = survivors.iter().map(|(at, _)| (rows[*at as usize], *at)).collect();
            assert_eq!(found, expected);
        }
    }
}
