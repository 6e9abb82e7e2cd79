//! `tracer import` as a user meets it: logs become captures that say the same.

mod program;

use events::{Context, Raw};
use program::{Folder, event, id_and_ls, printed, said, synthetic, text, tracer};
use synthetic::{Event, process};

#[test]
fn a_log_of_json_lines_comes_back_as_the_same_lines() {
    let folder = Folder::new();
    let mut made = id_and_ls();
    made.sides.push(synthetic::container());
    let address = [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let connect = [("sockfd", Raw::Number(3)), ("addr", Raw::Bytes(&address)), ("addrlen", Raw::Number(16))];
    let inside = Context {
        cgroup_id: synthetic::CONTAINER_CGROUP,
        ns_pid: 8,
        ..process(700, 1, 0, "p\u{ff}ng", "/bin/ping")
    };
    made.push(&Event { ret: -111, ..event(5_000_000, "connect", inside, &connect) });
    let time = [("req", Raw::Bytes(&[1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]))];
    made.push(&event(5_000_001, "nanosleep", inside, &time));
    let bytes = [("fd", Raw::Number(1)), ("buf", Raw::Bytes(b"\xff\0hello")), ("count", Raw::Number(7))];
    made.push(&event(5_000_002, "write", inside, &bytes));
    made.push(&event(5_000_003, "openat", inside, &[("pathname", Raw::Bytes(b"/tmp/\xff\xfe"))]));
    let file = folder.capture("first.trz", made);
    let lines = printed(&["replay", &file, "-o", "json"]);
    let log = folder.path("log.json");
    std::fs::write(&log, &lines).expect("a log");
    let imported = text(&folder.path("imported.trz"));
    printed(&["import", "--from", "tracee-json", &text(&log), "-o", &imported]);
    assert_eq!(printed(&["replay", &imported, "-o", "json"]), lines);
    assert_eq!(printed(&["replay", &imported, "--count", "-f", "connect.retval<0"]), "1\n");
    assert_eq!(printed(&["replay", &imported, "--count", "-f", "container=pinger", "-f", "uid=0"]), "4\n");
}

#[test]
fn logs_with_events_of_others_are_imported_and_bad_lines_are_named() {
    let folder = Folder::new();
    let log = folder.path("log.json");
    let lines = concat!(
        "{\"timestamp\":1,\"eventName\":\"new_event\",\"processName\":\"ls\",\"args\":",
        "[{\"name\":\"path\",\"type\":\"string\",\"value\":\"/x\"},{\"name\":\"deep\",\"type\":\"any\",\"value\":{\"a\":[1,-2,null]}}]}\n",
        "not json\n",
    );
    std::fs::write(&log, lines).expect("a log");
    let target = text(&folder.path("c.trz"));
    let refused = tracer(&["import", &text(&log), "-o", &target]);
    let err = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && err.contains("line 2: "), "{err}");
    let err = said(&["import", &text(&log), "-o", &target, "--skip-bad"]);
    assert!(err.contains("1 lines skipped; the first: line 2"), "{err}");
    let json = printed(&["replay", &target, "-o", "json"]);
    assert!(json.contains("\"eventName\":\"new_event\""), "{json}");
    assert!(json.contains("\"value\":\"/x\"") && json.contains("\"value\":{\"a\":[1,-2,null]}"), "{json}");
    assert_eq!(printed(&["replay", &target, "--count", "-f", "comm=ls"]), "1\n");
}

#[test]
fn a_line_that_is_too_long_is_a_bad_line_and_nothing_more() {
    let folder = Folder::new();
    let (log, target) = (folder.path("log.json"), text(&folder.path("c.trz")));
    let good =
        |name: &str| format!("{{\"timestamp\":1,\"eventName\":\"openat\",\"processName\":\"{name}\"}}\n");
    let long = "x".repeat(17 << 20);
    // Whatever it holds, and at the end of the log too.
    let longest = format!("{{\"timestamp\":1,\"eventName\":\"close\",\"processName\":\"{long}\"}}");
    std::fs::write(&log, [&good("ls"), &longest, "\n", &good("id"), &" ".repeat(40 << 20)].concat())
        .expect("a log");
    let refused = tracer(&["import", &text(&log), "-o", &target]);
    let err = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && err.contains("line 2: longer than 16 MiB"), "{err}");
    let err = said(&["import", &text(&log), "-o", &target, "--skip-bad"]);
    assert!(err.contains("2 events imported"), "{err}");
    assert!(err.contains("2 lines skipped; the first: line 2: longer than 16 MiB"), "{err}");
    assert_eq!(printed(&["replay", &target, "--count", "-f", "comm=ls,id"]), "2\n");
}

