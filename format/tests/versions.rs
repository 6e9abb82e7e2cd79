//! Captures of each format version that every later version reads: `fixtures/format-v1.trz` and its like.
//!
//! Each was made once, by `MAKE_FIXTURE=N cargo test -p tracer-format --test versions`; making it anew would defeat its
//! purpose.

use std::fmt::Write;
use std::path::PathBuf;

use events::context::ContextFlags;
use events::{Context, Marks, Raw, catalogue, dirents};
use format::{
    BlockBuilder, Capture, Cgroup, Clock, Completeness, Container, Encoder, Header, Host, Loss, Options,
    Process, Provenance, Recording, Row, Scratch, Side, SigningKey, SourceCapture, User, Writer,
    WriterOptions, current_schema,
};

/// The last one from version 4 on.
const EVENTS: [&str; 5] = ["openat", "read", "close", "sched_process_exec", "getdents64"];
const CLOCK: Clock =
    Clock { monotonic_ns: 90_000_000_000, boot_ns: 95_000_000_000, wall_ns: 1_780_000_000_000_000_000 };
/// Not secret: it signs nothing else.
const KEY: &str = "tracer-secret-key-1:0000000000000000000000000000000000000000000000000000000000000001";

fn path(version: u32) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../fixtures/format-v{version}.trz"))
}

/// Rows that take every scheme and layout that columns have, from version 2 on descriptors with what they stand for, and
/// from version 3 on texts that several columns share, and from version 4 on entries of directories.
fn rows(builder: &mut BlockBuilder, block: u64, version: u32) {
    builder.set_clock(CLOCK);
    let contexts: Vec<u32> = (0..12u32)
        .map(|n| {
            builder.intern(&Context {
                pid: 700 + n,
                tid: 700 + n,
                ppid: 1,
                ns_pid: 2 + n,
                ns_tid: 2 + n,
                uid: 1000,
                gid: 1000,
                mnt_ns: 0xf000_0000,
                cgroup_id: 77,
                thread_start_ns: 94_000_000_000 + u64::from(n),
                process_start_ns: 94_000_000_000 + u64::from(n),
                comm: if n % 2 == 0 { b"ls" } else { b"cat" },
                exe: b"/usr/bin/coreutils",
                uts: b"v1",
                flags: ContextFlags(0),
                ..Context::default()
            })
        })
        .collect();
    let mut seed = 0x9e37_79b9_7f4a_7c15u64;
    for n in 0..400u64 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let file = if version > 2 { n / 4 } else { n };
        let path = format!("/usr/share/doc/package{}/file{}", file % 9, file % 31);
        let word = [b"alpha", b"beta_", b"gamma"][(n % 3) as usize];
        let structure = [n.to_le_bytes(), 7u64.to_le_bytes(), (n * n).to_le_bytes()].concat();
        let name = match n % 16 {
            5 if version > 3 => EVENTS[4],
            _ => EVENTS[(n % 4) as usize],
        };
        let entries = [&[dirents::TAG, n as u8, 0, 0, 0, 0, 0, 0, 0, 8][..], word, &[0]].concat();
        let descriptor = [&(3 + n % 2).to_le_bytes()[..], path.as_bytes()].concat();
        let args = match name {
            "openat" => [
                Raw::Number(-100i64 as u64),
                if n % 40 == 0 { Raw::Number(0x7ffc_0000) } else { Raw::Bytes(path.as_bytes()) },
                if n % 8 == 0 { Raw::Missing } else { Raw::Number(0x80000) },
            ],
            "read" => [
                match version {
                    2 if n % 3 > 0 => Raw::Bytes(&descriptor),
                    3.. if n % 12 > 1 => Raw::Bytes(&descriptor),
                    _ => Raw::Number(3 + n % 2),
                },
                Raw::Bytes(&structure),
                Raw::Number(0x7f00_0000_0000 + seed % 3 * 0x1234_5678),
            ],
            "getdents64" => [Raw::Number(3), Raw::Bytes(&entries), Raw::Number(32768)],
            "close" => [Raw::Number(seed), Raw::Missing, Raw::Missing],
            _ => [Raw::Bytes(word), Raw::Bytes(path.as_bytes()), Raw::Missing],
        };
        let row = Row {
            time_ns: 95_000_000_000 + block * 1_000_000_000 + n * 400 + seed % 300,
            event: catalogue::by_name(name).unwrap().id,
            cpu: (n % 2) as u16,
            context: contexts[(n % 12) as usize],
            ret: if n % 10 == 0 { -2 } else { (n % 7) as i64 },
            scopes: 1 << (n % 3),
            marks: Marks(if n % 50 == 0 { Marks::TRUNCATED } else { 0 }),
            duration_ns: None,
            args: &args,
        };
        builder.push(&row).unwrap();
    }
}

