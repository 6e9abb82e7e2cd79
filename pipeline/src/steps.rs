//! The serial steps of a question: state is brought forward, rows are put in order.

use std::collections::VecDeque;
use std::sync::Arc;

use format::Block;

use crate::gap::Gap;
use crate::held::Held;
use crate::job::Job;
use crate::order::{self, Order};
use crate::question::Question;
use crate::schedule::Serial;
use crate::sink::Sink;
use crate::source::BlockRef;
use crate::stage::{Scanned, Stage};
use crate::state::State;
use crate::stats::Stats;
use crate::worker::{Asking, Found, Input, Looked, Piece};
use crate::{Error, Result};

/// A job, and its block or why it cannot be read; `None` where a recording ends, and of a block that nobody opened yet.
pub(crate) type Unjudged = (Job, Option<format::Result<Arc<Block>>>);

/// The serial steps of a question.
pub(crate) struct Steps<'q> {
    pub question: &'q Question<'q>,
    pub is_ordered: bool,
    pub stage: Option<Stage<State<'q>, Unjudged>>,
    pub order: Order<Held<'q>>,
    /// Of what was read since the last piece was planned.
    pub stats: Stats,
}

impl<'q> Steps<'q> {
    /// Brings the state forward by what a job's block has of it; says which blocks can be matched then.
    pub fn advance(&mut self, job: Job, looked: Looked, ready: &mut VecDeque<(Job, Input)>) {
        let Some(stage) = &mut self.stage else { return };
        let BlockRef { first, last, boot, file, .. } = job.reference;
        match (looked.rows, &looked.block) {
            (Ok(rows), Some(Ok(block))) if !rows.is_empty() => {
                let block = Arc::clone(block);
                let of = Scanned { job: job.number, file, boot, is_chosen: job.is_chosen, block };
                let of = Arc::new(of);
                stage.rows(&of, rows);
            }
            (Ok(_), _) => {}
            (Err(error), _) => {
                let gap = self.question.source.gap(job.reference, &error);
                self.stats.gap(Gap { is_state: true, ..gap });
            }
        }
        let next = job.next.any;
        if job.is_chosen || job.end.is_some() {
            let block = looked.block.filter(|_| job.is_chosen);
            stage.wait(first, last, (Job { block: None, ..job }, block));
        } else if !job.is_told {
            // It says how far the recording is, which is told behind what was judged before it.
            stage.wait(first, first, (job, None));
        }
        stage.advance(next, |state, (job, block)| {
            let input = match (&job.host, job.end) {
                (Some(host), Some(end_ns)) => Ok(state.end(host, end_ns)),
                (Some(host), None) if job.is_chosen => block
                    .transpose()
                    .map(|block| Some(state.take(job.number, job.reference.file, host.number, block))),
                _ => block.transpose().map(|_| None),
            };
            ready.push_back((job, input));
        });
    }

    /// Counts what was read, or its absence.
    pub fn take(&mut self, found: Result<Found<'q>, Gap>) -> Result<Option<Held<'q>>> {
        match found {
            Ok(Found::Batch(held, read)) => {
                if !read.is_end {
                    self.stats.blocks_read += 1;
                    self.stats.rows_read += read.rows;
                    self.stats.decompressed += read.decompressed;
                }
                self.stats.matched = self.stats.matched.saturating_add(read.counted);
                Ok(Some(*held))
            }
            Ok(Found::Failed(error)) => Err(error),
            Ok(Found::Skipped { rows, bytes }) => {
                self.stats.blocks_skipped += 1;
                self.stats.rows_skipped += rows;
                self.stats.bytes_skipped += bytes;
                Ok(None)
            }
            Ok(Found::Nothing) => Ok(None),
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
    fn scanned(&mut self, job: Job, scanned: Looked, ready: &mut VecDeque<(Job, Input)>) {
        self.advance(job, scanned, ready);
    }

    fn found(
        &mut self,
        job: Job,
        found: Result<Found<'q>, Gap>,
        pieces: &mut VecDeque<Piece<'q>>,
    ) -> Result<()> {
        if let Some(held) = self.take(found)? {
            self.order.push(job.number, held);
        }
        let mut planned = VecDeque::new();
        let next = if self.is_ordered { job.next.chosen } else { None };
        let given = self.order.give(next, &mut planned);
        self.plan(planned, pieces);
        given
    }

    fn finish(&mut self, pieces: &mut VecDeque<Piece<'q>>) -> Result<()> {
        self.check()?;
        let mut planned = VecDeque::new();
        let given = self.order.give(None, &mut planned);
        self.plan(planned, pieces);
        given?;
        pieces.push_back(Piece { stats: std::mem::take(&mut self.stats), ..Piece::default() });
        Ok(())
    }
}
