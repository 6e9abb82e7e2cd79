//! A question asked of a source: blocks are chosen, matched and rendered on several threads, and the answer comes out in
//! order of time, the same bytes whatever the number of threads.

use std::io;
use std::ops::ControlFlow;
use std::sync::{Mutex, PoisonError};

use format::{Block, Scratch};

use crate::matching::{Buffers, Facts, Matcher};
use crate::order::{Order, Part};
use crate::select::Selector;
use crate::source::{BlockRef, File, Source};
use crate::state::State;
use crate::{Error, EventView, Output, Render, Result, threads};

/// Memory of answers that were given, kept for the next ones.
const SPARE_BYTES: usize = 128 << 20;

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
}

struct Worker<'a> {
    scratch: Scratch,
    buffers: Buffers,
    renders: Vec<Box<dyn Render + 'a>>,
}

struct Answer {
    part: Part,
    matched: u64,
    rows: u64,
    decompressed: u64,
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
        let spare: Mutex<Vec<Part>> = Mutex::new(Vec::new());
        let worker = || Worker {
            scratch: Scratch::new(),
            buffers: Buffers::default(),
            renders: outputs.iter().map(|output| output.renderer()).collect(),
        };
        threads::ordered(
            self.threads,
            chosen.len(),
            |job| match chosen.get(job) {
                Some(block) => state.lineage(*block),
                None => Ok(Vec::new()),
            },
            worker,
            |worker, job, lineage| match chosen.get(job) {
                Some(block) => {
                    let used = spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    let part = used.unwrap_or_else(|| Part::new(outputs.len()));
                    self.read(*block, &lineage, worker, part)
                }
                None => Err(Error::Worker),
            },
            |answer| answer.part.size(),
            |job, answer| {
                stats.blocks_read += 1;
                stats.rows_read += answer.rows;
                stats.decompressed += answer.decompressed;
                stats.matched = stats.matched.saturating_add(answer.matched);
                if outputs.is_empty() {
                    return Ok(ControlFlow::Continue(()));
                }
                let next = chosen.get(job + 1).map(|block| block.first);
                order.push(answer.part, next, &mut |output, bytes| deliver(output, bytes))?;
                let mut spare = spare.lock().unwrap_or_else(PoisonError::into_inner);
                let mut kept: usize = spare.iter().map(Part::capacity).sum();
                spare.extend(order.spare().filter(|part| {
                    kept += part.capacity();
                    kept <= SPARE_BYTES
                }));
                Ok(if order.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            },
        )?;
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
            let may_match = selectors.get_mut(block.file).is_some_and(|selector| selector.may_match(info));
            if may_match {
                chosen.push(*block);
            } else {
                stats.blocks_skipped += 1;
                stats.rows_skipped += u64::from(info.rows);
            }
        }
        (chosen, stats)
    }

    fn read(
        &self,
        chosen: BlockRef,
        lineage: &[scopes::LineageBits],
        worker: &mut Worker<'_>,
        mut part: Part,
    ) -> Result<Answer> {
        let (Some(file), Some(matcher)) = (self.source.file(chosen), self.matchers.get(chosen.file)) else {
            return Err(Error::Worker);
        };
        let damaged = |source| Error::Capture { file: file.name.clone(), source };
        let Worker { scratch, buffers, renders } = worker;
        let block = file.capture.block(chosen.block, scratch).map_err(damaged)?;
        let host_number = block.host();
        let Some(host) = file.host(host_number) else { return Err(Error::Worker) };
        let facts = Facts { file, host, lineage };
        let matched = if renders.is_empty() {
            matcher.block(&block, facts, buffers, None)
        } else {
            renders.iter_mut().for_each(|render| render.block());
            let mut emit = |view: &EventView<'_>| {
                for (render, bytes) in renders.iter_mut().zip(&mut part.bytes) {
                    render.event(view, bytes);
                }
                part.event(file.key(host_number, view.time_ns));
            };
            matcher.block(&block, facts, buffers, Some(&mut emit))
        };
        let matched = matched.map_err(damaged)?;
        Ok(Answer { part, matched, rows: block.rows() as u64, decompressed: block.decompressed() })
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
            let block: Block<'_> = file.capture.block(reference.block, &mut scratch).map_err(damaged)?;
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
