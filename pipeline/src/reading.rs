//! Blocks as the answers to a question, in pieces: what threads do.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};

use format::{Block, Scratch};
use scopes::LineageBits;

use crate::derive::Derived;
use crate::matching::{Buffers, Facts, Found, Matcher};
use crate::order::Part;
use crate::run::Question;
use crate::showing::Stretch;
use crate::source::{BlockRef, File, Host};
use crate::threads::{Place, Work};
use crate::{Error, EventView, Output, Render, Result};

/// Rows of a piece. Their text, a megabyte of JSON, stays in a processor's cache until it is handed on. The same whatever
/// the number of threads.
pub(crate) const PIECE_ROWS: usize = 1024;
/// Bytes of an answer, nearly: rows are small, but a file may say that each of them is not.
const PART_BYTES: usize = 8 << 20;
/// Bytes of an answer that was given and is kept for the next ones, and of all that are.
const SPARE_BYTES: usize = 4 << 20;
const ALL_SPARE_BYTES: usize = 32 << 20;

/// The work of a question.
pub(crate) struct Reading<'q> {
    pub question: &'q Question<'q>,
    pub chosen: &'q [BlockRef],
    pub outputs: &'q [&'q dyn Output],
    /// Memory of answers that were given.
    pub spare: &'q Mutex<Vec<Part>>,
}

/// What a thread keeps.
pub(crate) struct Worker<'q> {
    scratch: Scratch,
    buffers: Buffers,
    derived: Derived,
    renders: Vec<Box<dyn Render + 'q>>,
    /// The job that the renderers remember contexts of.
    rendered: Option<usize>,
}

/// A block, and what it has for the question. Everything that showing it needs is decoded.
pub(crate) struct Opened<'q> {
    block: Block,
    file: &'q File,
    host: &'q Host,
    matcher: &'q Matcher<'q>,
    lineage: Vec<LineageBits>,
    found: Found,
}

pub(crate) struct Answer {
    pub part: Part,
    pub matched: u64,
    /// It is the first of its block: what follows is told of the whole block with that one.
    pub is_first: bool,
    pub rows: u64,
    pub decompressed: u64,
    /// The time of the block's first row after those of this answer.
    pub next: Option<u64>,
}

impl Opened<'_> {
    fn facts(&self) -> Facts<'_> {
        Facts { file: self.file, host: self.host, lineage: &self.lineage }
    }

    fn damaged(&self, source: format::Error) -> Error {
        Error::Capture { file: self.file.name.clone(), source }
    }
}

impl Reading<'_> {
    /// Keeps the memory of answers for the next ones.
    pub fn give_back(&self, parts: impl Iterator<Item = Part>) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept: usize = spare.iter().map(Part::capacity).sum();
        spare.extend(parts.filter(|part| {
            kept += part.capacity();
            part.capacity() <= SPARE_BYTES && kept <= ALL_SPARE_BYTES
        }));
    }
}

impl<'q> Work for Reading<'q> {
    type Input = Vec<LineageBits>;
    type State = Worker<'q>;
    type Opened = Opened<'q>;
    type Piece = Answer;

    fn state(&self) -> Worker<'q> {
        Worker {
            scratch: Scratch::new(),
            buffers: Buffers::default(),
            derived: Derived::default(),
            renders: self.outputs.iter().map(|output| output.renderer()).collect(),
            rendered: None,
        }
    }

    fn open(&self, worker: &mut Worker<'q>, job: usize, lineage: Vec<LineageBits>) -> Result<Opened<'q>> {
        let chosen = self.chosen.get(job).ok_or(Error::Worker)?;
        let file = self.question.source.file(*chosen).ok_or(Error::Worker)?;
        let matcher = self.question.matchers.get(chosen.file).ok_or(Error::Worker)?;
        let damaged = |source| Error::Capture { file: file.name.clone(), source };
        let block = file.capture.block(chosen.block, &mut worker.scratch).map_err(damaged)?;
        let host = file.host(block.host()).ok_or(Error::Worker)?;
        let facts = Facts { file, host, lineage: &lineage };
        let only_count = self.outputs.is_empty();
        let found = matcher.find(&block, facts, &mut worker.buffers, only_count).map_err(damaged)?;
        Ok(Opened { block, file, host, matcher, lineage, found })
    }

    fn pieces(&self, opened: &Opened<'q>) -> usize {
        opened.found.len().div_ceil(PIECE_ROWS)
    }

    fn piece(
        &self,
        worker: &mut Worker<'q>,
        (job, piece): Place,
        opened: &Opened<'q>,
        from: usize,
    ) -> Result<(Answer, Option<usize>)> {
        let Opened { block, file, matcher, found, .. } = opened;
        let used = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut part = used.unwrap_or_else(|| Part::new(self.outputs.len()));
        let Worker { derived, renders, rendered, .. } = worker;
        if *rendered != Some(job) {
            renders.iter_mut().for_each(|render| render.block());
            *rendered = Some(job);
        }
        let host = block.host();
        let size = Cell::new(0);
        let mut emit = |view: &EventView<'_>| {
            for (render, bytes) in renders.iter_mut().zip(&mut part.bytes) {
                let before = bytes.len();
                render.event(view, bytes);
                size.set(size.get() + bytes.len() - before);
            }
            part.event(file.key(host, view.time_ns));
        };
        let emit: Option<&mut dyn FnMut(&EventView<'_>)> =
            if self.outputs.is_empty() { None } else { Some(&mut emit) };
        let (start, end) = (piece * PIECE_ROWS, ((piece + 1) * PIECE_ROWS).min(found.len()));
        let wanted = Stretch { range: start + from..end, is_full: &|| size.get() > PART_BYTES };
        let shown = matcher.show(block, opened.facts(), found, wanted, derived, emit);
        let (shown, at) = shown.map_err(|error| opened.damaged(error))?;
        let next = match found.row(at) {
            Some(row) => {
                let times = block.times().map_err(|error| opened.damaged(error))?;
                times.get(row).map(|time| file.key(host, *time))
            }
            None => None,
        };
        let is_first = piece == 0 && from == 0;
        let of_block = |number: u64| if is_first { number } else { 0 };
        let answer = Answer {
            part,
            matched: shown + of_block(found.counted),
            is_first,
            rows: of_block(block.rows() as u64),
            decompressed: of_block(block.decompressed()),
            next,
        };
        Ok((answer, (at < end).then(|| at - start)))
    }

    fn size(&self, answer: &Answer) -> usize {
        answer.part.size()
    }
}
