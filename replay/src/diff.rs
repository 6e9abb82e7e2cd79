//! What two sets of scopes see differently in the same capture.

use std::io::{self, Write};
use std::ops::ControlFlow;

use pipeline::{EventView, Output, Render, Source};
use scopes::ScopeSet;
use scopes::diff::{Change, Pair, Pairs};

use crate::frames::{Error, Framed, Frames, ask, number};

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
pub fn count(
    source: &Source,
    before: &ScopeSet,
    after: &ScopeSet,
    threads: usize,
) -> Result<Vec<Difference>, Error> {
    let pairs = Pairs::of(before, after);
    let mut differences: Vec<Difference> = pairs.pairs.iter().map(empty).collect();
    for (number_of_pass, pass) in pairs.passes.iter().enumerate() {
        let frames = Frames { framed: Masks, rows: &Nothing };
        ask(source, pass, threads, &frames, &mut |frame| {
            let (mask, _) = number(frame);
            for (pair, difference) in pairs.pairs.iter().zip(&mut differences) {
                if pair.pass == number_of_pass {
                    match pair.change(mask) {
                        Some(Change::Gained) => difference.gained += 1,
                        Some(Change::Lost) => difference.lost += 1,
                        Some(Change::Same) => difference.same += 1,
                        None => {}
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
    }
    Ok(differences)
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
    source: &Source,
    (before, after): (&ScopeSet, &ScopeSet),
    threads: usize,
    limit: Option<u64>,
    rows: &dyn Output,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let pairs = Pairs::of(before, after);
    let mut left = limit.unwrap_or(u64::MAX);
    for (number_of_pass, pass) in pairs.passes.iter().enumerate() {
        let mine: Vec<&Pair> = pairs.pairs.iter().filter(|pair| pair.pass == number_of_pass).collect();
        let mut written: io::Result<()> = Ok(());
        let frames = Frames { framed: Changed { pairs: &mine }, rows };
        ask(source, pass, threads, &frames, &mut |frame| {
            let (mask, row) = number(frame);
            for pair in &mine {
                let sign = match pair.change(mask) {
                    Some(Change::Gained) => "+",
                    Some(Change::Lost) => "-",
                    Some(Change::Same) | None => continue,
                };
                if left == 0 || written.is_err() {
                    return ControlFlow::Break(());
                }
                left -= 1;
                written = write!(out, "{sign} {:<6} ", pair.title).and_then(|()| out.write_all(row));
            }
            ControlFlow::Continue(())
        })?;
        written?;
    }
    Ok(())
}

struct Masks;

impl Framed for Masks {
    fn frame(&self, event: &EventView<'_>, _: &mut dyn Render, out: &mut Vec<u8>) {
        out.extend_from_slice(&event.scopes.to_le_bytes());
    }
}

/// Mask and row of events that some scope gained or lost; the mask alone of others.
struct Changed<'a> {
    pairs: &'a [&'a Pair],
}

impl Framed for Changed<'_> {
    fn frame(&self, event: &EventView<'_>, row: &mut dyn Render, out: &mut Vec<u8>) {
        out.extend_from_slice(&event.scopes.to_le_bytes());
        let change = |pair: &&Pair| matches!(pair.change(event.scopes), Some(Change::Gained | Change::Lost));
        if self.pairs.iter().any(change) {
            row.event(event, out);
        }
    }
}

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
