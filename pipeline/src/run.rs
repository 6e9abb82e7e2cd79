//! A question asked of a source: blocks are chosen, matched and rendered on several threads, and the answer comes out in
//! order of time, the same bytes whatever the number of threads.

use std::io;
use std::ops::ControlFlow;
use std::sync::Mutex;

use format::{Block, Scratch};

use crate::matching::{Buffers, Facts, Matcher};
use crate::order::Order;
use crate::reading::{PIECE_ROWS, Reading};
use crate::select::Selector;
use crate::source::{BlockRef, File, Source};
use crate::state::State;
use crate::{Error, EventView, Output, Result, threads};

/// What is asked, of what.
#[derive(Debug)]
pub struct Question<'a> {
    pub source: &'a Source,
    /// By file of the source.
    pub matchers: Vec<Matcher<'a>>,
    pub threads: usize,
    /// No more events than this.
    pub limit: Option<u64>,
}

/// What answering took.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Events that matched.
    pub matched: u64,
    pub blocks_read: u64,
    pub blocks_skipped: u64,
    /// Rows of the blocks that were read.
    pub rows_read: u64,
    /// Rows of the blocks that were not.
    pub rows_skipped: u64,
    /// Bytes that came out of decompression.
    pub decompressed: u64,
    /// Events that came after later ones: more blocks overlap than are held at a time.
    pub late: u64,
}

impl<'a> Question<'a> {
    /// The number of events that match.
    pub fn count(&self) -> Result<Stats> {
        self.answer(&[], &mut |_, _| Ok(()))
    }

    /// Renders the events that match; `deliver` gets the bytes of each output in order.
    pub fn print(
        &self,
        outputs: &[&dyn Output],
        deliver: &mut dyn FnMut(usize, &[u8]) -> io::Result<()>,
    ) -> Result<Stats> {
        self.answer(outputs, deliver)
    }

    fn answer(
        &self,
        outputs: &[&dyn Output],
        deliver: &mut dyn FnMut(usize, &[u8]) -> io::Result<()>,
    ) -> Result<Stats> {
        let (chosen, mut stats) = self.choose();
        let mut order = Order::new(self.limit);
        let mut state = State::new(self.source, &self.matchers);
        let spare = Mutex::new(Vec::new());
        let reading = Reading { question: self, chosen: &chosen, outputs, spare: &spare };
        let prepare = |job: usize| match chosen.get(job) {
            Some(block) => state.lineage(*block),
            None => Ok(Vec::new()),
        };
        // Not more threads than there are blocks to open or pieces to make.
        let rows = chosen
            .iter()
            .filter_map(|block| self.source.info(*block))
            .map(|info| info.statistics.rows as usize);
        let pieces = rows.sum::<usize>().div_ceil(PIECE_ROWS);
        let most = self.threads.min(pieces.max(chosen.len()));
        threads::ordered(most, chosen.len(), &reading, prepare, |job, answer| {
            stats.blocks_read += u64::from(answer.is_first);
            stats.rows_read += answer.rows;
            stats.decompressed += answer.decompressed;
            stats.matched = stats.matched.saturating_add(answer.matched);
            if outputs.is_empty() {
                return Ok(ControlFlow::Continue(()));
            }
            // What is not there yet begins with the rest of this block, or with the block after it.
            let next = chosen.get(job + 1).map(|block| block.first);
            let next = [answer.next, next].into_iter().flatten().min();
            order.push(job, answer.part, next, &mut |output, bytes| deliver(output, bytes))?;
            reading.give_back(order.spare());
            Ok(if order.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        stats.late = order.late();
        if let Some(limit) = self.limit {
            stats.matched = stats.matched.min(limit);
        }
        Ok(stats)
    }

    /// The blocks that the index does not rule out.
    fn choose(&self) -> (Vec<BlockRef>, Stats) {
        let mut stats = Stats::default();
        let mut chosen = Vec::new();
        let files = self.source.files().iter().zip(&self.matchers);
        let mut selectors: Vec<_> = files.map(|(file, matcher)| Selector::new(matcher, file)).collect();
        for block in self.source.blocks() {
            let Some(info) = self.source.info(*block) else { continue };
            let may_match =
                selectors.get_mut(block.file).is_some_and(|selector| selector.may_match(&info.statistics));
            if may_match {
                chosen.push(*block);
            } else {
                stats.blocks_skipped += 1;
                stats.rows_skipped += info.statistics.rows;
            }
        }
        (chosen, stats)
    }

    /// Calls `see` with each event that matches, block by block in order of their first rows, on this thread. Within a
    /// block events are in order of time; blocks of several hosts may overlap.
    pub fn each(&self, see: &mut dyn FnMut(&File, &EventView<'_>)) -> Result<Stats> {
        self.each_in_block(&mut |file, _, view| see(file, view))
    }

    /// The same, with the block that the event is in.
    pub fn each_in_block(&self, see: &mut dyn FnMut(&File, BlockRef, &EventView<'_>)) -> Result<Stats> {
        let (chosen, mut stats) = self.choose();
        let mut state = State::new(self.source, &self.matchers);
        let (mut scratch, mut buffers) = (Scratch::new(), Buffers::default());
        for reference in chosen {
            let (Some(file), Some(matcher)) =
                (self.source.file(reference), self.matchers.get(reference.file))
            else {
                continue;
            };
            let damaged = |source| Error::Capture { file: file.name.clone(), source };
            let lineage = state.lineage(reference)?;
            let block: Block = file.capture.block(reference.block, &mut scratch).map_err(damaged)?;
            let Some(host) = file.host(block.host()) else { continue };
            let facts = Facts { file, host, lineage: &lineage };
            let mut emit = |view: &EventView<'_>| see(file, reference, view);
            stats.matched += matcher.block(&block, facts, &mut buffers, Some(&mut emit)).map_err(damaged)?;
            stats.blocks_read += 1;
            stats.rows_read += block.rows() as u64;
            stats.decompressed += block.decompressed();
        }
        Ok(stats)
    }
}
