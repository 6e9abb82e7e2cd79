//! Redaction fails closed: what is to be hidden is found neither in decoded values nor in the bytes, in whatever form and
//! place it stood.

mod program;

use std::fs;

use events::context::Standing;
use events::variants::VARIANTS;
use events::{ArgKind, Context, Event, Marks, Raw, catalogue};
use format::facts::Facts;
use format::{ArgSchema, Capture, Cgroup, Container, EventSchema, Process, Scratch, Side, Unavailable, User};
use program::synthetic::{self, Made, process};
use program::{Folder, event, text, tracer};

/// Runs it and expects an exit code; returns what it said.
fn told(arguments: &[&str], code: i32) -> String {
    let output = tracer(arguments);
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{said}");
    said
}

/// Every value that a capture gives, with the place where it stands.
fn values(file: &str) -> Vec<(String, Vec<u8>)> {
    let capture = Capture::open(file.as_ref()).unwrap();
    let mut values = vec![("header".to_owned(), format!("{:?}", Header(&capture)).into_bytes())];
    let mut add = |place: &str, bytes: &[u8]| values.push((place.to_owned(), bytes.to_vec()));
    for user in capture.users() {
        add("user", user.name.as_bytes());
    }
    for process in capture.processes() {
        add("process.comm", &process.comm);
        add("process.exe", &process.exe);
        add("process.argv", &process.argv);
        process.fds.iter().for_each(|(_, fd)| add("process.fd", fd));
    }
    for cgroup in capture.cgroups() {
        add("cgroup", format!("{cgroup:?}").as_bytes());
    }
    let mut scratch = Scratch::new();
    for number in 0..capture.blocks().len() {
        let block = capture.block(number, &mut scratch).unwrap();
        for context in block.contexts().unwrap().iter() {
            add("context.comm", context.comm);
            add("context.exe", context.exe);
            add("context.uts", context.uts);
            add("context.standing.cwd", context.standing.cwd.unwrap_or_default());
        }
        for (code, id) in block.event_list().iter().enumerate() {
            let event = capture.schema().event(*id).unwrap();
            for ordinal in 0..block.rows_of(code as u16) {
                for (position, arg) in event.args.iter().enumerate() {
                    if let Raw::Bytes(bytes) = block.args(code as u16).get(ordinal, position).unwrap() {
                        add(&format!("{}.{} row {ordinal}", event.name, arg.name), bytes);
                    }
                }
            }
        }
    }
    values
}

/// The header without its schema, which is names of the program's own.
struct Header<'a>(&'a Capture);

impl std::fmt::Debug for Header<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let header = self.0.header();
        let format::Header {
            program, host, recording, more_hosts, more_recordings, provenance, more, ..
        } = header;
        let more: Vec<String> =
            more.values().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        write!(
            out,
            "{program} {host:?} {recording:?} {more_hosts:?} {more_recordings:?} {provenance:?} {more:?}"
        )
    }
}

/// Whether a word stands in bytes, in any letters, as text or as UTF-16.
fn stands_in(bytes: &[u8], word: &str) -> bool {
    let small = bytes.to_ascii_lowercase();
    let every_second = |first: usize| small.iter().skip(first).step_by(2).copied().collect::<Vec<u8>>();
    [small.clone(), every_second(0), every_second(1)]
        .iter()
        .any(|form| form.windows(word.len()).any(|part| part == word.as_bytes()))
}

/// Asserts that no decoded value and no byte of a file has a word.
fn is_nowhere(file: &str, word: &str, told: &str) {
    for (place, value) in values(file) {
        assert!(!stands_in(&value, word), "{word} in {place}: {:?}\n{told}", String::from_utf8_lossy(&value));
    }
    assert!(!stands_in(&fs::read(file).unwrap(), word), "{word} in the bytes of {file}\n{told}");
}

const CANARY: &str = "canary-7f3a";

