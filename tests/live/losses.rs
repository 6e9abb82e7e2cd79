//! What is lost when more happens than can be read: everything is counted, and what matters most is not lost.

use std::path::Path;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{count, ensure, info, path, record, same, scratch};
use crate::workload::{name_of, own_program};

pub const TESTS: &[Test] = &[
    ("a_flood_by_users_loses_no_process", processes_are_kept),
    ("what_is_recorded_and_what_is_lost_make_up_what_was_done", everything_is_counted),
    ("forks_recorded_and_forks_lost_are_those_that_the_kernel_counts", forks_are_counted),
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

/// Programs that count what they do: what is in the file and what is said to be lost are as many. A call, a tracepoint that
/// fires in a call, and a hook, which on some kernels is a call's exit.
fn everything_is_counted() -> Result<(), Failed> {
    let closed = format!("close.fd={FLOODED}");
    for (what, scope, rows, events) in [
        ("closes", "event=close", closed.as_str(), &["close"][..]),
        ("names", "event=task_rename", "event=task_rename", &["task_rename"]),
        ("opens", "event=security_file_open", "security_file_open.pathname=/dev/null", OPENS),
    ] {
        for transport in ["region", "ringbuf"] {
            is_counted(what, scope, rows, events, transport)?;
        }
    }
    Ok(())
}

/// What an open that is lost is counted under.
const OPENS: &[&str] = &["security_file_open", "openat", "open"];

fn is_counted(what: &str, scope: &str, rows: &str, events: &[&str], transport: &str) -> Result<(), Failed> {
    let dir = scratch()?;
    let made = dir.path().join("made");
    let flood = flood(what, 2);
    let script = format!("({flood}; {flood} & {flood}; wait) > {}", path(&made)?);
    // Of nobody's processes alone, so that what is lost is not another's.
    let options =
        ["--buffer", "256K", "--transport", transport, "--only-matched", "-f", "uid=65534", "-f", scope];
    let file = record(dir.path(), &options, &["sh", "-c", &script])?;
    let made: u64 = std::fs::read_to_string(&made)?.lines().filter_map(|line| line.parse::<u64>().ok()).sum();
    let recorded = count(&file, &["-f", rows])?;
    let losses = losses(&file)?;
    let sum = |is_meant: &dyn Fn(&str) -> bool| -> u64 {
        losses.iter().filter(|loss| is_meant(&loss.0)).map(|loss| loss.2).sum()
    };
    let lost = sum(&|event| events.contains(&event));
    let missed = sum(&str::is_empty);
    // Nothing that the programs write is unreadable: what rings the bell, above all, is no event.
    let unreadable: Vec<_> = losses.iter().filter(|loss| loss.1 == "malformed").collect();
    ensure(unreadable.is_empty(), || format!("{what}, {transport}: {unreadable:?}"))?;
    ensure(made > 50_000, || format!("{what}: only {made} were made"))?;
    // Programs do a little of it besides.
    let (least, most) = (recorded + lost.saturating_sub(FEW), recorded + lost + missed);
    ensure(least <= made && made <= most, || {
        format!("{what}, {transport}: {made} made, {recorded} recorded, {lost} lost, {missed} missed")
    })?;
    // An open takes longer than reading its record.
    let must_overrun = transport == "ringbuf" && what != "opens";
    ensure(lost > 0 || !must_overrun, || format!("{what}: the buffer never overran"))
}

/// The kernel counts its forks itself (`processes` in `/proc/stat`): as many are in the file or said to be lost.
fn forks_are_counted() -> Result<(), Failed> {
    let dir = scratch()?;
    let (before, after) = (dir.path().join("before"), dir.path().join("after"));
    let flood = flood("closes", 3);
    let script = format!(
        "{flood} & cat /proc/stat > {}; for i in $(seq 300); do /bin/true; done; cat /proc/stat > {}; wait",
        path(&before)?,
        path(&after)?
    );
    let outside = forks(Path::new("/proc/stat"))?;
    let options = ["--buffer", "256K", "--transport", "ringbuf"];
    let file = record(dir.path(), &options, &["sh", "-c", &script])?;
    let outside = forks(Path::new("/proc/stat"))? - outside;
    let inside = forks(&after)? - forks(&before)?;
    let recorded = count(&file, &["-f", "event=sched_process_fork"])?;
    let losses = losses(&file)?;
    let is_fork = |event: &str| event.is_empty() || event == "sched_process_fork";
    let lost: u64 = losses.iter().filter(|loss| is_fork(&loss.0)).map(|loss| loss.2).sum();
    ensure(inside >= 300, || format!("only {inside} forks were made"))?;
    ensure(recorded <= outside && inside <= recorded + lost, || {
        format!("{inside} to {outside} forks by the kernel's count, {recorded} recorded, {lost} lost")
    })
}

/// Forks and new threads since the start, by the kernel.
fn forks(stat: &Path) -> Result<u64, Failed> {
    let text = std::fs::read_to_string(stat)?;
    let line = text.lines().find_map(|line| line.strip_prefix("processes ")).ok_or("no processes")?;
    Ok(line.trim().parse()?)
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
                match what {
                    "paths" => libc::access(path.as_ptr(), libc::F_OK),
                    "names" => libc::prctl(libc::PR_SET_NAME, c"flood".as_ptr()),
                    "opens" => libc::close(libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY)),
                    _ => libc::close(FLOODED),
                };
            }
            calls += 1;
        }
    }
    println!("{calls}");
    std::process::exit(0)
}
