//! What a detector asks: the events of the catalogue, or what other detectors produce of them.
//!
//! A detector that is asked of another's event is asked of the events below that one, where the other fires: the other's
//! expression stands in its own, and the expressions of the other's fields stand where these are named.

use std::collections::{BTreeMap, BTreeSet};

use events::{Event, catalogue};
use scopes::{nearest, syntax};

use super::cel::{Kind, Lists, Literal, Lower, MAX_PARTS, Read, Scope, Term, Wrong, data, has_data};
use super::document::{Detector, List, Output, Requirement};
use crate::class::Class;
use crate::diagnostic::Diagnostic;
use crate::form::{Arm, Body, Expr, Query};
use crate::own::{About, filter, filter_of};
use crate::rule::{OutputOf, Rule, Template};
use crate::yaml::Node;

/// Kinds of events of one detector, with those of all that it builds on.
const MAX_ARMS: usize = 64;

/// An event of the catalogue, and where on it a detector fires.
#[derive(Clone)]
struct Root {
    event: &'static Event,
    /// Another detector produces it: it has that one's fields, and no others.
    is_produced: bool,
    expr: Expr,
    outputs: Vec<Output>,
}

type Roots = Result<Vec<Root>, ()>;

/// All detectors of all files.
pub struct Chain<'a> {
    detectors: &'a [Detector],
    lists: &'a [List],
    /// Events of detectors that could not be read.
    unread: &'a BTreeSet<String>,
    by_event: BTreeMap<&'a str, usize>,
    /// What was resolved already; `Err` where it could not be, which was told.
    roots: BTreeMap<usize, Roots>,
    /// Those that are being resolved, each for the one before it.
    open: Vec<usize>,
    notes: BTreeMap<usize, BTreeSet<String>>,
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Chain<'a> {
    pub fn new(detectors: &'a [Detector], lists: &'a [List], unread: &'a BTreeSet<String>) -> Chain<'a> {
        let mut by_event: BTreeMap<&str, usize> = BTreeMap::new();
        let mut diagnostics = Vec::new();
        let mut roots = BTreeMap::new();
        let mut ids: BTreeMap<&str, usize> = BTreeMap::new();
        for (number, detector) in detectors.iter().enumerate() {
            let mut wrong = |message: String| {
                diagnostics.push(detector.event.error(&detector.file.file(), message));
                roots.insert(number, Err(()));
            };
            let name = detector.event();
            if let Some(other) = ids.insert(&detector.rule.id, number).and_then(|it| detectors.get(it)) {
                let place = &other.rule.place;
                wrong(format!("the detector {:?} is there already, in {place}", detector.rule.id));
            } else if catalogue::by_name(name).is_some() {
                wrong(format!("there is an event {name:?} already"));
            } else if let Some(other) = by_event.get(name).and_then(|it| detectors.get(*it)) {
                wrong(format!("the event {name:?} is produced already, in {}", other.rule.place));
            } else {
                by_event.insert(name, number);
            }
        }
        Chain {
            detectors,
            lists,
            unread,
            by_event,
            roots,
            open: Vec::new(),
            notes: BTreeMap::new(),
            diagnostics,
        }
    }

    /// The rules that could be made.
    pub fn rules(mut self) -> (Vec<Rule>, Vec<Diagnostic>) {
        let mut rules = Vec::new();
        for (number, detector) in self.detectors.iter().enumerate() {
            let Ok(roots) = self.resolved(number) else { continue };
            let mut rule = detector.rule.clone();
            let outputs = roots.iter().map(|root| self.output(detector, root)).collect::<Vec<_>>();
            if !detector.outputs.is_empty() {
                rule.output = Some(Template::Fields(outputs));
            }
            rule.notes.extend(self.notes.remove(&number).unwrap_or_default());
            let arms = roots.into_iter().map(|root| Arm::new(Class::events([root.event.name]), root.expr));
            rule.body = Body::Event(Query { arms: merged(arms) });
            rules.push(rule);
        }
        (rules, self.diagnostics)
    }

    fn resolved(&mut self, number: usize) -> Roots {
        if let Some(known) = self.roots.get(&number) {
            return known.clone();
        }
        let Some(detector) = self.detectors.get(number) else { return Err(()) };
        self.open.push(number);
        let roots = self.resolve(number, detector);
        self.open.pop();
        // Of a cycle each is told, by its own file.
        self.roots.insert(number, roots.clone());
        roots
    }

    fn resolve(&mut self, number: usize, detector: &Detector) -> Roots {
        let mut roots: Vec<Root> = Vec::new();
        let mut is_wrong = false;
        for requirement in &detector.requirements {
            match self.required(number, detector, requirement) {
                Ok(more) => roots.extend(more),
                Err(()) => is_wrong = true,
            }
        }
        if is_wrong {
            return Err(());
        }
        if roots.len() > MAX_ARMS {
            self.error(
                detector,
                &detector.event,
                format!(
                    "with those that it builds on it asks for {} events, and at most {MAX_ARMS} are asked",
                    roots.len()
                ),
            );
            return Err(());
        }
        if roots.is_empty() {
            self.error(detector, &detector.event, "none of its events is known".to_owned());
            return Err(());
        }
        let mut complete = Vec::new();
        for root in roots {
            match self.conditions(detector, root) {
                Ok(root) => complete.push(root),
                Err((node, wrong)) => {
                    let error = node.error_at(&detector.file.file(), wrong.span, wrong.message);
                    if !self.diagnostics.contains(&error) {
                        self.diagnostics.push(error);
                    }
                    is_wrong = true;
                }
            }
        }
        if is_wrong { Err(()) } else { Ok(complete) }
    }

    fn error(&mut self, detector: &Detector, node: &Node, message: String) {
        self.diagnostics.push(node.error(&detector.file.file(), message));
    }

    /// Where a required event is, before the detector's own conditions.
    fn required(&mut self, number: usize, detector: &Detector, requirement: &Requirement) -> Roots {
        let name = requirement.name.text().unwrap_or_default();
        let file = detector.file.file();
        let mut errors = Vec::new();
        let mut roots = Vec::new();
        if let Some(event) = catalogue::by_name(name) {
            let events = [event];
            let about = About { file: &file, events: &events };
            let filters = requirement.data_filters.iter().chain(&requirement.scope_filters);
            let expr = by_key(filters, &mut |node, errors| filter(&about, node, errors), &mut errors);
            if requirement.least.is_some() || requirement.most.is_some() {
                let note = format!("versions of the event {name} are not compared");
                self.notes.entry(number).or_default().insert(note);
            }
            roots.push(Root { event, is_produced: false, expr, outputs: Vec::new() });
        } else if let Some(base) = self.by_event.get(name).copied() {
            let Some(produced) = self.detectors.get(base) else { return Err(()) };
            if let Some(at) = self.open.iter().position(|open| *open == base) {
                let chain = self.open.get(at..).unwrap_or_default();
                let names = chain.iter().filter_map(|it| self.detectors.get(*it)).map(Detector::event);
                let names: Vec<&str> = names.chain([name]).collect();
                let message = format!("detectors ask for each other: {}", names.join(" asks for "));
                self.error(detector, &requirement.name, message);
                return Err(());
            }
            let fits = |version| {
                requirement.least.is_none_or(|least| version >= least)
                    && requirement.most.is_none_or(|most| version <= most)
            };
            if let Some(version) = produced.version.filter(|version| !fits(*version)) {
                self.error(
                    detector,
                    &requirement.name,
                    format!("the event {name:?} is produced in version {version}"),
                );
                return Err(());
            }
            let Ok(bases) = self.resolved(base) else {
                let message = format!(
                    "it asks for {name:?}, and the detector {:?} could not be read",
                    produced.rule.id
                );
                self.error(detector, &requirement.name, message);
                return Err(());
            };
            for root in bases {
                let events = [root.event];
                let about = About { file: &file, events: &events };
                let of_data = by_key(
                    requirement.data_filters.iter(),
                    &mut |node, errors| self.of_output(&about, node, &root, detector, errors),
                    &mut errors,
                );
                let scopes = requirement.scope_filters.iter();
                let of_scope = by_key(scopes, &mut |node, errors| filter(&about, node, errors), &mut errors);
                let expr = Expr::all([root.expr.clone(), of_data, of_scope]);
                roots.push(Root { expr, is_produced: true, ..root });
            }
            let notes = self.notes.get(&base).cloned().unwrap_or_default();
            self.notes.entry(number).or_default().extend(notes);
        } else {
            let error = if self.unread.contains(name) {
                let message =
                    format!("it asks for {name:?}, and the detector that produces it could not be read");
                requirement.name.error(&file, message)
            } else {
                let known = catalogue::events().map(|event| event.name).chain(self.by_event.keys().copied());
                let error = requirement.name.error(&file, format!("there is no event {name:?}"));
                let error = error.suggesting(nearest(name, known));
                error.allowing("`tracer events` lists them, and those that detectors produce")
            };
            let is_optional = requirement.is_optional;
            self.diagnostics.push(if is_optional { error.as_warning() } else { error });
            return if is_optional { Ok(Vec::new()) } else { Err(()) };
        }
        let is_wrong = errors.iter().any(Diagnostic::is_error);
        for error in errors {
            if !self.diagnostics.contains(&error) {
                self.diagnostics.push(error);
            }
        }
        if is_wrong { Err(()) } else { Ok(roots) }
    }

    /// A filter of a field that a base detector produces.
    fn of_output(
        &self,
        about: &About<'_>,
        node: &Node,
        root: &Root,
        detector: &Detector,
        errors: &mut Vec<Diagnostic>,
    ) -> Expr {
        let text = node.text().unwrap_or_default();
        let parts = match syntax::split(text) {
            Ok(parts) => parts,
            Err(wrong) => {
                let error = node.error_at(about.file, wrong.span, wrong.message.to_string());
                errors.push(error.allowing(wrong.allowed));
                return Expr::Const(false);
            }
        };
        let key = parts.key.text;
        let name = ["data.", "args."].iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key);
        let Some(output) = root.outputs.iter().find(|output| output.name == name) else {
            let known: Vec<&str> = root.outputs.iter().map(|output| output.name.as_str()).collect();
            let message = format!("the event has no field {name:?}");
            let error = node.error_at(about.file, parts.key.span.clone(), message);
            errors.push(error.suggesting(nearest(name, known.iter().copied())).allowing(known.join(", ")));
            return Expr::Const(false);
        };
        let lists = self.lists_of(detector);
        let mut lower = lower(root.event, &lists);
        match lower.field(&output.term) {
            Ok(Some(field)) => filter_of(about, node, text, &parts, field).unwrap_or_else(|error| {
                errors.push(*error);
                Expr::Const(false)
            }),
            Ok(None) => Expr::Const(false),
            Err(wrong) => {
                errors.push(node.error_at(about.file, parts.key.span.clone(), wrong.message));
                Expr::Const(false)
            }
        }
    }

    fn lists_of(&self, detector: &Detector) -> Folder<'a> {
        Folder { folder: detector.file.folder().to_owned(), lists: self.lists }
    }

    /// The detector's own conditions and fields, on one event.
    fn conditions<'d>(&mut self, detector: &'d Detector, root: Root) -> Result<Root, (&'d Node, Wrong)> {
        let lists = self.lists_of(detector);
        let mut lower = lower(root.event, &lists);
        let mut all = vec![root.expr.clone()];
        for (node, term) in &detector.conditions {
            let wrong = |wrong: Wrong| (node, wrong);
            let asked = substituted(term, &root).map_err(wrong)?;
            self.unknown_data(detector, node, &asked, root.event);
            all.push(lower.condition(&asked).map_err(wrong)?.yes);
        }
        let mut outputs = Vec::new();
        for output in &detector.outputs {
            let wrong = |wrong: Wrong| (&output.node, wrong);
            let term = substituted(&output.term, &root).map_err(wrong)?;
            self.unknown_data(detector, &output.node, &term, root.event);
            let present = lower.present(&term).map_err(wrong)?;
            // Without a field that it must have, nothing is produced.
            if !output.is_optional {
                all.push(present);
            }
            outputs.push(Output { term, ..output.clone() });
        }
        Ok(Root { expr: Expr::all(all), outputs, ..root })
    }

    /// Data that an event does not have is null, which is perhaps not what was meant.
    fn unknown_data(&mut self, detector: &Detector, node: &Node, term: &Term, event: &'static Event) {
        let name = data(term).filter(|name| event.arg(name).is_none());
        if let Some(name) = name.filter(|name| !matches!(*name, "returnValue" | "ret" | "retval"))
            && detector.requirements.len() == 1
        {
            let known = event.args.iter().map(|arg| arg.name);
            let error = node.error_at(
                &detector.file.file(),
                term.span.clone(),
                format!("{} has no {name:?}, so this is null", event.name),
            );
            let error = error.suggesting(nearest(name, known)).as_warning();
            if !self.diagnostics.contains(&error) {
                self.diagnostics.push(error);
            }
        }
        term.children().into_iter().for_each(|child| self.unknown_data(detector, node, child, event));
    }

    /// What a finding tells of the fields that a detector produces.
    fn output(&self, detector: &Detector, root: &Root) -> OutputOf {
        let lists = self.lists_of(detector);
        let mut lower = lower(root.event, &lists);
        // That they can be had was seen when the root was resolved.
        let field = |output: &Output| Some((output.name.clone(), lower.field(&output.term).ok().flatten()?));
        OutputOf { event: root.event.name, fields: root.outputs.iter().filter_map(field).collect() }
    }
}

