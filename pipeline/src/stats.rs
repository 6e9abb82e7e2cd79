//! What answering a question took, and what is missing from the answer.

use crate::gap::Gap;

/// What answering took.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Events that matched.
    pub matched: u64,
    pub blocks_read: u64,
    pub blocks_skipped: u64,
    /// Rows of the blocks that were read.
    pub rows_read: u64,
    /// Rows of the blocks that were not, and bytes that these take in the file.
    pub rows_skipped: u64,
    pub bytes_skipped: u64,
    /// Bytes that came out of decompression.
    pub decompressed: u64,
    /// Blocks that could not be read.
    pub gaps: Vec<Gap>,
    /// Events that a recording lost while it was asked: of captures that are whole, everybody knows before.
    pub lost: u64,
    /// What is missing of a recording that went on while it was asked, in words.
    pub missing: Vec<String>,
}

impl Stats {
    pub(crate) fn add(&mut self, more: Stats) {
        self.matched = self.matched.saturating_add(more.matched);
        self.blocks_read += more.blocks_read;
        self.blocks_skipped += more.blocks_skipped;
        self.rows_read += more.rows_read;
        self.rows_skipped += more.rows_skipped;
        self.bytes_skipped += more.bytes_skipped;
        self.decompressed += more.decompressed;
        more.gaps.into_iter().for_each(|gap| self.gap(gap));
        self.lost = self.lost.saturating_add(more.lost);
        self.missing.extend(more.missing);
    }

    /// A block is told once, whatever it was read for.
    pub(crate) fn gap(&mut self, gap: Gap) {
        let same = |known: &&mut Gap| known.file == gap.file && known.block == gap.block;
        match self.gaps.iter_mut().find(same) {
            Some(known) => known.is_state &= gap.is_state,
            None => self.gaps.push(gap),
        }
    }
}
