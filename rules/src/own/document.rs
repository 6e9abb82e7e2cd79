//! Documents: a rule each.

use std::collections::BTreeSet;

use events::catalogue;
use events::threat::{self, Threat};
use scopes::nearest;

use super::filter::{self, About};
use crate::class::Class;
use crate::diagnostic::{Diagnostic, File};
use crate::form::{
    Arm, Body, Bounds, Comparison, Count, Expr, Field, Key, Measure, Missing, Query, Sequence, Step,
};
use crate::rule::{Language, Level, Rule};
use crate::yaml::{Node, Scalar};

/// Kinds of happenings by name; each has its carriers in [`crate::class`].
static KINDS: [(&str, Class); 20] = [
    ("exec", Class::Exec),
    ("exec_failed", Class::ExecFailed),
    ("fork", Class::Fork),
    ("exit", Class::Exit),
    ("open", Class::Open),
    ("create", Class::Create),
    ("remove", Class::Remove),
    ("rename", Class::Rename),
    ("attributes", Class::Attributes),
    ("touch", Class::Touch),
    ("connect", Class::Connect),
    ("accept", Class::Accept),
    ("bind", Class::Bind),
    ("dns_request", Class::DnsRequest),
    ("dns_response", Class::DnsResponse),
    ("http_request", Class::HttpRequest),
    ("http_response", Class::HttpResponse),
    ("log", Class::Log(BTreeSet::new())),
    ("module_load", Class::ModuleLoad),
    ("process_access", Class::ProcessAccess),
];

const OWN_KEYS: [&str; 16] = [
    "rule",
    "event",
    "title",
    "description",
    "level",
    "tags",
    "authors",
    "licence",
    "when",
    "sequence",
    "count",
    "first_seen",
    "enabled",
    "references",
    "version",
    "notes",
];

/// Appends nothing when a rule is not to be asked, or is wrong.
pub fn read(file: &File<'_>, document: &Node, errors: &mut Vec<Diagnostic>) -> Vec<Rule> {
    unknown_keys(file, document, &OWN_KEYS, errors);
    let text = |key: &str| document.get(key).and_then(Node::text).map(|text| text.trim().to_owned());
    let list = |key: &str| -> Vec<String> {
        let values = document.get(key).map(Node::one_or_more).unwrap_or_default();
        values.iter().filter_map(Node::text).map(str::to_owned).collect()
    };
    let Some(id) = text("rule").filter(|id| !id.is_empty()) else {
        errors.push(document.error(file, "a rule has a name: `rule: NAME`"));
        return Vec::new();
    };
    let threat = document.get("event").and_then(|node| known_threat(file, node, errors));
    let mut rule = head(file, document, id);
    if let Some(threat) = threat {
        describe(&mut rule, threat);
    }
    if let Some(title) = text("title") {
        rule.title = title;
    }
    if let Some(description) = text("description") {
        rule.description = description;
    }
    if let Some(node) = document.get("level") {
        rule.level = level(file, node, errors);
    }
    rule.tags.extend(list("tags"));
    rule.authors = list("authors");
    rule.licence = text("licence");
    rule.notes = list("notes");
    body(file, document, rule, errors)
}