fn lower<'s>(event: &'static Event, lists: &'s Folder<'_>) -> Lower<'s> {
    Lower::new(Scope { event, processes: Vec::new(), lists })
}

/// An expression in terms of the event of the catalogue: what is asked of a produced event's data is asked of what the data
/// is made of.
fn substituted(term: &Term, root: &Root) -> Read<Term> {
    if !root.is_produced {
        return Ok(term.clone());
    }
    let output = |name: &str| root.outputs.iter().find(|output| output.name == name);
    let mut parts = term.parts();
    term.with(&mut |part| {
        let literal = |literal| Some(Term { kind: Kind::Literal(literal), span: part.span.clone() });
        if let Some(name) = data(part) {
            let Some(output) = output(name) else { return Ok(literal(Literal::Null)) };
            parts += output.term.parts();
            if parts > MAX_PARTS {
                return Err(part.wrong("with what the fields of other detectors stand for this is too large"));
            }
            return Ok(Some(output.term.clone().at(&part.span)));
        }
        Ok(has_data(part).and_then(|name| match output(name) {
            None => literal(Literal::Bool(false)),
            Some(output) if !output.is_optional => literal(Literal::Bool(true)),
            Some(output) => Some(Term::present(output.term.clone().at(&part.span))),
        }))
    })
}

