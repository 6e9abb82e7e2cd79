//! Documents: a rule, a correlation or a filter each.

use std::sync::Arc;

use scopes::nearest;

use super::source::{self, Source};
use super::{Sigma, correlation, detection, names};
use crate::audit::Profile;
use crate::diagnostic::{Diagnostic, File};
use crate::form::Body;
use crate::rule::{Language, Level, Rule};
use crate::yaml::{Kind, Node};

/// What a document is.
#[derive(Debug)]
pub enum Entry {
    Rule(RuleEntry),
    Correlation(correlation::Entry),
    Filter(super::filter::Entry),
}

#[derive(Debug)]
pub struct RuleEntry {
    pub rule: Rule,
    /// What others may call it by.
    pub name: Option<String>,
    pub source: Source,
}

impl Entry {
    pub fn rule(&self) -> Option<&Rule> {
        match self {
            Entry::Rule(entry) => Some(&entry.rule),
            Entry::Correlation(entry) => Some(&entry.rule),
            Entry::Filter(_) => None,
        }
    }

    pub fn name(&self) -> Option<&str> {
        match self {
            Entry::Rule(entry) => entry.name.as_deref(),
            Entry::Correlation(entry) => entry.name.as_deref(),
            Entry::Filter(_) => None,
        }
    }
}

pub fn read(sigma: &mut Sigma, file: &File<'_>, documents: &[Node]) {
    let mut global: Option<Node> = None;
    let mut previous: Option<Node> = None;
    for document in documents {
        // Of specifications before 2: what documents have in common stands in one of them.
        let whole = match document.get("action").and_then(Node::text) {
            Some("global") => {
                global = Some(document.clone());
                continue;
            }
            Some("reset") => {
                global = None;
                continue;
            }
            Some("repeat") => match &previous {
                Some(previous) => merged(previous, document),
                None => document.clone(),
            },
            _ => match &global {
                Some(global) => merged(global, document),
                None => document.clone(),
            },
        };
        one(sigma, file, &whole);
        previous = Some(whole);
    }
}

/// One map over another; maps in them likewise.
fn merged(base: &Node, over: &Node) -> Node {
    let (Kind::Map(below), Kind::Map(above)) = (&base.kind, &over.kind) else { return over.clone() };
    let mut entries = below.clone();
    for (key, value) in above {
        match entries.iter_mut().find(|(known, _)| known.text() == key.text()) {
            Some((_, known)) => *known = merged(known, value),
            None => entries.push((key.clone(), value.clone())),
        }
    }
    Node { kind: Kind::Map(entries), ..over.clone() }
}

fn one(sigma: &mut Sigma, file: &File<'_>, document: &Node) {
    if document.is_null() {
        return;
    }
    sigma.found += 1;
    if document.entries().is_none() {
        return sigma.diagnostics.push(document.error(file, "a rule has title, logsource and detection"));
    }
    let mut errors = Vec::new();
    let head = match head(file, document, &mut errors) {
        Some(head) => head,
        None => return sigma.diagnostics.append(&mut errors),
    };
    let name = document.get("name").and_then(Node::text).map(str::to_owned);
    if document.get("correlation").is_some() {
        let entry = correlation::read(file, document, head, name, &mut errors);
        if errors.is_empty() {
            sigma.entries.extend(entry.map(Entry::Correlation));
        }
        return sigma.diagnostics.append(&mut errors);
    }
    let source = match source::read(file, document) {
        Ok(source::Read::Source(source)) => source,
        Ok(source::Read::Foreign(product)) => {
            sigma.found -= 1;
            return sigma.foreign.push(product);
        }
        Err(error) => {
            errors.push(error);
            return sigma.diagnostics.append(&mut errors);
        }
    };
    if let Some(node) = document.get("filter") {
        let text: Arc<str> = file.text.into();
        let entry = super::filter::read(file, text, node, source, &mut errors);
        if errors.is_empty() {
            // Not a rule of its own.
            sigma.found -= 1;
            sigma.entries.extend(entry.map(Entry::Filter));
        }
        return sigma.diagnostics.append(&mut errors);
    }
    let Some(node) = document.get("detection") else {
        errors.push(document.error(file, "a rule has a detection"));
        return sigma.diagnostics.append(&mut errors);
    };
    let (query, notes) = detection::read(file, node, &source, sigma.profile.as_deref(), &mut errors);
    if query.arms.is_empty() && errors.is_empty() {
        errors.push(never(file, node, &source, sigma.profile.as_deref()));
    }
    if errors.is_empty() {
        let rule = Rule { body: Body::Event(query), notes, ..head };
        sigma.entries.push(Entry::Rule(RuleEntry { rule, name, source }));
    }
    sigma.diagnostics.append(&mut errors);
}

