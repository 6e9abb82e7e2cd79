use std::fmt::Write as _;

use crate::form::Body;
use crate::reader::{Corpus, Readers};

fn read(text: &str) -> Corpus {
    let mut readers = Readers::default();
    readers.add("own.yaml", text, true);
    readers.finish()
}

fn told(text: &str) -> String {
    let mut out = String::new();
    for diagnostic in read(text).diagnostics {
        let _ = writeln!(out, "{diagnostic}");
    }
    out
}

#[test]
fn filters_of_arguments_contexts_and_meanings_are_read_as_one() {
    let corpus = read(
        "rule: a\ntitle: A\nlevel: high\nwhen:\n  - event: openat\n    where:\n      - pathname=/etc/*\n      - comm!=vim\n      \
         - parent.exe=/bin/sh\n      - retval>=0\n      - {any: [uid=0, container]}\n",
    );
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    let Body::Event(query) = &corpus.rules[0].body else { panic!("{:?}", corpus.rules) };
    let fields: Vec<String> = query.arms[0].expr.fields().iter().map(ToString::to_string).collect();
    assert_eq!(fields, ["pathname", "comm", "parent.exe", "retval", "uid", "container"]);
}

#[test]
fn what_is_wrong_is_told_where_it_stands_and_all_at_once() {
    let told = told(
        "rule: a\nlevle: high\nwhen:\n  - event: openatt\n  - event: openat\n    where:\n      - pathnam=/etc/*\n      \
         - flags=O_WRONG\n  - kind: opened\n",
    );
    for expected in [
        "unknown key \"levle\" in own.yaml:2:1; did you mean \"level\"?",
        "there is no event \"openatt\" in own.yaml:4:12; did you mean",
        "did you mean \"pathname\"?",
        "own.yaml:8:15",
        "unknown kind \"opened\" in own.yaml:9:11; did you mean \"open\"?",
    ] {
        assert!(told.contains(expected), "{expected}\nis not in\n{told}");
    }
}

#[test]
fn counts_are_rules_over_what_is_counted_and_sequences_have_keys_and_a_span() {
    let corpus = read(
        "rule: many\nwhen: {kind: exec}\ncount: {by: [parent.process], within: 1m, at_least: 3, distinct: [exe]}\n---\n\
         rule: two\nsequence:\n  by: [process]\n  within: 10s\n  steps:\n    - {kind: connect}\n    - {kind: exec, where: [exe=/bin/sh]}\n\
         ---\nrule: new\nwhen: {kind: exec}\nfirst_seen: [exe, uid]\n",
    );
    assert!(corpus.diagnostics.is_empty(), "{:?}", corpus.diagnostics);
    let ids: Vec<(&str, bool)> = corpus.rules.iter().map(|rule| (rule.id.as_str(), rule.is_told)).collect();
    assert_eq!(ids, [("many (each)", false), ("many", true), ("two", true), ("new", true)]);
    assert_eq!(corpus.rules[1].body.builds_on(), ["many (each)"]);
    let Body::Sequence(sequence) = &corpus.rules[2].body else { panic!("no sequence") };
    assert_eq!((sequence.steps.len(), sequence.span_ns), (2, Some(10_000_000_000)));
}