/// What a rule of the catalogue's behaviours is called is said there.
fn known_threat(file: &File<'_>, node: &Node, errors: &mut Vec<Diagnostic>) -> Option<&'static Threat> {
    let name = node.text().unwrap_or_default();
    let threat = catalogue::by_name(name).and_then(|event| threat::of(event.id));
    if threat.is_none() {
        let known: Vec<&str> =
            threat::THREATS.iter().filter_map(|threat| Some(catalogue::by_id(threat.event)?.name)).collect();
        let error = node.error(file, format!("{name:?} is no behaviour that has an event"));
        errors.push(error.suggesting(nearest(name, known.iter().copied())).allowing(known.join(", ")));
    }
    threat
}

fn describe(rule: &mut Rule, threat: &Threat) {
    let event = catalogue::by_id(threat.event).map_or("", |event| event.name);
    rule.title = threat.name.to_owned();
    rule.description = threat.description.to_owned();
    rule.level = Level::parse(threat.severity.name()).unwrap_or_default();
    rule.tags = vec![event.to_owned(), format!("attack.{}", threat.technique.to_ascii_lowercase())];
}

fn head(file: &File<'_>, document: &Node, id: String) -> Rule {
    Rule {
        title: id.clone(),
        id,
        level: Level::default(),
        language: Language::Tracer,
        authors: Vec::new(),
        licence: None,
        description: String::new(),
        tags: Vec::new(),
        place: file.place(document.line, document.column),
        output: None,
        body: Body::Event(Query::default()),
        is_told: true,
        notes: Vec::new(),
    }
}

fn level(file: &File<'_>, node: &Node, errors: &mut Vec<Diagnostic>) -> Level {
    let given = node.text().unwrap_or_default();
    Level::parse(given).unwrap_or_else(|| {
        let names = Level::ALL.map(Level::name);
        let error = node.error(file, format!("unknown level {given:?}"));
        errors.push(error.suggesting(nearest(given, names)).allowing(names.join(", ")));
        Level::default()
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

/// What a rule asks. A count is a rule over one that is not told.
fn body(file: &File<'_>, document: &Node, rule: Rule, errors: &mut Vec<Diagnostic>) -> Vec<Rule> {
    if let Some(node) = document.get("sequence") {
        if document.get("when").is_some() {
            errors.push(node.error(file, "a rule has either `when` or `sequence`"));
        }
        let body = Body::Sequence(sequence(file, node, errors));
        return vec![Rule { body, ..rule }];
    }
    let Some(when) = document.get("when") else {
        errors.push(document.error(file, "a rule says what happens: `when`, or `sequence`"));
        return Vec::new();
    };
    let query = query(file, when, errors);
    if let Some(node) = document.get("first_seen") {
        let fields = node.one_or_more().iter().filter_map(|it| filter::field(file, it, errors)).collect();
        return vec![Rule { body: Body::First { query, fields }, ..rule }];
    }
    let Some(node) = document.get("count") else { return vec![Rule { body: Body::Event(query), ..rule }] };
    let base =
        Rule { id: format!("{} (each)", rule.id), body: Body::Event(query), is_told: false, ..rule.clone() };
    let count = count(file, node, &base.id, errors);
    vec![base, Rule { body: Body::Count(count), ..rule }]
}

/// Events, of which any is meant.
fn query(file: &File<'_>, node: &Node, errors: &mut Vec<Diagnostic>) -> Query {
    Query { arms: node.one_or_more().iter().filter_map(|it| arm(file, it, &[], errors)).collect() }
}

/// `also`: keys that are not about the event.
fn arm(file: &File<'_>, node: &Node, also: &[&str], errors: &mut Vec<Diagnostic>) -> Option<Arm> {
    let known = [["event", "kind", "where"].as_slice(), also].concat();
    unknown_keys(file, node, &known, errors);
    let class = match (node.get("event"), node.get("kind")) {
        (Some(names), None) => named(file, names, errors)?,
        (None, Some(kind)) => {
            let given = kind.text().unwrap_or_default();
            let found = KINDS.iter().find(|(name, _)| *name == given);
            if found.is_none() {
                let names: Vec<&str> = KINDS.iter().map(|(name, _)| *name).collect();
                let error = kind.error(file, format!("unknown kind {given:?}"));
                errors
                    .push(error.suggesting(nearest(given, names.iter().copied())).allowing(names.join(", ")));
            }
            found?.1.clone()
        }
        _ => {
            let message = "an event is named by `event: NAME`, or its kind is by `kind: KIND`";
            errors.push(node.error(file, message));
            return None;
        }
    };
    let events = filter::events_of(&class);
    let about = About { file, events: &events };
    let expr = match node.get("where") {
        Some(filters) => filter::read(&about, filters, errors),
        None => Expr::Const(true),
    };
    Some(Arm::new(class, expr))
}

fn named(file: &File<'_>, names: &Node, errors: &mut Vec<Diagnostic>) -> Option<Class> {
    let mut found = Vec::new();
    for node in names.one_or_more() {
        let name = node.text().unwrap_or_default();
        match catalogue::by_name(name) {
            Some(event) => found.push(event.name),
            None => {
                let known = catalogue::events().map(|event| event.name);
                let error = node.error(file, format!("there is no event {name:?}"));
                errors.push(error.suggesting(nearest(name, known)).allowing("`tracer events` lists them"));
            }
        }
    }
    (!found.is_empty()).then(|| Class::events(found))
}

fn sequence(file: &File<'_>, node: &Node, errors: &mut Vec<Diagnostic>) -> Sequence {
    unknown_keys(file, node, &["by", "within", "steps", "until", "any_order"], errors);
    let keys = |node: Option<&Node>, errors: &mut Vec<Diagnostic>| -> Vec<Field> {
        let fields = node.map(Node::one_or_more).unwrap_or_default();
        fields.iter().filter_map(|it| filter::field(file, it, errors)).collect()
    };
    let by = keys(node.get("by"), errors);
    let mut steps = Vec::new();
    for step in node.get("steps").map(Node::one_or_more).unwrap_or_default() {
        let own = step.get("by").map(|it| keys(Some(it), errors));
        if own.as_ref().is_some_and(|own| own.len() != by.len()) && !by.is_empty() {
            errors.push(step.error(file, "each step has as many fields in `by` as the sequence"));
        }
        let runs = step.get("runs").map_or(1, |it| number(file, it, 1..=100, errors)) as u32;
        let is_missing = step.get("missing").and_then(Node::scalar) == Some(Scalar::Bool(true));
        if let Some(arm) = arm(file, step, &["by", "runs", "missing"], errors) {
            let missing = if is_missing { Missing::Yes } else { Missing::No };
            let by = own.unwrap_or_else(|| by.clone());
            steps.push(Step { query: Query { arms: vec![arm] }, by, runs, missing, joins: Vec::new() });
        }
    }
    if steps.len() < 2 && errors.is_empty() {
        errors.push(node.error(file, "a sequence has two `steps` or more"));
    }
    let span_ns = node.get("within").map(|it| span(file, it, errors));
    if span_ns.is_none() && steps.iter().any(|step| step.missing == Missing::Yes) {
        errors.push(node.error(file, "a sequence with a step that is missing ends by `within`"));
    }
    let is_sample = node.get("any_order").and_then(Node::scalar) == Some(Scalar::Bool(true));
    let until = node.get("until").map(|it| query(file, it, errors));
    Sequence { steps, until, until_by: by, span_ns, is_sample }
}

fn count(file: &File<'_>, node: &Node, of: &str, errors: &mut Vec<Diagnostic>) -> Count {
    unknown_keys(file, node, &["by", "within", "at_least", "distinct"], errors);
    let fields = |key: &str, errors: &mut Vec<Diagnostic>| -> Vec<(String, Field)> {
        let nodes = node.get(key).map(Node::one_or_more).unwrap_or_default();
        let named =
            |it: &Node| Some((it.text().unwrap_or_default().to_owned(), filter::field(file, it, errors)?));
        nodes.iter().filter_map(named).collect()
    };
    let by = fields("by", errors)
        .into_iter()
        .map(|(name, field)| Key { name, fields: vec![(None, field)] })
        .collect();
    let distinct: Vec<Field> = fields("distinct", errors).into_iter().map(|(_, field)| field).collect();
    let measure = if distinct.is_empty() { Measure::Events } else { Measure::Distinct(distinct) };
    let span_ns = match node.get("within") {
        Some(it) => span(file, it, errors),
        None => {
            errors.push(node.error(file, "a count says within what time: `within: 1m`"));
            0
        }
    };
    let least = match node.get("at_least") {
        Some(it) => number(file, it, 1..=1_000_000, errors),
        None => {
            errors.push(node.error(file, "a count says how many: `at_least: 5`"));
            1
        }
    };
    let bounds = Bounds(vec![(Comparison::GreaterOrEqual, least as f64)]);
    Count { of: vec![of.to_owned()], measure, by, span_ns, bounds }
}

fn number(
    file: &File<'_>,
    node: &Node,
    allowed: std::ops::RangeInclusive<i64>,
    errors: &mut Vec<Diagnostic>,
) -> i64 {
    match node.scalar() {
        Some(Scalar::Integer(number)) if allowed.contains(&number) => number,
        _ => {
            let message = format!("{:?} does not fit", node.text().unwrap_or_default());
            let error = node.error(file, message);
            errors.push(error.allowing(format!("{} to {}", allowed.start(), allowed.end())));
            *allowed.start()
        }
    }
}

/// `500ms`, `30s`, `5m`, `1h`, `2d`.
fn span(file: &File<'_>, node: &Node, errors: &mut Vec<Diagnostic>) -> u64 {
    let text = node.text().unwrap_or_default();
    let units = [("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];
    let units = units.into_iter().chain([("d", 86_400_000_000_000u64)]);
    let read = |(unit, ns): (&str, u64)| text.strip_suffix(unit)?.parse::<u64>().ok()?.checked_mul(ns);
    units.into_iter().find_map(read).unwrap_or_else(|| {
        errors.push(
            node.error(file, format!("{text:?} is no span of time")).allowing("500ms, 30s, 5m, 1h, 2d"),
        );
        0
    })
}
