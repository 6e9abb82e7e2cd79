//! Findings of rules: what a row by itself decides is what a filter finds, and what is remembered is the same in the parts of a
//! capture, in any order.

use std::fs;

use serde_json::Value;

use crate::case::{Case, as_strs, ask};
use crate::program::tracer;
use crate::random::Random;
use crate::views::rows_of;

/// Findings of the rules of a file, with the times and processes of their last events.
fn found(case: &Case, rules: &str, files: &[&str]) -> Vec<String> {
    let found =
        tracer(&[&["scan", "--rules", rules, "--no-builtin", "--all", "-o", "json"][..], files].concat());
    let said = String::from_utf8_lossy(&found.stderr).into_owned();
    assert!(found.status.success(), "scan {rules}, {:?}: {said}", case.told());
    let mut told: Vec<String> = rows_of(&String::from_utf8(found.stdout).expect("UTF-8"))
        .iter()
        .map(|it| format!("{} {}", it["timestamp"], it["process"]))
        .collect();
    // Rows of one time stand in no order.
    told.sort();
    told
}

/// The same in the parts of the first capture, in order and the other way round.
fn assert_of_parts(case: &Case, rules: &str, asked: &str, random: &mut Random) -> Vec<String> {
    let mut files = as_strs(case.parts(random));
    let expected = found(case, rules, &[case.one()]);
    for how in ["in parts", "in parts, reversed"] {
        assert_eq!(found(case, rules, &files), expected, "scan {asked}, {how}, {}", case.told());
        files.reverse();
    }
    expected
}

/// Rules that ask what processes were at that moment find the same in the parts of a capture, in any order, and tell the same of
/// the processes.
pub fn facts(case: &Case, random: &mut Random) {
    let asked = *random.of(&[
        "cwd=/home/500",
        "cwd=/etc/*",
        "interactive=true",
        "tty=pts/7",
        "loginuid=500",
        "session_leader.comm=sshd",
        "entry_leader.comm=sshd",
        "entry_leader.entry_type=init",
        "group_leader.pid!=20",
    ]);
    let rules = case.path("facts.yaml");
    let rule =
        format!("rule: a\ntitle: A\nlevel: high\nwhen:\n  - event: openat\n    where: [\"{asked}\"]\n");
    fs::write(&rules, rule).expect("a folder");
    assert_of_parts(case, &rules, asked, random);
}

/// A rule about a log finds the lines that the filter that says the same finds.
pub fn lines_of_logs(case: &Case, random: &mut Random) {
    let word = *random.of(&["Failed", "Accepted"]);
    let rules = case.path("log.yml");
    let rule = format!(
        "title: A Login\nid: a\nlogsource: {{product: linux, service: sshd}}\n\
         detection:\n  s: ['{word} password for']\n  condition: s\nlevel: high\n"
    );
    fs::write(&rules, rule).expect("a folder");
    let filters = ["log_message.tag=sshd".to_owned(), format!("log_message.text=*{word} password for*")];
    let rows = ask(&case.files(), &filters, &[]);
    let told = found(case, &rules, &case.files());
    assert_eq!(told.len(), rows.lines().count(), "scan {word} and {filters:?}, {}", case.told());
    assert_of_parts(case, &rules, word, random);
    // Logins are read out of the same lines.
    let query = case.path("login.eql");
    let outcome = if word == "Failed" { "failure" } else { "success" };
    let asked = format!("authentication where event.outcome == \"{outcome}\" and source.ip : \"10.1.2.*\"");
    fs::write(&query, asked).expect("a folder");
    assert_eq!(found(case, &query, &case.files()).len(), told.len(), "{outcome}, {}", case.told());
}

/// The second of two executions of one program, with none of another between them, is what a sequence with a named step finds.
pub fn named_steps(case: &Case, random: &mut Random) {
    let rules = case.path("named.eql");
    let query = "sequence by host.id [process where event.action == \"exec\"] as event0 \
                 [process where event.action == \"exec\" and process.executable == event0.process.executable]";
    fs::write(&rules, query).expect("a folder");
    let told = assert_of_parts(case, &rules, query, random);
    if case.shape.is_unordered {
        // Of one time rows stand in the order of their blocks, which sequences see, and in that of the answer.
        return;
    }
    let rows = rows_of(&ask(&[case.one()], &["event=sched_process_exec".to_owned()], &[]));
    let executable = |row: &Value| {
        let args = row["args"].as_array().expect("arguments");
        args.iter().find(|arg| arg["name"] == "pathname").map(|arg| arg["value"].clone())
    };
    let (mut waiting, mut expected) = (None, 0);
    for executable in rows.iter().filter_map(executable) {
        // The end of one begins the next.
        expected += usize::from(waiting.as_ref() == Some(&executable));
        waiting = Some(executable);
    }
    assert_eq!(told.len(), expected, "named steps, {}", case.told());
}

/// What ancestors executed is remembered in the parts of a capture as in the whole.
pub fn executions_before(case: &Case, random: &mut Random) {
    let program = *random.of(&["/bin/sh", "/usr/bin/make", "/usr/sbin/sshd", "/usr/lib/cc1"]);
    let kin = *random.of(&["descendant", "child", "event"]);
    let rules = case.path("before.eql");
    let query = format!(
        "any where event.action in (\"exec\", \"end\") and {kin} of [process where process.executable == \"{program}\" and \
         process.args_count > 0 and not descendant of [process where user.id == 1000 and process.args == \"run\"]]"
    );
    fs::write(&rules, &query).expect("a folder");
    assert_of_parts(case, &rules, &query, random);
}