/// The canary as text, in capitals, as UTF-16, as a label of DNS, in a path, in an address and in a descriptor.
fn forms() -> Vec<Vec<u8>> {
    let wide: Vec<u8> = CANARY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let dns = [&[CANARY.len() as u8][..], CANARY.as_bytes(), b"\x04corp\0"].concat();
    vec![
        CANARY.as_bytes().to_vec(),
        CANARY.to_uppercase().into_bytes(),
        format!("/home/{CANARY}/x and more").into_bytes(),
        format!("{CANARY}\0--token={CANARY}\0").into_bytes(),
        [&b"\x03\0\0\0\0\0\0\0"[..], format!("/home/{CANARY}").as_bytes()].concat(),
        [&b"\x03\0\0\0\0\0\0\0"[..], format!("unix ->/run/{CANARY}.sock").as_bytes()].concat(),
        [&b"\x01\0"[..], format!("/run/{CANARY}.sock").as_bytes()].concat(),
        [&b"\x01\0\0"[..], CANARY.as_bytes()].concat(),
        [&b"\x04"[..], &(CANARY.len() as u16).to_le_bytes(), CANARY.as_bytes()].concat(),
        wide.clone(),
        [&b"x"[..], &wide].concat(),
        dns.clone(),
        [&b"\0\0\0\0\0\0\0\0\0\0\0\0"[..], &dns].concat(),
    ]
}

