//! Why scopes match or do not: for one event each filter with the value that it saw, for a whole capture how many events
//! each filter takes away, in order.

use std::fmt::Write;
use std::ops::ControlFlow;

use pipeline::{EventView, Output, Render, Source};
use scopes::explain::{Checks, ScopeChecks, Seen};
use scopes::{ScopeSet, spelled_out};

use crate::frames::{Error, Framed, Frames, ask, number};

/// Which event is asked about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Which {
    /// By its number among all events in order of time, from 1.
    Number(u64),
    /// The first one at or after this wall-clock time, ns since the epoch.
    At(i64),
}

/// What became of the events of a capture in one scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Funnel {
    /// As `9`, or `9 (etc-writes)`.
    pub title: String,
    /// Events that were asked.
    pub events: u64,
    pub matched: u64,
    /// Each filter as written, and the events that it was the first to turn away.
    pub removed: Vec<(String, u64)>,
}

/// Counts, for each scope, what each of its filters takes away.
pub fn funnels(source: &Source, set: &ScopeSet, threads: usize) -> Result<Vec<Funnel>, Error> {
    let checks = Checks::of(set);
    let mut funnels = Vec::new();
    for (number_of_pass, pass) in checks.passes.iter().enumerate() {
        let scopes: Vec<&ScopeChecks> =
            checks.scopes.iter().filter(|scope| scope.pass == number_of_pass).collect();
        let mut found: Vec<Funnel> = scopes
            .iter()
            .map(|scope| Funnel {
                title: scope.title.clone(),
                events: 0,
                matched: 0,
                removed: scope.checks.iter().map(|check| (check.text.clone(), 0)).collect(),
            })
            .collect();
        ask(source, pass, threads, &Frames { framed: Masks, rows: &Nothing }, &mut |frame| {
            let (mask, _) = number(frame);
            for (scope, funnel) in scopes.iter().zip(&mut found) {
                funnel.events += 1;
                match scope.first_failing(mask).and_then(|at| funnel.removed.get_mut(at)) {
                    Some((_, removed)) => *removed += 1,
                    None => funnel.matched += 1,
                }
            }
            ControlFlow::Continue(())
        })?;
        funnels.append(&mut found);
    }
    Ok(funnels)
}

/// One event and what each scope says of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Explanation {
    /// Its number among all events in order of time, from 1.
    pub number: u64,
    /// As a table shows it, with a newline.
    pub row: String,
    pub scopes: String,
}

/// Explains one event; `None` when there is no such event. `rows` renders the event itself.
pub fn event(
    source: &Source,
    set: &ScopeSet,
    which: Which,
    threads: usize,
    rows: &dyn Output,
) -> Result<Option<Explanation>, Error> {
    let checks = Checks::of(set);
    let Some(first) = checks.passes.first() else { return Ok(None) };
    // Times first: then only events of the one time need be explained.
    let (mut at, mut place, mut same) = (None, 0, 0);
    let (mut last, mut count) = (None, 0);
    ask(source, first, threads, &Frames { framed: Times, rows: &Nothing }, &mut |frame| {
        let time = number(frame).0 as i64;
        count += 1;
        same = if last == Some(time) { same + 1 } else { 0 };
        last = Some(time);
        let is_it = match which {
            Which::Number(wanted) => count == wanted,
            Which::At(from) => time >= from,
        };
        if !is_it {
            return ControlFlow::Continue(());
        }
        at = Some((time, same));
        place = count;
        ControlFlow::Break(())
    })?;
    let Some((time, same)) = at else { return Ok(None) };
    let mut explanation = Explanation { number: place, ..Explanation::default() };
    for (number_of_pass, pass) in checks.passes.iter().enumerate() {
        let scopes: Vec<&ScopeChecks> =
            checks.scopes.iter().filter(|scope| scope.pass == number_of_pass).collect();
        let mut seen = 0;
        ask(source, pass, threads, &Frames { framed: Told { time, scopes: &scopes }, rows }, &mut |frame| {
            if frame.is_empty() {
                return ControlFlow::Continue(());
            }
            if seen < same {
                seen += 1;
                return ControlFlow::Continue(());
            }
            let (row, rest) = number(frame);
            let (row, told) = rest.split_at_checked(row as usize).unwrap_or((rest, &[]));
            explanation.row = String::from_utf8_lossy(row).into_owned();
            explanation.scopes.push_str(&String::from_utf8_lossy(told));
            ControlFlow::Break(())
        })?;
    }
    Ok(Some(explanation))
}

/// The mask of each event.
struct Masks;

impl Framed for Masks {
    fn frame(&self, event: &EventView<'_>, _: &mut dyn Render, out: &mut Vec<u8>) {
        out.extend_from_slice(&event.scopes.to_le_bytes());
    }
}

/// The wall-clock time of each event.
struct Times;

impl Framed for Times {
    fn frame(&self, event: &EventView<'_>, _: &mut dyn Render, out: &mut Vec<u8>) {
        out.extend_from_slice(&event.wall_ns.to_le_bytes());
    }
}

/// The row and the explanation of each event of one time; others are empty frames.
struct Told<'a> {
    time: i64,
    scopes: &'a [&'a ScopeChecks],
}

impl Framed for Told<'_> {
    fn frame(&self, event: &EventView<'_>, row: &mut dyn Render, out: &mut Vec<u8>) {
        if event.wall_ns != self.time {
            return;
        }
        let mut shown = Vec::new();
        row.event(event, &mut shown);
        out.extend_from_slice(&(shown.len() as u64).to_le_bytes());
        out.extend_from_slice(&shown);
        let mut text = String::new();
        for scope in self.scopes {
            tell(scope, event, &mut text);
        }
        out.extend_from_slice(text.as_bytes());
    }
}

fn tell(scope: &ScopeChecks, event: &EventView<'_>, text: &mut String) {
    let mask = event.scopes;
    let facts = event.container.map(|container| container.facts());
    let arg = |position: usize| event.args.get(position);
    let seen = Seen {
        event: event.event,
        context: event.context,
        container: facts.as_ref(),
        arg: &arg,
        ret: event.ret,
        wall_ns: event.wall_ns as u64,
        cpu: event.cpu,
        marks: event.marks,
    };
    let verdict = if scope.matches(mask) { "matched" } else { "did not match" };
    // Writing to a string does not fail.
    let _ = writeln!(text, "scope {}: {verdict}", spelled_out(&scope.title));
    let width = scope.checks.iter().map(|check| check.text.chars().count()).max().unwrap_or(0).min(60);
    for check in &scope.checks {
        let verdict = match (check.is_about(event.event.id), check.passes(mask), scope.lets_pass(check, mask))
        {
            (false, ..) => format!("not asked       this is {}", event.event.name),
            (_, true, _) => format!("matched         saw {}", spelled_out(&seen.value(&check.target))),
            (_, false, true) => format!("follows         saw {}", spelled_out(&seen.value(&check.target))),
            (_, false, false) => format!("did not match   saw {}", spelled_out(&seen.value(&check.target))),
        };
        let _ = writeln!(text, "  {:width$}  {verdict}", check.text);
    }
    if scope.only_follows(mask) {
        let _ = writeln!(text, "  follow: an ancestor of this process matched the process filters");
    }
}

/// No rows.
struct Nothing;

impl Output for Nothing {
    fn renderer(&self) -> Box<dyn Render + '_> {
        Box::new(Nothing)
    }
}

impl Render for Nothing {
    fn block(&mut self) {}

    fn event(&mut self, _: &EventView<'_>, _: &mut Vec<u8>) {}
}
