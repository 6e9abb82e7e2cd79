//! Files of tests of rules: captures, the rules that are asked, and what they must find.
//!
//! ```yaml
//! tests:
//!   - capture: reverse-shell.trz       # as the file of tests sees it
//!     rules: [../rules]                # without: those that are part of the program
//!     expect: [{rule: reverse_shell, count: 1, process: bash}]
//!     silent: [ssh_key_read]
//!     others: allow                    # findings of rules that are not named here
//! ```

use std::sync::Arc;

use scopes::nearest;

use crate::diagnostic::{Diagnostic, File, Place};
use crate::yaml::{self, Node, Scalar};

/// One test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    pub name: String,
    pub place: Place,
    pub captures: Vec<String>,
    pub rules: Vec<String>,
    pub expect: Vec<Expected>,
    /// Rules that must not find anything.
    pub silent: Vec<String>,
    /// Findings of other rules are no failure.
    pub allows_others: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    pub rule: String,
    /// So many findings; at least one when nothing is said.
    pub count: Option<u64>,
    /// Of this process.
    pub process: Option<String>,
}

/// The tests of a file, or all that is wrong with it.
pub fn read(name: &str, text: &str) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let name: Arc<str> = name.into();
    let file = File { name: &name, text };
    let (documents, mut errors) = yaml::documents(&file);
    let mut cases = Vec::new();
    for document in &documents {
        let Some(tests) = document.get("tests").and_then(Node::list) else {
            errors.push(document.error(&file, "a file of tests has a list `tests`"));
            continue;
        };
        unknown_keys(&file, document, &["tests"], &mut errors);
        for test in tests {
            cases.extend(case(&file, test, cases.len() + 1, &mut errors));
        }
    }
    if errors.is_empty() { Ok(cases) } else { Err(errors) }
}

fn case(file: &File<'_>, test: &Node, number: usize, errors: &mut Vec<Diagnostic>) -> Option<Case> {
    unknown_keys(file, test, &["name", "capture", "rules", "expect", "silent", "others"], errors);
    let texts = |key: &str| -> Vec<String> {
        let values = test.get(key).map(Node::one_or_more).unwrap_or_default();
        values.iter().filter_map(Node::text).map(str::to_owned).collect()
    };
    let captures = texts("capture");
    if captures.is_empty() {
        errors.push(test.error(file, "a test has a `capture`"));
        return None;
    }
    let mut expect = Vec::new();
    for node in test.get("expect").map(Node::one_or_more).unwrap_or_default() {
        unknown_keys(file, node, &["rule", "count", "process"], errors);
        let Some(rule) = node.get("rule").and_then(Node::text) else {
            errors.push(node.error(file, "what is expected names its `rule`"));
            continue;
        };
        let count = match node.get("count").map(|it| (it, it.scalar())) {
            None => None,
            Some((_, Some(Scalar::Integer(count)))) if count >= 0 => Some(count as u64),
            Some((it, _)) => {
                errors.push(it.error(file, "`count` is a number"));
                None
            }
        };
        let process = node.get("process").and_then(Node::text).map(str::to_owned);
        expect.push(Expected { rule: rule.to_owned(), count, process });
    }
    let others = test.get("others").and_then(Node::text);
    if let (Some(node), Some(given)) =
        (test.get("others"), others.filter(|it| !["allow", "deny"].contains(it)))
    {
        errors.push(node.error(file, format!("{given:?} is neither allow nor deny")));
    }
    Some(Case {
        name: texts("name")
            .into_iter()
            .next()
            .unwrap_or_else(|| format!("test {number}: {}", captures.join(", "))),
        place: file.place(test.line, test.column),
        captures,
        rules: texts("rules"),
        expect,
        silent: texts("silent"),
        allows_others: others == Some("allow"),
    })
}

fn unknown_keys(file: &File<'_>, map: &Node, known: &[&str], errors: &mut Vec<Diagnostic>) {
    for (key, _) in map.entries().unwrap_or_default() {
        let name = key.text().unwrap_or_default();
        if !known.contains(&name) {
            let error = key.error(file, format!("unknown key {name:?}"));
            errors.push(error.suggesting(nearest(name, known.iter().copied())).allowing(known.join(", ")));
        }
    }
}

/// A finding, as tests see it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    pub rule: String,
    pub process: String,
}

impl Case {
    /// What is not as it must be, in words; nothing when all is.
    pub fn failures(&self, found: &[Told]) -> Vec<String> {
        let mut failures = Vec::new();
        for expected in &self.expect {
            let is_it = |told: &&Told| {
                told.rule == expected.rule && expected.process.as_ref().is_none_or(|it| *it == told.process)
            };
            let count = found.iter().filter(is_it).count() as u64;
            let of = expected.process.as_ref().map_or(String::new(), |process| format!(" of {process}"));
            match expected.count {
                None if count == 0 => failures.push(format!("{}: nothing was found{of}", expected.rule)),
                Some(wanted) if wanted != count => {
                    failures
                        .push(format!("{}: {count} findings{of}, and {wanted} were expected", expected.rule));
                }
                _ => {}
            }
        }
        let mut named: Vec<&str> = self.expect.iter().map(|it| it.rule.as_str()).collect();
        for rule in &self.silent {
            let count = found.iter().filter(|told| told.rule == *rule).count();
            if count > 0 {
                failures.push(format!("{rule}: {count} findings, and none were expected"));
            }
            named.push(rule);
        }
        if !self.allows_others {
            let mut others: Vec<&str> = found.iter().map(|told| told.rule.as_str()).collect();
            others.retain(|rule| !named.contains(rule));
            others.sort_unstable();
            others.dedup();
            failures.extend(others.into_iter().map(|rule| {
                let count = found.iter().filter(|told| told.rule == rule).count();
                format!("{rule}: {count} findings that the test does not name (`others: allow` allows them)")
            }));
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_what_is_too_much_and_what_nobody_named_are_told() {
        let cases = read(
            "t.yaml",
            "tests:\n  - capture: a.trz\n    rules: [r]\n    expect: [{rule: a, count: 2, process: sh}, {rule: b}]\n    silent: [c]\n",
        )
        .expect("tests");
        let told = |rule: &str, process: &str| Told { rule: rule.into(), process: process.into() };
        let found = [told("a", "sh"), told("a", "bash"), told("c", "x"), told("d", "x")];
        assert_eq!(
            cases[0].failures(&found),
            [
                "a: 1 findings of sh, and 2 were expected",
                "b: nothing was found",
                "c: 1 findings, and none were expected",
                "d: 1 findings that the test does not name (`others: allow` allows them)",
            ]
        );
    }

    #[test]
    fn keys_that_are_none_are_told_with_their_place() {
        let errors = read("t.yaml", "tests:\n  - captur: a.trz\n").expect_err("wrong");
        assert!(
            errors[0].to_string().contains("unknown key \"captur\" in t.yaml:2:5; did you mean \"capture\"?")
        );
    }
}
