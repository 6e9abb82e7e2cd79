//! Several drains, which a machine of many CPUs has: what they write is what one writes.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::Test;
use crate::host::{TRACER, count, ensure, path, record, same, scratch, tracer, tracer_ok, wait_for};
use crate::losses::{FLOODED, flood, losses};
use crate::masks::{MIXED, check_same_answer_of};

pub const TESTS: &[Test] = &[
    ("several_drains_give_the_masks_that_replay_gives", masks),
    ("several_drains_account_for_every_call", accounted),
    ("a_set_of_several_drains_is_whole_and_a_killed_one_replays", set_and_kill),
];

/// So much happens that looks are shared. In a directory that no scope asks for, wherever the tests themselves run: millions
/// of rows would match.
fn busy(seconds: u32, then: &str) -> String {
    let flood = flood("closes", seconds);
    format!("cd /; {flood} > /dev/null & {flood} > /dev/null & {then}")
}

fn masks() -> Result<(), Failed> {
    let me = std::process::id();
    let filters = [
        "1:comm=ls".to_owned(),
        "2:event=openat".to_owned(),
        "2:openat.retval<0".to_owned(),
        "3:comm=sh".to_owned(),
        "3:event!=close".to_owned(),
        "3:follow".to_owned(),
        format!("4:tree={me}"),
        "4:event=sched_process_exec,sched_process_exit,sched_process_fork,execve,openat".to_owned(),
        "5:uid>0".to_owned(),
        "5:event!=close".to_owned(),
        "6:binary=/usr/bin/id".to_owned(),
        "7:cwd=/tmp*".to_owned(),
        "8:openat.pathname=/etc/*".to_owned(),
    ];
    let script = busy(2, &format!("cd /tmp; {MIXED}; cd /; {MIXED}; wait"));
    let matched = check_same_answer_of(&filters, &["--drains", "3"], &script)?;
    ensure(matched & 0b1110_1111 == 0b1110_1111, || format!("only {matched:b} matched"))
}

fn accounted() -> Result<(), Failed> {
    let dir = scratch()?;
    let made = dir.path().join("made");
    let script = format!("{} > {made}", flood("closes", 2), made = path(&made)?);
    let file = record(dir.path(), &["--drains", "3"], &["sh", "-c", &script])?;
    let made: u64 = std::fs::read_to_string(&made)?.trim().parse()?;
    let recorded = count(&file, &["-f", &format!("close.fd={FLOODED}")])?;
    let lost: u64 = losses(&file)?.iter().filter(|loss| loss.0 == "close").map(|loss| loss.2).sum();
    ensure(recorded <= made && recorded + lost >= made, || {
        format!("{made} calls, {recorded} recorded, {lost} lost")
    })?;
    tracer_ok(&["verify", path(&file)?]).map(drop)
}

fn set_and_kill() -> Result<(), Failed> {
    let dir = scratch()?;
    let script = busy(6, &format!("{MIXED}; wait"));
    record(dir.path(), &["--drains", "3", "--rotate", "1s"], &["sh", "-c", &script])?;
    let mut parts: Vec<PathBuf> = std::fs::read_dir(dir.path())?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "trz"))
        .collect();
    parts.sort();
    // More of them where the machine is not too busy to write as fast.
    ensure(parts.len() >= 2, || format!("{parts:?}"))?;
    let parts = parts.iter().map(|part| path(part)).collect::<Result<Vec<_>, _>>()?;
    tracer_ok(&[&["verify"], &parts[..]].concat())?;

    let file = dir.path().join("killed.trz");
    let mut recorder = Command::new(TRACER)
        .args(["record", "--drains", "3", "-o", path(&file)?, "--", "sh", "-c", &busy(30, "wait")])
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    wait_for(&file)?;
    // Killed by what is in the file: on a quick machine as on a slow one.
    let mut found = 0;
    for _ in 0..300 {
        std::thread::sleep(Duration::from_millis(100));
        found = flooded(&file).unwrap_or(0);
        if found > 1_000 {
            break;
        }
    }
    let mut drains = 0;
    for task in std::fs::read_dir(format!("/proc/{}/task", recorder.id()))? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        if status.starts_with("Name:\ttracer-drain") {
            drains += 1;
            for line in ["Seccomp:\t2", "NoNewPrivs:\t1", "CapEff:\t0000000000000000"] {
                ensure(status.contains(line), || format!("not {line}: {status}"))?;
            }
        }
    }
    // With what floods, at the same moment.
    kill_process_group(Pid::from_child(&recorder), Signal::KILL)?;
    recorder.wait()?;
    same("threads beside the first", drains, 2)?;
    let left = flooded(&file)?;
    ensure(left > 1_000 && left >= found, || format!("{left} calls are left of {found} that were there"))
}

/// The calls of floods that a file has, whether or not it is whole.
fn flooded(file: &Path) -> Result<u64, Failed> {
    let answer = tracer(&["replay", path(file)?, "--count", "-f", &format!("close.fd={FLOODED}")])?;
    Ok(String::from_utf8_lossy(&answer.stdout).trim().parse()?)
}
