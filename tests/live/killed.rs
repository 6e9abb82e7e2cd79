//! A recorder that is killed at any moment leaves what it had written.
//!
//! What is tried is the way from the kernel to the disk, which does not depend on what is recorded: events that load quickly
//! and come in masses are, and several recorders at once.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{TRACER, count, ensure, info, path, same, scratch, tracer, wait_for};
use crate::workload::Loop;

pub const TESTS: &[Test] = &[("a_recorder_that_is_killed_at_any_moment_leaves_what_it_had_written", fifty)];

/// Asked for by name.
pub const LONG: &[Test] = &[("a_thousand_recorders_that_are_killed_leave_what_they_had_written", thousand)];

/// Switches of tasks come by the thousand, and no program is loaded that takes the verifier long.
const EVENTS: &str =
    "sched_switch,sched_process_fork,sched_process_exec,sched_process_exit,task_rename,signal_generate";
/// Recorders that are killed in one go.
const AT_ONCE: u32 = 10;
/// A block is written after a second at the latest: kills are spread over the first, the second, and the time between.
const SPREAD_MS: u64 = 1700;

fn fifty() -> Result<(), Failed> {
    rounds(50)
}

fn thousand() -> Result<(), Failed> {
    rounds(1000)
}

fn rounds(all: u32) -> Result<(), Failed> {
    let dir = scratch()?;
    let work = Loop::start(dir.path(), "true", "", "")?;
    let mut events = 0;
    for first in (0..all).step_by(AT_ONCE as usize) {
        let mut recorders = Vec::new();
        for round in first..(first + AT_ONCE).min(all) {
            let file = dir.path().join(format!("{round}.trz"));
            let recorder = Command::new(TRACER)
                .args(["record", "--hooks", "none", "--events", EVENTS, "--buffer", "1M", "-o", path(&file)?])
                .stderr(Stdio::null())
                .spawn()?;
            recorders.push((round, file, recorder));
        }
        for (_, file, _) in &recorders {
            wait_for(file)?;
        }
        let began = Instant::now();
        recorders.sort_by_key(|(round, ..)| moment(*round));
        for (round, _, recorder) in &mut recorders {
            std::thread::sleep(moment(*round).saturating_sub(began.elapsed()));
            recorder.kill()?;
        }
        for (_, file, recorder) in recorders {
            events += check(dir.path(), &file, recorder)?;
        }
    }
    drop(work);
    ensure(events > u64::from(all), || format!("{events} events in {all} files"))?;
    // Nothing is left of the names that files have before their own.
    let left: Vec<_> = std::fs::read_dir(dir.path())?
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().ends_with(".partial"))
        .collect();
    ensure(left.is_empty(), || format!("{left:?}"))
}

/// When a recorder is killed, after all of its batch have begun: any moment, another in each round.
fn moment(round: u32) -> Duration {
    Duration::from_millis(u64::from(round) * 7919 % SPREAD_MS)
}

fn check(dir: &Path, file: &Path, mut recorder: Child) -> Result<u64, Failed> {
    recorder.wait()?;
    let info = info(file)?;
    same("complete", info["complete"].as_bool(), Some(false))?;
    let found = count(file, &[])?;
    same("events of info", info["events"].as_u64(), Some(found))?;
    let recovered = dir.join("recovered.trz");
    let output = tracer(&["recover", path(file)?, "-o", path(&recovered)?, "--force"])?;
    ensure(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    same("events after recover", count(&recovered, &[])?, found)?;
    std::fs::remove_file(file)?;
    std::fs::remove_file(&recovered)?;
    Ok(found)
}
