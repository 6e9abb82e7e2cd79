use std::fmt::Write as _;

use crate::form::Body;
use crate::reader::{Corpus, Readers};
use crate::rule::{Level, Template};

fn read(files: &[(&str, &str)]) -> Corpus {
    let mut readers = Readers::default();
    files.iter().for_each(|(name, text)| readers.add(name, text, true));
    readers.finish()
}

fn told(files: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for diagnostic in read(files).diagnostics {
        let _ = writeln!(out, "{diagnostic}");
    }
    out
}

/// A detector of one event, with more of its document.
fn detector(id: &str, produced: &str, event: &str, rest: &str) -> String {
    format!(
        "type: detector\nid: {id}\nproduced_event: {{name: {produced}, version: 1.0.0}}\nrequirements:\n  events:\n    - name: {event}\n{rest}"
    )
}

#[test]
fn metadata_is_that_of_the_threat() {
    let corpus = read(&[(
        "a.yaml",
        "id: SHELL-1\ntype: Detector\nproduced_event: {name: shell_of_nginx, version: 1.0.0, tags: [shell]}\nrequirements:\n  events:\n    \
         - name: sched_process_exec\n      data_filters: [pathname=/bin/sh, pathname=/bin/bash]\n      scope_filters: [comm=nginx]\n\
         threat: {name: Shell of nginx, description: d, severity: high, mitre: {technique: {id: T1059, name: x}, tactic: {name: Initial Access}}}\n\
         auto_populate: {threat: true}\n",
    )]);
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    let rule = &corpus.rules[0];
    assert_eq!(
        (rule.id.as_str(), rule.title.as_str(), rule.level),
        ("SHELL-1", "Shell of nginx", Level::High)
    );
    assert_eq!(rule.tags, ["shell_of_nginx", "shell", "attack.t1059", "attack.initial_access"]);
    let Body::Event(query) = &rule.body else { panic!("{rule:?}") };
    assert_eq!(query.arms[0].expr.fields().len(), 2);
}

#[test]
fn detectors_chain_at_any_depth_and_in_any_order_of_files() {
    let one = detector(
        "one",
        "netcat",
        "sched_process_exec",
        "      data_filters: [pathname=*/nc, pathname=*/ncat]\noutput:\n  fields:\n    - {name: program, expression: 'basename(getEventData(\"pathname\"))'}\n    - {name: container, expression: 'container.get(workload.container.id).name', optional: true}\n",
    );
    let two = detector(
        "two",
        "netcat_of_user",
        "netcat",
        "      data_filters: [program=nc*]\nconditions:\n  - workload.process.uid >= 1000\noutput:\n  fields:\n    - {name: what, expression: 'getEventData(\"program\")'}\n",
    );
    let three = detector(
        "three",
        "alert",
        "netcat_of_user",
        "conditions:\n  - getEventData(\"what\") != \"ncat\" && !hasData(\"container\")\noutput:\n  fields:\n    - {name: name, expression: 'upper(getEventData(\"what\"))'}\n",
    );
    let corpus = read(&[("c.yaml", &three), ("b.yaml", &two), ("a.yaml", &one)]);
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    let rule = corpus.rules.iter().find(|rule| rule.id == "three").expect("the third");
    let Body::Event(query) = &rule.body else { panic!("{rule:?}") };
    let fields: Vec<String> = query.arms[0].expr.fields().iter().map(ToString::to_string).collect();
    assert!(
        fields.iter().any(|field| field == "pathname") && fields.iter().any(|field| field == "uid"),
        "{fields:?}"
    );
    assert!(fields.iter().any(|field| field.contains("basename")), "{fields:?}");
    let Some(Template::Fields(outputs)) = &rule.output else { panic!("{:?}", rule.output) };
    assert_eq!(outputs[0].fields[0].0, "name");
    assert!(outputs[0].fields[0].1.to_string().contains("upper(basename("), "{outputs:?}");
}

