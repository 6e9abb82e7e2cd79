//! Detectors of Tracee over captures: what they find, and what they tell of it.

#[path = "../../replay/tests/synthetic/mod.rs"]
mod synthetic;

use events::{Marks, Raw};
use format::Capture;
use pipeline::Source;
use rules::Readers;
use rules::scan::{Asking, Scan};
use synthetic::{Event, Made, process};

const NETCAT: &str = r#"
type: detector
id: one
produced_event: {name: netcat_run, version: 1.0.0, fields: [{name: program, type: string}, {name: listens, type: bool}]}
requirements:
  events:
    - name: sched_process_exec
      data_filters: [pathname=*/nc, pathname=*/ncat]
auto_populate: {detected_from: true}
output:
  fields:
    - {name: program, expression: 'basename(getEventData("pathname"))'}
    - {name: listens, expression: 'getEventData("argv").exists(a, a == "-l")'}
"#;
const OF_USERS: &str = r#"
type: detector
id: two
produced_event: {name: netcat_of_user, version: 1.0.0}
requirements:
  events:
    - {name: netcat_run, data_filters: [program=nc]}
conditions:
  - workload.process.uid in [1000, 1001]
output:
  fields:
    - {name: name, expression: 'upper(getEventData("program")) + " of " + string(workload.process.uid)'}
"#;
const LISTENING: &str = r#"
type: detector
id: three
produced_event: {name: listener, version: 1.0.0}
requirements:
  events: [{name: netcat_of_user}]
conditions:
  - getEventData("name").endsWith("1000") || workload.container.id != ""
  - process.getAncestry(workload.process.unique_id, 3).exists(p, p.name in SHELLS)
threat: {name: Listener, description: x, severity: high}
output:
  fields:
    - {name: what, expression: 'getEventData("name")'}
"#;
const SHELLS: &str = "type: string_list\nname: SHELLS\nvalues: [sh, bash]\n";

/// Time, pid and parent, uid, name of the task, path and arguments.
type Exec<'a> = (u64, u32, u32, u32, &'a str, &'a str, &'a str);

fn capture(rows: &[Exec<'_>]) -> Source {
    let mut made = Made::new();
    for (second, pid, parent, uid, comm, path, argv) in rows {
        let argv: Vec<u8> = argv.split(' ').flat_map(|arg| [arg.as_bytes(), b"\0"].concat()).collect();
        let args = [("pathname", Raw::Bytes(path.as_bytes())), ("argv", Raw::Bytes(&argv))];
        let context = process(*pid, *parent, *uid, comm, path);
        made.push(&Event {
            at: second * 1_000_000_000,
            name: "sched_process_exec",
            context,
            ret: 0,
            scopes: 1,
            marks: Marks(0),
            args: &args,
        });
    }
    Source::new(vec![("a.trz".to_owned(), Capture::from_bytes(made.bytes()).expect("a capture"))])
}

#[test]
fn a_chain_of_three_finds_what_all_of_them_ask_and_tells_what_it_makes_of_it() {
    let mut readers = Readers::default();
    for (name, text) in
        [("r/3.yaml", LISTENING), ("r/1.yaml", NETCAT), ("r/l.yaml", SHELLS), ("r/2.yaml", OF_USERS)]
    {
        readers.add(name, text, true);
    }
    let corpus = readers.finish();
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    let source = capture(&[
        (1, 10, 1, 1000, "bash", "/bin/bash", "bash"),
        (2, 11, 10, 1000, "nc", "/usr/bin/nc", "nc -l"),
        // Not below a shell.
        (3, 12, 1, 1000, "nc", "/usr/bin/nc", "nc host 80"),
        (4, 13, 10, 1001, "nc", "/usr/bin/nc", "nc host 80"),
        (5, 14, 10, 0, "ncat", "/usr/bin/ncat", "ncat"),
        (6, 15, 10, 0, "cat", "/usr/bin/cat", "cat"),
    ]);
    let scan = Scan::new(&corpus.rules, &source);
    let mut found = Vec::new();
    scan.run(Asking { threads: 1, ..Asking::default() }, &mut |finding| {
        let output = finding.output.expect("an output");
        found.push(format!("{} {} {}", corpus.rules[finding.rule].id, finding.process.pid, output.text));
    })
    .expect("an answer");
    found.sort();
    assert_eq!(
        found,
        [
            "one 11 program=nc listens=true",
            "one 12 program=nc listens=false",
            "one 13 program=nc listens=false",
            "one 14 program=ncat listens=false",
            "three 11 what=NC of 1000",
            "two 11 name=NC of 1000",
            "two 12 name=NC of 1000",
            "two 13 name=NC of 1001",
        ]
    );
}
