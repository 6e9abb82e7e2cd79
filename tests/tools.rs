//! The tools that make captures from captures, on the command line.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use events::{Context, Marks, Raw, catalogue};
use format::{
    BlockBuilder, Capture, Clock, Encoder, Header, Host, Options, Process, Recording, Row, Scratch, Side,
    Writer, current_schema,
};

/// Three blocks of openat, close and exec by `ls` and `cat`, 100 ns apart from boot time 1,000,000 on.
fn make(path: &Path, host: &str, boot_wall: u64) {
    let header = Header {
        program: "test".into(),
        schema: current_schema(),
        host: Host { hostname: host.into(), boot_id: host.chars().rev().collect(), ..Host::default() },
        clock: Clock { monotonic_ns: 0, boot_ns: 1_000_000, wall_ns: boot_wall + 1_000_000 },
        ..Header::default()
    };
    let mut writer = Writer::create(std::fs::File::create(path).unwrap(), &header).unwrap();
    let process =
        Process { pid: 10, comm: b"ls".to_vec(), argv: b"ls\0/home/alice\0".to_vec(), ..Process::default() };
    writer.side(&Side::Processes(vec![process])).unwrap();
    let mut builder = BlockBuilder::new();
    let mut encoder = Encoder::new(Options::default());
    let id = |name| catalogue::by_name(name).unwrap().id;
    for block in 0..3u64 {
        builder.set_clock(header.clock);
        let contexts = [(10, &b"ls"[..]), (11, b"cat")].map(|(pid, comm)| {
            builder.intern(&Context {
                pid,
                tid: pid,
                comm,
                exe: b"/usr/bin/x",
                uts: host.as_bytes(),
                ..Context::default()
            })
        });
        for n in 0..30 {
            let path = format!("/home/alice/file{n}");
            let (event, args) = match n % 3 {
                0 => (id("openat"), [Raw::Number(3), Raw::Bytes(path.as_bytes())]),
                1 => (id("close"), [Raw::Number(3), Raw::Missing]),
                _ => (id("sched_process_exec"), [Raw::Bytes(path.as_bytes()), Raw::Missing]),
            };
            let row = Row {
                time_ns: 1_000_000 + block * 3000 + n * 100,
                event,
                cpu: 0,
                context: contexts[(n % 2) as usize],
                ret: 0,
                scopes: 1,
                marks: Marks(0),
                duration_ns: None,
                args: &args,
            };
            builder.push(&row).unwrap();
        }
        writer.block(&encoder.encode(&mut builder).unwrap()).unwrap();
    }
    writer.finish().unwrap();
}

fn tracer(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tracer")).args(args).output().unwrap()
}

/// Runs it and expects an exit code; returns what it said.
fn told(args: &[&str], code: i32) -> String {
    let output = tracer(args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{out}\n{err}");
    format!("{out}{err}")
}

/// Event, comm, path and marks of every row.
fn rows(path: &str) -> Vec<(u64, &'static str, String, String, u32)> {
    let capture = Capture::open(path.as_ref()).unwrap();
    let mut scratch = Scratch::new();
    let mut rows = Vec::new();
    for at in 0..capture.blocks().len() {
        let block = capture.block(at, &mut scratch).unwrap();
        let mut ordinals = vec![0; block.event_list().len()];
        for row in 0..block.rows() {
            let code = block.event_codes().unwrap()[row];
            let event = capture.schema().event(block.event_list()[code as usize]).unwrap();
            let position = if event.name == "openat" { 1 } else { 0 };
            let path = match block.args(code).get(ordinals[code as usize], position).unwrap() {
                Raw::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                other => format!("{other:?}"),
            };
            ordinals[code as usize] += 1;
            let context = block.contexts().unwrap().get(block.context_codes().unwrap()[row]).unwrap();
            let comm = String::from_utf8_lossy(context.comm).into_owned();
            rows.push((block.times().unwrap()[row], event.name, comm, path, block.marks().unwrap()[row]));
        }
    }
    rows
}

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn capture(&self, name: &str) -> String {
        let path = self.path(name);
        make(&PathBuf::from(&path), name.trim_end_matches(".trz"), 1_700_000_000_000_000_000);
        path
    }
}

