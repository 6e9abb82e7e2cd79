//! State that is brought forward in order of time, while blocks are read in parallel and overlap each other.
//!
//! Blocks are scanned for what changes the state, in order of their first rows. A block waits until all blocks that may
//! hold an earlier change than its last row are scanned; then the changes up to there are told, in order of time, and the
//! block takes out what it needs of the state.
//!
//! ```text
//! block a  |-----*-------|             * a change. Once b is scanned and c is the next: changes up to the end of a are
//! block b        |---*---------|       told, and a can be judged; b waits for c.
//! block c                  |----
//! ```

use std::collections::VecDeque;

/// State that goes forward only. A clone of it is a checkpoint.
pub(crate) trait Forward {
    type Change;

    fn tell(&mut self, change: &Self::Change);

    /// Nothing older than this time (on the ordering clock) will be asked any more.
    fn forget(&mut self, before: u64);
}

/// The state, what is to be told to it, and what waits for it.
#[derive(Debug)]
pub(crate) struct Stage<S: Forward, W> {
    pub state: S,
    /// With their times.
    pending: Vec<(u64, S::Change)>,
    waiting: VecDeque<Judged<W>>,
}

#[derive(Debug)]
struct Judged<W> {
    first: u64,
    last: u64,
    what: W,
}

impl<S: Forward, W> Stage<S, W> {
    pub fn new(state: S) -> Stage<S, W> {
        Stage { state, pending: Vec::new(), waiting: VecDeque::new() }
    }

    pub fn change(&mut self, time: u64, change: S::Change) {
        self.pending.push((time, change));
    }

    /// Something with rows of this time waits for the state. In order of the first rows.
    pub fn wait(&mut self, first: u64, last: u64, what: W) {
        self.waiting.push_back(Judged { first, last, what });
    }

    /// Calls `judge` with what need not wait any longer. `next`: the first time that may still hold changes.
    pub fn advance(&mut self, next: Option<u64>, mut judge: impl FnMut(&S, W)) {
        while let Some(judged) =
            self.waiting.pop_front_if(|judged| next.is_none_or(|next| next > judged.last))
        {
            self.state.forget(judged.first);
            // What came late stands among others of its time; those of one time in the order in which they were found.
            self.pending.sort_by_key(|(time, _)| *time);
            let due = self.pending.partition_point(|(time, _)| *time <= judged.last);
            for (_, change) in self.pending.drain(..due) {
                self.state.tell(&change);
            }
            judge(&self.state, judged.what);
        }
        if self.waiting.is_empty() && self.pending.len() >= FEW_CHANGES {
            // Nobody waits for these: what is read next begins no earlier than they are, or asks for them anyway.
            self.pending.sort_by_key(|(time, _)| *time);
            let due = self.pending.partition_point(|(time, _)| next.is_none_or(|next| *time < next));
            for (_, change) in self.pending.drain(..due) {
                self.state.tell(&change);
            }
        }
    }
}

/// Changes that are kept until somebody asks: fewer are told at once.
const FEW_CHANGES: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default)]
    struct Told(Vec<u64>);

    impl Forward for Told {
        type Change = u64;

        fn tell(&mut self, change: &u64) {
            self.0.push(*change);
        }

        fn forget(&mut self, before: u64) {
            self.0.retain(|time| *time >= before);
        }
    }

    #[test]
    fn a_block_sees_all_changes_up_to_its_end_and_forgets_those_before_its_beginning() {
        let mut stage = Stage::new(Told::default());
        let mut judged = Vec::new();
        let mut advance = |stage: &mut Stage<Told, &'static str>, next| {
            stage.advance(next, |told, name| judged.push(format!("{name}{:?}", told.0)));
            judged.join(" ")
        };
        stage.change(3, 3);
        stage.wait(1, 10, "a");
        assert_eq!(advance(&mut stage, Some(5)), "");
        stage.change(12, 12);
        stage.change(6, 6);
        stage.wait(5, 14, "b");
        assert_eq!(advance(&mut stage, Some(11)), "a[3, 6]");
        stage.wait(11, 12, "c");
        assert_eq!(advance(&mut stage, None), "a[3, 6] b[6, 12] c[12]");
    }

    #[test]
    fn changes_that_nobody_asks_about_do_not_pile_up() {
        let mut stage: Stage<Told, ()> = Stage::new(Told::default());
        for time in 0..3 * FEW_CHANGES as u64 {
            stage.change(time, time);
            stage.advance(Some(time), |_, ()| {});
        }
        assert!(stage.pending.len() <= FEW_CHANGES);
    }
}
