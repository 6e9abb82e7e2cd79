//! Processes that ended, of which something may still come.
//!
//! Rows of one block are judged after its exits were told. And a process does more after its end: its parent is told by a
//! signal once all its files are closed, which waits for whoever they are of. Recorder and replay ask this one rule, for a
//! process that one of them still knows and the other does not gets another mask.
//!
//! A generation is shared by all clones (of which there is one for each block that is judged while others are read) once
//! another one has begun, so that a clone costs no more for a flood of processes.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;

use crate::subject::LineageBits;

/// How long a process is remembered after its end: longer than one takes for what it does after that.
pub const REMEMBERED_NS: u64 = 60_000_000_000;

/// So many that ended are remembered: of two thousand a second all.
pub const REMEMBERED: usize = GENERATIONS * GENERATION;

/// Bytes that these take at most: tables are at most half empty, and one more is being filled.
pub const REMEMBERED_BYTES: usize =
    (GENERATIONS + 1) * GENERATION * 2 * (size_of::<((u32, u64), LineageBits)>() + 1);

/// Processes that are forgotten together.
const GENERATION: usize = 2048;
const GENERATIONS: usize = 64;

/// What they had of their ancestors, the oldest first.
#[derive(Clone, Default, Debug)]
pub(super) struct Ended(VecDeque<Generation>);

#[derive(Clone, Default, Debug)]
struct Generation {
    last_ns: u64,
    processes: Arc<HashMap<(u32, u64), LineageBits>>,
}

impl Ended {
    pub fn insert(&mut self, key: (u32, u64), bits: LineageBits, time_ns: u64) {
        if self.0.back().is_none_or(|last| last.processes.len() >= GENERATION) {
            self.0.push_back(Generation::default());
        }
        if let Some(last) = self.0.back_mut() {
            last.last_ns = last.last_ns.max(time_ns);
            Arc::make_mut(&mut last.processes).insert(key, bits);
        }
    }

    /// Of several with one number and start the last.
    pub fn get(&self, key: (u32, u64)) -> Option<LineageBits> {
        self.0.iter().rev().find_map(|generation| generation.processes.get(&key).copied())
    }

    pub fn iter(&self) -> impl Iterator<Item = ((u32, u64), LineageBits)> {
        self.0.iter().flat_map(|generation| generation.processes.iter().map(|(key, bits)| (*key, *bits)))
    }

    pub fn forgets_any(&self, first_ns: u64) -> bool {
        let is_over = |oldest: &Generation| oldest.last_ns.saturating_add(REMEMBERED_NS) < first_ns;
        self.0.len() > GENERATIONS || self.0.front().is_some_and(is_over)
    }

    pub fn forget(&mut self, first_ns: u64) {
        while self.forgets_any(first_ns) {
            self.0.pop_front();
        }
    }
}
