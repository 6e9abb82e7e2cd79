//! Conditions to expressions: one for each type of event of which a condition can be true.

use std::collections::BTreeSet;
use std::sync::Arc;

use scopes::nearest;

use super::carriers::{carriers, first_place, named_types};
use super::document::{self, Exception, Items};
use super::fields::Kind;
use super::parse::{self, Check, Name, Place, Tree, Value};
use crate::class::Class;
use crate::diagnostic::Diagnostic;
use crate::form::{Arm, Atom, Body, Case, Comparison, Expr, Field, Pattern, Query, Test};
use crate::rule::{Language, Level, Rule, Template};
use crate::yaml::Node;

pub fn rules(items: &Items, diagnostics: &mut Vec<Diagnostic>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for rule in items.rules.iter().filter(|rule| rule.is_enabled) {
        match one(items, rule) {
            Ok(rule) => rules.push(rule),
            // Its author knows that it may name what a program does not have.
            Err(error) if rule.skips_unknown => diagnostics.push(error.as_warning()),
            Err(error) => diagnostics.push(*error),
        }
    }
    rules
}

pub type Read<T> = Result<T, Box<Diagnostic>>;

fn one(items: &Items, rule: &document::Rule) -> Read<Rule> {
    let file = rule.file.file();
    if !rule.source.is_empty() && rule.source != "syscall" {
        let error =
            rule.node.error(&file, format!("rules of the source {:?} are asked of other logs", rule.source));
        return Err(Box::new(error));
    }
    let mut tree = parse::condition(items, &rule.condition)?;
    for exception in &rule.exceptions {
        if let Some(excepted) = except(items, exception)? {
            tree = Tree::All(vec![tree, Tree::Not(Box::new(excepted))]);
        }
    }
    let level = match &rule.priority {
        None => Level::default(),
        Some(node) => priority(rule, node)?,
    };
    let mut lower = Lower { notes: Vec::new(), refused: None };
    let query = lower.query(&tree)?;
    if query.arms.is_empty() {
        let node = rule.condition.parts.first().map_or(&rule.node, |(_, node)| node);
        return Err(Box::new(match lower.refused {
            Some(error) => error,
            None => node.error(&file, "no type of event that is recorded can make this true"),
        }));
    }
    let tags = rule.tags.iter().map(|tag| match tag.strip_prefix('T') {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => format!("attack.t{number}"),
        _ => tag.clone(),
    });
    Ok(Rule {
        id: rule.name.clone(),
        title: rule.name.clone(),
        level,
        language: Language::Falco,
        authors: Vec::new(),
        licence: None,
        description: rule.description.split_whitespace().collect::<Vec<_>>().join(" "),
        tags: tags.collect(),
        place: file.place(rule.node.line, rule.node.column),
        output: (!rule.output.is_empty())
            .then(|| Template::Words(rule.output.split_whitespace().collect::<Vec<_>>().join(" "))),
        body: Body::Event(query),
        is_told: true,
        notes: lower.notes,
    })
}

fn priority(rule: &document::Rule, node: &Node) -> Read<Level> {
    let given = node.text().unwrap_or_default();
    let names =
        ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "info", "debug"];
    Level::parse(given).ok_or_else(|| {
        let error = node.error(&rule.file.file(), format!("unknown priority {given:?}"));
        Box::new(error.suggesting(nearest(&given.to_lowercase(), names)).allowing(names.join(", ")))
    })
}

/// What an exception leaves out: `None` when it has no values yet.
fn except(items: &Items, exception: &Exception) -> Read<Option<Tree>> {
    let file = exception.file.file();
    let mut any = Vec::new();
    let place = |node: &Node| Place { file: Arc::clone(&exception.file), node: node.clone(), span: 0..0 };
    let check = |field: &Node, op: &str, values: &[Node]| -> Read<Tree> {
        let name = field.text().unwrap_or_default();
        let (name, argument) = match name.split_once('[') {
            Some((name, rest)) => (name, Some(rest.trim_end_matches(']').to_owned())),
            None => (name, None),
        };
        let mut texts = Vec::new();
        for value in values.iter().filter_map(Node::text) {
            match items.lists.iter().find(|list| list.name == value) {
                Some(list) => texts.extend(list.items.iter().map(|it| parse::unquoted(it).to_owned())),
                None => texts.push(parse::unquoted(value).to_owned()),
            }
        }
        Ok(Tree::Check(Box::new(Check {
            field: Name { functions: Vec::new(), name: name.to_owned(), argument, parts: Vec::new() },
            op: op.to_owned(),
            quantifier: None,
            values: texts.into_iter().map(Value::Text).collect(),
            place: place(field),
        })))
    };
    if exception.is_single {
        let Some(field) = exception.fields.first().filter(|_| !exception.values.is_empty()) else {
            return Ok(None);
        };
        let op = exception.comps.first().map_or("in", String::as_str);
        return check(field, op, &exception.values).map(Some);
    }
    for tuple in &exception.values {
        let values = tuple.one_or_more();
        if values.len() != exception.fields.len() {
            let message = format!("the exception {:?} has {} fields", exception.name, exception.fields.len());
            return Err(Box::new(tuple.error(&file, message)));
        }
        let mut all = Vec::new();
        for (number, (field, value)) in exception.fields.iter().zip(values).enumerate() {
            let op = exception.comps.get(number).map_or("=", String::as_str);
            all.push(check(field, op, value.one_or_more())?);
        }
        any.push(Tree::All(all));
    }
    Ok((!any.is_empty()).then_some(Tree::Any(any)))
}

