//! `tracer explain` and `tracer diff` as a user meets them.
#![allow(clippy::print_stderr)] // a failing command shows what it said

#[path = "../replay/tests/synthetic/mod.rs"]
mod synthetic;

use std::process::Command;

use events::{Marks, Raw};
use synthetic::{Event, Made, process};

/// Exit code and stdout; stderr is printed where it says anything.
fn tracer(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tracer")).args(arguments).output().expect("tracer runs");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `ls` and `id` open a file each, `id` in vain.
fn capture(folder: &tempfile::TempDir) -> String {
    let mut made = Made::new();
    for (at, pid, comm, path, ret) in
        [(1_000, 510, "ls", "/etc/ld.so.cache", 3), (2_000, 511, "id", "/tmp/x", -2)]
    {
        let args = [
            ("dirfd", Raw::Number(-100i64 as u64)),
            ("pathname", Raw::Bytes(path.as_bytes())),
            ("flags", Raw::Number(0)),
            ("mode", Raw::Number(0)),
        ];
        let context = process(pid, 500, 1000, comm, "/usr/bin/x");
        made.push(&Event { at, name: "openat", context, ret, scopes: 1, marks: Marks(0), args: &args });
        let exit = [("exit_code", Raw::Number(0)), ("process_group_exit", Raw::Number(1))];
        let event = Event {
            at: at + 10,
            name: "sched_process_exit",
            context,
            ret: 0,
            scopes: 1,
            marks: Marks(0),
            args: &exit,
        };
        made.push(&event);
    }
    let path = folder.path().join("c.trz");
    made.save(&path);
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn each_filter_says_what_it_saw_of_an_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = capture(&folder);
    let filters =
        ["-f", "9:comm=ls", "-f", "9:openat.pathname=/tmp/*", "-f", "3:openat.retval<0", "-f", "3:uid>0"];
    let (code, told) = tracer(&[&["explain", &file, "--event", "3", "--utc"], &filters[..]].concat());
    assert_eq!(code, 0);
    assert!(told.starts_with("event 3\n"), "{told}");
    let (_, named) = tracer(&[
        "explain",
        &file,
        "-f",
        "file=/tmp/*,/etc/*",
        "-f",
        "2:file=/etc/*",
        "--event",
        "3",
        "--utc",
    ]);
    assert!(named.contains("file=/tmp/*,/etc/*  matched         saw pathname /tmp/x"), "{named}");
    assert!(named.contains("file=/etc/*  did not match   saw pathname /tmp/x"), "{named}");
    let lines: Vec<String> =
        told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "scope 3: matched",
        "uid>0 matched saw 1000",
        "openat.retval<0 matched saw -2 (ENOENT)",
        "scope 9: did not match",
        "comm=ls did not match saw id",
        "openat.pathname=/tmp/* matched saw /tmp/x",
    ] {
        assert!(lines.iter().any(|known| known == line), "no {line:?} in\n{told}");
    }
    let (_, by_time) = tracer(
        &[&["explain", &file, "--at", &(synthetic::WALL + 1_005).to_string(), "--utc"], &filters[..]]
            .concat(),
    );
    assert!(by_time.starts_with("event 2\n"), "{by_time}");
    // As a table shows it.
    let (_, by_table) =
        tracer(&[&["explain", &file, "--at", "20:09:15:041924", "--utc"], &filters[..]].concat());
    assert!(by_table.starts_with("event 1\n"), "{by_table}");
    assert_eq!(tracer(&[&["explain", &file, "--at", "noon"], &filters[..]].concat()).0, 2);
    assert_eq!(tracer(&[&["explain", &file, "--event", "99"], &filters[..]].concat()).0, 2);
}

#[test]
fn an_empty_scope_says_which_filter_removed_how_many_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = capture(&folder);
    let (code, told) =
        tracer(&["explain", &file, "-f", "9:event=openat", "-f", "9:comm=ls", "-f", "9:openat.retval<0"]);
    let lines: Vec<String> =
        told.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        (code, lines),
        (
            0,
            vec![
                "scope 9: matches none of 4 events".to_owned(),
                "event=openat removed 2, 2 left".to_owned(),
                "comm=ls removed 1, 1 left".to_owned(),
                "openat.retval<0 removed 1, 0 left".to_owned(),
            ]
        )
    );
}

#[test]
fn a_difference_is_counted_shown_and_told_by_the_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = capture(&folder);
    let before = "-f 9:comm=ls -f 2:event=openat";
    let (code, told) =
        tracer(&["diff", &file, "--before", before, "--after", "-f 9:comm=id -f 2:event=openat"]);
    assert_eq!(code, 1);
    assert!(told.starts_with("scope 2: +0 -0 =2\nscope 9: +2 -2 =0\n"), "{told}");
    let signs: Vec<&str> =
        told.lines().filter_map(|line| line.get(..3)).filter(|line| line.starts_with(['+', '-'])).collect();
    assert_eq!(signs, ["- 9", "- 9", "+ 9", "+ 9"]);
    let (code, told) = tracer(&["diff", &file, "--before", before, "--after", before]);
    assert_eq!((code, told.as_str()), (0, "scope 2: +0 -0 =2\nscope 9: +0 -0 =2\n"));
    assert_eq!(tracer(&["diff", &file, "--before", before, "--after", "-f com=x"]).0, 2);
    // A limit leaves the counts as they are.
    let (code, told) = tracer(&[
        "diff",
        &file,
        "--before",
        before,
        "--after",
        "-f 9:comm=id -f 2:event=openat",
        "--limit",
        "1",
    ]);
    assert!(code == 1 && told.starts_with("scope 2: +0 -0 =2\nscope 9: +2 -2 =0\n"), "{told}");
    assert_eq!(told.lines().filter(|line| line.starts_with(['+', '-'])).count(), 1);
}

#[test]
fn a_side_of_a_difference_may_be_a_policy_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = capture(&folder);
    let policy = folder.path().join("p.yaml");
    std::fs::write(&policy, "type: policy\nname: opens\nscope: [global]\nrules: [{event: openat}]\n")
        .expect("a file");
    let (code, told) = tracer(&[
        "diff",
        &file,
        "--before",
        policy.to_str().expect("UTF-8"),
        "--after",
        "-f comm=ls",
        "--count",
    ]);
    assert_eq!(
        (code, told.as_str()),
        (1, "scope 1 (opens): +0 -2 =0  (only before)\nscope 1: +2 -0 =0  (only after)\n")
    );
}
