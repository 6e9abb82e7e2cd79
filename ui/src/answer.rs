//! An answer that grows while it is asked: which rows of which blocks it has, and where in it each stands. Blocks that overlap
//! in time (of several hosts, or rows that came late) are merged by the times of their matching rows, as `replay` orders them.
//!
//! ```text
//! groups   [ block 0 ] [ block 1 ] [ blocks 2 3 4, which overlap ] [ block 5 ]
//! number      0..900    900..1000         1000..1700               1700..1710
//! ```

use std::ops::Range;
use std::sync::Arc;

use hashbrown::HashMap;
use pipeline::source::BlockRef;
use pipeline::{RowRef, Source};

use crate::matches::{Item, Matches};

/// A row, and its time on the ordering clock, by which its neighbours are found when it is in no answer itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Anchor {
    pub at: RowRef,
    pub key: u64,
}

/// The blocks of a source in order of time.
#[derive(Debug)]
pub struct Layout {
    blocks: Vec<BlockRef>,
    /// Stretches of blocks that overlap each other, and of one block each where none does.
    groups: Vec<Range<usize>>,
    group_of: Vec<usize>,
    places: HashMap<(u32, u32), usize>,
    rows: u64,
}

impl Layout {
    pub fn of(source: &Source) -> Layout {
        Layout::new(source.blocks().to_vec())
    }

    fn new(blocks: Vec<BlockRef>) -> Layout {
        let (mut groups, mut group_of): (Vec<Range<usize>>, Vec<usize>) = (Vec::new(), Vec::new());
        let mut last = 0;
        for (place, block) in blocks.iter().enumerate() {
            match groups.last_mut() {
                Some(group) if block.first <= last => group.end = place + 1,
                _ => groups.push(place..place + 1),
            }
            last = last.max(block.last);
            group_of.push(groups.len() - 1);
        }
        let places =
            blocks.iter().enumerate().map(|(at, it)| ((it.file as u32, it.block as u32), at)).collect();
        let rows = blocks.iter().map(|block| block.rows).sum();
        Layout { blocks, groups, group_of, places, rows }
    }

    pub fn blocks(&self) -> &[BlockRef] {
        &self.blocks
    }

    /// Rows of all blocks.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn place(&self, file: u32, block: u32) -> Option<usize> {
        self.places.get(&(file, block)).copied()
    }

    pub fn rows_of(&self, place: usize) -> u32 {
        self.blocks.get(place).map_or(0, |block| block.rows as u32)
    }

    /// Which stretch of blocks that overlap each other a block is of, in order of time.
    pub fn group(&self, place: usize) -> usize {
        self.group_of.get(place).copied().unwrap_or(usize::MAX)
    }

    /// Whether rows of this block may stand between rows of others.
    pub fn overlaps(&self, place: usize) -> bool {
        let group = self.group_of.get(place).and_then(|group| self.groups.get(*group));
        group.is_some_and(|group| group.len() > 1)
    }
}

/// What an answer has of a block, if anything.
type OfBlock<'a> = Option<&'a Arc<Matches>>;

/// What comes of two answers in a block of so many rows.
type Join<'j> = dyn Fn(OfBlock<'_>, OfBlock<'_>, u32) -> Option<Arc<Matches>> + 'j;

/// What was found so far.
#[derive(Clone, Debug)]
pub struct Answer {
    layout: Arc<Layout>,
    /// By place of the block; `None`: nothing of it, or not yet.
    blocks: Vec<Option<Arc<Matches>>>,
    /// Events that belong to no row: what streams had left when the recording ended.
    pub behind: u64,
    pub is_final: bool,
}

impl Answer {
    pub fn new(layout: Arc<Layout>) -> Answer {
        let blocks = vec![None; layout.blocks.len()];
        Answer { layout, blocks, behind: 0, is_final: false }
    }

    /// Adds what was found in a block, or in another part of one.
    pub fn add(&mut self, place: usize, matches: Matches) {
        let rows = self.layout.blocks.get(place).map_or(0, |block| block.rows as u32);
        if let Some(slot) = self.blocks.get_mut(place).filter(|_| matches.len() > 0) {
            *slot = Some(Arc::new(match slot.take() {
                Some(known) => known.join(&matches, rows),
                None => matches,
            }));
        }
    }