/// The lists of one folder.
#[derive(Debug)]
struct Folder<'a> {
    folder: String,
    lists: &'a [List],
}

impl Lists for Folder<'_> {
    fn values(&self, name: &str) -> Option<&[String]> {
        let list = self.lists.iter().find(|list| list.folder == self.folder && list.name == name);
        list.map(|list| list.values.as_slice())
    }

    fn names(&self) -> Vec<&str> {
        let of_folder = self.lists.iter().filter(|list| list.folder == self.folder);
        of_folder.map(|list| list.name.as_str()).collect()
    }

    fn owner(&self) -> &str {
        &self.folder
    }
}

/// Filters of one key that are to be had are alternatives, as several values of one filter are; what is excluded is excluded
/// by each.
fn by_key<'n>(
    filters: impl Iterator<Item = &'n Node>,
    read: &mut dyn FnMut(&Node, &mut Vec<Diagnostic>) -> Expr,
    errors: &mut Vec<Diagnostic>,
) -> Expr {
    let mut groups: Vec<(String, Vec<Expr>)> = Vec::new();
    let mut all = Vec::new();
    for node in filters {
        let text = node.text().unwrap_or_default();
        let expr = read(node, errors);
        match text.split_once('=') {
            Some((key, _)) if !key.ends_with(['!', '<', '>']) => {
                match groups.iter_mut().find(|(known, _)| known == key) {
                    Some((_, group)) => group.push(expr),
                    None => groups.push((key.to_owned(), vec![expr])),
                }
            }
            _ => all.push(expr),
        }
    }
    all.extend(groups.into_iter().map(|(_, group)| Expr::any(group)));
    Expr::all(all)
}

/// Arms of one event are one: a row is found once.
fn merged(arms: impl Iterator<Item = Arm>) -> Vec<Arm> {
    let mut merged: Vec<Arm> = Vec::new();
    for arm in arms {
        match merged.iter_mut().find(|known| known.class == arm.class) {
            Some(known) => {
                let before = std::mem::replace(&mut known.expr, Expr::Const(false));
                known.expr = Expr::any([before, arm.expr]);
            }
            None => merged.push(arm),
        }
    }
    merged
}
