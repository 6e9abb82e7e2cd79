//! Events that did not become records: what the programs refused, what the kernel did not run, what did not read. Each is
//! counted where it happens; here is what has been told of it already.

use events::{
    EventId,
    abi::{Slot, hooks::Hook},
};
use hashbrown::HashMap;

use super::{
    Loss, LossCause, Records,
    clock::BootOffset,
    region::{Dropped, Regions},
};

/// Runs of a program that the kernel left out since it was loaded.
#[derive(Clone, Copy, Debug)]
pub struct Missed {
    pub program: &'static str,
    /// What it records, where that is one event.
    pub hook: Option<Hook>,
    pub count: u64,
}

/// Counters of lost records as last told.
#[derive(Debug)]
pub struct Losses {
    /// Of a CPU's programs together.
    counted: Vec<u64>,
    by_slot: Vec<Dropped>,
    /// Of CPUs that have no buffer, by slot.
    without_region: Vec<u64>,
    /// Events that the programs dropped because no scope can want them.
    left_out: u64,
    /// Calls whose beginning found no room.
    untimed: u64,
    since_ns: u64,
    /// CPUs whose bytes did not read, and the slot where that much could be read.
    malformed: Vec<(u16, Option<u16>)>,
    /// By CPU.
    watch: Vec<Watch>,
    missed: HashMap<&'static str, u64>,
    misses_since_ns: u64,
}

/// What a look at a CPU's writer has shown.
#[derive(Clone, Copy, Default, Debug)]
struct Watch {
    /// Where it was writing, if it was.
    written_at: Option<u64>,
    /// Looks at which it stood at the same place.
    stands: u32,
    is_stuck: bool,
}

impl Watch {
    /// So many looks, a tenth of a second apart, at which nothing moves and records are refused: no program takes that
    /// long.
    const PATIENCE: u32 = 3;

    /// Whether the writer is stuck: it is in the middle of a record, and does not get on while others are refused for it.
    fn look(&mut self, written_at: Option<u64>, is_refusing: bool) -> bool {
        let stands = written_at.is_some() && written_at == self.written_at;
        self.written_at = written_at;
        // Without refusals nothing shows that it was not another writer each time.
        self.stands = if !stands { 0 } else { self.stands + u32::from(is_refusing) };
        self.is_stuck = self.stands >= Watch::PATIENCE;
        self.is_stuck
    }
}

impl Losses {
    pub fn new(cpus: usize, now_ns: u64) -> Losses {
        Losses {
            counted: vec![0; cpus],
            by_slot: vec![Dropped::default(); cpus * Slot::COUNT],
            without_region: vec![0; Slot::COUNT],
            left_out: 0,
            untimed: 0,
            since_ns: now_ns,
            malformed: Vec::new(),
            watch: vec![Watch::default(); cpus],
            missed: HashMap::new(),
            misses_since_ns: now_ns,
        }
    }

    /// When the counters were last looked at (monotonic clock).
    pub fn since_ns(&self) -> u64 {
        self.since_ns
    }

    /// When the kernel was last asked what it did not run (monotonic clock).
    pub fn misses_since_ns(&self) -> u64 {
        self.misses_since_ns
    }

    /// Bytes of a CPU were no record; its slot, where that much could be read.
    pub fn add_malformed(&mut self, cpu: u16, slot: Option<u16>) {
        self.malformed.push((cpu, slot));
    }

    #[cfg(test)]
    pub fn take_malformed(&mut self) -> Vec<(u16, Option<u16>)> {
        std::mem::take(&mut self.malformed)
    }

