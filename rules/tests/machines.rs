//! What several events add up to, and that it is the same however the capture is asked.

#[path = "../../replay/tests/synthetic/mod.rs"]
mod synthetic;

use events::{Marks, Raw};
use format::Capture;
use pipeline::Source;
use rules::scan::{Asking, Scan};
use rules::{Readers, Rule};
use synthetic::{Event, Made, process};

const SECOND: u64 = 1_000_000_000;

fn rules(text: &str) -> Vec<Rule> {
    let mut readers = Readers::default();
    readers.add("rules.yaml", text, true);
    let corpus = readers.finish();
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    corpus.rules
}

/// Opens of paths by processes, at seconds.
fn opens(rows: &[(u64, u32, &str)]) -> Made {
    let mut made = Made::new();
    for (second, pid, path) in rows {
        let args = [("pathname", Raw::Bytes(path.as_bytes())), ("flags", Raw::Number(0))];
        let context = process(*pid, 1, 0, "x", "/usr/bin/x");
        let name = "security_file_open";
        made.push(&Event {
            at: second * SECOND,
            name,
            context,
            ret: 0,
            scopes: 1,
            marks: Marks(0),
            args: &args,
        });
    }
    made
}

fn source(files: Vec<Made>) -> Source {
    let open = |(number, made): (usize, Made)| {
        (format!("file {number}"), Capture::from_bytes(made.bytes()).expect("a capture"))
    };
    Source::new(files.into_iter().enumerate().map(open).collect())
}

/// Rules and processes of findings, with the times of their events in seconds.
fn found(all: &[Rule], source: &Source, threads: usize) -> Vec<(String, u32, Vec<u64>)> {
    let mut found = Vec::new();
    let scan = Scan::new(all, source);
    scan.run(Asking { threads, ..Asking::default() }, &mut |finding| {
        let seconds = |wall: i64| (wall - synthetic::WALL as i64) as u64 / SECOND;
        let times = finding.events.iter().map(|seen| seconds(seen.wall_ns)).collect();
        found.push((all[finding.rule].id.clone(), finding.process.pid, times));
    })
    .expect("an answer");
    found
}

fn sequence(steps: &str) -> Vec<Rule> {
    rules(&format!("rule: s\nsequence:\n  by: [process]\n  within: 10s\n  steps:\n{steps}"))
}

const A: &str = "    - {event: security_file_open, where: [pathname=/a]}\n";
const B: &str = "    - {event: security_file_open, where: [pathname=/b]}\n";
const NOT_X: &str = "    - {event: security_file_open, where: [pathname=/x], missing: true}\n";

fn times(rules: &[Rule], rows: &[(u64, u32, &str)]) -> Vec<Vec<u64>> {
    let source = source(vec![opens(rows)]);
    found(rules, &source, 1).into_iter().map(|(.., times)| times).collect()
}

#[test]
fn an_event_that_fits_two_steps_goes_one() {
    let rules = sequence(&[A, A].concat());
    assert_eq!(times(&rules, &[(1, 7, "/a")]), Vec::<Vec<u64>>::new());
    // The end of one begins the next.
    assert_eq!(times(&rules, &[(1, 7, "/a"), (2, 7, "/a"), (3, 7, "/a")]), [[1, 2], [2, 3]]);
    let three = sequence(&[A, A, A].concat());
    assert_eq!(times(&three, &[(1, 7, "/a"), (2, 7, "/a")]), Vec::<Vec<u64>>::new());
    assert_eq!(
        times(&three, &[(1, 7, "/a"), (2, 7, "/a"), (3, 7, "/a"), (4, 7, "/a")]),
        [[1, 2, 3], [2, 3, 4]]
    );
}

#[test]
fn what_must_not_come_between_ends_what_was_pending() {
    let rules = sequence(&[A, NOT_X, B].concat());
    assert_eq!(times(&rules, &[(1, 7, "/a"), (3, 7, "/b")]), [[1, 3]]);
    assert_eq!(times(&rules, &[(1, 7, "/a"), (2, 7, "/x"), (3, 7, "/b")]), Vec::<Vec<u64>>::new());
    // Of another process it says nothing.
    assert_eq!(times(&rules, &[(1, 7, "/a"), (2, 8, "/x"), (3, 7, "/b")]), [[1, 3]]);
}

