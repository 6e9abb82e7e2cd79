//! What processes before one executed, and that it is remembered however the capture is asked.

#[path = "../../replay/tests/synthetic/mod.rs"]
mod synthetic;

use events::{Context, Marks, Raw};
use format::Capture;
use pipeline::Source;
use rules::scan::{Asking, Scan};
use rules::{Readers, Rule};
use synthetic::{Event, Made, process, snapshot};

const SECOND: u64 = 1_000_000_000;

fn rules(query: &str) -> Vec<Rule> {
    let mut readers = Readers::default();
    readers.add("rule.eql", query, true);
    let corpus = readers.finish();
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    corpus.rules
}

fn fork(made: &mut Made, second: u64, parent: Context<'_>, child: u32) {
    let child = process(child, parent.pid, parent.uid, "x", "/bin/x");
    let args = [
        ("child_pid", Raw::Number(child.pid.into())),
        ("child_tid", Raw::Number(child.pid.into())),
        ("start_time", Raw::Number(child.process_start_ns)),
    ];
    row(made, second, "sched_process_fork", parent, &args);
}

fn exec(made: &mut Made, second: u64, context: Context<'_>, path: &str, argv: &[u8]) {
    let args = [("pathname", Raw::Bytes(path.as_bytes())), ("argv", Raw::Bytes(argv))];
    row(made, second, "sched_process_exec", context, &args);
}

fn row(made: &mut Made, second: u64, name: &str, context: Context<'_>, args: &[(&str, Raw<'_>)]) {
    let at = second * SECOND;
    made.push(&Event { at, name, context, ret: 0, scopes: 1, marks: Marks(0), args });
}

/// `login -f` of user 7 runs a shell, becomes something else, and ends; the shell runs `id` twice.
fn session() -> Made {
    let mut made = Made::new();
    made.rows_per_block = 3;
    let daemon = process(10, 1, 0, "telnetd", "/usr/sbin/telnetd");
    made.sides.push(snapshot(&[daemon]));
    fork(&mut made, 1, daemon, 11);
    let login = process(11, 10, 7, "login", "/bin/login");
    exec(&mut made, 2, login, "/bin/login", b"login\0-froot\0");
    fork(&mut made, 3, login, 12);
    let shell = process(12, 11, 7, "sh", "/bin/sh");
    exec(&mut made, 4, shell, "/bin/sh", b"sh\0");
    let other = Context { exe: b"/bin/true", comm: b"true", ..login };
    exec(&mut made, 5, other, "/bin/true", b"true\0");
    row(&mut made, 6, "sched_process_exit", other, &[]);
    for (second, pid) in [(7, 13), (9, 14)] {
        fork(&mut made, second, shell, pid);
        // Whoever it belonged to is gone: it is a child of init by now.
        let id = Context { ppid: 1, ..process(pid, 12, 7, "id", "/usr/bin/id") };
        exec(&mut made, second + 1, id, "/usr/bin/id", b"id\0");
    }
    made
}

fn source(files: Vec<Made>) -> Source {
    let open = |(number, made): (usize, Made)| {
        (format!("file {number}"), Capture::from_bytes(made.bytes()).expect("a capture"))
    };
    Source::new(files.into_iter().enumerate().map(open).collect())
}

/// Pids of what is found, with what decided.
fn found(query: &str, threads: usize) -> Vec<(u32, String)> {
    let all = rules(query);
    let source = source(vec![session()]);
    let scan = Scan::new(&all, &source);
    assert!(scan.unanswerable().is_empty(), "{:?}", scan.unanswerable());
    let mut found = Vec::new();
    scan.run(Asking { threads, ..Asking::default() }, &mut |finding| {
        let deciding = finding.events[0].deciding.iter();
        let value = deciding.filter(|it| it.written.ends_with(" of")).map(|it| it.value.clone());
        found.push((finding.process.pid, value.collect::<Vec<_>>().join(",")));
    })
    .expect("an answer");
    found
}

const LOGIN: &str = "[process where event.type == \"start\" and process.name == \"login\" and process.args like \"-*f*\" \
                     and process.parent.name == \"telnetd\"]";

fn told(pids: &[u32], value: &str) -> Vec<(u32, String)> {
    pids.iter().map(|pid| (*pid, value.to_owned())).collect()
}

#[test]
fn an_execution_is_remembered_by_all_that_descends_from_it() {
    for threads in [1, 3] {
        let found = |query: String| found(&query, threads);
        let all = told(&[12, 13, 14], "/bin/login");
        assert_eq!(found(format!("process where event.action == \"exec\" and descendant of {LOGIN}")), all);
        assert_eq!(found(format!("process where event.action == \"exec\" and child of {LOGIN}")), all[..1]);
        let own = told(&[11, 11], "/bin/login");
        assert_eq!(found(format!("process where event.action == \"exec\" and event of {LOGIN}")), own);
        let rest = "process.name == \"id\" and process.pid > process.parent.pid + 1";
        let of =
            found(format!("process where event.action == \"exec\" and {rest} and descendant of {LOGIN}"));
        assert_eq!(of, told(&[13, 14], "/bin/login"));
    }
}

#[test]
fn executions_are_asked_for_executions_before_them() {
    let shell = format!("[process where process.name == \"sh\" and descendant of {LOGIN}]");
    let query = format!("process where event.action == \"exec\" and descendant of {shell}");
    assert_eq!(found(&query, 1), told(&[13, 14], "/bin/sh"));
    let none = query.replace("\"sh\"", "\"bash\"");
    assert_eq!(found(&none, 1), []);
    let not = format!("process where event.action == \"exec\" and not descendant of {LOGIN}");
    assert_eq!(found(&not, 1), told(&[11, 11], ""));
}

/// What was there when the recording began counts as executed.
#[test]
fn processes_of_the_beginning_have_executed_what_they_are() {
    let of = |condition: &str| {
        found(
            &format!("process where event.action == \"exec\" and descendant of [process where {condition}]"),
            1,
        )
        .into_iter()
        .map(|(pid, _)| pid)
        .collect::<Vec<_>>()
    };
    assert_eq!(of("process.executable == \"/usr/sbin/telnetd\" and user.id == 0"), [11, 12, 11, 13, 14]);
    assert_eq!(of("process.executable == \"/usr/sbin/telnetd\" and user.id == 1"), [0u32; 0]);
}

#[test]
fn a_capture_without_executions_cannot_answer() {
    let all = rules(&format!("file where event.type == \"creation\" and descendant of {LOGIN}"));
    let mut made = Made::new();
    made.header.recording.events = vec!["security_file_open,sched_process_fork,sched_process_exit".into()];
    row(&mut made, 1, "security_file_open", process(7, 1, 0, "x", "/bin/x"), &[]);
    let source = source(vec![made]);
    let scan = Scan::new(&all, &source);
    let why = scan.unanswerable().get(&0).map(String::as_str).unwrap_or_default();
    assert!(
        why.starts_with("what processes executed before cannot be followed: sched_process_exec"),
        "{why}"
    );
}
