//! `tracer replay` and `tracer info` as a user meets them, over captures of which every row is known.

#[path = "../replay/tests/synthetic/mod.rs"]
mod synthetic;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use events::{Context, Marks, Raw};
use synthetic::{Event, Made, busy, process};

fn tracer(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracer")).args(arguments).output().expect("tracer runs")
}

/// What was printed; a run that fails is shown whole.
fn printed(arguments: &[&str]) -> String {
    let output = tracer(arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{arguments:?}: {}\nstdout: {out}\nstderr: {err}", output.status);
    out.into_owned()
}

/// The rows of a table, without its header.
fn rows(table: &str) -> Vec<&str> {
    table.lines().skip(1).collect()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    fn capture(&self, name: &str, made: Made) -> String {
        let path = self.0.path().join(name);
        made.save(&path);
        text(&path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("UTF-8").to_owned()
}

fn event<'a>(at: u64, name: &'a str, context: Context<'a>, args: &'a [(&'a str, Raw<'a>)]) -> Event<'a> {
    Event { at, name, context, ret: 0, scopes: 1, marks: Marks(0), args }
}

/// A shell that runs `id` and `ls`: fork, exec, opens and exit of each.
fn id_and_ls() -> Made {
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

#[test]
fn the_count_is_a_number_and_nothing_else() {
    let folder = Folder::new();
    let file = folder.capture("busy.trz", busy(50_000));
    assert_eq!(printed(&["replay", &file, "--count"]), "50000\n");
    assert_eq!(printed(&["replay", &file, "--count", "--limit", "7"]), "7\n");
}

#[test]
fn the_answer_is_the_same_whatever_the_number_of_threads() {
    let folder = Folder::new();
    let mut made = busy(60_000);
    made.rows_per_block = 1000;
    let file = folder.capture("busy.trz", made);
    for format in ["json", "table-verbose"] {
        let one = printed(&["replay", &file, "--utc", "--threads", "1", "-o", format]);
        assert!(one.lines().count() >= 60_000);
        for threads in ["2", "5"] {
            let many = printed(&["replay", &file, "--utc", "--threads", threads, "-o", format]);
            assert!(one == many, "{format} with {threads} threads differs from one thread");
        }
    }
}

#[test]
fn a_limit_gives_the_first_events_in_order_of_time() {
    let folder = Folder::new();
    let file = folder.capture("busy.trz", busy(40_000));
    let all = printed(&["replay", &file, "--utc"]);
    let some = printed(&["replay", &file, "--utc", "--limit", "20000"]);
    assert_eq!(some.lines().count(), 20_001);
    assert!(all.starts_with(&some));
    let times: Vec<&str> = rows(&all).iter().filter_map(|row| row.get(..15)).collect();
    assert!(times.is_sorted());
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_quietly() {
    let folder = Folder::new();
    let file = folder.capture("busy.trz", busy(100_000));
    for format in ["json", "table"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tracer"))
            .args(["replay", &file, "-o", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tracer runs");
        let mut first = [0; 100];
        child.stdout.take().expect("a pipe").read_exact(&mut first).expect("some output");
        let output = child.wait_with_output().expect("tracer ends");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn several_outputs_are_written_at_once() {
    let folder = Folder::new();
    let file = folder.capture("id-ls.trz", id_and_ls());
    let json = text(&folder.path("out.json"));
    let table = printed(&["replay", &file, "--utc", "-o", "table", "-o", &format!("json:{json}")]);
    let json = std::fs::read_to_string(json).expect("the file");
    assert_eq!(rows(&table).len(), 8);
    assert_eq!(json.lines().count(), 8);
    assert_eq!(json, printed(&["replay", &file, "-o", "format:json"]));
}

#[test]
fn verbose_tables_and_json_are_as_in_the_reference() {
    let folder = Folder::new();
    let file = folder.capture("id-ls.trz", id_and_ls());
    insta::assert_snapshot!(
        "replay_table_verbose",
        printed(&["replay", &file, "--utc", "-o", "table-verbose"])
    );
    insta::assert_snapshot!("replay_table_relative", printed(&["replay", &file, "--relative"]));
    insta::assert_snapshot!("replay_json", printed(&["replay", &file, "-o", "json"]));
}

#[test]
fn an_exit_code_says_that_nothing_matched_when_asked() {
    let folder = Folder::new();
    let empty = folder.capture("empty.trz", Made::new());
    let file = folder.capture("id-ls.trz", id_and_ls());
    assert_eq!(tracer(&["replay", &empty, "--exit-code"]).status.code(), Some(1));
    assert_eq!(tracer(&["replay", &empty]).status.code(), Some(0));
    assert_eq!(tracer(&["replay", &file, "--exit-code", "--count"]).status.code(), Some(0));
}

#[test]
fn a_file_that_is_no_capture_is_named_with_the_reason() {
    let folder = Folder::new();
    let path = folder.path("notes.txt");
    std::fs::write(&path, "not a capture").expect("a file");
    for command in ["replay", "info"] {
        let output = tracer(&[command, &text(&path)]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("notes.txt: not a capture file"), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn rows_that_are_there_for_the_state_of_processes_are_not_shown() {
    let folder = Folder::new();
    let mut made = Made::new();
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    made.push(&Event { marks: Marks(Marks::STATE_ONLY), ..event(1, "sched_process_fork", shell, &[]) });
    made.push(&event(2, "openat", shell, &[]));
    let file = folder.capture("narrow.trz", made);
    assert_eq!(printed(&["replay", &file, "--count"]), "1\n");
    assert_eq!(rows(&printed(&["replay", &file])).len(), 1);
}

#[test]
fn captures_of_one_boot_are_read_as_one_by_time() {
    let folder = Folder::new();
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    let (mut odd, mut even) = (Made::new(), Made::new());
    for at in 0..100 {
        let made = if at % 2 == 0 { &mut even } else { &mut odd };
        made.push(&event(at * 1_000_000, "close", shell, &[]));
    }
    let (odd, even) = (folder.capture("odd.trz", odd), folder.capture("even.trz", even));
    let both = printed(&["replay", &odd, &even, "--relative"]);
    let times: Vec<&str> = rows(&both).iter().filter_map(|row| row.get(..15)).collect();
    assert_eq!((times.len(), times[0], times[99]), (100, "00:00:00:000000", "00:00:00:099000"));
    assert!(times.is_sorted());
}
