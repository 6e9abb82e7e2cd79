//! One stream in order of time from batches whose times may overlap: hosts of a merged capture, files side by side, rows
//! that came late. Rows are merged by their keys before anything is made of them.
//!
//! ```text
//! batch a   1  4  9            runs:  a[1]  b[2]  c[3]  a[4]  b[4 5]  a[9]  c[20]
//! batch b     2  4  5          A run is a stretch of one batch; a piece is some runs, about as many rows each.
//! batch c       3      20      Where batches do not overlap, a run is a batch.
//! ```

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use crate::Result;

/// Rows of a piece. Their text, a megabyte of JSON, stays in a processor's cache until it is handed on. The same whatever
/// the number of threads.
pub(crate) const PIECE_ROWS: usize = 1024;

/// Rows with keys that rise, all of one boot.
pub(crate) trait Keyed {
    fn len(&self) -> usize;
    /// The time of a row on the ordering clock.
    fn key(&self, at: usize) -> Option<u64>;
    /// The time of the last row on the ordering clock, or a later one.
    fn last(&self) -> u64;
    fn boot(&self) -> usize;
    /// What comes behind its last row, of the same block, where that was not at hand.
    fn rest(&self) -> Result<Option<Self>>
    where
        Self: Sized,
    {
        Ok(None)
    }
    /// Events that a row gives: those that are derived from it too.
    fn events(&self, _at: usize) -> u64 {
        1
    }
}

/// Stretches of batches, in order of time.
#[derive(Debug)]
pub(crate) struct Piece<B> {
    /// Each once.
    pub batches: Vec<Arc<B>>,
    pub runs: Vec<Run>,
    pub rows: usize,
    /// Events of its first row that are left out.
    pub skip: u64,
}

/// A stretch of one of a piece's batches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub batch: usize,
    pub rows: Range<usize>,
}

/// Takes batches in order of their blocks' first rows and gives pieces of rows in order of time. Rows of one time stand
/// in order of their boots, and those of one boot in order of their blocks.
#[derive(Debug)]
pub(crate) struct Order<B> {
    waiting: BinaryHeap<Waiting<B>>,
    piece: Piece<B>,
    /// Events that are still to be left out.
    skip: u64,
}

/// A batch with rows that were not given out.
#[derive(Debug)]
struct Waiting<B> {
    key: u64,
    boot: usize,
    /// The batch's number in the order in which they came.
    number: usize,
    at: usize,
    batch: Arc<B>,
}

impl<B> Waiting<B> {
    fn rank(&self) -> (u64, usize, usize) {
        (self.key, self.boot, self.number)
    }
}

impl<B> PartialEq for Waiting<B> {
    fn eq(&self, other: &Waiting<B>) -> bool {
        self.rank() == other.rank()
    }
}

impl<B> Eq for Waiting<B> {}

