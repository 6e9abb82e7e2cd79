//! The clocks: records carry the monotonic one, the rest of the program the boot clock.

use rustix::time::{ClockId, clock_gettime};

fn now_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

pub fn monotonic_ns() -> u64 {
    now_ns(ClockId::Monotonic)
}

pub fn boot_ns() -> u64 {
    now_ns(ClockId::Boottime)
}

/// How far the boot clock is ahead of the monotonic one: the time that the machine was suspended.
///
/// Records carry the monotonic clock, which stands still meanwhile. What is read after a suspend may have happened before
/// it, so the offset from before is kept beside the new one.
///
/// ```text
/// monotonic   ....measured....freezing|thawing....measured....
/// records         before_ns           ^since_ns      ns
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BootOffset {
    ns: u64,
    before_ns: u64,
    /// From here on (monotonic clock) `ns` holds.
    since_ns: u64,
    /// When the offset was last measured (monotonic clock).
    measured_ns: u64,
}

/// Differences below this are the time between two readings, not a suspend.
const SUSPEND_NS: u64 = 1_000_000;

impl BootOffset {
    pub fn measure() -> BootOffset {
        let ns = measured_offset();
        BootOffset { ns, before_ns: ns, since_ns: 0, measured_ns: monotonic_ns() }
    }

    /// Measures again. The old offset stays unless the machine was suspended, so that time never steps by noise.
    pub fn refresh(&mut self) {
        let ns = measured_offset();
        self.note(ns, monotonic_ns());
    }

    fn note(&mut self, ns: u64, now_ns: u64) {
        if ns.abs_diff(self.ns) > SUSPEND_NS {
            // When it was between the two measurements is not known. Before it everybody's processes are frozen and after
            // it they go on, devices take their time in between, and so next to nothing happens around the middle.
            let since_ns = self.measured_ns.midpoint(now_ns);
            *self = BootOffset { ns, before_ns: self.ns, since_ns, ..*self };
        }
        self.measured_ns = now_ns;
    }

    pub fn boot_ns(self, monotonic_ns: u64) -> u64 {
        let offset = if monotonic_ns < self.since_ns { self.before_ns } else { self.ns };
        monotonic_ns.wrapping_add(offset)
    }
}

/// The boot clock's lead over the monotonic one.
fn measured_offset() -> u64 {
    // Of several readings, the one with the least time between the clocks.
    let best = (0..8)
        .map(|_| {
            let before = monotonic_ns();
            let boot = now_ns(ClockId::Boottime);
            let after = monotonic_ns();
            (after.saturating_sub(before), boot.saturating_sub(before.midpoint(after)))
        })
        .min();
    best.map_or(0, |(_, offset)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_before_a_suspend_keeps_its_time() {
        const SECOND: u64 = 1_000_000_000;
        let mut offset = BootOffset { ns: 0, before_ns: 0, since_ns: 0, measured_ns: 100 * SECOND };
        offset.note(300, 101 * SECOND);
        assert_eq!(offset.boot_ns(101 * SECOND), 101 * SECOND, "noise");
        // Suspended for an hour, at some moment between 101 and 103 s.
        let hour = 3600 * SECOND;
        offset.note(hour, 103 * SECOND);
        assert_eq!(offset.boot_ns(101 * SECOND + 1), 101 * SECOND + 1);
        assert_eq!(offset.boot_ns(103 * SECOND - 1), 103 * SECOND - 1 + hour);
        offset.note(hour + 20, 104 * SECOND);
        assert_eq!(offset.boot_ns(101 * SECOND), 101 * SECOND, "what comes late");
        assert_eq!(offset.boot_ns(104 * SECOND), 104 * SECOND + hour);
    }
}