#[test]
fn what_must_not_come_before_is_looked_for_within_the_span() {
    let rules = sequence(&[NOT_X, A, B].concat());
    assert_eq!(times(&rules, &[(1, 7, "/x"), (2, 7, "/a"), (3, 7, "/b")]), Vec::<Vec<u64>>::new());
    assert_eq!(times(&rules, &[(1, 7, "/x"), (12, 7, "/a"), (13, 7, "/b")]), [[12, 13]]);
}

#[test]
fn what_must_not_follow_is_waited_for_until_the_span_is_over() {
    let rules = sequence(&[A, B, NOT_X].concat());
    assert_eq!(times(&rules, &[(1, 7, "/a"), (2, 7, "/b"), (20, 9, "/z")]), [[1, 2]]);
    assert_eq!(
        times(&rules, &[(1, 7, "/a"), (2, 7, "/b"), (3, 7, "/x"), (20, 9, "/z")]),
        Vec::<Vec<u64>>::new()
    );
    // The capture ends before it can be known.
    assert_eq!(times(&rules, &[(1, 7, "/a"), (2, 7, "/b"), (3, 9, "/z")]), Vec::<Vec<u64>>::new());
}

const MIXED: &str = "rule: each\nwhen: {event: security_file_open, where: [pathname=/b]}\n---\n\
    rule: many\nwhen: {event: security_file_open, where: [pathname=/a]}\ncount: {by: [process], within: 30s, at_least: 2}\n---\n\
    rule: two\nsequence:\n  by: [process]\n  within: 20s\n  steps:\n    - {event: security_file_open, where: [pathname=/a]}\n    - {event: security_file_open, where: [pathname=/b]}\n---\n\
    rule: first\nwhen: {event: security_file_open}\nfirst_seen: [path, process]\n";

/// Opens of a few paths by a few processes.
fn many(seconds: std::ops::Range<u64>) -> Vec<(u64, u32, &'static str)> {
    let paths = ["/a", "/b", "/c", "/d/e"];
    seconds
        .map(|second| (second, 7 + (second * 7 % 5) as u32, paths[(second * 13 % 11 % 4) as usize]))
        .collect()
}

#[test]
fn any_number_of_threads_and_any_number_of_files_find_the_same() {
    let rules = rules(MIXED);
    let small = |rows: &[(u64, u32, &str)]| {
        let mut made = opens(rows);
        made.rows_per_block = 16;
        made
    };
    let whole = source(vec![small(&many(0..900))]);
    let expected = found(&rules, &whole, 1);
    for id in ["each", "many", "two", "first"] {
        assert!(expected.iter().any(|(rule, ..)| rule == id), "{id} found nothing");
    }
    for threads in [2, 3, 8] {
        assert_eq!(found(&rules, &whole, threads), expected, "{threads} threads");
    }
    for threads in [1, 2] {
        let split = source([0..100, 100..101, 101..640, 640..900].map(|part| small(&many(part))).into());
        assert_eq!(found(&rules, &split, threads), expected, "in parts, {threads} threads");
    }
}

/// Batches given one by one, as a live source gives them, find what a scan finds.
#[test]
fn batches_one_by_one_find_what_a_scan_finds() {
    let rules = rules(MIXED);
    let mut made = opens(&many(0..300));
    made.rows_per_block = 16;
    let source = source(vec![made]);
    let scan = Scan::new(&rules, &source);
    let (mut whole, mut one_by_one) = (Vec::new(), Vec::new());
    scan.run(Asking::default(), &mut |finding| whole.push(finding)).expect("an answer");
    let mut finder = scan.finder(None);
    pipeline::Question::new(&source, scan.matchers())
        .batches(pipeline::Projection::NONE, &mut |batch| {
            finder.batch(batch, &mut |finding| one_by_one.push(finding))
        })
        .expect("an answer");
    assert!(!whole.is_empty());
    assert_eq!(one_by_one, whole);
}

