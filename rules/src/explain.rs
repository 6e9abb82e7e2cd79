//! Why a rule takes a row or does not: its tree with what is true, false or missing, and the values seen; and for a whole source how
//! many rows each part of it takes away, with the row that came nearest.

use std::collections::BTreeMap;

use events::EventId;
use pipeline::{Projection, Question, Source};

use crate::compile::{EventPrograms, Node, Program};
use crate::judge::{Judge, Row, printed};
use crate::rule::Rule;
use crate::scan::Scan;

/// What a part of a rule came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    True,
    False,
    /// The row has no value for it.
    Missing,
}

/// A part of a rule, of one row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// Parts within each other.
    pub depth: usize,
    pub text: String,
    pub verdict: Verdict,
    /// The first value that there was.
    pub value: Option<String>,
}

/// A row as a rule sees it; of a sequence as one of its steps does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explained {
    pub event: &'static str,
    pub step: usize,
    /// Among all events in order of time, from 1, where that is known.
    pub number: Option<u64>,
    /// The row is one of those that its carrier means: it succeeded, was for writing, and so on.
    pub is_meant: bool,
    pub holds: bool,
    pub lines: Vec<Line>,
}

/// How many rows of an event each part of a rule takes away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Funnel {
    pub event: &'static str,
    pub step: usize,
    pub rows: u64,
    /// Those that are meant by the kind of happening.
    pub meant: u64,
    /// Each part that must hold, with how many rows are left behind it.
    pub left: Vec<(String, u64)>,
    /// Of the rows that were not taken, the one of which the most parts held.
    pub nearest: Option<Explained>,
}

/// All rows of a rule's events are looked at.
fn each_row(
    rule: &Rule,
    source: &Source,
    see: &mut dyn FnMut(&Row<'_, '_>, &Program),
) -> pipeline::Result<Result<(), String>> {
    let rules = std::slice::from_ref(rule);
    let mut scan = Scan::new(rules, source);
    if let Some(why) = scan.unanswerable().get(&0) {
        return Ok(Err(why.clone()));
    }
    scan.programs_mut().events.values_mut().for_each(|programs| programs.takes_all = true);
    let programs = scan.programs();
    let mut judge = Judge::new(rules, programs, None, source);
    let places = scan.places();
    Question::new(source, scan.matchers()).batches(Projection::NONE, &mut |batch| {
        let at = places.at(batch);
        let name = || batch.file().name.clone();
        let looked = crate::judge::look(programs, batch);
        let judged = looked.and_then(|candidates| judge.rows(at, batch, candidates, see));
        judged.map_err(|source| pipeline::Error::Capture { file: name(), source })
    })?;
    Ok(Ok(()))
}

/// How a rule sees an event, by its number among all: nothing where it does not ask about it. The outer error is one of reading,
/// the inner one says why the rule cannot be answered.
pub fn event(rule: &Rule, source: &Source, number: u64) -> pipeline::Result<Result<Vec<Explained>, String>> {
    let mut found = Vec::new();
    let done = each_row(rule, source, &mut |row, program| {
        if row.event_number() == Some(number) {
            found.push(explained(row, program));
        }
    })?;
    Ok(done.map(|()| found))
}

