//! `tracer ps`, `lsof`, `ss`, `mounts` and `diff-state`: the state at moments of captures of which every row is known.

mod program;

use std::collections::BTreeSet;

use events::{Context, Raw};
use program::{Folder, event, printed, said, synthetic, tracer};
use serde_json::Value;
use synthetic::{BOOT, Event, Made, process};

const O_CLOEXEC: u64 = 0o2_000_000;

/// A descriptor as files store it.
fn fd(number: i32, stands_for: &str) -> Vec<u8> {
    [&i64::from(number).to_le_bytes()[..], stands_for.as_bytes()].concat()
}

fn number(value: u64) -> Raw<'static> {
    Raw::Number(value)
}

/// Adds rows, each a millisecond after the one before it; the first one is at 1 ms.
struct Rows {
    made: Made,
    at: u64,
}

impl Rows {
    fn new(made: Made) -> Rows {
        Rows { made, at: 0 }
    }

    fn add(&mut self, name: &str, who: Context<'_>, ret: i64, args: &[(&str, Raw<'_>)]) {
        self.at += 1_000_000;
        self.made.push(&Event { ret, ..event(self.at, name, who, args) });
    }

    fn fork(&mut self, parent: Context<'_>, child: u32, flags: u64) {
        let start = BOOT + u64::from(child) * 1_000_000;
        let pid = number(child.into());
        let args = [
            ("child_pid", pid),
            ("child_tid", pid),
            ("child_ns_pid", pid),
            ("start_time", number(start)),
            ("clone_flags", number(flags)),
        ];
        self.add("sched_process_fork", parent, 0, &args);
    }

    fn open(&mut self, who: Context<'_>, path: &str, given: i32, flags: u64) {
        let path = Raw::Bytes(path.as_bytes());
        self.add("security_file_open", who, 0, &[("pathname", path)]);
        let args = [("pathname", Raw::Bytes(b"relative")), ("flags", number(flags))];
        self.add("openat", who, given.into(), &args);
    }
}

/// A shell (500) with a terminal and a socket opens a log, forks 510 and 511; 510 executes `work`, which reads, and listens.
/// 511 closes everything and ends; then the shell ends, and 510 is left.
fn session(mut made: Made) -> Made {
    let init = process(1, 0, 0, "init", "/sbin/init");
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    let mut known = synthetic::snapshot(&[init, shell]);
    if let format::Side::Processes(all) = &mut known {
        all[0].argv = b"/sbin/init\0splash\0".to_vec();
        all[1].fds = vec![(0, b"/dev/pts/3".to_vec()), (7, b"socket:[4711]".to_vec())];
    }
    made.sides.push(known);
    let user = |(uid, name): (u32, &str)| format::User { host: 0, uid, name: name.into() };
    made.sides.push(format::Side::Users([(0, "root"), (1000, "alice")].map(user).to_vec()));
    let mut rows = Rows::new(made);
    let other = process(511, 500, 1000, "bash", "/usr/bin/bash");
    rows.open(shell, "/var/log/session", 3, 1); // 1, 2
    rows.open(shell, "/etc/secret", 4, O_CLOEXEC); // 3, 4
    rows.fork(shell, 510, 17); // 5
    rows.fork(shell, 511, 17); // 6
    let work = process(510, 500, 1000, "work", "/usr/bin/work");
    rows.add("sched_process_exec", work, 0, &[("argv", Raw::Bytes(b"work\0-v\0"))]); // 7
    let copy = fd(9, "/var/log/session");
    let old = fd(3, "/var/log/session");
    rows.add("dup2", work, 9, &[("oldfd", Raw::Bytes(&old)), ("newfd", Raw::Bytes(&copy))]); // 8
    let stream = [("domain", number(2)), ("type", number(1)), ("protocol", number(0))];
    rows.add("socket", work, 5, &stream); // 9
    let bound = fd(5, "tcp 0.0.0.0:80");
    rows.add("listen", work, 0, &[("sockfd", Raw::Bytes(&bound))]); // 10
    let unseen = fd(12, "/run/unseen");
    rows.add("read", work, 1, &[("fd", Raw::Bytes(&unseen))]); // 11
    rows.add("close", work, 0, &[("fd", Raw::Bytes(&old))]); // 12
    let range = [("first", number(0)), ("last", number(0xffff_ffff)), ("flags", number(0))];
    rows.add("close_range", other, 0, &range); // 13
    let mount = [
        ("source", Raw::Bytes(b"tmpfs")),
        ("target", Raw::Bytes(b"/mnt/x")),
        ("filesystemtype", Raw::Bytes(b"tmpfs")),
        ("mountflags", number(1)),
    ];
    rows.add("mount", work, 0, &mount); // 14
    let whole = [("process_group_exit", number(1))];
    rows.add("sched_process_exit", other, 0, &whole); // 15
    rows.add("sched_process_exit", shell, 0, &whole); // 16
    rows.add("umount2", work, 0, &[("target", Raw::Bytes(b"/mnt/x"))]); // 17
    rows.add("write", work, -9, &[("fd", number(3))]); // 18
    rows.made
}

