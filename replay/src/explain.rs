//! Why scopes match or do not: for one event each filter with the value that it saw, for a whole capture how many events
//! each filter takes away, in order.

use std::fmt::Write;
use std::ops::ControlFlow;

use pipeline::{
    EventView, Found, Matcher, Output, Projection, Question, Render, RowRef, Sink, Source, Stats,
};
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
    // Where it stands first; then only what happened at its time is asked about.
    let found = asker.with(&checks.rows, |question| find(&question, which))?;
    let Some(Found { number, at, wall_ns }) = found else { return Ok(None) };
    let mut explanation = Explanation { number: number + 1, ..Explanation::default() };
    for (number_of_pass, pass) in checks.passes.iter().enumerate() {
        let scopes: Vec<&ScopeChecks> =
            checks.scopes.iter().filter(|scope| scope.pass == number_of_pass).collect();
        let told = Told { at, scopes: &scopes, rows };
        asker.with(pass, |question| {
            let question = Question { range: Some(wall_ns..wall_ns.saturating_add(1)), ..question };
            let stats = question.ask(&told, &mut |told| {
                let Some(found) = told else { return Ok(ControlFlow::Continue(())) };
                explanation.row = String::from_utf8_lossy(&found.row).into_owned();
                explanation.scopes.push_str(&found.scopes);
                Ok(ControlFlow::Break(()))
            })?;
            Ok(((), stats))
        })?;
    }
    Ok(Some(explanation))
}

fn find(question: &Question<'_>, which: Which) -> pipeline::Result<(Option<Found>, Stats)> {
    let from = match which {
        Which::Number(number) => match number.checked_sub(1) {
            Some(number) => return question.nth(number),
            None => return Ok((None, Stats::default())),
        },
        Which::At(from) => from,
    };
    let within = Question { range: Some(from..i64::MAX), ..question.clone() };
    let (found, mut stats) = within.nth(0)?;
    let Some(found) = found else { return Ok((None, stats)) };
    let (number, more) = question.number_of(found.at)?;
    stats.gaps.extend(more.gaps);
    Ok((number.map(|number| Found { number, ..found }), stats))
}

/// Wall clock of an event by its number among all events in order of time, from 1; `None` when there is no such event.
pub fn time_of(source: &Source, number: u64) -> Result<Option<i64>, pipeline::Error> {
    let plan = Plan::everything();
    let matchers = source.files().iter().map(|_| Matcher::new(&plan)).collect();
    let Some(number) = number.checked_sub(1) else { return Ok(None) };
    let (found, _) = Question::new(source, matchers).nth(number)?;
    Ok(found.map(|found| found.wall_ns))
}

/// The row and the explanation of one event.
struct Told<'a> {
    at: RowRef,
    scopes: &'a [&'a ScopeChecks],
    rows: &'a dyn Output,
}

struct RowAndScopes {
    row: Vec<u8>,
    scopes: String,
}

impl<'a> Sink for Told<'a> {
    type Worker = Box<dyn Render + 'a>;
    type Made = Option<RowAndScopes>;

    fn projection(&self) -> Projection {
        Projection::ALL
    }

    fn worker(&self) -> Box<dyn Render + 'a> {
        self.rows.renderer()
    }

    fn begin(&self) -> Option<RowAndScopes> {
        None
    }

    fn block(&self, worker: &mut Self::Worker) {
        worker.block();
    }

    fn event(&self, worker: &mut Self::Worker, event: &EventView<'_>, made: &mut Option<RowAndScopes>) {
        if event.at != self.at {
            return;
        }
        let (mut row, mut scopes) = (Vec::new(), String::new());
        worker.event(event, &mut row);
        for scope in self.scopes {
            tell(scope, event, &mut scopes);
        }
        *made = Some(RowAndScopes { row, scopes });
    }

    fn size(&self, made: &Option<RowAndScopes>) -> usize {
        made.as_ref().map_or(0, |told| told.row.len() + told.scopes.len())
    }

    fn truncate(&self, made: &mut Option<RowAndScopes>, events: usize) {
        if events == 0 {
            *made = None;
        }
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
        duration_ns: event.duration_ns,
    };
    let verdict = if scope.matches(mask) { "matched" } else { "did not match" };
    // Writing to a string does not fail.
    let _ = writeln!(text, "scope {}: {verdict}", spelled_out(&scope.title));
    let width = scope.checks.iter().map(|check| check.text.chars().count()).max().unwrap_or(0).min(60);
    for check in &scope.checks {
        let verdict = match (check.is_about(event.event.id), check.passes(mask), scope.lets_pass(check, mask))
        {
            (false, ..) => format!("not asked       this is {}", event.event.name),
            (_, true, _) => format!("matched         saw {}", spelled_out(&check.saw(&seen))),
            (_, false, true) => format!("follows         saw {}", spelled_out(&check.saw(&seen))),
            (_, false, false) => format!("did not match   saw {}", spelled_out(&check.saw(&seen))),
        };
        let _ = writeln!(text, "  {:width$}  {verdict}", check.text);
    }
    if scope.only_follows(mask) {
        let _ = writeln!(text, "  follow: an ancestor of this process matched the process filters");
    }
}
