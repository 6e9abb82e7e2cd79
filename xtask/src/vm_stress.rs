//! What the stress of preemption does inside a machine. On every CPU one process closes a descriptor that is not there, and
//! another one renames itself, for as many seconds as are asked for: programs of both meet on that CPU, and where the
//! kernel lets programs be preempted they meet in the middle of a record. Then, on an idle machine, calls that are
//! counted: none of them may be missing. Prints how many calls were made under the load.
//! Built alone and static, for there is nothing else in there.

use std::{
    env,
    ffi::{CString, c_char, c_int, c_long, c_ulong},
    fs,
    io::{Read as _, Write as _},
    os::unix::{net::UnixStream, process::parent_id},
    process::exit,
    thread::{available_parallelism, sleep},
    time::{Duration, Instant},
};

unsafe extern "C" {
    fn close(fd: c_int) -> c_int;
    fn fork() -> c_int;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn prctl(option: c_int, name: *const c_char, a: c_ulong, b: c_ulong, c: c_ulong) -> c_int;
    fn sched_setaffinity(pid: c_int, bytes: usize, mask: *const u64) -> c_long;
}

const PR_SET_NAME: c_int = 15;
/// Closed under the load: no such descriptor.
const LOADED: c_int = 3333;
/// Closed on the idle machine, on CPU 0; the next number on CPU 1, and so on.
const MARKED: c_int = 4243;
const MARKS: u32 = 1000;
const CHILDREN: u32 = 20;

fn pin(cpu: usize) {
    let mask = 1u64 << cpu;
    // SAFETY: the kernel reads a mask of one word.
    unsafe { sched_setaffinity(0, 8, &raw const mask) };
}

fn name(text: &str) {
    let Ok(text) = CString::new(text) else { return };
    // SAFETY: a string that outlives the call.
    unsafe { prctl(PR_SET_NAME, text.as_ptr(), 0, 0, 0) };
}

/// Runs `call` on a CPU in a process of its own until the time is over, and sends how often it was made.
fn load(cpu: usize, until: Instant, mut call: impl FnMut(u64)) -> UnixStream {
    let (here, mut there) = UnixStream::pair().expect("a pair of sockets");
    // SAFETY: this process has one thread.
    if unsafe { fork() } != 0 {
        return here;
    }
    drop(here);
    pin(cpu);
    let mut calls = 0u64;
    while Instant::now() < until {
        for _ in 0..100 {
            call(calls);
            calls += 1;
        }
    }
    there.write_all(&calls.to_le_bytes()).ok();
    exit(0)
}

fn wait_for_all() {
    // SAFETY: no status is asked for.
    while unsafe { waitpid(-1, std::ptr::null_mut(), 0) } > 0 {}
}

/// What the recorder, whose child this is, has used of the CPUs, in hundredths of a second.
fn recorders_ticks() -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", parent_id())).ok()?;
    // Behind the name, which may have blanks, the state is the first.
    let mut behind = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    Some(behind.next()?.parse::<u64>().ok()? + behind.next()?.parse::<u64>().ok()?)
}

/// The recorder gets through what it has: it takes less than a tenth of a CPU for some seconds. In a machine that is emulated on a
/// busy one that takes as long as it takes.
fn wait_for_recorder() {
    let (mut before, mut quiet) = (recorders_ticks(), 0);
    for _ in 0..120 {
        sleep(Duration::from_secs(1));
        let now = recorders_ticks();
        let used = now.zip(before).map_or(0, |(now, before)| now.saturating_sub(before));
        quiet = if used < 10 { quiet + 1 } else { 0 };
        before = now;
        if quiet == 4 {
            return;
        }
    }
}

fn main() {
    let seconds = env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(3);
    let cpus = available_parallelism().map_or(1, usize::from);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut closing = Vec::new();
    for cpu in 0..cpus {
        closing.push(load(cpu, until, |_| {
            // SAFETY: a descriptor that is nobody's.
            unsafe { close(LOADED) };
        }));
        load(cpu, until, |call| name(if call % 2 == 0 { "even" } else { "odd" }));
    }
    let calls: u64 = closing
        .iter_mut()
        .map(|stream| {
            let mut bytes = [0; 8];
            stream.read_exact(&mut bytes).map_or(0, |()| u64::from_le_bytes(bytes))
        })
        .sum();
    wait_for_all();
    wait_for_recorder();
    name("marked");
    for cpu in 0..cpus {
        pin(cpu);
        for _ in 0..MARKS {
            // SAFETY: as above.
            unsafe { close(MARKED + cpu as c_int) };
        }
        for _ in 0..CHILDREN {
            // SAFETY: this process has one thread, and the child does nothing.
            if unsafe { fork() } == 0 {
                exit(0);
            }
        }
    }
    wait_for_all();
    println!("{calls}");
}