impl<B> PartialOrd for Waiting<B> {
    fn partial_cmp(&self, other: &Waiting<B>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<B> Ord for Waiting<B> {
    /// The earliest is the greatest: a heap gives its greatest first.
    fn cmp(&self, other: &Waiting<B>) -> Ordering {
        other.rank().cmp(&self.rank())
    }
}

impl<B> Default for Piece<B> {
    fn default() -> Piece<B> {
        Piece { batches: Vec::new(), runs: Vec::new(), rows: 0, skip: 0 }
    }
}

impl<B: Keyed> Order<B> {
    /// Leaves out the first `skip` events.
    pub fn new(skip: u64) -> Order<B> {
        Order { waiting: BinaryHeap::new(), piece: Piece::default(), skip }
    }

    /// Batches that wait for others.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes the batch with this number in the order of first rows.
    pub fn push(&mut self, number: usize, batch: B) {
        if let Some(key) = batch.key(0) {
            let boot = batch.boot();
            self.waiting.push(Waiting { key, boot, number, at: 0, batch: Arc::new(batch) });
        }
    }

    /// Gives out what nothing can come before any more. `next`: first time and boot of what is still to come.
    pub fn give(&mut self, next: Option<(u64, usize)>, pieces: &mut VecDeque<Piece<B>>) -> Result<()> {
        while let Some(mut first) = self.waiting.pop() {
            let is_due = |key: u64| next.is_none_or(|next| (key, first.boot) <= next);
            if !is_due(first.key) {
                self.waiting.push(first);
                break;
            }
            let rival = self.waiting.peek().map(Waiting::rank);
            let goes =
                |key: u64| is_due(key) && rival.is_none_or(|rival| (key, first.boot, first.number) < rival);
            let rows = first.batch.len();
            let end = if goes(first.batch.last()) { rows } else { end_of_run(&*first.batch, first.at, goes) };
            self.add(&first.batch, first.at..end, pieces);
            if let Some(key) = first.batch.key(end).filter(|_| end < rows) {
                // Rows whose times go back are damage: they are late, and do not make others late.
                first.key = key.max(first.key);
                first.at = end;
                self.waiting.push(first);
            } else if let Some(rest) = first.batch.rest()?
                && let Some(key) = rest.key(0)
            {
                let key = key.max(first.key);
                self.waiting.push(Waiting { key, at: 0, batch: Arc::new(rest), ..first });
            }
        }
        self.flush(pieces);
        Ok(())
    }

    fn add(&mut self, batch: &Arc<B>, mut rows: Range<usize>, pieces: &mut VecDeque<Piece<B>>) {
        while self.skip > 0 && !rows.is_empty() {
            let events = batch.events(rows.start);
            if events > self.skip {
                self.piece.skip = std::mem::take(&mut self.skip);
                break;
            }
            self.skip -= events;
            rows.start += 1;
        }
        while !rows.is_empty() {
            let room = PIECE_ROWS - self.piece.rows;
            let end = rows.end.min(rows.start + room);
            let piece = &mut self.piece;
            let known = piece.batches.iter().position(|known| Arc::ptr_eq(known, batch));
            let at = known.unwrap_or_else(|| {
                piece.batches.push(Arc::clone(batch));
                piece.batches.len() - 1
            });
            piece.rows += end - rows.start;
            match piece.runs.last_mut() {
                Some(last) if last.batch == at && last.rows.end == rows.start => last.rows.end = end,
                _ => piece.runs.push(Run { batch: at, rows: rows.start..end }),
            }
            rows.start = end;
            if piece.rows >= PIECE_ROWS {
                self.flush(pieces);
            }
        }
    }

    fn flush(&mut self, pieces: &mut VecDeque<Piece<B>>) {
        if self.piece.rows > 0 {
            pieces.push_back(std::mem::take(&mut self.piece));
        }
    }
}

/// Where the run that begins at `at` ends, at least one row on: the first row that does not go. Looks twice as far each
/// time, then halves: a run of one row costs one look, a long one few.
fn end_of_run(batch: &impl Keyed, at: usize, goes: impl Fn(u64) -> bool) -> usize {
    let goes = |at: usize| batch.key(at).is_some_and(&goes);
    let (mut low, mut step) = (at + 1, 1);
    while low < batch.len() && goes(low + step - 1) {
        low += step;
        step *= 2;
    }
    let mut high = (low + step - 1).min(batch.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if goes(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low.min(batch.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Times {
        name: &'static str,
        boot: usize,
        times: Vec<u64>,
    }

    impl Keyed for Times {
        fn len(&self) -> usize {
            self.times.len()
        }
        fn key(&self, at: usize) -> Option<u64> {
            self.times.get(at).copied()
        }
        fn last(&self) -> u64 {
            self.times.last().copied().unwrap_or(0)
        }
        fn boot(&self) -> usize {
            self.boot
        }
    }

    fn times(name: &'static str, boot: usize, times: &[u64]) -> Times {
        Times { name, boot, times: times.to_vec() }
    }

    fn told(pieces: impl IntoIterator<Item = Piece<Times>>) -> String {
        let mut told = String::new();
        for piece in pieces {
            for run in &piece.runs {
                let batch = &piece.batches[run.batch];
                let row = |at: usize| format!("{}{} ", batch.name, batch.times[at]);
                told.extend(run.rows.clone().map(row));
            }
        }
        told
    }

    fn ordered(batches: Vec<(Times, Option<(u64, usize)>)>) -> Vec<String> {
        let mut order = Order::new(0);
        let give = |(number, (batch, next))| {
            let mut pieces = VecDeque::new();
            order.push(number, batch);
            order.give(next, &mut pieces).expect("all at hand");
            told(pieces)
        };
        let told = batches.into_iter().enumerate().map(give).collect();
        assert_eq!(order.waiting(), 0);
        told
    }

    #[test]
    fn batches_that_overlap_are_woven_by_time() {
        let batches = vec![
            (times("a", 0, &[1, 4, 9]), Some((2, 0))),
            (times("b", 0, &[2, 4, 5]), Some((3, 0))),
            (times("c", 0, &[3, 20]), None),
        ];
        assert_eq!(ordered(batches).concat(), "a1 b2 c3 a4 b4 b5 a9 c20 ");
    }

    #[test]
    fn a_row_waits_only_for_what_may_come_before_it() {
        let batches = vec![
            (times("a", 0, &[1, 2, 3]), Some((2, 0))),
            (times("b", 0, &[2]), Some((7, 0))),
            (times("c", 0, &[]), None),
        ];
        assert_eq!(ordered(batches), ["a1 a2 ", "b2 a3 ", ""]);
    }

    #[test]
    fn rows_of_one_time_stand_in_order_of_their_boots() {
        let batches = vec![
            (times("b", 1, &[1, 5, 7]), Some((5, 0))),
            (times("a", 0, &[5, 5]), Some((5, 1))),
            (times("c", 1, &[5, 6]), None),
        ];
        assert_eq!(ordered(batches), ["b1 ", "a5 a5 b5 ", "c5 c6 b7 "]);
    }

    #[test]
    fn times_that_go_back_lose_no_row() {
        let batches =
            vec![(times("a", 0, &[5, 1, 9, 2, 6]), Some((5, 0))), (times("b", 0, &[5, 7, 3, 8]), None)];
        let told = ordered(batches).concat();
        let mut rows: Vec<&str> = told.split_whitespace().collect();
        rows.sort_unstable();
        assert_eq!(rows, ["a1", "a2", "a5", "a6", "a9", "b3", "b5", "b7", "b8"]);
    }

    #[test]
    fn pieces_hold_as_many_rows_each_and_runs_that_follow_each_other_are_one() {
        let long: Vec<u64> = (0..PIECE_ROWS as u64 * 2 + 10).collect();
        let mut order = Order::new(0);
        let mut pieces = VecDeque::new();
        order.push(0, times("a", 0, &long));
        order.give(Some((2000, 0)), &mut pieces).expect("all at hand");
        order.give(None, &mut pieces).expect("all at hand");
        let rows: Vec<usize> = pieces.iter().map(|piece| piece.rows).collect();
        assert_eq!(rows, [1024, 977, 57]);
        assert!(pieces.iter().all(|piece| piece.runs.len() == 1));
    }

    #[test]
    fn what_is_skipped_is_left_out_whole_but_for_a_row_with_several_events() {
        let skipped = |skip| {
            let mut order = Order::new(skip);
            let mut pieces = VecDeque::new();
            order.push(0, times("a", 0, &[1, 4]));
            order.push(1, times("b", 0, &[2, 9]));
            order.give(None, &mut pieces).expect("all at hand");
            told(pieces)
        };
        assert_eq!([0, 1, 3, 9].map(skipped), ["a1 b2 a4 b9 ", "b2 a4 b9 ", "b9 ", ""]);
        struct Two;
        impl Keyed for Two {
            fn len(&self) -> usize {
                2
            }
            fn key(&self, at: usize) -> Option<u64> {
                (at < 2).then_some(at as u64)
            }
            fn last(&self) -> u64 {
                1
            }
            fn boot(&self) -> usize {
                0
            }
            fn events(&self, _: usize) -> u64 {
                2
            }
        }
        let mut order = Order::new(3);
        let mut pieces = VecDeque::new();
        order.push(0, Two);
        order.give(None, &mut pieces).expect("all at hand");
        assert_eq!((pieces[0].runs[0].rows.clone(), pieces[0].skip), (1..2, 1));
    }

    /// Many hosts at once, against a sort.
    #[test]
    fn any_number_of_batches_is_sorted() {
        let mut seed = 7u64;
        let mut next = move || {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed >> 33
        };
        let mut batches: Vec<Times> = (0..200)
            .map(|number| {
                let mut at = next() % 500;
                let times = (0..next() % 40 + 1).map(|_| {
                    at += next() % 9;
                    at
                });
                Times { name: "x", boot: number % 7, times: times.collect() }
            })
            .collect();
        batches.sort_by_key(|batch| (batch.times[0], batch.boot));
        let mut expected: Vec<u64> = batches.iter().flat_map(|batch| batch.times.clone()).collect();
        expected.sort_unstable();
        let firsts: Vec<_> = batches.iter().skip(1).map(|batch| (batch.times[0], batch.boot)).collect();
        let nexts = firsts.into_iter().map(Some).chain([None]);
        let told = ordered(batches.into_iter().zip(nexts).collect()).concat();
        let seen: Vec<u64> = told.split_whitespace().map(|row| row[1..].parse().expect("a time")).collect();
        assert_eq!(seen, expected);
    }
}
