//! `record --timing`: how long calls took, beside what they were asked to take and what `strace -T` says; calls that had not
//! returned; and nothing of it without the option.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::acts::name_self;
use crate::host::{act, count, ensure, events, path, record, same, scratch, tracer, tracer_ok};
use crate::workload::{name_of, own_program};

pub const TESTS: &[Test] = &[
    ("sleeps_of_threads_take_as_long_as_they_were_asked_to", sleeps),
    ("durations_are_those_of_strace", beside_strace),
    ("a_sleep_that_is_stopped_is_two_calls_and_each_has_its_time", stopped),
    ("execs_have_a_duration_and_calls_that_never_return_have_none", execs),
    ("calls_that_have_not_returned_are_told_at_the_end", unfinished),
    ("without_timing_nothing_is_attached_and_nothing_known", off),
];

/// Of what was expected, and what a busy machine may add before a task that is awake runs.
const TOLERANCE: f64 = 0.05;
const LATE_NS: f64 = 10e6;

/// Sleeps of threads that go on at once, in ms.
const SLEEPS: [u64; 4] = [50, 120, 200, 350];

pub fn sleep_in_threads(_: &str) -> io::Result<()> {
    let sleep = |ms: u64| {
        move || name_self(&format!("sleeps{ms}")).map(|()| thread::sleep(Duration::from_millis(ms)))
    };
    let threads: Vec<_> = SLEEPS.into_iter().map(|ms| thread::spawn(sleep(ms))).collect();
    threads.into_iter().try_for_each(|it| it.join().map_err(|_| io::Error::other("a thread panicked"))?)
}

/// Executes `true` from a thread that is not the first, which becomes the process.
pub fn exec_in_thread(folder: &str) -> io::Result<()> {
    let program = Path::new(folder).join("executed");
    std::fs::copy("/bin/true", &program)?;
    let exec = move || Err(Command::new(program).exec());
    thread::spawn(exec).join().map_err(|_| io::Error::other("the thread panicked"))?
}

/// Waits for ever in a read of a pipe, of which the other end is its own.
pub fn read_for_ever(_: &str) -> io::Result<()> {
    name_self("readsforever")?;
    let (reader, _writer) = io::pipe()?;
    let mut byte = 0u8;
    // SAFETY: room for a byte.
    unsafe { libc::read(reader.as_raw_fd(), (&raw mut byte).cast(), 1) };
    Ok(())
}

fn command(act_name: &str, folder: &Path) -> Result<Vec<String>, Failed> {
    act(act_name, path(folder)?)
}

fn timed(dir: &Path, options: &[&str], command: &[&str]) -> Result<std::path::PathBuf, Failed> {
    record(dir, &[&["--timing"], options].concat(), command)
}

/// The rows of an event that a task of this name has.
fn rows(file: &Path, comm: &str, event: &str) -> Result<Vec<Value>, Failed> {
    events(file, &["-f", &format!("comm={comm}"), "-f", &format!("event={event}")])
}

fn duration(row: &Value) -> Result<f64, Failed> {
    row["duration"].as_f64().ok_or_else(|| format!("{row} has no duration").into())
}

fn is_close(what: &str, ns: f64, expected_ns: f64) -> Result<(), Failed> {
    let is = ns >= expected_ns * (1.0 - TOLERANCE) && ns <= expected_ns * (1.0 + TOLERANCE) + LATE_NS;
    ensure(is, || format!("{what}: {ns} ns, and {expected_ns} were expected"))
}

