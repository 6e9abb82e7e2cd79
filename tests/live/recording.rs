//! What a recording holds of the programs that ran.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{TRACER, count, ensure, events, info, path, record, same, scratch, tracer, tracer_ok};

pub const TESTS: &[Test] = &[
    ("ls_shows_its_openat_execve_and_exit_in_time_order", ls_is_seen_whole),
    ("the_command_s_exit_code_is_passed_on", exit_code_is_passed_on),
    ("a_capture_is_private_and_never_overwritten_unasked", capture_is_private),
    ("events_narrows_the_recording_to_what_it_names", events_narrows),
    ("a_sample_is_one_in_so_many_and_the_rest_is_counted", sample_is_counted),
    ("sigterm_finishes_the_file", sigterm_finishes_the_file),
    ("processes_that_were_there_before_are_in_the_file", older_processes_are_known),
    ("duration_ends_the_recording", duration_ends_the_recording),
];

fn ls_is_seen_whole() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &[], &["ls", "/"])?;
    let table = tracer_ok(&["replay", path(&file)?, "-f", "9:comm=ls", "-o", "table-verbose"])?;
    for wanted in
        ["openat", "sched_process_exec", "sched_process_exit", "/etc/ld.so.cache", "O_RDONLY|O_CLOEXEC"]
    {
        ensure(table.contains(wanted), || format!("no {wanted} in\n{table}"))?;
    }
    let rows = table.lines().skip(1);
    ensure(rows.clone().count() > 20, || format!("too few rows in\n{table}"))?;
    for row in rows {
        ensure(row.contains(" 0000000000000100 "), || format!("not scope 9 alone: {row}"))?;
    }
    let all = events(&file, &["-f", "9:comm=ls"])?;
    let times: Vec<_> = all.iter().filter_map(|event| event["timestamp"].as_u64()).collect();
    same("events with a time", times.len(), all.len())?;
    ensure(times.is_sorted(), || "events are not in time order".to_owned())?;
    let exec = count(&file, &["-f", "event=execve", "-f", "comm=ls"])?;
    same("execve events of ls", exec, 1)
}

fn exit_code_is_passed_on() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    for (script, code) in [("exit 0", 0), ("exit 37", 37), ("kill -9 $$", 128 + 9)] {
        let output = tracer(&["record", "--force", "-o", path(&file)?, "--", "sh", "-c", script])?;
        same(script, output.status.code(), Some(code))?;
    }
    Ok(())
}

fn capture_is_private() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &[], &["true"])?;
    same("mode", std::fs::metadata(&file)?.permissions().mode() & 0o777, 0o600)?;
    let before = std::fs::read(&file)?;
    let output = tracer(&["record", "-o", path(&file)?, "--", "true"])?;
    same("exit code", output.status.code(), Some(2))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(said.contains("--force"), || format!("no hint at --force in {said}"))?;
    ensure(before == std::fs::read(&file)?, || "the old capture was touched".to_owned())
}

fn events_narrows() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &["--events", "openat,close"], &["ls", "/"])?;
    let names: BTreeSet<_> = events(&file, &[])?
        .iter()
        .filter_map(|event| event["eventName"].as_str().map(str::to_owned))
        .collect();
    same("events", names, BTreeSet::from(["close".to_owned(), "openat".to_owned()]))
}

fn sample_is_counted() -> Result<(), Failed> {
    const CALLS: u64 = 20_000;
    let dir = scratch()?;
    let work = ["dd", "if=/dev/zero", "of=/dev/null", "bs=1", "count=20000", "status=none"];
    let file = record(dir.path(), &["--sample", "read=100", "--sample", "write=2"], &work)?;
    let calls = |event: &str| count(&file, &["-f", "comm=dd", "-f", &format!("event={event}")]);
    let (reads, writes) = (calls("read")?, calls("write")?);
    // One in 100 and one in 2 at random: ten and more standard deviations to either side.
    ensure((50..400).contains(&reads), || format!("{reads} reads of {CALLS}"))?;
    ensure((9_000..11_000).contains(&writes), || format!("{writes} writes of {CALLS}"))?;
    ensure(calls("close")? > 2, || "close is sampled too".to_owned())?;
    let asked = tracer(&["replay", path(&file)?, "-f", "event=read", "--count"])?;
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    ensure(said.contains("only one in 100 was recorded (--sample)"), || said.clone())?;
    let refused = tracer(&["record", "-o", path(&file)?, "--force", "--sample", "execve=2", "--", "true"])?;
    same("exit code", refused.status.code(), Some(2))
}

fn sigterm_finishes_the_file() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let mut recorder = Command::new(TRACER).args(["record", "-o", path(&file)?]).spawn()?;
    std::thread::sleep(Duration::from_secs(3));
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&recorder),
        rustix::process::Signal::TERM,
    )?;
    same("exit code", recorder.wait()?.code(), Some(0))?;
    ensure(info(&file)?["events"].as_u64() > Some(0), || "nothing was recorded".to_owned())
}

fn older_processes_are_known() -> Result<(), Failed> {
    // This test's own process is older than the recording, and the recorded shell descends from it.
    let dir = scratch()?;
    let file = record(dir.path(), &[], &["sh", "-c", "true; true"])?;
    let me = format!("tree={}", std::process::id());
    let matched = count(&file, &["-f", &me, "-f", "comm=sh"])?;
    ensure(matched > 0, || format!("no event of sh with {me}"))
}

fn duration_ends_the_recording() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    tracer_ok(&["record", "-o", path(&file)?, "--duration", "1s"])?;
    ensure(info(&file)?["events"].as_u64() > Some(0), || "nothing was recorded".to_owned())
}
