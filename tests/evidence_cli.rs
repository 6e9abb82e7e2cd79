//! What is said of a capture before it is believed: marks of its rows, and the heads that a witness holds.

use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

use events::{Context, Marks, Raw, catalogue};
use format::{
    BlockBuilder, Encoder, HeadSink, Header, Host, Options, Row, Writer, WriterOptions, current_schema,
};

fn tracer(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracer")).args(args).output().unwrap()
}

fn told(args: &[&str], code: i32) -> String {
    let output = tracer(args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    format!("{out}{err}")
}

/// Two blocks: opens of which every third has a path that was cut and every fourth one that could not be read, and closes
/// that nobody marked. Returns the lines that a witness gets.
fn make(path: &str, opened: &str) -> Vec<String> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let heads = Arc::clone(&lines);
    let options = WriterOptions {
        heads: Some(HeadSink::new(move |head| heads.lock().unwrap().push(head.to_string()))),
        ..WriterOptions::default()
    };
    let header = Header {
        schema: current_schema(),
        host: Host { hostname: "web1".into(), boot_id: "boot".into(), ..Host::default() },
        ..Header::default()
    };
    let mut writer = Writer::create_with(std::fs::File::create(path).unwrap(), &header, options).unwrap();
    let (mut builder, mut encoder) = (BlockBuilder::new(), Encoder::new(Options::default()));
    let id = |name| catalogue::by_name(name).unwrap().id;
    for block in 0..2 {
        let context = builder.intern(&Context { pid: 7, tid: 7, comm: b"ls", ..Context::default() });
        for n in 0..12u64 {
            let mut marks = Marks(0);
            if n % 3 == 0 {
                marks = marks.cut_arg(1);
            }
            if n % 4 == 0 {
                marks = marks.lost_arg(1);
            }
            let path = [Raw::Number(3), Raw::Bytes(opened.as_bytes())];
            let (event, marks, args) = match n {
                10 | 11 => (id("close"), Marks(0), &path[..1]),
                _ => (id("openat"), marks, &path[..]),
            };
            let row = Row {
                time_ns: 1000 + block * 100 + n,
                event,
                cpu: 0,
                context,
                ret: 0,
                scopes: 1,
                marks,
                duration_ns: None,
                args,
            };
            builder.push(&row).unwrap();
        }
        writer.block(&encoder.encode(&mut builder).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    let lines = lines.lock().unwrap().clone();
    assert!(!lines.is_empty());
    lines
}

#[test]
fn info_says_how_many_rows_of_each_event_have_each_mark() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.trz").display().to_string();
    make(&file, "/etc/passwd");
    let text = told(&["info", &file], 0);
    assert!(text.contains("8 cut: 8 openat"), "{text}");
    assert!(text.contains("6 unreadable: 6 openat"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&told(&["info", &file, "-o", "json"], 0)).unwrap();
    assert_eq!(json["marks"], serde_json::json!({"cut": {"openat": 8}, "unreadable": {"openat": 6}}));
    // The same as rows that are asked for say.
    assert_eq!(told(&["replay", &file, "-q", "-f", "cut=true", "--count"], 0).trim(), "8");
}

#[test]
fn replay_and_info_hold_captures_to_the_heads_of_a_witness() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (file, other) = (path("a.trz"), path("b.trz"));
    let lines = make(&file, "/etc/passwd");
    let heads = path("heads");
    std::fs::write(&heads, lines.join("\n")).unwrap();
    let good = told(&["replay", &file, "--verify", "--heads", &heads, "--count"], 0);
    assert!(good.contains("the witness holds the heads of 1 of its 1 seals"), "{good}");
    told(&["info", &file, "--verify", "--heads", &heads], 0);

    // The file made anew with another text: whole, and not what the witness heard of.
    make(&other, "/etc/shadow");
    told(&["replay", &other, "--verify", "--count"], 0);
    for command in ["replay", "info"] {
        let refused = told(&[command, &other, "--verify", "--heads", &heads], 2);
        assert!(refused.contains("does not verify"), "{refused}");
    }
    // Without --verify nothing is compared: that would look like a promise.
    told(&["replay", &file, "--heads", &heads], 2);
    std::fs::write(&heads, "nothing of the kind\n").unwrap();
    assert!(told(&["info", &file, "--verify", "--heads", &heads], 2).contains("tracer-head-1"));
}
