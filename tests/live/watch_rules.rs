//! Rules while it happens: they find what a scan of the capture finds, and end or keep what waits for them.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::Test;
use crate::host::{TRACER, count, ensure, path, same, scratch, tracer_ok};
use crate::pty::{lines, piped};
use crate::watch::{Watcher, sorted};
use crate::workload::{name_of, own_program};

pub const TESTS: &[Test] = &[
    ("rules_find_the_same_live_and_in_the_capture", same_findings),
    ("rules_see_what_is_not_shown_and_end_what_waits_for_them", rule_trigger),
    ("a_flight_recorder_is_triggered_by_a_rule", rule_flight),
    ("a_rule_triggers_in_the_last_moments_of_a_recording", rule_at_the_end),
];

/// Rules of Sigma: one about starts of a program, and one that counts them.
fn rules_about(program: &Path) -> String {
    format!(
        "title: It starts\nid: it-starts\nlogsource: {{product: linux, category: process_creation}}\ndetection:\n  s:\n    \
         Image|endswith: '/{}'\n  condition: s\nlevel: high\n---\ntitle: It starts often\nid: it-starts-often\nlevel: low\n\
         correlation:\n  type: event_count\n  rules: [it-starts]\n  timespan: 5m\n  condition: {{gte: 3}}\n  generate: true\n",
        name_of(program)
    )
}

/// A finding without what only a capture can say: its name, and which of its events it was.
fn finding(line: &str) -> Result<Option<String>, Failed> {
    let mut row: Value = serde_json::from_str(line)?;
    if row.get("rule").is_none() {
        return Ok(None);
    }
    for event in row["events"].as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
        event.remove("file");
        event.remove("number");
    }
    Ok(Some(row.to_string()))
}

fn findings(text: &str) -> Result<Vec<String>, Failed> {
    let mut all = Vec::new();
    for line in text.lines() {
        all.extend(finding(line)?);
    }
    all.sort_unstable();
    Ok(all)
}

fn same_findings() -> Result<(), Failed> {
    let dir = scratch()?;
    let file = dir.path().join("f.trz");
    let rules = dir.path().join("rules.yml");
    let program = own_program(dir.path(), "true")?;
    std::fs::write(&rules, rules_about(&program))?;
    let rules = path(&rules)?;
    let filter = format!("comm={}", name_of(&program));
    let watcher = Watcher::start(&["-f", &filter, "-o", "json", "-w", path(&file)?, "--rules", rules])?;
    for _ in 0..5 {
        Command::new(&program).status()?;
        // A behaviour that is part of the program.
        let script = "cat /proc/sys/kernel/randomize_va_space >/dev/null";
        Command::new("sh").args(["-c", script]).status()?;
        std::thread::sleep(Duration::from_millis(300));
    }
    std::thread::sleep(Duration::from_millis(700));
    watcher.stop()?;
    let (code, out, said) = watcher.end()?;
    same(&format!("exit code: {said}"), code, Some(0))?;
    let (live, after) =
        (findings(&out)?, findings(&tracer_ok(&["scan", path(&file)?, "--rules", rules, "-o", "json"])?)?);
    for (rule, times) in [("it-starts", 5), ("it-starts-often", 1), ("TRC-109", 5)] {
        let id = format!("\"id\":\"{rule}\"");
        let found = live.iter().filter(|finding| finding.contains(&id)).count();
        ensure(found >= times, || format!("{rule}: {found} of {times}: {live:?} {said}"))?;
    }
    let only = |a: &[String], b: &[String]| a.iter().find(|it| !b.contains(it)).cloned();
    ensure(live == after, || {
        format!(
            "{} live, {} after: {:?} {:?}",
            live.len(),
            after.len(),
            only(&live, &after),
            only(&after, &live)
        )
    })?;
    ensure(said.contains(&format!("{} findings of rules", live.len())), || said.clone())?;
    // Its events are there as well, and are those of a replay.
    let events: String =
        out.lines().filter(|line| !line.contains("\"rule\":{")).map(|line| format!("{line}\n")).collect();
    let replayed = tracer_ok(&["replay", path(&file)?, "-f", &filter, "-o", "json"])?;
    same("events", sorted(&events), sorted(&replayed))
}

fn rule_trigger() -> Result<(), Failed> {
    let dir = scratch()?;
    let rules = dir.path().join("rules.yml");
    let program = own_program(dir.path(), "true")?;
    std::fs::write(&rules, rules_about(&program))?;
    let rules = path(&rules)?;
    // The kernel is not asked for other events than these, but for those of the rules.
    let options = ["-f", "openat.pathname=/nowhere/*", "--rules", rules, "--no-builtin"];
    let watcher =
        Watcher::start(&[&options[..], &["--until", "rule:it-starts-often", "--for", "60s"]].concat())?;
    for _ in 0..4 {
        Command::new(&program).status()?;
    }
    let began = Instant::now();
    let (code, out, said) = watcher.end()?;
    same(&format!("exit code: {said}"), code, Some(0))?;
    ensure(began.elapsed() < Duration::from_secs(5), || format!("it went on for {:?}", began.elapsed()))?;
    let found: Vec<&str> = lines(&out).filter(|line| line.contains("  HIGH  It starts  ")).collect();
    ensure(found.len() >= 3 && out.contains("  LOW  It starts often  "), || format!("{out} {said}"))?;
    ensure(found.iter().all(|line| line.contains(&name_of(&program))), || out.clone())?;
    // One that is not there, and one that does not find anything.
    let mut command = Command::new(TRACER);
    let output = piped(command.arg("watch").args(options).args(["--until", "rule:nobody"])).output()?;
    same("exit code", output.status.code(), Some(2))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure(said.contains("rule:nobody: no rule"), || said.clone())?;
    let watcher = Watcher::start(&[&options[..], &["--until", "rule:it-starts", "--for", "1s"]].concat())?;
    same("exit code", watcher.end()?.0, Some(1))
}

