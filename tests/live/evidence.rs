//! Nothing is lost silently, and what was written can be read, however the recording ended.

use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{TRACER, count, ensure, info, path, record, same, scratch, tracer, wait_for};

pub const TESTS: &[Test] = &[
    ("a_million_writes_are_recorded_or_counted_as_lost", a_million_writes),
    ("kill_9_leaves_a_file_that_replays", kill_9_leaves_a_file),
];

fn a_million_writes() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(
        dir.path(),
        &[],
        &["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=1000000", "status=none"],
    )?;
    let lost = info(&file)?["lost"].as_u64().ok_or("no number of lost events")?;
    for event in ["read", "write"] {
        let named = format!("event={event}");
        let found = count(&file, &["-f", "comm=dd", "-f", &named])?;
        ensure(found <= 1_000_200, || format!("{found} {event} events of a million"))?;
        ensure(found + lost >= 1_000_000, || format!("{found} {event} events and {lost} lost of a million"))?;
    }
    Ok(())
}

fn kill_9_leaves_a_file() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let mut recorder =
        Command::new(TRACER).args(["record", "-o", path(&file)?]).stderr(Stdio::null()).spawn()?;
    let mut work = Command::new("sh").args(["-c", "while true; do ls / > /dev/null; done"]).spawn()?;
    wait_for(&file)?;
    std::thread::sleep(Duration::from_secs(4));
    recorder.kill()?;
    recorder.wait()?;
    work.kill()?;
    work.wait()?;
    let output = tracer(&["replay", path(&file)?, "-f", "comm=ls", "--count"])?;
    same("exit code", output.status.code(), Some(0))?;
    let found: u64 = String::from_utf8(output.stdout)?.trim().parse()?;
    ensure(found > 100, || format!("only {found} events of ls were saved"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(said.contains("not finished") || said.contains("incomplete") || said.contains("salvage"), || {
        format!("no word of the missing end in: {said}")
    })
}