#[test]
fn cycles_and_what_stands_on_them_are_told_with_the_chain() {
    let all = [
        ("a.yaml", detector("a", "event_a", "event_b", "")),
        ("b.yaml", detector("b", "event_b", "event_c", "")),
        ("c.yaml", detector("c", "event_c", "event_b", "")),
        ("d.yaml", detector("d", "event_d", "sched_process_exec", "")),
    ];
    let files: Vec<(&str, &str)> = all.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let corpus = read(&files);
    let told = told(&files);
    assert!(
        told.contains("detectors ask for each other: event_b asks for event_c asks for event_b in c.yaml:6"),
        "{told}"
    );
    assert!(
        told.contains("it asks for \"event_b\", and the detector \"b\" could not be read in a.yaml:6"),
        "{told}"
    );
    assert_eq!(corpus.rules.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["d"]);
    assert_eq!(corpus.found, 4);
}

#[test]
fn lists_are_those_of_the_folder() {
    let list = "type: STRING_LIST\nname: SHELLS\nvalues: [/bin/sh]\n";
    let asks = detector(
        "a",
        "event_a",
        "sched_process_exec",
        "conditions: ['getEventData(\"pathname\") in SHELLS']\n",
    );
    let one = read(&[("x/list.yaml", list), ("x/a.yaml", &asks)]);
    assert!(one.diagnostics.is_empty() && one.rules.len() == 1, "{:?}", one.diagnostics);
    let told = told(&[
        ("x/list.yaml", list),
        ("x/again.yaml", list),
        ("y/a.yaml", &asks),
        ("x/lower.yaml", "type: string_list\nname: shells\nvalues: [a]\n"),
    ]);
    for expected in [
        "the list \"SHELLS\" is there already in this folder in x/again.yaml:2:7",
        "SHELLS is not known here in y/a.yaml:7:",
        "\"shells\" is no name of a list",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn what_is_wrong_is_told_where_it_stands_and_all_at_once() {
    let text = "type: detector\nid: x\nproduced_event:\n  name: event_x\n  version: one\n  fields: [{name: a, type: strin}]\nrequirements:\n  architectures: [amd65]\n  events:\n    - name: sched_process_exek\n      dependency: needed\nthreat: {description: d, severity: hihg}\nconditions:\n  - getEventData(\"pathname\") ==\n  - workload.proces.name == \"a\"\noutput:\n  fields:\n    - {name: b, expression: getEventData(\"a\")}\nextra: 1\n";
    let told = told(&[("x.yaml", text)]);
    for expected in [
        "\"one\" is no version in x.yaml:5:12",
        "unknown type \"strin\" in x.yaml:6:28; did you mean \"string\"?",
        "unknown architecture \"amd65\" in x.yaml:8:19; did you mean \"amd64\"?",
        "unknown dependency \"needed\"",
        "unknown severity \"hihg\"",
        "this is no CEL",
        "\"b\" is not among the fields of the produced event",
        "warning: unknown key \"extra\" is left out",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn events_that_are_not_there_end_a_detector_unless_it_can_do_without() {
    let text = detector(
        "a",
        "event_a",
        "sched_process_exec",
        "    - name: event_of_others\n      dependency: optional\n",
    );
    let corpus = read(&[("a.yaml", &text)]);
    assert_eq!(corpus.rules.len(), 1);
    assert!(corpus.diagnostics.iter().all(|it| !it.is_error()), "{:?}", corpus.diagnostics);
    let needs = detector("a", "event_a", "sched_process_exek", "");
    assert!(told(&[("a.yaml", &needs)]).contains("did you mean \"sched_process_exec\"?"));
    let broken = detector("c", "event_c", "sched_process_exec", "conditions: ['a ==']\n");
    let upon = detector("d", "event_d", "event_c", "");
    let files = [("d.yaml", upon.as_str()), ("c.yaml", broken.as_str())];
    assert!(told(&files).contains("the detector that produces it could not be read in d.yaml:6"));
    let newer = detector("b", "event_b", "event_a", "      min_version: 2.0.0\n");
    let base = detector("a", "event_a", "sched_process_exec", "");
    assert!(
        told(&[("b.yaml", &newer), ("a.yaml", &base)]).contains("\"event_a\" is produced in version 1.0.0")
    );
    let taken = detector("c", "openat", "sched_process_exec", "");
    assert!(told(&[("c.yaml", &taken)]).contains("there is an event \"openat\" already"));
}
