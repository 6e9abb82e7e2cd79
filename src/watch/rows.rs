//! Rows as whoever watches gets them: text, and above a rate sums. What is not shown anyway is not rendered.

use std::collections::BTreeMap;

use pipeline::{EventView, Output, Projection, Render, Sink};

/// A second.
const NS: i64 = 1_000_000_000;

/// Which events are alike in sums: the event, and the command.
pub type Kind = (&'static str, Box<[u8]>);

/// Outputs that get every row, and perhaps one that gets no more than some a second and sums of the others.
pub struct Rows<'o> {
    pub whole: Vec<&'o dyn Output>,
    pub summed: Option<Summed<'o>>,
}

pub struct Summed<'o> {
    pub output: &'o dyn Output,
    /// Rows of one second that are shown at most.
    pub rate: usize,
}

/// Some events: their text by output, and what the limited output has of each second.
#[derive(Debug, Default)]
pub struct Piece {
    pub whole: Vec<Vec<u8>>,
    pub seconds: Vec<Second>,
    /// Where each event ends in the texts of whole outputs.
    ends: Vec<usize>,
}

/// What happened in one second, or in a part of it.
#[derive(Debug, Default)]
pub struct Second {
    /// Since the epoch.
    pub number: i64,
    pub text: Vec<u8>,
    /// The rows of the text: where each ends, and what it is.
    pub rows: Vec<(usize, Kind)>,
    /// What is not in the text.
    pub sums: BTreeMap<Kind, u64>,
}

impl Second {
    /// Each row with its kind.
    pub fn each(&self) -> impl Iterator<Item = (&[u8], &Kind)> {
        let mut start = 0;
        self.rows.iter().map(move |(end, kind)| {
            let row = self.text.get(start..*end).unwrap_or_default();
            start = *end;
            (row, kind)
        })
    }
}

impl<'o> Sink for Rows<'o> {
    type Worker = Vec<Box<dyn Render + 'o>>;
    type Made = Piece;

    fn projection(&self) -> Projection {
        Projection::ALL
    }

    fn worker(&self) -> Self::Worker {
        let summed = self.summed.iter().map(|summed| summed.output);
        self.whole.iter().copied().chain(summed).map(|output| output.renderer()).collect()
    }

    fn begin(&self) -> Piece {
        Piece { whole: vec![Vec::new(); self.whole.len()], ..Piece::default() }
    }

    fn block(&self, worker: &mut Self::Worker) {
        worker.iter_mut().for_each(|render| render.block());
    }

    fn event(&self, worker: &mut Self::Worker, event: &EventView<'_>, made: &mut Piece) {
        for (render, bytes) in worker.iter_mut().zip(&mut made.whole) {
            render.event(event, bytes);
            made.ends.push(bytes.len());
        }
        let (Some(summed), Some(render)) = (&self.summed, worker.get_mut(made.whole.len())) else { return };
        let number = event.wall_ns.div_euclid(NS);
        // A row that came late is told among those that it came with.
        if made.seconds.last().is_none_or(|last| last.number < number) {
            made.seconds.push(Second { number, ..Second::default() });
        }
        let Some(second) = made.seconds.last_mut() else { return };
        if second.rows.len() < summed.rate {
            render.event(event, &mut second.text);
            let kind = (event.event.name, event.context.comm.into());
            second.rows.push((second.text.len(), kind));
            return;
        }
        // Most are of the kind of one before: no copy of the name is made for them.
        let is_it = |kind: &Kind| kind.0 == event.event.name && *kind.1 == *event.context.comm;
        match second.sums.iter_mut().find(|(kind, _)| is_it(kind)) {
            Some((_, count)) => *count += 1,
            None => {
                second.sums.insert((event.event.name, event.context.comm.into()), 1);
            }
        }
    }

    fn size(&self, made: &Piece) -> usize {
        let seconds = made.seconds.iter().map(|second| second.text.len() + 64 * second.sums.len());
        made.whole.iter().map(Vec::len).chain(seconds).sum()
    }

    /// Only asked where the number of events is limited, and then nothing is summed: see [`super::view`].
    fn truncate(&self, made: &mut Piece, events: usize) {
        let outputs = made.whole.len();
        made.ends.truncate(events * outputs);
        if let Some(last) = made.ends.len().checked_sub(outputs).and_then(|at| made.ends.get(at..)) {
            made.whole.iter_mut().zip(last).for_each(|(bytes, end)| bytes.truncate(*end));
        } else {
            made.whole.iter_mut().for_each(Vec::clear);
        }
    }
}
