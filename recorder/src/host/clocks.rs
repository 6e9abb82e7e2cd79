//! The three clocks, read together.

use format::Clock;
use rustix::time::{ClockId, clock_gettime};

/// Tries; the one during which the least time went by counts.
const TRIES: usize = 4;

/// Monotonic, boot and wall clock of one moment, to within the time that three readings take (under 1 us when nothing
/// interrupts).
pub fn now() -> Clock {
    let mut best = (u64::MAX, Clock::default());
    for _ in 0..TRIES {
        let before = read(ClockId::Monotonic);
        let (boot_ns, wall_ns) = (read(ClockId::Boottime), read(ClockId::Realtime));
        let after = read(ClockId::Monotonic);
        let took = after.saturating_sub(before);
        if took < best.0 {
            best = (took, Clock { monotonic_ns: before + took / 2, boot_ns, wall_ns });
        }
    }
    best.1
}

/// The boot clock alone, ns.
pub fn boot_ns() -> u64 {
    read(ClockId::Boottime)
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_agree_from_one_reading_to_the_next() {
        let (a, b) = (now(), now());
        assert!(b.monotonic_ns > a.monotonic_ns && b.boot_ns > a.boot_ns);
        let offset = |clock: Clock| clock.boot_ns as i64 - clock.monotonic_ns as i64;
        let drift = offset(a).abs_diff(offset(b));
        assert!(drift < 1_000_000_000, "{drift} ns apart");
    }
}
