//! `tracer replay` as people like it: columns, templates, compact JSON, rows around a moment, losses, terminals.

mod program;

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::{Command, Stdio};

use events::Raw;
use format::{Loss, Side, User};
use program::{Folder, event, id_and_ls, printed, said, synthetic, tracer};
use synthetic::{BOOT, Made, process};

fn capture(folder: &Folder) -> String {
    folder.capture("id-ls.trz", id_and_ls())
}

#[test]
fn chosen_columns_are_shown_in_their_order() {
    let folder = Folder::new();
    let file = capture(&folder);
    let columns = |list: &str| printed(&["replay", &file, "--utc", "--columns", list, "--limit", "3"]);
    insta::assert_snapshot!("columns_chosen", columns("time,host,comm,event,args"));
    insta::assert_snapshot!("columns_changed", columns("+exe,-uid"));
    insta::assert_snapshot!("columns_ancestors", columns("time,comm,parent,ancestors,openat.pathname"));
}

#[test]
fn the_usual_columns_by_name_give_the_usual_table() {
    let folder = Folder::new();
    let file = folder.capture("busy.trz", synthetic::busy(20_000, 1000));
    for (format, columns) in [
        ("table", "time,uid,comm,pid,tid,ret,event,args"),
        ("table-verbose", "time,scopes,uts,container,mnt_ns,pid_ns,uid,comm,pid,tid,ppid,ret,event,args"),
    ] {
        let usual = printed(&["replay", &file, "--utc", "-o", format]);
        let named = printed(&["replay", &file, "--utc", "-o", format, "--columns", columns]);
        assert!(usual == named, "{format} differs from its columns");
    }
}

#[test]
fn names_of_users_are_those_of_the_recorded_host() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.sides.push(Side::Users(vec![User { host: 0, uid: 1000, name: "alice".into() }]));
    for uid in [1000, 7] {
        made.push(&event(1, "close", process(500, 1, uid, "bash", "/usr/bin/bash"), &[]));
    }
    let file = folder.capture("users.trz", made);
    assert_eq!(printed(&["replay", &file, "--template", "{user}"]), "alice\n7\n");
}

#[test]
fn a_template_makes_a_line_of_each_event() {
    let folder = Folder::new();
    let file = capture(&folder);
    let template = "{relative}";
    assert!(said(&["replay", &file, "--template", template]).contains("no column \"relative\""));
    let lines = printed(&["replay", &file, "--utc", "--template", "{time} {comm} {openat.pathname}"]);
    insta::assert_snapshot!("template", lines);
}

#[test]
fn compact_json_has_the_chosen_fields_with_their_types() {
    let folder = Folder::new();
    let file = capture(&folder);
    let fields = "time,comm,pid,ret,openat.pathname,args";
    let lines = printed(&["replay", &file, "--fields", fields, "-f", "event=openat"]);
    assert_eq!(
        lines.lines().next(),
        Some(
            r#"{"time":1668542955042943000,"comm":"id","pid":510,"ret":3,"openat.pathname":"/etc/ld.so.cache","args":{"dirfd":-100,"pathname":"/etc/ld.so.cache","flags":524288,"mode":0,"created":null}}"#
        )
    );
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).expect("JSON");
    }
    let strings = printed(&["replay", &file, "--fields", "time,ret", "--string-numbers", "--limit", "1"]);
    assert_eq!(strings, "{\"time\":\"1668542955042923000\",\"ret\":0}\n");
}

#[test]
fn every_line_of_json_has_what_traceeshark_looks_for() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.sides.push(synthetic::container());
    let host = process(500, 1, 0, "bash", "/usr/bin/bash");
    let inside = events::Context { cgroup_id: synthetic::CONTAINER_CGROUP, ..host };
    made.push(&event(10, "close", inside, &[]));
    made.push(&event(11, "close", host, &[]));
    let file = folder.capture("container.trz", made);
    let lines = printed(&["replay", &file, "-o", "json"]);
    let objects: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(lines.lines().all(|line| line.starts_with("{\"timestamp\":")));
    let container =
        serde_json::json!({"id": synthetic::CONTAINER_ID, "name": "pinger", "image": "alpine:3.20"});
    assert_eq!((&objects[0]["container"], &objects[0]["kubernetes"]), (&container, &serde_json::json!({})));
    assert_eq!(
        (&objects[1]["container"], &objects[1]["kubernetes"]),
        (&serde_json::json!({}), &serde_json::json!({}))
    );
}

/// Closes of descriptors 0 to 99, one a second.
fn seconds() -> Made {
    let mut made = Made::new();
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    for second in 0..100 {
        made.push(&event(second * 1_000_000_000, "close", shell, &[("fd", Raw::Number(second))]));
    }
    made
}

fn descriptors(arguments: &[&str]) -> Vec<u64> {
    let mut all = vec!["replay"];
    all.extend(arguments);
    all.extend(["--template", "{close.fd}"]);
    printed(&all).lines().map(|line| line.parse().expect("a number")).collect()
}

