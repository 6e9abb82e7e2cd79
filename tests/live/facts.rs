//! What a capture says of directories, sessions, groups, terminals and logins, against what /proc and `ps` say of the same
//! processes: of those that were there when the recording began, and after changes.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use libtest_mimic::Failed;
use serde_json::Value;

use crate::Test;
use crate::host::{TRACER, ensure, path, same, scratch, tracer_ok, wait_for};

pub const TESTS: &[Test] = &[
    (
        "directories_sessions_terminals_and_logins_are_those_of_proc_at_the_start_and_after_changes",
        as_proc_has_them,
    ),
    ("later_parts_of_a_set_carry_on_what_processes_were", over_parts),
];

/// A shell that does a line that it is given, and says when it is done.
struct Shell {
    child: Child,
    give: ChildStdin,
    told: BufReader<ChildStdout>,
    /// What it has started.
    started: Vec<u32>,
}

impl Shell {
    fn start() -> Result<Shell, Failed> {
        let mut bash = Command::new("bash");
        bash.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = bash.process_group(0).spawn()?;
        let give = child.stdin.take().ok_or("no input")?;
        let told = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Shell { child, give, told, started: Vec::new() })
    }

    /// Does it, and returns the pids that it tells.
    fn does(&mut self, line: &str) -> Result<Vec<u32>, Failed> {
        writeln!(self.give, "{line}; echo done")?;
        let mut pids = Vec::new();
        loop {
            let mut said = String::new();
            ensure(self.told.read_line(&mut said)? > 0, || format!("the shell ended at {line}"))?;
            match said.trim() {
                "done" => return Ok(pids),
                pid => {
                    pids.push(pid.parse()?);
                    self.started.extend(pids.last());
                }
            }
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        for pid in self.started.iter().filter_map(|pid| rustix::process::Pid::from_raw(*pid as i32)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `cwd session pgrp tty loginuid` of a process, by the host.
fn by_host(pid: u32) -> Result<[String; 5], Failed> {
    let directory = std::fs::read_link(format!("/proc/{pid}/cwd"))?.display().to_string();
    let login = std::fs::read_to_string(format!("/proc/{pid}/loginuid"))?.trim().to_owned();
    let ps = Command::new("ps").args(["-o", "sid=,pgid=,tty=", "-p", &pid.to_string()]).output()?;
    let ps = String::from_utf8(ps.stdout)?;
    let fields: Vec<&str> = ps.split_whitespace().collect();
    let [session, group, terminal] = fields.as_slice() else { return Err(format!("{pid}: {ps:?}").into()) };
    let terminal = if *terminal == "?" { "" } else { terminal };
    Ok([directory.as_str(), session, group, terminal, &login].map(str::to_owned))
}

/// The same by a capture.
fn by_capture(files: &[&str], at: Option<&str>) -> Result<BTreeMap<u32, [String; 5]>, Failed> {
    let moment: Vec<&str> = at.map(|at| vec!["--at", at]).unwrap_or_default();
    let text = tracer_ok(&[&["ps", "-o", "json"], files, &moment].concat())?;
    let of = |line: &str| -> Result<(u32, [String; 5]), Failed> {
        let it: Value = serde_json::from_str(line)?;
        let said = |name: &str| match &it[name] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Ok((it["pid"].to_string().parse()?, ["cwd", "session", "pgrp", "tty", "loginuid"].map(said)))
    };
    text.lines().map(of).collect()
}

fn now() -> Result<String, Failed> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos().to_string())
}

/// A recorder that does not outlive its test.
struct Recorder(Child);

impl Recorder {
    fn stop(mut self) -> Result<(), Failed> {
        std::thread::sleep(Duration::from_millis(300));
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
        same("exit code of the recorder", self.0.wait()?.code(), Some(0))
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What processes do: directories, sessions, groups, terminals.
const STEPS: [&str; 6] = [
    "cd /tmp; sleep 600 & echo $!",
    "setsid sleep 601 & sleep 0.3; pgrep -xf 'sleep 601'",
    "set -m; (cd /var; exec sleep 602) & echo $!; set +m",
    "script -qc 'sleep 603' /dev/null </dev/null >/dev/null 2>&1 & sleep 0.5; pgrep -xf 'sleep 603'",
    "(cd /; exec bash -c 'cd /usr/lib; sleep 604 & echo $!; disown')",
    "mkdir -p /tmp/tracer-gone; (cd /tmp/tracer-gone; exec sleep 605) & echo $!",
];

fn as_proc_has_them() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("c.trz");
    let mut before = Shell::start()?;
    let mut pids = vec![before.child.id(), std::process::id()];
    for step in STEPS {
        pids.extend(before.does(step)?);
    }
    let recorder = Recorder(Command::new(TRACER).args(["record", "-o", path(&file)?]).spawn()?);
    wait_for(&file)?;
    std::thread::sleep(Duration::from_millis(500));
    let start = now()?;
    let at_start: Vec<_> = pids.iter().map(|pid| by_host(*pid)).collect::<Result<_, _>>()?;
    // The one of before goes on, and another begins; what it was at the start stays what it was.
    let mut later = pids.clone();
    before.does("cd /usr")?;
    let mut during = Shell::start()?;
    later.push(during.child.id());
    for step in STEPS {
        later.extend(during.does(&step.replace(" 60", " 61"))?);
    }
    std::thread::sleep(Duration::from_millis(300));
    let end = now()?;
    let at_end: Vec<_> = later.iter().map(|pid| by_host(*pid)).collect::<Result<_, _>>()?;
    recorder.stop()?;
    let capture = path(&file)?;
    for (moment, pids, host) in [(&start, &pids, &at_start), (&end, &later, &at_end)] {
        let told = by_capture(&[capture], Some(moment))?;
        ensure(pids.len() >= 8, || format!("{pids:?}"))?;
        for (pid, host) in pids.iter().zip(host) {
            same(&format!("{pid} of {pids:?} at {moment}"), told.get(pid), Some(host))?;
        }
    }
    let terminals = at_end.iter().filter(|it| it[3].starts_with("pts/")).count();
    ensure(terminals >= 2, || format!("two have a terminal of their own: {at_end:?}"))
}

fn over_parts() -> Result<(), Failed> {
    let dir = scratch()?;
    let set = dir.path().join("s.trz");
    let recorder = Recorder(
        Command::new(TRACER)
            .args(["record", "-o", path(&set)?, "--rotate", "1s", "--keep", "100"])
            .spawn()?,
    );
    std::thread::sleep(Duration::from_secs(1));
    let mut shell = Shell::start()?;
    let mut pids = vec![shell.child.id()];
    for step in STEPS {
        pids.extend(shell.does(&step.replace(" 60", " 62"))?);
    }
    // Several parts later nothing has changed, and only the last one is asked.
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(700));
        shell.does("true")?;
    }
    let host: Vec<_> = pids.iter().map(|pid| by_host(*pid)).collect::<Result<_, _>>()?;
    recorder.stop()?;
    let mut parts: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(dir.path())? {
        parts.push(path(&entry?.path())?.to_owned());
    }
    parts.sort();
    ensure(parts.len() >= 2, || format!("{parts:?}"))?;
    let last = parts.last().ok_or("no part")?;
    let told = by_capture(&[last], None)?;
    for (pid, host) in pids.iter().zip(&host) {
        same(&format!("{pid} of {pids:?} in {last}"), told.get(pid), Some(host))?;
    }
    Ok(())
}