#[test]
fn verify_names_the_first_bad_block_and_whose_signature_it_is() {
    let dir = Dir::new();
    let file = dir.capture("a.trz");
    assert!(told(&["verify", &file], 0).contains("good, 3 blocks, 90 events"));
    let block = Capture::open(file.as_ref()).unwrap().blocks()[1].clone();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[(block.offset + block.bytes / 2) as usize] ^= 1;
    std::fs::write(dir.path("bad.trz"), bytes).unwrap();
    let bad = told(&["verify", &dir.path("bad.trz")], 1);
    assert!(bad.contains("BAD") && bad.contains("block 1: "), "{bad}");

    let key = dir.path("key");
    let public = told(&["keygen", &key], 0);
    let signed = dir.path("signed.trz");
    told(&["cut", &file, "-o", &signed, "--sign-key", &key], 0);
    let good = told(&["verify", "--key", public.trim(), &signed], 0);
    assert!(good.contains(&format!("signed by {public}")), "{good}");
    told(&["verify", "--key", &format!("{key}.pub"), &signed], 0);
    let unsigned = told(&["verify", "--key", public.trim(), &file], 1);
    assert!(unsigned.contains("not signed"), "{unsigned}");
    told(&["verify", &dir.path("nothing.trz")], 2);
}

/// An empty part of a rotated set; its chain's head.
fn part(path: &str, part: u32, previous_head: Option<[u8; 32]>, start_ns: u64) -> [u8; 32] {
    let recording = Recording { part, previous_head, start_ns, ..Recording::default() };
    let host = Host { boot_id: "b".into(), ..Host::default() };
    let header = Header { host, recording, schema: current_schema(), ..Header::default() };
    let writer = Writer::create(std::fs::File::create(path).unwrap(), &header).unwrap();
    writer.finish().unwrap().1.head
}

#[test]
fn verify_finds_parts_of_a_set_that_are_missing_exchanged_or_there_twice() {
    let dir = Dir::new();
    let paths: Vec<String> = (0..4).map(|n| dir.path(&format!("s.000{n}.trz"))).collect();
    let mut head = None;
    for (number, path) in paths.iter().enumerate() {
        head = Some(part(path, number as u32, head, 7));
    }
    let [p0, p1, p2, p3] = [0, 1, 2, 3].map(|n| paths[n].as_str());
    let good = told(&["verify", p3, p1, p0, p2], 0);
    assert!(good.contains(&format!("part 3 of its set, written after {p2}")), "{good}");
    let later = told(&["verify", p2, p3], 1);
    assert!(later.contains("the first of the set, part 0 to 1, is missing"), "{later}");
    assert!(later.contains("part 2 of its set; the parts before it are not among these files"), "{later}");
    let missing = told(&["verify", p0, p1, p3], 1);
    assert!(missing.contains("part 2 is missing before part 3"), "{missing}");
    assert_eq!(missing.matches("BAD").count(), 1, "{missing}");
    let twice = dir.path("twice.trz");
    std::fs::copy(p2, &twice).unwrap();
    assert!(told(&["verify", p0, p1, p2, p3, &twice], 1).contains("part 2 of the same recording too"));
    part(p1, 1, None, 7);
    let exchanged = told(&["verify", p0, p1, p2, p3], 1);
    assert!(
        exchanged.contains(&format!("part 2 was not written after {p1}: that file was exchanged")),
        "{exchanged}"
    );
    // Files that have nothing to do with each other stand side by side.
    let other = dir.capture("other.trz");
    let beside = told(&["verify", &other, p2, p3], 1);
    assert!(beside.matches("INCOMPLETE").count() == 1 && !beside.contains("BAD"), "{beside}");
}

#[test]
fn recover_makes_a_clean_capture_of_a_torn_one() {
    let dir = Dir::new();
    let file = dir.capture("a.trz");
    let block = Capture::open(file.as_ref()).unwrap().blocks()[2].clone();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(dir.path("torn.trz"), &bytes[..(block.offset + 100) as usize]).unwrap();
    let said = told(&["recover", &dir.path("torn.trz"), "-o", &dir.path("clean.trz")], 0);
    assert!(
        said.contains("the recording was not finished") && said.contains("60 events in 2 blocks"),
        "{said}"
    );
    told(&["verify", &dir.path("clean.trz")], 0);
    assert_eq!(rows(&dir.path("clean.trz")), rows(&file)[..60]);
}

