//! Lists of auditctl's lines: what records they make is what the first line that fits a row says, row by row.

use std::fs;

use format::Capture;
use pipeline::Source;
use rules::Readers;
use rules::scan::{Asking, Scan};
use serde_json::Value;

use crate::case::{Case, as_strs, ask};
use crate::program::printed;
use crate::random::Random;
use crate::rows::is_unfinished;
use crate::views::rows_of;

/// A line, and the rows that it fits.
type Line = (&'static str, fn(&Value) -> bool);

const LINES: [Line; 16] = [
    ("-w /etc/passwd -p r -k a", |row| opens(row, "/etc/passwd", "r")),
    ("-w /etc -p wa -k b", |row| opens(row, "/etc", "w")),
    ("-w /home/alice -p rw", |row| opens(row, "/home/alice", "rw")),
    ("-w /usr -p rwx -k c", |row| opens(row, "/usr", "rw") || executes(row, "/usr")),
    ("-w /usr/bin/make -p x", |row| executes(row, "/usr/bin/make")),
    ("-a never,exit -F path=/etc/shadow -F perm=w", |row| opens(row, "/etc/shadow", "w")),
    ("-a never,exit -F dir=/etc/ -F perm=rw -F uid=500", |row| {
        opens(row, "/etc", "rw") && row["userId"] == 500
    }),
    ("-a never,exit -F dir=/usr/lib -F perm=rwxa", |row| {
        opens(row, "/usr/lib", "rw") || executes(row, "/usr/lib")
    }),
    ("-a always,exit -F arch=b64 -S setuid -S connect -F uid!=0 -k d", |row| {
        calls(row, &["setuid", "connect"]) && row["userId"] != 0
    }),
    ("-a never,exit -S setuid -F a0=500", |row| calls(row, &["setuid"]) && argument(row, "uid") == 500),
    ("-a always,exit -S setuid,ptrace,setpgid -F a0<1 -F pid>100", |row| {
        let of = match row["eventName"].as_str() {
            Some("setuid") => "uid",
            Some("ptrace") => "request",
            Some("setpgid") => "pid",
            _ => return false,
        };
        argument(row, of).as_i64() < Some(1) && row["hostProcessId"].as_u64() > Some(100)
    }),
    ("-a always,exit -S close -S write -S openat -F exit>=4 -k e", |row| {
        calls(row, &["close", "write", "openat"]) && row["returnValue"].as_i64() >= Some(4)
    }),
    ("-A never,exit -S close -F success=1", |row| {
        calls(row, &["close"]) && row["returnValue"].as_i64() >= Some(0)
    }),
    ("-a always,exit -S openat -S ioctl -F exit=-EACCES", |row| {
        calls(row, &["openat", "ioctl"]) && row["returnValue"] == -13
    }),
    ("-a always,exit -S execve -F exe=/bin/sh -k f", |row| {
        row["eventName"] == "sched_process_exec" && row["executable"]["path"] == "/bin/sh"
    }),
    ("-a never,exit -S read -S pause -S execve -F uid>=1000", |row| {
        (row["eventName"] == "sched_process_exec" || calls(row, &["read", "pause"]))
            && row["userId"].as_u64() >= Some(1000)
    }),
];

fn argument(row: &Value, name: &str) -> Value {
    let mut args = row["args"].as_array().into_iter().flatten();
    args.find(|arg| arg["name"] == name).map_or(Value::Null, |arg| arg["value"].clone())
}

fn calls(row: &Value, names: &[&str]) -> bool {
    names.iter().any(|name| row["eventName"] == *name)
}

fn is_below(path: &Value, of: &str) -> bool {
    let rest = path.as_str().and_then(|path| path.strip_prefix(of));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// What the kernel opened, and what it did not because that was not allowed.
fn opens(row: &Value, path: &str, perms: &str) -> bool {
    let is_denied = row["eventName"] == "openat" && (row["returnValue"] == -13 || row["returnValue"] == -1);
    let is_open = row["eventName"] == "security_file_open" || is_denied;
    let flags = argument(row, "flags").as_u64().unwrap_or_default();
    let is_done = match perms {
        "r" => flags & 1 == 0,
        "w" => flags & 3 != 0,
        _ => true,
    };
    is_open && is_done && is_below(&argument(row, "pathname"), path)
}

fn executes(row: &Value, path: &str) -> bool {
    row["eventName"] == "sched_process_exec" && is_below(&argument(row, "pathname"), path)
}

const SIGMA: &str = "
title: Call
id: call
logsource: {product: linux, service: auditd}
detection:
  s: {type: SYSCALL, pid|gte: 0}
  condition: s
";

/// Times and processes of what a rule about every record of a call finds, with a list.
fn found(files: &[&str], list: &str) -> Vec<(i64, u32)> {
    let mut readers = Readers::default().with_audit_rules(&[("audit.rules".to_owned(), list.to_owned())]);
    readers.add("rules.yml", SIGMA, true);
    let rules = readers.finish().rules;
    let open = |file: &&str| ((*file).to_owned(), Capture::open(file.as_ref()).expect("a capture"));
    let source = Source::new(files.iter().map(open).collect());
    let mut found = Vec::new();
    Scan::new(&rules, &source)
        .run(Asking { threads: 2, ..Asking::default() }, &mut |finding| {
            found.push((finding.wall_ns, finding.process.pid));
        })
        .expect("an answer");
    // Rows of one time stand in no order.
    found.sort_unstable();
    found
}

pub fn lists(case: &Case, random: &mut Random) {
    let rows = rows_of(&ask(&[case.one()], &["pid>=0".into()], &[]));
    for at in 0..4 {
        let mut lines: Vec<Line> = Vec::new();
        let mut list = String::new();
        for _ in 0..=random.below(9) {
            let line = *random.of(&LINES);
            list.push_str(&format!("{}\n", line.0));
            lines.insert(if line.0.starts_with("-A") { 0 } else { lines.len() }, line);
        }
        let has_record = |row: &&Value| {
            let first = lines.iter().find(|(_, fits)| fits(row));
            first.is_some_and(|(line, _)| !line.contains("never"))
        };
        let told = |row: &Value| (row["timestamp"].as_i64(), row["hostProcessId"].as_u64());
        let expected = rows.iter().filter(|row| !is_unfinished(row)).filter(has_record).map(told);
        let mut expected: Vec<(i64, u32)> =
            expected.map(|(at, pid)| (at.expect("a time"), pid.expect("a process") as u32)).collect();
        expected.sort_unstable();
        assert_eq!(found(&[case.one()], &list), expected, "{list}{}", case.told());
        if at > 0 {
            continue;
        }
        // In parts, and by the program.
        let parts = as_strs(case.parts(random));
        assert_eq!(found(&parts, &list), expected, "in parts: {list}{}", case.told());
        let (rules, audit) = (case.path("audit.yml"), case.path("audit.rules"));
        fs::write(&rules, SIGMA).expect("a folder");
        fs::write(&audit, &list).expect("a folder");
        let scan = ["scan", "--no-builtin", "--all", "-o", "json", case.one()];
        let said = printed(&[&scan[..], &["--rules", &rules, "--audit-rules", &audit]].concat());
        assert_eq!(said.lines().count(), expected.len(), "scan: {list}{}", case.told());
    }
}
