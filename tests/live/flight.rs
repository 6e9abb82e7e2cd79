//! The flight recorder: the last stretch in memory, written when something happens.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{TRACER, count, ensure, events, info, path, same, scratch, wait_for};
use crate::workload::{Loop, name_of, own_program};

pub const TESTS: &[Test] = &[
    ("a_flight_recorder_keeps_the_last_stretch_before_its_trigger", last_stretch),
    ("sigusr1_releases_a_flight_recorder_and_its_memory_was_bounded", released_by_signal),
    ("a_flight_recorder_that_is_not_triggered_writes_no_events", never_triggered),
];

fn start(file: &Path, options: &[&str]) -> Result<Child, Failed> {
    let child = Command::new(TRACER)
        .args(["record", "-o", path(file)?])
        .args(options)
        .stderr(Stdio::piped())
        .spawn()?;
    Ok(child)
}

/// Waits for the recorder; what it said.
fn end(recorder: Child) -> Result<String, Failed> {
    let output = recorder.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(output.status.success(), || format!("{}: {said}", output.status))?;
    Ok(said)
}

fn now_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64)
}

/// `1,234 left out` in the last line.
fn left_out(said: &str) -> u64 {
    let before = said.split(" left out").next().unwrap_or_default();
    let number: String = before.rsplit(", ").next().unwrap_or_default().replace(',', "");
    number.rsplit(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// Events of the loop's programs, all of which must be known as the shell's children.
fn of_the_tree(file: &Path, work: &Loop) -> Result<u64, Failed> {
    let (named, tree) = (format!("comm={}", work.name), format!("tree={}", work.pid()));
    let found = count(file, &["-f", &named])?;
    same("events of the shell's tree", count(file, &["-f", &named, "-f", &tree])?, found)?;
    Ok(found)
}

fn last_stretch() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let bell: PathBuf = own_program(dir.path(), "true")?;
    let trigger = format!("comm={}", name_of(&bell));
    let work = Loop::start(dir.path(), "ls", "/", "0.05")?;
    let recorder = start(&file, &["--flight", "3s", "--trigger", &trigger, "--after", "2s"])?;
    wait_for(&file)?;
    std::thread::sleep(Duration::from_secs(7));
    let rung_ns = now_ns();
    Command::new(&bell).status()?;
    let said = end(recorder)?;
    let ended_ns = now_ns();
    let held = info(&file)?;
    let (start_ns, end_ns) =
        (held["start_ns"].as_u64().unwrap_or_default(), held["end_ns"].as_u64().unwrap_or_default());
    let before_s = (rung_ns as i64 - start_ns as i64) as f64 / 1e9;
    let after_s = (end_ns as i64 - rung_ns as i64) as f64 / 1e9;
    // A block is a second at most, and is kept or let go as a whole.
    ensure((2.9..5.5).contains(&before_s), || format!("{before_s} s before the trigger: {said}"))?;
    ensure((1.8..4.0).contains(&after_s), || format!("{after_s} s after the trigger: {said}"))?;
    ensure(ended_ns - rung_ns < 8_000_000_000, || "it went on for long after --after".to_owned())?;
    ensure(count(&file, &["-f", &trigger])? > 0, || "the trigger is not in the capture".to_owned())?;
    ensure(of_the_tree(&file, &work)? > 20, || "too few events of the loop".to_owned())?;
    ensure(left_out(&said) > 0, || format!("nothing was let go: {said}"))?;
    ensure(
        said.contains(&format!("{} events", grouped(held["events"].as_u64().unwrap_or_default()))),
        || said.clone(),
    )?;
    // Each program's own stretch is without holes: the loop turns all the time.
    let named = format!("comm={}", work.name);
    let times: Vec<u64> =
        events(&file, &["-f", &named])?.iter().filter_map(|row| row["timestamp"].as_u64()).collect();
    let gap = times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    ensure(gap < 2_500_000_000, || format!("a hole of {gap} ns"))
}

fn released_by_signal() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let work = Loop::start(dir.path(), "find", "/usr/share/doc -xdev", "")?;
    let recorder = start(&file, &["--flight", "500K", "--after", "1s"])?;
    wait_for(&file)?;
    std::thread::sleep(Duration::from_secs(6));
    let status = std::fs::read_to_string(format!("/proc/{}/status", recorder.id()))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default().trim();
    let peak_kib: u64 = peak.split(' ').next().unwrap_or_default().parse()?;
    ensure(peak_kib < 256 << 10, || format!("{peak_kib} KiB"))?;
    same("bytes before the signal are those of the header", std::fs::metadata(&file)?.len() < 60_000, true)?;
    rustix::process::kill_process(
        rustix::process::Pid::from_child(&recorder),
        rustix::process::Signal::USR1,
    )?;
    let said = end(recorder)?;
    let bytes = std::fs::metadata(&file)?.len();
    ensure(bytes > 100 << 10, || format!("{bytes} bytes: {said}"))?;
    ensure(left_out(&said) > 0, || format!("nothing was let go: {said}"))?;
    ensure(of_the_tree(&file, &work)? > 100, || "too few events of the loop".to_owned())
}

fn never_triggered() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let recorder =
        start(&file, &["--flight", "5s", "--trigger", "comm=nobody-is-called-so", "--duration", "3s"])?;
    let said = end(recorder)?;
    ensure(said.contains("never triggered"), || said.clone())?;
    same("events", info(&file)?["events"].as_u64(), Some(0))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
