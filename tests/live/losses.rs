//! What is lost when more happens than can be read: everything is counted, and what matters most is not lost.

use std::path::Path;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{count, ensure, info, path, record, same, scratch};
use crate::workload::{name_of, own_program};

pub const TESTS: &[Test] = &[
    ("a_flood_by_users_loses_no_process", processes_are_kept),
    ("calls_recorded_and_calls_lost_make_up_the_calls_made", everything_is_counted),
];

/// How the test runs itself as the program that floods.
pub const RUN: &str = "--flood";

/// Two processes of nobody's look at paths of 4,090 bytes as fast as they can. Meanwhile a shell runs a program sixty times.
fn processes_are_kept() -> Result<(), Failed> {
    const TIMES: u64 = 60;
    let dir = scratch()?;
    let program = own_program(dir.path(), "true")?;
    let name = name_of(&program);
    let (floods, told) = (flood("paths", 4), dir.path().join("pid"));
    let script = format!(
        "{floods} & {floods} & sh -c 'echo $$ > {}; for i in $(seq {TIMES}); do {}; sleep 0.03; done'; wait",
        path(&told)?,
        path(&program)?,
    );
    let file = record(dir.path(), &["--buffer", "8M"], &["sh", "-c", &script])?;
    let comm = format!("comm={name}");
    for event in ["sched_process_exec", "sched_process_exit"] {
        same(event, count(&file, &["-f", &comm, "-f", &format!("event={event}")])?, TIMES)?;
    }
    let execs = count(&file, &["-f", &comm, "-f", "event=execve", "-f", "execve.retval=0"])?;
    same("execve", execs, TIMES)?;
    let shell = std::fs::read_to_string(told)?;
    let tree = format!("tree={}", shell.trim());
    let of_tree = count(&file, &["-f", &tree, "-f", "event=sched_process_exec", "-f", &comm])?;
    same("execs below the shell", of_tree, TIMES)?;
    let followed = count(&file, &["-f", &format!("pid={}", shell.trim()), "-f", "follow"])?;
    ensure(followed >= TIMES * 3, || {
        format!("follow finds {followed} events of the shell and its children")
    })?;
    for loss in losses(&file)? {
        let event = loss.0.as_str();
        let is_vital =
            event.starts_with("sched_process_") || ["clone", "clone3", "vfork", "execve"].contains(&event);
        ensure(!is_vital, || format!("{loss:?} was lost"))?;
    }
    Ok(())
}

/// Programs that count their own calls: those that are in the file and those that are said to be lost are as many.
fn everything_is_counted() -> Result<(), Failed> {
    let dir = scratch()?;
    let made = dir.path().join("made");
    let flood = flood("closes", 2);
    let script = format!("({flood}; {flood} & {flood}; wait) > {}", path(&made)?);
    for transport in ["region", "ringbuf"] {
        // Of nobody's processes alone, so that what is lost is not another's.
        let options = [
            "--buffer",
            "256K",
            "--transport",
            transport,
            "--only-matched",
            "-f",
            "uid=65534",
            "-f",
            "event=close",
        ];
        let file = record(dir.path(), &options, &["sh", "-c", &script])?;
        let made: u64 =
            std::fs::read_to_string(&made)?.lines().filter_map(|line| line.parse::<u64>().ok()).sum();
        let recorded = count(&file, &["-f", &format!("close.fd={FLOODED}")])?;
        let lost: u64 = losses(&file)?.iter().filter(|loss| loss.0 == "close").map(|loss| loss.2).sum();
        let missed: u64 = losses(&file)?.iter().filter(|loss| loss.0.is_empty()).map(|loss| loss.2).sum();
        ensure(made > 100_000, || format!("only {made} calls were made"))?;
        // Programs close a few descriptors besides.
        let (least, most) = (recorded + lost.saturating_sub(FEW), recorded + lost + missed);
        ensure(least <= made && made <= most, || {
            format!("{transport}: {made} calls, {recorded} recorded, {lost} lost, {missed} missed")
        })?;
        ensure(lost > 0 || transport == "region", || "the buffer never overran".to_owned())?;
    }
    Ok(())
}

/// Event, cause and count of each loss.
pub fn losses(file: &Path) -> Result<Vec<(String, String, u64)>, Failed> {
    let info = info(file)?;
    let all = info["losses"].as_array().cloned().unwrap_or_default();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Ok(all
        .iter()
        .map(|loss| (text(&loss["event"]), text(&loss["cause"]), loss["count"].as_u64().unwrap_or(0)))
        .collect())
}

pub fn flood(what: &str, seconds: u32) -> String {
    let own = std::env::current_exe().unwrap_or_default();
    format!("{} {RUN} {what} {seconds}", own.display())
}

const FEW: u64 = 50;

/// Closed by nobody else.
pub const FLOODED: i32 = 12_345;

/// Floods as nobody for so many seconds, and prints how many calls it made.
pub fn run(what: &str, seconds: &str) -> ! {
    let seconds = seconds.parse().unwrap_or(1);
    let path = std::ffi::CString::new(format!("/tmp/{}", "x/".repeat(2043))).unwrap_or_default();
    // SAFETY: plain numbers. Nobody's id and group.
    unsafe {
        libc::setgid(65534);
        libc::setuid(65534);
    }
    let until = std::time::Instant::now() + std::time::Duration::from_secs(seconds);
    let mut calls = 0u64;
    while std::time::Instant::now() < until {
        for _ in 0..1000 {
            // SAFETY: a string that outlives the call, and a descriptor that is nobody's.
            unsafe {
                if what == "paths" {
                    libc::access(path.as_ptr(), libc::F_OK)
                } else {
                    libc::close(FLOODED)
                };
            }
            calls += 1;
        }
    }
    println!("{calls}");
    std::process::exit(0)
}
