//! strace and `record` see the same programs at the same time: what strace's log says after its import is what was recorded,
//! call by call, result by result, argument by argument. Where the two do not hold the same, this says why.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{ensure, events, path, record, scratch, tracer_ok};

pub const TESTS: &[Test] =
    &[("ten_programs_are_the_same_in_a_log_of_strace_and_in_the_recording", ten_programs)];

/// What a shell runs, each under a strace of its own. `%` is a folder of its own.
const PROGRAMS: [&str; 10] = [
    "true",
    "ls -la /etc",
    "cat /etc/passwd /nonexistent",
    "find /etc -name 'pass*'",
    "cp /etc/passwd %/copy && mv %/copy %/moved && rm %/moved",
    "echo a b c | tr a-z A-Z | sort",
    "mkdir -p %/d/e && touch %/d/e/f && chmod 600 %/d/e/f && ln -s f %/d/e/g && rm -r %/d",
    "grep -c root /etc/passwd",
    "gzip -c /etc/passwd | gunzip | wc -l",
    "kill -TERM $$",
];

/// Why the log of strace and the recording do not hold the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Why {
    /// strace does not show what the call, as it was made, does not look at; the register has some value.
    NotLookedAt,
    /// A recording keeps the first 256 bytes (`--buffer-bound`), strace as many as `-s` says.
    Beginning,
    /// strace has names for what are numbers in a recording, and inside of structures they stay names. What both hold as a
    /// number, or both as a text, is the same.
    Names,
    /// strace knows two names for a number, and says both: the import takes neither.
    Ambiguous,
    /// What the kernel alone knows of a call, and no argument or result of it says.
    OfTheKernel,
}

/// The arguments that may differ, and why. Any other is a fault of the import or of the recorder.
const DIFFERENCES: &[(&str, &str, Why)] = &[
    ("openat", "mode", Why::NotLookedAt),
    ("openat", "created", Why::OfTheKernel),
    ("fcntl", "arg", Why::NotLookedAt),
    ("fcntl", "arg", Why::Names),
    ("futex", "timeout", Why::NotLookedAt),
    ("futex", "uaddr2", Why::NotLookedAt),
    ("futex", "val3", Why::NotLookedAt),
    ("clone", "tls", Why::NotLookedAt),
    ("clone", "parent_tid", Why::NotLookedAt),
    ("read", "buf", Why::Beginning),
    ("pread64", "buf", Why::Beginning),
    ("write", "buf", Why::Beginning),
    ("newfstatat", "statbuf", Why::Names),
    ("fstat", "statbuf", Why::Names),
    ("statx", "statxbuf", Why::Names),
    ("statfs", "buf", Why::Names),
    ("fstatfs", "buf", Why::Names),
    ("sysinfo", "info", Why::Names),
    ("getdents64", "dirp", Why::Names),
    ("rt_sigaction", "act", Why::Names),
    ("rt_sigaction", "oldact", Why::Names),
    ("rt_sigprocmask", "set", Why::Names),
    ("rt_sigprocmask", "oldset", Why::Names),
    ("prlimit64", "new_limit", Why::Names),
    ("prlimit64", "old_limit", Why::Names),
    ("wait4", "wstatus", Why::Names),
    ("pipe2", "pipefd", Why::Names),
    ("ioctl", "request", Why::Ambiguous),
    ("ioctl", "arg", Why::Names),
];

/// A row, as `replay -o json` has it.
type Row = Value;

fn obstacle() -> Option<String> {
    super::debugging::obstacle()
}

fn ten_programs() -> Result<(), Failed> {
    if let Some(reason) = obstacle() {
        println!("skipped: {reason}");
        return Ok(());
    }
    let dir = scratch()?;
    let folder = path(dir.path())?;
    let script: String = (0..)
        .zip(PROGRAMS)
        .map(|(number, program): (usize, _)| {
            let program = program.replace('%', folder).replace('\'', "'\\''");
            format!(
                "strace -f -ttt -yy -v -s 65536 -o {folder}/log.{number} sh -c '{program}' </dev/null >/dev/null 2>&1\n"
            )
        })
        .collect();
    fs::write(dir.path().join("run.sh"), format!("{script}exit 0\n"))?;
    let run = dir.path().join("run.sh");
    let file = record(dir.path(), &["--env"], &["sh", path(&run)?])?;
    let mut recorded: BTreeMap<u64, Vec<Row>> = BTreeMap::new();
    for row in events(&file, &[])? {
        recorded.entry(row["hostThreadId"].as_u64().unwrap_or_default()).or_default().push(row);
    }
    let (mut calls, mut arguments) = (0, 0);
    for (number, program) in PROGRAMS.into_iter().enumerate() {
        let log = dir.path().join(format!("log.{number}"));
        let capture = dir.path().join(format!("log.{number}.trz"));
        tracer_ok(&["import", "--from", "strace", path(&log)?, "-o", path(&capture)?])?;
        let (of_program, of_arguments) = compare(&capture, &recorded, program)?;
        ensure(of_program > 30, || format!("{program}: only {of_program} calls"))?;
        calls += of_program;
        arguments += of_arguments;
    }
    ensure(calls > 2_000 && arguments > 2 * calls, || format!("only {calls} calls, {arguments} arguments"))
}

