//! Damage as part of the answer: a block that cannot be read is told, and the rest is answered.

use std::fmt;

/// A block whose rows are missing from an answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The file, as the user named it.
    pub file: String,
    /// The block's number in it, from 0.
    pub block: usize,
    /// Rows that the index says it has.
    pub rows: u64,
    /// Wall clock of its first and last row by the index, ns since the epoch.
    pub from_ns: i64,
    pub to_ns: i64,
    /// Its rows could not match, but it may hold what others depend on: forks and exits, packets of streams.
    pub is_state: bool,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Gap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Gap { file, block, rows, from_ns, to_ns, what, .. } = self;
        let missing =
            if self.is_state { "their forks, exits and packets are missing" } else { "they are missing" };
        write!(
            out,
            "{file}: block {block}: {rows} rows of {from_ns} to {to_ns} cannot be read, {missing}: {what}"
        )
    }
}
