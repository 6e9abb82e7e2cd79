//! `tracer replay` and `tracer info` as a user meets them, over captures of which every row is known.
//!
//! One file: every test asks the same program over the same made captures, and a reader looks for the question here.

mod program;

use std::io::Read;
use std::process::{Command, Stdio};

use events::{Context, Marks, Raw};
use program::{Folder, event, id_and_ls, printed, said, synthetic, text, tracer};
use synthetic::{Event, Made, busy, process};

/// The rows of a table, without its header.
fn rows(table: &str) -> Vec<&str> {
    table.lines().skip(1).collect()
}

#[test]
fn the_count_is_a_number_and_nothing_else() {
    let folder = Folder::new();
    let file = folder.capture("busy.trz", busy(50_000, 16_384));
    assert_eq!(printed(&["replay", &file, "--count"]), "50000\n");
    assert_eq!(printed(&["replay", &file, "--count", "--limit", "7"]), "7\n");
}

#[test]
fn the_answer_is_the_same_whatever_the_number_of_threads() {
    let folder = Folder::new();
    let file = folder.capture("busy.trz", busy(60_000, 1000));
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
    let file = folder.capture("busy.trz", busy(40_000, 16_384));
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
    let file = folder.capture("busy.trz", busy(100_000, 16_384));
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

/// The mask and the command of each row of a verbose table.
fn masks(file: &str, filters: &[&str]) -> Vec<(u64, String)> {
    let mut arguments = vec!["replay", file, "--utc", "-o", "table-verbose"];
    filters.iter().for_each(|filter| arguments.extend(["-f", *filter]));
    let table = printed(&arguments);
    let row = |row: &&str| {
        let columns: Vec<&str> = row.split_whitespace().collect();
        // TIME SCOPES UTS_NAME (no container) MNT_NS PID_NS UID COMM
        (u64::from_str_radix(columns[1], 16).expect("a mask"), columns[6].to_owned())
    };
    rows(&table).iter().map(row).collect()
}

fn of(mask: u64, comm: &str) -> (u64, String) {
    (mask, comm.to_owned())
}

#[test]
fn detached_scopes_have_masks_of_their_own() {
    let folder = Folder::new();
    let file = folder.capture("id-ls.trz", id_and_ls());
    let exits = ["3:event=sched_process_exit", "3:comm=id", "9:event=sched_process_exit", "9:comm=ls"];
    assert_eq!(masks(&file, &exits), [of(4, "id"), of(256, "ls")]);
}

#[test]
fn intertwined_scopes_share_rows() {
    let folder = Folder::new();
    let file = folder.capture("id-ls.trz", id_and_ls());
    let exits = ["3:event=sched_process_exit", "3:comm=id", "9:event=sched_process_exit"];
    assert_eq!(masks(&file, &exits), [of(260, "id"), of(256, "ls")]);
    let exec = ["42:event=sched_process_exec", "42:binary=/usr/bin/ls"];
    assert_eq!(masks(&file, &exec), [of(0x0000_0200_0000_0000, "ls")]);
}

#[test]
fn arguments_and_results_constrain_their_own_event_only() {
    let folder = Folder::new();
    let mut made = Made::new();
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    for (at, path, ret) in
        [(1, "/etc/passwd", 3), (2, "/tmp/x", 3), (3, "/etc/shadow", -13), (4, "/etc/hosts", 4)]
    {
        let args = [("pathname", Raw::Bytes(path.as_bytes()))];
        made.push(&Event { ret, ..event(at, "openat", shell, &args) });
    }
    made.push(&event(5, "close", shell, &[]));
    let file = folder.capture("opens.trz", made);
    let count = |filters: &[&str]| masks(&file, filters).len();
    assert_eq!(count(&["event=openat,close", "openat.args.pathname=/etc/*"]), 4);
    assert_eq!(count(&["openat.args.pathname=/etc/*"]), 3);
    assert_eq!(count(&["openat.args.pathname=/etc/*", "openat.retval<0"]), 1);
    assert_eq!(count(&["openat.retval=EACCES"]), 1);
    assert_eq!(count(&["openat.args.pathname!=/etc/*"]), 1);
    let both = ["2:openat.args.pathname=*s*w*", "5:openat.retval>=0", "5:openat.args.pathname=/etc/*"];
    assert_eq!(masks(&file, &both), [of(0b1_0010, "bash"), of(0b10, "bash"), of(0b1_0000, "bash")]);
    let printed_count = printed(&["replay", &file, "--count", "-f", "openat.retval<0"]);
    assert_eq!(printed_count, "1\n");
}

#[test]
fn derived_events_take_the_scopes_that_ask_for_them() {
    let folder = Folder::new();
    let mut made = Made::new();
    let strace = process(500, 1, 1000, "strace", "/usr/bin/strace");
    let traceme = [("request", Raw::Number(0)), ("pid", Raw::Number(0))];
    let attach = [("request", Raw::Number(16)), ("pid", Raw::Number(7))];
    made.push(&event(1, "ptrace", strace, &traceme));
    made.push(&event(2, "ptrace", strace, &attach));
    let file = folder.capture("ptrace.trz", made);
    let apart = ["3:event=anti_debugging", "5:event=net_packet_icmp", "5:comm=ping", "9:event=ptrace"];
    assert_eq!(masks(&file, &apart), [of(256, "strace"), of(4, "strace"), of(256, "strace")]);
    let shared =
        ["3:event=anti_debugging,ptrace", "5:event=net_packet_icmp", "5:comm=ping", "9:event=ptrace"];
    assert_eq!(masks(&file, &shared), [of(260, "strace"), of(4, "strace"), of(260, "strace")]);
    // The base stays unseen, and a filter on its arguments does not reach what is derived from it.
    assert_eq!(masks(&file, &["3:event=anti_debugging"]), [of(4, "strace")]);
    let filtered = ["3:event=anti_debugging", "9:event=ptrace", "9:ptrace.args.pid=7"];
    assert_eq!(masks(&file, &filtered), [of(4, "strace"), of(256, "strace")]);
}

/// A shell forks 510, which forks 511, which forks 512; a stranger beside them; small blocks, so that state crosses them.
fn tree() -> Made {
    let mut made = Made::new();
    made.rows_per_block = 2;
    let init = process(1, 0, 0, "init", "/sbin/init");
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    let stranger = process(600, 1, 1000, "cron", "/usr/sbin/cron");
    made.sides.push(synthetic::snapshot(&[init, shell, stranger]));
    let names = [(500, 510, "make"), (510, 511, "sh"), (511, 512, "cc1")];
    for (parent, pid, comm) in names {
        let of_parent = match parent {
            500 => shell,
            510 => process(510, 500, 1000, "make", "/usr/bin/make"),
            _ => process(511, 510, 1000, "sh", "/usr/bin/sh"),
        };
        let at = u64::from(pid) * 1_000_000;
        let forked = [
            ("child_pid", Raw::Number(u64::from(pid))),
            ("child_tid", Raw::Number(u64::from(pid))),
            ("start_time", Raw::Number(synthetic::BOOT + at)),
        ];
        made.push(&event(at, "sched_process_fork", of_parent, &forked));
        made.push(&event(at + 10, "close", process(pid, parent, 1000, comm, "/usr/bin/x"), &[]));
    }
    made.push(&event(520_000_000, "close", stranger, &[]));
    // 510 ends; its grandchild goes on.
    let make = process(510, 500, 1000, "make", "/usr/bin/make");
    made.push(&event(530_000_000, "sched_process_exit", make, &[("process_group_exit", Raw::Number(1))]));
    for at in 1..5 {
        made.push(&event(530_000_000 + at, "close", process(512, 511, 1000, "cc1", "/usr/bin/x"), &[]));
    }
    made
}

#[test]
fn trees_are_followed_over_the_death_of_their_members() {
    let folder = Folder::new();
    let file = folder.capture("tree.trz", tree());
    let closes = |filter: &str| {
        let found = masks(&file, &["event=close", filter]);
        found.into_iter().map(|(_, comm)| comm).collect::<Vec<_>>()
    };
    assert_eq!(closes("tree=500"), ["make", "sh", "cc1", "cc1", "cc1", "cc1", "cc1"]);
    assert_eq!(closes("tree=511"), ["sh", "cc1", "cc1", "cc1", "cc1", "cc1"]);
    assert_eq!(closes("tree!=510"), ["cron"]);
    let follow = masks(&file, &["7:event=close", "7:comm=make", "7:follow"]);
    assert_eq!(follow.iter().map(|(_, comm)| comm.as_str()).collect::<Vec<_>>(), closes("tree=510"));
    for threads in ["1", "4"] {
        let arguments =
            ["replay", &file, "--threads", threads, "--count", "-f", "event=close", "-f", "tree=510"];
        assert_eq!(printed(&arguments), "7\n");
    }
}

#[test]
fn a_later_part_of_a_set_says_that_it_does_not_know_all_ancestors() {
    let folder = Folder::new();
    let part = |name: &str, part: u32| {
        let mut made = tree();
        made.header.recording.part = part;
        folder.capture(name, made)
    };
    let (first, later) = (part("t.0000.trz", 0), part("t.0003.trz", 3));
    let warnings = |files: &[&str], filter: &[&str]| {
        let arguments = [&["replay", "--count"], files, filter].concat();
        let said = said(&arguments);
        said.lines()
            .filter(|line| line.contains("ancestors that ended"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    for filter in [&["-f", "tree=510"][..], &["-f", "comm=make", "-f", "follow"], &["-f", "tree!=510"]] {
        let told = warnings(&[&later], filter);
        assert_eq!(told.len(), 1, "{filter:?}: {told:?}");
        assert!(told[0].contains("t.0003.trz: part 3 of a set without the parts before it"), "{told:?}");
        assert_eq!(warnings(&[&later, &first], filter), [""; 0]);
    }
    assert_eq!(warnings(&[&later], &["-f", "comm=make"]), [""; 0]);
}

#[test]
fn blocks_without_anybody_of_a_tree_are_not_read() {
    let folder = Folder::new();
    let mut made = Made::new();
    let own = |pid: u32, ppid: u32| process(pid, ppid, 0, "sh", "/bin/sh");
    made.sides.push(synthetic::snapshot(&[process(1, 0, 0, "init", "/sbin/init"), own(500, 1), own(600, 1)]));
    let fork = [("child_pid", Raw::Number(510)), ("start_time", Raw::Number(synthetic::BOOT + 510_000_000))];
    made.push(&event(510_000_000, "sched_process_fork", own(500, 1), &fork));
    let close = |made: &mut Made, at: u64, of: Context<'static>| {
        made.push(&event(at, "close", of, &[]));
        made.end_block();
    };
    close(&mut made, 520_000_000, own(510, 500));
    // Its parent has ended, and somebody else is its parent now.
    let exit = [("process_group_exit", Raw::Number(1))];
    made.push(&event(530_000_000, "sched_process_exit", own(500, 1), &exit));
    close(&mut made, 540_000_000, own(510, 1));
    for block in 0..10 {
        close(&mut made, 600_000_000 + block, own(600, 1));
    }
    made.push(&event(700_000_000, "sched_process_exit", own(510, 1), &exit));
    for block in 0..10 {
        close(&mut made, 800_000_000 + block, own(600, 1));
    }
    let file = folder.capture("t.trz", made);
    for threads in ["1", "3"] {
        for (filter, rows, read) in [
            ("tree=500", 5, "6 rows in 3 blocks read, 19 rows in 19 blocks"),
            ("tree!=500", 20, "blocks read"),
            ("tree=1", 25, "25 rows in 22 blocks read"),
        ] {
            let output = tracer(&["replay", &file, "--count", "--stats", "--threads", threads, "-f", filter]);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{rows}\n"), "{filter}: {said}");
            assert!(said.contains(read), "{filter}: {said}");
        }
    }
}

#[test]
fn containers_are_shown_and_asked_for() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.sides.push(synthetic::container());
    let inside = Context {
        cgroup_id: synthetic::CONTAINER_CGROUP,
        ns_pid: 8,
        ns_tid: 8,
        ns_ppid: 1,
        ..process(902_559, 899_413, 0, "ping", "/bin/ping")
    };
    made.push(&event(10, "close", inside, &[]));
    made.push(&event(11, "close", process(500, 1, 0, "bash", "/usr/bin/bash"), &[]));
    let file = folder.capture("container.trz", made);
    insta::assert_snapshot!("replay_containers", printed(&["replay", &file, "--utc", "-f", "3:container"]));
    let count = |filter: &str| printed(&["replay", &file, "--count", "-f", filter]);
    assert_eq!((count("container"), count("!container")), ("1\n".into(), "1\n".into()));
    assert_eq!((count("container=e9cf0db"), count("container=pinger")), ("1\n".into(), "1\n".into()));
    assert_eq!(count("container!=pinger"), "1\n");
}

#[test]
fn without_filters_the_recorded_scopes_are_shown() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.header.recording.filters = vec!["3:comm=id".into(), "9:event=anti_debugging".into()];
    let id = process(510, 500, 1000, "id", "/usr/bin/id");
    made.push(&Event { scopes: 4, ..event(1, "close", id, &[]) });
    made.push(&Event { scopes: 0, ..event(2, "close", process(511, 500, 1000, "ls", "/usr/bin/ls"), &[]) });
    made.push(&Event { scopes: 4, ..event(3, "ptrace", id, &[("request", Raw::Number(0))]) });
    let file = folder.capture("recorded.trz", made);
    assert_eq!(masks(&file, &[]), [of(4, "id"), of(4, "id"), of(256, "id")]);
    assert_eq!(printed(&["replay", &file, "--count"]), "3\n");
    // Asked anew with the same filters, the answer is the same; asked with others, it is theirs.
    assert_eq!(masks(&file, &["3:comm=id", "9:event=anti_debugging"]), masks(&file, &[]));
    assert_eq!(masks(&file, &["2:comm=ls"]), [of(2, "ls")]);
}

#[test]
fn all_mistakes_in_filters_are_told_at_once() {
    let folder = Folder::new();
    let file = folder.capture("id-ls.trz", id_and_ls());
    let output = tracer(&["replay", &file, "-f", "65:comm=ls", "-f", "com=ls", "-f", "openat.args.path=/x"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{said}");
    assert_eq!(said.matches("error: ").count(), 3, "{said}");
    assert!(said.contains("did you mean \"comm\"?") && said.contains("did you mean \"pathname\"?"), "{said}");
}

#[test]
fn blocks_that_cannot_match_are_skipped() {
    let folder = Folder::new();
    let file = folder.capture("busy.trz", busy(40_000, 1000));
    let asked = |filter: &str| {
        let output = tracer(&["replay", &file, "--count", "--stats", "--threads", "1", "-f", filter]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let blocks = said
            .split(" blocks read")
            .next()
            .and_then(|start| start.split(' ').next_back().map(str::to_owned));
        (String::from_utf8_lossy(&output.stdout).trim().to_owned(), blocks.expect("blocks"))
    };
    assert_eq!(asked("comm=rare"), ("1".to_owned(), "1".to_owned()));
    assert_eq!(asked("comm=nobody"), ("0".to_owned(), "0".to_owned()));
    assert_eq!(asked("event=ptrace"), ("0".to_owned(), "0".to_owned()));
    assert_eq!(asked("uid=1").1, "0");
    assert_eq!(asked("uid=500").1, "40");
}

#[test]
fn what_a_capture_cannot_answer_is_said() {
    let folder = Folder::new();
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    let capture = |name: &str, narrow: &dyn Fn(&mut format::Recording)| {
        let mut made = Made::new();
        narrow(&mut made.header.recording);
        made.push(&event(1, "openat", shell, &[]));
        folder.capture(name, made)
    };
    let whole = capture("whole.trz", &|_| {});
    assert_eq!(said(&["replay", &whole, "-f", "event=ptrace"]), "");
    let few = capture("few.trz", &|recording| recording.events = vec!["openat,close".into()]);
    assert_eq!(said(&["replay", &few, "-f", "event=openat"]), "");
    assert!(
        said(&["replay", &few, "-f", "event=ptrace"])
            .contains("ptrace: not among the events of the recording")
    );
    assert!(said(&["replay", &few, "-f", "event=anti_debugging"]).contains("anti_debugging: not among"));
    assert!(
        said(&["replay", &few, "-f", "comm=ls"]).contains("only these events were recorded: openat,close")
    );
    assert_eq!(said(&["replay", &few, "-f", "event=ptrace", "--quiet"]), "");
    let lacking = format::Unavailable { event: "ptrace".into(), reason: "no such hook".into() };
    let lacking = capture("lacking.trz", &|recording| recording.unavailable = vec![lacking.clone()]);
    assert!(said(&["replay", &lacking, "-f", "event=ptrace"]).contains("not recorded: ptrace: no such hook"));
    let matched = capture("matched.trz", &|recording| {
        (recording.only_matched, recording.filters) = (true, vec!["3:comm=bash".into()]);
    });
    assert_eq!(said(&["replay", &matched, "-f", "3:comm=bash"]), "");
    assert_eq!(said(&["replay", &matched]), "");
    assert_eq!(said(&["replay", &matched, "-f", "comm=bash", "-f", "uid=0"]), "");
    assert!(
        said(&["replay", &matched, "-f", "uid=0"]).contains("holds only what matched when it was recorded")
    );
}

#[test]
fn losses_and_missing_ends_are_said() {
    let folder = Folder::new();
    let mut made = id_and_ls();
    made.sides.push(format::Side::Losses(vec![format::Loss {
        host: 0,
        from_ns: synthetic::BOOT,
        to_ns: synthetic::BOOT + 1,
        cpu: None,
        event: None,
        count: 12,
        cause: "buffer full".into(),
    }]));
    let file = folder.capture("lossy.trz", made);
    assert!(said(&["replay", &file]).contains("12 events were lost while recording"));
    let bytes = std::fs::read(&file).expect("the capture");
    let cut = folder.path("cut.trz");
    std::fs::write(&cut, &bytes[..bytes.len() - 40]).expect("a file");
    let output = tracer(&["replay", &text(&cut), "--count"]);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stdout).trim()),
        (Some(0), "8"),
        "{err}"
    );
    assert!(err.contains("cut.trz: not finished"), "{err}");
}

#[test]
fn mistakes_on_both_sides_of_a_comparison_are_told_at_once() {
    let folder = Folder::new();
    let file = folder.capture("id-ls.trz", id_and_ls());
    let output = tracer(&["diff", &file, "--before", "-f com=ls", "--after", "-f uid=x! -f comm=ls"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("did you mean \"comm\"?") && said.contains("-f uid=x!"), "{said}");
}

#[test]
fn a_container_is_started_from_its_entry_point_on_though_nothing_else_of_a_process_changes() {
    let folder = Folder::new();
    let mut made = Made::new();
    let (cgroup, started) = (77, synthetic::BOOT + 20);
    made.sides.push(format::Side::Cgroups(vec![format::Cgroup {
        id: cgroup,
        created_ns: Some(synthetic::BOOT + 1),
        container: Some(format::Container {
            id: "abc".into(),
            started_ns: Some(started),
            ..format::Container::default()
        }),
        ..format::Cgroup::default()
    }]));
    let inside = Context { cgroup_id: cgroup, ..process(700, 1, 0, "sh", "/bin/sh") };
    for at in [10, 19, 20, 30] {
        made.push(&event(at, "close", inside, &[]));
    }
    let file = folder.capture("started.trz", made);
    let count = |filters: &[&str]| {
        let mut arguments = vec!["replay", file.as_str(), "--count"];
        filters.iter().for_each(|filter| arguments.extend(["-f", *filter]));
        printed(&arguments).trim().to_owned()
    };
    assert_eq!(count(&["container=started"]), "2");
    assert_eq!(count(&["container!=started"]), "2");
    assert_eq!(count(&["close.context.container=started"]), "2");
    let masks: Vec<u64> = masks_of(&printed(&[
        "replay",
        &file,
        "-o",
        "json",
        "-f",
        "3:container=started",
        "-f",
        "5:container",
    ]));
    assert_eq!(masks, [16, 16, 20, 20]);
}

fn masks_of(json: &str) -> Vec<u64> {
    let mask = |line: &str| line.split("\"matchedScopes\":").nth(1)?.split(',').next()?.parse().ok();
    json.lines().filter_map(mask).collect()
}
