//! Signals, and the clocks and timers that send them.

use libc::*;

use super::raw::{NULL, call};

/// As the kernel takes it.
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

extern "C" fn handle(_signal: c_int) {}

const SIGSET_BYTES: usize = 8;

pub fn run() {
    handling();
    blocking();
    sending();
    clocks();
    timers();
}

fn handling() {
    let mut old = Action { handler: 0, flags: 0, restorer: 0, mask: 0 };
    let ignored = Action { handler: SIG_IGN, flags: SA_RESTART as u64, restorer: 0, mask: 0x4002 };
    call!(SYS_rt_sigaction, SIGUSR2, &ignored, &mut old, SIGSET_BYTES);
    call!(SYS_rt_sigaction, SIGUSR2, NULL, &mut old, SIGSET_BYTES);
    call!(SYS_rt_sigaction, SIGKILL, &ignored, NULL, SIGSET_BYTES);
    let mut stack = [0u64; 3];
    call!(SYS_sigaltstack, NULL, &mut stack);
    call!(SYS_sigaltstack, &[0u64, 0, 8], NULL);
    // SAFETY: the handler does nothing, so that it is safe at any moment.
    unsafe { signal(SIGUSR1, handle as *const () as sighandler_t) };
    // SAFETY: as above.
    unsafe { signal(SIGALRM, handle as *const () as sighandler_t) };
}

fn blocking() {
    let set: u64 = 1 << (SIGRTMIN() - 1) | 1 << (SIGTERM - 1);
    let mut old = 0u64;
    call!(SYS_rt_sigprocmask, SIG_BLOCK, &set, &mut old, SIGSET_BYTES);
    call!(SYS_rt_sigprocmask, 77, &set, &mut old, SIGSET_BYTES);
    call!(SYS_kill, std::process::id(), SIGTERM);
    let mut pending = 0u64;
    call!(SYS_rt_sigpending, &mut pending, SIGSET_BYTES);
    let mut info = [0u64; 16];
    call!(SYS_rt_sigtimedwait, &set, &mut info, &[0u64, 1000], SIGSET_BYTES);
    call!(SYS_rt_sigtimedwait, &set, NULL, &[0u64, 1000], SIGSET_BYTES);
    let fd = call!(SYS_signalfd4, -1, &set, SIGSET_BYTES, O_NONBLOCK | O_CLOEXEC);
    call!(SYS_signalfd, fd, &(1u64 << (SIGTERM - 1)), SIGSET_BYTES);
    let mut read = [0u64; 16];
    call!(SYS_read, fd, &mut read, 128);
    call!(SYS_close, fd);
    // A waiting SIGUSR1 ends it at once.
    call!(SYS_rt_sigprocmask, SIG_BLOCK, &(1u64 << (SIGUSR1 - 1)), NULL, SIGSET_BYTES);
    call!(SYS_kill, std::process::id(), SIGUSR1);
    call!(SYS_rt_sigsuspend, &0u64, SIGSET_BYTES);
    call!(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, SIGSET_BYTES);
}

fn sending() {
    let own = std::process::id();
    call!(SYS_kill, own, 0);
    call!(SYS_kill, own, SIGUSR1);
    call!(SYS_kill, 999_999_999, SIGKILL);
    call!(SYS_tkill, own, SIGUSR1);
    call!(SYS_tgkill, own, own, SIGUSR1);
    call!(SYS_tgkill, own, 999_999_999, SIGUSR1);
    let mut info = [0u32; 32];
    info[0] = SIGUSR2 as u32;
    info[2] = SI_QUEUE as u32;
    info[4] = own;
    info[6] = 0x1234_5678;
    call!(SYS_rt_sigqueueinfo, own, SIGUSR2, &info);
    call!(SYS_rt_tgsigqueueinfo, own, own, SIGUSR2, &info);
    call!(SYS_rt_sigqueueinfo, 999_999_999, SIGUSR2, &info);
}

fn clocks() {
    let mut now = [0u64; 2];
    let mut seconds = 0u64;
    call!(SYS_time, &mut seconds);
    call!(SYS_time, NULL);
    call!(SYS_gettimeofday, &mut now, NULL);
    let mut zone = [0u32; 2];
    call!(SYS_gettimeofday, &mut now, &mut zone);
    call!(SYS_settimeofday, &[1u64, 1_000_000], NULL);
    call!(SYS_clock_gettime, CLOCK_MONOTONIC, &mut now);
    call!(SYS_clock_gettime, 99, &mut now);
    call!(SYS_clock_getres, CLOCK_REALTIME, &mut now);
    call!(SYS_clock_settime, CLOCK_MONOTONIC, &[1u64, 2]);
    call!(SYS_nanosleep, &[0u64, 1000], NULL);
    call!(SYS_nanosleep, &[0u64, 1_000_000_000], NULL);
    call!(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &[0u64, 1000], NULL);
    call!(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &[1u64, 0], NULL);
    let mut state = [0u64; 26];
    call!(SYS_adjtimex, &mut state);
    call!(SYS_clock_adjtime, CLOCK_REALTIME, &mut state);
    call!(SYS_clock_adjtime, 99, &mut state);
    let mut times = [0u64; 4];
    call!(SYS_times, &mut times);
}

fn timers() {
    call!(SYS_alarm, 1000);
    call!(SYS_alarm, 0);
    let mut value = [0u64; 4];
    call!(SYS_setitimer, ITIMER_REAL, &[0u64, 0, 500, 7], &mut value);
    call!(SYS_getitimer, ITIMER_VIRTUAL, &mut value);
    call!(SYS_getitimer, 77, &mut value);
    // Ends the pause.
    call!(SYS_setitimer, ITIMER_REAL, &[0u64, 0, 0, 20_000], NULL);
    call!(SYS_pause);
    let mut event = [0u32; 16];
    event[2] = SIGUSR1 as u32;
    event[3] = SIGEV_SIGNAL as u32;
    let mut timer = 0i32;
    call!(SYS_timer_create, CLOCK_MONOTONIC, &event, &mut timer);
    call!(SYS_timer_settime, timer, 0, &[0u64, 0, 1000, 5], &mut value);
    call!(SYS_timer_gettime, timer, &mut value);
    call!(SYS_timer_getoverrun, timer);
    call!(SYS_timer_delete, timer);
    call!(SYS_timer_delete, 0x7fff_ffff);
    event[3] = SIGEV_NONE as u32;
    call!(SYS_timer_create, CLOCK_REALTIME, &event, &mut timer);
    call!(SYS_timer_delete, timer);
    let fd = call!(SYS_timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK | O_CLOEXEC);
    call!(SYS_timerfd_settime, fd, 0, &[0u64, 0, 1000, 5], &mut value);
    call!(SYS_timerfd_settime, fd, 0, &[3u64, 4, 2000, 6], NULL);
    call!(SYS_timerfd_gettime, fd, &mut value);
    call!(SYS_close, fd);
}