fn sleeps() -> Result<(), Failed> {
    let dir = scratch()?;
    for transport in ["region", "ringbuf"] {
        let program = command("sleep-in-threads", dir.path())?;
        let program: Vec<&str> = program.iter().map(String::as_str).collect();
        let file = timed(dir.path(), &["--transport", transport], &program)?;
        for ms in SLEEPS {
            let found = rows(&file, &format!("sleeps{ms}"), "clock_nanosleep,nanosleep")?;
            same("sleeps of a thread", found.len(), 1)?;
            is_close("a thread's sleep", duration(&found[0])?, ms as f64 * 1e6)?;
        }
        // Filters know it, with units, and while it is recorded as afterwards.
        let by = |filter: &str| {
            count(&file, &["-f", "comm=sleeps*", "-f", "event=clock_nanosleep,nanosleep", "-f", filter])
        };
        same("sleeps above 110 ms", by("duration>=110ms")?, 3)?;
        same("sleeps below 0.11 s", by("duration<0.11s")?, 1)?;
        same("sleeps between", by("clock_nanosleep.context.duration>110000us")? as usize, 3)?;
    }
    let program = command("sleep-in-threads", dir.path())?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file =
        timed(dir.path(), &["--only-matched", "-f", "comm=sleeps*", "-f", "duration>=110ms"], &program)?;
    same("sleeps that were recorded", count(&file, &["-f", "event=clock_nanosleep,nanosleep"])?, 3)?;
    let table = tracer_ok(&["replay", path(&file)?, "-f", "comm=sleeps350"])?;
    ensure(table.contains(" <0.35"), || format!("the table has durations as strace -T has them: {table}"))
}

fn beside_strace() -> Result<(), Failed> {
    let dir = scratch()?;
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        println!("strace is not here: durations are not compared with its");
        return Ok(());
    }
    let sleep = own_program(dir.path(), "sleep")?;
    let log = dir.path().join("strace.log");
    let command =
        ["strace", "-T", "-ttt", "-e", "trace=clock_nanosleep", "-o", path(&log)?, path(&sleep)?, "0.3"];
    let file = timed(dir.path(), &[], &command)?;
    let found = rows(&file, &name_of(&sleep), "clock_nanosleep")?;
    same("sleeps", found.len(), 1)?;
    let said = std::fs::read_to_string(&log)?;
    let seconds: f64 = said
        .lines()
        .find_map(|line| line.strip_suffix('>')?.rsplit_once('<')?.1.parse().ok())
        .ok_or_else(|| format!("strace says no duration: {said}"))?;
    is_close("the sleep that strace timed", duration(&found[0])?, seconds * 1e9)?;
    // What strace said, read as a capture, has the same column.
    let read = dir.path().join("read.trz");
    tracer_ok(&["import", "--from", "strace", path(&log)?, "-o", path(&read)?])?;
    same("its log's", count(&read, &["-f", "duration>0.29s"])?, 1)
}

fn stopped() -> Result<(), Failed> {
    let dir = scratch()?;
    let sleep = own_program(dir.path(), "sleep")?;
    let script =
        format!("{} 0.6 & P=$!; sleep 0.2; kill -STOP $P; sleep 0.1; kill -CONT $P; wait", path(&sleep)?);
    let file = timed(dir.path(), &[], &["sh", "-c", &script])?;
    let name = name_of(&sleep);
    let first = rows(&file, &name, "clock_nanosleep")?;
    let again = rows(&file, &name, "restart_syscall")?;
    same("the call and how often it went on", (first.len(), again.len()), (1, 1))?;
    let (first, again) = (duration(&first[0])?, duration(&again[0])?);
    ensure((0.1e9..0.3e9).contains(&first), || format!("up to the signal it slept {first} ns"))?;
    ensure((0.2e9..0.45e9).contains(&again), || format!("after it, it slept {again} ns"))
}

fn execs() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = command("exec-in-thread", dir.path())?;
    let program: Vec<&str> = program.iter().map(String::as_str).collect();
    let file = timed(dir.path(), &[], &program)?;
    // The name is that of the new program, as the call returns.
    let execs = rows(&file, "executed", "execve")?;
    same("execs from a thread", execs.len(), 1)?;
    let took = duration(&execs[0])?;
    ensure(took > 1_000.0 && took < 5e9, || format!("the exec took {took} ns"))?;
    let exits = rows(&file, "executed", "exit_group")?;
    same("ends", exits.len(), 1)?;
    ensure(exits[0].get("duration").is_none(), || format!("an exit has none: {}", exits[0]))?;
    // All else that the program did since its exec has one.
    let all = events(&file, &["-f", "comm=executed", "-f", "set=syscalls", "-f", "event!=exit_group"])?;
    let without: Vec<&Value> = all.iter().filter(|row| row.get("duration").is_none()).collect();
    ensure(all.len() > 10 && without.is_empty(), || format!("of {} calls: {without:?}", all.len()))
}

