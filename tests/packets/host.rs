//! What the tests share: whether this host can record, and running `tracer` with errors that show what it said.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use libtest_mimic::Failed;
use serde_json::Value;

pub const TRACER: &str = env!("CARGO_BIN_EXE_tracer");

/// Why this host cannot record, if it cannot.
pub fn obstacle() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("this kernel has no BTF".to_owned());
    }
    None
}

/// Why what a test needs is not to be had.
pub fn lacks(need: &str) -> Option<String> {
    let (program, arguments): (_, &[&str]) = match need {
        "docker" => return crate::docker::obstacle(),
        "ip" => ("ip", &["-Version"]),
        "tcpdump" => ("tcpdump", &["--version"]),
        _ => (need, &["--help"]),
    };
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => None,
        _ => Some(format!("no {need} here")),
    }
}

/// Runs a program, which must succeed, and gives back its standard output.
pub fn run(program: &str, arguments: &[&str]) -> Result<String, Failed> {
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        return Err(describe(program, arguments, &output).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn describe(program: &str, arguments: &[&str], output: &Output) -> String {
    format!(
        "{program} {} ended with {}\nstdout: {}\nstderr: {}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Records these events while `command` runs, and returns the capture's path.
pub fn record(dir: &Path, events: &str, command: &[&str]) -> Result<PathBuf, Failed> {
    let file = dir.join("c.trz");
    let mut arguments = vec!["record", "--force", "-o", path(&file)?, "--events", events, "--"];
    arguments.extend(command);
    run(TRACER, &arguments)?;
    Ok(file)
}

pub fn path(file: &Path) -> Result<&str, Failed> {
    file.to_str().ok_or_else(|| "a path that is not UTF-8".into())
}

/// This executable, in the role of one of the programs that send.
pub fn me() -> Result<String, Failed> {
    Ok(path(&std::env::current_exe()?)?.to_owned())
}

/// Replays and returns the events as JSON.
pub fn events(file: &Path, filters: &[&str]) -> Result<Vec<Value>, Failed> {
    let mut arguments = vec!["replay", path(file)?, "-o", "json"];
    arguments.extend(filters.iter().flat_map(|filter| ["-f", filter]));
    run(TRACER, &arguments)?.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// The value of an argument; null when the event has none of this name.
pub fn arg<'a>(event: &'a Value, name: &str) -> &'a Value {
    let found = event["args"].as_array().and_then(|args| args.iter().find(|arg| arg["name"] == name));
    found.map_or(&Value::Null, |arg| &arg["value"])
}

/// Fails with what was expected unless `holds`.
pub fn ensure(holds: bool, expectation: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(expectation().into()) }
}

pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, actual: T, expected: T) -> Result<(), Failed> {
    ensure(actual == expected, || format!("{what}: expected {expected:?}, got {actual:?}"))
}
