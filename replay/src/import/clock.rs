//! The boot clock behind a log's wall-clock times.
//!
//! Our own logs say when a process began by both clocks, so their rows get the boot times that they had. That keeps their
//! order: a block's wall clock may be some ns behind that of the block before, and rows are in order of boot time. Logs of
//! others know the wall clock alone, which then stands for the boot clock.

use format::Clock;

/// A clock that is set by more belongs to another host of a merged log.
const SET_BY_NS: u64 = 1_000_000_000;
/// A line may be so much before the line above it and still come after it, with the clock set back in between.
const SET_BACK_NS: u64 = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub(super) struct LogClock {
    /// Of the wall clock before the boot clock; `None` in logs of others.
    ahead_ns: Option<u64>,
    last_boot_ns: u64,
}

impl LogClock {
    pub(super) fn new(ahead_ns: Option<u64>) -> LogClock {
        LogClock { ahead_ns, last_boot_ns: 0 }
    }

    pub(super) fn ahead_ns(&self) -> u64 {
        self.ahead_ns.unwrap_or(0)
    }

    pub(super) fn boot_ns(&self, wall_ns: u64) -> u64 {
        wall_ns.saturating_sub(self.ahead_ns())
    }

    /// Both clocks at a time of the log.
    pub(super) fn at(&self, wall_ns: u64) -> Clock {
        let boot_ns = self.boot_ns(wall_ns);
        Clock { monotonic_ns: boot_ns, boot_ns, wall_ns }
    }

    /// Goes on to a line that says so much of the clocks, and returns its boot time.
    pub(super) fn advance(&mut self, wall_ns: u64, said_ahead_ns: Option<u64>) -> u64 {
        if let Some(ahead) = &mut self.ahead_ns {
            *ahead = said_ahead_ns.filter(|said| said.abs_diff(*ahead) < SET_BY_NS).unwrap_or(*ahead);
            let back = self.last_boot_ns.saturating_sub(wall_ns.saturating_sub(*ahead));
            if (1..SET_BACK_NS).contains(&back) {
                *ahead = ahead.saturating_sub(back);
            }
        }
        self.last_boot_ns = self.boot_ns(wall_ns);
        self.last_boot_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_back_leaves_lines_in_their_order() {
        let mut clock = LogClock::new(Some(1000));
        assert_eq!(clock.advance(5000, Some(1000)), 4000);
        assert_eq!(clock.advance(4999, Some(998)), 4001);
        // A thread's line says nothing, but lines come in order.
        assert_eq!((clock.advance(4998, None), clock.ahead_ns()), (4001, 997));
        // Another host of a merged log.
        assert_eq!(clock.advance(6000, Some(9_000_000_000_000)), 5003);
    }

    #[test]
    fn logs_of_others_have_one_clock() {
        let mut clock = LogClock::new(None);
        assert_eq!([clock.advance(5000, None), clock.advance(4999, None)], [5000, 4999]);
    }
}
