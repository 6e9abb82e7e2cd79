//! What two sets of scopes see differently in the same capture.

use std::io::{self, Write};
use std::ops::ControlFlow;

use pipeline::{EventView, Output, Projection, Render, Sink};
use scopes::ScopeSet;
use scopes::diff::{Change, Pair, Pairs};

use crate::asker::Asker;
use crate::error::Error;

/// What became of one scope.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// As `9`, or `9 (etc-writes)`.
    pub title: String,
    /// It is in one of the sets only.
    pub is_new: bool,
    pub is_gone: bool,
    pub gained: u64,
    pub lost: u64,
    pub same: u64,
}

impl Difference {
    pub fn differs(&self) -> bool {
        self.gained + self.lost > 0
    }
}

/// Counts what each scope gained and lost.
pub fn count(asker: &mut Asker<'_>, before: &ScopeSet, after: &ScopeSet) -> Result<Vec<Difference>, Error> {
    let pairs = Pairs::of(before, after);
    let mut differences: Vec<Difference> = pairs.pairs.iter().map(empty).collect();
    for (number_of_pass, pass) in pairs.passes.iter().enumerate() {
        asker.ask(pass, &Counts { pairs: &pairs.pairs, pass: number_of_pass }, &mut |found| {
            for (all, found) in differences.iter_mut().zip(&found) {
                all.gained += found.gained;
                all.lost += found.lost;
                all.same += found.same;
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(differences)
}

/// Counts what the pairs of a pass gained and lost; it reads nothing of events but their masks.
struct Counts<'a> {
    pairs: &'a [Pair],
    pass: usize,
}

impl Sink for Counts<'_> {
    type Worker = ();
    type Made = Vec<Difference>;

    fn projection(&self) -> Projection {
        Projection::NONE
    }

    fn is_ordered(&self) -> bool {
        false
    }

    fn worker(&self) {}

    fn begin(&self) -> Vec<Difference> {
        self.pairs.iter().map(empty).collect()
    }

    fn event(&self, (): &mut (), event: &EventView<'_>, made: &mut Vec<Difference>) {
        for (pair, difference) in self.pairs.iter().zip(made).filter(|(pair, _)| pair.pass == self.pass) {
            match pair.change(event.scopes) {
                Some(Change::Gained) => difference.gained += 1,
                Some(Change::Lost) => difference.lost += 1,
                Some(Change::Same) => difference.same += 1,
                None => {}
            }
        }
    }

    fn size(&self, _: &Vec<Difference>) -> usize {
        0
    }

    fn truncate(&self, _: &mut Vec<Difference>, _: usize) {}
}

fn empty(pair: &Pair) -> Difference {
    Difference {
        title: pair.title.clone(),
        is_new: pair.is_new(),
        is_gone: pair.is_gone(),
        gained: 0,
        lost: 0,
        same: 0,
    }
}

/// Writes the events that scopes gained (`+`) and lost (`-`), at most `limit`, in order of time.
pub fn rows(
    asker: &mut Asker<'_>,
    (before, after): (&ScopeSet, &ScopeSet),
    limit: Option<u64>,
    rows: &dyn Output,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let pairs = Pairs::of(before, after);
    let mut left = limit.unwrap_or(u64::MAX);
    for (number_of_pass, pass) in pairs.passes.iter().enumerate() {
        let pairs: Vec<&Pair> = pairs.pairs.iter().filter(|pair| pair.pass == number_of_pass).collect();
        let mut written: io::Result<()> = Ok(());
        asker.ask(pass, &Changed { pairs, rows }, &mut |lines| {
            for line in &lines {
                if left == 0 || written.is_err() {
                    return ControlFlow::Break(());
                }
                left -= 1;
                written = out.write_all(line);
            }
            ControlFlow::Continue(())
        })?;
        written?;
    }
    Ok(())
}

/// A line for each pair that gained or lost an event.
struct Changed<'a> {
    pairs: Vec<&'a Pair>,
    rows: &'a dyn Output,
}

impl<'a> Sink for Changed<'a> {
    /// Renders a row, into memory that is used again.
    type Worker = (Box<dyn Render + 'a>, Vec<u8>);
    type Made = Vec<Vec<u8>>;

    fn projection(&self) -> Projection {
        Projection::ALL
    }

    fn worker(&self) -> Self::Worker {
        (self.rows.renderer(), Vec::new())
    }

    fn begin(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    fn block(&self, worker: &mut Self::Worker) {
        worker.0.block();
    }

    fn event(&self, (render, row): &mut Self::Worker, event: &EventView<'_>, made: &mut Vec<Vec<u8>>) {
        row.clear();
        for pair in &self.pairs {
            let sign = match pair.change(event.scopes) {
                Some(Change::Gained) => "+",
                Some(Change::Lost) => "-",
                Some(Change::Same) | None => continue,
            };
            if row.is_empty() {
                render.event(event, row);
            }
            let mut line = format!("{sign} {:<6} ", pair.title).into_bytes();
            line.extend_from_slice(row);
            made.push(line);
        }
    }

    fn size(&self, made: &Vec<Vec<u8>>) -> usize {
        made.iter().map(Vec::len).sum()
    }

    fn truncate(&self, _: &mut Vec<Vec<u8>>, _: usize) {}
}
