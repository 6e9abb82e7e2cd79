//! Correlations: what findings of other rules add up to within a span of time.

use scopes::nearest;

use super::Sigma;
use super::document::{Entry as Document, RuleEntry};
use super::names::{self, Meaning};
use crate::diagnostic::{Diagnostic, File};
use crate::form::{Body, Bounds, Comparison, Count, Field, Key, Measure, Order, Together};
use crate::rule::Rule;
use crate::yaml::{Node, Scalar};

/// A correlation whose rules are not looked up yet.
#[derive(Debug)]
pub struct Entry {
    pub rule: Rule,
    pub name: Option<String>,
    kind: Kind,
    /// By id or name, each with an error to be told when it is not there.
    of: Vec<(String, Diagnostic)>,
    by: Vec<(String, Diagnostic)>,
    /// Another name of a field: of which rule which field.
    aliases: Vec<(String, Vec<(String, String)>)>,
    span_ns: u64,
    bounds: Bounds,
    /// Of the value types: the fields.
    fields: Vec<(String, Diagnostic)>,
    generates: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    EventCount,
    ValueCount,
    Temporal,
    TemporalOrdered,
    Sum,
    Average,
    Percentile(f64),
}

const KINDS: &[(&str, Kind)] = &[
    ("event_count", Kind::EventCount),
    ("value_count", Kind::ValueCount),
    ("temporal", Kind::Temporal),
    ("temporal_ordered", Kind::TemporalOrdered),
    ("value_sum", Kind::Sum),
    ("value_avg", Kind::Average),
    ("value_percentile", Kind::Percentile(50.0)),
];

const COMPARISONS: &[(&str, Comparison)] = &[
    ("gt", Comparison::Greater),
    ("gte", Comparison::GreaterOrEqual),
    ("lt", Comparison::Less),
    ("lte", Comparison::LessOrEqual),
    ("eq", Comparison::Equal),
    ("neq", Comparison::NotEqual),
];

