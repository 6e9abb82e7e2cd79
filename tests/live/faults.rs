//! What goes wrong around a recorder: it is killed, its output is slow, another one runs, pids come round again.

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::Test;
use crate::host::{TRACER, count, ensure, info, path, same, scratch, tracer, wait_for};
use crate::workload::Loop;

pub const TESTS: &[Test] = &[
    ("a_reader_that_is_too_slow_costs_events_that_are_counted", slow_reader),
    ("two_recorders_record_side_by_side", two_recorders),
    ("ten_thousand_threads_are_each_known", many_threads),
    ("processes_are_told_apart_when_pids_come_round", pid_wrap),
];

/// The flag by which this program becomes one with many threads.
pub const THREADS: &str = "--ten-thousand-threads";

/// Starts threads that each make one call of their own.
pub fn threads() {
    let mut started = Vec::new();
    for _ in 0..10_000 {
        let thread = std::thread::Builder::new().stack_size(16 << 10).spawn(|| {
            std::thread::sleep(Duration::from_secs(2));
        });
        started.extend(thread);
    }
    println!("{}", started.len());
    for thread in started {
        let _ = thread.join();
    }
}

fn slow_reader() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let work = Loop::start(dir.path(), "dd", "if=/dev/urandom of=/dev/null bs=256 count=200000", "")?;
    let mut recorder = Command::new(TRACER)
        .args(["record", "-o", "-", "--buffer", "1M", "--duration", "12s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut pipe = recorder.stdout.take().ok_or("no pipe")?;
    let mut bytes = Vec::new();
    let (mut piece, started) = (vec![0; 16 << 10], Instant::now());
    loop {
        let read = pipe.read(&mut piece)?;
        if read == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..read]);
        // 160 KiB a second while it records, and as fast as it comes afterwards.
        if started.elapsed() < Duration::from_secs(15) {
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let output = recorder.wait_with_output()?;
    drop(work);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(output.status.success(), || said.clone())?;
    std::fs::write(&file, bytes)?;
    let info = info(&file)?;
    same("complete", info["complete"].as_bool(), Some(true))?;
    let losses = info["losses"].as_array().cloned().unwrap_or_default();
    let lost: u64 = losses.iter().filter_map(|loss| loss["count"].as_u64()).sum();
    ensure(losses.iter().any(|loss| loss["cause"] == "queue full"), || format!("{info:#}"))?;
    ensure(said.contains(&format!("{} lost", grouped(lost))), || format!("{lost} in the file: {said}"))?;
    same("events", info["events"].as_u64(), Some(count(&file, &[])?))
}

fn two_recorders() -> Result<(), Failed> {
    let dir = scratch()?;
    let files = [dir.path().join("a.trz"), dir.path().join("b.trz")];
    let mut recorders = Vec::new();
    for file in &files {
        recorders
            .push(Command::new(TRACER).args(["record", "-o", path(file)?]).stderr(Stdio::null()).spawn()?);
    }
    for file in &files {
        wait_for(file)?;
    }
    let work = Loop::start(dir.path(), "ls", "/", "0.05")?;
    std::thread::sleep(Duration::from_secs(4));
    let name = format!("comm={}", work.name);
    drop(work);
    for (file, mut recorder) in files.iter().zip(recorders) {
        kill_process(Pid::from_child(&recorder), Signal::TERM)?;
        same("exit code", recorder.wait()?.code(), Some(0))?;
        same("complete", info(file)?["complete"].as_bool(), Some(true))?;
        ensure(count(file, &["-f", &name])? > 20, || "too few events of the loop".to_owned())?;
    }
    Ok(())
}

fn many_threads() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let program = dir.path().join("many-threads");
    std::fs::copy(std::env::current_exe()?, &program)?;
    let output = tracer(&["record", "-o", path(&file)?, "--", path(&program)?, THREADS])?;
    ensure(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    let started: u64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    ensure(started > 5_000, || format!("only {started} threads could be started"))?;
    let ended = count(&file, &["-f", "event=sched_process_exit", "-f", "comm=many-threads"])?;
    let unknown = count(&file, &["-f", "event=sched_process_exit", "-f", "comm="]).unwrap_or(0);
    let info = info(&file)?;
    let lost: u64 =
        info["losses"].as_array().into_iter().flatten().filter_map(|loss| loss["count"].as_u64()).sum();
    ensure(ended + unknown + lost >= started, || format!("{ended} of {started} ends, {lost} lost"))?;
    // What each of them was made by is its parent's to tell; what stands there when the child returns is anything.
    let children = ["-f", "comm=many-threads", "-f", "event=clone3", "-f", "clone3.retval=0"];
    let rows = count(&file, &children)?;
    ensure(rows > 0, || "no return of a child".to_owned())?;
    same(
        "children's arguments",
        count(&file, &[&children[..], &["-f", "clone3.cl_args.unreadable"]].concat())?,
        rows,
    )?;
    let parents = ["-f", "comm=many-threads", "-f", "clone3.cl_args.flags=*CLONE_THREAD*"];
    ensure(count(&file, &parents)? > 5_000, || "parents' arguments are missing".to_owned())
}

fn pid_wrap() -> Result<(), Failed> {
    let dir = scratch()?;
    let number = |name: &str| -> Result<u32, Failed> {
        Ok(std::fs::read_to_string(Path::new("/proc/sys/kernel").join(name))?.trim().parse()?)
    };
    let most = number("pid_max")?;
    let file = dir.path().join("c.trz");
    let script =
        format!("echo {} > /proc/sys/kernel/ns_last_pid; for i in $(seq 60); do /bin/true; done", most - 30);
    let output = tracer(&["record", "-o", path(&file)?, "--", "sh", "-c", &script])?;
    ensure(output.status.success(), || String::from_utf8_lossy(&output.stderr).into_owned())?;
    let me = format!("tree={}", std::process::id());
    let filters = ["-f", "event=sched_process_exec", "-f", "comm=true"];
    let all = count(&file, &filters)?;
    let of_tree = count(&file, &[&filters[..], &["-f", &me]].concat())?;
    ensure(of_tree >= 60 && of_tree <= all, || format!("{of_tree} of {all}"))?;
    let high = count(&file, &[&filters[..], &["-f", &format!("pid>{}", most - 100)]].concat())?;
    ensure(high > 0 && high < of_tree, || format!("pids did not come round: {high} of {of_tree}"))
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
