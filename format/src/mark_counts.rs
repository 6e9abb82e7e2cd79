//! How many rows of each event have each mark: what was cut, could not be read, was changed, blocked or overlaps.

use std::collections::BTreeMap;

use events::EventId;

/// Rows of an event that have one bit of [`events::Marks`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct MarkCount {
    pub event: EventId,
    /// Number of the bit, 0 to 31.
    pub bit: u8,
    pub rows: u32,
}

/// The counts of rows whose event codes and marks these are, sorted by event and bit; `events` are the events of codes.
pub(crate) fn count<'a>(
    rows: impl Iterator<Item = (&'a u16, &'a u32)>,
    events: &[EventId],
) -> Vec<MarkCount> {
    let mut counts: BTreeMap<(EventId, u8), u32> = BTreeMap::new();
    for (code, marks) in rows.filter(|(_, marks)| **marks != 0) {
        let Some(event) = events.get(usize::from(*code)) else { continue };
        let mut rest = *marks;
        while rest != 0 {
            *counts.entry((*event, rest.trailing_zeros() as u8)).or_default() += 1;
            rest &= rest - 1;
        }
    }
    counts.into_iter().map(|((event, bit), rows)| MarkCount { event, bit, rows }).collect()
}

/// Adds the counts of other rows.
pub(crate) fn add(own: &mut Vec<MarkCount>, others: &[MarkCount]) {
    own.extend_from_slice(others);
    own.sort_unstable();
    own.dedup_by(|later, first| {
        let is_same = (later.event, later.bit) == (first.event, first.bit);
        if is_same {
            first.rows = first.rows.saturating_add(later.rows);
        }
        is_same
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_of_each_event_is_counted_and_added() {
        let events = [EventId(9), EventId(3)];
        let (codes, marks) = ([0, 1, 1, 0, 5], [0b11, 0b10, 0b10, 0, 1 << 31]);
        let mut counts = count(codes.iter().zip(&marks), &events);
        let of = |event, bit, rows| MarkCount { event: EventId(event), bit, rows };
        assert_eq!(counts, [of(3, 1, 2), of(9, 0, 1), of(9, 1, 1)]);
        add(&mut counts, &[of(3, 1, 5), of(4, 31, 1)]);
        assert_eq!(counts, [of(3, 1, 7), of(4, 31, 1), of(9, 0, 1), of(9, 1, 1)]);
    }
}