/// Pushes a row of an event of which every argument that is stored as bytes has this value.
fn push(made: &mut Made, at: u64, event: &'static Event, selected: Option<(usize, u64)>, value: &[u8]) {
    let args: Vec<Raw<'_>> = event
        .args
        .iter()
        .enumerate()
        .map(|(position, arg)| match (arg.kind, selected) {
            (_, Some((selector, number))) if selector == position => Raw::Number(number),
            (ArgKind::Fd, _) => Raw::Bytes(value),
            (kind, _) if kind.is_bytes() => Raw::Bytes(value),
            _ => Raw::Number(1),
        })
        .collect();
    let names: Vec<(&str, Raw<'_>)> =
        event.args.iter().zip(&args).map(|(arg, raw)| (arg.name, *raw)).collect();
    let context = Context {
        comm: CANARY.as_bytes(),
        exe: value,
        uts: CANARY.as_bytes(),
        standing: Standing { cwd: Some(value), ..Standing::default() },
        ..process(7, 1, 0, "x", "/x")
    };
    made.push(&synthetic::Event {
        at,
        name: event.name,
        context,
        ret: 0,
        scopes: 1,
        marks: Marks(0),
        args: &names,
    });
}

/// A capture in which the canary stands wherever a text can.
fn canaries() -> Made {
    let mut made = Made::new();
    let mut at = 0;
    for value in forms() {
        for event in catalogue::events().filter(|event| !event.is_derived()) {
            at += 1000;
            push(&mut made, at, event, None, &value);
        }
        for variant in VARIANTS {
            let Some(event) = catalogue::by_id(variant.event) else { continue };
            let ArgKind::Any(selector) = event.args[usize::from(variant.position)].kind else { continue };
            at += 1000;
            let stored = [&[7; 8][..], &value].concat();
            push(&mut made, at, event, Some((selector.into(), variant.value.into())), &stored);
        }
    }
    let canary = || CANARY.to_owned();
    made.header.program = canary();
    made.header.host.hostname = format!("{CANARY}.corp");
    made.header.host.boot_id = canary();
    made.header.host.kernel_version = format!("#1 SMP {CANARY}");
    made.header.host.os = canary();
    let recording = &mut made.header.recording;
    recording.command_line =
        vec!["tracer".into(), format!("--x={CANARY}"), "-f".into(), format!("comm={CANARY}")];
    recording.filters =
        vec![format!("execve.argv=*{CANARY}*"), format!("write.buf={}", CANARY.to_uppercase())];
    recording.policies =
        vec![format!("rules:\n  - event: write\n    filters:\n      - data.buf=*{CANARY}*\n")];
    recording.unavailable = vec![Unavailable { event: "close".into(), reason: canary() }];
    made.header.recording.more = [("what_comes_later".to_owned(), canary())].into();
    made.header.more = [("what_comes_later".to_owned(), canary().into_bytes())].into();
    made.header.more_hosts = vec![format::Host { hostname: canary(), ..made.header.host.clone() }];
    made.header.more_recordings = vec![made.header.recording.clone()];
    made.header.provenance = vec![format::Provenance {
        command: vec![
            "tracer".into(),
            "cut".into(),
            format!("{CANARY}.trz"),
            "-f".into(),
            format!("comm={CANARY}"),
        ],
        sources: vec![format::SourceCapture { name: canary(), verdict: canary(), ..Default::default() }],
    }];
    made.sides.push(Side::Users(vec![User { host: 0, uid: 7, name: canary() }]));
    let fds = vec![
        (1, format!("/home/{CANARY}").into_bytes()),
        (2, format!("memfd:{CANARY}").into_bytes()),
        (3, format!("unix @{CANARY}").into_bytes()),
    ];
    made.sides.push(Side::Processes(vec![Process {
        pid: 7,
        comm: canary().into_bytes(),
        exe: canary().into_bytes(),
        argv: format!("a\0{CANARY}\0").into_bytes(),
        fds,
        facts: Facts { cwd: Some(format!("/home/{CANARY}").into_bytes().into()), ..Facts::default() },
        ..Process::default()
    }]));
    let container = Container {
        id: "c0ffee".into(),
        name: canary(),
        image: canary(),
        pod_name: canary(),
        pod_uid: canary(),
        ..Container::default()
    };
    let path = format!("/kubepods/pod{CANARY}/c0ffee");
    made.sides.push(Side::Cgroups(vec![Cgroup {
        id: 5,
        path,
        container: Some(container),
        ..Cgroup::default()
    }]));
    made
}

#[test]
fn a_canary_in_any_field_of_any_kind_in_any_form_is_found_nowhere() {
    let folder = Folder::new();
    let file = folder.capture("canaries.trz", canaries());
    let rows = told(&["replay", "-q", &file, "--count"], 0);
    for (at, how) in ["--drop", "--hash"].iter().enumerate() {
        let out = text(&folder.path(&format!("{at}.trz")));
        let said = told(&["redact", &file, "-o", &out, how, &format!("any=*{CANARY}*")], 0);
        is_nowhere(&out, CANARY, &said);
        assert_eq!(told(&["replay", "-q", &out, "--count"], 0), rows, "no row is lost");
    }
}

#[test]
fn events_that_the_program_does_not_know_are_treated_as_if_they_held_anything() {
    let folder = Folder::new();
    let kinds =
        ["str", "text", "str_array", "bytes", "sockaddr", "tree", "any:0", "something new", "fd", "iovec"];
    let mut made = Made::new();
    made.header.schema.push(EventSchema {
        id: 60_000,
        name: "my_detection".into(),
        sets: Vec::new(),
        args: kinds
            .iter()
            .enumerate()
            .map(|(at, kind)| ArgSchema { name: format!("a{at}"), ctype: "x".into(), kind: (*kind).into() })
            .collect(),
        syscall: false,
    });
    for (at, value) in forms().iter().enumerate() {
        let args: Vec<Raw<'_>> = kinds.iter().map(|_| Raw::Bytes(value)).collect();
        let time_ns = synthetic::BOOT + at as u64;
        let id = events::EventId(60_000);
        made.row(time_ns, id, &process(7, 1, 0, "x", "/x"), 0, 0, 1, Marks(0), &args);
    }
    let file = folder.capture("foreign.trz", made);
    // Rules name the event and its arguments as any other's.
    for rule in ["my_detection.*", "my_*.a*", "*.a3,*.a0,*.a1,*.a2,*.a4,*.a5,*.a6,*.a7,*.a8,*.a9"] {
        for how in ["--drop", "--hash"] {
            let out = text(&folder.path("named.trz"));
            let said = told(&["redact", &file, "-o", &out, "--force", how, rule, "--allow-leftovers"], 0);
            for (place, value) in values(&out).iter().filter(|(place, _)| place.starts_with("my_detection")) {
                assert!(!stands_in(value, CANARY), "{rule}: {place}: {value:?}\n{said}");
            }
        }
    }
    for glob in ["my_detection.*=*canary*", "any=*canary*", "paths=*canary*", "argv=*canary*"] {
        let out = text(&folder.path("glob.trz"));
        let said = told(&["redact", &file, "-o", &out, "--force", "--drop", glob, "--allow-leftovers"], 0);
        for (place, value) in values(&out).iter().filter(|(place, _)| place.starts_with("my_detection")) {
            assert!(!stands_in(value, CANARY), "{glob}: {place}: {value:?}\n{said}");
        }
    }
    let out = text(&folder.path("misspelt.trz"));
    let said = told(&["redact", &file, "-o", &out, "--drop", "my_detection.a77"], 2);
    assert!(said.contains("no event of this capture has such an argument"), "{said}");
    for rule in ["argv", "env", "paths", "addresses", "hosts", "comm", "data", "users", "containers", "any"] {
        let out = text(&folder.path(rule));
        let said = told(&["redact", &file, "-o", &out, "--drop", rule, "--allow-leftovers"], 0);
        for (place, value) in values(&out).iter().filter(|(place, _)| place.starts_with("my_detection")) {
            assert!(!stands_in(value, CANARY), "{rule}: {place}: {value:?}\n{said}");
        }
    }
}

/// A log or a hostile file may store anything under any kind, and may name events after what is secret.
#[test]
fn what_is_stored_otherwise_than_its_kind_is_may_be_anything() {
    let value = format!("/home/{CANARY}");
    // A list of one text, as imported logs have lists where recordings have structures.
    let list = [&[6, 1, 0, 4, value.len() as u8, 0][..], value.as_bytes()].concat();
    for (name, argument) in [("openat", "flags"), ("setuid", "uid"), ("close", "fd"), ("mmap", "addr")] {
        for rule in ["paths", "any=*canary*"] {
            let args = [(argument, Raw::Bytes(value.as_bytes()))];
            assert!(!left_of(name, &args, &["--drop", rule], CANARY), "{name}.{argument} {rule}");
        }
    }
    for (name, argument) in [("newfstatat", "statbuf"), ("uname", "buf"), ("sendmsg", "msg"), ("bpf", "attr")]
    {
        for rule in ["paths", "hosts", "addresses", "any=*canary*", "paths=*canary*"] {
            let args = [(argument, Raw::Bytes(&list))];
            assert!(!left_of(name, &args, &["--drop", rule], CANARY), "{name}.{argument} {rule}");
        }
    }
    let folder = Folder::new();
    let mut made = Made::new();
    let argument = |name: String| ArgSchema { name, ctype: "x".into(), kind: "str".into() };
    let args = vec![argument("plain".into())];
    let event =
        EventSchema { id: 60_000, name: format!("login {CANARY}"), sets: Vec::new(), args, syscall: false };
    made.header.schema.push(event);
    let context = process(7, 1, 0, "x", "/x");
    made.row(
        synthetic::BOOT,
        events::EventId(60_000),
        &context,
        0,
        0,
        1,
        Marks(0),
        &[Raw::Bytes(CANARY.as_bytes())],
    );
    let (file, out) = (folder.capture("named.trz", made), text(&folder.path("out.trz")));
    let said = told(&["redact", &file, "-o", &out, "--drop", "users"], 2);
    assert!(said.contains("still stands in names of events"), "{said}");
}

/// One row of an event, redacted by rules: whether a word is still anywhere.
fn left_of(name: &str, args: &[(&str, Raw<'_>)], rules: &[&str], word: &str) -> bool {
    let folder = Folder::new();
    let mut made = Made::new();
    made.push(&event(1000, name, process(7, 1, 0, "x", "/x"), args));
    let (file, out) = (folder.capture("a.trz", made), text(&folder.path("out.trz")));
    told(&[&["redact", &file, "-o", &out, "--allow-unused"][..], rules].concat(), 0);
    values(&out).iter().any(|(_, value)| stands_in(value, word))
}

#[test]
fn values_are_known_for_what_they_are_wherever_they_stand() {
    let number = Raw::Number;
    let any = |pointed: &[u8]| [&[9; 8][..], pointed].concat();
    let sock = |path: &str| [&b"\x01\0"[..], path.as_bytes(), b"\0"].concat();
    let fd = |text: &str| [&7u64.to_le_bytes()[..], text.as_bytes()].concat();
    let path = sock("/home/alice/agent.sock");
    assert!(!left_of("connect", &[("addr", Raw::Bytes(&path))], &["--hash", "paths"], "alice"));
    assert!(!left_of("connect", &[("addr", Raw::Bytes(&path))], &["--hash", "addresses"], "alice"));
    let unix = fd("unix ->/home/alice/agent.sock");
    assert!(!left_of("read", &[("fd", Raw::Bytes(&unix))], &["--hash", "paths"], "alice"));
    let mapped = fd("tcp [::ffff:10.1.2.3]:80->[::ffff:10.9.9.9]:9");
    assert!(!left_of("read", &[("fd", Raw::Bytes(&mapped))], &["--hash", "addresses=10.*"], "10.1.2.3"));
    let mut inet6 = [0u8; 28];
    inet6[0] = 10;
    inet6[18..24].copy_from_slice(&[0xff, 0xff, 10, 1, 2, 3]);
    let folder = Folder::new();
    let mut made = Made::new();
    made.push(&event(1000, "connect", process(7, 1, 0, "x", "/x"), &[("addr", Raw::Bytes(&inet6))]));
    let (file, out) = (folder.capture("a.trz", made), text(&folder.path("out.trz")));
    told(&["redact", &file, "-o", &out, "--hash", "addresses=10.*"], 0);
    let shown = told(&["replay", &out, "-o", "json"], 0);
    assert!(!shown.contains("10.1.2.3") && shown.contains("::ffff:2"), "{shown}");

    let name = any(b"nginx");
    let prctl = [("option", number(15)), ("arg2", Raw::Bytes(&name))];
    assert!(!left_of("prctl", &prctl, &["--drop", "comm"], "nginx"));
    let password = any(b"hunter2");
    let fsconfig = |cmd, key: &'static [u8], value: &[u8], rules: &[&str], word: &str| {
        let args = [("cmd", number(cmd)), ("key", Raw::Bytes(key)), ("value", Raw::Bytes(value))];
        left_of("fsconfig", &args, rules, word)
    };
    assert!(!fsconfig(1, b"password", &password, &["--drop", "data"], "hunter2"));
    assert!(!fsconfig(3, b"source", &any(b"/dev/disk-of-alice"), &["--drop", "paths"], "alice"));
    // Nobody knows what this request points to.
    let unknown = any(b"abc-alice");
    assert!(!left_of(
        "ioctl",
        &[("request", number(0xdead)), ("arg", Raw::Bytes(&unknown))],
        &["--drop", "paths"],
        "alice"
    ));
}

#[test]
fn rules_that_do_nothing_and_secrets_that_are_none_are_refused_and_nothing_is_written() {
    let folder = Folder::new();
    let file = folder.capture("a.trz", program::id_and_ls());
    let out = text(&folder.path("out.trz"));
    let redact = |rules: &[&str], code| told(&[&["redact", &file, "-o", &out][..], rules].concat(), code);
    for rules in [["--drop", "opnat.pathnme"], ["--drop", "openat.nosuch"], ["--hash", "nosuch.*"]] {
        assert!(redact(&rules, 2).contains("no event of this capture has such an argument"));
    }
    assert!(redact(&["--drop", "paths=/nowhere/*"], 2).contains("changed nothing"));
    assert!(redact(&["--drop", "paths="], 2).contains("names no value"));
    let empty = text(&folder.path("empty"));
    fs::write(&empty, "").unwrap();
    for secret in ["/dev/null", "/dev/zero", &empty] {
        assert!(redact(&["--hash", "paths", "--secret", secret], 2).contains("--secret"));
    }
    assert!(!folder.path("out.trz").exists());
    let said = redact(&["--drop", "paths=/nowhere/*", "--hash", "openat.pathname", "--allow-unused"], 0);
    assert!(
        said.contains("paths=/nowhere/*: 0 values") && said.contains("openat.pathname: 2 values"),
        "{said}"
    );
}

#[test]
fn what_is_taken_out_of_one_place_and_stands_in_another_is_found() {
    let folder = Folder::new();
    let mut made = Made::new();
    let evil = process(7, 1, 0, "x", "/x");
    made.push(&event(1000, "openat", evil, &[("pathname", Raw::Bytes(b"/home/alice/diary"))]));
    made.push(&event(2000, "execve", evil, &[("argv", Raw::Bytes(b"cat\0/home/alice/diary\0"))]));
    let (file, out) = (folder.capture("a.trz", made), text(&folder.path("out.trz")));
    let said = told(&["redact", &file, "-o", &out, "--drop", "paths=/home/*"], 2);
    assert!(said.contains("execve.argv (1)") && !said.contains("diary"), "{said}");
    assert!(!folder.path("out.trz").exists());
    told(&["redact", &file, "-o", &out, "--drop", "paths=/home/*", "--hash", "argv=/home/*"], 0);
    is_nowhere(&out, "alice", "");
    let said =
        told(&["redact", &file, "-o", &out, "--force", "--drop", "paths=/home/*", "--allow-leftovers"], 0);
    assert!(said.contains("warning: what was taken out still stands in execve.argv"), "{said}");
}

#[test]
fn names_of_dns_and_pods_are_found_where_they_are_written_otherwise() {
    let packet = |name: &[u8]| {
        let dns = [&b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0"[..], name, b"\0\x01\0\x01"].concat();
        [&[0x45][..], &[0; 27], &dns].concat()
    };
    let folder = Folder::new();
    let mut made = Made::new();
    let asks = packet(b"\x02db\x08Internal\x04corp\0");
    made.push(&event(1000, "net_packet", process(7, 1, 0, "x", "/x"), &[("data", Raw::Bytes(&asks))]));
    made.header.host.hostname = "db.internal.corp".into();
    let container = Container { id: "c0ffee".into(), pod_uid: "abc-123-pod".into(), ..Container::default() };
    let cgroup = Cgroup {
        id: 5,
        path: "/kubepods/podabc-123-pod/c0ffee".into(),
        container: Some(container),
        ..Cgroup::default()
    };
    made.sides.push(Side::Cgroups(vec![cgroup]));
    let file = folder.capture("a.trz", made);
    for rule in ["any=*internal.corp*", "hosts"] {
        let out = text(&folder.path(rule));
        told(&["redact", &file, "-o", &out, "--drop", rule], 0);
        assert!(!values(&out).iter().any(|(_, value)| stands_in(value, "internal")), "{rule}");
    }
    let out = text(&folder.path("containers"));
    told(&["redact", &file, "-o", &out, "--hash", "containers"], 0);
    assert!(!values(&out).iter().any(|(_, value)| stands_in(value, "abc-123-pod")));
}

#[test]
fn logs_that_were_imported_are_redacted_as_recordings_are() {
    let folder = Folder::new();
    let log = text(&folder.path("log.json"));
    let line = r#"{"timestamp":1668542955041923000,"eventName":"connect","processName":"x","args":[{"name":"sockfd","type":"int","value":3},{"name":"addr","type":"struct sockaddr*","value":{"sa_family":"AF_INET","sin_addr":"10.1.2.3","sin_port":"80"}}]}
{"timestamp":1668542955041924000,"eventName":"my_detection","processName":"x","args":[{"name":"what","type":"string","value":"seen by alice"}]}
"#;
    fs::write(&log, line).unwrap();
    let (file, out) = (text(&folder.path("a.trz")), text(&folder.path("out.trz")));
    told(&["import", &log, "-o", &file], 0);
    told(&["redact", &file, "-o", &out, "--drop", "addresses=10.*", "--drop", "any=*alice*"], 0);
    is_nowhere(&out, "10.1.2.3", "");
    is_nowhere(&out, "alice", "");
}
