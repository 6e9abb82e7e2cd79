//! One clock for one time: from the boot clock of a host to the wall clock, as the blocks of a capture tell it.
//!
//! Each block says what the wall clock was when it was begun. Between blocks the offset of the two clocks drifts, and
//! jumps where somebody set the wall clock:
//!
//! ```text
//! offset   ----.______
//!                     |              the wall clock was set back
//!                     '------
//! blocks   | 0 | 1 | 2 | 3 | 4 |
//! points   0           3             where offsets differ by more than a tolerance
//! ```
//!
//! A capture made from another may lack blocks in whose time the clock was set: it tells the clock of its source in records
//! of their own, so that a time is the same one in both.

use crate::{BlockInfo, Capture, Clock, ClockOffset, Scratch};

/// Offsets that differ by less are taken for one.
pub const TOLERANCE_NS: u64 = 1_000_000;
/// Points of a recording that goes on.
const MOST_POINTS: usize = 64;
/// Of a capture with no more blocks every block is asked for its clock.
const FEW_BLOCKS: usize = 256;

/// The wall clock of one host over the time of a capture.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WallClock {
    /// Boot clock from which on an offset holds, and the offset; rising. What is before the first has the first offset.
    points: Vec<(u64, u64)>,
    /// By point: the latest wall clock before it.
    floors: Vec<u64>,
}

impl WallClock {
    /// One offset for all times.
    pub fn constant(clock: Clock) -> WallClock {
        WallClock::new(vec![(0, offset(clock))])
    }

    fn new(points: Vec<(u64, u64)>) -> WallClock {
        let mut floors = vec![0; points.len().min(1)];
        let ends = points.iter().zip(points.iter().skip(1));
        floors.extend(ends.scan(0, |floor: &mut u64, ((_, offset), (end, _))| {
            *floor = (*floor).max(end.wrapping_add(*offset));
            Some(*floor)
        }));
        WallClock { points, floors }
    }

    /// What the capture says of a host's clock, or else what its blocks say. A damaged block has no say.
    pub fn of(capture: &Capture, host: u16) -> WallClock {
        let told = WallClock::told(capture.clocks(), host);
        told.unwrap_or_else(|| WallClock::of_blocks(capture, host))
    }

    /// As records tell it; `None` when they say nothing of the host.
    pub fn told(offsets: &[ClockOffset], host: u16) -> Option<WallClock> {
        let of_host = offsets.iter().filter(|it| it.host == host);
        let mut points: Vec<(u64, u64)> = of_host.map(|it| (it.from_ns, it.wall_offset_ns)).collect();
        points.sort_unstable();
        (!points.is_empty()).then(|| WallClock::new(points))
    }

    /// The records that tell this clock.
    pub fn offsets(&self, host: u16) -> impl Iterator<Item = ClockOffset> {
        let offset = move |(from_ns, wall_offset_ns): &(u64, u64)| ClockOffset {
            host,
            from_ns: *from_ns,
            wall_offset_ns: *wall_offset_ns,
        };
        self.points.iter().map(offset)
    }

    fn of_blocks(capture: &Capture, host: u16) -> WallClock {
        let mut blocks = Vec::new();
        let mut offsets = Vec::new();
        for number in 0..capture.segments().len() {
            let segment = capture.segment_or_unreadable(number);
            let of_host = segment.blocks.iter().enumerate().filter(|(_, it)| it.host() == host);
            for (at, BlockInfo { statistics, .. }) in of_host.filter(|(_, it)| it.statistics.rows > 0) {
                blocks.push((statistics.first_ns, segment.first_block + at));
                offsets.extend(statistics.wall_offset_ns.map(|offset| (statistics.first_ns, offset)));
            }
        }
        if offsets.len() == blocks.len() && !offsets.is_empty() {
            offsets.sort_unstable();
            offsets.dedup_by_key(|(_, offset)| *offset);
            return WallClock::new(offsets);
        }
        // Files whose index does not say it.
        blocks.sort_unstable();
        let mut scratch = Scratch::new();
        let ask = |block: usize| capture.block(block, &mut scratch).ok().map(|block| offset(block.clock()));
        WallClock::from_blocks(&blocks, ask).unwrap_or(WallClock::constant(capture.header().clock))
    }

    /// `blocks`: first times and numbers of blocks, sorted; `ask` tells the offset of one.
    fn from_blocks(blocks: &[(u64, usize)], mut ask: impl FnMut(usize) -> Option<u64>) -> Option<WallClock> {
        let mut points: Vec<(u64, u64)> = Vec::new();
        let mut say = |time: u64, offset: u64| match points.last() {
            Some((_, last)) if *last == offset => {}
            _ => points.push((time, offset)),
        };
        if blocks.len() <= FEW_BLOCKS {
            for (time, block) in blocks {
                if let Some(offset) = ask(*block) {
                    say(*time, offset);
                }
            }
        } else {
            // Stretches between blocks that were asked, the earliest on top: halved until their ends agree.
            let mut known = |at: usize| blocks.get(at).and_then(|(_, block)| ask(*block));
            let last = blocks.len() - 1;
            let (first_offset, last_offset) = (known(0), known(last));
            let mut stretches = vec![(0, first_offset, last, last_offset)];
            while let Some((low, low_offset, high, high_offset)) = stretches.pop() {
                let agree = match (low_offset, high_offset) {
                    (Some(low), Some(high)) => low.abs_diff(high) < TOLERANCE_NS,
                    _ => false,
                };
                if agree || high - low <= 1 {
                    for (at, offset) in [(low, low_offset), (high, high_offset)] {
                        if let (Some((time, _)), Some(offset)) = (blocks.get(at), offset) {
                            say(*time, offset);
                        }
                    }
                    continue;
                }
                let middle = low + (high - low) / 2;
                let offset = known(middle);
                stretches.push((middle, offset, high, high_offset));
                stretches.push((low, low_offset, middle, offset));
            }
        }
        (!points.is_empty()).then(|| WallClock::new(points))
    }

