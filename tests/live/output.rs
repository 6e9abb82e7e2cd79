//! Where a recording goes: nothing that somebody else put there, and nothing that it cannot be ended from.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::Test;
use crate::host::{TRACER, count, ensure, info, path, same, scratch, tracer, wait_for};
use crate::workload::Loop;

pub const TESTS: &[Test] = &[
    ("a_fifo_that_somebody_planted_is_not_written_into", planted_fifo),
    ("a_fifo_planted_into_a_set_ends_the_recording_with_what_was_lost", fifo_in_the_set),
    ("standard_output_takes_a_capture_as_a_stream_and_the_command_keeps_apart", streamed),
    ("a_recording_is_asked_while_it_comes_through_a_pipe", asked_through_a_pipe),
    ("a_recording_is_followed_from_part_to_part_until_it_ends", followed),
    ("a_recording_ends_though_the_reader_of_its_stream_does_not_read", reader_that_stops),
    ("a_recording_ends_when_the_reader_of_its_stream_is_gone", reader_that_goes),
    ("a_recording_that_cannot_start_replaces_nothing", failed_start),
];

const NOBODY: u32 = 65534;

/// A directory such as /tmp, with a FIFO of nobody's in it.
fn plant(dir: &Path, name: &str) -> Result<(), Failed> {
    fs::set_permissions(dir, fs::Permissions::from_mode(0o1777))?;
    let fifo = dir.join(name);
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into())?;
    chown(&fifo, Some(NOBODY), Some(NOBODY))?;
    Ok(())
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn planted_fifo() -> Result<(), Failed> {
    let dir = scratch()?;
    plant(dir.path(), "c.trz")?;
    let file = dir.path().join("c.trz");
    // A reader, so that nothing would wait for one.
    let _reader = File::options().read(true).write(true).open(&file)?;
    for options in [&[][..], &["--force"], &["--stream"]] {
        let started = Instant::now();
        let mut arguments = vec!["record", "-o", path(&file)?, "--duration", "5s"];
        arguments.extend(options);
        let output = tracer(&arguments)?;
        let said = said(&output);
        same("exit code", output.status.code(), Some(2))?;
        ensure(said.contains("FIFO") || said.contains("belongs to another user"), || said.clone())?;
        ensure(started.elapsed() < Duration::from_secs(4), || "it recorded first".to_owned())?;
    }
    same("files", fs::read_dir(dir.path())?.count(), 1)
}

fn fifo_in_the_set() -> Result<(), Failed> {
    let dir = scratch()?;
    plant(dir.path(), "c.0000.trz.partial")?;
    let work = Loop::start(dir.path(), "find", "/usr/share/doc -xdev", "")?;
    let folder = dir.path().to_owned();
    // What is there before the start is refused, so it is planted as soon as the first part has its name.
    let planter = std::thread::spawn(move || {
        let started = Instant::now();
        while !folder.join("c.0000.trz").exists() && started.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(1));
        }
        plant(&folder, "c.0001.trz").is_ok()
    });
    let output =
        tracer(&["record", "-o", path(&dir.path().join("c.trz"))?, "--rotate", "1M", "--duration", "60s"])?;
    drop(work);
    ensure(planter.join().unwrap_or(false), || "nothing was planted".to_owned())?;
    same("exit code", output.status.code(), Some(2))?;
    ensure(said(&output).contains("c.0001.trz is a FIFO"), || said(&output))?;
    let first = dir.path().join("c.0000.trz");
    let info = info(&first)?;
    same("complete", info["complete"].as_bool(), Some(true))?;
    let causes: Vec<&str> =
        info["losses"].as_array().into_iter().flatten().filter_map(|loss| loss["cause"].as_str()).collect();
    ensure(causes.contains(&"output failed"), || format!("{info:#}"))
}