fn unfinished() -> Result<(), Failed> {
    let dir = scratch()?;
    let program = command("read-for-ever", dir.path())?.join(" ");
    let script = format!("{program} >/dev/null 2>&1 & sleep 0.5; echo $! > {}/pid", path(dir.path())?);
    let file = timed(dir.path(), &[], &["sh", "-c", &script])?;
    let pid: i32 = std::fs::read_to_string(dir.path().join("pid"))?.trim().parse()?;
    // SAFETY: the process that was begun above.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    let found = rows(&file, "readsforever", "read")?;
    let waits: Vec<&Value> = found.iter().filter(|row| row["marks"]["event"][0] == "unfinished").collect();
    same("reads that had not returned", waits.len(), 1)?;
    let took = duration(waits[0])?;
    ensure(took > 0.3e9 && took < 60e9, || format!("it had been under way for {took} ns"))?;
    let arguments = waits[0]["args"].as_array().ok_or("no arguments")?;
    let of = |name: &str| arguments.iter().find(|it| it["name"] == name).map(|it| it["value"].clone());
    same("bytes that it asked for", of("count"), Some(1.into()))?;
    // No result is any: filters about results pass it by, those about marks and time do not.
    let asked = |filters: &[&str]| {
        let named = ["-f", "comm=readsforever", "-f", "event=read", "-f", "unfinished"];
        count(&file, &[&named[..], filters].concat())
    };
    same("unfinished", asked(&[])?, 1)?;
    same("above 300 ms", asked(&["-f", "duration>300ms"])?, 1)?;
    same("with a result", asked(&["-f", "read.retval>=0"])? + asked(&["-f", "read.retval<0"])?, 0)?;
    let last = events(&file, &["-f", "unfinished"])?;
    ensure(last.iter().all(|row| row["returnValue"] == 0), || "none has a result".to_owned())?;
    let table = tracer_ok(&["replay", path(&file)?, "-f", "comm=readsforever", "-f", "unfinished"])?;
    ensure(table.contains(" ? ") && table.contains("marks: unfinished <"), || table.clone())?;
    let log = dir.path().join("log");
    tracer_ok(&["export", "--to", "strace", path(&file)?, "-o", path(&log)?, "-f", "comm=readsforever"])?;
    let log = std::fs::read_to_string(&log)?;
    ensure(log.contains("<unfinished ...>\n") && log.contains(" = 0 <0."), || log.clone())?;
    tracer_ok(&["verify", path(&file)?])?;
    Ok(())
}

fn off() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = record(dir.path(), &[], &["sh", "-c", "bpftool prog show 2>/dev/null || true"])?;
    let rows = events(&file, &["-f", "comm=sh", "-f", "set=syscalls"])?;
    ensure(rows.iter().all(|row| row.get("duration").is_none()), || "a row has a duration".to_owned())?;
    let asked = tracer(&["replay", path(&file)?, "-f", "duration>5ms"])?;
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    ensure(!asked.status.success() && said.contains("record --timing"), || said.clone())?;
    let asked =
        tracer(&["record", "-o", path(&dir.path().join("none.trz"))?, "-f", "duration>5ms", "--", "true"])?;
    let said = String::from_utf8_lossy(&asked.stderr).into_owned();
    ensure(!asked.status.success() && said.contains("--timing"), || said.clone())?;
    // The kernel's own list of programs, while it is recorded without and with it.
    let named = |options: &[&str]| -> Result<Option<bool>, Failed> {
        let list = dir.path().join("programs");
        let script = format!("bpftool prog show > {} 2>/dev/null", path(&list)?);
        let program = ["sh", "-c", &script];
        let output = tracer(
            &[&["record", "--force", "-o", path(&dir.path().join("c.trz"))?][..], options, &["--"], &program]
                .concat(),
        )?;
        let list = std::fs::read_to_string(&list).unwrap_or_default();
        let is_known = output.status.success() && list.contains("sys_exit");
        // Names are cut to 15 characters.
        Ok(is_known.then(|| list.contains("timing_sys_ente")))
    };
    match (named(&[])?, named(&["--timing"])?) {
        (None, _) | (_, None) => println!("bpftool is not here: programs are not listed"),
        (without, with) => same("its program is in the kernel", (without, with), (Some(false), Some(true)))?,
    }
    Ok(())
}
