//! What the tests share: whether this host can record, and running `tracer` with errors that show what it said.

use std::io::{BufRead as _, BufReader};
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
        return Some("this kernel has no BTF (/sys/kernel/btf/vmlinux)".to_owned());
    }
    None
}

/// A folder for one test's captures.
pub fn scratch() -> Result<tempfile::TempDir, Failed> {
    Ok(tempfile::tempdir()?)
}

/// Runs `tracer` and gives back what it said, whatever its exit code.
pub fn tracer(arguments: &[&str]) -> Result<Output, Failed> {
    Ok(Command::new(TRACER).args(arguments).output()?)
}

/// Runs `tracer`, which must succeed, and gives back its standard output.
pub fn tracer_ok(arguments: &[&str]) -> Result<String, Failed> {
    let output = tracer(arguments)?;
    if !output.status.success() {
        return Err(describe(arguments, &output).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn describe(arguments: &[&str], output: &Output) -> String {
    format!(
        "tracer {} ended with {}\nstdout: {}\nstderr: {}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Records while `command` runs, and returns the capture's path.
pub fn record(dir: &Path, options: &[&str], command: &[&str]) -> Result<PathBuf, Failed> {
    let file = dir.join("c.trz");
    let name = path(&file)?;
    let mut arguments = vec!["record", "--force", "-o", name];
    arguments.extend(options);
    arguments.push("--");
    arguments.extend(command);
    tracer_ok(&arguments)?;
    Ok(file)
}

/// Waits until a recorder has begun its file: loading the kernel side takes seconds on a busy host.
pub fn wait_for(file: &Path) -> Result<(), Failed> {
    for _ in 0..600 {
        if file.exists() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    Err(format!("{} did not appear within a minute", file.display()).into())
}

pub fn path(file: &Path) -> Result<&str, Failed> {
    file.to_str().ok_or_else(|| "a path that is not UTF-8".into())
}

/// Replays and returns the events as JSON. Of what a busy host did, a whole capture takes gigabytes so:
/// [`events_where`] keeps only what is looked at.
pub fn events(file: &Path, options: &[&str]) -> Result<Vec<Value>, Failed> {
    events_where(file, options, |_| true)
}

/// The same of those that are to be kept; each is looked at as it comes.
pub fn events_where(
    file: &Path,
    options: &[&str],
    keep: impl Fn(&Value) -> bool,
) -> Result<Vec<Value>, Failed> {
    let mut arguments = vec!["replay", path(file)?, "-o", "json"];
    arguments.extend(options);
    // Beside the pipe, which would stand still while nobody reads the other.
    let said = tempfile::NamedTempFile::new()?;
    let mut replay =
        Command::new(TRACER).args(&arguments).stdout(Stdio::piped()).stderr(said.reopen()?).spawn()?;
    let mut kept = Vec::new();
    for line in BufReader::new(replay.stdout.take().ok_or("no pipe")?).lines() {
        let row = serde_json::from_str(&line?)?;
        if keep(&row) {
            kept.push(row);
        }
    }
    let status = replay.wait()?;
    if !status.success() {
        let stderr = std::fs::read(said.path())?;
        return Err(describe(&arguments, &Output { status, stdout: Vec::new(), stderr }).into());
    }
    Ok(kept)
}

/// The number of events that match.
pub fn count(file: &Path, options: &[&str]) -> Result<u64, Failed> {
    let mut arguments = vec!["replay", path(file)?, "--count"];
    arguments.extend(options);
    Ok(tracer_ok(&arguments)?.trim().parse()?)
}

/// The command that runs this program as one of [`crate::acts`].
pub fn act(name: &str, folder: &str) -> Result<Vec<String>, Failed> {
    let own = std::env::current_exe()?;
    Ok(vec![path(&own)?.to_owned(), crate::acts::FLAG.to_owned(), name.to_owned(), folder.to_owned()])
}

/// The marks of an event's rows in the order of the file, by the name of who did it; of all when that is empty.
pub fn marks(file: &Path, event: &str, comm: &str) -> Result<Vec<events::Marks>, Failed> {
    let capture = format::Capture::open(file)?;
    let event = events::catalogue::by_name(event).ok_or("no such event")?.id;
    let mut scratch = format::Scratch::new();
    let mut found = Vec::new();
    for number in 0..capture.blocks().len() {
        let block = capture.block(number, &mut scratch)?;
        let contexts = block.contexts()?;
        let rows = block.event_codes()?.iter().zip(block.context_codes()?).zip(block.marks()?);
        for ((code, context), marks) in rows {
            let is_event = block.event_list().get(usize::from(*code)) == Some(&event);
            let is_theirs = || contexts.get(*context).is_some_and(|it| it.comm == comm.as_bytes());
            if is_event && (comm.is_empty() || is_theirs()) {
                found.push(events::Marks(*marks));
            }
        }
    }
    Ok(found)
}

pub fn info(file: &Path) -> Result<Value, Failed> {
    Ok(serde_json::from_str(&tracer_ok(&["info", path(file)?, "-o", "json"])?)?)
}

/// Fails with what was expected unless `holds`.
pub fn ensure(holds: bool, expectation: impl FnOnce() -> String) -> Result<(), Failed> {
    if holds { Ok(()) } else { Err(expectation().into()) }
}

pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, actual: T, expected: T) -> Result<(), Failed> {
    ensure(actual == expected, || format!("{what}: expected {expected:?}, got {actual:?}"))
}
