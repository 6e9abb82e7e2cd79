//! A block that is to be read for a question, and what is known of those behind it.

use std::sync::Arc;

use format::Block;

use crate::source::{BlockRef, Host};

/// A block to be read. One that is neither chosen nor told stands for the time alone: see [`Job::tick`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Job {
    /// In the order in which they are given out.
    pub number: usize,
    pub reference: BlockRef,
    /// Its host, as it is known; `None` of one that the file does not declare.
    pub host: Option<Arc<Host>>,
    /// Some of its rows may match.
    pub is_chosen: bool,
    /// It has rows that the state is told.
    pub is_told: bool,
    /// No block: the recording of a boot ends here, boot clock ns of its host, and what the state has left is told.
    pub end: Option<u64>,
    /// The block, where it is at hand; otherwise it is read from its file.
    pub block: Option<Arc<Block>>,
    pub next: Bound,
}

/// What is known of the jobs behind one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Bound {
    /// None of them has a row before this time on the ordering clock; `None` when there are none.
    pub any: Option<u64>,
    /// The same of those that have rows for the answer, with their boot.
    pub chosen: Option<(u64, usize)>,
}

impl Bound {
    /// There is nothing behind it.
    pub const NONE: Bound = Bound { any: None, chosen: None };

    pub fn both(first: (u64, usize)) -> Bound {
        Bound { any: Some(first.0), chosen: Some(first) }
    }
}

impl Job {
    /// No block: nothing that comes later has a row before this time on the ordering clock.
    pub fn tick(time: u64) -> Job {
        let before = time.saturating_sub(1);
        let reference = BlockRef { first: before, last: before, block: usize::MAX, ..BlockRef::default() };
        Job { reference, next: Bound::both((time, 0)), ..Job::default() }
    }

    /// There is nothing to be read for it.
    pub fn is_empty(&self) -> bool {
        !self.is_chosen && !self.is_told
    }
}
