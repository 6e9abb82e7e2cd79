//! `tracer scan` and `tracer rules` as a user meets them.

mod program;

use events::{Marks, Raw};
use program::synthetic::{self, Event, Made, process};
use program::{Folder, event, printed, said, text, tracer};
use serde_json::Value;

const RULES: &str = r"
title: Shell That Looks Around
id: looks-around
author: Jo Doe, Max Roe
logsource: {product: linux, category: process_creation}
detection:
  s:
    Image|endswith: /ID
    ParentImage|endswith: /bash
    ParentCommandLine|contains: '-i'
  condition: s
level: high
tags: [attack.discovery, attack.t1033]
---
title: Any Program
id: any
name: any_program
logsource: {product: linux, category: process_creation}
detection:
  s: {Image|startswith: /usr/bin/}
  condition: s and not 1 of filter_*
  filter_cat: {Image|endswith: /cat}
level: low
---
title: Many Programs
id: many
correlation:
  type: value_count
  rules: [any_program]
  group-by: [ParentProcessId]
  timespan: 1m
  condition: {gte: 2, field: Image}
level: critical
---
title: Of A Log
id: log
logsource: {product: linux, service: sshd}
detection:
  keywords: ['Failed password']
  condition: keywords
---
title: Of Windows
id: windows
logsource: {product: windows, category: process_creation}
detection:
  s: {Image: x}
  condition: s
---
title: Wrong
id: wrong
logsource: {product: linux, category: process_creation}
detection:
  s: {Imag: x}
  condition: s
";

/// A shell executes itself, then starts `id`, `cat` and `ls`, each with arguments.
fn capture(folder: &Folder) -> String {
    let mut made = Made::new();
    let shell = process(500, 1, 1000, "bash", "/usr/bin/bash");
    made.sides.push(synthetic::snapshot(&[process(1, 0, 0, "init", "/sbin/init"), shell]));
    let mut at = 1_000_000;
    let exec = |exe: &'static str, argv: &'static [u8]| {
        [("pathname", Raw::Bytes(exe.as_bytes())), ("argv", Raw::Bytes(argv))]
    };
    made.push(&event(at, "sched_process_exec", shell, &exec("/usr/bin/bash", b"bash\0-i\0")));
    for (pid, comm, exe, argv) in [
        (510, "id", "/usr/bin/id", &b"id\0-u\0"[..]),
        (511, "cat", "/usr/bin/cat", b"cat\0x\0"),
        (512, "ls", "/usr/bin/ls", b"ls\0"),
        (513, "id", "/usr/bin/id", b"id\0"),
    ] {
        let child = process(pid, 500, 1000, comm, exe);
        at += 1_000_000;
        let args = [("pathname", Raw::Bytes(exe.as_bytes())), ("argv", Raw::Bytes(argv))];
        made.push(&Event { marks: Marks(0), ..event(at, "sched_process_exec", child, &args) });
    }
    folder.capture("c.trz", made)
}

fn rules(folder: &Folder) -> String {
    let path = folder.path("rules.yml");
    std::fs::write(&path, RULES).expect("a file of rules");
    text(&path)
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}")))
        .collect()
}

#[test]
fn findings_name_the_rule_the_process_its_ancestry_and_what_decided() {
    let folder = Folder::new();
    let (file, rules) = (capture(&folder), rules(&folder));
    let out = printed(&["scan", &file, "--rules", &rules, "-o", "json", "--only", "looks-around"]);
    let found = lines(&out);
    assert_eq!(found.len(), 2, "{out}");
    let first = &found[0];
    assert_eq!(first["rule"]["id"], "looks-around");
    assert_eq!(first["rule"]["source"], "sigma");
    assert_eq!(first["rule"]["authors"], serde_json::json!(["Jo Doe", "Max Roe"]));
    assert_eq!(first["severity"], "high");
    assert_eq!(first["process"]["commandLine"], "id -u");
    let names: Vec<&Value> =
        first["process"]["ancestors"].as_array().expect("ancestors").iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["bash", "init"]);
    assert_eq!(first["events"][0]["number"], 2);
    let matched = first["events"][0]["matched"].as_array().expect("tests");
    let of = |test: &str| matched.iter().find(|it| it["test"] == test).map(|it| &it["value"]);
    assert_eq!(of("ParentCommandLine|contains"), Some(&Value::from("bash -i")));
    assert_eq!(of("Image|endswith"), Some(&Value::from("/usr/bin/id")));
}

