//! Rules about audit's log are asked of what rules of auditctl make records of, and of all that a usual configuration does
//! where there are none.

#[path = "../../replay/tests/synthetic/mod.rs"]
mod synthetic;

use std::collections::BTreeSet;

use events::{Marks, Raw};
use format::Capture;
use pipeline::Source;
use rules::scan::{Asking, Scan};
use rules::{Readers, Rule};
use synthetic::{Event, Made, process};

/// For reading, and for writing.
const READ: u64 = 0;
const WRITE: u64 = 1;

const SIGMA: &str = "
title: Path
id: path
logsource: {product: linux, service: auditd}
detection:
  s: {type: PATH, name|startswith: /}
  condition: s
---
title: Call
id: call
logsource: {product: linux, service: auditd}
detection:
  s: {type: SYSCALL, comm: x}
  condition: s
---
title: Command
id: command
logsource: {product: linux, service: auditd}
detection:
  s: {type: EXECVE, a1: -u}
  condition: s
---
title: Message
id: message
logsource: {product: linux, service: auditd}
detection:
  s: {type: ADD_USER}
  condition: s
";

fn read(texts: &[(&str, &str)], audit: Option<&str>) -> Vec<Rule> {
    let files: Vec<(String, String)> =
        audit.iter().map(|text| ("audit.rules".to_owned(), (*text).to_owned())).collect();
    let readers = Readers::default();
    let mut readers = if files.is_empty() { readers } else { readers.with_audit_rules(&files) };
    for (name, text) in texts {
        readers.add(name, text, true);
    }
    readers.finish().rules
}

/// Opens for reading and writing, execs and a message to audit, each by a process of its own, in this order from 100.
fn capture() -> Source {
    let mut made = Made::new();
    let opens = [
        ("/etc/shadow", READ),
        ("/etc/shadow", WRITE),
        ("/etc/cron.d/x", WRITE),
        ("/etc/cron.d/y", READ),
        ("/tmp/x", WRITE),
    ];
    let mut pid = 100;
    let mut push = |name, exe: &'static str, args: &[(&'static str, Raw<'_>)]| {
        let at = u64::from(pid) * 1_000_000;
        let context = process(pid, 1, 0, "x", exe);
        made.push(&Event { at, name, context, ret: 0, scopes: 1, marks: Marks(0), args });
        pid += 1;
    };
    for (path, flags) in opens {
        let args = [("pathname", Raw::Bytes(path.as_bytes())), ("flags", Raw::Number(flags))];
        push("security_file_open", "/usr/bin/x", &args);
    }
    for (exe, argv) in [("/usr/bin/id", &b"id\0-u\0"[..]), ("/bin/su", b"su\0-u\0"), ("/bin/su", b"su\0")] {
        let args = [("pathname", Raw::Bytes(exe.as_bytes())), ("argv", Raw::Bytes(argv))];
        push("sched_process_exec", exe, &args);
    }
    for length in [0, 16] {
        push("connect", "/usr/bin/x", &[("addrlen", Raw::Number(length))]);
    }
    // A message that a user was added.
    let text = b"op=add-user acct=\"eve\"";
    let message =
        [&(16 + text.len() as u32).to_le_bytes()[..], &1114u16.to_le_bytes(), &[0; 10], text].concat();
    let socket = [&3u64.to_le_bytes()[..], b"netlink NETLINK_AUDIT [1]"].concat();
    push("sendto", "/usr/sbin/useradd", &[("sockfd", Raw::Bytes(&socket)), ("buf", Raw::Bytes(&message))]);
    let capture = Capture::from_bytes(made.bytes()).expect("a capture");
    Source::new(vec![("file".to_owned(), capture)])
}

/// The processes that each rule is found for.
fn found(all: &[Rule], source: &Source) -> BTreeSet<(String, u32)> {
    let mut found = BTreeSet::new();
    Scan::new(all, source)
        .run(Asking { threads: 1, ..Asking::default() }, &mut |finding| {
            found.insert((all[finding.rule].id.clone(), finding.process.pid));
        })
        .expect("an answer");
    found
}

fn of<'a>(found: &'a BTreeSet<(String, u32)>, id: &'a str) -> Vec<u32> {
    found.iter().filter(|(rule, _)| rule == id).map(|(_, pid)| *pid).collect()
}

#[test]
fn records_are_those_that_audit_was_told_to_make() {
    let source = capture();
    let asked = |audit: Option<&str>| found(&read(&[("rules.yml", SIGMA)], audit), &source);
    // A usual configuration: what is written, and what is executed.
    let usual = asked(None);
    assert_eq!(of(&usual, "path"), [101, 102, 104, 105, 106, 107]);
    assert_eq!(of(&usual, "command"), [105, 106]);
    // A watch makes records of what it watches, reads too where it says so.
    let watched = asked(Some("-w /etc/shadow -p rwa -k secrets\n"));
    assert_eq!(of(&watched, "path"), [100, 101]);
    assert_eq!(of(&watched, "call"), [100, 101]);
    assert_eq!(of(&watched, "command"), [0; 0]);
    // A line before it takes away what it says.
    let less = asked(Some("-a never,exit -F path=/etc/shadow -F perm=w\n-w /etc -p rwa\n-w /bin/su -p x\n"));
    assert_eq!(of(&less, "path"), [100, 102, 103, 106, 107]);
    assert_eq!(of(&less, "command"), [106]);
    let calls = asked(Some("-a always,exit -F arch=b64 -S connect -F a2=16\n"));
    assert_eq!(of(&calls, "call"), [109]);
    assert_eq!(of(&calls, "path"), [0; 0]);
    // Messages of programs are no matter of rules.
    let nothing = asked(Some("-D\n"));
    let all = [&usual, &watched, &less, &calls, &nothing];
    assert_eq!(nothing.len(), of(&nothing, "message").len());
    assert!(all.iter().all(|found| of(found, "message") == [110]), "{all:?}");
}

/// Whatever the lines and their order: a row has a record where some line, asked by itself, takes it.
#[test]
fn a_row_has_a_record_where_some_line_takes_it() {
    let source = capture();
    let lines = [
        "-w /etc/shadow -p rwa -k a",
        "-w /etc -p w -k b",
        "-w /bin/su -p x -k c",
        "-a never,exit -F path=/etc/shadow -F perm=r",
        "-a never,exit -F dir=/etc/cron.d",
        "-a always,exit -F dir=/ -F perm=rwxa -k d",
        "-a never,exit -F path=/usr/bin/id -F perm=x",
        "-a always,exit -S openat -S connect -F uid=0 -k e",
        "-a never,exit -S connect -F a2=0",
        "-A never,exit -F path=/tmp/x",
        "-a always,exit -S execve -F success=1 -k f",
    ];
    // All orders of a few lines, by a walk that is the same in each run.
    let mut state = 7u64;
    for round in 0..400 {
        let mut text = String::new();
        for _ in 0..=round % 9 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            text += lines[(state >> 33) as usize % lines.len()];
            text.push('\n');
        }
        let by_lines: BTreeSet<u32> =
            found(&read(&[("audit.rules", &text)], None), &source).into_iter().map(|(_, pid)| pid).collect();
        let narrowed = found(&read(&[("rules.yml", SIGMA)], Some(&text)), &source);
        let with_path = |pid: &u32| !(108..110).contains(pid);
        let paths: Vec<u32> = by_lines.iter().copied().filter(with_path).collect();
        assert_eq!(of(&narrowed, "path"), paths, "paths of\n{text}");
        assert_eq!(of(&narrowed, "call"), by_lines.into_iter().collect::<Vec<_>>(), "calls of\n{text}");
    }
}