    /// The same clock with one point more, behind the others; of many only the last ones are kept.
    pub fn with(&self, boot_ns: u64, clock: Clock) -> WallClock {
        let mut points = self.points.clone();
        if points.last().is_none_or(|(from, _)| *from < boot_ns) {
            points.push((boot_ns, offset(clock)));
        }
        let many = points.len().saturating_sub(MOST_POINTS);
        let floor = self.floors.get(many).copied().unwrap_or_default();
        points.drain(..many);
        let mut clock = WallClock::new(points);
        clock.floors.iter_mut().for_each(|known| *known = floor.max(*known));
        clock
    }

    /// What is added to a time of the boot clock, wrapping.
    pub fn offset(&self, boot_ns: u64) -> u64 {
        let behind = self.points.partition_point(|(from, _)| *from <= boot_ns);
        self.points.get(behind.saturating_sub(1)).map_or(0, |(_, offset)| *offset)
    }

    /// A time of the boot clock as one that orders rows of several hosts: the wall clock, except that it stands still while
    /// a clock that was set back catches up. Rows of one host stay in the order in which they happened.
    pub fn key(&self, boot_ns: u64) -> u64 {
        let behind = self.points.partition_point(|(from, _)| *from <= boot_ns);
        let here = boot_ns.wrapping_add(self.offset(boot_ns));
        let floor = self.floors.get(behind.saturating_sub(1)).copied().unwrap_or_default();
        here.max(floor)
    }

    /// The first time of the boot clock at which the wall clock was so late.
    pub fn boot(&self, wall_ns: i64) -> u64 {
        let ends = self.points.iter().skip(1).map(|(from, _)| *from).chain([u64::MAX]);
        for (at, ((from, offset), end)) in self.points.iter().zip(ends).enumerate() {
            let from = if at == 0 { 0 } else { *from };
            // Offsets wrap where the wall clock is behind the boot clock.
            let time = i128::from(wall_ns) - i128::from(*offset as i64);
            let time = u64::try_from(time.max(0)).unwrap_or(u64::MAX).max(from);
            if time < end {
                return time;
            }
        }
        u64::MAX
    }

    /// The earliest and the latest wall clock of a stretch of the boot clock, ns since the epoch: it may have been set within.
    pub fn wall_between(&self, first_ns: u64, last_ns: u64) -> (i64, i64) {
        let (mut earliest, mut latest) = (self.wall(first_ns), self.wall(last_ns));
        (earliest, latest) = (earliest.min(latest), earliest.max(latest));
        for ((from, offset), before) in self.points.iter().skip(1).zip(&self.points) {
            if (first_ns..=last_ns).contains(from) {
                for offset in [*offset, before.1] {
                    let wall = from.wrapping_add(offset) as i64;
                    (earliest, latest) = (earliest.min(wall), latest.max(wall));
                }
            }
        }
        (earliest, latest)
    }

    /// Wall clock of a time of the boot clock, ns since the epoch.
    pub fn wall(&self, boot_ns: u64) -> i64 {
        boot_ns.wrapping_add(self.offset(boot_ns)) as i64
    }
}

fn offset(clock: Clock) -> u64 {
    clock.wall_ns.wrapping_sub(clock.boot_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(count: u64) -> Vec<(u64, usize)> {
        (0..count).map(|block| (block * 100, block as usize)).collect()
    }

    #[test]
    fn a_time_has_the_offset_of_its_block() {
        let ask = |block| Some(if block < 3 { 1000 } else { 400 });
        let clock = WallClock::from_blocks(&blocks(5), ask).expect("blocks");
        assert_eq!([0, 299, 300, 9_999].map(|time| clock.wall(time)), [1000, 1299, 700, 10_399]);
        assert_eq!([0, 1299, 1300, 1301].map(|wall| clock.boot(wall)), [0, 299, 900, 901]);
        // While the clock that was set back catches up, order stands still.
        assert_eq!([299, 300, 899, 901].map(|time| clock.key(time)), [1299, 1300, 1300, 1301]);
        assert_eq!(WallClock::from_blocks(&[], |_| None), None);
    }

    #[test]
    fn a_jump_is_found_among_many_blocks_without_asking_all() {
        let mut asked = 0;
        let ask = |block| {
            asked += 1;
            // A damaged block in between has no say.
            (block != 5_000).then_some(if block < 7_777 { 50_000_000 } else { 0 })
        };
        let clock = WallClock::from_blocks(&blocks(10_000), ask).expect("blocks");
        assert_eq!((clock.offset(777_699), clock.offset(777_700)), (50_000_000, 0));
        assert!(asked < 100, "{asked}");
    }
}