fn objects(arguments: &[&str]) -> Vec<Value> {
    let lines = printed(&[arguments, &["-o", "json"]].concat());
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// `PID FD NAME` of descriptors that have a number.
fn open_files(file: &str, at: &str) -> BTreeSet<String> {
    let all = objects(&["lsof", file, "--at", at]);
    let open = all.iter().filter(|it| it["number"].is_number());
    open.map(|it| {
        format!("{} {} {}", it["pid"], it["fd"].as_str().unwrap(), it["name"].as_str().unwrap_or("?"))
    })
    .collect()
}

fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn processes_are_those_that_lived_then_with_what_is_known_of_them() {
    let folder = Folder::new();
    let file = folder.capture("session.trz", session(Made::new()));
    let commands = |at: &str| -> Vec<String> {
        let all = objects(&["ps", &file, "--at", at]);
        all.iter()
            .map(|it| format!("{} {} {}", it["pid"], it["ppid"], it["command"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(commands("#1"), ["1 0 /sbin/init splash", "500 1 [bash]"]);
    assert_eq!(commands("#7")[2..], ["510 500 [bash]", "511 500 [bash]"]);
    assert_eq!(commands("#8")[2..], ["510 500 work -v", "511 500 [bash]"]);
    // The shell has ended, and nobody saw who took its child over.
    assert_eq!(commands("#17"), ["1 0 /sbin/init splash", "510 null work -v"]);
    let all = objects(&["ps", &file]);
    let work = all.last().expect("the last process");
    assert_eq!(work["user"], "alice");
    for unknown in ["tty", "session", "loginuid", "cwd"] {
        assert!(work[unknown].is_null(), "{unknown} of {work}");
    }
    let table = printed(&["ps", &file, "--utc"]);
    let line = table.lines().last().expect("a line");
    assert_eq!(
        line.split_whitespace().collect::<Vec<_>>(),
        ["alice", "510", "?", "20:09:15:551923", "?", "work", "-v"]
    );
}

#[test]
fn descriptors_are_followed_through_forks_execs_copies_and_closes() {
    let folder = Folder::new();
    let file = folder.capture("session.trz", session(Made::new()));
    assert_eq!(open_files(&file, "#1"), set(&["500 0 /dev/pts/3", "500 7 socket:[4711]"]));
    let all = open_files(&file, "#7");
    for pid in [500, 510, 511] {
        for open in ["0 /dev/pts/3", "3w /var/log/session", "4r /etc/secret", "7 socket:[4711]"] {
            assert!(all.contains(&format!("{pid} {open}")), "no {open} of {pid} in {all:#?}");
        }
    }
    let of_work = |at: &str| -> BTreeSet<String> {
        open_files(&file, at).into_iter().filter(|it| it.starts_with("510 ")).collect()
    };
    // What is closed by an exec is closed; the copy is the same file under another number.
    assert_eq!(
        of_work("#9"),
        set(&[
            "510 0 /dev/pts/3",
            "510 3w /var/log/session",
            "510 7 socket:[4711]",
            "510 9w /var/log/session"
        ])
    );
    assert_eq!(
        of_work("#13"),
        set(&[
            "510 0 /dev/pts/3",
            "510 12 /run/unseen",
            "510 5 tcp 0.0.0.0:80",
            "510 7 socket:[4711]",
            "510 9w /var/log/session"
        ])
    );
    assert!(open_files(&file, "#14").iter().all(|it| !it.starts_with("511 ")));
    // What was open before and went through an exec may have been closed by it: that is said.
    let all = objects(&["lsof", &file, "--at", "#13", "-f", "pid=510"]);
    let find = |number: i64| all.iter().find(|it| it["number"] == number).expect("a descriptor");
    assert_eq!((&find(0)["known"], &find(0)["doubtful"]), (&"before".into(), &true.into()));
    assert_eq!((&find(9)["known"], &find(9)["doubtful"]), (&"begun".into(), &false.into()));
    assert_eq!((&find(12)["known"], &find(12)["doubtful"]), (&"seen".into(), &false.into()));
}

/// Files are opened by other calls, too: what hooks say in those names no descriptor. `O_PATH` has no hook of its own.
#[test]
fn a_path_that_was_told_in_one_call_is_not_that_of_another() {
    let folder = Folder::new();
    let mut rows = Rows::new(Made::new());
    let who = process(510, 1, 1000, "work", "/usr/bin/work");
    let told = [("pathname", Raw::Bytes(b"/usr/bin/other")), ("syscall", Raw::Bytes(b"execve"))];
    rows.add("security_file_open", who, 0, &told);
    rows.add("openat", who, 3, &[("pathname", Raw::Bytes(b"x")), ("flags", number(0o10_000_000))]);
    let own = [("pathname", Raw::Bytes(b"/srv/y")), ("syscall", Raw::Bytes(b"openat"))];
    rows.add("security_file_open", who, 0, &own);
    rows.add("openat", who, 4, &[("pathname", Raw::Bytes(b"y")), ("flags", number(0))]);
    let file = folder.capture("told.trz", rows.made);
    assert_eq!(open_files(&file, "+1h"), set(&["510 3r ? (openat)", "510 4r /srv/y"]));
}

#[test]
fn sockets_have_their_ends_and_holders_as_far_as_they_are_known() {
    let folder = Folder::new();
    let file = folder.capture("session.trz", session(Made::new()));
    let all = objects(&["ss", &file, "--at", "#13"]);
    let [old, new] = all.as_slice() else { panic!("two sockets, got {all:#?}") };
    // One socket, though three processes hold it.
    assert_eq!(old["users"], serde_json::json!(["bash(500,fd=7)", "work(510,fd=7)", "bash(511,fd=7)"]));
    assert!(old["local"].is_null() && old["state"].is_null() && old["netid"].is_null(), "{old}");
    assert_eq!((&new["netid"], &new["state"]), (&"tcp".into(), &"LISTEN".into()));
    assert_eq!((&new["local"], &new["peer"]), (&"0.0.0.0:80".into(), &"".into()));
}

#[test]
fn mounts_are_there_from_mount_to_umount() {
    let folder = Folder::new();
    let file = folder.capture("session.trz", session(Made::new()));
    let targets = |at: &str| -> Vec<String> {
        objects(&["mounts", &file, "--at", at])
            .iter()
            .map(|it| format!("{} {}", it["target"], it["options"]))
            .collect()
    };
    assert_eq!(targets("#14"), Vec::<String>::new());
    assert_eq!(targets("#15"), ["\"/mnt/x\" \"MS_RDONLY\""]);
    assert_eq!(targets("#18"), Vec::<String>::new());
    assert!(said(&["mounts", &file]).contains("before the recording"), "what is missing is not said");
}

#[test]
fn what_came_and_what_went_is_told() {
    let folder = Folder::new();
    let file = folder.capture("session.trz", session(Made::new()));
    let all = objects(&["diff-state", &file, "--from", "#8", "--to", "#17", "--only", "ps,ss,mounts"]);
    let told: Vec<String> = all
        .iter()
        .map(|it| {
            let what = ["command", "local", "target"].iter().find_map(|key| it[*key].as_str()).unwrap_or("?");
            format!("{} {} {what}", it["change"].as_str().unwrap(), it["kind"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        ["went process [bash]", "went process [bash]", "came socket 0.0.0.0:80", "came mount /mnt/x"]
    );
    let output = tracer(&["diff-state", &file, "--from", "#8", "--to", "#8"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn filters_choose_processes_and_those_on_events_are_refused() {
    let folder = Folder::new();
    let file = folder.capture("session.trz", session(Made::new()));
    let pids = |filters: &[&str]| -> Vec<u64> {
        let all = objects(&[&["ps", &file, "--at", "#9"], filters].concat());
        all.iter().map(|it| it["pid"].as_u64().unwrap()).collect()
    };
    assert_eq!(pids(&["-f", "comm=work"]), [510]);
    assert_eq!(pids(&["-f", "uid=0"]), [1]);
    assert_eq!(pids(&["-f", "tree=500"]), [500, 510, 511]);
    assert_eq!(pids(&["-f", "comm=work", "-f", "2:uid=0"]), [1, 510]);
    let said = said(&["ps", &file, "-f", "openat.pathname=/etc/*"]);
    assert!(said.contains("a state has no events"), "{said}");
}

/// The same answer however rows stand in blocks, and on however many threads.
#[test]
fn states_do_not_depend_on_blocks_and_threads() {
    let folder = Folder::new();
    let whole = folder.capture("whole.trz", session(Made::new()));
    let mut few = Made::new();
    few.rows_per_block = 2;
    let small = folder.capture("small.trz", session(few));
    for kind in ["ps", "lsof", "ss", "mounts"] {
        for event in 1..=18 {
            let at = format!("#{event}");
            let ask = |file: &str, threads: &str| {
                printed(&[kind, file, "--at", &at, "--threads", threads, "-o", "json"])
            };
            let expected = ask(&whole, "1");
            assert_eq!(ask(&small, "1"), expected, "{kind} at {at}, small blocks");
            assert_eq!(ask(&small, "3"), expected, "{kind} at {at}, small blocks on threads");
        }
    }
}

#[test]
fn a_hostile_name_reaches_no_terminal() {
    let folder = Folder::new();
    let mut rows = Rows::new(Made::new());
    let who = process(510, 1, 1000, "a\x1b[2Jb", "/tmp/\x1b]0;x\x07");
    rows.add("sched_process_exec", who, 0, &[("argv", Raw::Bytes(b"\x1b[31mred\0\n\0"))]);
    rows.open(who, "/tmp/\x1b[2J", 3, 0);
    let file = folder.capture("hostile.trz", rows.made);
    for kind in ["ps", "lsof"] {
        let table = printed(&[kind, &file]);
        assert!(!table.contains('\x1b') && table.contains("\\x1b"), "{table}");
        assert_eq!(table.lines().count(), if kind == "ps" { 2 } else { 3 }, "{table}");
    }
}