#[test]
fn a_correlation_is_told_once_when_it_comes_to_hold_and_its_rules_are_silent() {
    let folder = Folder::new();
    let (file, rules) = (capture(&folder), rules(&folder));
    let found = lines(&printed(&["scan", &file, "--rules", &rules, "-o", "json"]));
    let of = |id: &str| found.iter().filter(|it| it["rule"]["id"] == id).collect::<Vec<_>>();
    assert_eq!(of("any").len(), 0);
    let many = of("many");
    assert_eq!(many.len(), 1, "{found:?}");
    // `id` and `ls` of one parent; `cat` is filtered out.
    assert_eq!(many[0]["group"]["ParentProcessId"], "500");
    assert_eq!(many[0]["count"], 2.0);
    let numbers: Vec<&Value> =
        many[0]["events"].as_array().expect("events").iter().map(|it| &it["number"]).collect();
    assert_eq!(numbers, [2, 4]);
}

#[test]
fn the_exit_code_says_whether_a_level_was_reached() {
    let folder = Folder::new();
    let (file, rules) = (capture(&folder), rules(&folder));
    let code = |more: &[&str]| tracer(&[&["scan", &file, "--rules", &rules], more].concat()).status.code();
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--fail-on", "critical"]), Some(1));
    assert_eq!(code(&["--fail-on", "critical", "--only", "looks-around"]), Some(0));
    assert_eq!(code(&["--fail-on", "high", "--only", "T1033"]), Some(1));
    assert_eq!(code(&["--only", "no such rule"]), Some(2));
}

#[test]
fn text_tells_the_severest_first_and_repeats_once() {
    let folder = Folder::new();
    let (file, rules) = (capture(&folder), rules(&folder));
    let out = printed(&["scan", &file, "--rules", &rules, "--utc"]);
    let (critical, high) =
        (out.find("CRITICAL").expect("a critical one"), out.find("HIGH").expect("a high one"));
    assert!(critical < high, "{out}");
    assert!(out.contains("Shell That Looks Around  T1033  2 times"), "{out}");
    assert!(out.contains("id 510 < bash 500 < init 1"), "{out}");
    assert!(out.contains("3 rules asked, 1 cannot be answered here"), "{out}");
    assert!(out.contains("1 could not be read"), "{out}");
    assert!(out.contains("1 are of other systems"), "{out}");
    let all = printed(&["scan", &file, "--rules", &rules, "--utc", "--all"]);
    assert_eq!(all.matches("Shell That Looks Around").count(), 2, "{all}");
    let coverage = printed(&["scan", &file, "--rules", &rules, "--coverage"]);
    assert!(coverage.contains("cannot be answered: lines of logs"), "{coverage}");
}

#[test]
fn check_counts_what_is_read_and_answerable_and_says_what_is_not() {
    let folder = Folder::new();
    let (file, rules) = (capture(&folder), rules(&folder));
    let output = tracer(&["rules", "check", &rules, &file, "-o", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let checked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(checked["summary"]["rules"], 6);
    assert_eq!(checked["summary"]["read"], 4);
    assert_eq!(checked["summary"]["answerable"], 3);
    assert_eq!(checked["diagnostics"][0]["suggestion"], "Image");
    assert_eq!(checked["unanswerable"][0]["id"], "log");
    let listed = printed(&["rules", "list", &rules]);
    assert_eq!(listed.lines().count(), 4, "{listed}");
}

#[test]
fn without_rules_it_says_what_is_missing() {
    let folder = Folder::new();
    let file = capture(&folder);
    assert!(said(&["scan", &file]).contains("--rules"));
    assert_eq!(tracer(&["scan", &file]).status.code(), Some(2));
}
