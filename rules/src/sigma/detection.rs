//! Detections: selections of items, each a field with modifiers and values.

use std::collections::BTreeSet;
use std::sync::Arc;

use scopes::nearest;

use super::condition;
use super::modifier::{Chain, Modifier, parse};
use super::names::{self, Meaning};
use super::source::{Kind, Source};
use crate::audit::Profile;
use crate::diagnostic::{Diagnostic, File};
use crate::form::{Arm, Atom, Case, Expr, Field, Pattern, Query, Test, Value};
use crate::yaml::{Node, Scalar};

/// Keys of a detection that name no selection.
const NO_SELECTION: &[&str] = &["condition", "timeframe", "rules"];

/// What a detection asks of each kind of record of its source.
/// `profile`: what audit was told. Beside the query, what of it is not quite so.
pub fn read(
    file: &File<'_>,
    detection: &Node,
    source: &Source,
    profile: Option<&Profile>,
    errors: &mut Vec<Diagnostic>,
) -> (Query, Vec<String>) {
    let mut notes = Vec::new();
    // Which calls records are made of is audit's configuration: the rule is asked of those.
    let profile = profile.filter(|_| source.arms.contains(&Kind::Syscall));
    let keyed = profile.filter(|_| names(detection, "key"));
    let mut query = Query::default();
    notes.extend(profile.into_iter().flat_map(Profile::notes).cloned());
    let mut unknown = Vec::new();
    for (number, kind) in source.arms.iter().enumerate() {
        // What is wrong is so for all kinds: it is told once.
        let mut found = Vec::new();
        let mut reader = Reader { file, kind, source, key: None, errors: &mut found, unknown: &mut unknown };
        let expr = reader.detection(detection);
        if number == 0 {
            errors.append(&mut found);
        }
        // Where keys are asked for, a record is one of the rules that have such a key.
        if let (Kind::Syscall, Some(profile)) = (kind, keyed) {
            for (key, keyed) in profile.each() {
                let (mut found, mut unknown) = (Vec::new(), Vec::new());
                let (errors, unknown) = (&mut found, &mut unknown);
                let expr = fold(Reader { file, kind, source, key, errors, unknown }.detection(detection));
                if expr == Expr::Const(false) {
                    continue;
                }
                let arm =
                    |arm: &Arm| Arm { expr: Expr::all([arm.expr.clone(), expr.clone()]), ..arm.clone() };
                query.arms.extend(keyed.arms.iter().map(arm));
            }
            continue;
        }
        let expr = fold(expr);
        if expr == Expr::Const(false) {
            continue;
        }
        // A record of audit that nothing is asked of but what it is not would be any.
        if source.arms.len() > 1
            && matches!(kind, Kind::Path | Kind::Syscall | Kind::Message(_) | Kind::HttpStatus)
            && !is_bound(&expr)
            // Where the type of a message is all that is asked, it was asked for by name.
            && !(matches!(kind, Kind::Message(_)) && expr == Expr::Const(true))
        {
            continue;
        }
        // Questions and requests are asked of answers only where the answer matters: each would be told twice.
        let asks = |what: &str| {
            expr.fields().iter().any(|field| matches!(field, Field::Arg(name) if name.contains(what)))
        };
        if (*kind == Kind::DnsAnswer && !asks("dns_answer"))
            || (*kind == Kind::HttpStatus && !asks("status_code"))
        {
            continue;
        }
        let within = profile
            .filter(|_| matches!(kind, Kind::Execve | Kind::Path | Kind::Syscall))
            .map(|profile| Arc::clone(profile.taken()));
        match &within {
            // Any event that a record is made of may have one of these.
            Some(taken) if *kind != Kind::Execve => query.arms.extend(taken.arms.iter().map(|arm| {
                let (class, expr) = (arm.class.clone(), expr.clone());
                Arm { class, expr, within: within.clone() }
            })),
            _ => {
                let mut calls = BTreeSet::new();
                calls_of(&expr, &mut calls);
                query.arms.push(Arm { within, ..Arm::new(kind.class(calls), expr) });
            }
        }
    }
    errors.extend(unknown.into_iter().map(|(error, _)| error));
    (query, notes)
}

