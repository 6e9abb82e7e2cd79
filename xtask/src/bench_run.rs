//! One timed run of a command, with its own processor time and memory (not those of the program that it runs).

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub wall_s: f64,
    /// User and system time of the process itself, without its children. Ticks of 10 ms.
    pub cpu_s: f64,
    /// Greatest resident size seen.
    pub peak_bytes: u64,
}

pub fn measure(command: &mut Command) -> Result<Run> {
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {command:?}"))?;
    let pid = child.id();
    let (mut cpu_s, mut peak_bytes) = (0.0, 0);
    // Both grow only, so the last reading before the end is what is wanted; an ended process shows none.
    let status = loop {
        cpu_s = own_cpu_s(pid).unwrap_or(cpu_s);
        peak_bytes = peak(pid).unwrap_or(peak_bytes);
        match child.try_wait()? {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let wall_s = start.elapsed().as_secs_f64();
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(Run { wall_s, cpu_s, peak_bytes })
}

/// Fields 14 and 15 of /proc/PID/stat (proc(5)), in ticks of a hundredth of a second.
fn own_cpu_s(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11);
    let ticks = |field: Option<&str>| field?.parse::<f64>().ok();
    Some((ticks(fields.next())? + ticks(fields.next())?) / 100.0)
}

fn peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}
