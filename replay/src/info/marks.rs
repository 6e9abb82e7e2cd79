//! What rows of a capture are marked with, and which of them are there for the state of processes only: from statistics,
//! and of parts of captures whose statistics do not say it from the rows.

use std::collections::BTreeMap;

use events::{EventId, Marks, mark_names};
use format::{Capture, Scratch, Statistics};

/// Rows by event that have each mark.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marked {
    /// By the mark's name and the event's.
    pub by_mark: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    /// Rows that nobody sees, by event.
    pub hidden: BTreeMap<EventId, u64>,
    /// Blocks of which it is not known: their statistics do not say it, and they were not read or are damaged.
    pub unknown_blocks: u64,
}

impl Marked {
    /// With `reads`, blocks whose statistics do not say it are read.
    pub fn of(capture: &Capture, reads: bool) -> Marked {
        let (mut marked, mut scratch) = (Marked::default(), Scratch::new());
        for (number, block) in capture.blocks().iter().enumerate() {
            let is_known = marked.add_statistics(capture, &block.statistics)
                || (reads && marked.add_rows(capture, number, &mut scratch).is_ok());
            marked.unknown_blocks += u64::from(!is_known);
        }
        marked
    }

    fn add_statistics(&mut self, capture: &Capture, statistics: &Statistics) -> bool {
        let Some(counts) = &statistics.marks else { return false };
        for count in counts {
            self.add(capture, count.event, 1 << u32::from(count.bit & 31), count.rows.into());
        }
        true
    }

    fn add_rows(&mut self, capture: &Capture, number: usize, scratch: &mut Scratch) -> format::Result<()> {
        let block = capture.block(number, scratch)?;
        for (marks, code) in block.marks()?.iter().zip(block.event_codes()?).filter(|(marks, _)| **marks != 0)
        {
            if let Some(event) = block.event_list().get(usize::from(*code)) {
                self.add(capture, *event, *marks, 1);
            }
        }
        Ok(())
    }

    fn add(&mut self, capture: &Capture, event: EventId, bits: u32, rows: u64) {
        if bits & Marks::STATE_ONLY != 0 {
            *self.hidden.entry(event).or_default() += rows;
        }
        for mark in mark_names::ALL.iter().filter(|mark| mark.bits & bits != 0) {
            let name = super::name_of(capture, event);
            let count = self.by_mark.entry(mark.name).or_default().entry(name).or_default();
            *count = count.saturating_add(rows);
        }
    }

    /// A line for each mark: `12 cut: 9 execve, 3 openat`.
    pub fn lines<'m>(
        by_mark: &'m BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    ) -> impl Iterator<Item = String> + 'm {
        mark_names::ALL.iter().filter_map(|mark| by_mark.get_key_value(mark.name)).map(|(name, events)| {
            let mut events: Vec<_> = events.iter().collect();
            events.sort_by_key(|(name, rows)| (std::cmp::Reverse(**rows), **name));
            let sum = events.iter().fold(0u64, |sum, (_, rows)| sum.saturating_add(**rows));
            let each = events.iter().map(|(event, rows)| format!("{} {event}", super::grouped(**rows)));
            format!("{:>14} {name}: {}", super::grouped(sum), each.collect::<Vec<_>>().join(", "))
        })
    }
}