/// Whether some item of a detection asks for a field.
fn names(node: &Node, field: &str) -> bool {
    let is_it = |key: &Node| key.text().is_some_and(|key| key.split('|').next() == Some(field));
    let of_map = node.entries().unwrap_or_default().iter();
    let of_list = node.list().unwrap_or_default();
    of_map.into_iter().any(|(key, value)| is_it(key) || names(value, field))
        || of_list.iter().any(|value| names(value, field))
}

/// Decides atoms over what is the same for all events of an arm.
fn fold(expr: Expr) -> Expr {
    expr.map(&mut |atom| match &atom.field {
        Field::Constant(text) => Expr::Const(atom.test.passes(Value::Text(text.as_bytes()))),
        _ => Expr::Atom(atom),
    })
}

/// Whether anything is asked that an event must have.
fn is_bound(expr: &Expr) -> bool {
    match expr {
        Expr::Const(_) | Expr::Not(_) => false,
        Expr::Atom(_) => true,
        Expr::All(parts) => parts.iter().any(is_bound),
        Expr::Any(parts) => parts.iter().all(is_bound),
    }
}

/// The system calls that are asked for by name.
fn calls_of(expr: &Expr, calls: &mut BTreeSet<String>) {
    expr.each_atom(&mut |atom| {
        if let (Field::Call, Test::Fits(_, patterns)) = (&atom.field, &atom.test) {
            calls.extend(patterns.iter().filter_map(|pattern| match pattern {
                Pattern::Equals(name) => String::from_utf8(name.clone()).ok(),
                _ => None,
            }));
        }
    });
}

struct Reader<'a> {
    file: &'a File<'a>,
    kind: &'a Kind,
    source: &'a Source,
    /// That of the rule of audit that made the record.
    key: Option<&'a str>,
    errors: &'a mut Vec<Diagnostic>,
    /// Names that no kind of the source knows.
    unknown: &'a mut Vec<(Diagnostic, String)>,
}

