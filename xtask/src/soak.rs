//! A recording for a long time under mixed load: memory flat, nothing lost, the file whole.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

/// How often the recorder's memory is looked at.
const SAMPLE_EVERY: Duration = Duration::from_secs(2);
/// Growth of the resident memory that is noise: queues that fill now and then.
const SLOPE_KIB_A_MINUTE: f64 = 512.0;

/// The load, each a shell's endless loop: programs that start and end, names that are looked up, bytes that are read,
/// and files that are written, renamed and removed.
const LOADS: &[&str] = &[
    "while :; do ls / >/dev/null; id >/dev/null; sleep 0.02; done",
    "while :; do find /usr/share/doc -xdev >/dev/null; sleep 0.2; done",
    "while :; do dd if=/dev/zero of=/dev/null bs=512 count=20000 2>/dev/null; sleep 0.1; done",
    "cd \"$SOAK_DIR\"; while :; do echo text >a; mv a b; cat b >/dev/null; rm b; sleep 0.01; done",
];

#[derive(Args)]
pub struct Options {
    /// How long to record (30m, 90s)
    #[arg(long = "for", value_name = "TIME", default_value = "30m", value_parser = time)]
    length: Duration,

    /// The tracer to run
    #[arg(long, default_value = "target/release/tracer")]
    tracer: PathBuf,

    /// Options of `tracer record` beside the output
    #[arg(last = true)]
    record: Vec<String>,
}

fn time(text: &str) -> Result<Duration> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let seconds: u64 = number.parse().context("a number and s, m or h")?;
    match unit {
        "s" => Ok(Duration::from_secs(seconds)),
        "m" => Ok(Duration::from_secs(seconds * 60)),
        "h" => Ok(Duration::from_secs(seconds * 3600)),
        _ => bail!("{text:?}: a number and s, m or h"),
    }
}

/// Ends the load whatever happens.
struct Load(Vec<Child>);

impl Load {
    fn start(dir: &Path) -> Result<Load> {
        let mut load = Load(Vec::new());
        for script in LOADS {
            let shell =
                Command::new("sh").args(["-c", script]).env("SOAK_DIR", dir).stderr(Stdio::null()).spawn()?;
            load.0.push(shell);
        }
        Ok(load)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for shell in &mut self.0 {
            let _ = shell.kill();
            let _ = shell.wait();
        }
    }
}

pub fn run(options: &Options) -> Result<()> {
    let dir = tempfile::tempdir()?;
    let dir = dir.path();
    let file = dir.join("c.trz");
    let mut recorder = Command::new(&options.tracer)
        .args(["record", "-o"])
        .arg(&file)
        .args(&options.record)
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("starting {}", options.tracer.display()))?;
    while !file.exists() {
        ensure!(recorder.try_wait()?.is_none(), "the recorder ended before it began");
        thread::sleep(Duration::from_millis(100));
    }
    let started = Instant::now();
    let load = Load::start(dir)?;
    let mut samples = Vec::new();
    while started.elapsed() < options.length {
        thread::sleep(SAMPLE_EVERY);
        samples.push((started.elapsed().as_secs_f64() / 60.0, resident_kib(recorder.id())?));
    }
    drop(load);
    ensure!(
        Command::new("kill").arg(recorder.id().to_string()).status()?.success(),
        "cannot end the recorder"
    );
    ensure!(recorder.wait()?.success(), "the recorder failed");
    let minutes = started.elapsed().as_secs_f64() / 60.0;

    let info: serde_json::Value = serde_json::from_str(&said(options, &["info", "-o", "json"], &file)?)?;
    let events = info["events"].as_u64().unwrap_or_default();
    let losses = info["losses"].as_array().cloned().unwrap_or_default();
    let lost: u64 = losses.iter().filter_map(|loss| loss["count"].as_u64()).sum();
    let bytes = fs::metadata(&file)?.len();
    // What fills once (builders, queues, tables) is full after a third of the time.
    let settled = samples.get(samples.len() / 3..).unwrap_or_default();
    let slope = slope(settled);
    let most = samples.iter().map(|(_, kib)| *kib).fold(0.0, f64::max);
    println!(
        "{minutes:.1} minutes: {events} events ({:.0} a second), {lost} lost",
        events as f64 / minutes / 60.0
    );
    println!(
        "file: {:.1} MiB, {:.1} bytes an event",
        bytes as f64 / 1048576.0,
        bytes as f64 / events.max(1) as f64
    );
    println!(
        "resident memory: at most {:.1} MiB, {slope:+.0} KiB a minute after a third of the time",
        most / 1024.0
    );

    ensure!(info["complete"].as_bool() == Some(true), "the file has no end");
    ensure!(
        Command::new(&options.tracer).arg("verify").arg(&file).stdout(Stdio::null()).status()?.success(),
        "verify found a fault"
    );
    let replayed: u64 = said(options, &["replay", "--count"], &file)?.trim().parse()?;
    ensure!(replayed == events, "{replayed} of {events} events are replayed");
    ensure!(lost == 0, "{lost} events were lost");
    ensure!(slope < SLOPE_KIB_A_MINUTE, "memory grows by {slope:.0} KiB a minute");
    println!("whole, verified, replayed");
    Ok(())
}

fn said(options: &Options, arguments: &[&str], file: &Path) -> Result<String> {
    let output = Command::new(&options.tracer).args(arguments).arg(file).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "tracer {} ended with {}", arguments.join(" "), output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn resident_kib(pid: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the recorder is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

/// The line of least squares through the samples: KiB a minute.
fn slope(samples: &[(f64, f64)]) -> f64 {
    let count = samples.len().max(1) as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|it| it.0), mean(|it| it.1));
    let (mut along, mut square) = (0.0, 0.0);
    for (minutes, kib) in samples {
        along += (minutes - x) * (kib - y);
        square += (minutes - x) * (minutes - x);
    }
    if square == 0.0 { 0.0 } else { along / square }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_what_memory_grows_by() {
        assert_eq!(slope(&[(0.0, 5.0), (1.0, 5.0), (2.0, 5.0)]), 0.0);
        assert_eq!(slope(&[(0.0, 5.0), (1.0, 8.0), (2.0, 11.0)]), 3.0);
        assert_eq!(slope(&[]), 0.0);
    }

    #[test]
    fn lengths_are_read() {
        assert_eq!(time("30m").unwrap(), Duration::from_secs(1800));
        assert!(time("30").is_err() && time("").is_err());
    }
}
