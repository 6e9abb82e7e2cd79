//! `tracer extract`: what comes out of captures that anybody may have made.

#[path = "program/mod.rs"]
mod program;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use format::artifact::reasons;
use format::{Artifact, Side, hex, sha256};
use program::synthetic::{self, Made, process};
use program::{Folder, event, printed, text, tracer};
use serde_json::Value;

/// An artifact of the `number`th event, a close of a process of this name.
fn add(made: &mut Made, number: u32, path: &str, bytes: &[u8]) {
    let context = process(700 + number, 1, 0, "worker", "/bin/worker");
    let at = u64::from(number) * 10;
    made.push(&event(at, "close", context, &[]));
    made.sides.push(Side::Artifacts(vec![Artifact {
        kind: "write".into(),
        time_ns: synthetic::BOOT + at,
        event: events::catalogue::by_name("close").map(|event| event.id),
        pid: context.pid,
        tid: context.tid,
        path: path.into(),
        found: "descriptor".into(),
        sha256: Some(sha256(bytes)),
        size: bytes.len() as u64,
        kept: bytes.len() as u64,
        count: 1,
        ..Artifact::default()
    }]));
    made.contents.push(bytes.to_vec());
}

fn manifest(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join("manifest.json")).expect("a manifest")).expect("JSON")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|it| it.expect("an entry").file_name().into_string().expect("ASCII")).collect();
    names.sort();
    names
}

#[test]
fn no_path_of_a_capture_leads_out_of_the_folder() {
    let folder = Folder::new();
    let mut made = Made::new();
    let paths = ["../../etc/cron.d/x", "/", "..", "-rf", "a\nb\u{1b}[31m", "/tmp/.profile", "manifest.json"];
    for (number, path) in (1u32..).zip(paths) {
        add(&mut made, number, path, format!("bytes {number}").as_bytes());
    }
    let file = folder.capture("hostile.trz", made);
    let out = folder.path("out");
    printed(&["extract", &file, "-o", &text(&out)]);
    let all = manifest(&out);
    let entries = all["artifacts"].as_array().expect("a list");
    assert_eq!(entries.len(), paths.len());
    for (number, (entry, path)) in (1..).zip(entries.iter().zip(paths)) {
        let name = entry["file"].as_str().expect("a name");
        let digits = hex(&sha256(format!("bytes {number}").as_bytes()));
        assert!(name.starts_with(&digits), "{name}");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{name}");
        assert_eq!(fs::read_to_string(out.join(name)).expect("a file"), format!("bytes {number}"));
        assert_eq!(entry["origins"][0]["path"], path);
        assert_eq!(entry["origins"][0]["event_number"], number);
        let mode = fs::metadata(out.join(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
    }
    assert_eq!(names(&out).len(), paths.len() + 1);
    // On a terminal, no path is more than text.
    let listed = printed(&["extract", &file, "--list"]);
    assert_eq!(listed.lines().count(), paths.len() + 1, "{listed}");
    assert!(!listed.contains('\u{1b}'), "{listed}");
}

#[test]
fn equal_bytes_are_one_file_and_filters_choose_by_events() {
    let folder = Folder::new();
    let mut made = Made::new();
    for (number, path, bytes) in [(1, "/a", "same"), (2, "/b", "same"), (3, "/c", "other")] {
        add(&mut made, number, path, bytes.as_bytes());
    }
    let file = folder.capture("three.trz", made);
    let of = |name: &str, filters: &[&str]| {
        let out = folder.path(name);
        printed(&[&["extract", &file, "-o", &text(&out)], filters].concat());
        (names(&out).len() - 1, manifest(&out))
    };
    let (files, all) = of("all", &[]);
    assert_eq!(files, 2);
    let origins = all["artifacts"][0]["origins"].as_array().expect("a list");
    assert_eq!(
        origins.iter().map(|it| it["path"].as_str().expect("a path")).collect::<Vec<_>>(),
        ["/a", "/b"]
    );
    let (files, some) = of("some", &["-f", "pid=702"]);
    assert_eq!((files, some["artifacts"][0]["origins"].as_array().map(Vec::len)), (1, Some(1)));
    assert_eq!(of("none", &["-f", "pid=1"]).0, 0);
    // Nothing is written over.
    let again = tracer(&["extract", &file, "-o", &text(&folder.path("all"))]);
    assert_eq!(again.status.code(), Some(2));
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("nothing is written over"), "{said}");
}

#[test]
fn what_is_not_there_or_too_much_is_told() {
    let folder = Folder::new();
    let mut made = Made::new();
    add(&mut made, 1, "/small", b"small");
    add(&mut made, 2, "/zeros", &vec![0; 5 << 20]);
    add(&mut made, 3, "/missing", b"missing");
    made.contents.pop();
    made.sides.push(Side::Artifacts(vec![Artifact {
        kind: "exec".into(),
        left_out: reasons::TOTAL.into(),
        count: 42,
        ..Artifact::default()
    }]));
    let file = folder.capture("odd.trz", made);
    let out = folder.path("out");
    let output = tracer(&["extract", &file, "-o", &text(&out), "--max-size", "1M"]);
    assert_eq!(output.status.code(), Some(2));
    let all = manifest(&out);
    assert_eq!(names(&out).len(), 2, "the small one and the manifest");
    assert!(all["artifacts"][1]["error"].as_str().expect("an error").contains("--max-size"), "{all:#}");
    let left_out = all["left_out"].as_array().expect("a list");
    assert!(left_out.iter().any(|it| it["path"] == "/missing"), "{all:#}");
    assert!(left_out.iter().any(|it| it["count"] == 42 && it["reason"] == reasons::TOTAL), "{all:#}");
    // And the capture is none that was written so.
    let verified = tracer(&["verify", &file]);
    assert_eq!(verified.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("does not hold the bytes of an artifact"));
}

#[test]
fn an_exec_has_the_hash_that_its_artifact_has() {
    let folder = Folder::new();
    let bytes = b"a program";
    for (said, is_good) in [(hex(&sha256(bytes)), true), (hex(&sha256(b"another")), false)] {
        let mut made = Made::new();
        let context = process(700, 1, 0, "tool", "/bin/tool");
        let hash = events::Raw::Bytes(said.as_bytes());
        made.push(&event(10, "sched_process_exec", context, &[("sha256", hash)]));
        made.sides.push(Side::Artifacts(vec![Artifact {
            kind: "exec".into(),
            time_ns: synthetic::BOOT + 10,
            event: events::catalogue::by_name("sched_process_exec").map(|event| event.id),
            pid: 700,
            tid: 700,
            sha256: Some(sha256(bytes)),
            size: bytes.len() as u64,
            kept: bytes.len() as u64,
            count: 1,
            ..Artifact::default()
        }]));
        made.contents.push(bytes.to_vec());
        let file = folder.capture(&format!("exec-{is_good}.trz"), made);
        let verified = tracer(&["verify", &file]);
        let said = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert_eq!(verified.status.success(), is_good, "{said}");
        assert!(is_good || said.contains("another hash than an artifact"), "{said}");
    }
}
