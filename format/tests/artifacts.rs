//! A capture with artifacts and with settings of containers that every later version reads: `fixtures/artifacts.trz`.
//!
//! It was made once, by `MAKE_FIXTURE=artifacts cargo test -p tracer-format --test artifacts`; making it anew would defeat its
//! purpose.

use std::path::PathBuf;

use format::artifact::reasons;
use format::{
    Artifact, Capture, Cgroup, Clock, Compression, Container, ContainerMount, Content, Expected, Header,
    OpenOptions, Settings, Side, StreamReader, Streamed, Writer, current_schema, sha256, verify_bytes,
};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/artifacts.trz")
}

/// Bytes that compress, bytes that do not, and none.
fn contents() -> [Vec<u8>; 3] {
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    let mut noise = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed as u8
    };
    [b"#!/bin/sh\necho hello\n".repeat(200), (0..3000).map(|_| noise()).collect(), Vec::new()]
}

fn artifacts() -> Vec<Artifact> {
    let event = events::catalogue::by_name("openat").map(|event| event.id);
    let of = |number: u64, kind: &str, path: &[u8], bytes: &[u8]| Artifact {
        host: 0,
        kind: kind.into(),
        time_ns: 95_000_000_000 + number,
        event,
        pid: 700,
        tid: 701,
        path: path.to_vec(),
        found: "descriptor".into(),
        sha256: Some(sha256(bytes)),
        size: bytes.len() as u64,
        kept: bytes.len() as u64,
        left_out: String::new(),
        count: 1,
    };
    let [script, noise, none] = contents();
    let gone = Artifact {
        sha256: None,
        kept: 0,
        left_out: reasons::GONE.into(),
        ..of(4, "write", b"/tmp/gone", b"gone")
    };
    let sum = Artifact {
        kind: Artifact::HASH.into(),
        left_out: reasons::LATE.into(),
        count: 42,
        ..Artifact::default()
    };
    vec![
        of(1, "write", b"/tmp/script", &script),
        Artifact { size: 1 << 40, ..of(2, "memfd", b"/memfd:\xff\n (deleted)", &noise) },
        of(3, "module", b"", &none),
        gone,
        sum,
    ]
}

fn container() -> Container {
    let mount = ContainerMount { source: "/etc".into(), destination: "/host".into(), is_writable: false };
    Container {
        id: "ab".repeat(32),
        settings: Settings {
            privileged: Some(true),
            mounts: Some(vec![mount]),
            added_capabilities: Some(vec!["CAP_NET_ADMIN".into()]),
        },
        ..Container::default()
    }
}

fn make() -> Vec<u8> {
    let clock =
        Clock { monotonic_ns: 90_000_000_000, boot_ns: 95_000_000_000, wall_ns: 1_780_000_000_000_000_000 };
    let header = Header { program: "fixture".into(), clock, schema: current_schema(), ..Header::default() };
    let mut writer = Writer::create(Vec::new(), &header).unwrap();
    let cgroup = Cgroup { id: 77, path: "/c".into(), container: Some(container()), ..Cgroup::default() };
    writer.side(&Side::Cgroups(vec![cgroup])).unwrap();
    for bytes in contents() {
        writer.content(&Content::new(&bytes, Compression::Default).unwrap()).unwrap();
    }
    writer.side(&Side::Artifacts(artifacts())).unwrap();
    writer.finish().unwrap().0
}

fn bytes_of(capture: &Capture) -> Vec<Vec<u8>> {
    let infos = capture.contents().unwrap();
    infos.iter().map(|info| capture.content(info).unwrap().bytes().unwrap()).collect()
}

#[test]
fn a_capture_with_artifacts_reads_as_it_was_written() {
    if std::env::var("MAKE_FIXTURE").is_ok_and(|name| name == "artifacts") {
        assert!(!path().exists(), "it is made once");
        std::fs::write(path(), make()).unwrap();
    }
    let bytes = std::fs::read(path()).unwrap();
    assert_eq!(verify_bytes(bytes.clone(), Expected::default()).unwrap().fault, None);
    let capture = Capture::from_bytes(bytes.clone()).unwrap();
    assert_eq!((capture.artifacts(), bytes_of(&capture)), (&artifacts()[..], contents().to_vec()));
    assert_eq!(capture.cgroups()[0].container, Some(container()));
    // As it comes, in pieces.
    let mut reader = StreamReader::new(OpenOptions::default());
    let (mut came, mut told) = (Vec::new(), Vec::new());
    for piece in bytes.chunks(97) {
        reader.push(piece);
        while let Some(streamed) = reader.pull().unwrap() {
            match streamed {
                Streamed::Content(content) => came.push(content.bytes().unwrap()),
                Streamed::Side(Side::Artifacts(all)) => told.extend(all),
                Streamed::Head(head) => told.extend(head.artifacts().to_vec()),
                _ => {}
            }
        }
    }
    assert!(reader.is_over());
    assert_eq!((told, came), (artifacts(), contents().to_vec()));
}

/// Whatever is changed, bytes that are read have the hash that they are known by, and what was changed is found.
#[test]
fn no_changed_byte_gives_other_bytes() {
    let bytes = std::fs::read(path()).unwrap();
    for at in (0..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let Ok(capture) = Capture::from_bytes(changed.clone()) else { continue };
        for info in capture.contents().unwrap() {
            if let Ok(read) = capture.content(&info).and_then(|content| content.bytes()) {
                assert_eq!(sha256(&read), info.sha256, "byte {at}");
            }
        }
        let verdict = verify_bytes(changed, Expected::default());
        assert!(verdict.is_err() || verdict.is_ok_and(|it| it.fault.is_some()), "byte {at}");
    }
}