/// Compares the calls of each thread of a log; how many calls and arguments are the same.
fn compare(log: &Path, recorded: &BTreeMap<u64, Vec<Row>>, program: &str) -> Result<(u64, u64), Failed> {
    let mut threads: BTreeMap<u64, Vec<Row>> = BTreeMap::new();
    for row in events(log, &[])? {
        threads.entry(row["threadId"].as_u64().unwrap_or_default()).or_default().push(row);
    }
    let (mut calls, mut arguments) = (0, 0);
    for (thread, shown) in &threads {
        let shown: Vec<&Row> = shown.iter().filter(|row| is_call(row)).collect();
        let held = recorded.get(thread).map(Vec::as_slice).unwrap_or_default();
        // strace itself is what the thread was before it began the program, and shows its `execve` first.
        let held: Vec<&Row> = held.iter().filter(|row| is_call(row) && !is_before(row, &shown)).collect();
        let name = |row: &&Row| format!("{} = {}", row["eventName"], row["returnValue"]);
        let (of_shown, of_held): (Vec<_>, Vec<_>) =
            (shown.iter().map(name).collect(), held.iter().map(name).collect());
        ensure(of_shown == of_held, || {
            let at = of_shown.iter().zip(&of_held).take_while(|(a, b)| a == b).count();
            let near =
                |all: &[String]| all.iter().skip(at.saturating_sub(2)).take(6).cloned().collect::<Vec<_>>();
            format!(
                "{program}, thread {thread}, call {at}:\nstrace {:?}\nrecord {:?}",
                near(&of_shown),
                near(&of_held)
            )
        })?;
        for (shown, held) in shown.iter().zip(&held) {
            calls += 1;
            let (of_shown, of_held) = (named(shown), named(held));
            for (name, shown_value) in &of_shown {
                let Some(held_value) = of_held.get(name) else {
                    return Err(
                        format!("{program}: {} has no {name} in the recording", shown["eventName"]).into()
                    );
                };
                let event = shown["eventName"].as_str().unwrap_or_default();
                ensure(is_same(event, name, shown_value, held_value), || {
                    format!("{program}: {event}.{name}:\nstrace {shown_value}\nrecord {held_value}")
                })?;
                arguments += 1;
            }
        }
    }
    Ok((calls, arguments))
}

/// Whether the row is a system call that both tell of. The second return of `fork` and its kin, in the child, is a call of the
/// recording alone: strace tells of calls where they were made. And who ends, or is killed in it, does not return: strace
/// shows that a call was begun, with `?` for its result.
fn is_call(row: &Row) -> bool {
    let name = row["eventName"].as_str().unwrap_or_default();
    let is_child = matches!(name, "fork" | "vfork" | "clone" | "clone3") && row["returnValue"] == 0;
    row["syscall"] == row["eventName"] && !is_child && !matches!(name, "exit" | "exit_group")
}

/// Whether a recorded row is of the time before strace's first one, which is an `execve` where the thread was strace itself. Of
/// other threads there is no such time, and their first call may end within what the two clocks differ by.
fn is_before(row: &Row, shown: &[&Row]) -> bool {
    // strace stamps a call when it begins, the recorder when it ends.
    let first = shown.first().filter(|row| row["eventName"] == "execve");
    let first = first.and_then(|row| row["timestamp"].as_u64()).unwrap_or_default();
    row["timestamp"].as_u64().unwrap_or_default() < first
}

fn named(row: &Row) -> BTreeMap<&str, &Value> {
    let args = row["args"].as_array().map(Vec::as_slice).unwrap_or_default();
    args.iter().map(|arg| (arg["name"].as_str().unwrap_or_default(), &arg["value"])).collect()
}

fn is_same(event: &str, name: &str, shown: &Value, held: &Value) -> bool {
    if shown == held {
        return true;
    }
    let mut reasons = DIFFERENCES.iter().filter(|(of, arg, _)| (*of, *arg) == (event, name));
    reasons.any(|(.., why)| match why {
        Why::NotLookedAt | Why::Ambiguous | Why::OfTheKernel => shown.is_null(),
        Why::Beginning => {
            let bytes = |value: &Value| STANDARD.decode(value.as_str()?).ok();
            bytes(shown)
                .zip(bytes(held))
                .is_some_and(|(shown, held)| shown.starts_with(&held) && held.len() == shown.len().min(256))
        }
        Why::Names => agrees(shown, held),
    })
}

/// Whether all that both hold in the same form is the same.
fn agrees(shown: &Value, held: &Value) -> bool {
    match (shown, held) {
        (Value::Object(shown), Value::Object(held)) => {
            shown.iter().all(|(name, value)| held.get(name).is_none_or(|held| agrees(value, held)))
        }
        (Value::Array(shown), Value::Array(held)) => {
            shown.iter().zip(held).all(|(shown, held)| agrees(shown, held))
        }
        (Value::Number(shown), Value::Number(held)) => shown == held,
        (Value::String(shown), Value::String(held)) => shown == held,
        _ => true,
    }
}
