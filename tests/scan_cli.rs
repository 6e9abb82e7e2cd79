//! `tracer scan` and `tracer rules` as a user meets them.

mod program;

use events::{Marks, Raw};
use format::facts::{Facts, Terminal};
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
title: Of What Was Not Recorded
id: end
logsource: {product: linux, category: process_termination}
detection:
  s: {Image|endswith: /id}
  condition: s
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
    let (event_name, reason) = ("sched_process_exit".into(), "this kernel does not have it".into());
    made.header.recording.unavailable.push(format::Unavailable { event: event_name, reason });
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
    let out = printed(&["scan", &file, "--no-builtin", "--rules", &rules, "--utc"]);
    let (critical, high) =
        (out.find("CRITICAL").expect("a critical one"), out.find("HIGH").expect("a high one"));
    assert!(critical < high, "{out}");
    assert!(out.contains("Shell That Looks Around  T1033  2 times"), "{out}");
    assert!(out.contains("id 510 < bash 500 < init 1"), "{out}");
    assert!(out.contains("3 rules asked, 1 cannot be answered here"), "{out}");
    assert!(out.contains("1 could not be read"), "{out}");
    assert!(out.contains("1 are of other systems"), "{out}");
    let all = printed(&["scan", &file, "--no-builtin", "--rules", &rules, "--utc", "--all"]);
    assert_eq!(all.matches("Shell That Looks Around").count(), 2, "{all}");
    let coverage = printed(&["scan", &file, "--no-builtin", "--rules", &rules, "--coverage"]);
    assert!(
        coverage
            .contains("cannot be answered: sched_process_exit: not recorded: this kernel does not have it"),
        "{coverage}"
    );
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
    assert_eq!(checked["unanswerable"][0]["id"], "end");
    let listed = printed(&["rules", "list", &rules]);
    assert_eq!(listed.lines().count(), 4, "{listed}");
}

#[test]
fn without_rules_those_of_the_program_are_asked_unless_they_are_left_out() {
    let folder = Folder::new();
    let file = capture(&folder);
    assert!(printed(&["scan", &file]).contains("no findings."));
    assert!(said(&["scan", &file, "--no-builtin"]).contains("--rules"));
    assert_eq!(tracer(&["scan", &file, "--no-builtin"]).status.code(), Some(2));
    let listed = printed(&["rules", "list"]);
    assert!(listed.contains("TRC-102") && listed.contains("reverse_shell"), "{listed}");
}

#[test]
fn findings_are_told_as_sarif_ocsf_and_falco() {
    let folder = Folder::new();
    let (file, rules) = (capture(&folder), rules(&folder));
    let as_format = |format: &str| printed(&["scan", &file, "--no-builtin", "--rules", &rules, "-o", format]);
    let sarif: Value = serde_json::from_str(&as_format("sarif")).expect("JSON");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let results = run["results"].as_array().expect("results");
    assert_eq!(results.len(), 3);
    for result in results {
        let index = result["ruleIndex"].as_u64().expect("an index") as usize;
        assert_eq!(run["tool"]["driver"]["rules"][index]["id"], result["ruleId"]);
        assert!(result["message"]["text"].is_string() && result["partialFingerprints"].is_object());
    }
    let many = results.iter().find(|it| it["ruleId"] == "many").expect("a correlation");
    assert_eq!(many["codeFlows"][0]["threadFlows"][0]["locations"].as_array().map(Vec::len), Some(2));
    assert_eq!(run["taxonomies"][0]["taxa"][0]["id"], "T1033");

    let ocsf = lines(&as_format("ocsf"));
    assert_eq!(ocsf.len(), 3);
    let first =
        ocsf.iter().find(|it| it["finding_info"]["analytic"]["uid"] == "looks-around").expect("a finding");
    assert_eq!((&first["class_uid"], &first["type_uid"]), (&Value::from(2004), &Value::from(200_401)));
    assert_eq!(first["severity_id"], 4);
    assert_eq!(first["finding_info"]["attacks"][0]["technique"]["uid"], "T1033");
    assert_eq!(first["evidences"][0]["process"]["parent_process"]["name"], "bash");

    let falco = lines(&as_format("falco"));
    let first = falco.iter().find(|it| it["rule"] == "looks-around").expect("a finding");
    assert_eq!(first["priority"], "Error");
    assert_eq!(first["output_fields"]["proc.cmdline"], "id -u");
}

const FALCO: &str = r#"
- list: lookers
  items: [id, whoami]
- macro: spawned
  condition: (evt.type in (execve, execveat))
- rule: Who am I
  desc: looks around
  condition: spawned and proc.name in (lookers) and proc.pname = bash and not proc.args contains -u
  output: looked around (command=%proc.cmdline parent=%proc.pname tty=%proc.tty image=%container.id)
  priority: WARNING
  tags: [T1033]
"#;