/// What is found when the recording was ended already counts as what was found before.
fn rule_at_the_end() -> Result<(), Failed> {
    let dir = scratch()?;
    let rules = dir.path().join("rules.yml");
    let program = own_program(dir.path(), "true")?;
    std::fs::write(&rules, rules_about(&program))?;
    let rules = path(&rules)?;
    for runs in [3, 1] {
        let is_triggered = runs == 3;
        let file = dir.path().join(format!("{runs}.trz"));
        let mut command = Command::new(TRACER);
        command.args(["record", "-o", path(&file)?, "--flight", "30s", "--duration", "60s"]);
        command.args(["--rules", rules, "--trigger", "rule:it-starts-often"]);
        let mut child = piped(&mut command).spawn()?;
        let mut said = BufReader::new(child.stderr.take().ok_or("no stderr")?);
        let mut line = String::new();
        while !line.contains("recording ") {
            line.clear();
            ensure(said.read_line(&mut line)? > 0, || "it ended before it recorded".to_owned())?;
        }
        for _ in 0..runs {
            Command::new(&program).status()?;
        }
        kill_process(Pid::from_child(&child), Signal::INT)?;
        let mut rest = String::new();
        said.read_to_string(&mut rest)?;
        same(&format!("exit code: {rest}"), child.wait()?.code(), Some(0))?;
        let execs = format!("comm={}", name_of(&program));
        let expected = if is_triggered { runs } else { 0 };
        same(&rest, count(&file, &["-f", &execs, "-f", "event=sched_process_exec"])?, expected)?;
        same(&rest, rest.contains("was never triggered"), !is_triggered)?;
    }
    let options = ["-f", "openat.pathname=/nowhere/*", "--rules", rules, "--no-builtin"];
    let watcher =
        Watcher::start(&[&options[..], &["--until", "rule:it-starts-often", "--for", "60s"]].concat())?;
    for _ in 0..3 {
        Command::new(&program).status()?;
    }
    kill_process(Pid::from_child(&watcher.child), Signal::INT)?;
    let (code, out, said) = watcher.end()?;
    same(&format!("exit code: {out} {said}"), code, Some(0))
}

fn rule_flight() -> Result<(), Failed> {
    let dir = scratch()?;
    let (file, found) = (dir.path().join("f.trz"), dir.path().join("found.json"));
    let rules = dir.path().join("rules.yml");
    let program = own_program(dir.path(), "true")?;
    std::fs::write(&rules, rules_about(&program))?;
    let mut command = Command::new(TRACER);
    command.args(["record", "-o", path(&file)?, "--flight", "30s", "--after", "1s", "--duration", "60s"]);
    command.args([
        "--rules",
        path(&rules)?,
        "--findings",
        path(&found)?,
        "--trigger",
        "rule:it-starts-often",
    ]);
    let mut child = piped(&mut command).spawn()?;
    let mut said = BufReader::new(child.stderr.take().ok_or("no stderr")?);
    let mut line = String::new();
    while !line.contains("recording ") {
        line.clear();
        ensure(said.read_line(&mut line)? > 0, || "it ended before it recorded".to_owned())?;
    }
    for _ in 0..3 {
        Command::new(&program).status()?;
    }
    let began = Instant::now();
    let mut rest = String::new();
    said.read_to_string(&mut rest)?;
    same(&format!("exit code: {rest}"), child.wait()?.code(), Some(0))?;
    ensure(began.elapsed() < Duration::from_secs(20), || format!("it went on for {:?}", began.elapsed()))?;
    ensure(rest.contains("  HIGH  It starts  ") && rest.contains("findings of rules"), || rest.clone())?;
    let filter = format!("comm={}", name_of(&program));
    ensure(count(&file, &["-f", &filter, "-f", "event=sched_process_exec"])? == 3, || {
        format!("what triggered is not in the capture: {rest}")
    })?;
    let live = findings(&std::fs::read_to_string(&found)?)?;
    let of_rules = |all: Vec<String>| -> Vec<String> {
        all.into_iter().filter(|finding| finding.contains("\"it-starts")).collect()
    };
    let after = tracer_ok(&["scan", path(&file)?, "--rules", path(&rules)?, "-o", "json"])?;
    same("findings", of_rules(live).len(), of_rules(findings(&after)?).len())
}
