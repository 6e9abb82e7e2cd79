//! Clocks and timers.

use super::{arg, call, fd, int, timespec, uint};
use crate::ArgKind::{I32, Struct};
use crate::StructKind::{Int, Itimerspec, Itimerval, Long, SigEvent, Timespec, Timeval, Timex, Timezone};
use crate::{Event, Names, Returns, Set, Sets};

const TIME_TIME_CLOCK: Sets = Sets::of(&[Set::Syscalls, Set::Time, Set::TimeClock]);
const TIME_TIME_TIMER: Sets = Sets::of(&[Set::Syscalls, Set::Time, Set::TimeTimer]);
const TIME_TIME_TOD: Sets = Sets::of(&[Set::Syscalls, Set::Time, Set::TimeTod]);

pub(super) const EVENTS: &[Event] = &[
    call(
        35,
        "nanosleep",
        [162, 101],
        TIME_TIME_TIMER,
        &[timespec("req"), arg("rem", "struct timespec*", Struct(Timespec)).on_error()],
    ),
    call(
        36,
        "getitimer",
        [105, 102],
        TIME_TIME_TIMER,
        &[
            int("which").named(Names::ItimerWhich),
            arg("curr_value", "struct itimerval*", Struct(Itimerval)).out(),
        ],
    ),
    call(37, "alarm", [27, -1], TIME_TIME_TIMER, &[uint("seconds")]),
    call(
        38,
        "setitimer",
        [104, 103],
        TIME_TIME_TIMER,
        &[
            int("which").named(Names::ItimerWhich),
            arg("new_value", "struct itimerval*", Struct(Itimerval)),
            arg("old_value", "struct itimerval*", Struct(Itimerval)).out(),
        ],
    ),
    call(
        96,
        "gettimeofday",
        [78, 169],
        TIME_TIME_TOD,
        &[
            arg("tv", "struct timeval*", Struct(Timeval)).out(),
            arg("tz", "struct timezone*", Struct(Timezone)).out(),
        ],
    ),
    call(159, "adjtimex", [124, 171], TIME_TIME_CLOCK, &[arg("buf", "struct timex*", Struct(Timex))]),
    call(
        164,
        "settimeofday",
        [79, 170],
        TIME_TIME_TOD,
        &[
            arg("tv", "const struct timeval*", Struct(Timeval)),
            arg("tz", "const struct timezone*", Struct(Timezone)),
        ],
    ),
    call(201, "time", [13, -1], TIME_TIME_TOD, &[arg("tloc", "time_t*", Struct(Long)).out()]),
    call(
        222,
        "timer_create",
        [259, 107],
        TIME_TIME_TIMER,
        &[
            arg("clockid", "const clockid_t", I32).named(Names::ClockId),
            arg("sevp", "struct sigevent*", Struct(SigEvent)),
            arg("timer_id", "timer_t*", Struct(Int)).out(),
        ],
    ),
    call(
        223,
        "timer_settime",
        [409, 110],
        TIME_TIME_TIMER,
        &[
            arg("timer_id", "timer_t", I32),
            int("flags").named(Names::TimerFlags),
            arg("new_value", "const struct itimerspec*", Struct(Itimerspec)),
            arg("old_value", "struct itimerspec*", Struct(Itimerspec)).out(),
        ],
    ),
    call(
        224,
        "timer_gettime",
        [408, 108],
        TIME_TIME_TIMER,
        &[arg("timer_id", "timer_t", I32), arg("curr_value", "struct itimerspec*", Struct(Itimerspec)).out()],
    ),
    call(225, "timer_getoverrun", [262, 109], TIME_TIME_TIMER, &[arg("timer_id", "timer_t", I32)]),
    call(226, "timer_delete", [263, 111], TIME_TIME_TIMER, &[arg("timer_id", "timer_t", I32)]),
    call(
        227,
        "clock_settime",
        [404, 112],
        TIME_TIME_CLOCK,
        &[arg("clockid", "const clockid_t", I32).named(Names::ClockId), timespec("tp")],
    ),
    call(
        228,
        "clock_gettime",
        [403, 113],
        TIME_TIME_CLOCK,
        &[
            arg("clockid", "const clockid_t", I32).named(Names::ClockId),
            arg("tp", "struct timespec*", Struct(Timespec)).out(),
        ],
    ),
    call(
        229,
        "clock_getres",
        [406, 114],
        TIME_TIME_CLOCK,
        &[
            arg("clockid", "const clockid_t", I32).named(Names::ClockId),
            arg("res", "struct timespec*", Struct(Timespec)).out(),
        ],
    ),
    call(
        230,
        "clock_nanosleep",
        [407, 115],
        TIME_TIME_CLOCK,
        &[
            arg("clockid", "const clockid_t", I32).named(Names::ClockId),
            int("flags").named(Names::TimerFlags),
            timespec("request"),
            arg("remain", "struct timespec*", Struct(Timespec)).on_error(),
        ],
    ),
    call(
        283,
        "timerfd_create",
        [322, 85],
        TIME_TIME_TIMER,
        &[int("clockid").named(Names::ClockId), int("flags").named(Names::TimerfdFlags)],
    )
    .returns(Returns::Fd),
    call(
        286,
        "timerfd_settime",
        [411, 86],
        TIME_TIME_TIMER,
        &[
            fd("fd"),
            int("flags").named(Names::TimerfdSetFlags),
            arg("new_value", "const struct itimerspec*", Struct(Itimerspec)),
            arg("old_value", "struct itimerspec*", Struct(Itimerspec)).out(),
        ],
    ),
    call(
        287,
        "timerfd_gettime",
        [410, 87],
        TIME_TIME_TIMER,
        &[fd("fd"), arg("curr_value", "struct itimerspec*", Struct(Itimerspec)).out()],
    ),
    call(
        305,
        "clock_adjtime",
        [343, 266],
        TIME_TIME_CLOCK,
        &[
            arg("clk_id", "const clockid_t", I32).named(Names::ClockId),
            arg("buf", "struct timex*", Struct(Timex)),
        ],
    ),
];