impl Reader<'_> {
    fn detection(&mut self, detection: &Node) -> Expr {
        let Some(entries) = detection.entries() else {
            self.errors.push(detection.error(self.file, "a detection has selections and a condition"));
            return Expr::Const(false);
        };
        let mut selections = Vec::new();
        for (name, value) in entries {
            let Some(text) = name.text().filter(|text| !NO_SELECTION.contains(text)) else { continue };
            let expr = self.selection(value);
            selections.push((text.to_owned(), expr));
        }
        if let Some(timeframe) = detection.get("timeframe") {
            let message =
                "timeframe goes with aggregations, which are no longer of Sigma: a correlation says the same";
            self.errors.push(timeframe.error(self.file, message));
        }
        let Some(conditions) = detection.get("condition") else {
            self.errors.push(detection.error(self.file, "a detection has a condition"));
            return Expr::Const(false);
        };
        let mut parts = Vec::new();
        for condition in conditions.one_or_more() {
            match condition::parse(condition.text().unwrap_or_default(), &selections) {
                Ok(expr) => parts.push(expr),
                Err(wrong) => {
                    let mut error = condition.error_at(self.file, wrong.span, wrong.message);
                    error.suggestion = wrong.suggestion.map(String::into_boxed_str);
                    if !selections.is_empty() {
                        let names: Vec<&str> = selections.iter().map(|(name, _)| name.as_str()).collect();
                        error = error.allowing(names.join(", "));
                    }
                    self.errors.push(error);
                }
            }
        }
        Expr::any(parts)
    }

    /// A map is all of its items, a list any of what is in it; words without a field are looked for in all texts.
    fn selection(&mut self, value: &Node) -> Expr {
        if let Some(entries) = value.entries() {
            return Expr::all(entries.iter().map(|(key, value)| self.item(key, value)).collect::<Vec<_>>());
        }
        if let Some(list) = value.list() {
            if list.is_empty() {
                self.errors.push(value.error(self.file, "an empty list"));
            }
            return Expr::any(list.iter().map(|value| self.selection(value)).collect::<Vec<_>>());
        }
        self.words(value, &[], "keywords")
    }

    /// Words that stand somewhere.
    fn words(&mut self, value: &Node, modifiers: &[Modifier], written: &str) -> Expr {
        let mut modifiers = modifiers.to_vec();
        if !modifiers.iter().any(|it| matches!(it, Modifier::Regex | Modifier::Contains)) {
            modifiers.push(Modifier::Contains);
        }
        if let Kind::Path | Kind::Syscall = self.kind {
            // Any argument of the record: those are texts of execs only.
            return Expr::Const(false);
        }
        self.chain(Field::AnyText, &modifiers, value, written)
    }

    fn item(&mut self, key: &Node, value: &Node) -> Expr {
        let written = key.text().unwrap_or_default();
        let (name, chain) = match written.split_once('|') {
            Some((name, chain)) => (name, Some(chain)),
            None => (written, None),
        };
        let modifiers = match chain.map(|chain| parse(self.file, key, chain, name.len() + 1)).transpose() {
            Ok(modifiers) => modifiers.unwrap_or_default(),
            Err(error) => {
                self.errors.push(error);
                return Expr::Const(false);
            }
        };
        if name.is_empty() {
            return self.words(value, &modifiers, written);
        }
        let meaning = match self.key.filter(|_| name == "key") {
            Some(key) => Meaning::Field(Field::Constant(key.into())),
            None => names::meaning(self.kind, name),
        };
        match meaning {
            Meaning::Field(field) => self.chain(field, &modifiers, value, written),
            Meaning::Absent => {
                // What is missing passes only where it is to be missing.
                let is_null = value.one_or_more().iter().any(Node::is_null);
                let is_refused =
                    modifiers.contains(&Modifier::Exists) && value.scalar() == Some(Scalar::Bool(false));
                Expr::Const(is_null || is_refused)
            }
            Meaning::Unknown => {
                let is_unknown_here = |kind: &Kind| names::meaning(kind, name) == Meaning::Unknown;
                if self.source.arms.iter().all(is_unknown_here)
                    && !self
                        .unknown
                        .iter()
                        .any(|(error, known)| known == name && error.place.line == key.line)
                {
                    let known: BTreeSet<&str> =
                        self.source.arms.iter().flat_map(|kind| names::known(kind)).copied().collect();
                    let error = key
                        .error_at(
                            self.file,
                            0..name.len(),
                            format!("the field {name:?} is not known of these events"),
                        )
                        .suggesting(nearest(name, known.iter().copied()))
                        .allowing(known.into_iter().collect::<Vec<_>>().join(", "));
                    self.unknown.push((error, name.to_owned()));
                }
                Expr::Const(false)
            }
        }
    }

    fn chain(&mut self, field: Field, modifiers: &[Modifier], value: &Node, written: &str) -> Expr {
        let kind = self.kind;
        let field_of = |name: &str| match names::meaning(kind, name) {
            Meaning::Field(field) => Some(field),
            _ => None,
        };
        let chain = Chain { file: self.file, field, modifiers, field_of: &field_of, written };
        match chain.item(value) {
            Ok(expr) => audited(expr, kind),
            Err(error) => {
                self.errors.push(error);
                Expr::Const(false)
            }
        }
    }
}

/// What audit writes in a way of its own.
fn audited(expr: Expr, kind: &Kind) -> Expr {
    if *kind != Kind::Syscall {
        return expr;
    }
    expr.map(&mut |atom| match &atom.field {
        // `yes` and `no`, of what the call returned.
        Field::Arg(name) if name.as_ref() == "audit.success" => {
            let says = |text: &[u8]| atom.test.passes(Value::Text(text));
            let failed = Expr::Atom(Atom {
                field: Field::Ret,
                test: Test::Number(crate::form::Comparison::Less, 0.0),
                written: atom.written.clone(),
            });
            match (says(b"yes"), says(b"no")) {
                (true, true) => Expr::Const(true),
                (true, false) => failed.negated(),
                (false, true) => failed,
                (false, false) => Expr::Const(false),
            }
        }
        // The number that a rule writes is hexadecimal as audit's is, in either case.
        Field::Register(_) => match atom.test {
            Test::Fits(_, patterns) => {
                let strip = |pattern: Pattern| match pattern {
                    Pattern::Equals(text) => {
                        let digits = text.strip_prefix(b"0x").map(<[u8]>::to_vec);
                        Pattern::Equals(digits.unwrap_or(text))
                    }
                    other => other,
                };
                let patterns = patterns.into_iter().map(strip).collect();
                Expr::Atom(Atom { test: Test::Fits(Case::Folded, patterns), ..atom })
            }
            _ => Expr::Atom(atom),
        },
        _ => Expr::Atom(atom),
    })
}
