//! Numbers of events: the one that `explain --event` and `--at '#7'` take.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use pipeline::source::RowRef;
use pipeline::{EventView, Matcher, Projection, Question, Sink, Source};

use super::Moment;
use crate::known::Who;

/// Where an event stands among all events of a source.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stands {
    /// In order of time, from 1.
    pub number: u64,
    pub at: RowRef,
}

/// Finds where events stand among all events of a source.
pub fn of(
    source: &Source,
    matchers: Vec<Matcher<'_>>,
    threads: usize,
    wanted: &HashSet<Moment>,
) -> pipeline::Result<HashMap<Moment, Stands>> {
    let times = wanted.iter().map(|moment| moment.wall_ns).collect();
    let question = Question { threads, ..Question::new(source, matchers) };
    let (mut numbers, mut before) = (HashMap::new(), 0);
    let mut left = wanted.len();
    question.ask(&Counting { wanted, times }, &mut |piece: Piece| {
        for (moment, number, at) in piece.found {
            numbers.entry(moment).or_insert_with(|| {
                left = left.saturating_sub(1);
                Stands { number: before + number, at }
            });
        }
        before += piece.events;
        Ok(if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    })?;
    Ok(numbers)
}

struct Counting<'w> {
    wanted: &'w HashSet<Moment>,
    times: HashSet<i64>,
}

/// How many events a piece has, and which of them are wanted.
#[derive(Debug, Default)]
struct Piece {
    events: u64,
    found: Vec<(Moment, u64, RowRef)>,
}

impl Sink for Counting<'_> {
    type Worker = ();
    type Made = Piece;

    fn projection(&self) -> Projection {
        Projection { contexts: true, ..Projection::NONE }
    }

    fn worker(&self) {}

    fn begin(&self) -> Piece {
        Piece::default()
    }

    fn event(&self, (): &mut (), event: &EventView<'_>, piece: &mut Piece) {
        piece.events += 1;
        if !self.times.contains(&event.wall_ns) {
            return;
        }
        let (boot, tid) = (event.host.boot, event.context.tid);
        let moment = Moment { wall_ns: event.wall_ns, boot, tid, event: event.event.id.0 };
        if self.wanted.contains(&moment) {
            piece.found.push((moment, piece.events, event.at));
        }
    }

    fn size(&self, _: &Piece) -> usize {
        0
    }

    fn truncate(&self, _: &mut Piece, _: usize) {}
}

/// An event of a number.
#[derive(Clone, Copy, Debug)]
pub struct Numbered {
    pub moment: Moment,
    pub who: Who,
}

/// The event of a number among all events in order of time, from 1; `None` when there are not so many.
pub fn event(source: &Source, matchers: Vec<Matcher<'_>>, number: u64) -> pipeline::Result<Option<Numbered>> {
    let question = Question { limit: Some(number), ..Question::new(source, matchers) };
    let (mut last, mut count) = (None, 0);
    question.ask(&Last, &mut |piece: Vec<Numbered>| {
        count += piece.len() as u64;
        last = piece.last().copied().or(last);
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(last.filter(|_| count == number && number > 0))
}

/// The events of a piece.
struct Last;

impl Sink for Last {
    type Worker = ();
    type Made = Vec<Numbered>;

    fn projection(&self) -> Projection {
        Projection { contexts: true, ..Projection::NONE }
    }

    fn worker(&self) {}

    fn begin(&self) -> Vec<Numbered> {
        Vec::new()
    }

    fn event(&self, (): &mut (), event: &EventView<'_>, made: &mut Vec<Numbered>) {
        let (boot, tid) = (event.host.boot, event.context.tid);
        let moment = Moment { wall_ns: event.wall_ns, boot, tid, event: event.event.id.0 };
        made.push(Numbered { moment, who: Who::of(boot, event.context) });
    }

    fn size(&self, made: &Vec<Numbered>) -> usize {
        made.len() * size_of::<Numbered>()
    }

    fn truncate(&self, made: &mut Vec<Numbered>, events: usize) {
        made.truncate(events);
    }
}