    /// What both have of a block.
    pub fn and_at(&self, place: usize, other: &Matches) -> Option<Matches> {
        Some(self.matches(place)?.and(other, self.layout.rows_of(place)))
    }

    /// What both have.
    pub fn and(&self, other: &Answer) -> Answer {
        self.joined(other, &|one, two, rows| match (one, two) {
            (Some(one), Some(two)) => Some(Arc::new(one.and(two, rows))),
            _ => None,
        })
    }

    /// What either has.
    pub fn or(&self, other: &Answer) -> Answer {
        self.joined(other, &|one, two, rows| match (one, two) {
            (Some(one), Some(two)) => Some(Arc::new(one.or(two, rows))),
            (one, two) => one.or(two).cloned(),
        })
    }

    fn joined(&self, other: &Answer, join: &Join<'_>) -> Answer {
        let places = self.blocks.iter().zip(&other.blocks).enumerate();
        let blocks = places.map(|(place, (one, two))| {
            let rows = self.layout.rows_of(place);
            join(one.as_ref(), two.as_ref(), rows).filter(|matches| matches.len() > 0)
        });
        Answer { layout: Arc::clone(&self.layout), blocks: blocks.collect(), behind: 0, is_final: true }
    }

    /// How many blocks have any of it.
    pub fn blocks_with_rows(&self) -> usize {
        self.blocks.iter().flatten().count()
    }

    /// Events with a row.
    pub fn len(&self) -> u64 {
        self.blocks.iter().flatten().map(|it| it.len() as u64).sum()
    }

    pub fn matches(&self, place: usize) -> Option<&Matches> {
        self.blocks.get(place)?.as_deref()
    }

    pub fn memory(&self) -> usize {
        self.blocks.iter().flatten().map(|it| it.memory()).sum::<usize>() + self.blocks.len() * 8
    }

    pub fn has(&self, at: RowRef) -> bool {
        let matches = self.layout.place(at.file, at.block).and_then(|place| self.matches(place));
        matches.is_some_and(|it| it.has(Item { row: at.row, derived: at.derived }))
    }

    fn len_of(&self, group: &Range<usize>) -> u64 {
        self.blocks.get(group.clone()).unwrap_or_default().iter().flatten().map(|it| it.len() as u64).sum()
    }

    /// How many events stand before this row, whether or not it is one of them.
    pub fn rank(&self, anchor: Anchor) -> u64 {
        let Some(place) = self.layout.place(anchor.at.file, anchor.at.block) else { return self.len() };
        let Some(of) = self.layout.group_of.get(place).copied() else { return 0 };
        let before = self.layout.groups.get(..of).unwrap_or_default();
        let before: u64 = before.iter().map(|group| self.len_of(group)).sum();
        let item = Item { row: anchor.at.row, derived: anchor.at.derived };
        let Some(group) = self.layout.groups.get(of) else { return before };
        let inside = group.clone().map(|other| {
            let Some(matches) = self.matches(other) else { return 0 };
            if other == place {
                return matches.rank(item);
            }
            let is_before = self.order(other) < self.order(place);
            let keys = matches.keys();
            keys.partition_point(|key| *key < anchor.key || (is_before && *key == anchor.key))
        });
        before + inside.map(|count| count as u64).sum::<u64>()
    }

    /// Rows of one time stand in order of their boots, and those of one boot in order of their blocks.
    fn order(&self, place: usize) -> (usize, usize) {
        (self.layout.blocks.get(place).map_or(0, |block| block.boot), place)
    }

    /// So many events from a number on.
    pub fn rows(&self, from: u64, count: usize) -> Vec<RowRef> {
        let (mut rows, mut before) = (Vec::new(), 0);
        for group in &self.layout.groups {
            let len = self.len_of(group);
            let start = from.saturating_sub(before);
            before += len;
            if start >= len {
                continue;
            }
            let wanted = (count - rows.len()).min((len - start) as usize);
            match group.len() {
                1 => self.of_block(group.start, start as usize, wanted, &mut rows),
                _ => self.of_group(group, start, wanted, &mut rows),
            }
            if rows.len() >= count {
                break;
            }
        }
        rows
    }

