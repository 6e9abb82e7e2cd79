//! `tracer cut` and `tracer replay` agree, and what is cut away does not leave.

mod program;

use std::fs;

use events::Raw;
use format::{Capture, Scratch};
use program::synthetic::{self, Made, process};
use program::{Folder, event, id_and_ls, printed, said, text, tracer};

fn fixture(name: &str) -> String {
    format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Arguments with `-f` before each filter.
fn with<'a>(arguments: &[&'a str], filters: &[&'a str]) -> Vec<&'a str> {
    arguments.iter().copied().chain(filters.iter().flat_map(|filter| ["-f", *filter])).collect()
}

/// Every string that a capture holds, and the number of its rows, hidden ones too.
fn strings_and_rows(file: &str) -> (Vec<u8>, usize) {
    let capture = Capture::open(file.as_ref()).unwrap();
    let (mut strings, mut rows, mut scratch) = (Vec::new(), 0, Scratch::new());
    for process in capture.processes() {
        strings.extend([&process.comm[..], b"\n", &process.exe, b"\n", &process.argv, b"\n"].concat());
        process.fds.iter().for_each(|(_, fd)| strings.extend(fd));
    }
    for number in 0..capture.blocks().len() {
        let block = capture.block(number, &mut scratch).unwrap();
        rows += block.rows();
        for context in block.contexts().unwrap().iter() {
            strings.extend([context.comm, b"\n", context.exe, b"\n"].concat());
        }
        for (code, id) in block.event_list().iter().enumerate() {
            let event = capture.schema().event(*id).unwrap();
            for ordinal in 0..block.rows_of(code as u16) {
                for position in 0..event.args.len() {
                    if let Raw::Bytes(bytes) = block.args(code as u16).get(ordinal, position).unwrap() {
                        strings.extend([bytes, b"\n"].concat());
                    }
                }
            }
        }
    }
    (strings, rows)
}

fn has(strings: &[u8], word: &str) -> bool {
    strings.windows(word.len()).any(|part| part == word.as_bytes())
}

#[test]
fn what_a_filter_cuts_out_is_what_it_finds() {
    let folder = Folder::new();
    let questions: &[&[&str]] = &[
        &["event=anti_debugging"],
        &["event=anti_debugging,ptrace"],
        &["comm=ls"],
        &["event=openat", "comm=*s*"],
        &["event=sched_process_exec"],
        &["1:comm=ls", "7:event=openat", "64:uid>0"],
        &["event=openat", "comm=bash", "follow"],
        &["comm=sh", "follow"],
        &["tree=1"],
        &["openat.pathname=/etc/*"],
        &["event!=openat"],
    ];
    let mut compared = 0;
    for name in ["ptrace.trz", "ls.trz", "scopes.trz", "tree.trz", "threads.trz", "id-ls.trz"] {
        let file = fixture(name);
        for (at, filters) in questions.iter().enumerate() {
            let cut = text(&folder.path(&format!("{at}-{name}")));
            let output = tracer(&with(&["cut", &file, "-o", &cut], filters));
            assert!(
                output.status.success(),
                "{name} {filters:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            let ask = |file: &str| printed(&with(&["replay", file, "-q", "-o", "json"], filters));
            let expected = ask(&file);
            assert_eq!(ask(&cut), expected, "{name} {filters:?}");
            compared += expected.lines().count();
        }
    }
    assert!(compared > 500, "{compared} rows were compared");
    let derived = text(&folder.path("0-ptrace.trz"));
    assert_eq!(printed(&["replay", &derived, "--count", "-f", "event=anti_debugging"]).trim(), "1");
}

#[test]
fn a_message_stays_with_all_packets_that_hold_a_part_of_it() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.rows_per_block = 2;
    let context = process(100, 1, 0, "curl", "/usr/bin/curl");
    let parts: [(u16, u32, &[u8]); 6] = [
        (5001, 1, b"GET /wanted HT"),
        (5002, 1, b"GET /other HT"),
        (5001, 15, b"TP/1.1\r\n"),
        (5002, 14, b"TP/1.1\r\n\r\n"),
        (5002, 24, b"GET /other-too"),
        (5001, 23, b"\r\nGET /wanted-too"),
    ];
    for (at, (port, sequence, payload)) in (0..).zip(parts) {
        let packet = synthetic::tcp_packet(port, 80, sequence, 16, payload);
        let args = [("data", Raw::Bytes(&packet)), ("length", Raw::Number(packet.len() as u64))];
        made.push(&event(at, "net_packet", context, &args));
    }
    let web = folder.capture("web.trz", made);
    let cut = text(&folder.path("cut.trz"));
    for (filter, found, completed) in [
        ("net_packet_http_request.http_request.uri_path=/wanted", 1, 1),
        ("net_packet_http_request.http_request.uri_path=/wanted*", 2, 1),
        ("event=net_packet_http_request", 4, 2),
    ] {
        printed(&["cut", &web, "-o", &cut, "--force", "-f", filter]);
        let ask = |file: &str| printed(&["replay", file, "-q", "-o", "json", "-f", filter]);
        assert_eq!(ask(&web).lines().count(), found, "{filter}");
        assert_eq!(ask(&cut), ask(&web), "{filter}");
        // Packets that complete no message are not shown, and those of other messages are not there.
        let strings = strings_and_rows(&cut).0;
        let shown = printed(&["replay", &cut, "-q", "--count", "-f", "event=net_packet"]);
        assert_eq!(shown.trim(), completed.to_string(), "{filter}");
        assert_eq!(has(&strings, "/other"), filter.starts_with("event"), "{filter}");
    }
}

#[test]
fn the_recorded_scopes_stay_what_they_were_and_what_is_gone_is_said() {
    let folder = Folder::new();
    let (file, cut) = (fixture("scopes.trz"), text(&folder.path("cut.trz")));
    printed(&["cut", &file, "-f", "7:uid=4242", "-o", &cut]);
    let recording = |file: &str| Capture::open(file.as_ref()).unwrap().header().recording.clone();
    assert_eq!(recording(&cut).filters, recording(&file).filters);
    let warned = said(&["replay", &cut, "-f", "event=sched_process_exec"]);
    assert!(warned.contains("holds only what this left: tracer cut -f 7:uid=4242"), "{warned}");
    assert!(!said(&["replay", &cut, "-f", "uid=4242"]).contains("holds only"));
    let again = text(&folder.path("again.trz"));
    printed(&["cut", &cut, "--from", "+0s", "--to", "+1s", "--drop", "openat.pathname", "-o", &again]);
    let info = printed(&["info", &again]);
    assert!(
        info.contains("tracer cut --from +0s --to +1s --drop openat.pathname")
            && info.contains("tracer cut -f 7:uid=4242"),
        "{info}"
    );
    assert!(info.contains("of scopes.trz with chain head"), "{info}");
}

/// A password on a command line, at the start and in an exec.
fn secrets() -> Made {
    let mut made = id_and_ls();
    let shell = process(500, 1, 1000, "mysql", "/usr/bin/mysql");
    let argv = Raw::Bytes(b"mysql\0--password=hunter2\0");
    made.push(&event(90_000_000, "sched_process_exec", shell, &[("argv", argv)]));
    made.push(&event(91_000_000, "execve", shell, &[("argv", argv)]));
    let mut old = synthetic::snapshot(&[shell]);
    if let format::Side::Processes(processes) = &mut old {
        processes[0].argv = b"mysql\0--password=hunter2\0".to_vec();
        processes[0].fds = vec![(3, b"/home/alice/diary".to_vec())];
    }
    made.sides = vec![old];
    made
}

#[test]
fn arguments_that_are_dropped_are_gone_from_states_and_snapshots_too() {
    let folder = Folder::new();
    let (file, cut) = (folder.capture("a.trz", secrets()), text(&folder.path("cut.trz")));
    assert!(has(&strings_and_rows(&file).0, "hunter2"));
    for columns in [["--drop", "*.argv"], ["--keep", "openat.pathname"]] {
        printed(&["cut", &file, "--force", "-o", &cut, columns[0], columns[1]]);
        assert!(!has(&strings_and_rows(&cut).0, "hunter2"), "{columns:?}");
    }
    printed(&["cut", &file, "--force", "-o", &cut, "--drop", "sched_process_exec.argv"]);
    for misspelt in
        [["--drop", "nosuch.argv"], ["--drop", "sched_process_exec.nosuch"], ["--keep", "nosuch.argv"]]
    {
        let output = tracer(&["cut", &file, "--force", "-o", &cut, misspelt[0], misspelt[1]]);
        assert_eq!(output.status.code(), Some(2), "{misspelt:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("no event of this capture has such an argument"), "{said}");
    }
}

#[test]
fn of_processes_that_no_filter_matches_neither_names_nor_command_lines_leave() {
    let folder = Folder::new();
    let (file, cut) = (folder.capture("a.trz", secrets()), text(&folder.path("cut.trz")));
    printed(&["cut", &file, "-f", "comm=ls", "-o", &cut]);
    let (strings, _) = strings_and_rows(&cut);
    for word in ["hunter2", "mysql", "/usr/bin/id", "diary", "bash"] {
        assert!(!has(&strings, word), "{word} is in {}", String::from_utf8_lossy(&strings));
    }
    assert!(has(&strings, "/usr/bin/ls"));
    assert_eq!(printed(&["info", &cut, "-o", "json"]).matches("\"hidden\": 5").count(), 1);
    printed(&["cut", &file, "-f", "comm=ls", "--keep-others", "--force", "-o", &cut]);
    assert!(has(&strings_and_rows(&cut).0, "hunter2"));
}

#[test]
fn rows_of_blocks_that_are_not_in_order_of_time_are_copied_once() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.rows_per_block = 4;
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    for block in (0..8u64).rev() {
        for row in 0..4 {
            let name = if block % 2 == 0 { "sched_process_exec" } else { "openat" };
            made.push(&event(block * 1_000_000 + row, name, shell, &[]));
        }
    }
    let (file, cut) = (folder.capture("a.trz", made), text(&folder.path("cut.trz")));
    printed(&["cut", &file, "-f", "event=openat", "-o", &cut]);
    assert_eq!(strings_and_rows(&cut).1, 32, "16 that match, and 16 execs for the state");
    assert_eq!(printed(&["replay", &cut, "--count", "-f", "event=openat"]).trim(), "16");
}

#[test]
fn each_host_of_a_merged_capture_is_asked_by_what_it_was_recorded_with() {
    let folder = Folder::new();
    let (ls, scopes) = (fixture("ls.trz"), fixture("scopes.trz"));
    let count = |file: &str, filters: &[&str]| -> u64 {
        printed(&with(&["replay", file, "-q", "--count"], filters)).trim().parse().unwrap()
    };
    for (at, files) in [[&ls, &scopes], [&scopes, &ls]].iter().enumerate() {
        let out = text(&folder.path(&format!("{at}.trz")));
        printed(&["merge", files[0], files[1], "-o", &out]);
        assert_eq!(count(&out, &[]), count(&ls, &[]) + count(&scopes, &[]));
        assert_eq!(count(&out, &["pid>0"]), count(&ls, &["pid>0"]) + count(&scopes, &["pid>0"]));
        let header = Capture::open(out.as_ref()).unwrap().header().clone();
        let filters = [0, 1].map(|host| header.recording_of(host).filters.clone());
        assert_eq!(
            filters,
            [0, 1].map(|at| Capture::open(files[at].as_ref()).unwrap().header().recording.filters.clone())
        );
        let sources: Vec<&str> =
            header.provenance[0].sources.iter().map(|source| source.verdict.as_str()).collect();
        assert_eq!(
            (header.provenance[0].command.join(" ").as_str(), sources),
            ("tracer merge", vec!["good", "good"])
        );
    }
}

/// Two hosts, of which one recorded for itself only what its own filter matched.
#[test]
fn what_one_host_of_a_merged_capture_lacks_is_said_of_it() {
    let folder = Folder::new();
    let mut narrow = id_and_ls();
    narrow.header.host.hostname = "web1".into();
    narrow.header.recording.only_matched = true;
    narrow.header.recording.filters = vec!["9:comm=ls".into()];
    let (whole, narrow) = (folder.capture("whole.trz", id_and_ls()), folder.capture("narrow.trz", narrow));
    let out = text(&folder.path("out.trz"));
    printed(&["merge", &whole, &narrow, "-o", &out]);
    let warned = said(&["replay", &out, "-f", "comm=id"]);
    assert_eq!(warned.matches("holds only what matched when it was recorded").count(), 1, "{warned}");
    assert!(warned.contains("out.trz, web1: "), "{warned}");
    assert!(!said(&["replay", &out, "-f", "comm=ls"]).contains("holds only"));
    // explain, diff and cut say it as well.
    let warns = |arguments: &[&str]| said(arguments).contains("out.trz, web1: holds only what matched");
    assert!(warns(&["explain", &out, "-f", "comm=id"]));
    assert!(warns(&["diff", &out, "--before", "-f comm=ls", "--after", "-f comm=id"]));
    assert!(warns(&["cut", &out, "-o", &text(&folder.path("id.trz")), "-f", "comm=id"]));
}

#[test]
fn rows_are_asked_for_by_their_host_in_files_and_merged() {
    let folder = Folder::new();
    let mut other = id_and_ls();
    other.header.host.hostname = "web1".into();
    let (one, other) = (folder.capture("one.trz", id_and_ls()), folder.capture("other.trz", other));
    let merged = text(&folder.path("merged.trz"));
    printed(&["merge", &one, &other, "-o", &merged]);
    for files in [&[one.as_str(), other.as_str()][..], &[&merged]] {
        let count = |filter: &str| printed(&[&["replay", "--count", "-f", filter], files].concat());
        let counts =
            ["host=web1", "host=web*,hb", "host!=web1", "host=db", "sched_process_exec.context.host=true"];
        assert_eq!(counts.map(|filter| count(filter).trim().to_owned()), ["8", "16", "8", "0", "4"]);
        let said = printed(&[&["explain", "-f", "host=web1", "--event", "1"], files].concat());
        assert!(said.contains("hb"), "{said}");
    }
}

#[test]
fn events_that_only_the_file_knows_are_cut_and_compared_by_name() {
    let folder = Folder::new();
    let log = folder.path("log.json");
    let lines = concat!(
        r#"{"timestamp":1,"eventName":"my_detection","processName":"ls","args":[{"name":"what","type":"string","value":"/x"}]}"#,
        "\n",
        r#"{"timestamp":2,"eventName":"net_packet_icmp","processName":"ping","args":[]}"#,
        "\n",
        r#"{"timestamp":3,"eventName":"anti_debugging","processName":"gdb","args":[]}"#,
        "\n"
    );
    std::fs::write(&log, lines).unwrap();
    let (file, out) = (text(&folder.path("a.trz")), text(&folder.path("out.trz")));
    printed(&["import", &text(&log), "-o", &file]);
    printed(&["verify", &file]);
    let direct = printed(&["replay", "-q", "--count", &file, "-f", "my_detection.what=/x"]);
    assert_eq!(direct, "1\n", "statistics know nothing of such texts");
    printed(&["cut", &file, "-o", &out, "-f", "my_detection.what=/x"]);
    let count = |file: &str, filter: &str| printed(&["replay", "-q", "--count", file, "-f", filter]);
    assert_eq!((count(&out, "event=my_*").as_str(), count(&out, "pid>=0").as_str()), ("1\n", "1\n"));
    // Derived events of a log are rows like others.
    for (filter, rows) in
        [("comm=ping", 1), ("event!=ptrace", 3), ("comm=gdb", 1), ("event=anti_debugging", 1)]
    {
        assert_eq!(count(&file, filter), format!("{rows}\n"), "{filter}");
    }
    let difference =
        tracer(&["diff", &file, "--before", "-f event=my_detection", "--after", "-f comm=ping", "--count"]);
    assert_eq!(String::from_utf8_lossy(&difference.stdout), "scope 1: +1 -1 =0\n");
}

/// What stands in each block's frame behind its header, and what the index says of it.
/// The first block is there while the last one has not come.
#[test]
fn standard_input_is_copied_as_it_comes_where_all_rows_stay() {
    use std::io::{Read, Write};
    let folder = Folder::new();
    let mut made = Made::new();
    made.rows_per_block = 100;
    let shell = process(500, 1, 0, "sh", "/bin/sh");
    for at in 0..20_000u64 {
        made.push(&event(at * 1000, "close", shell, &[("fd", Raw::Number(at))]));
    }
    let file = folder.capture("long.trz", made);
    let bytes = fs::read(&file).expect("a capture");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tracer"));
    let piped = std::process::Stdio::piped;
    let mut child = command
        .args(["cut", "-", "-o", "-", "--drop", "close.fd"])
        .stdin(piped())
        .stdout(piped())
        .stderr(piped())
        .spawn()
        .expect("tracer runs");
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (first, rest) = bytes.split_at(bytes.len() / 2);
    input.write_all(first).expect("it reads");
    // More than the header: what is written before the rest comes.
    let mut begun = vec![0; 16 << 10];
    output.read_exact(&mut begun).expect("it writes");
    input.write_all(rest).expect("it reads");
    drop(input);
    output.read_to_end(&mut begun).expect("it writes");
    assert!(child.wait().expect("an end").success());
    let part = text(&folder.path("part.trz"));
    fs::write(&part, &begun).expect("a folder");
    assert!(printed(&["verify", &part]).contains(": good"));
    let ask = |file: &str| printed(&["replay", "-q", "--count", file, "-f", "event=close"]);
    assert_eq!((ask(&part), ask(&file)), ("20000\n".to_owned(), "20000\n".to_owned()));
    assert!(printed(&["info", &part]).contains("read as it came"), "that it was not verified is said");
}

fn blocks(file: &str) -> Vec<(Vec<u8>, format::Statistics)> {
    let bytes = std::fs::read(file).unwrap();
    let capture = format::Capture::open(file.as_ref()).unwrap();
    let block = |info: &format::BlockInfo| {
        let frame = &bytes[info.offset as usize..][..info.bytes as usize];
        (frame[64..].to_vec(), info.statistics.clone())
    };
    capture.blocks().iter().map(block).collect()
}

#[test]
fn blocks_of_which_all_rows_stay_are_copied_as_they_stand() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.rows_per_block = 20;
    let context = process(100, 1, 0, "sh", "/bin/sh");
    for at in 0..100u64 {
        let path = format!("/tmp/{at}");
        made.push(&event(at * 1_000_000, "openat", context, &[("pathname", Raw::Bytes(path.as_bytes()))]));
    }
    let whole = folder.capture("whole.trz", made);
    let out = |name: &str| text(&folder.path(name));
    let ask = |file: &str| printed(&["replay", file, "-q", "-o", "json", "-f", "openat.pathname=/tmp/*"]);
    let same = |one: &(Vec<u8>, format::Statistics), other: &(Vec<u8>, format::Statistics)| one == other;
    printed(&["cut", &whole, "-o", &out("all.trz")]);
    printed(&["cut", &whole, "-o", &out("matched.trz"), "-f", "comm=sh"]);
    printed(&["recover", &whole, "-o", &out("recovered.trz")]);
    for name in ["all.trz", "matched.trz", "recovered.trz"] {
        assert!(
            blocks(&whole).iter().zip(&blocks(&out(name))).all(|(one, other)| same(one, other)),
            "{name}"
        );
        assert_eq!(ask(&out(name)), ask(&whole), "{name}");
        assert!(printed(&["verify", &out(name)]).contains(": good"));
    }
    // The blocks at the ends of a stretch are encoded anew, those between are not.
    printed(&["cut", &whole, "-o", &out("part.trz"), "--from", "#25", "--to", "#75"]);
    let (source, part) = (blocks(&whole), blocks(&out("part.trz")));
    let is_copied = |block: &(Vec<u8>, format::Statistics)| source.iter().any(|other| same(other, block));
    assert_eq!(part.iter().map(is_copied).collect::<Vec<_>>(), [false, true, false]);
    assert!(printed(&["verify", &out("part.trz")]).contains(": good"));
    // Whoever asks for another compression, for less, or for more than an older program wrote, gets blocks of today.
    for (arguments, old) in [
        (&["--compression", "max"][..], None),
        (&["--drop", "openat.flags"], None),
        (&["-f", "comm=sh"], None),
        (&[], Some(fixture("format-v4.trz"))),
    ] {
        let source = old.as_ref().unwrap_or(&whole);
        printed(&[&["cut", source, "-o", &out("anew.trz"), "--force"][..], arguments].concat());
        assert!(printed(&["verify", &out("anew.trz")]).contains(": good"), "{arguments:?}");
        let rows = |file: &str| printed(&["replay", file, "-q", "--count", "-f", "pid>=0"]);
        assert_eq!(rows(&out("anew.trz")), rows(source), "{arguments:?}");
    }
    // What does not verify is not believed: its blocks are decoded, and the damaged one is told.
    let mut bytes = std::fs::read(&whole).unwrap();
    let second = format::Capture::open(whole.as_ref()).unwrap().blocks()[1].clone();
    bytes[(second.offset + second.bytes) as usize - 12] ^= 1;
    let damaged = out("damaged.trz");
    std::fs::write(&damaged, bytes).unwrap();
    let output = tracer(&["cut", &damaged, "-o", &out("rest.trz")]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("does not verify") && said.contains("20"), "{said}");
    assert_eq!(printed(&["replay", &out("rest.trz"), "-q", "--count", "-f", "pid>=0"]).trim(), "80");
}

