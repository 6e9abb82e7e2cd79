//! Why scopes match or do not: for one event each filter with the value that it saw, for a whole capture how many events
//! each filter takes away, in order.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::ControlFlow;

use pipeline::{EventView, Matcher, Output, Projection, Question, Render, Sink, Source};
use scopes::explain::{Checks, ScopeChecks, Seen};
use scopes::{Plan, ScopeSet, spelled_out};

use crate::asker::Asker;
use crate::error::Error;

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
pub fn funnels(asker: &mut Asker<'_>, set: &ScopeSet) -> Result<Vec<Funnel>, Error> {
    let checks = Checks::of(set);
    let mut funnels = Vec::new();
    for (number_of_pass, pass) in checks.passes.iter().enumerate() {
        let scopes: Vec<&ScopeChecks> =
            checks.scopes.iter().filter(|scope| scope.pass == number_of_pass).collect();
        let sink = Funnels { scopes };
        let mut all = sink.begin();
        asker.ask(pass, &sink, &mut |found| {
            for (all, found) in all.iter_mut().zip(&found) {
                all.add(found);
            }
            ControlFlow::Continue(())
        })?;
        funnels.append(&mut all);
    }
    Ok(funnels)
}

/// Counts for some scopes what becomes of the events of a pass; it reads nothing of them but their masks.
struct Funnels<'a> {
    scopes: Vec<&'a ScopeChecks>,
}

impl Sink for Funnels<'_> {
    type Worker = ();
    type Made = Vec<Funnel>;

    fn projection(&self) -> Projection {
        Projection::NONE
    }

    fn is_ordered(&self) -> bool {
        false
    }

    fn worker(&self) {}

    fn begin(&self) -> Vec<Funnel> {
        let empty = |scope: &&ScopeChecks| Funnel {
            title: scope.title.clone(),
            events: 0,
            matched: 0,
            removed: scope.checks.iter().map(|check| (check.text.clone(), 0)).collect(),
        };
        self.scopes.iter().map(empty).collect()
    }

    fn event(&self, (): &mut (), event: &EventView<'_>, made: &mut Vec<Funnel>) {
        for (scope, funnel) in self.scopes.iter().zip(made) {
            funnel.events += 1;
            match scope.first_failing(event.scopes).and_then(|at| funnel.removed.get_mut(at)) {
                Some((_, removed)) => *removed += 1,
                None => funnel.matched += 1,
            }
        }
    }

    fn size(&self, _: &Vec<Funnel>) -> usize {
        0
    }

    fn truncate(&self, _: &mut Vec<Funnel>, _: usize) {}
}

impl Funnel {
    fn add(&mut self, more: &Funnel) {
        self.events += more.events;
        self.matched += more.matched;
        for ((_, all), (_, more)) in self.removed.iter_mut().zip(&more.removed) {
            *all += more;
        }
    }
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
    asker: &mut Asker<'_>,
    set: &ScopeSet,
    which: Which,
    rows: &dyn Output,
) -> Result<Option<Explanation>, Error> {
    let checks = Checks::of(set);
    let Some(first) = checks.passes.first() else { return Ok(None) };
    // Its number and its time first: then only events of the one time need be explained.
    let (mut at, mut before) = (None, 0);
    asker.ask(first, &Times, &mut |times| {
        let is_it = |(place, time): (u64, &i64)| match which {
            Which::Number(wanted) => place == wanted,
            Which::At(from) => *time >= from,
        };
        let place = (before + 1..).zip(&times).find(|it| is_it(*it));
        before += times.len() as u64;
        at = place.map(|(place, time)| (place, *time));
        if at.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    let Some((place, time)) = at else { return Ok(None) };
    let mut explanation = Explanation { number: place, ..Explanation::default() };
    for (number_of_pass, pass) in checks.passes.iter().enumerate() {
        let scopes: Vec<&ScopeChecks> =
            checks.scopes.iter().filter(|scope| scope.pass == number_of_pass).collect();
        let mut before = 0;
        asker.ask(pass, &Told { time, scopes: &scopes, rows }, &mut |mut told| {
            let at = (place - before).checked_sub(1);
            before += told.events;
            let Some(found) = at.and_then(|at| told.told.remove(&at)) else {
                return if before < place { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
            };
            explanation.row = String::from_utf8_lossy(&found.row).into_owned();
            explanation.scopes.push_str(&found.scopes);
            ControlFlow::Break(())
        })?;
    }
    Ok(Some(explanation))
}

/// Wall clock of an event by its number among all events in order of time, from 1; `None` when there is no such event.
pub fn time_of(source: &Source, number: u64) -> Result<Option<i64>, pipeline::Error> {
    let plan = Plan::everything();
    let matchers = source.files().iter().map(|_| Matcher::new(&plan)).collect();
    let question = Question::new(source, matchers);
    let (mut before, mut found) = (0, None);
    question.ask(&Times, &mut |times| {
        let at = number.saturating_sub(1).checked_sub(before).and_then(|at| usize::try_from(at).ok());
        found = at.filter(|_| number > 0).and_then(|at| times.get(at)).copied();
        before += times.len() as u64;
        Ok(if found.is_some() || before >= number {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    })?;
    Ok(found)
}

/// The wall-clock time of each event.
struct Times;

impl Sink for Times {
    type Worker = ();
    type Made = Vec<i64>;

    fn projection(&self) -> Projection {
        Projection::NONE
    }

    fn worker(&self) {}

    fn begin(&self) -> Vec<i64> {
        Vec::new()
    }

    fn event(&self, (): &mut (), event: &EventView<'_>, made: &mut Vec<i64>) {
        made.push(event.wall_ns);
    }

    fn size(&self, made: &Vec<i64>) -> usize {
        size_of_val(made.as_slice())
    }

    fn truncate(&self, made: &mut Vec<i64>, events: usize) {
        made.truncate(events);
    }
}

/// The row and the explanation of each event of one time.
struct Told<'a> {
    time: i64,
    scopes: &'a [&'a ScopeChecks],
    rows: &'a dyn Output,
}

#[derive(Default)]
struct Explained {
    events: u64,
    /// By the event's place in the piece, from 0.
    told: BTreeMap<u64, RowAndScopes>,
}

struct RowAndScopes {
    row: Vec<u8>,
    scopes: String,
}

impl<'a> Sink for Told<'a> {
    type Worker = Box<dyn Render + 'a>;
    type Made = Explained;

    fn projection(&self) -> Projection {
        Projection::ALL
    }

    fn worker(&self) -> Box<dyn Render + 'a> {
        self.rows.renderer()
    }

    fn begin(&self) -> Explained {
        Explained::default()
    }

    fn block(&self, worker: &mut Self::Worker) {
        worker.block();
    }

    fn event(&self, worker: &mut Self::Worker, event: &EventView<'_>, made: &mut Explained) {
        let place = made.events;
        made.events += 1;
        if event.wall_ns != self.time {
            return;
        }
        let (mut row, mut scopes) = (Vec::new(), String::new());
        worker.event(event, &mut row);
        for scope in self.scopes {
            tell(scope, event, &mut scopes);
        }
        made.told.insert(place, RowAndScopes { row, scopes });
    }

    fn size(&self, made: &Explained) -> usize {
        made.told.values().map(|told| told.row.len() + told.scopes.len()).sum()
    }

    fn truncate(&self, made: &mut Explained, events: usize) {
        made.events = made.events.min(events as u64);
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
        host: &event.host.name,
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
