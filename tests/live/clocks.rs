//! The wall clock is set back, and the recorder is stopped, while it records.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, Timespec, clock_gettime, clock_settime};

use crate::Test;
use crate::host::{TRACER, count, ensure, events, info, path, same, scratch, wait_for};
use crate::losses::{flood, losses};
use crate::workload::{name_of, own_program};

pub const TESTS: &[Test] = &[
    ("a_wall_clock_that_is_set_back_changes_no_order_and_is_told_as_it_was", set_back),
    ("a_recorder_that_was_stopped_goes_on_and_counts_what_it_missed", stopped),
];

/// The wall clock, some time behind until this is dropped. Few seconds, for others use it as well.
struct SetBack(Duration);

impl SetBack {
    fn by(time: Duration) -> Result<SetBack, Failed> {
        shift(|now| now - time.as_secs() as i64)?;
        Ok(SetBack(time))
    }
}

impl Drop for SetBack {
    fn drop(&mut self) {
        let _ = shift(|now| now + self.0.as_secs() as i64);
    }
}

fn shift(of: impl Fn(i64) -> i64) -> Result<(), Failed> {
    let now = clock_gettime(ClockId::Realtime);
    clock_settime(ClockId::Realtime, Timespec { tv_sec: of(now.tv_sec), ..now })?;
    Ok(())
}

fn wall_ns() -> u64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn start(file: &Path, options: &[&str]) -> Result<Child, Failed> {
    let recorder = Command::new(TRACER)
        .args(["record", "-o", path(file)?, "--duration", "120s"])
        .args(options)
        .stderr(Stdio::null())
        .spawn()?;
    wait_for(file)?;
    Ok(recorder)
}

fn end(mut recorder: Child) -> Result<(), Failed> {
    kill_process(Pid::from_child(&recorder), Signal::TERM)?;
    same("exit code", recorder.wait()?.code(), Some(0))
}

fn set_back() -> Result<(), Failed> {
    /// It is looked every tenth of a second whether the clock was set.
    const SETTLE: Duration = Duration::from_millis(1500);
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let program = own_program(dir.path(), "true")?;
    let recorder = start(&file, &[])?;
    let mut told = Vec::new();
    let mut mark = || -> Result<(), Failed> {
        told.push(wall_ns());
        Command::new(&program).status()?;
        std::thread::sleep(SETTLE);
        Ok(())
    };
    mark()?;
    let back = SetBack::by(Duration::from_secs(5))?;
    std::thread::sleep(SETTLE);
    mark()?;
    drop(back);
    std::thread::sleep(SETTLE);
    mark()?;
    end(recorder)?;
    let filters = ["-f", "event=sched_process_exec", "-f", &format!("comm={}", name_of(&program))];
    let rows = events(&file, &filters)?;
    let recorded: Vec<u64> = rows.iter().filter_map(|row| row["timestamp"].as_u64()).collect();
    same("execs", recorded.len(), told.len())?;
    ensure(recorded[1] < recorded[0], || format!("the clock was not set back: {recorded:?}"))?;
    for (recorded, told) in recorded.iter().zip(&told) {
        let apart = recorded.abs_diff(*told);
        ensure(apart < 900_000_000, || format!("{apart} ns apart: {recorded} recorded, it was {told}"))?;
    }
    same("verify", Command::new(TRACER).arg("verify").arg(&file).output()?.status.code(), Some(0))?;
    same("complete", info(&file)?["complete"].as_bool(), Some(true))
}

fn stopped() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let program = own_program(dir.path(), "true")?;
    let recorder = start(&file, &["--buffer", "256K"])?;
    let pid = Pid::from_child(&recorder);
    std::thread::sleep(Duration::from_millis(500));
    kill_process(pid, Signal::STOP)?;
    let began = Instant::now();
    Command::new("sh").args(["-c", &format!("{} > /dev/null", flood("closes", 2))]).status()?;
    let stood = began.elapsed();
    kill_process(pid, Signal::CONT)?;
    std::thread::sleep(Duration::from_secs(1));
    Command::new(&program).status()?;
    std::thread::sleep(Duration::from_millis(500));
    end(recorder)?;
    let lost: Vec<_> = losses(&file)?.into_iter().filter(|loss| loss.1 == "buffer full").collect();
    let count_lost: u64 = lost.iter().map(|loss| loss.2).sum();
    ensure(count_lost > 1_000, || format!("{count_lost} lost while it stood for {stood:?}: {lost:?}"))?;
    let after = ["-f", "event=sched_process_exec", "-f", &format!("comm={}", name_of(&program))];
    same("execs after it went on", count(&file, &after)?, 1)?;
    same("complete", info(&file)?["complete"].as_bool(), Some(true))
}
