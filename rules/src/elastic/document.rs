//! Files: the metadata of a rule, and by its type what it asks.

use scopes::nearest;

use super::Elastic;
use super::ask::{Name, Wrong};
use super::kind::Kind;
use super::lower::Lowered;
use super::toml::{self, Table, Text, Value};
use crate::diagnostic::{Diagnostic, File};
use crate::form::{Body, Bounds, Comparison, Count, Field, Key, Measure, Query};
use crate::rule::{Language, Level, Rule};
use crate::{eql, kql};

/// Types of rules that are read.
const TYPES: &[&str] = &["eql", "query", "threshold", "new_terms"];

/// Types that are not, and why.
const OTHER_TYPES: &[(&str, &str)] = &[
    ("esql", "ES|QL computes tables out of events, which is not read"),
    ("machine_learning", "it asks a job of machine learning, which runs in Elastic only"),
    ("threat_match", "it compares with indicators that are kept in Elastic"),
    ("saved_query", "its query is kept in Elastic"),
];

pub fn rule(elastic: &mut Elastic, file: &File<'_>, is_named: bool) {
    let root = match toml::parse(file.text) {
        Ok(root) => root,
        Err(wrong) => {
            // Only what was meant to be a rule is wrong.
            if is_named || file.text.lines().any(|line| line.trim() == "[rule]") {
                elastic.found += 1;
                elastic.diagnostics.push(told(file, wrong));
            }
            return;
        }
    };
    let Some(rule) = root.table("rule") else {
        if is_named {
            elastic.diagnostics.push(file.whole("no rule is in this file: its table is called [rule]"));
        }
        return;
    };
    // Rules of agents say their systems in a list, others in a tag or in the query.
    let systems = rule.texts("os_list");
    if !systems.is_empty() && !systems.iter().any(|system| system.text == "linux") {
        elastic.foreign.push(systems.first().map_or_else(String::new, |system| system.text.clone()));
        return;
    }
    let tags = rule.texts("tags");
    let is_of = |system: &str| tags.iter().any(|tag| tag.text == format!("OS: {system}"));
    if !is_of("Linux")
        && let Some(other) = ["Windows", "macOS"].into_iter().find(|system| is_of(system))
    {
        elastic.foreign.push(other.to_lowercase());
        return;
    }
    elastic.found += 1;
    if root.table("metadata").and_then(|it| it.text("maturity")) == Some("deprecated") {
        elastic.disabled += 1;
        return;
    }
    let mut errors = Vec::new();
    let rules = read(file, &root, rule, &mut errors);
    if errors.is_empty() {
        elastic.rules.extend(rules);
    }
    elastic.diagnostics.append(&mut errors);
}

pub fn bare(elastic: &mut Elastic, file: &File<'_>) {
    elastic.found += 1;
    let name = file.name.rsplit(['/', '\\']).next().unwrap_or("").trim_end_matches(".eql");
    let mut lowered = Lowered::default();
    match eql::parse(file.text) {
        Ok(query) => {
            let body = lowered.body(&query);
            if lowered.wrong.is_empty() {
                elastic.rules.push(Rule {
                    id: name.to_owned(),
                    title: name.to_owned(),
                    level: Level::default(),
                    language: Language::Eql,
                    authors: Vec::new(),
                    licence: None,
                    description: String::new(),
                    tags: Vec::new(),
                    place: file.place(1, 1),
                    output: None,
                    body,
                    is_told: true,
                    notes: lowered.notes,
                });
            }
        }
        Err(wrong) => lowered.wrong.push(wrong),
    }
    elastic.diagnostics.extend(lowered.wrong.into_iter().map(|wrong| told(file, wrong)));
}

fn told(file: &File<'_>, wrong: Wrong) -> Diagnostic {
    file.error_within(wrong.span, wrong.message).suggesting(wrong.suggestion.as_deref())
}