/// How many rows each part of a rule takes away.
pub fn funnels(rule: &Rule, source: &Source) -> pipeline::Result<Result<Vec<Funnel>, String>> {
    // By event and step, with how many parts of the nearest row held.
    let mut funnels: BTreeMap<(EventId, usize), (Funnel, usize)> = BTreeMap::new();
    let done = each_row(rule, source, &mut |row, program| {
        let event = row.judged.programs.event;
        let parts = match &program.node {
            Node::All(parts) => parts.as_slice(),
            node => std::slice::from_ref(node),
        };
        let (funnel, nearest) = funnels.entry((event.id, program.step)).or_insert_with(|| {
            let within = within(row, program).map(|(text, _)| (text, 0));
            let parts = parts.iter().map(|part| (text(row.judged.programs, part), 0));
            let left = parts.chain(within).collect();
            let (rows, meant) = (0, 0);
            (Funnel { event: event.name, step: program.step, rows, meant, left, nearest: None }, 0)
        });
        funnel.rows += 1;
        if !row.passes(program.guard) {
            return;
        }
        funnel.meant += 1;
        let within = within(row, program).map(|(_, holds)| holds);
        let holds: Vec<bool> = parts.iter().map(|part| row.holds(part)).chain(within).collect();
        for ((_, left), _) in funnel.left.iter_mut().zip(&holds).take_while(|(_, holds)| **holds) {
            *left += 1;
        }
        let count = holds.iter().filter(|holds| **holds).count();
        if count < holds.len() && (count > *nearest || funnel.nearest.is_none()) {
            *nearest = count;
            funnel.nearest = Some(explained(row, program));
        }
    })?;
    Ok(done.map(|()| funnels.into_values().map(|(funnel, _)| funnel).collect()))
}

fn explained(row: &Row<'_, '_>, program: &Program) -> Explained {
    let mut lines = Vec::new();
    describe(row, &program.node, 0, &mut lines);
    lines.extend(within(row, program).map(|(text, holds)| {
        let verdict = if holds { Verdict::True } else { Verdict::False };
        Line { depth: 0, text, verdict, value: None }
    }));
    Explained {
        event: row.judged.programs.event.name,
        step: program.step,
        number: row.event_number(),
        is_meant: row.passes(program.guard),
        holds: row.holds(&program.node) && row.is_within(program),
        lines,
    }
}

/// What a program is asked within, and whether that takes the row.
fn within(row: &Row<'_, '_>, program: &Program) -> Option<(String, bool)> {
    let within = row.judged.programs.within.get(program.within? as usize)?;
    Some((within.written.clone(), row.is_within(program)))
}

fn describe(row: &Row<'_, '_>, node: &Node, depth: usize, lines: &mut Vec<Line>) {
    let holds = |node: &Node| if row.holds(node) { Verdict::True } else { Verdict::False };
    let mut group = |text: &str, parts: &[Node]| {
        lines.push(Line { depth, text: text.to_owned(), verdict: holds(node), value: None });
        parts.iter().for_each(|part| describe(row, part, depth + 1, lines));
    };
    match node {
        Node::All(parts) => group("all of", parts),
        Node::Any(parts) => group("any of", parts),
        Node::Not(inner) => group("not", std::slice::from_ref(inner)),
        Node::Const(value) => {
            let text = if *value { "always" } else { "never: nothing tells it of this event" };
            lines.push(Line { depth, text: text.to_owned(), verdict: holds(node), value: None });
        }
        Node::Atom(number) | Node::Same(number, ..) | Node::Time(number) => {
            let programs = row.judged.programs;
            let column =
                programs.column_of.get(*number as usize).and_then(|at| programs.columns.get(*at as usize));
            let value = column.and_then(|column| row.first(&column.access)).map(|value| printed(&value));
            let verdict = if value.is_none() { Verdict::Missing } else { holds(node) };
            lines.push(Line { depth, text: text(programs, node), verdict, value });
        }
    }
}

/// A part in words.
fn text(programs: &EventPrograms, node: &Node) -> String {
    match node {
        Node::Const(value) => value.to_string(),
        Node::Not(inner) => format!("not {}", text(programs, inner)),
        Node::All(parts) | Node::Any(parts) => {
            let joint = if matches!(node, Node::All(_)) { " and " } else { " or " };
            let shown: Vec<String> = parts.iter().take(3).map(|part| text(programs, part)).collect();
            let more = if parts.len() > shown.len() { format!("{joint}...") } else { String::new() };
            format!("({}{more})", shown.join(joint))
        }
        Node::Atom(number) | Node::Same(number, ..) | Node::Time(number) => {
            let Some(atom) = programs.atoms.get(*number as usize) else { return String::new() };
            let field = atom.field.to_string();
            if atom.written.contains(&field) {
                atom.written.to_string()
            } else {
                format!("{field} [{}]", atom.written)
            }
        }
    }
}