#[test]
fn a_part_cut_by_time_tells_the_messages_that_the_whole_tells_of_that_time() {
    let folder = Folder::new();
    let mut made = Made::new();
    made.rows_per_block = 2;
    let context = process(100, 1, 0, "curl", "/usr/bin/curl");
    let head = |path: &str| format!("POST {path} HTTP/1.1\r\nContent-Length: 9\r\n\r\nGET /body");
    let (first, wanted) = (head("/first"), head("/wanted"));
    let sequence = |length: usize| 1 + length as u32;
    let parts: [(u16, u32, &str); 8] = [
        (5001, 1, &first),
        (5002, 1, "GET /never"),
        (5001, sequence(first.len()), &wanted[..20]),
        // A body is a body, whatever it looks like, where its head was cut away.
        (5001, sequence(first.len()) + 20, &wanted[20..wanted.len() - 9]),
        (5001, sequence(first.len() + wanted.len()) - 9, &wanted[wanted.len() - 9..]),
        // Sent again, it is no message a second time.
        (5001, 1, &first),
        (5001, sequence(first.len() + wanted.len()), "GET /last HTTP/1.1\r\n"),
        (5001, sequence(first.len() + wanted.len()) + 20, "\r\n"),
    ];
    for (at, (port, sequence, payload)) in (0..).zip(parts) {
        let packet = synthetic::tcp_packet(port, 80, sequence, 16, payload.as_bytes());
        let args = [("data", Raw::Bytes(&packet)), ("length", Raw::Number(packet.len() as u64))];
        made.push(&event(at * 1_000_000, "net_packet", context, &args));
    }
    let (web, part) = (folder.capture("web.trz", made), text(&folder.path("part.trz")));
    let ask = |file: &str, more: &[&str]| {
        let arguments =
            ["replay", file, "-q", "-o", "json", "-f", "event=net_packet_http_request,net_packet"];
        printed(&[&arguments[..], more].concat())
    };
    let times: Vec<String> = printed(&["replay", &web, "-q", "-o", "json", "-f", "event=net_packet"])
        .lines()
        .map(|line| line.split([':', ',']).nth(1).unwrap().to_owned())
        .collect();
    let messages = printed(&["replay", &web, "-q", "--count", "-f", "event=net_packet_http_request"]);
    assert_eq!(messages.trim(), "4", "three requests, and one that nothing completes");
    for (from, from_ns) in times.iter().enumerate() {
        let range = ["--from", from_ns.as_str()];
        printed(&[&["cut", &web, "-o", &part, "--force"][..], &range].concat());
        assert_eq!(ask(&part, &[]), ask(&web, &range), "from packet {from}");
        for (to, to_ns) in times.iter().enumerate().skip(from) {
            let range = ["--from", from_ns.as_str(), "--to", to_ns.as_str()];
            printed(&[&["cut", &web, "-o", &part, "--force"][..], &range].concat());
            assert_eq!(ask(&part, &[]), ask(&web, &range), "from packet {from} to {to}");
        }
    }
}