#[test]
fn cut_takes_a_stretch_of_time_a_filter_and_columns() {
    let dir = Dir::new();
    let file = dir.capture("a.trz");
    let all = rows(&file);
    let out = dir.path("cut.trz");
    let cut = |args: &[&str]| {
        told(&[&["cut", &file, "-o", &out, "--force"], args].concat(), 0);
        rows(&out)
    };
    assert_eq!(cut(&[]), all);
    let shown = |rows: Vec<(u64, &'static str, String, String, u32)>| -> Vec<_> {
        rows.into_iter().filter(|row| row.4 & Marks::STATE_ONLY == 0).collect()
    };
    let expected: Vec<_> = all.iter().filter(|r| (1_001_000..1_004_000).contains(&r.0)).cloned().collect();
    assert_eq!(shown(cut(&["--from", "+1us", "--to", "+4us"])), expected);
    let expected: Vec<_> = all.iter().filter(|r| r.1 == "openat" && r.2 == "cat").cloned().collect();
    let filtered = cut(&["-f", "event=openat", "-f", "comm=cat"]);
    assert_eq!(filtered.iter().filter(|r| r.1 == "sched_process_exec").count(), 30, "state stays");
    assert_eq!(shown(filtered), expected);
    assert!(cut(&["--drop", "openat.pathname"]).iter().all(|r| r.1 != "openat" || r.3 == "Missing"));
    assert!(cut(&["--keep", "close.*"]).iter().all(|r| r.1 != "close" || r.3 == "Number(3)"));
    told(&["cut", &file, "-o", &file, "--force"], 2);
    told(&["cut", &file, "-o", &out], 2);
}

#[test]
fn cut_compresses_as_hard_as_it_is_told_to() {
    let dir = Dir::new();
    let file = dir.capture("a.trz");
    let [fast, max] = ["fast", "max"].map(|level| {
        let out = dir.path(level);
        told(&["cut", &file, "--compression", level, "-o", &out], 0);
        assert_eq!(rows(&out), rows(&file));
        std::fs::metadata(out).unwrap().len()
    });
    assert!(max < fast, "{max} and {fast}");
}

