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
#[derive(Clone, Copy, Debug)]
pub struct BootOffset {
    ns: u64,
}

/// Differences below this are the time between two readings, not a suspend.
const SUSPEND_NS: u64 = 1_000_000;

impl BootOffset {
    pub fn measure() -> BootOffset {
        // Of several readings, the one with the least time between the clocks.
        let best = (0..8)
            .map(|_| {
                let before = monotonic_ns();
                let boot = now_ns(ClockId::Boottime);
                let after = monotonic_ns();
                (after.saturating_sub(before), boot.saturating_sub(before.midpoint(after)))
            })
            .min();
        BootOffset { ns: best.map_or(0, |(_, offset)| offset) }
    }

    /// Measures again. The old offset stays unless the machine was suspended, so that time never steps by noise.
    pub fn refresh(&mut self) {
        let now = BootOffset::measure();
        if now.ns.abs_diff(self.ns) > SUSPEND_NS {
            *self = now;
        }
    }

    pub fn boot_ns(self, monotonic_ns: u64) -> u64 {
        monotonic_ns.wrapping_add(self.ns)
    }
}