pub struct Lower {
    pub notes: Vec<String>,
    /// Why a type of event is not asked.
    refused: Option<Diagnostic>,
}

/// A type of event, and a kind of row that carries it.
pub struct Target<'a> {
    pub name: &'a str,
    pub kind: Kind,
}

impl Lower {
    fn query(&mut self, tree: &Tree) -> Read<Query> {
        let mut types = BTreeSet::new();
        named_types(tree, &mut types);
        if types.is_empty() {
            let place = first_place(tree);
            let message = "this names no `evt.type`: rules are asked of the events that they name";
            let Some(place) = place else { return Ok(Query::default()) };
            return Err(Box::new(place.error(message)));
        }
        // Types that are asked the same of one carrier are one arm.
        let mut found: Vec<(Class, Expr, BTreeSet<String>)> = Vec::new();
        for name in &types {
            for (class, kind) in carriers(name) {
                let expr = match self.expr(tree, &Target { name, kind }) {
                    Ok(expr) => expr,
                    Err(error) => {
                        self.refused.get_or_insert(*error);
                        continue;
                    }
                };
                let expr = match kind {
                    Kind::NotOpened => {
                        let failed = Test::Number(Comparison::Less, 0.0);
                        let failed = Atom { field: Field::Ret, test: failed, written: "evt.failed".into() };
                        Expr::all([Expr::Atom(failed), expr])
                    }
                    _ => expr,
                };
                if expr == Expr::Const(false) {
                    continue;
                }
                match found.iter_mut().find(|(known, same, _)| *known == class && *same == expr) {
                    Some((.., names)) => drop(names.insert(name.clone())),
                    None => found.push((class, expr, BTreeSet::from([name.clone()]))),
                }
            }
        }
        // Field errors that concern every type are errors of the rule.
        let mut query = Query::default();
        for (class, expr, names) in found {
            let calls_it_all = match class {
                Class::Exec => names.len() == 2,
                Class::Calls(_) | Class::Fork | Class::Exit => true,
                _ => false,
            };
            let expr = if calls_it_all {
                expr
            } else {
                let names: Vec<Pattern> =
                    names.iter().map(|name| Pattern::Equals(name.clone().into_bytes())).collect();
                let test = Test::Fits(Case::Exact, names);
                Expr::all([Expr::Atom(Atom { field: Field::Call, test, written: "evt.type".into() }), expr])
            };
            match query.arms.iter_mut().find(|arm| arm.class == class) {
                Some(arm) => {
                    let before = std::mem::replace(&mut arm.expr, Expr::Const(false));
                    arm.expr = Expr::any([before, expr]);
                }
                None => query.arms.push(Arm::new(class, expr)),
            }
        }
        if let Some(error) = self.refused.as_ref().filter(|_| !query.arms.is_empty()) {
            self.notes.push(format!("not asked of all its types of events: {}", error.message));
        }
        self.notes.sort();
        self.notes.dedup();
        Ok(query)
    }

    fn expr(&mut self, tree: &Tree, target: &Target<'_>) -> Read<Expr> {
        Ok(match tree {
            Tree::Not(inner) => self.expr(inner, target)?.negated(),
            Tree::All(parts) => {
                let mut all = Vec::new();
                let mut wrong = None;
                for part in parts {
                    // What makes the whole false need not be answered otherwise.
                    match self.expr(part, target) {
                        Ok(Expr::Const(false)) => return Ok(Expr::Const(false)),
                        Ok(expr) => all.push(expr),
                        Err(error) => wrong = wrong.or(Some(error)),
                    }
                }
                if let Some(error) = wrong {
                    return Err(error);
                }
                Expr::all(all)
            }
            Tree::Any(parts) => {
                let mut any = Vec::new();
                let mut wrong = None;
                for part in parts {
                    match self.expr(part, target) {
                        Ok(Expr::Const(true)) => return Ok(Expr::Const(true)),
                        Ok(expr) => any.push(expr),
                        Err(error) => wrong = wrong.or(Some(error)),
                    }
                }
                if let Some(error) = wrong {
                    return Err(error);
                }
                Expr::any(any)
            }
            Tree::Check(check) => self.check(check, target)?,
        })
    }
}