    /// Tells what has been lost since the last time.
    pub fn report(
        &mut self,
        regions: &Regions,
        without_region: Option<&[u64; Slot::COUNT]>,
        event_of: impl Fn(usize) -> Option<EventId>,
        offset: BootOffset,
        now_ns: u64,
        sink: &mut impl Records,
    ) {
        let (from_ns, to_ns) = (offset.boot_ns(self.since_ns), offset.boot_ns(now_ns));
        let loss = |cpu, event, count, cause| Loss { from_ns, to_ns, cpu, event, count, cause };
        for (slot, (now, seen)) in
            without_region.into_iter().flatten().zip(&mut self.without_region).enumerate()
        {
            let count = now.wrapping_sub(std::mem::replace(seen, *now));
            if count != 0 {
                sink.lost(&loss(None, event_of(slot), count, LossCause::NoBuffer));
            }
        }
        let by_cpu = self.by_slot.chunks_exact_mut(Slot::COUNT);
        for (cpu, ((counted, by_slot), watch)) in
            self.counted.iter_mut().zip(by_cpu).zip(&mut self.watch).enumerate()
        {
            let dropped = regions.dropped(cpu);
            let was_stuck = watch.is_stuck;
            let is_stuck = watch.look(regions.written_at(cpu), dropped != *counted);
            if is_stuck && !was_stuck {
                sink.stuck(cpu as u16);
            }
            if dropped == *counted {
                continue;
            }
            *counted = dropped;
            let nested = if is_stuck { LossCause::Stuck } else { LossCause::Nested };
            for (slot, seen) in by_slot.iter_mut().enumerate() {
                let now = regions.dropped_of(cpu, slot);
                for (now, seen, cause) in [
                    (now.full, seen.full, LossCause::BufferFull),
                    (now.nested, seen.nested, nested),
                    (now.forgotten, seen.forgotten, LossCause::Forgotten),
                ] {
                    if now != seen {
                        sink.lost(&loss(Some(cpu as u16), event_of(slot), now.wrapping_sub(seen), cause));
                    }
                }
                *seen = now;
            }
        }
        for (cpu, slot) in self.malformed.drain(..) {
            let event = slot.and_then(|slot| event_of(slot.into()));
            sink.lost(&loss(Some(cpu), event, 1, LossCause::Malformed));
        }
        let left_out: u64 = (0..self.counted.len()).map(|cpu| regions.left_out(cpu)).sum();
        if left_out != self.left_out {
            sink.left_out(left_out.wrapping_sub(self.left_out));
            self.left_out = left_out;
        }
        let untimed = regions.untimed_calls();
        if untimed != self.untimed {
            sink.untimed(untimed.wrapping_sub(self.untimed));
            self.untimed = untimed;
        }
        self.since_ns = now_ns;
    }

    /// Tells what the kernel did not run, by how often that has been since the start.
    pub fn report_misses(
        &mut self,
        misses: &[Missed],
        event_of: impl Fn(usize) -> Option<EventId>,
        offset: BootOffset,
        now_ns: u64,
        sink: &mut impl Records,
    ) {
        let (from_ns, to_ns) = (offset.boot_ns(self.misses_since_ns), offset.boot_ns(now_ns));
        for Missed { program, hook, count } in misses {
            let seen = self.missed.entry(program).or_default();
            let new = count.saturating_sub(*seen);
            *seen = (*seen).max(*count);
            if new > 0 {
                let event = hook.and_then(|hook| event_of(hook.slot().into()));
                sink.lost(&Loss { from_ns, to_ns, cpu: None, event, count: new, cause: LossCause::Missed });
            }
        }
        self.misses_since_ns = now_ns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_that_does_not_get_on_while_others_are_refused_is_stuck() {
        let mut watch = Watch::default();
        assert!((0..9).all(|_| !watch.look(Some(64), false)), "nobody was refused");
        assert!(!watch.look(Some(64), true) && !watch.look(Some(64), true));
        assert!(watch.look(Some(64), true) && watch.look(Some(64), true));
        assert!(!watch.look(Some(128), true), "it got on");
        assert!(!watch.look(None, true), "it ended");
        for head in 0..99 {
            assert!(!watch.look(Some(head), true), "each time another write");
        }
    }
}
