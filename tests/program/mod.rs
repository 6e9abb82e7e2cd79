//! The program as a user runs it, and captures for it of which every row is known.
#![allow(dead_code)] // each test uses its part

#[path = "../../replay/tests/synthetic/mod.rs"]
pub mod synthetic;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use events::{Context, Marks, Raw};
use synthetic::{Event, Made, process};

pub fn tracer(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracer")).args(arguments).output().expect("tracer runs")
}

/// What was printed; a run that fails is shown whole.
pub fn printed(arguments: &[&str]) -> String {
    let output = tracer(arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}\nstdout: {out}\nstderr: {err}", output.status);
    out.into_owned()
}

/// The same with a file on standard input.
pub fn printed_from(stdin: std::fs::File, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracer"));
    let output = command.args(arguments).stdin(stdin).output().expect("tracer runs");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}\nstdout: {out}\nstderr: {err}", output.status);
    out.into_owned()
}

/// A run that goes on, with its outputs.
pub fn started(arguments: &[&str]) -> std::process::Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tracer"));
    let piped = std::process::Stdio::piped;
    command.args(arguments).stdout(piped()).stderr(piped()).spawn().expect("tracer runs")
}

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    pub fn capture(&self, name: &str, made: Made) -> String {
        let path = self.0.path().join(name);
        made.save(&path);
        text(&path)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

pub fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

pub fn event<'a>(at: u64, name: &'a str, context: Context<'a>, args: &'a [(&'a str, Raw<'a>)]) -> Event<'a> {
    Event { at, name, context, ret: 0, scopes: 1, marks: Marks(0), args }
}

/// A shell that runs `id` and `ls`: fork, exec, opens and exit of each.
pub fn id_and_ls() -> Made {
    let mut made = Made::new();
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    made.sides.push(synthetic::snapshot(&[process(1, 0, 0, "init", "/sbin/init"), shell]));
    let mut at = 0;
    for (pid, comm, exe) in [(510, "id", "/usr/bin/id"), (511, "ls", "/usr/bin/ls")] {
        let child = process(pid, 500, 1000, comm, exe);
        at += 1_000_000;
        made.push(&event(at, "sched_process_fork", shell, &[]));
        let exec = [("cmdpath", Raw::Bytes(exe.as_bytes())), ("pathname", Raw::Bytes(exe.as_bytes()))];
        made.push(&event(at + 10_000, "sched_process_exec", child, &exec));
        let open = [
            ("dirfd", Raw::Number(-100i64 as u64)),
            ("pathname", Raw::Bytes(b"/etc/ld.so.cache")),
            ("flags", Raw::Number(0x8_0000)),
            ("mode", Raw::Number(0)),
        ];
        made.push(&Event { ret: 3, ..event(at + 20_000, "openat", child, &open) });
        let exit = [("exit_code", Raw::Number(0)), ("process_group_exit", Raw::Number(1))];
        made.push(&event(at + 30_000, "sched_process_exit", child, &exit));
    }
    made
}

/// What is said on stderr.
pub fn said(arguments: &[&str]) -> String {
    String::from_utf8_lossy(&tracer(arguments).stderr).into_owned()
}
