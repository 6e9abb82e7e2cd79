//! The serial steps of a question: state is brought forward, rows are put in order.

use std::collections::VecDeque;
use std::sync::Arc;

use format::Block;

use crate::gap::Gap;
use crate::order::{self, Order};
use crate::question::{Question, Stats};
use crate::schedule::Serial;
use crate::sink::Sink;
use crate::source::BlockRef;
use crate::stage::{Scanned, Stage};
use crate::state::{Ready, State};
use crate::worker::{Asking, Held, Input, Job, Looked, Piece};
use crate::{Error, Result};

/// A job, and its block or why it cannot be read; `None` where a recording ends.
pub(crate) type Unjudged = (usize, Option<format::Result<Arc<Block>>>);

/// The serial steps of a question.
pub(crate) struct Steps<'q> {
    pub question: &'q Question<'q>,
    pub jobs: &'q [Job],
    pub is_ordered: bool,
    pub stage: Option<Stage<State<'q>, Unjudged>>,
    pub order: Order<Held<'q>>,
    /// Of what was read since the last piece was planned.
    pub stats: Stats,
}

impl<'q> Steps<'q> {
    /// First time and boot of what may have rows behind a job.
    fn next(&self, job: usize) -> Option<(u64, usize)> {
        let behind = self.jobs.get(job + 1..).unwrap_or_default();
        behind
            .iter()
            .find(|job| job.is_chosen || job.is_end)
            .map(|job| (job.reference.first, job.reference.boot))
    }

    /// Brings the state forward by what a job's block has of it; says which blocks can be matched then.
    pub fn advance(&mut self, job: usize, looked: Looked, ready: &mut VecDeque<(usize, Input)>) {
        let (Some(stage), Some(this)) = (&mut self.stage, self.jobs.get(job)) else { return };
        let BlockRef { first, last, boot, file, .. } = this.reference;
        match (looked.rows, &looked.block) {
            (Ok(rows), Some(Ok(block))) if !rows.is_empty() => {
                let block = Arc::clone(block);
                let of = Arc::new(Scanned { job, file, boot, is_chosen: this.is_chosen, block });
                stage.rows(&of, rows);
            }
            (Ok(_), _) => {}
            (Err(error), _) => {
                let gap = self.question.source.gap(Some(this.reference), &error);
                self.stats.gap(Gap { is_state: true, ..gap });
            }
        }
        if this.is_end {
            stage.wait(first, last, (job, None));
        } else if let Some(block) = looked.block.filter(|_| this.is_chosen) {
            stage.wait(first, last, (job, Some(block)));
        }
        let next = self.jobs.get(job + 1).map(|job| job.reference.first);
        stage.advance(next, |state, (job, block)| {
            let file = self.jobs.get(job).map_or(0, |job| job.reference.file);
            let take = |block: Arc<Block>| state.take(job, file, &block).map(|taken| Ready { block, taken });
            match block {
                Some(block) => ready.push_back((job, block.and_then(take))),
                None => ready.extend(self.question.end(self.jobs, job, state).map(|end| (job, Ok(end)))),
            }
        });
    }

    /// Counts what was read, or its absence.
    pub fn take(&mut self, found: Result<Option<Held<'q>>, Gap>) -> Result<Option<Held<'q>>> {
        match found {
            Ok(Some(held)) if held.batch.taken.is_end => Ok(Some(held)),
            Ok(Some(held)) => {
                let block = &held.batch.block;
                self.stats.blocks_read += 1;
                self.stats.rows_read += block.rows() as u64;
                self.stats.decompressed += block.decompressed();
                self.stats.matched = self.stats.matched.saturating_add(held.batch.selection.counted);
                Ok(Some(held))
            }
            Ok(None) => Ok(None),
            Err(gap) => {
                self.stats.gap(gap);
                self.check().map(|()| None)
            }
        }
    }

    pub fn check(&self) -> Result<()> {
        match self.stats.gaps.first() {
            Some(gap) if self.question.strict => Err(Error::Gap(Box::new(gap.clone()))),
            _ => Ok(()),
        }
    }

    /// What was told since the last piece goes with the next one.
    fn plan(&mut self, planned: VecDeque<order::Piece<Held<'q>>>, pieces: &mut VecDeque<Piece<'q>>) {
        for rows in planned {
            pieces.push_back(Piece { rows, stats: std::mem::take(&mut self.stats) });
        }
    }
}

impl<'q, S: Sink> Serial<Asking<'q, S>> for Steps<'q> {
    fn scanned(&mut self, job: usize, scanned: Looked, ready: &mut VecDeque<(usize, Input)>) {
        self.advance(job, scanned, ready);
    }

    fn found(
        &mut self,
        job: usize,
        found: Result<Option<Held<'q>>, Gap>,
        pieces: &mut VecDeque<Piece<'q>>,
    ) -> Result<()> {
        if let Some(held) = self.take(found)? {
            self.order.push(job, held);
        }
        let mut planned = VecDeque::new();
        let next = if self.is_ordered { self.next(job) } else { None };
        self.order.give(next, &mut planned);
        self.plan(planned, pieces);
        Ok(())
    }

    fn finish(&mut self, pieces: &mut VecDeque<Piece<'q>>) -> Result<()> {
        self.check()?;
        let mut planned = VecDeque::new();
        self.order.give(None, &mut planned);
        self.plan(planned, pieces);
        pieces.push_back(Piece { stats: std::mem::take(&mut self.stats), ..Piece::default() });
        Ok(())
    }
}
