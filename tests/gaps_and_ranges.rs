//! Damaged blocks, stretches of time, hosts: what a user of `replay` meets beside rows.

#[path = "../replay/tests/synthetic/mod.rs"]
mod synthetic;

use std::path::Path;
use std::process::{Command, Output};

use events::{Marks, Raw};
use format::Capture;
use synthetic::{Event, Made, process};

fn tracer(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracer")).args(arguments).output().expect("tracer runs")
}

/// Exit code, lines on stdout, stderr.
fn told(arguments: &[&str]) -> (i32, Vec<String>, String) {
    let output = tracer(arguments);
    let lines = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
    (output.status.code().unwrap_or(-1), lines, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Forty opens, one a second, ten a block.
fn made(host: &str) -> Made {
    let mut made = Made::new();
    made.rows_per_block = 10;
    made.header.host.hostname = host.into();
    made.header.host.boot_id = format!("boot of {host}");
    for second in 0..40 {
        let args = &[("pathname", Raw::Bytes(b"/x"))];
        let context = process(7, 1, 0, "sh", "/bin/sh");
        let at = second * 1_000_000_000;
        made.push(&Event { at, name: "openat", context, ret: 3, scopes: 1, marks: Marks(0), args });
    }
    made
}

fn name(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn a_damaged_block_is_told_and_the_others_are_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("c.trz");
    let mut bytes = made("web1").bytes();
    let capture = Capture::from_bytes(bytes.clone()).expect("a capture");
    let block = &capture.blocks()[2];
    let last = usize::try_from(block.offset + block.bytes).expect("a small file") - 12;
    bytes[last] ^= 0x55;
    std::fs::write(&path, bytes).expect("a file");
    for arguments in [&["-o", "json"][..], &["-o", "json", "-f", "uid=0", "--threads", "3"]] {
        let (code, lines, err) = told(&[&["replay", name(&path)], arguments].concat());
        assert_eq!((code, lines.len()), (2, 30), "{err}");
        assert!(err.contains("block 2 cannot be read (10 rows, "), "{err}");
    }
    let (code, lines, _) = told(&["replay", name(&path), "--strict", "-o", "json"]);
    assert!(code == 2 && lines.len() <= 20, "{lines:?}");
    let cut = folder.path().join("cut.trz");
    for (arguments, first) in [
        (&["explain", name(&path), "-f", "uid=0"][..], "scope 1: matches 30 of 30 events"),
        (&["diff", name(&path), "--before", "-f uid=0", "--after", "-f uid=1"], "scope 1: +0 -30 =0"),
        (&["cut", name(&path), "-o", name(&cut), "-f", "uid=0"], ""),
    ] {
        let (code, lines, err) = told(arguments);
        assert_eq!((code, lines.first().map_or("", String::as_str)), (2, first), "{err}");
        assert_eq!(err.matches("block 2 cannot be read (10 rows, ").count(), 1, "{err}");
        let (code, lines, err) = told(&[arguments, &["--strict"]].concat());
        assert!(code == 2 && lines.is_empty() && err.contains("block 2"), "{lines:?} {err}");
    }
    let (code, lines, err) = told(&["replay", name(&cut), "-o", "json"]);
    assert_eq!((code, lines.len()), (0, 30), "{err}");
}

#[test]
fn a_stretch_of_time_is_asked_in_every_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("c.trz");
    made("web1").save(&path);
    for (range, rows) in [
        (&["--from", "+10s"][..], 30),
        (&["--to", "+10s"], 10),
        (&["--from", "+5s", "--to", "+15s"], 10),
        (&["--from", "-9s"], 10),
        (&["--from", "#11", "--to", "#21"], 10),
        (&["--from", "2022-11-15T20:09:25.041923Z", "--to", "20:09:26:041923"], 1),
        (&["--from", "+1h"], 0),
    ] {
        let arguments = [&["replay", name(&path), "--utc", "-o", "json"], range].concat();
        let (code, lines, err) = told(&arguments);
        assert_eq!((code, lines.len()), (0, rows), "{range:?}: {err}");
        let (_, count, _) = told(&[&["replay", name(&path), "--utc", "--count"], range].concat());
        assert_eq!(count, [rows.to_string()], "{range:?}");
    }
    let (_, _, stats) = told(&["replay", name(&path), "--count", "--stats", "--to", "+9.5s"]);
    assert!(stats.contains("10 rows in 1 blocks read, 30 rows in 3 blocks ("), "{stats}");
    let (code, _, err) = told(&["replay", name(&path), "--from", "#99"]);
    assert!(code == 2 && err.contains("there is no event 99"), "{err}");
}

#[test]
fn every_row_says_its_host() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, two] = ["web1", "web2"].map(|host| {
        let path = folder.path().join(format!("{host}.trz"));
        made(host).save(&path);
        path
    });
    let (_, lines, err) = told(&["replay", name(&one), name(&two), "-o", "json"]);
    for host in ["web1", "web2"] {
        let of_host = lines.iter().filter(|line| line.contains(&format!("\"host\":\"{host}\"")));
        assert_eq!(of_host.count(), 40, "{err}");
    }
    let (_, table, _) = told(&["replay", name(&one), name(&two), "-o", "table-verbose"]);
    assert!(table[0].contains(" HOST ") && table[1].contains(" web1 "), "{table:?}");
    let (_, alone, _) = told(&["replay", name(&one), "-o", "table-verbose"]);
    assert!(!alone[0].contains(" HOST "));
}
