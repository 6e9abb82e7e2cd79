//! Whose an event is: also where two tasks' numbers are equal but for what the recorder's table leaves out.

use std::io;

use libtest_mimic::Failed;

use crate::Test;
use crate::acts::{check, name_self, wait_for};
use crate::host::{act, count, record, same, scratch};

pub const TESTS: &[Test] =
    &[("tasks_whose_numbers_share_a_place_keep_their_own_events", numbers_that_share_a_place)];

const PID_MAX: &str = "/proc/sys/kernel/pid_max";
const ROUNDS: u32 = 100_000;
/// Equal modulo every power of two up to 32,768; the third one is modulo 65,536 as well.
const TASKS: [(u64, &str, i32); 3] =
    [(70_000, "place-a", 1111), (102_768, "place-b", 2222), (135_536, "place-c", 3333)];

/// Raises the largest number of a process, and puts back what it was.
struct PidMax(String);

impl PidMax {
    fn raise() -> io::Result<PidMax> {
        let before = std::fs::read_to_string(PID_MAX)?;
        std::fs::write(PID_MAX, "200000")?;
        Ok(PidMax(before))
    }
}

impl Drop for PidMax {
    fn drop(&mut self) {
        let _ = std::fs::write(PID_MAX, self.0.trim());
    }
}

fn numbers_that_share_a_place() -> Result<(), Failed> {
    let _raised = PidMax::raise()?;
    let dir = scratch()?;
    let program = act("share-a-place", "/")?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = record(dir.path(), &["-e", "close", "--buffer", "64M"], &program)?;
    for (_, comm, _) in TASKS {
        for (_, other, fd) in TASKS {
            let rows = count(&file, &["-f", &format!("comm={comm}"), "-f", &format!("close.fd={fd}")])?;
            same(&format!("{comm} closes {fd}"), rows > 0, comm == other)?;
        }
    }
    Ok(())
}

pub fn share_a_place(_: &str) -> io::Result<()> {
    let mut children = Vec::new();
    for (cpu, (tid, comm, fd)) in TASKS.into_iter().enumerate() {
        let child = clone_as(tid)?;
        if child == 0 {
            let done = name_self(comm).and_then(|()| stay_on(cpu));
            for _ in 0..ROUNDS {
                // SAFETY: no descriptor has this number.
                unsafe { libc::close(fd) };
            }
            std::process::exit(done.is_err().into());
        }
        children.push(child);
    }
    children.into_iter().try_for_each(wait_for)
}

/// A fork whose child has this number.
fn clone_as(tid: u64) -> io::Result<i64> {
    // SAFETY: numbers only.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    let number = tid as i32;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.set_tid = (&raw const number) as u64;
    arguments.set_tid_size = 1;
    // SAFETY: as a fork, of a process with one thread.
    check(unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) })
}

fn stay_on(cpu: usize) -> io::Result<()> {
    // SAFETY: a set of our own; numbers beyond the last CPU wrap round.
    unsafe {
        let cpus = libc::sysconf(libc::_SC_NPROCESSORS_ONLN).max(1) as usize;
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu % cpus, &mut set);
        check(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set).into()).map(drop)
    }
}
