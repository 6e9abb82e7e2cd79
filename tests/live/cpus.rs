//! Each CPU that is online has a buffer, and those that have none are counted; what it all takes is told.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Failed;

use crate::Test;
use crate::host::{TRACER, count, ensure, info, path, record, same, scratch};
use crate::losses::{FLOODED, flood, losses};
use crate::workload::{name_of, own_program};

pub const TESTS: &[Test] = &[
    ("a_cpu_without_a_buffer_costs_events_that_are_counted", without_buffer),
    ("every_cpu_that_is_online_is_recorded", online),
    ("the_memory_of_a_recording_is_told_at_its_start_and_in_the_capture", told),
];

/// Where a CPU can be taken away.
pub const HOTPLUG: &[Test] = &[("a_cpu_that_goes_and_comes_back_is_recorded", hotplug)];

fn online_cpus() -> Result<usize, Failed> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online")?;
    let last = text.trim().rsplit([',', '-']).next().unwrap_or_default();
    Ok(last.parse::<usize>()? + 1)
}

/// Calls on a CPU as those of one that came online later: all that are made there are lost, and counted one by one.
fn without_buffer() -> Result<(), Failed> {
    let last = online_cpus()? - 1;
    if last == 0 {
        return Ok(());
    }
    let dir = scratch()?;
    let made = dir.path().join("made");
    let script = format!(
        "taskset -c {last} {} > {made}; ping -c 2 -i 0.2 127.0.0.1 > /dev/null 2>&1; true",
        flood("closes", 1),
        made = path(&made)?
    );
    for transport in ["region", "ringbuf"] {
        let cpus = last.to_string();
        let options = ["--cpus", &cpus, "--transport", transport];
        let file = record(dir.path(), &options, &["sh", "-c", &script])?;
        let made: u64 = std::fs::read_to_string(&made)?.trim().parse()?;
        let recorded = count(&file, &["-f", &format!("close.fd={FLOODED}")])?;
        let all = losses(&file)?;
        let uncovered =
            |(event, cause, _): &&(String, String, u64)| event == "close" && cause == "cpu without buffer";
        let lost: u64 = all.iter().filter(uncovered).map(|loss| loss.2).sum();
        ensure(made > 1_000 && recorded == 0, || format!("{recorded} of {made} calls were recorded"))?;
        ensure(lost >= made, || format!("{transport}: {made} calls, {lost} counted: {all:?}"))?;
        same("complete", info(&file)?["complete"].as_bool(), Some(true))?;
    }
    Ok(())
}

fn online() -> Result<(), Failed> {
    let dir = scratch()?;
    let cpus = online_cpus()?;
    let each = (0..cpus).map(|cpu| format!("taskset -c {cpu} sh -c 'exit {}'; ", cpu % 200 + 1));
    let script: String = each.collect();
    let file = record(dir.path(), &[], &["sh", "-c", &format!("{script} true")])?;
    for cpu in 0..cpus {
        let seen = count(&file, &["-f", "comm=sh", "-f", &format!("exit_group.status={}", cpu % 200 + 1)])?;
        ensure(seen >= 1, || format!("what ran on CPU {cpu} was not recorded"))?;
    }
    let causes: Vec<String> = losses(&file)?.into_iter().map(|loss| loss.1).collect();
    ensure(!causes.iter().any(|cause| cause == "cpu without buffer"), || format!("{causes:?}"))
}

fn told() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let output = Command::new(TRACER)
        .args(["record", "-o", path(&file)?, "--buffer", "2M", "--", "sleep", "1"])
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(output.status.success(), || said.clone())?;
    let memory = info(Path::new(&file))?["memory"].clone();
    let number = |name: &str| memory[name].as_u64().unwrap_or_default();
    let cpus = number("buffer_cpus");
    ensure(cpus >= online_cpus()? as u64, || format!("{memory:#}"))?;
    same("buffers", number("buffer_bytes"), cpus * (2 << 20))?;
    // Rooms beside each buffer, and the tables that do not depend on the number of CPUs.
    let kernel = number("kernel_bytes");
    ensure(
        kernel > number("buffer_bytes") && kernel < number("buffer_bytes") + cpus * (1 << 20) + (64 << 20),
        || format!("{memory:#}"),
    )?;
    let bound = number("bound_bytes") as f64 / 1_048_576.0;
    ensure(said.contains(&format!("at most {bound:.1} MiB")), || format!("{memory:#}: {said}"))
}

/// The last CPU that can be taken away.
fn switch() -> Option<(usize, PathBuf)> {
    let last = online_cpus().ok()?.checked_sub(1)?;
    let switch = PathBuf::from(format!("/sys/devices/system/cpu/cpu{last}/online"));
    switch.exists().then_some((last, switch))
}

pub fn hotplug_obstacle() -> Option<String> {
    switch().is_none().then(|| "no CPU of this host can be taken away".to_owned())
}

/// A CPU goes offline and comes back while it is recorded: before, meanwhile and afterwards nothing is missing.
fn hotplug() -> Result<(), Failed> {
    let Some((cpu, switch)) = switch() else { return Ok(()) };
    let dir = scratch()?;
    let program = own_program(dir.path(), "true")?;
    let (program, switch) = (path(&program)?, path(&switch)?);
    let script = format!(
        "taskset -c {cpu} {program}; echo 0 > {switch}; {program}; sleep 0.2; echo 1 > {switch}; sleep 0.2; \
         taskset -c {cpu} {program}"
    );
    let recorded = record(dir.path(), &[], &["sh", "-c", &script]);
    // Whatever came of it, the host has its CPU again.
    std::fs::write(switch, "1")?;
    let file = recorded?;
    let comm = format!("comm={}", name_of(Path::new(program)));
    same("execs", count(&file, &["-f", "event=sched_process_exec", "-f", &comm])?, 3)?;
    same("exits", count(&file, &["-f", "event=sched_process_exit", "-f", &comm])?, 3)?;
    same("complete", info(&file)?["complete"].as_bool(), Some(true))
}
