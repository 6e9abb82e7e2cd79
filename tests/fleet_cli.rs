//! `tracer sql` and `tracer fleet` are another program: it is found, gets the words as they are, and is missed with a way to get it.
#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

fn tracer(path: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracer"))
        .args(arguments)
        .env("PATH", path)
        .output()
        .expect("tracer runs")
}

#[test]
fn the_other_program_gets_the_words_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("tracer-fleet");
    fs::write(&program, "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 3\n").expect("a script");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it can run");
    let path = folder.path().to_str().expect("UTF-8");
    for (given, got) in [
        (
            &["sql", "a.trz", "select 'x y'", "-o", "csv", "--help"][..],
            "sql\na.trz\nselect 'x y'\n-o\ncsv\n--help\n",
        ),
        (
            &["scan", "c.trz", "s3://b/d.trz", "--cluster", "h:1", "--fail-on", "high", "--rules", "r"],
            "scan\n--cluster\nh:1\n-o\ntable\n--fail-on\nhigh\n--rules\nr\n--\nc.trz\ns3://b/d.trz\n",
        ),
        (
            &[
                "scan",
                "c.trz",
                "--cluster",
                "h:1",
                "--tls-ca",
                "a.pem",
                "--tls-cert",
                "b.pem",
                "--tls-key",
                "c.key",
            ],
            "scan\n--cluster\nh:1\n-o\ntable\n--tls-ca\na.pem\n--tls-cert\nb.pem\n--tls-key\nc.key\n--\nc.trz\n",
        ),
        (&["fleet", "executor", "--scheduler", "h:1"], "executor\n--scheduler\nh:1\n"),
    ] {
        let output = tracer(path, given);
        assert_eq!(String::from_utf8_lossy(&output.stdout), got);
        assert_eq!(output.status.code(), Some(3), "{given:?}");
    }
}

#[test]
fn where_it_is_missing_one_line_says_how_to_get_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = tracer(folder.path().to_str().expect("UTF-8"), &["sql", "a.trz", "select 1"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains("tracer-fleet") && said.contains("cargo build --release") && said.contains("fleet/"),
        "{said}"
    );
}