fn make(version: u32) -> Vec<u8> {
    let events = if version > 3 { &EVENTS[..] } else { &EVENTS[..4] };
    let known = |event: &format::EventSchema| events.contains(&event.name.as_str());
    let header = Header {
        program: "tracer 0.1.0".into(),
        host: Host {
            hostname: "v1".into(),
            kernel_release: "6.18.5".into(),
            arch: "x86_64".into(),
            ..Host::default()
        },
        clock: CLOCK,
        schema: current_schema().into_iter().filter(known).collect(),
        recording: Recording { filters: vec!["9:comm=ls".into()], ..Recording::default() },
        ..Header::default()
    };
    let header = if version > 4 { of_two_hosts(header) } else { header };
    let sign = Some(SigningKey::from_text(KEY).unwrap());
    let mut writer = Writer::create_with(
        Vec::new(),
        &header,
        WriterOptions { sign: sign.map(Into::into), ..WriterOptions::default() },
    )
    .unwrap();
    let process = Process {
        pid: 1,
        comm: b"init".to_vec(),
        fds: vec![(0, b"/dev/null".to_vec())],
        ..Process::default()
    };
    let container = Container {
        id: "ab".repeat(32),
        name: "web".into(),
        pod_sandbox: version > 3,
        ..Container::default()
    };
    let cgroup = Cgroup { id: 77, path: "/docker".into(), container: Some(container), ..Cgroup::default() };
    writer.side(&Side::Processes(vec![process])).unwrap();
    writer.side(&Side::Cgroups(vec![cgroup])).unwrap();
    writer.side(&Side::Users(vec![User { host: 0, uid: 1000, name: "someone".into() }])).unwrap();
    let mut builder = BlockBuilder::new();
    let mut encoder = Encoder::new(Options::default());
    for block in 0..2 {
        rows(&mut builder, block, version);
        writer.block(&encoder.encode(&mut builder).unwrap()).unwrap();
        if version > 4 {
            writer.checkpoint().unwrap();
        }
    }
    let loss = Loss {
        host: 0,
        from_ns: 1,
        to_ns: 2,
        cpu: Some(1),
        event: None,
        count: 5,
        cause: "buffer full".into(),
    };
    writer.side(&Side::Losses(vec![loss])).unwrap();
    writer.finish().unwrap().0
}

/// What headers say since version 5.
fn of_two_hosts(mut header: Header) -> Header {
    header.recording.more.insert("buffer_bytes".into(), "4096".into());
    header.more_hosts.push(Host { hostname: "v5".into(), ..Host::default() });
    header.more_recordings.push(Recording { filters: vec!["comm=cat".into()], ..Recording::default() });
    header.more.insert("from later".into(), vec![1, 2]);
    let source = SourceCapture {
        name: "a.trz".into(),
        head: Some([7; 32]),
        signed_by: Some("tracer-public-key-1:00".into()),
        verdict: "good".into(),
    };
    let command = ["tracer", "merge", "a.trz"].map(str::to_owned).to_vec();
    header.provenance.push(Provenance { command, sources: vec![source] });
    header
}

