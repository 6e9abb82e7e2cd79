//! `tracer-fleet sql` as a user meets it: formats, exit codes, encrypted captures.

mod support;

use std::path::Path;
use std::process::{Command, Output};

use events::{Marks, Raw};
use format::{BlockBuilder, Capture, Encoder, Recipients, Row, Writer, WriterOptions};
use support::{busy, synthetic};

fn sql(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_tracer-fleet"))
        .arg("sql")
        .args(arguments)
        .env_remove("TRACER_IDENTITY")
        .output()
        .expect("it runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code().unwrap_or(-1), text(stdout), text(stderr))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

const QUERY: &str =
    "select comm, count(*) as n, min(recorded_scopes) as s from events where uid = 33 group by comm";

#[test]
fn answers_are_written_in_each_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.trz");
    busy("web1", 1, 1_000, 100, false).save(&file);
    let (code, table, err) = sql(&[text(&file), QUERY]);
    assert_eq!(code, 0, "{err}");
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((lines.len(), &lines[0][..]), (2, &["comm", "n", "s"][..]), "{table}");
    let number = lines[1][1];
    assert_eq!(lines[1], ["nginx", number, "[1]"]);
    let (_, json, _) = sql(&[text(&file), QUERY, "-o", "json"]);
    assert_eq!(json, format!("{{\"comm\":\"nginx\",\"n\":{number},\"s\":[1]}}\n"));
    let (_, csv, _) = sql(&[text(&file), QUERY, "-o", "csv"]);
    assert_eq!(csv, format!("comm,n,s\nnginx,{number},[1]\n"));
    // A file is not written over, and what was written reads back.
    let out = folder.path().join("answer.parquet");
    let output = format!("parquet:{}", text(&out));
    assert_eq!(sql(&[text(&file), QUERY, "-o", &output]).0, 0);
    let (code, _, err) = sql(&[text(&file), QUERY, "-o", &output]);
    assert!(code == 2 && err.contains("--force"), "{err}");
    assert_eq!(sql(&[text(&file), QUERY, "-o", &output, "--force"]).0, 0);
    let read = format!("select n from '{}'", text(&out));
    let (_, again, err) = sql(&[text(&file), &read, "-o", "csv"]);
    assert_eq!(again, format!("n\n{number}\n"), "{err}");
    // No rows are still a table.
    let (_, none, _) = sql(&[text(&file), "select comm from events where comm = 'none'", "-o", "csv"]);
    assert_eq!(none, "comm\n");
}

#[test]
fn what_is_missing_from_an_answer_is_told_and_is_an_exit_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.trz");
    let mut bytes = busy("web1", 1, 1_000, 100, false).bytes();
    let capture = Capture::from_bytes(bytes.clone()).expect("a capture");
    let block = &capture.blocks()[3];
    let last = usize::try_from(block.offset + block.bytes).expect("a small file") - 12;
    bytes[last] ^= 0x55;
    std::fs::write(&file, bytes).expect("a file");
    let query = "select count(args) from events";
    let (code, out, err) = sql(&[text(&file), query, "-o", "csv"]);
    assert_eq!((code, out.lines().last()), (2, Some("900")), "{err}");
    assert!(err.contains("block 3 cannot be read (100 rows, "), "{err}");
    let (code, _, err) = sql(&[text(&file), query, "--strict"]);
    assert!(code == 2 && err.contains("block 3"), "{err}");
    for (arguments, said) in [
        (&["nowhere.trz", "select 1"][..], "nowhere.trz"),
        (&[text(folder.path()), "select nothing from events"], "nothing"),
        (&[text(&file), "select 1", "-f", "com=ls"], "did you mean \"comm\"?"),
        (&[text(&file), "select 1", "-o", "xml"], "one of table, json, csv, parquet"),
    ] {
        let (code, _, err) = sql(arguments);
        assert!(code == 2 && err.contains(said), "{arguments:?}: {code} {err}");
    }
}

const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

#[test]
fn an_encrypted_capture_is_read_with_its_identity() {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, key) = (folder.path().join("a.trz"), folder.path().join("key"));
    let options = WriterOptions {
        encrypt: Some(Recipients::from_text(RECIPIENT).expect("a recipient")),
        ..Default::default()
    };
    let mut writer = Writer::create_with(Vec::new(), &synthetic::header(), options).expect("a header");
    let mut builder = BlockBuilder::new();
    let close = events::catalogue::by_name("close").expect("an event");
    for at in 0..300 {
        let context = builder.intern(&synthetic::process(7, 1, 0, "sh", "/bin/sh"));
        let row = Row {
            time_ns: synthetic::BOOT + at,
            event: close.id,
            cpu: 0,
            context,
            ret: 0,
            scopes: 1,
            marks: Marks(0),
            duration_ns: None,
            args: &[Raw::Number(3)],
        };
        builder.push(&row).expect("room");
    }
    builder.set_clock(synthetic::clock());
    let block = Encoder::new(format::Options::default()).encode(&mut builder).expect("a block");
    writer.block(&block).expect("it is written");
    let (bytes, _) = writer.finish().expect("an end");
    std::fs::write(&file, bytes).expect("a file");
    std::fs::write(&key, IDENTITY).expect("a file");
    let query = "select count(*) from events";
    let (code, _, err) = sql(&[text(&file), query]);
    assert!(code == 2 && err.contains("identity"), "{err}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).expect("modes");
        let (code, _, err) = sql(&[text(&file), query, "--identity", text(&key)]);
        assert!(code == 2 && err.contains("chmod 600"), "{err}");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("modes");
    }
    for query in [query, "select sum(n) from (select count(*) as n from processes union select 300)"] {
        let (code, out, err) = sql(&[text(&file), query, "--identity", text(&key), "-o", "csv"]);
        assert!(code == 0 && out.lines().count() == 2, "{out} {err}");
    }
}

/// Killed while it answers: a file has the whole answer, or is not there.
#[test]
fn a_query_that_is_killed_leaves_a_whole_answer_or_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.trz");
    busy("web1", 1, 60_000, 2_000, false).save(&file);
    let (out, expected) = (folder.path().join("answer.csv"), folder.path().join("expected.csv"));
    let query = "select time, comm, event, args from events order by time";
    let began = std::time::Instant::now();
    assert_eq!(sql(&[text(&file), query, "-o", &format!("csv:{}", text(&expected))]).0, 0);
    let took = began.elapsed();
    let expected = std::fs::read(expected).expect("an answer");
    let mut numbers = support::Numbers(7);
    for _ in 0..12 {
        let output = format!("csv:{}", text(&out));
        let mut run = Command::new(env!("CARGO_BIN_EXE_tracer-fleet"))
            .args(["sql", text(&file), query, "-o", &output, "--force"])
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(took.mul_f64(numbers.below(100) as f64 / 100.0));
        run.kill().expect("it was there");
        run.wait().expect("it ends");
        if out.exists() {
            assert!(std::fs::read(&out).expect("an answer") == expected, "half of an answer");
            std::fs::remove_file(&out).expect("it is there");
        }
    }
    // What was left behind is in nobody's way.
    assert_eq!(sql(&[text(&file), query, "-o", &format!("csv:{}", text(&out))]).0, 0);
    assert!(std::fs::read(&out).expect("an answer") == expected);
}
