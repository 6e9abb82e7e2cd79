//! One run of the workload under strace, itself under `tracer record`: both see the same calls of the same processes.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::BufReader;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use libtest_mimic::Failed;

use crate::compare::Bounds;
use crate::held::Row;
use crate::verdict::Verdict;
use crate::workload;
use crate::{held, lines};

const TRACER: &str = env!("CARGO_BIN_EXE_tracer");

/// Why the comparison cannot run here; `None` when it can.
pub fn obstacle() -> Option<&'static str> {
    // SAFETY: it has no arguments and cannot fail.
    let is_root = unsafe { libc::geteuid() } == 0;
    let strace = Command::new("strace").arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !cfg!(target_arch = "x86_64") {
        Some("the workload is for x86_64")
    } else if !is_root {
        Some("not root")
    } else if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        Some("the kernel has no BTF")
    } else if !strace.is_ok_and(|status| status.success()) {
        Some("no strace")
    } else {
        None
    }
}

fn text(output: &Output) -> String {
    let part = |bytes: &[u8]| {
        let start = bytes.len().saturating_sub(4000);
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    };
    format!("{}\nstdout: {}\nstderr: {}", output.status, part(&output.stdout), part(&output.stderr))
}

fn run(command: &mut Command) -> Result<Output, Failed> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() { Ok(output) } else { Err(format!("{command:?}: {}", text(&output)).into()) }
}

/// What the capture has of these threads.
fn rows(capture: &Path, tids: &HashSet<u32>) -> Result<HashMap<u32, Vec<Row>>, Failed> {
    let mut replay = Command::new(TRACER)
        .arg("replay")
        .arg(capture)
        .args(["--output", "json"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let Some(json) = replay.stdout.take() else { return Err("replay has no output".into()) };
    let rows = held::rows(BufReader::with_capacity(1 << 18, json), tids)?;
    let status = replay.wait()?;
    if status.success() { Ok(rows) } else { Err(format!("tracer replay: {status}").into()) }
}

/// Records, replays, compares.
pub fn judge() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let work = directory.path().join("work");
    fs::create_dir(&work)?;
    let (capture, log) = (directory.path().join("judge.trz"), directory.path().join("strace.log"));
    let own = std::env::current_exe()?;
    let recorded = run(Command::new(TRACER)
        .args(["record", "--force", "--env", "-o"])
        .arg(&capture)
        .args([
            "--",
            "strace",
            "-f",
            "-v",
            "-X",
            "raw",
            "-xx",
            "-s",
            "65536",
            "-e",
            "signal=none",
            "-qq",
            "-a",
            "1",
        ])
        .arg("-o")
        .arg(&log)
        .arg(&own)
        .arg(workload::RUN)
        .arg(&work))?;
    let log = fs::read_to_string(&log)?;
    let calls = lines::calls(&log).map_err(|error| error.0)?;
    let tids = calls.iter().map(|call| call.tid).collect();
    let rows = rows(&capture, &tids)?;
    let verdict = Verdict::of(&calls, &rows, Bounds { string: 4096, buffer: 256 });
    if let Some(keep) = std::env::var_os("JUDGE_KEEP") {
        fs::write(Path::new(&keep).join("strace.log"), &log)?;
        fs::write(Path::new(&keep).join("report.txt"), verdict.report())?;
        fs::copy(&capture, Path::new(&keep).join("judge.trz"))?;
    }
    if verdict.is_good() {
        println(&verdict.report());
        Ok(())
    } else {
        let said = String::from_utf8_lossy(&recorded.stderr);
        Err(format!("{}\nthe recording said:\n{said}", verdict.report()).into())
    }
}

#[expect(clippy::print_stdout, reason = "figures that whoever runs the test wants to see")]
fn println(text: &str) {
    println!("{text}");
}