fn streamed() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let mut recorder = Command::new(TRACER)
        .args(["record", "-o", "-", "--", "sh", "-c", "echo for the people; ls /"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let pipe = recorder.stdout.take().ok_or("no pipe")?;
    let copy = Command::new("cat").stdin(pipe).stdout(File::create(&file)?).spawn()?;
    let output = recorder.wait_with_output()?;
    ensure(output.status.success(), || said(&output))?;
    same("exit code of cat", copy.wait_with_output()?.status.code(), Some(0))?;
    ensure(said(&output).contains("for the people"), || said(&output))?;
    same("complete", info(&file)?["complete"].as_bool(), Some(true))?;
    ensure(count(&file, &["-f", "comm=ls"])? > 10, || "ls is not in the stream".to_owned())?;
    same("exit code of verify", tracer(&["verify", path(&file)?])?.status.code(), Some(0))?;
    let rotated = tracer(&["record", "-o", "-", "--rotate", "1M"])?;
    same("exit code", rotated.status.code(), Some(2))?;
    ensure(said(&rotated).contains("name a file"), || said(&rotated))
}

/// The lines that a program prints: the first at once, and the others at the end.
fn lines_of(child: &mut Child, while_running: &mut Child) -> Result<(String, bool), Failed> {
    let mut out = BufReader::new(child.stdout.take().ok_or("no pipe")?);
    let mut lines = String::new();
    out.read_line(&mut lines)?;
    let is_early = while_running.try_wait()?.is_none();
    out.read_to_string(&mut lines)?;
    Ok((lines, is_early))
}

fn asked_through_a_pipe() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let mut recorder = Command::new(TRACER)
        .args(["record", "-o", "-", "--", "sh", "-c", "ls /; sleep 8; ls /"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let pipe = recorder.stdout.take().ok_or("no pipe")?;
    let mut tee = Command::new("tee").arg(&file).stdin(pipe).stdout(Stdio::piped()).spawn()?;
    let asked = ["-q", "-o", "json", "-f", "comm=ls"];
    let mut replay = Command::new(TRACER)
        .args([&["replay", "-"][..], &asked].concat())
        .stdin(tee.stdout.take().ok_or("no pipe")?)
        .stdout(Stdio::piped())
        .spawn()?;
    let (rows, is_early) = lines_of(&mut replay, &mut recorder)?;
    same("exit codes", [recorder.wait()?.code(), tee.wait()?.code(), replay.wait()?.code()], [Some(0); 3])?;
    ensure(is_early, || "the first row came after the recording had ended".to_owned())?;
    let whole = tracer(&[&["replay", path(&file)?][..], &asked].concat())?;
    ensure(rows.lines().count() > 20, || rows.clone())?;
    same("rows", rows, String::from_utf8_lossy(&whole.stdout).into_owned())
}

fn followed() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let mut recorder = Command::new(TRACER)
        .args(["record", "-o", path(&file)?, "--rotate", "2s", "--", "sh", "-c"])
        .arg("for i in 1 2 3 4 5 6 7 8; do ls /; sleep 1; done")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let first = dir.path().join("c.0000.trz");
    let started = Instant::now();
    while !first.exists() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let asked = ["-q", "-o", "json", "-f", "comm=ls"];
    let mut replay = Command::new(TRACER)
        .args([&["replay", "--follow", path(&first)?][..], &asked].concat())
        .stdout(Stdio::piped())
        .spawn()?;
    let (rows, is_early) = lines_of(&mut replay, &mut recorder)?;
    same("exit codes", [recorder.wait()?.code(), replay.wait()?.code()], [Some(0); 2])?;
    ensure(is_early, || "the first row came after the recording had ended".to_owned())?;
    let parts = fs::read_dir(dir.path())?.count();
    ensure(parts > 2, || format!("{parts} parts"))?;
    let whole = tracer(&[&["replay", path(dir.path())?][..], &asked].concat())?;
    same("rows", rows, String::from_utf8_lossy(&whole.stdout).into_owned())
}

/// Waits for the end, but not for ever.
fn ends_within(recorder: &mut Child, limit: Duration) -> Result<Option<i32>, Failed> {
    let started = Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = recorder.try_wait()? {
            return Ok(status.code());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    recorder.kill()?;
    Err(format!("it still ran after {limit:?}").into())
}

fn reader_that_stops() -> Result<(), Failed> {
    let dir = scratch()?;
    let fifo = dir.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, 0o600.into())?;
    let reader = File::options().read(true).write(true).open(&fifo)?;
    // As large as pipes become without asking for more, so that the beginning fits.
    rustix::pipe::fcntl_setpipe_size(&reader, 1 << 20)?;
    for signal in [Signal::TERM, Signal::INT] {
        let work = Loop::start(dir.path(), "find", "/usr/share/doc -xdev", "")?;
        // Rows wait for the hashes of what is executed, and then for room that never comes.
        let executes = Loop::start(dir.path(), "ls", "/", "")?;
        let mut recorder = Command::new(TRACER)
            .args(["record", "--stream", "-o", path(&fifo)?])
            .stderr(Stdio::null())
            .spawn()?;
        std::thread::sleep(Duration::from_secs(8));
        drop((work, executes));
        kill_process(Pid::from_child(&recorder), signal)?;
        same("exit code", ends_within(&mut recorder, Duration::from_secs(20))?, Some(2))?;
    }
    Ok(())
}

fn reader_that_goes() -> Result<(), Failed> {
    let mut recorder = Command::new(TRACER)
        .args(["record", "-o", "-", "--duration", "60s"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    drop(recorder.stdout.take());
    same("exit code", ends_within(&mut recorder, Duration::from_secs(40))?, Some(2))
}

fn failed_start() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    fs::write(&file, "an older capture")?;
    // Without its capabilities it cannot load.
    let status = Command::new("setpriv")
        .args(["--bounding-set=-all", "--inh-caps=-all", TRACER, "record", "--force", "-o", path(&file)?])
        .stderr(Stdio::null())
        .status()?;
    same("exit code", status.code(), Some(2))?;
    same("files", fs::read_dir(dir.path())?.count(), 1)?;
    same("what was there", fs::read(&file)?, b"an older capture".to_vec())?;
    wait_for(&file)
}
