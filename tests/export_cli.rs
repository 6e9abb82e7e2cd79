//! `tracer export` as a user meets it: what is written reads back as what was recorded.

#![allow(clippy::print_stderr)] // a test that cannot run here says so

mod program;

use events::{Marks, Raw};
use program::{Folder, event, id_and_ls, printed, said, synthetic, text, tracer};
use serde_json::Value;
use synthetic::{Event, process};

/// A TCP segment from 10.0.0.1:4242 to 10.0.0.2:443, without data.
const SEGMENT: [u8; 40] = [
    0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2, 0x10, 0x92, 0x01, 0xbb, 0, 0, 0, 1, 0,
    0, 0, 0, 0x50, 2, 1, 0, 0, 0, 0, 0,
];

/// Calls with values of several kinds, and a packet, by a process whose name is a formula.
fn capture(folder: &Folder) -> String {
    let mut made = id_and_ls();
    let odd = process(700, 1, 0, "=cmd|x", "/bin/a,b");
    let address = [2, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let connect = [("sockfd", Raw::Number(3)), ("addr", Raw::Bytes(&address)), ("addrlen", Raw::Number(16))];
    made.push(&Event { ret: -111, ..event(5_000_000, "connect", odd, &connect) });
    let bytes =
        [("fd", Raw::Number(1)), ("buf", Raw::Bytes(b"\xff\x001\"hello\n")), ("count", Raw::Number(999))];
    made.push(&Event {
        ret: 999,
        marks: Marks(Marks::TRUNCATED).cut_arg(1),
        ..event(5_000_001, "write", odd, &bytes)
    });
    let open = [
        ("dirfd", Raw::Number(-100i64 as u64)),
        ("pathname", Raw::Bytes(b"/tmp/\xe2\x82\xac")),
        ("flags", Raw::Number(0o101)),
        ("mode", Raw::Number(0o644)),
    ];
    made.push(&Event { ret: 4, ..event(5_000_002, "openat", odd, &open) });
    let packet =
        [("data", Raw::Bytes(&SEGMENT)), ("length", Raw::Number(1500)), ("direction", Raw::Number(1))];
    made.push(&event(5_000_003, "net_packet", odd, &packet));
    folder.capture("a.trz", made)
}

/// The lines of `strace` that are of process 700.
#[test]
fn calls_are_written_as_strace_writes_them() {
    let folder = Folder::new();
    let file = capture(&folder);
    let lines = printed(&["export", &file, "--to", "strace", "-f", "pid=700", "-q"]);
    let calls: Vec<&str> = lines
        .lines()
        .filter_map(|line| line.strip_prefix("700 ")?.split_once(' '))
        .map(|(_, call)| call)
        .collect();
    let expected = [
        "connect(3, {sa_family=AF_INET, sin_addr=inet_addr(\"127.0.0.1\"), sin_port=htons(80)}, 16) = -1 ECONNREFUSED (Connection refused)",
        "write(1, \"\\377\\0001\\\"hello\\n\"..., 999) = 999",
        "openat(AT_FDCWD, \"/tmp/\\342\\202\\254\", O_WRONLY|O_CREAT, 0644) = 4",
    ];
    assert_eq!(calls, expected);
    let err = said(&["export", &file, "--to", "strace", "-f", "pid=700"]);
    assert!(err.contains("1 of 4 events left out, which strace cannot hold: 1 of net_packet"), "{err}");
}

#[test]
fn json_formats_have_a_line_an_event_with_what_they_must_have() {
    let folder = Folder::new();
    let file = capture(&folder);
    let count: usize = printed(&["replay", &file, "--count"]).trim().parse().expect("a number");
    let lines = |format: &str| -> Vec<Value> {
        let lines = printed(&["export", &file, "--to", format]);
        lines.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    let sketch = lines("timesketch");
    assert_eq!(sketch.len(), count);
    for key in ["message", "datetime", "timestamp_desc"] {
        assert!(sketch.iter().all(|line| line[key].is_string()), "{key}");
    }
    let bulk = lines("ecs");
    assert_eq!(bulk.len(), 2 * count);
    let connect = bulk.iter().find(|line| line["event"]["action"] == "connect").expect("connect");
    assert_eq!(connect["event"]["outcome"], "failure");
    assert_eq!(connect["process"]["pid"], 700);
    assert_eq!(connect["tracer"]["errno"], "ECONNREFUSED");
    let logs = lines("otlp-json");
    assert_eq!(logs.len(), count);
    let record = &logs.iter().map(|log| &log["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]);
    assert!(
        record.clone().all(|record| record["timeUnixNano"].is_string() && record["eventName"].is_string())
    );
}

#[test]
fn csv_has_a_row_an_event_and_no_formula() {
    let folder = Folder::new();
    let file = capture(&folder);
    let rows = printed(&["export", &file, "--to", "csv", "-f", "event=connect"]);
    let (header, rows) = rows.split_once("\r\n").expect("a header");
    assert!(header.starts_with("time,host,event,result,errno,pid"), "{header}");
    assert!(rows.contains(",connect,-111,ECONNREFUSED,700,700,1,0,0,\"'=cmd|x\",\"/bin/a,b\","), "{rows}");
    assert_eq!(rows.matches("\r\n").count(), 1);
}

#[test]
fn packets_are_blocks_with_their_process() {
    let folder = Folder::new();
    let file = capture(&folder);
    let target = text(&folder.path("a.pcapng"));
    printed(&["export", &file, "--to", "pcapng", "-o", &target]);
    let bytes = std::fs::read(&target).expect("a file");
    let word = |at: usize| u32::from_le_bytes(*bytes[at..].first_chunk().expect("four bytes"));
    let (mut at, mut kinds) = (0, Vec::new());
    while at < bytes.len() {
        let length = word(at + 4) as usize;
        assert_eq!(word(at + length - 4), word(at + 4), "both lengths of the block at {at}");
        kinds.push(word(at));
        if word(at) == 6 {
            assert_eq!((word(at + 20), word(at + 24)), (40, 1500));
            assert_eq!(bytes[at + 28..][..40], SEGMENT);
            let ids = [8u16.to_le_bytes(), 8u16.to_le_bytes()].concat();
            let ids = [ids, 700u32.to_le_bytes().to_vec(), 700u32.to_le_bytes().to_vec()].concat();
            assert!(bytes[at..at + length].windows(12).any(|window| window == ids), "option 8");
            let outbound = [2u16.to_le_bytes(), 4u16.to_le_bytes(), 2u16.to_le_bytes(), [0, 0]].concat();
            assert!(bytes[at..at + length].windows(8).any(|window| window == outbound), "direction");
            let block = String::from_utf8_lossy(&bytes[at..at + length]);
            assert!(block.contains("pid=700 comm==cmd|x exe=/bin/a,b"), "{block}");
        }
        at += length;
    }
    assert_eq!(kinds, [0x0a0d_0d0a, 1, 6]);
}

#[test]
fn an_export_never_takes_a_file_s_place_unasked_and_names_the_formats() {
    let folder = Folder::new();
    let file = capture(&folder);
    let target = text(&folder.path("there.csv"));
    std::fs::write(&target, "mine").expect("a file");
    let refused = tracer(&["export", &file, "--to", "csv", "-o", &target]);
    assert_eq!(refused.status.code(), Some(2));
    assert_eq!(std::fs::read_to_string(&target).expect("the file"), "mine");
    let refused = tracer(&["export", &file, "--to", "parket"]);
    let err = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(2) && err.contains("there are strace, csv, pcapng"), "{err}");
    let onto_itself = tracer(&["export", &file, "--to", "csv", "--force", "-o", &file]);
    assert_eq!(onto_itself.status.code(), Some(2));
}

#[test]
fn an_export_of_a_stretch_is_its_events() {
    let folder = Folder::new();
    let file = capture(&folder);
    let all = printed(&["export", &file, "--to", "csv"]);
    let first = printed(&["export", &file, "--to", "csv", "--to", "#3"]);
    let rest = printed(&["export", &file, "--to", "csv", "--from", "#3"]);
    assert_eq!(first.lines().count() + rest.lines().count(), all.lines().count() + 1);
    let one = printed(&["export", &file, "--to", "csv", "--threads", "1"]);
    assert_eq!(one, printed(&["export", &file, "--to", "csv", "--threads", "2"]));
}

#[test]
fn what_was_exported_for_strace_comes_back_as_the_same_calls() {
    let folder = Folder::new();
    let file = "fixtures/id-ls.trz";
    let log = folder.path("strace.log");
    std::fs::write(&log, printed(&["export", file, "--to", "strace", "-q"])).expect("a log");
    let imported = text(&folder.path("imported.trz"));
    printed(&["import", "--from", "strace", &text(&log), "-o", &imported]);
    let rows = |file: &str| -> Vec<String> {
        calls(file)
            .iter()
            .filter(|line| line["eventName"] != "execve")
            .map(|line| {
                let args = line["args"].as_array().expect("arguments").iter();
                let path = args.filter(|arg| arg["name"] == "pathname").map(|arg| arg["value"].to_string());
                let path = path.collect::<String>();
                format!("{} {} {} {path}", line["hostThreadId"], line["eventName"], line["returnValue"])
            })
            .collect()
    };
    let (recorded, imported) = (rows(file), rows(&imported));
    assert!(recorded.len() > 50, "{}", recorded.len());
    assert_eq!(recorded, imported);
}

/// The system calls of a capture, as lines of JSON.
fn calls(file: &str) -> Vec<Value> {
    let json = printed(&["replay", file, "-q", "-f", "pid>=0", "-o", "json"]);
    let lines = json.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    lines.filter(|line| line["syscall"] == line["eventName"]).collect()
}

/// strace itself, where it is there and may trace.
#[test]
fn every_line_of_strace_is_an_event_or_its_own_message() {
    let folder = Folder::new();
    let log = text(&folder.path("strace.log"));
    let run = std::process::Command::new("strace")
        .args(["-f", "-tt", "-yy", "-T", "-o", &log, "sh", "-c", "ls / | wc -l; cat /nonexistent"])
        .output();
    if !run.is_ok_and(|output| std::path::Path::new(&log).exists() && !output.stdout.is_empty()) {
        eprintln!("skipped: strace cannot run here");
        return;
    }
    let imported = text(&folder.path("imported.trz"));
    printed(&["import", "--from", "strace", &log, "-o", &imported]);
    let count =
        |filter: &str| printed(&["replay", &imported, "-q", "--count", "-f", filter]).trim().to_owned();
    assert_eq!(count("event=sched_process_exec"), "4");
    assert_eq!(count("event=sched_process_exit"), "4");
    assert_eq!(
        printed(&[
            "replay",
            &imported,
            "-q",
            "--count",
            "-f",
            "comm=cat",
            "-f",
            "openat.pathname=/nonexistent",
            "-f",
            "openat.retval=ENOENT"
        ])
        .trim(),
        "1"
    );
    let lines = std::fs::read_to_string(&log).expect("the log");
    let told = lines.lines().filter(|line| line.contains(" = ") && !line.contains("--- ")).count();
    assert_eq!(calls(&imported).len(), told);
}

/// Logs of others are asked with the same filters, by keys of audit rules and by fields of alerts, and say what they lack.
#[test]
fn logs_of_other_programs_are_asked_as_captures_are() {
    let folder = Folder::new();
    let import = |format: &str, log: &str| {
        let (written, capture) =
            (folder.path(&format!("{format}.log")), text(&folder.path(&format!("{format}.trz"))));
        std::fs::write(&written, log).expect("a log");
        printed(&["import", "--from", format, &text(&written), "-o", &capture]);
        capture
    };
    let count = |capture: &str, filter: &str| printed(&["replay", capture, "--count", "-f", filter]);
    let audit = import(
        "auditd",
        "type=SYSCALL msg=audit(100.001:7): arch=c000003e syscall=257 success=no exit=-13 a0=ffffff9c a1=7ffd a2=0 a3=0 items=1 \
         ppid=10 pid=12 uid=1000 comm=\"find\" exe=\"/usr/bin/find\" key=\"secrets\"\n\
         type=PATH msg=audit(100.001:7): item=0 name=\"/etc/shadow\" nametype=NORMAL\n",
    );
    assert_eq!(count(&audit, "openat.pathname=/etc/shadow").trim(), "1");
    assert_eq!(count(&audit, "openat.retval=-13").trim(), "1");
    assert!(said(&["replay", &audit]).contains("secrets"), "the key of the rule is a policy");
    assert!(printed(&["info", &audit]).contains("no audit rule asked for"));
    let alert = import(
        "falco",
        r#"{"rule":"Read sensitive file","priority":"Warning","output":"x","time":"2024-05-07T18:54:19.3Z","output_fields":{"fd.name":"/etc/shadow","proc.name":"cat","proc.pid":7,"user.uid":0}}"#,
    );
    assert_eq!(count(&alert, "falco_alert.fd_name=/etc/shadow").trim(), "1");
    assert_eq!(count(&alert, "comm=cat").trim(), "1");
    let kinds = [
        (
            "tetragon",
            r#"{"time":"2022-02-01T18:01:56Z","process_exec":{"process":{"pid":7,"uid":0,"binary":"/bin/sh","arguments":"-c x"}}}"#,
        ),
        (
            "kunai",
            r#"{"data":{"exe":{"path":"/bin/sh"},"command_line":"sh -c x"},"info":{"event":{"name":"execve"},"task":{"pid":7,"tgid":7},"utc_time":"2025-06-10T14:00:42Z"}}"#,
        ),
        (
            "sysmon",
            r#"<Event><System><EventID>1</EventID><TimeCreated SystemTime="2021-10-24T17:05:46Z"/></System><EventData><Data Name="Image">/bin/sh</Data><Data Name="CommandLine">sh -c x</Data></EventData></Event>"#,
        ),
    ];
    for (format, log) in kinds {
        assert_eq!(
            count(&import(format, log), "sched_process_exec.pathname=/bin/sh").trim(),
            "1",
            "{format}"
        );
    }
}

/// A folder of tables has each closed capture once, in the folder of its host and day, and says with which filters.
#[test]
fn tables_of_captures_that_a_folder_has_already_are_not_written_again() {
    let folder = Folder::new();
    let lake = format!("{}/", text(&folder.path("lake")));
    let export = |more: &[&str]| {
        let all = [&["export", "--to", "parquet", "--since-last", "-o", &lake], more].concat();
        tracer(&all)
    };
    let tables = || {
        let mut found = Vec::new();
        let mut folders = vec![folder.path("lake")];
        while let Some(at) = folders.pop() {
            for entry in std::fs::read_dir(at).expect("a folder") {
                let path = entry.expect("an entry").path();
                match path.is_dir() {
                    true => folders.push(path),
                    false if path.extension().is_some_and(|it| it == "parquet") => found.push(text(&path)),
                    false => {}
                }
            }
        }
        found.sort();
        found
    };
    let first = export(&["fixtures/id-ls.trz"]);
    assert!(String::from_utf8_lossy(&first.stderr).contains("1 captures exported"), "{first:?}");
    let one = tables();
    assert!(one.len() == 1 && one[0].contains("/host=debian/date=2026-11-23/part-"), "{one:?}");
    assert!(std::fs::read(&one[0]).expect("a table").starts_with(b"PAR1"));
    // A run that was killed before it could say that it was done is repeated, and takes the place of what it had written.
    let marker = std::fs::read_dir(folder.path("lake/_tracer")).expect("a folder").next().expect("a marker");
    std::fs::remove_file(marker.expect("a marker").path()).expect("it can be removed");
    export(&["fixtures/id-ls.trz", "fixtures/ls.trz"]);
    let two = tables();
    assert!(two.len() == 2 && two.contains(&one[0]), "{two:?}");
    let third = export(&["fixtures/id-ls.trz", "fixtures/ls.trz"]);
    assert!(String::from_utf8_lossy(&third.stderr).contains("0 captures exported"), "{third:?}");
    let other = export(&["fixtures/ls.trz", "-f", "comm=ls"]);
    let err = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(other.status.code() == Some(2) && err.contains("exported with no filters"), "{err}");
}

/// Killed at any time, and begun again: in the end each event is in one table, once, and a table is whole or not there.
#[test]
fn tables_hold_each_event_once_though_the_export_is_killed_again_and_again() {
    const CAPTURES: u64 = 16;
    let folder = Folder::new();
    let lake = format!("{}/", text(&folder.path("lake")));
    let mut files = Vec::new();
    for number in 0..CAPTURES {
        let mut made = synthetic::busy(4_000, 500);
        made.header.host.hostname = format!("host{}", number % 3);
        made.header.host.boot_id = format!("boot{number}");
        files.push(folder.capture(&format!("{number:02}.trz"), made));
    }
    let mut words = vec!["export", "--to", "parquet", "--since-last", "-q", "-o", &lake];
    words.extend(files.iter().map(String::as_str));
    let tables = |folder: &std::path::Path| {
        let (mut tables, mut folders) = (Vec::new(), vec![folder.to_owned()]);
        while let Some(at) = folders.pop() {
            for entry in std::fs::read_dir(at).into_iter().flatten() {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|it| it == "parquet") {
                    tables.push(path);
                }
            }
        }
        tables
    };
    let rows = |path: &std::path::PathBuf| {
        let file = std::fs::File::open(path).expect("a table");
        let reader = parquet::file::reader::SerializedFileReader::new(file).expect("a whole table");
        let metadata = parquet::file::reader::FileReader::metadata(&reader);
        metadata.file_metadata().num_rows()
    };
    let (mut random, mut kills) = (0x2545_f491_4f6c_dd1d_u64, 0);
    loop {
        let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_tracer"))
            .args(&words)
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // By what is there, so that it is killed as often on any machine, and gets further each time.
        let reached = tables(&folder.path("lake")).len() + 1 + (random % 3) as usize;
        let status = loop {
            let status = run.try_wait().expect("a status");
            if status.is_some() || tables(&folder.path("lake")).len() >= reached {
                break status;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        if let Some(status) = status {
            assert!(status.success());
            break;
        }
        std::thread::sleep(std::time::Duration::from_micros(random % 30_000));
        let _ = run.kill();
        run.wait().expect("it ends");
        kills += 1;
        tables(&folder.path("lake")).iter().for_each(|path| assert!(rows(path) > 0));
        assert!(kills < 200, "it gets nowhere");
    }
    assert!(kills > 2, "it was killed {kills} times only");
    let all: i64 = tables(&folder.path("lake")).iter().map(rows).sum();
    assert_eq!(all, CAPTURES as i64 * 4_000, "{kills} kills");
    let again = tracer(&words[..]);
    assert!(again.status.success());
    assert_eq!(tables(&folder.path("lake")).iter().map(rows).sum::<i64>(), all);
}

/// What only a part of the events fits into holds that part, and says how much was left out.
#[test]
fn formats_of_activities_hold_what_they_have_classes_for() {
    let file = "fixtures/id-ls.trz";
    let count = |filter: &str| -> usize {
        printed(&["replay", file, "--count", "-f", filter]).trim().parse().expect("a number")
    };
    let lines = printed(&["export", file, "--to", "ocsf", "-q"]);
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |class: u64, activity: u64| {
        let is = |event: &&Value| event["class_uid"] == class && event["activity_id"] == activity;
        events.iter().filter(is).count()
    };
    assert_eq!(of(1007, 1), count("event=sched_process_exec"));
    assert_eq!(of(1007, 2), count("event=sched_process_exit"));
    assert_eq!(of(1001, 14), count("event=openat"));
    for event in &events {
        let (class, activity) = (event["class_uid"].as_u64(), event["activity_id"].as_u64());
        assert_eq!(
            event["type_uid"].as_u64(),
            class.zip(activity).map(|(class, activity)| class * 100 + activity)
        );
        let required = ["category_uid", "severity_id", "time", "metadata", "device", "actor"];
        assert!(required.iter().all(|key| !event[*key].is_null()), "{event}");
    }
    assert!(said(&["export", file, "--to", "ocsf"]).contains("which ocsf cannot hold"));

    let folder = Folder::new();
    let (log, back) = (folder.path("sysmon.log"), text(&folder.path("back.trz")));
    std::fs::write(&log, printed(&["export", file, "--to", "sysmon", "-q"])).expect("a log");
    printed(&["import", "--from", "sysmon", &text(&log), "-o", &back]);
    let execs = |file: &str| -> Vec<String> {
        let lines = printed(&["replay", file, "-o", "json", "-f", "event=sched_process_exec"]);
        let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        lines
            .map(|line| format!("{} {} {}", line["timestamp"], line["hostProcessId"], line["executable"]))
            .collect()
    };
    assert!(!execs(file).is_empty());
    assert_eq!(execs(&back), execs(file));
}

/// Whether an open made its file is said by each format that has a word for it, and comes back where the format is read.
#[test]
fn formats_say_which_opens_made_their_files() {
    let folder = Folder::new();
    let mut made = id_and_ls();
    let shell = process(700, 1, 0, "sh", "/bin/sh");
    for (number, created) in [true, false].into_iter().enumerate() {
        let at = 5_000_000 + 10 * number as u64;
        let path = format!("/tmp/{created}");
        let open = [
            ("dirfd", Raw::Number(-100i64 as u64)),
            ("pathname", Raw::Bytes(path.as_bytes())),
            ("flags", Raw::Number(0o101)),
            ("mode", Raw::Number(0o644)),
            ("created", Raw::Number(created.into())),
        ];
        made.push(&Event { ret: 4, ..event(at, "openat", shell, &open) });
        let hook = [
            ("pathname", Raw::Bytes(path.as_bytes())),
            ("flags", Raw::Number(0o101)),
            ("created", Raw::Number(created.into())),
        ];
        made.push(&event(at + 1, "security_file_open", shell, &hook));
    }
    let file = folder.capture("a.trz", made);
    let of_shell = |format: &str| printed(&["export", &file, "--to", format, "-q", "-f", "pid=700"]);
    let json = |format: &str| -> Vec<Value> {
        of_shell(format).lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    };
    let types: Vec<Value> = json("ecs")
        .iter()
        .filter(|it| it["event"].is_object())
        .map(|it| it["event"]["type"][0].clone())
        .collect();
    assert_eq!(types, ["creation", "creation", "access", "access"]);
    let activities: Vec<(Value, Value)> = json("ocsf")
        .iter()
        .filter(|it| it["class_uid"] == 1001)
        .map(|it| (it["file"]["path"].clone(), it["activity_id"].clone()))
        .collect();
    let (create, open) = (Value::from(1), Value::from(14));
    assert!(activities.len() >= 2, "{activities:?}");
    for (path, activity) in &activities {
        assert_eq!(activity, if path == "/tmp/true" { &create } else { &open }, "{activities:?}");
    }
    let sysmon = of_shell("sysmon");
    let events: Vec<&str> = sysmon.lines().filter(|line| line.contains("<EventID>11<")).collect();
    assert!(!events.is_empty() && events.iter().all(|line| line.contains("/tmp/true")), "{sysmon}");
    let (scap, back) = (text(&folder.path("a.scap")), text(&folder.path("back.trz")));
    printed(&["export", &file, "--to", "scap", "-o", &scap, "-q"]);
    printed(&["import", "--from", "scap", &scap, "-o", &back]);
    let asked = |path: &str, created: &str| {
        let (path, created) = (format!("openat.pathname={path}"), format!("openat.created={created}"));
        printed(&["replay", &back, "--count", "-q", "-f", &path, "-f", &created])
    };
    assert_eq!(asked("/tmp/true", "true"), "1\n");
    // That its mark is not there says nothing: who wrote the file may not have known.
    assert_eq!((asked("/tmp/false", "true"), asked("/tmp/false", "false")), ("0\n".into(), "0\n".into()));
}

/// Labels of a recording are shown and exported, and a copy that is given away does not have them.
#[test]
fn labels_of_a_recording_go_where_its_events_go() {
    let folder = Folder::new();
    let mut made = id_and_ls();
    for (name, said) in [("team", "web"), ("stage.of", "7")] {
        made.header.recording.more.insert(format::recorded::label(name), said.to_owned());
    }
    let file = folder.capture("a.trz", made);
    assert!(printed(&["info", &file]).contains("Labels         stage.of=7, team=web\n"));
    let info: Value = serde_json::from_str(&printed(&["info", &file, "-o", "json"])).expect("JSON");
    assert_eq!(info["labels"]["team"], "web");
    let first = |format: &str, line: usize| -> Value {
        let lines = printed(&["export", &file, "--to", format, "-q"]);
        serde_json::from_str(lines.lines().nth(line).expect("a line")).expect("JSON")
    };
    assert_eq!(first("ecs", 1)["labels"], serde_json::json!({ "stage_of": "7", "team": "web" }));
    let resource = first("otlp-json", 0)["resourceLogs"][0]["resource"]["attributes"].to_string();
    assert!(resource.contains("tracer.label.team"), "{resource}");
    let redacted = text(&folder.path("redacted.trz"));
    printed(&["redact", &file, "-o", &redacted, "--hash", "comm=ls", "--allow-leftovers"]);
    assert!(!printed(&["info", &redacted]).contains("Labels"));
}