fn read(file: &File<'_>, root: &Table, rule: &Table, errors: &mut Vec<Diagnostic>) -> Vec<Rule> {
    let at = rule.at..rule.at + "[rule]".len();
    let head = head(file, root, rule, errors);
    let kind = match rule.get("type") {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    };
    let name = kind.map_or("eql", |kind| kind.text.as_str());
    if !TYPES.contains(&name) {
        let (message, suggestion) = match OTHER_TYPES.iter().find(|(other, _)| *other == name) {
            Some((_, why)) => (format!("rules of the type {name} are not read: {why}"), None),
            None => (format!("unknown type of rules {name:?}"), nearest(name, TYPES.iter().copied())),
        };
        let span = kind.map_or(at, |kind| kind.span(0..kind.text.len()));
        errors.push(file.error_within(span, message).suggesting(suggestion).allowing(TYPES.join(", ")));
        return Vec::new();
    }
    let Some(Value::Text(text)) = rule.get("query") else {
        errors.push(file.error_within(at, "a rule has a query"));
        return Vec::new();
    };
    let mut lowered = Lowered::default();
    let rules = if name == "eql" {
        match eql::parse(&text.text) {
            Ok(query) => {
                let body = lowered.body(&query);
                vec![Rule { body, language: Language::Eql, ..head }]
            }
            Err(wrong) => {
                lowered.wrong.push(wrong);
                Vec::new()
            }
        }
    } else {
        match (rule.text("language"), kql::parse(&text.text)) {
            (Some("lucene"), _) => {
                let span = 0..text.text.lines().next().unwrap_or("").len();
                lowered.wrong.push(Wrong::new(span, "queries of Lucene are not read"));
                Vec::new()
            }
            (_, Ok(ask)) => {
                let first = text.text.len() - text.text.trim_start().len();
                let end =
                    text.text.get(first..).and_then(|it| it.find('\n')).unwrap_or(text.text.len() - first);
                let (query, kinds) = lowered.query(&ask, None, &(first..first + end));
                let head = Rule { language: Language::Kql, ..head };
                let mut of = Of { file, rule, lowered: &mut lowered, kinds: &kinds, errors };
                match name {
                    "threshold" => of.threshold(head, query),
                    "new_terms" => of.new_terms(head, query),
                    _ => vec![Rule { body: Body::Event(query), ..head }],
                }
            }
            (_, Err(wrong)) => {
                lowered.wrong.push(wrong);
                Vec::new()
            }
        }
    };
    let wrong = lowered.wrong.into_iter();
    errors.extend(wrong.map(|it| told(file, Wrong { span: text.span(it.span.clone()), ..it })));
    rules
        .into_iter()
        .map(|mut rule| {
            rule.notes.extend(lowered.notes.iter().cloned());
            rule
        })
        .collect()
}

