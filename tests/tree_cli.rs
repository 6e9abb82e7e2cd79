//! `tracer tree`: each process once, below its parent, as rows tell it.

mod program;

use std::collections::BTreeMap;

use events::{Marks, Raw};
use program::{Folder, event, printed, synthetic, tracer};
use synthetic::{Event, Made, WALL, process};

/// init and sshd were there before; a shell of theirs runs `make`, which runs `cc1`, killed, and `true`.
fn build() -> Made {
    let mut made = Made::new();
    let init = process(1, 0, 0, "init", "/sbin/init");
    let sshd = process(80, 1, 0, "sshd", "/usr/sbin/sshd");
    let shell = process(500, 80, 1000, "bash", "/usr/bin/bash");
    made.sides.push(synthetic::snapshot(&[init, sshd, shell]));
    let users = [(0, "root"), (1000, "alice")];
    let user = |(uid, name): (u32, &str)| format::User { host: 0, uid, name: name.into() };
    made.sides.push(format::Side::Users(users.map(user).to_vec()));
    let mut at = 1_000_000_000;
    let mut run = |made: &mut Made, pid, ppid, comm: &str, argv: &[u8], exit: Option<(u64, u64)>| {
        let exe = format!("/usr/bin/{comm}");
        let child = process(pid, ppid, 1000, comm, &exe);
        at += 1_000_000;
        made.push(&event(at, "sched_process_exec", child, &[("argv", Raw::Bytes(argv))]));
        let path = [("pathname", Raw::Bytes(b"/nowhere"))];
        made.push(&Event { ret: -2, ..event(at + 1000, "openat", child, &path) });
        made.push(&event(at + 2000, "close", child, &[]));
        if let Some((code, signal)) = exit {
            let args = [
                ("exit_code", Raw::Number(code)),
                ("signal_code", Raw::Number(signal)),
                ("process_group_exit", Raw::Number(1)),
            ];
            let marks = Marks(if pid == 512 { Marks::STATE_ONLY } else { 0 });
            made.push(&Event { marks, ..event(at + 500_000, "sched_process_exit", child, &args) });
        }
    };
    run(&mut made, 510, 500, "make", b"make\0-j\x002\0", None);
    run(&mut made, 511, 510, "cc1", b"cc1\0a.c\0", Some((0, 9)));
    run(&mut made, 512, 510, "true", b"/bin/true\0", Some((1, 0)));
    // Its parent nobody saw.
    run(&mut made, 600, 550, "late", b"late\0", Some((0, 0)));
    made
}

#[test]
fn processes_stand_below_who_started_them() {
    let folder = Folder::new();
    let file = folder.capture("build.trz", build());
    let tree = |more: &[&str]| printed(&[&["tree", &file, "--utc"], more].concat());
    insta::assert_snapshot!("tree", tree(&[]));
    insta::assert_snapshot!("tree_of", tree(&["--of", "comm=cc1"]));
    insta::assert_snapshot!(
        "tree_scopes",
        tree(&["-f", "3:event=openat", "-f", "9:comm=true", "--pid", "510", "--depth", "1"])
    );
    insta::assert_snapshot!("tree_dot", tree(&["-o", "dot", "--pid", "510"]));
    insta::assert_snapshot!("tree_json", tree(&["-o", "json", "--pid", "511,512"]));
    assert_eq!(tracer(&["tree", &file, "--pid", "4711"]).status.code(), Some(2));
}

#[test]
fn each_process_is_there_once_and_its_parent_is_that_of_its_rows() {
    let folder = Folder::new();
    let file = folder.capture("build.trz", build());
    let lines = |arguments: &[&str]| -> Vec<serde_json::Value> {
        printed(arguments).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
    let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    for row in lines(&["replay", &file, "-o", "json"]) {
        *counts.entry((text(&row, "processEntityId"), text(&row, "parentEntityId"))).or_default() += 1;
    }
    let mut told = BTreeMap::new();
    for process in lines(&["tree", &file, "-o", "json"]) {
        let events = process["events"].as_u64().expect("a number");
        let key = (text(&process, "processEntityId"), text(&process, "parentEntityId"));
        assert_eq!(told.insert(key, events), None, "a process is told twice");
    }
    told.retain(|_, events| *events > 0);
    assert_eq!(told, counts);
}

/// The wall clock was set an hour ahead between two parts of a recording. What began before has the time of then, though only
/// the second part has rows of it.
#[test]
fn a_start_is_told_by_the_part_that_it_lies_in() {
    const HOUR_NS: u64 = 3_600_000_000_000;
    let folder = Folder::new();
    let (first, second) = (process(300, 1, 0, "first", "/first"), process(400, 1, 0, "second", "/second"));
    let exec = |at: u64, context| event(at, "sched_process_exec", context, &[]);
    let mut before = Made::new();
    before.push(&exec(350_000_000, first));
    let mut after = Made::new();
    let began = synthetic::BOOT + 1_000_000_000;
    after.clock =
        format::Clock { boot_ns: began, monotonic_ns: began, wall_ns: WALL + HOUR_NS + 1_000_000_000 };
    after.header.clock = after.clock;
    after.header.recording.start_ns = began;
    after.push(&exec(2_000_000_000, first));
    after.push(&exec(2_000_000_001, second));
    let (before, after) = (folder.capture("before.trz", before), folder.capture("after.trz", after));
    for command in ["tree", "ps"] {
        let started = |files: &[&str]| -> BTreeMap<u64, u64> {
            let told = printed(&[&[command, "-o", "json"], files].concat());
            let all = told.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
            let start = |it: &serde_json::Value| {
                let pid = it["pid"].as_u64().or_else(|| it["hostProcessId"].as_u64());
                Some((pid?, it["start"].as_u64()?))
            };
            all.filter_map(|it| start(&it)).filter(|(pid, _)| *pid >= 300).collect()
        };
        let (of_first, of_second) = (WALL + 300_000_000, WALL + 400_000_000);
        assert_eq!(started(&[&before, &after]), [(300, of_first), (400, of_second)].into(), "{command}");
        // Who has the second part alone knows of no other clock.
        assert_eq!(
            started(&[&after]),
            [(300, of_first + HOUR_NS), (400, of_second + HOUR_NS)].into(),
            "{command}"
        );
    }
}