pub fn read(
    file: &File<'_>,
    document: &Node,
    rule: Rule,
    name: Option<String>,
    errors: &mut Vec<Diagnostic>,
) -> Option<Entry> {
    let node = document.get("correlation")?;
    let of_key = |key: &str| node.get(key);
    let kind = match of_key("type").and_then(|node| Some((node, node.text()?))) {
        None => {
            errors.push(node.error(file, "a correlation says its type"));
            return None;
        }
        Some((node, given)) => match KINDS.iter().find(|(name, _)| *name == given) {
            Some((_, kind)) => *kind,
            None => {
                let names = || KINDS.iter().map(|(name, _)| *name);
                let error = node.error(file, format!("unknown type {given:?} of correlation"));
                let allowed = names().collect::<Vec<_>>().join(", ");
                errors.push(error.suggesting(nearest(given, names())).allowing(allowed));
                return None;
            }
        },
    };
    let named = |key: &str, message: &str| -> Vec<(String, Diagnostic)> {
        let nodes = of_key(key).map(Node::one_or_more).unwrap_or_default();
        let texts = nodes.iter().filter_map(|node| Some((node, node.text()?)));
        texts.map(|(node, text)| (text.to_owned(), node.error(file, message.replace("NAME", text)))).collect()
    };
    let of = named("rules", "the rule \"NAME\" is not among those that were read");
    if of.is_empty() {
        errors.push(node.error(file, "a correlation says the rules that it is about"));
    }
    let by = named("group-by", "the field \"NAME\" is not one of the rules' events");
    let span_ns = match of_key("timespan").or(of_key("timeframe")) {
        None => {
            errors.push(node.error(file, "a correlation says its timespan"));
            0
        }
        Some(node) => match span(node.text().unwrap_or_default()) {
            Some(span) => span,
            None => {
                errors.push(node.error(file, "this is no span of time, such as 30s, 15m, 1h or 2d"));
                0
            }
        },
    };
    let (mut bounds, mut fields, mut kind) = (Bounds::default(), Vec::new(), kind);
    let is_temporal = matches!(kind, Kind::Temporal | Kind::TemporalOrdered);
    match of_key("condition") {
        None if is_temporal => {}
        None => errors.push(node.error(file, "a correlation of this type has a condition, such as gte: 10")),
        Some(condition) => {
            for (key, value) in condition.entries().unwrap_or_default() {
                let name = key.text().unwrap_or_default();
                match (name, value.scalar()) {
                    ("field", _) => {
                        let texts = value.one_or_more().iter().filter_map(|node| Some((node, node.text()?)));
                        let message =
                            |name: &str| format!("the field {name:?} is not one of the rules' events");
                        fields.extend(
                            texts.map(|(node, name)| (name.to_owned(), node.error(file, message(name)))),
                        );
                    }
                    ("percentile", Some(Scalar::Integer(percent))) if (0..=100).contains(&percent) => {
                        kind = Kind::Percentile(percent as f64);
                    }
                    (name, Some(scalar)) => {
                        let comparison = COMPARISONS.iter().find(|(known, _)| *known == name);
                        let number = match scalar {
                            Scalar::Integer(number) => Some(number as f64),
                            Scalar::Float(number) => Some(number),
                            _ => None,
                        };
                        match (comparison, number) {
                            (Some((_, comparison)), Some(number)) => bounds.0.push((*comparison, number)),
                            (Some(_), None) => errors.push(value.error(file, "this is to be a number")),
                            (None, _) => {
                                let allowed = "gt, gte, lt, lte, eq, neq, field, percentile";
                                let error = key.error(file, format!("unknown condition {name:?}"));
                                errors.push(error.allowing(allowed));
                            }
                        }
                    }
                    (_, None) => errors.push(value.error(file, "this is to be a number")),
                }
            }
            if bounds.0.is_empty() {
                errors.push(condition.error(file, "the condition has no bound, such as gte: 10"));
            }
        }
    }
    let wants_field = !is_temporal && kind != Kind::EventCount;
    if wants_field && fields.is_empty() {
        errors.push(node.error(file, "a correlation of values says the field in its condition"));
    }
    let mut aliases = Vec::new();
    for (alias, fields) in of_key("aliases").and_then(Node::entries).unwrap_or_default() {
        let fields = fields.entries().unwrap_or_default().iter();
        let fields =
            fields.filter_map(|(rule, field)| Some((rule.text()?.to_owned(), field.text()?.to_owned())));
        aliases.push((alias.text().unwrap_or_default().to_owned(), fields.collect()));
    }
    let generates = [node, document]
        .iter()
        .any(|node| node.get("generate").and_then(Node::scalar) == Some(Scalar::Bool(true)));
    Some(Entry { rule, name, kind, of, by, aliases, span_ns, bounds, fields, generates })
}

/// `30s`, `90m`, `1h`, `2d`, `1w`.
fn span(text: &str) -> Option<u64> {
    let (number, unit) = text.trim().split_at_checked(text.trim().len().checked_sub(1)?)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        "w" => 7 * 86_400,
        "M" => 30 * 86_400,
        "y" => 365 * 86_400,
        _ => return None,
    };
    number.trim().parse::<u64>().ok()?.checked_mul(seconds)?.checked_mul(1_000_000_000)
}

/// Looks up the rules that correlations are about, and what their fields mean there.
pub fn resolve(sigma: &mut Sigma) {
    let entries = &sigma.entries;
    let mut bodies: Vec<Option<Body>> = Vec::new();
    let mut silent: Vec<String> = Vec::new();
    for entry in entries {
        let Document::Correlation(correlation) = entry else {
            bodies.push(None);
            continue;
        };
        match resolved(correlation, entries) {
            Ok((body, ids)) => {
                if !correlation.generates {
                    silent.extend(ids);
                }
                bodies.push(Some(body));
            }
            Err(mut errors) => {
                sigma.diagnostics.append(&mut errors);
                bodies.push(None);
            }
        }
    }
    let resolved = std::mem::take(&mut sigma.entries).into_iter().zip(bodies);
    sigma.entries = resolved
        .filter_map(|(entry, body)| match entry {
            Document::Rule(mut it) => {
                it.rule.is_told = !silent.contains(&it.rule.id);
                Some(Document::Rule(it))
            }
            Document::Correlation(mut it) => {
                it.rule.body = body?;
                it.rule.is_told = !silent.contains(&it.rule.id);
                Some(Document::Correlation(it))
            }
            filter @ Document::Filter(_) => Some(filter),
        })
        .collect();
}

type Resolved = (Body, Vec<String>);

