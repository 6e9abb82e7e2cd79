//! Names about clocks and timers.

use super::Table;

/// A clock.
pub(super) const CLOCK_ID: Table = Table::values(&[
    (0, "CLOCK_REALTIME"),
    (1, "CLOCK_MONOTONIC"),
    (2, "CLOCK_PROCESS_CPUTIME_ID"),
    (3, "CLOCK_THREAD_CPUTIME_ID"),
    (4, "CLOCK_MONOTONIC_RAW"),
    (5, "CLOCK_REALTIME_COARSE"),
    (6, "CLOCK_MONOTONIC_COARSE"),
    (7, "CLOCK_BOOTTIME"),
    (8, "CLOCK_REALTIME_ALARM"),
    (9, "CLOCK_BOOTTIME_ALARM"),
    (10, "CLOCK_SGI_CYCLE"),
    (11, "CLOCK_TAI"),
]);

/// Flags of `timer_settime` and `clock_nanosleep`.
pub(super) const TIMER_FLAGS: Table = Table::flags(None, &[(1, "TIMER_ABSTIME")]);

/// Flags of `timerfd_create`.
pub(super) const TIMERFD_FLAGS: Table =
    Table::flags(None, &[(0x800, "TFD_NONBLOCK"), (0x80000, "TFD_CLOEXEC")]);

/// Flags of `timerfd_settime`.
pub(super) const TIMERFD_SET_FLAGS: Table =
    Table::flags(None, &[(1, "TFD_TIMER_ABSTIME"), (2, "TFD_TIMER_CANCEL_ON_SET")]);

/// An interval timer.
pub(super) const ITIMER_WHICH: Table =
    Table::values(&[(0, "ITIMER_REAL"), (1, "ITIMER_VIRTUAL"), (2, "ITIMER_PROF")]);