#[test]
fn merge_keeps_hosts_apart_and_orders_by_wall_clock() {
    let dir = Dir::new();
    let (one, two) = (dir.path("one.trz"), dir.path("two.trz"));
    make(one.as_ref(), "one", 1_700_000_000_000_000_000);
    make(two.as_ref(), "two", 1_700_000_000_000_001_000);
    let out = dir.path("both.trz");
    told(&["merge", &one, &two, "-o", &out], 0);
    told(&["verify", &out], 0);
    let capture = Capture::open(out.as_ref()).unwrap();
    assert_eq!(capture.header().host.hostname, "one");
    assert_eq!(capture.header().more_hosts[0].hostname, "two");
    let blocks: Vec<_> = capture.blocks().iter().map(|b| (b.host(), b.statistics.first_ns)).collect();
    let start = 1_700_000_000_001_000_000;
    let expected: Vec<_> =
        (0..3).flat_map(|n| [(0, start + n * 3000), (1, start + n * 3000 + 1000)]).collect();
    assert_eq!(blocks, expected);
    let mut scratch = Scratch::new();
    let block = capture.block(1, &mut scratch).unwrap();
    assert_eq!(block.clock().wall(block.times().unwrap()[0]), start + 1000);
    assert_eq!(capture.processes().iter().map(|p| p.host).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(told(&["replay", &out, "--count"], 0).trim(), "180");
}

#[test]
fn redact_takes_the_names_out_of_listings_of_directories() {
    let dir = Dir::new();
    let file = format!("{}/fixtures/ls.trz", env!("CARGO_MANIFEST_DIR"));
    let count = |file: &str| told(&["replay", file, "--count", "-f", "getdents64.dirp.d_name=run"], 0);
    assert_eq!(count(&file), "1\n");
    for (at, rule) in
        [["--hash", "paths"], ["--drop", "paths=/run/*"], ["--drop", "any=run"]].iter().enumerate()
    {
        let out = dir.path(&format!("{at}.trz"));
        told(&[&["redact", &file, "-o", &out, "--allow-leftovers"][..], rule].concat(), 0);
        assert_eq!(count(&out), "0\n", "{rule:?}");
    }
}

#[test]
fn redact_any_takes_a_text_out_wherever_it_stands() {
    let dir = Dir::new();
    let path = dir.path("a.trz");
    let header = Header {
        program: "test".into(),
        schema: current_schema(),
        recording: Recording {
            command_line: vec!["tracer".into(), "-f".into(), "comm=alice-sh,ls".into()],
            filters: vec!["3:openat.pathname=/home/alice/*".into()],
            policies: vec!["rules:\n  - event: openat\n    filters:\n      - pathname=/home/alice\n".into()],
            ..Recording::default()
        },
        ..Header::default()
    };
    let mut writer = Writer::create(std::fs::File::create(&path).unwrap(), &header).unwrap();
    let process = Process {
        pid: 10,
        comm: b"alice-sh".to_vec(),
        argv: b"ls\0/home/alice\0".to_vec(),
        fds: vec![(3, b"/home/alice/x".to_vec()), (4, b"socket:[77]".to_vec())],
        ..Process::default()
    };
    writer.side(&Side::Processes(vec![process])).unwrap();
    writer.side(&Side::Users(vec![format::User { host: 0, uid: 7, name: "alice".into() }])).unwrap();
    let cgroup = format::Cgroup { id: 5, path: "/user/alice".into(), ..format::Cgroup::default() };
    writer.side(&Side::Cgroups(vec![cgroup])).unwrap();
    let mut builder = BlockBuilder::new();
    let context =
        builder.intern(&Context { comm: b"alice-sh", exe: b"/home/alice/sh", ..Context::default() });
    // Every argument of every event, as bytes that name her.
    for (n, event) in catalogue::events().filter(|event| !event.is_derived()).enumerate() {
        let args: Vec<Raw<'_>> = event
            .args
            .iter()
            .map(|arg| {
                if arg.kind.is_bytes() {
                    Raw::Bytes(b"/home/alice/\0alice and twenty more")
                } else {
                    Raw::Number(1)
                }
            })
            .collect();
        let (time_ns, marks) = (n as u64, Marks(0));
        let row = Row {
            time_ns,
            event: event.id,
            cpu: 0,
            context,
            ret: 0,
            scopes: 4,
            marks,
            duration_ns: None,
            args: &args,
        };
        builder.push(&row).unwrap();
    }
    let rows = builder.len();
    writer.block(&Encoder::new(Options::default()).encode(&mut builder).unwrap()).unwrap();
    writer.finish().unwrap();

    let out = dir.path("out.trz");
    told(&["redact", &path, "-o", &out, "--hash", "any=*alice*"], 0);
    let capture = Capture::open(out.as_ref()).unwrap();
    let mut scratch = Scratch::new();
    let block = capture.block(0, &mut scratch).unwrap();
    assert_eq!((block.rows(), block.scopes().unwrap()[0]), (rows, 4));
    let mut everything = format!(
        "{:?}{:?}{:?}{:?}{:?}",
        capture.header(),
        capture.users(),
        capture.cgroups(),
        capture
            .blocks()
            .iter()
            .flat_map(|block| [&block.statistics.comms, &block.statistics.exes, &block.statistics.utses])
            .flat_map(|texts| texts.exact().unwrap_or_default())
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect::<Vec<_>>(),
        block
            .contexts()
            .unwrap()
            .iter()
            .map(|c| [c.comm, c.exe, c.uts].concat().escape_ascii().to_string())
            .collect::<Vec<_>>(),
    );
    for process in capture.processes() {
        let texts = [&process.comm, &process.exe, &process.argv]
            .into_iter()
            .chain(process.fds.iter().map(|(_, fd)| fd));
        everything.extend(texts.map(|text| text.escape_ascii().to_string()));
    }
    for code in 0..block.event_list().len() as u16 {
        let event = capture.schema().event(block.event_list()[code as usize]).unwrap();
        for position in 0..event.args.len() {
            if let Raw::Bytes(bytes) = block.args(code).get(0, position).unwrap() {
                let text = bytes.escape_ascii().to_string();
                assert!(!text.contains("alice"), "{}.{}: {text}", event.name, event.args[position].name);
            }
        }
    }
    assert!(!everything.contains("alice"), "{everything}");
    assert!(everything.contains("socket:[77]"), "kinds of descriptors stay");
}

#[test]
fn redact_leaves_nothing_of_what_it_hashes() {
    let dir = Dir::new();
    let file = dir.capture("secrethost.trz");
    let out = dir.path("out.trz");
    told(&["redact", &file, "-o", &out, "--hash", "paths=/home/*,argv=/home/*,hosts"], 0);
    let (before, after) = (rows(&file), rows(&out));
    assert_eq!(before.len(), after.len());
    for (b, a) in before.iter().zip(&after) {
        assert_eq!((b.0, b.1, &b.2), (a.0, a.1, &a.2));
        assert_eq!(b.3.starts_with("/home"), a.3.starts_with('/') && !a.3.contains("alice"));
    }
    let same = |rows: &[(u64, &str, String, String, u32)], at: usize| rows[at].3 == rows[at + 30].3;
    assert!((0..60).all(|at| same(&after, at)), "equal paths have equal hashes");
    let capture = Capture::open(out.as_ref()).unwrap();
    let everything = format!("{:?} {:?}", capture.header(), capture.processes());
    assert!(!everything.contains("secrethost") && capture.processes()[0].argv.starts_with(b"ls\0/"));
    let mut scratch = Scratch::new();
    let block = capture.block(0, &mut scratch).unwrap();
    assert!(block.contexts().unwrap().iter().all(|c| c.uts != b"secrethost" && c.exe == b"/usr/bin/x"));
    assert!(told(&["redact", &file, "-o", &out, "--force"], 2).contains("nothing to redact"));
}