/// All that a capture says.
fn text(capture: &Capture) -> String {
    let mut text = format!("{:?}\n", capture.header());
    let beside = (capture.processes(), capture.cgroups(), capture.losses(), capture.users());
    writeln!(text, "{beside:?}").unwrap();
    let mut scratch = Scratch::new();
    for at in 0..capture.blocks().len() {
        let block = capture.block(at, &mut scratch).unwrap();
        let contexts = block.contexts().unwrap();
        let mut ordinals = vec![0; block.event_list().len()];
        for row in 0..block.rows() {
            let code = block.event_codes().unwrap()[row];
            let event = capture.schema().event(block.event_list()[code as usize]).unwrap();
            let args = block.args(code);
            let ordinal = ordinals[code as usize];
            ordinals[code as usize] += 1;
            let values: Vec<Raw<'_>> =
                (0..event.args.len()).map(|position| args.get(ordinal, position).unwrap()).collect();
            let context = contexts.get(block.context_codes().unwrap()[row]).unwrap();
            let fixed = (block.times().unwrap()[row], block.cpus().unwrap()[row], block.rets().unwrap()[row]);
            let bits = (block.scopes().unwrap()[row], block.marks().unwrap()[row]);
            writeln!(text, "{} {fixed:?} {bits:?} {context:?} {values:?}", event.name).unwrap();
        }
    }
    text
}

#[test]
fn captures_of_version_1_read_as_they_were_written() {
    reads_as_it_was_written(1);
}

#[test]
fn captures_of_version_2_read_as_they_were_written() {
    reads_as_it_was_written(2);
}

#[test]
fn captures_of_version_3_read_as_they_were_written() {
    reads_as_it_was_written(3);
}

#[test]
fn captures_of_version_4_read_as_they_were_written() {
    reads_as_it_was_written(4);
}

#[test]
fn captures_of_version_5_read_as_they_were_written() {
    reads_as_it_was_written(5);
    let capture = Capture::open(&path(5)).unwrap();
    assert_eq!(capture.segments().len(), 3);
    let header = capture.header();
    assert_eq!(header.provenance[0].sources[0].verdict, "good");
    assert_eq!(header.recording_of(1).filters, ["comm=cat"]);
    assert_eq!(
        (header.recording.more["buffer_bytes"].as_str(), &header.more["from later"][..]),
        ("4096", &[1, 2][..])
    );
}

/// `fixtures/format-v3-getdents64.trz` is of the last program that kept what `getdents64` gave as the kernel laid it out.
#[test]
fn entries_of_directories_of_version_3_are_read_as_those_of_today() {
    let fixture = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/format-v3-getdents64.trz");
    let capture = Capture::open(&fixture).unwrap();
    let mut scratch = Scratch::new();
    let block = capture.block(0, &mut scratch).unwrap();
    let id = catalogue::by_name("getdents64").unwrap().id;
    let code = block.event_list().iter().position(|event| *event == id).unwrap();
    let names = |ordinal| match block.args(code as u16).get(ordinal, 1).unwrap() {
        Raw::Bytes(value) => {
            assert_eq!(value[0], dirents::TAG);
            dirents::stored(value)
                .map(|entry| (entry.inode, entry.kind, String::from_utf8_lossy(entry.name).into_owned()))
                .collect::<Vec<_>>()
        }
        raw => panic!("{raw:?}"),
    };
    let first = names(0);
    assert_eq!(first[..3], [(1, 4, ".".into()), (1, 4, "..".into()), (316, 4, "out".into())]);
    // The tenth was cut off at the recorder's bound.
    assert_eq!(first.len(), 10);
    assert_eq!(names(1), []);
}

fn reads_as_it_was_written(version: u32) {
    let path = path(version);
    let made = make(version);
    if std::env::var("MAKE_FIXTURE").is_ok_and(|wanted| wanted == version.to_string()) {
        std::fs::write(&path, &made).unwrap();
    }
    assert_eq!(u32::from(std::fs::read(&path).unwrap()[8]), version, "the fixture's own version");
    let capture = Capture::open(&path).unwrap();
    assert_eq!(*capture.completeness(), Completeness::Finished);
    let rows: u64 = capture.blocks().iter().map(|block| block.statistics.rows).sum();
    assert_eq!(rows, 800);
    // What the fixture says is what its maker would write today, with the schema that it has itself.
    let (then, now) = (text(&capture), text(&Capture::from_bytes(made).unwrap()));
    let rows_of = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows_of(&then), rows_of(&now));
    let key = SigningKey::from_text(KEY).unwrap().public();
    let verdict = format::verify(&path, format::Expected { key: Some(&key), ..Default::default() }).unwrap();
    assert_eq!((verdict.fault, verdict.signed_by), (None, Some(key)));
}