    fn row(&self, place: usize, at: usize) -> Option<RowRef> {
        let block = self.layout.blocks.get(place)?;
        let Item { row, derived } = self.matches(place)?.get(at)?;
        Some(RowRef { file: block.file as u32, block: block.block as u32, row, derived })
    }

    fn of_block(&self, place: usize, from: usize, count: usize, rows: &mut Vec<RowRef>) {
        rows.extend((from..from + count).filter_map(|at| self.row(place, at)));
    }

    /// Merges blocks that overlap, from the event with this number in the group on.
    fn of_group(&self, group: &Range<usize>, from: u64, count: usize, rows: &mut Vec<RowRef>) {
        let mut lanes: Vec<Lane<'_>> = Vec::new();
        for place in group.clone() {
            if let Some(keys) = self.matches(place).map(Matches::keys).filter(|keys| !keys.is_empty()) {
                lanes.push(Lane { order: self.order(place), place, keys, at: 0 });
            }
        }
        // The latest time before which no more than `from` events stand.
        let before =
            |time: u64| lanes.iter().map(|it| it.keys.partition_point(|key| *key < time) as u64).sum::<u64>();
        let (mut low, mut high) = (0u64, u64::MAX);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if before(middle) <= from { low = middle } else { high = middle - 1 }
        }
        let mut skip = from - before(low);
        lanes.iter_mut().for_each(|lane| lane.at = lane.keys.partition_point(|key| *key < low));
        let mut taken = 0;
        while taken < count {
            let next = lanes.iter_mut().filter_map(|lane| Some((*lane.keys.get(lane.at)?, lane)));
            let Some((_, lane)) = next.min_by_key(|(key, lane)| (*key, lane.order)) else { break };
            let at = lane.at;
            lane.at += 1;
            if skip > 0 {
                skip -= 1;
                continue;
            }
            rows.extend(self.row(lane.place, at));
            taken += 1;
        }
    }
}

/// What one of some blocks that overlap has still to give.
struct Lane<'a> {
    order: (usize, usize),
    place: usize,
    keys: &'a [u64],
    at: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn block(block: usize, first: u64, last: u64, rows: u64) -> BlockRef {
        BlockRef { first, boot: block % 2, file: 0, block, last, rows }
    }

    proptest! {
        #[test]
        fn rows_stand_in_order_of_time_boot_and_block_and_know_their_number(
            blocks in prop::collection::vec(prop::collection::vec(0u64..60, 1..30), 1..6),
            from in 0u64..40,
        ) {
            let mut blocks: Vec<Vec<u64>> = blocks;
            blocks.iter_mut().for_each(|times| times.sort_unstable());
            blocks.sort_by_key(|times| times[0]);
            let layout: Vec<BlockRef> = blocks.iter().enumerate()
                .map(|(at, times)| block(at, times[0], times[times.len() - 1], times.len() as u64)).collect();
            let layout = Arc::new(Layout::new(layout));
            let mut answer = Answer::new(Arc::clone(&layout));
            let mut expected = Vec::new();
            for (place, times) in blocks.iter().enumerate() {
                // Every row but each third one matches.
                let kept = || (0u32..).zip(times).filter(|(row, _)| row % 3 != 2);
                let items = kept().map(|(row, _)| Item { row, derived: 0 }).collect();
                let keys = if layout.overlaps(place) { kept().map(|(_, time)| *time).collect() } else { Vec::new() };
                answer.add(place, Matches::new(items, times.len() as u32, keys));
                expected.extend(kept().map(|(row, time)| (*time, place % 2, place, row)));
            }
            expected.sort_unstable();
            prop_assert_eq!(answer.len(), expected.len() as u64);
            let rows = answer.rows(from, 25);
            let shown: Vec<_> = rows.iter().map(|at| (at.block as usize, at.row)).collect();
            let wanted: Vec<_> = expected.iter().skip(from as usize).take(25).map(|it| (it.2, it.3)).collect();
            prop_assert_eq!(shown, wanted);
            for (number, (time, _, place, row)) in expected.iter().enumerate() {
                let at = RowRef { file: 0, block: *place as u32, row: *row, derived: 0 };
                prop_assert_eq!(answer.rank(Anchor { at, key: *time }), number as u64);
                prop_assert!(answer.has(at));
            }
        }
    }
}