fn resolved(correlation: &Entry, entries: &[Document]) -> Result<Resolved, Vec<Diagnostic>> {
    let mut errors = Vec::new();
    // What each of its rules is, and what the correlation calls it.
    let mut inputs: Vec<(&str, &Document)> = Vec::new();
    for (name, error) in &correlation.of {
        match find(entries, name) {
            Some(entry) if entry.rule().map(|rule| &rule.id) == Some(&correlation.rule.id) => {
                errors.push(Diagnostic {
                    message: "a correlation cannot be about itself".into(),
                    ..error.clone()
                });
            }
            Some(entry) => inputs.push((name, entry)),
            None => errors.push(error.clone()),
        }
    }
    let mut by = Vec::new();
    for (name, error) in &correlation.by {
        let fields = fields_of(correlation, &inputs, entries, name);
        if fields.len() < inputs.len() {
            errors.push(error.clone());
        }
        by.push(Key { name: name.clone(), fields });
    }
    // A value is read of any of the rules' events: the first rule says what its field means.
    let field = |(name, error): &(String, Diagnostic)| {
        let fields = fields_of(correlation, &inputs, entries, name);
        fields.into_iter().next().map(|(_, field)| field).ok_or_else(|| error.clone())
    };
    let mut fields = Vec::new();
    for named in &correlation.fields {
        match field(named) {
            Ok(field) => fields.push(field),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let of: Vec<String> = inputs.iter().filter_map(|(_, entry)| Some(entry.rule()?.id.clone())).collect();
    let (span_ns, bounds) = (correlation.span_ns, correlation.bounds.clone());
    let mut first = fields.iter().cloned();
    let measure = match (correlation.kind, first.next()) {
        (Kind::ValueCount, _) => Measure::Distinct(fields),
        (Kind::Sum, Some(field)) => Measure::Sum(field),
        (Kind::Average, Some(field)) => Measure::Average(field),
        (Kind::Percentile(percent), Some(field)) => Measure::Percentile(field, percent),
        (Kind::Temporal, _) => {
            let together = Together { of: of.clone(), order: Order::Any, by, span_ns, bounds };
            return Ok((Body::Together(together), of));
        }
        (Kind::TemporalOrdered, _) => {
            let together = Together { of: of.clone(), order: Order::AsWritten, by, span_ns, bounds };
            return Ok((Body::Together(together), of));
        }
        _ => Measure::Events,
    };
    Ok((Body::Count(Count { of: of.clone(), measure, by, span_ns, bounds }), of))
}

fn find<'a>(entries: &'a [Document], name: &str) -> Option<&'a Document> {
    entries
        .iter()
        .find(|entry| entry.rule().is_some_and(|rule| rule.id == name) || entry.name() == Some(name))
}

/// What a name of the correlation means for the events of each of its rules.
fn fields_of(
    correlation: &Entry,
    inputs: &[(&str, &Document)],
    entries: &[Document],
    name: &str,
) -> Vec<(Option<String>, Field)> {
    let mut fields = Vec::new();
    for (called, input) in inputs {
        let alias = correlation.aliases.iter().find(|(alias, _)| alias == name);
        let id = input.rule().map(|rule| rule.id.clone());
        let of_rule = |fields: &Vec<(String, String)>| {
            let is_it = |rule: &String| {
                rule == called || Some(rule) == id.as_ref() || Some(rule.as_str()) == input.name()
            };
            fields.iter().find(|(rule, _)| is_it(rule)).map(|(_, field)| field.clone())
        };
        let name = alias.and_then(|(_, fields)| of_rule(fields)).unwrap_or_else(|| name.to_owned());
        if let Some(field) = field_of(input, entries, &name, 0) {
            fields.push((id, field));
        }
    }
    fields
}

/// What a name means for the events of a rule; of a correlation, for those of the first rule that it is about.
fn field_of(entry: &Document, entries: &[Document], name: &str, depth: usize) -> Option<Field> {
    match entry {
        Document::Rule(RuleEntry { source, .. }) => {
            source.arms.iter().find_map(|kind| match names::meaning(kind, name) {
                Meaning::Field(field) => Some(field),
                _ => None,
            })
        }
        Document::Correlation(it) if depth < 8 => {
            let first = it.of.first().and_then(|(name, _)| find(entries, name))?;
            field_of(first, entries, name, depth + 1)
        }
        _ => None,
    }
}
