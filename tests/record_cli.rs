//! `tracer record` before anything is recorded: what it refuses and how it says so. Needs no root.

use std::{
    fs,
    process::{Command, Output},
};

fn record(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracer")).arg("record").args(arguments).output().expect("tracer runs")
}

/// The exit code and what was said on stderr.
fn refused(arguments: &[&str]) -> String {
    let output = record(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "record {arguments:?} said: {said}");
    assert!(output.stdout.is_empty());
    said
}

#[test]
fn a_capture_that_is_there_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("c.trz");
    fs::write(&path, "precious").expect("a file");
    let said = refused(&["-o", path.to_str().expect("UTF-8"), "--", "true"]);
    assert!(said.contains("c.trz is there already") && said.contains("--force"), "{said}");
    assert_eq!(fs::read(&path).expect("the file"), b"precious");
}

#[test]
fn an_unknown_event_is_named_with_the_nearest_one() {
    let said = refused(&["-o", "/nonexistent/c.trz", "--events", "opneat"]);
    assert!(said.contains("no event or set \"opneat\"; did you mean \"openat\"?"), "{said}");
}

#[test]
fn amounts_that_do_not_read_are_refused_with_an_example() {
    assert!(refused(&["--duration", "soon"]).contains("such as 10s"));
    assert!(refused(&["--max-size", "much"]).contains("such as 100M"));
    assert!(refused(&["--rotate", "often"]).contains("neither a size (100M) nor a time (10m)"));
}

#[test]
fn options_that_need_each_other_say_so() {
    assert!(refused(&["--keep", "3"]).contains("--rotate"));
    assert!(refused(&["--trigger", "comm=ls"]).contains("--flight"));
    assert!(refused(&["--rotate", "10M", "--flight", "60s"]).contains("cannot be used with"));
    assert!(refused(&["-o", "/nonexistent/c.trz", "--only-matched"]).contains("-f or -p"));
}