/// Why a detection can match nothing.
fn never(file: &File<'_>, detection: &Node, source: &Source, profile: Option<&Profile>) -> Diagnostic {
    let mut absent: Vec<&str> = Vec::new();
    for (_, selection) in detection.entries().unwrap_or_default() {
        for map in selection.one_or_more() {
            let names =
                map.entries().unwrap_or_default().iter().filter_map(|(key, _)| key.text()?.split('|').next());
            absent.extend(names.filter(|name| {
                let is_absent = |kind| names::meaning(kind, name) == names::Meaning::Absent;
                !source.arms.iter().any(|kind| matches!(names::meaning(kind, name), names::Meaning::Field(_)))
                    && source.arms.iter().any(is_absent)
            }));
        }
    }
    absent.dedup();
    if absent.contains(&"key") {
        let message = match profile {
            None => "key is that of a rule of auditctl: --audit-rules FILE says which there are".to_owned(),
            Some(profile) => {
                let keys: Vec<&str> = profile.keys().take(64).collect();
                let message =
                    "this can never match: no rule of --audit-rules has such a key for what it asks";
                return detection
                    .get("condition")
                    .unwrap_or(detection)
                    .error(file, message)
                    .allowing(keys.join(", "));
            }
        };
        return detection.get("condition").unwrap_or(detection).error(file, message);
    }
    let message = if absent.is_empty() {
        "this can never match: no record has all that it asks for".to_owned()
    } else {
        format!("this can never match: nothing here tells {}", absent.join(", "))
    };
    detection.get("condition").unwrap_or(detection).error(file, message)
}

/// What all documents have: the metadata.
fn head(file: &File<'_>, document: &Node, errors: &mut Vec<Diagnostic>) -> Option<Rule> {
    let text = |key: &str| document.get(key).and_then(Node::text).map(|text| text.trim().to_owned());
    let list = |key: &str| -> Vec<String> {
        let Some(value) = document.get(key) else { return Vec::new() };
        value.one_or_more().iter().filter_map(Node::text).map(str::to_owned).collect()
    };
    let Some(title) = text("title").filter(|title| !title.is_empty()) else {
        errors.push(document.error(file, "a rule has a title"));
        return None;
    };
    let level = match document.get("level") {
        None => Level::default(),
        Some(node) => match node.text().and_then(Level::parse) {
            Some(level) => level,
            None => {
                let names = ["informational", "low", "medium", "high", "critical"];
                let given = node.text().unwrap_or_default();
                let error = node.error(file, format!("unknown level {given:?}"));
                errors.push(error.suggesting(nearest(given, names)).allowing(names.join(", ")));
                Level::default()
            }
        },
    };
    // Authors stand in one text.
    let authors =
        list("author").iter().flat_map(|names| names.split(',')).map(|it| it.trim().to_owned()).collect();
    Some(Rule {
        id: text("id").filter(|id| !id.is_empty()).unwrap_or_else(|| title.clone()),
        title,
        level,
        language: Language::Sigma,
        authors,
        licence: text("license"),
        description: text("description").unwrap_or_default(),
        tags: list("tags"),
        place: file.place(document.line, document.column),
        output: None,
        body: Body::Event(crate::form::Query::default()),
        is_told: true,
        notes: Vec::new(),
    })
}