#[test]
fn real_captures_come_back_from_their_own_json() {
    let folder = Folder::new();
    let fixtures = std::fs::read_dir(format!("{}/fixtures", env!("CARGO_MANIFEST_DIR"))).expect("fixtures");
    let fixtures = fixtures.map(|entry| entry.expect("an entry").path());
    let captures: Vec<_> = fixtures.filter(|path| path.extension().is_some_and(|end| end == "trz")).collect();
    assert!(captures.len() >= 9, "{captures:?}");
    for capture in captures {
        let fixture = text(&capture);
        let name = capture.file_stem().expect("a name").to_string_lossy();
        let lines = printed(&["replay", &fixture, "-o", "json"]);
        // One that shows no event is no log.
        if lines.is_empty() {
            continue;
        }
        let log = folder.path("log.json");
        std::fs::write(&log, &lines).expect("a log");
        let imported = text(&folder.path(&format!("{name}.trz")));
        printed(&["import", &text(&log), "-o", &imported]);
        assert!(printed(&["replay", &imported, "-o", "json"]) == lines, "{name} differs after its import");
    }
}

#[test]
fn entries_of_directories_are_asked_by_name_in_logs_of_today_and_in_base64_of_before() {
    let folder = Folder::new();
    let line = |value: &str| {
        format!(
            r#"{{"timestamp":1700000000000000001,"eventId":"217","eventName":"getdents64","processName":"ls","args":[{{"name":"dirp","type":"struct linux_dirent64*","value":{value}}}]}}"#
        ) + "\n"
    };
    // As the kernel laid it out: inode 9, a cursor, 24 bytes, a regular file `note`.
    let lines = [
        r#""CQAAAAAAAABNAAAAAAAAABgACG5vdGUA""#,
        r#"[{"d_ino":9,"d_type":8,"d_name":"note"}]"#,
        r#"[{"d_ino":9,"d_type":"DT_REG","d_name":"note"}]"#,
    ]
    .map(line);
    let log = folder.path("log.json");
    std::fs::write(&log, lines.concat()).expect("a log");
    let imported = text(&folder.path("imported.trz"));
    printed(&["import", &text(&log), "-o", &imported]);
    for filter in ["dirp.d_name=note", "dirp.d_ino=9", "dirp.d_type=DT_REG"] {
        let filter = format!("getdents64.{filter}");
        assert_eq!(printed(&["replay", &imported, "--count", "-f", &filter]), "3\n", "{filter}");
    }
    let shown = printed(&["replay", &imported, "-o", "json"]);
    assert_eq!(shown.matches(r#"[{"d_ino":9,"d_type":8,"d_name":"note"}]"#).count(), 3, "{shown}");
}

#[test]
fn lines_keep_their_order_when_the_clock_was_set_back_between_them() {
    let folder = Folder::new();
    let file = folder.capture("id-ls.trz", id_and_ls());
    let printed_lines = printed(&["replay", &file, "-o", "json"]);
    let count = printed_lines.lines().count();
    // In the second half the wall clock is half a second further back.
    let set_back = |(at, line): (usize, &str)| {
        let mut event: serde_json::Value = serde_json::from_str(line).expect("JSON");
        for key in ["timestamp", "threadStartTime"] {
            let time = event[key].as_u64().expect("a time");
            event[key] = (time - if at * 2 >= count { 500_000_000 } else { 0 }).into();
        }
        format!("{event}\n")
    };
    let lines: String = printed_lines.lines().enumerate().map(set_back).collect();
    let time =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["timestamp"].as_u64();
    let times: Vec<_> = lines.lines().map(time).collect();
    assert!(times.windows(2).any(|pair| pair[1] < pair[0]), "{times:?}");
    let log = folder.path("log.json");
    std::fs::write(&log, &lines).expect("a log");
    let imported = text(&folder.path("imported.trz"));
    printed(&["import", &text(&log), "-o", &imported]);
    assert_eq!(printed(&["replay", &imported, "-o", "json"]), lines);
}

/// A line as Tracee's releases after 0.12 write it, and one as those of 2026 do.
const NEWER_LINES: &str = concat!(
    r#"{"timestamp":1700000000000000001,"threadStartTime":1699999999000000000,"processorId":1,"processId":7,"cgroupId":90,"#,
    r#""threadId":7,"parentProcessId":1,"hostProcessId":700,"hostThreadId":700,"hostParentProcessId":600,"userId":1000,"#,
    r#""mountNamespace":5,"pidNamespace":6,"processName":"cat","executable":{"path":"/bin/cat"},"hostName":"h","containerId":"","#,
    r#""container":{"id":"abcdef","name":"web","image":"nginx"},"kubernetes":{"podName":"p","podNamespace":"n","podUID":"u","podSandbox":true},"#,
    r#""eventId":"257","eventName":"openat","matchedPolicies":["etc"],"argsNum":1,"returnValue":-13,"syscall":"openat","#,
    r#""stackAddresses":null,"contextFlags":{"containerStarted":true,"isCompat":false},"processEntityId":520127464,"#,
    r#""args":[{"name":"pathname","type":"const char*","value":"/etc/shadow"}]}"#,
    "\n",
    r#"{"timestamp":1700000000000000002,"eventName":"other","processName":"x","matchedPolicies":["proc"],"args":null}"#,
    "\n",
    r#"{"timestamp":"2023-11-14T22:13:20.000000003Z","id":42,"name":"connect","policies":{"matched":["net","etc"]},"#,
    r#""workload":{"process":{"executable":{"path":"/bin/nc"},"unique_id":1,"host_pid":701,"pid":8,"real_user":{"id":5},"#,
    r#""thread":{"start_time":"2023-11-14T22:13:19Z","name":"nc","host_tid":701,"tid":8,"syscall":"connect"},"#,
    r#""ancestors":[{"host_pid":600,"pid":1}]},"container":{"id":"fedcba","name":"db","image":{"name":"pg"},"started":true}},"#,
    r#""data":[{"name":"addr","value":{"sa_family":2,"sin_addr":"10.0.0.1","sin_port":443}},{"name":"returnValue","value":0}]}"#,
    "\n",
);

#[test]
fn lines_of_newer_releases_are_imported_with_their_containers_and_policies() {
    let folder = Folder::new();
    let log = folder.path("log.json");
    std::fs::write(&log, NEWER_LINES).expect("a log");
    let capture = text(&folder.path("c.trz"));
    printed(&["import", "--from", "tracee-json", &text(&log), "-o", &capture]);
    let count = |filter: &str| printed(&["replay", &capture, "--count", "-f", filter]);
    for filter in [
        "openat.retval=EACCES",
        "container=web",
        "container=fedc",
        "openat.context.podName=p",
        "openat.context.podSandbox=true",
        "connect.addr.sin_port=443",
        "connect.addr.sin_addr=10.*",
        "uid=5",
        "ppid=600 ",
        "binary=/bin/nc",
    ] {
        let filter = filter.trim_end();
        let expected = if filter == "ppid=600" { "2\n" } else { "1\n" };
        assert_eq!(count(filter), expected, "{filter}");
    }
    let json = printed(&["replay", &capture, "-o", "json"]);
    let policies: Vec<&str> =
        json.lines().filter_map(|line| line.split("\"matchedPolicies\":").nth(1)).collect();
    assert_eq!(policies, ["[\"etc\"]}", "[\"proc\"]}", "[\"etc\",\"net\"]}"]);
    // What was imported comes back from its own lines.
    std::fs::write(&log, &json).expect("a log");
    let again = text(&folder.path("again.trz"));
    printed(&["import", &text(&log), "-o", &again]);
    assert_eq!(printed(&["replay", &again, "-o", "json"]), json);
}

#[test]
fn logs_with_a_byte_order_mark_and_packed_logs_are_read_as_they_are_meant() {
    let folder = Folder::new();
    let file = folder.capture("a.trz", id_and_ls());
    let log = printed(&["replay", &file, "-o", "json"]);
    let import = |name: &str, bytes: &[u8]| {
        let path = folder.path(name);
        std::fs::write(&path, bytes).unwrap();
        let out = text(&folder.path(&format!("{name}.trz")));
        printed(&["import", &text(&path), "-o", &out]);
        printed(&["replay", &out, "-o", "json"])
    };
    let plain = import("plain.json", log.as_bytes());
    assert_eq!(import("marked.json", format!("\u{feff}{log}").as_bytes()), plain);
    let path = text(&folder.path("plain.json"));
    let gzip = std::process::Command::new("gzip").args(["-c", &path]).output().expect("gzip is there").stdout;
    assert_eq!(import("packed.json.gz", &gzip), plain);
    // Two pieces, as rotated logs are put together; and one that ends early is an error.
    let (first, second) = log.split_at(log.find('\n').unwrap() + 1);
    let pieces: Vec<u8> = [first, second]
        .iter()
        .enumerate()
        .flat_map(|(at, part)| {
            let piece = folder.path(&format!("piece{at}"));
            std::fs::write(&piece, part).unwrap();
            std::process::Command::new("gzip").args(["-c", &text(&piece)]).output().unwrap().stdout
        })
        .collect();
    assert_eq!(import("pieces.json.gz", &pieces), plain);
    let torn = folder.path("torn.json.gz");
    std::fs::write(&torn, &gzip[..gzip.len() / 2]).unwrap();
    let output = tracer(&["import", &text(&torn), "-o", &text(&folder.path("torn.trz"))]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!folder.path("torn.trz").exists());
}
