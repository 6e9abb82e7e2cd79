//! Single rows, by where they stand: for views that people scroll, and for explaining one event. Only the blocks of the rows
//! that are asked for are opened, and of these only the columns that are wanted are decoded.

use std::collections::VecDeque;
use std::sync::Arc;

use format::{Block, Scratch};

use crate::batch::{Batch, Selection};
use crate::derive::{Derived, DerivedRows};
use crate::matching::Facts;
use crate::question::Question;
use crate::selection::{Candidate, ordinals};
use crate::sink::Projection;
use crate::source::{BlockRef, RowRef};
use crate::state::Taken;
use crate::{Error, EventView, Result};

/// Blocks that are kept open: a screen of rows of several hosts is of as many.
pub const OPEN_BLOCKS: usize = 16;
/// Bytes of decoded columns of them, at most, as long as there are two.
const OPEN_BYTES: usize = 256 << 20;

/// Reads rows of a question's source in any order.
#[derive(Debug)]
pub struct Access<'q> {
    question: &'q Question<'q>,
    projection: Projection,
    scratch: Scratch,
    derived: Derived,
    /// The one that was used last at the end.
    open: VecDeque<Opened>,
}

#[derive(Debug)]
struct Opened {
    file: usize,
    number: usize,
    block: Arc<Block>,
    /// By row: its number among the rows of its event.
    ordinals: Vec<u32>,
}

/// A row to be read, and the scopes that it is in: whoever matched it knows them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    pub at: RowRef,
    pub scopes: u64,
}

impl<'q> Access<'q> {
    /// `projection`: what is read of rows.
    pub fn new(question: &'q Question<'q>, projection: Projection) -> Access<'q> {
        let (scratch, derived) = (Scratch::new(), Derived::default());
        Access { question, projection, scratch, derived, open: VecDeque::new() }
    }

    /// A block of a file, as it was recorded.
    pub fn block(&mut self, file: usize, block: usize) -> Result<Arc<Block>> {
        self.opened(file, block).map(|opened| Arc::clone(&opened.block))
    }

    /// Calls `see` with each of these rows, in this order. Rows that follow each other and are of one block cost one look at
    /// it. Derived rows are computed anew from their bases: those that a whole stream of packets was read for are not found
    /// this way, and left out.
    pub fn rows(&mut self, wanted: &[Wanted], see: &mut dyn FnMut(&EventView<'_>)) -> Result<()> {
        let is_of_one = |a: &Wanted, b: &Wanted| (a.at.file, a.at.block) == (b.at.file, b.at.block);
        for wanted in wanted.chunk_by(is_of_one) {
            self.question.cancellation.check()?;
            let Some(Wanted { at, .. }) = wanted.first() else { continue };
            let (number, block) = (at.file as usize, at.block as usize);
            self.of_block(number, block, wanted, see)?;
        }
        Ok(())
    }

    fn of_block(
        &mut self,
        number: usize,
        wanted_block: usize,
        wanted: &[Wanted],
        see: &mut dyn FnMut(&EventView<'_>),
    ) -> Result<()> {
        let question = self.question;
        let block = self.block(number, wanted_block)?;
        let reference = BlockRef { file: number, block: wanted_block, ..BlockRef::default() };
        let (file, matcher) = (question.source.files().get(number), question.matchers.get(number));
        let (Some(file), Some(matcher)) = (file, matcher) else { return Ok(()) };
        let Some(host) = file.host(block.host()).map(Arc::clone) else { return Ok(()) };
        let damaged = |source| Error::Capture { file: file.name.clone(), source };
        let matcher = matcher.of_host(block.host());
        let facts = Facts { file, host: &host, lineage: &[], is_end: false };
        let events = matcher.present(&block, facts);
        let event_codes = block.event_codes().map_err(damaged)?;
        for Wanted { at, scopes } in wanted {
            let row = at.row as usize;
            let ordinal = self.open.back().and_then(|opened| opened.ordinals.get(row)).copied();
            let (Some(ordinal), Some(code)) = (ordinal, event_codes.get(row)) else {
                return Err(damaged(format::Error::NoRow {
                    block: reference.block,
                    row,
                    rows: block.rows(),
                }));
            };
            let needed = events.get(usize::from(*code)).map_or(0, |it| it.needed);
            // Whoever asks knows that the row itself is there.
            let (visible, base) = if at.derived == 0 { (1, 0) } else { (0, needed & scopes) };
            let rows = vec![Candidate { row: at.row, ordinal, visible, base }];
            let mut batch = Batch {
                block: Arc::clone(&block),
                reference,
                file,
                host: Arc::clone(&host),
                matcher,
                taken: Taken::default(),
                selection: Selection { counted: 0, events: events.clone(), rows },
                derived: DerivedRows::default(),
                origins: Vec::new(),
                projection: self.projection,
            };
            let mut show = |view: &EventView<'_>| {
                if view.at == *at {
                    see(&EventView { scopes: *scopes, ..*view });
                }
            };
            batch.derive(&mut self.derived).and_then(|()| batch.each(&mut show)).map_err(damaged)?;
        }
        Ok(())
    }

    fn opened(&mut self, file: usize, block: usize) -> Result<&Opened> {
        let known = self.open.iter().position(|opened| (opened.file, opened.number) == (file, block));
        let opened = match known.and_then(|at| self.open.remove(at)) {
            Some(opened) => opened,
            None => self.open(file, block)?,
        };
        self.open.push_back(opened);
        let bytes = |open: &VecDeque<Opened>| open.iter().map(|it| it.block.memory()).sum::<usize>();
        while self.open.len() > OPEN_BLOCKS || (self.open.len() > 2 && bytes(&self.open) > OPEN_BYTES) {
            self.open.pop_front();
        }
        self.open.back().ok_or(Error::Worker)
    }

    fn open(&mut self, file: usize, number: usize) -> Result<Opened> {
        self.question.cancellation.check()?;
        let Some(known) = self.question.source.files().get(file) else {
            let source = format::Error::NoBlock { block: number, blocks: 0 };
            return Err(Error::Capture { file: format!("file {file} of the source"), source });
        };
        let damaged = |source| Error::Capture { file: known.name.clone(), source };
        let block = known.capture.block(number, &mut self.scratch).map_err(damaged)?;
        let ordinals = ordinals(block.event_codes().map_err(damaged)?, block.event_list().len());
        Ok(Opened { file, number, block: Arc::new(block), ordinals })
    }
}