#[test]
fn templates_of_falco_s_rules_are_filled() {
    let folder = Folder::new();
    let file = capture(&folder);
    let rules = folder.path("falco.yaml");
    std::fs::write(&rules, FALCO).expect("a file of rules");
    let found = lines(&printed(&["scan", &file, "--no-builtin", "--rules", &text(&rules), "-o", "falco"]));
    assert_eq!(found.len(), 1, "{found:?}");
    let output = found[0]["output"].as_str().expect("an output");
    assert!(
        output.ends_with("Warning looked around (command=id parent=bash tty=<NA> image=host)"),
        "{output}"
    );
    assert_eq!(found[0]["output_fields"]["proc.tty"], Value::Null);
}

#[test]
fn tests_of_rules_say_what_is_not_found_and_what_is_too_much() {
    let folder = Folder::new();
    let (_, rules) = (capture(&folder), rules(&folder));
    let tests = folder.path("tests.yaml");
    let write = |expect: &str| {
        let text =
            format!("tests:\n  - name: looks\n    capture: c.trz\n    rules: [{rules}]\n    {expect}\n");
        std::fs::write(&tests, text).expect("a file of tests");
        tracer(&["rules", "test", &text_of(&tests)])
    };
    let good = write("expect: [{rule: looks-around, count: 2, process: id}, {rule: many}]");
    assert_eq!(good.status.code(), Some(0), "{}", String::from_utf8_lossy(&good.stdout));
    let bad = write("expect: [{rule: looks-around, count: 3}]\n    silent: [many, nobody]");
    let out = String::from_utf8_lossy(&bad.stdout).into_owned();
    assert_eq!(bad.status.code(), Some(1), "{out}");
    for expected in
        ["2 findings, and 3 were expected", "many: 1 findings, and none", "nobody: there is no such rule"]
    {
        assert!(out.contains(expected), "{expected} is not in {out}");
    }
    let junit = printed_any(&["rules", "test", &text_of(&tests), "-o", "junit"]);
    assert!(junit.contains(r#"tests="1" failures="1""#) && junit.contains("<failure message="), "{junit}");
}

fn text_of(path: &std::path::Path) -> String {
    path.display().to_string()
}

fn printed_any(arguments: &[&str]) -> String {
    String::from_utf8_lossy(&tracer(arguments).stdout).into_owned()
}

#[test]
fn a_rule_is_explained_for_an_event_and_for_a_capture() {
    let folder = Folder::new();
    let (file, rules) = (capture(&folder), rules(&folder));
    let asked = ["explain", &file, "--rule", "looks-around", "--rules", &rules];
    let out = printed(&[&asked[..], &["--event", "3"]].concat());
    assert!(out.contains("event 3 sched_process_exec: is not taken"), "{out}");
    assert!(out.contains("false") && out.contains("/usr/bin/cat") && out.contains("true"), "{out}");
    let funnel = printed(&asked);
    assert!(funnel.contains("sched_process_exec: 5 events, 5 of the kind"), "{funnel}");
    assert!(funnel.contains("2 left"), "{funnel}");
    assert!(said(&["explain", &file, "--rule", "looks-aroun", "--rules", &rules]).contains("did you mean"));
}

#[test]
fn what_was_seen_before_is_not_new() {
    let folder = Folder::new();
    let file = capture(&folder);
    let (rules, baseline) = (folder.path("new.yaml"), folder.path("seen.json"));
    std::fs::write(&rules, "rule: new\nwhen: {kind: exec}\nfirst_seen: [exe]\n").expect("a file of rules");
    let (rules, baseline) = (text(&rules), text(&baseline));
    let count = |more: &[&str]| {
        let base = ["scan", &file, "--no-builtin", "--rules", &rules, "-o", "json", "--all"];
        printed(&[&base[..], more].concat()).lines().count()
    };
    assert_eq!(count(&[]), 4);
    assert_eq!(count(&["--history", &file]), 0);
    assert_eq!(count(&["--learn", "1h"]), 0);
    assert_eq!(count(&["--baseline", &baseline]), 4);
    assert_eq!(count(&["--baseline", &baseline]), 0);
}

#[test]
fn any_number_of_threads_tells_the_same() {
    let folder = Folder::new();
    let (file, rules) = (capture(&folder), rules(&folder));
    let with =
        |threads: &str| printed(&["scan", &file, "--rules", &rules, "-o", "json", "--threads", threads]);
    assert_eq!(with("1"), with("4"));
}

const OF_FACTS: &str = r#"
- rule: On a terminal
  desc: x
  condition: evt.type in (execve, execveat) and proc.tty != 0 and proc.sname = sshd and proc.cwd startswith /srv and user.loginuid = 1000
  output: on %proc.tty of %user.loginuid in %proc.cwd
  priority: WARNING
- rule: Without one
  desc: x
  condition: evt.type in (execve, execveat) and proc.tty = 0 and proc.is_sid_leader = true
  output: x
  priority: WARNING
"#;

/// A shell that sshd started, on a terminal; a child of it that leaves the session, and another that stays.
fn session(folder: &Folder, events: &[&str]) -> String {
    let mut made = Made::new();
    made.header.recording.events = events.iter().map(|name| (*name).to_owned()).collect();
    let sshd = process(400, 1, 0, "sshd", "/usr/sbin/sshd");
    let shell = process(500, 400, 1000, "bash", "/usr/bin/bash");
    let mut snapshot = synthetic::snapshot(&[process(1, 0, 0, "init", "/sbin/init"), sshd, shell]);
    if let format::Side::Processes(all) = &mut snapshot {
        for it in all.iter_mut().filter(|it| it.pid >= 400) {
            it.facts = Facts {
                cwd: Some(b"/root".as_slice().into()),
                session: Some(400),
                group: Some(it.pid),
                terminal: Terminal::device(0x8803),
                login_uid: Some(1000),
                ..Facts::default()
            };
        }
    }
    made.sides.push(snapshot);
    let changes = [("resolved_path", Raw::Bytes(b"/srv/www")), ("syscall", Raw::Bytes(b"chdir"))];
    made.push(&event(1_000_000, "set_fs_pwd", shell, &changes));
    for (at, pid, exe) in [(2_000_000, 510, "/usr/bin/id"), (4_000_000, 511, "/usr/bin/nohup")] {
        let child = process(pid, 500, 1000, "x", exe);
        let (number, start) = (Raw::Number(pid.into()), Raw::Number(child.process_start_ns));
        let forks = [("child_pid", number), ("child_tid", number), ("start_time", start)];
        made.push(&event(at, "sched_process_fork", shell, &forks));
        if pid == 511 {
            made.push(&Event { ret: 511, ..event(at + 1, "setsid", child, &[]) });
        }
        let exec = [("pathname", Raw::Bytes(exe.as_bytes())), ("argv", Raw::Bytes(b"x\0"))];
        made.push(&event(at + 2, "sched_process_exec", child, &exec));
    }
    folder.capture("session.trz", made)
}

#[test]
fn rules_ask_for_directories_sessions_terminals_and_logins_as_they_were_at_that_moment() {
    let folder = Folder::new();
    let file = session(&folder, &[]);
    let found = |name: &str, rules: &str, format: &str| -> Vec<Value> {
        let path = folder.path(name);
        std::fs::write(&path, rules).expect("a file of rules");
        lines(&printed(&["scan", &file, "--no-builtin", "--all", "--rules", &text(&path), "-o", format]))
    };
    let of_falco = found("falco.yaml", OF_FACTS, "falco");
    let outputs: Vec<&str> = of_falco.iter().filter_map(|it| it["output"].as_str()).collect();
    assert!(outputs[0].ends_with("Warning on 34819 of 1000 in /srv/www"), "{outputs:?}");
    assert_eq!(of_falco[1]["rule"], "Without one");
    assert_eq!(of_falco.len(), 2);
    let pids = |found: Vec<Value>| -> Vec<u64> {
        found.iter().filter_map(|it| it["process"]["pid"].as_u64()).collect()
    };
    for (condition, expected) in [
        ("process.interactive == true", &[510][..]),
        ("process.session_leader.name == \"sshd\"", &[510]),
        ("process.session_leader.same_as_process == true", &[511]),
        (
            "process.entry_leader.name == \"sshd\" and process.entry_leader.entry_meta.type == \"init\"",
            &[510, 511],
        ),
        ("process.entry_leader.same_as_process == true", &[]),
        ("process.group_leader.name == \"bash\" and process.parent.interactive == true", &[510]),
        ("process.working_directory like \"/srv/*\"", &[510, 511]),
        ("process.tty == null", &[511]),
        ("user.audit.id == 1000", &[510, 511]),
    ] {
        let rule = format!("process where event.action == \"exec\" and {condition}");
        assert_eq!(pids(found("x.eql", &rule, "json")), expected, "{condition}");
    }
    let audit = "-a always,exit -F arch=b64 -S execve -F auid>=1000 -F auid!=unset -k logins\n";
    assert_eq!(pids(found("x.rules", audit, "json")), [510, 511]);
    let own = "rule: a\nwhen: {kind: exec, where: [\"tty=pts/3\", \"loginuid=1000\", \"session_leader.pid=400\"]}\n";
    let of_own = found("own.yaml", own, "json");
    let told = &of_own[0]["process"];
    assert_eq!(
        (&told["cwd"], &told["session"], &told["pgrp"], &told["tty"], &told["loginuid"]),
        (&"/srv/www".into(), &400.into(), &500.into(), &"pts/3".into(), &1000.into())
    );
}

#[test]
fn a_rule_that_asks_what_was_not_followed_is_not_answered() {
    let folder = Folder::new();
    let file = session(&folder, &["sched_process_fork", "sched_process_exec", "set_fs_pwd", "setsid"]);
    let path = folder.path("falco.yaml");
    std::fs::write(&path, OF_FACTS).expect("a file of rules");
    let asked = ["scan", &file, "--no-builtin", "--all", "--rules", &text(&path), "-o", "json"];
    assert_eq!(printed(&asked), "");
    let output = tracer(&[&asked[..6], &["--coverage"]].concat());
    let why = [output.stdout, output.stderr].concat();
    let why = String::from_utf8_lossy(&why);
    assert!(
        why.contains("terminals cannot be followed: ioctl: not among the events of the recording"),
        "{why}"
    );
}