/// Execs of executables with command lines, at seconds.
fn execs(rows: &[(u64, &str, &str)]) -> Source {
    let mut made = Made::new();
    for (pid, (second, exe, argv)) in (100..).zip(rows) {
        let argv: Vec<u8> = argv.split(' ').flat_map(|word| [word.as_bytes(), b"\0"].concat()).collect();
        let args = [("pathname", Raw::Bytes(exe.as_bytes())), ("argv", Raw::Bytes(&argv))];
        let comm = exe.rsplit('/').next().unwrap_or_default();
        made.push(&Event {
            at: second * SECOND,
            name: "sched_process_exec",
            context: process(pid, 1, 0, comm, exe),
            ret: 0,
            scopes: 1,
            marks: Marks(0),
            args: &args,
        });
    }
    source(vec![made])
}

#[test]
fn a_step_asks_for_an_event_before_it_by_its_name() {
    let query = "sequence by host.id with maxspan=10s
      [process where event.action == \"exec\" and process.name == \"sh\"] as event0
      [process where event.action == \"exec\" and stringContains(event0.process.command_line, process.executable)
        and not startsWith~(process.command_line, event0.process.command_line)]";
    let mut readers = Readers::default();
    let toml = format!(
        "[rule]\nname = \"s\"\nrule_id = \"s\"\ntype = \"eql\"\nlanguage = \"eql\"\nquery = '''\n{query}\n'''\n"
    );
    readers.add("rule.toml", &toml, true);
    let corpus = readers.finish();
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    let found = |rows: &[(u64, &str, &str)]| -> Vec<Vec<u64>> {
        found(&corpus.rules, &execs(rows), 1).into_iter().map(|(.., times)| times).collect()
    };
    let shell = (1, "/bin/sh", "sh -c /tmp/drop");
    assert_eq!(found(&[shell, (3, "/tmp/drop", "drop")]), [[1, 3]]);
    // One that is no such event does not end what waits.
    assert_eq!(found(&[shell, (2, "/tmp/other", "other"), (3, "/tmp/drop", "drop")]), [[1, 3]]);
    assert_eq!(found(&[shell, (2, "/tmp/other", "other")]), Vec::<Vec<u64>>::new());
    assert_eq!(found(&[shell, (3, "/tmp/drop", "SH -c /tmp/drop x")]), Vec::<Vec<u64>>::new());
    // The newest first event is the one that is asked for.
    let other = (2, "/bin/sh", "sh -c /tmp/new");
    assert_eq!(found(&[shell, other, (3, "/tmp/drop", "drop")]), Vec::<Vec<u64>>::new());
    assert_eq!(found(&[shell, other, (3, "/tmp/new", "new")]), [[2, 3]]);
}

#[test]
fn what_is_asked_of_an_earlier_event_is_said_where_it_cannot_be() {
    let wrong = |query: &str| {
        let toml = format!(
            "[rule]\nname = \"s\"\nrule_id = \"s\"\ntype = \"eql\"\nlanguage = \"eql\"\nquery = '''\n{query}\n'''\n"
        );
        let mut readers = Readers::default();
        readers.add("rule.toml", &toml, true);
        format!("{:?}", readers.finish().diagnostics)
    };
    let first = "sequence by host.id with maxspan=10s\n[process where event.action == \"exec\"] as e\n";
    let step = |condition: &str| format!("{first}[process where event.action == \"exec\" and {condition}]");
    let joined = wrong(&step("(process.pid == 1 or process.name == e.process.name)"));
    assert!(joined.contains("that and joins to the others"), "{joined}");
    let constant = wrong(&step("e.process.name == \"x\""));
    assert!(constant.contains("compared with a field of this event"), "{constant}");
    let unknown = wrong(&step("e.process.nam == process.name"));
    assert!(unknown.contains("process.nam"), "{unknown}");
    let missing = wrong(&format!(
        "{first}![process where process.name == e.process.name]\n[process where event.action == \"exec\"]"
    ));
    assert!(missing.contains("what must not come cannot ask"), "{missing}");
}