#[test]
fn rows_around_a_moment_are_as_many_as_were_asked_for() {
    let folder = Folder::new();
    let file = folder.capture("seconds.trz", seconds());
    assert_eq!(descriptors(&[&file, "--around", "#51", "-C", "2"]), [48, 49, 50, 51, 52]);
    assert_eq!(descriptors(&[&file, "--around", "+50s", "-C", "0"]), [50]);
    assert_eq!(descriptors(&[&file, "--around", "+1s", "-C", "3"]), [0, 1, 2, 3, 4]);
    assert_eq!(descriptors(&[&file, "--around", "-1s", "-C", "2"]), [96, 97, 98, 99]);
    // Rows that match, and not those between them.
    let even = ["-f", "close.fd=10,20,30,40,50,60,70", "--around", "#51", "-C", "1"];
    assert_eq!(descriptors(&[&[file.as_str()][..], &even].concat()), [40, 50, 60]);
    let range = ["--around", "#51", "-C", "5", "--from", "+49s", "--to", "+52s"];
    assert_eq!(descriptors(&[&[file.as_str()][..], &range].concat()), [49, 50, 51]);
}

#[test]
fn losses_are_rows_where_they_were() {
    let folder = Folder::new();
    let mut made = seconds();
    let loss = |from: u64, to: u64, cpu, count| Loss {
        host: 0,
        from_ns: BOOT + from * 1_000_000_000 + 1,
        to_ns: BOOT + to * 1_000_000_000,
        cpu,
        event: None,
        count,
        cause: "buffer full".into(),
    };
    made.sides.push(Side::Losses(vec![loss(98, 99, Some(3), 1204), loss(1, 2, None, 1)]));
    let file = folder.capture("lost.trz", made);
    let lost = |more: &[&str]| {
        let arguments = ["replay", &file, "--utc", "--losses", "--quiet"];
        printed(&[&arguments[..], more].concat())
    };
    insta::assert_snapshot!("losses", lost(&["--columns", "time,event,args", "--limit", "4"]));
    assert_eq!(lost(&[]).lines().filter(|line| line.contains(" -- ")).count(), 2);
    insta::assert_snapshot!(
        "losses_around",
        lost(&["--template", "{time} {close.fd}", "--around", "#99", "-C", "1"])
    );
    insta::assert_snapshot!("losses_json", lost(&["--fields", "close.fd", "--from", "+98s"]));
}

/// What a terminal of this width is sent.
fn on_terminal(columns: u16, arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let size = libc::winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    let (mut master, mut slave) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: both numbers are valid for writes, and the size lives as long as the call.
    let done = unsafe { libc::openpty(&mut master, &mut slave, null, null.cast(), &size) };
    assert_eq!(done, 0, "no terminal: {}", std::io::Error::last_os_error());
    // SAFETY: the call above made them, and nobody else has them.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    assert!(slave.as_raw_fd() >= 0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_tracer"))
        .args(arguments)
        .env_remove("NO_COLOR")
        .env("TERM", "xterm")
        .env("TRACER_PAGER", "")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::from(slave))
        .stderr(Stdio::null())
        .spawn()
        .expect("tracer runs");
    let mut bytes = Vec::new();
    // A terminal whose other side is gone gives an error in place of an end.
    let _ = File::from(master).read_to_end(&mut bytes);
    child.wait().expect("tracer ends");
    String::from_utf8(bytes).expect("UTF-8").replace("\r\n", "\n")
}

/// The text without colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("\x1b[") {
        plain.push_str(before);
        rest = behind.split_once('m').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

#[test]
fn no_line_is_wider_than_the_terminal_unless_it_may_be() {
    let folder = Folder::new();
    let file = capture(&folder);
    for format in ["table", "table-verbose"] {
        let shown = plain(&on_terminal(80, &["replay", &file, "--utc", "-o", format], &[]));
        assert_eq!(shown.lines().count(), 9);
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
        assert!(shown.contains('…'));
        let wide = plain(&on_terminal(80, &["replay", &file, "--utc", "-o", format, "--wide"], &[]));
        assert_eq!(wide, printed(&["replay", &file, "--utc", "-o", format]));
    }
}

#[test]
fn colours_are_for_terminals_that_want_them() {
    let folder = Folder::new();
    let file = capture(&folder);
    let arguments = ["replay", &file, "--utc"];
    assert!(on_terminal(200, &arguments, &[]).contains("\x1b[32msched_process_exec\x1b[0m"));
    assert!(!on_terminal(80, &arguments, &[("NO_COLOR", "1")]).contains('\x1b'));
    assert!(!on_terminal(80, &["replay", &file, "--color", "never"], &[]).contains('\x1b'));
    assert!(!printed(&arguments).contains('\x1b'));
    let always = printed(&["replay", &file, "--utc", "--color", "always"]);
    assert!(always.contains('\x1b'));
    assert_eq!(plain(&always), printed(&arguments));
}

#[test]
fn a_pager_stands_between_an_answer_and_a_terminal() {
    let folder = Folder::new();
    let file = capture(&folder);
    let paged = [("TRACER_PAGER", "sed 's/^/> /'"), ("NO_COLOR", "1")];
    let shown = on_terminal(200, &["replay", &file, "--utc"], &paged);
    assert!(shown.lines().count() == 9 && shown.lines().all(|line| line.starts_with("> ")), "{shown}");
    let shown = on_terminal(200, &["replay", &file, "--utc", "--no-pager"], &paged);
    assert!(!shown.contains("> "), "{shown}");
    // A pager that has seen enough ends it quietly.
    let shown =
        on_terminal(200, &["replay", &file, "--utc"], &[("TRACER_PAGER", "head -1"), ("NO_COLOR", "1")]);
    assert_eq!(shown.lines().count(), 1, "{shown}");
    assert_eq!(tracer(&["replay", &file]).status.code(), Some(0));
}