/// The metadata, which all types have.
fn head(file: &File<'_>, root: &Table, rule: &Table, errors: &mut Vec<Diagnostic>) -> Rule {
    let text = |key: &str| rule.text(key).unwrap_or_default().trim().to_owned();
    let list = |key: &str| rule.texts(key).into_iter().map(|it| it.text.clone()).collect::<Vec<_>>();
    let title = text("name");
    if title.is_empty() {
        errors.push(file.error_within(rule.at..rule.at + "[rule]".len(), "a rule has a name"));
    }
    let level = match rule.get("severity") {
        Some(Value::Text(text)) => Level::parse(&text.text).unwrap_or_else(|| {
            let names = ["low", "medium", "high", "critical"];
            let message = format!("unknown severity {:?}", text.text);
            let error = file.error_within(text.span(0..text.text.len()), message);
            errors.push(error.suggesting(nearest(&text.text, names)).allowing(names.join(", ")));
            Level::default()
        }),
        // Rules of agents have none: they stop what they see.
        _ => Level::default(),
    };
    let mut tags = list("tags");
    // Tactics and techniques, named as other languages do.
    for threat in rule.tables("threat").into_iter().chain(root.tables("threat")) {
        for technique in threat.tables("technique") {
            tags.extend(technique.text("id").map(attack));
            tags.extend(technique.tables("subtechnique").iter().filter_map(|it| it.text("id")).map(attack));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    tags.retain(|tag| seen.insert(tag.clone()));
    let id =
        ["rule_id", "id"].into_iter().map(text).find(|id| !id.is_empty()).unwrap_or_else(|| title.clone());
    Rule {
        id,
        title,
        level,
        language: Language::Eql,
        authors: list("author"),
        licence: rule.text("license").map(str::to_owned),
        description: text("description"),
        tags,
        place: file.error_within(rule.at..rule.at, "").place,
        output: None,
        body: Body::Event(Query::default()),
        is_told: true,
        notes: Vec::new(),
    }
}

fn attack(id: &str) -> String {
    format!("attack.{}", id.to_lowercase())
}

/// What a rule says beside its query.
struct Of<'a> {
    file: &'a File<'a>,
    rule: &'a Table,
    lowered: &'a mut Lowered,
    kinds: &'a [Kind],
    errors: &'a mut Vec<Diagnostic>,
}

impl Of<'_> {
    /// So many events of a group within the rule's interval, or so many distinct values in them.
    fn threshold(&mut self, head: Rule, query: Query) -> Vec<Rule> {
        let Some(table) = self.rule.table("threshold") else {
            return self.refuse("a rule of the type threshold has a threshold");
        };
        let by = self.fields(&table.texts("field"));
        let by = by.into_iter().map(|(name, field)| Key { name, fields: vec![(None, field)] }).collect();
        let cardinality = table.tables("cardinality");
        let (measure, least) = match cardinality.first() {
            Some(cardinality) => {
                let fields =
                    self.fields(&cardinality.texts("field")).into_iter().map(|(_, field)| field).collect();
                (Measure::Distinct(fields), cardinality.get("value"))
            }
            None => (Measure::Events, table.get("value")),
        };
        let Some(least) = least.and_then(Value::number) else {
            return self.refuse("a threshold has a value, which is a number");
        };
        // Within what the rule looks at each time that it is asked.
        let from = self.rule.text("from").and_then(|from| from.strip_prefix("now-")).and_then(span_ns);
        let interval = self.rule.text("interval").and_then(span_ns);
        let span_ns = interval.or(from).unwrap_or(300_000_000_000);
        let base = Rule {
            id: format!("{}#events", head.id),
            title: format!("{}: events", head.title),
            is_told: false,
            body: Body::Event(query),
            ..head.clone()
        };
        let bounds = Bounds(vec![(Comparison::GreaterOrEqual, least)]);
        let count = Count { of: vec![base.id.clone()], measure, by, span_ns, bounds };
        vec![base, Rule { body: Body::Count(count), ..head }]
    }

    /// Values that were not there before.
    fn new_terms(&mut self, head: Rule, query: Query) -> Vec<Rule> {
        let terms = self.rule.table("new_terms").map(|table| table.texts("value")).unwrap_or_default();
        if terms.is_empty() {
            return self.refuse("a rule of the type new_terms says the fields whose values are new");
        }
        let fields = self.fields(&terms).into_iter().map(|(_, field)| field).collect();
        vec![Rule { body: Body::First { query, fields }, ..head }]
    }

    fn refuse(&mut self, why: &str) -> Vec<Rule> {
        let at = self.rule.at;
        self.errors.push(self.file.error_within(at..at + "[rule]".len(), why));
        Vec::new()
    }

    /// Fields by their names outside of the query.
    fn fields(&mut self, names: &[&Text]) -> Vec<(String, Field)> {
        let mut fields = Vec::new();
        for text in names.iter().filter(|text| !text.text.is_empty()) {
            let name = Name::new(text.text.clone(), 0..text.text.len());
            let before = self.lowered.wrong.len();
            fields.extend(self.lowered.field(&name, self.kinds).map(|field| (text.text.clone(), field)));
            // These stand here, and not in the query.
            for wrong in self.lowered.wrong.split_off(before) {
                self.errors.push(told(self.file, Wrong { span: text.span(wrong.span.clone()), ..wrong }));
            }
        }
        fields
    }
}

/// `9m`, `1h`
fn span_ns(text: &str) -> Option<u64> {
    let unit = text.chars().next_back()?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds)?.checked_mul(1_000_000_000)
}
