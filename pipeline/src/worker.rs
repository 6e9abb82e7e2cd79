//! What threads do for a question: read blocks, match them, turn pieces of rows into what a sink makes of them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::batch::{Batch, Rows};
use crate::derive::Derived;
use crate::gap::Gap;
use crate::matching::{Buffers, Facts};
use crate::order::{self, Keyed};
use crate::question::{Question, Stats};
use crate::schedule::Work;
use crate::sink::Sink;
use crate::source::{BlockRef, Host};
use crate::stage::{self, Row};
use crate::state::{Ready, Scans};
use crate::{Error, Result};
use format::{Block, Scratch};

/// Bytes of a part of a piece, nearly: rows are small, but a file may say that each of them is not.
const PART_BYTES: usize = 8 << 20;
/// Batches that a thread remembers something of for a sink, at most.
const MOST_SLOTS: usize = 16;

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
    fn is_empty(&self) -> bool {
        !self.is_chosen && !self.is_told
    }
}

/// The work of a question.
pub(crate) struct Asking<'q, S> {
    pub question: &'q Question<'q>,
    pub sink: &'q S,
    /// What the state is told of blocks; `None` where there is none.
    pub scans: Option<Scans>,
    /// Rows are only counted.
    pub counts: bool,
    /// Batches that are held.
    pub held: Arc<AtomicUsize>,
}

/// What a thread keeps.
pub(crate) struct Worker<W> {
    scratch: Scratch,
    buffers: Buffers,
    derived: Derived,
    /// What the sink remembers of batches, by job.
    slots: Vec<(usize, W)>,
    /// The slot that is given to the next batch.
    next_slot: usize,
}

/// What looking through a block for the state gave.
pub(crate) struct Looked {
    /// What is read of it decoded; of a chosen job its contexts too. `None` where `rows` says what is wrong with it,
    /// where there is none, and where nobody asks.
    pub block: Option<format::Result<Arc<Block>>>,
    pub rows: format::Result<Vec<Row>>,
}

/// A block to be matched; or why it cannot be; `None` where there is none.
pub(crate) type Input = format::Result<Option<Ready>>;

/// A batch under way.
#[derive(Debug)]
pub(crate) struct Held<'q> {
    /// Its job's number.
    pub job: usize,
    pub batch: Batch<'q>,
    held: Arc<AtomicUsize>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Keyed for Held<'_> {
    fn len(&self) -> usize {
        self.batch.len()
    }

    fn key(&self, at: usize) -> Option<u64> {
        self.batch.key(at)
    }

    fn last(&self) -> u64 {
        self.batch.reference.last
    }

    fn boot(&self) -> usize {
        self.batch.reference.boot
    }
}

/// A piece of the answer to be made, and what is told with it.
#[derive(Debug, Default)]
pub(crate) struct Piece<'q> {
    pub rows: order::Piece<Held<'q>>,
    /// Of the blocks that were read since the piece before it.
    pub stats: Stats,
}

/// A piece of the answer, or part of one.
pub(crate) struct Answer<M> {
    pub made: M,
    pub events: u64,
    pub stats: Stats,
}

impl<'q, S: Sink> Asking<'q, S> {
    fn match_block(
        &self,
        worker: &mut Worker<S::Worker>,
        job: &Job,
        Ready { block, taken }: Ready,
    ) -> format::Result<Option<Held<'q>>> {
        let reference = job.reference;
        let file = self.question.source.file(reference);
        let matcher = self.question.matchers.get(reference.file);
        let matcher = matcher.map(|matcher| matcher.of_host(block.host()));
        let host = job.host.as_ref().filter(|host| host.number == block.host());
        let (Some(file), Some(matcher), Some(host)) = (file, matcher, host) else { return Ok(None) };
        let host = Arc::clone(host);
        let facts = Facts { file, host: &host, lineage: &taken.lineage, is_end: taken.is_end };
        let rows = match &self.question.range {
            Some(range) => rows_within(&block, range)?,
            None => 0..block.rows(),
        };
        let is_whole = rows == (0..block.rows());
        let counts = self.counts && is_whole;
        let mut selection = matcher.find(&block, facts, &mut worker.buffers, counts)?;
        if !is_whole {
            selection.rows.retain(|candidate| rows.contains(&(candidate.row as usize)));
        }
        let projection = self.sink.projection();
        let batch = Batch { block, reference, file, host, matcher, taken, selection, projection };
        if !batch.is_empty() {
            batch.decode()?;
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Held { job: job.number, batch, held: Arc::clone(&self.held) }))
    }

    /// Opens the block of a job.
    pub fn open(&self, worker: &mut Worker<S::Worker>, job: &Job) -> format::Result<Arc<Block>> {
        if let Some(block) = &job.block {
            return Ok(Arc::clone(block));
        }
        let block = job.reference.block;
        match self.question.source.file(job.reference) {
            Some(file) => file.capture.block(block, &mut worker.scratch).map(Arc::new),
            None => Err(format::Error::NoBlock { block, blocks: 0 }),
        }
    }

    fn look(&self, job: &Job, block: &Block) -> format::Result<Vec<Row>> {
        if !job.is_told {
            return Ok(Vec::new());
        }
        let key = |boot_ns| job.host.as_ref().map_or(boot_ns, |host| host.key(boot_ns));
        stage::scan(self.scans.as_ref().map_or(&[], Scans::reads), key, block)
    }
}

impl<'q, S: Sink> Work for Asking<'q, S> {
    type Job = Job;
    type Worker = Worker<S::Worker>;
    type Scanned = Looked;
    type Input = Input;
    type Found = Result<Option<Held<'q>>, Gap>;
    type Piece = Piece<'q>;
    type Made = Answer<S::Made>;

    fn scans(&self) -> bool {
        self.scans.is_some()
    }

    fn worker(&self) -> Self::Worker {
        Worker {
            scratch: Scratch::new(),
            buffers: Buffers::default(),
            derived: Derived::default(),
            slots: Vec::new(),
            next_slot: 0,
        }
    }

    fn scan(&self, worker: &mut Self::Worker, job: &Job) -> Looked {
        let is_chosen = job.is_chosen;
        if job.is_empty() {
            return Looked { block: None, rows: Ok(Vec::new()) };
        }
        match self.open(worker, job) {
            Ok(block) => {
                let rows = self.look(job, &block);
                // Decoded here, in parallel, for the serial step.
                let contexts = if is_chosen { block.contexts().map(|_| ()) } else { Ok(()) };
                Looked { block: Some(contexts.map(|()| block)), rows }
            }
            Err(error) if is_chosen => Looked { block: Some(Err(error)), rows: Ok(Vec::new()) },
            Err(error) => Looked { block: None, rows: Err(error) },
        }
    }

    fn find(&self, worker: &mut Self::Worker, job: &Job, input: Option<Self::Input>) -> Self::Found {
        let input = match input {
            Some(input) => input,
            None if job.is_empty() => Ok(None),
            None => self.open(worker, job).map(|block| Some(Ready::without_state(block))),
        };
        let found = match input {
            Ok(_) if self.question.cancellation.is_cancelled() => Ok(None),
            Ok(Some(ready)) => self.match_block(worker, job, ready),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        found.map_err(|error| self.question.source.gap(job.reference, &error))
    }

    fn make(
        &self,
        worker: &mut Self::Worker,
        piece: &Piece<'q>,
        from: usize,
    ) -> Result<(Answer<S::Made>, Option<usize>)> {
        let Worker { derived, slots, next_slot, .. } = worker;
        let sink = self.sink;
        let cancellation = &self.question.cancellation;
        cancellation.check()?;
        let mut made = sink.begin();
        let (mut events, mut at) = (0, 0);
        let batches = &piece.rows.batches;
        let damaged = |held: &Held<'_>, source| Error::Capture { file: held.batch.file.name.clone(), source };
        let rows: Vec<Rows<'_>> = batches
            .iter()
            .map(|held| Rows::new(&held.batch).map_err(|error| damaged(held, error)))
            .collect::<Result<_>>()?;
        let mut next = None;
        for run in &piece.rows.runs {
            let skipped = from.saturating_sub(at).min(run.rows.len());
            at += skipped;
            let (Some(rows), Some(held)) = (rows.get(run.batch), batches.get(run.batch)) else { continue };
            let range = run.rows.start + skipped..run.rows.end;
            if range.is_empty() {
                continue;
            }
            let Some(slot) = slot(sink, slots, next_slot, held.job, batches.len()) else { continue };
            let start = range.start;
            let stopped = rows.each(range.clone(), derived, &mut |event| {
                sink.event(slot, event, &mut made);
                events += 1;
                sink.size(&made) <= PART_BYTES && !cancellation.is_cancelled()
            });
            let stopped = stopped.map_err(|error| damaged(held, error))?;
            at += stopped - start;
            if sink.size(&made) > PART_BYTES && at < piece.rows.rows {
                next = Some(at);
                break;
            }
        }
        let stats = if from == 0 { piece.stats.clone() } else { Stats::default() };
        Ok((Answer { made, events, stats }, next))
    }

    fn size(&self, answer: &Answer<S::Made>) -> usize {
        self.sink.size(&answer.made)
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// The rows of a block that are of a stretch of the wall clock.
fn rows_within(block: &Block, range: &Range<i64>) -> format::Result<Range<usize>> {
    let (times, clock) = (block.times()?, block.clock());
    let before = |end: i64| times.partition_point(|time| (clock.wall(*time) as i64) < end);
    let from = before(range.start);
    Ok(from..before(range.end).max(from))
}

/// What the sink remembers of a job's batch; what it remembers of another where there are enough.
fn slot<'s, S: Sink>(
    sink: &S,
    slots: &'s mut Vec<(usize, S::Worker)>,
    next: &mut usize,
    job: usize,
    batches: usize,
) -> Option<&'s mut S::Worker> {
    let at = match slots.iter().position(|(known, _)| *known == job) {
        Some(at) => at,
        None => {
            let most = batches.clamp(1, MOST_SLOTS);
            let at = if slots.len() < most {
                slots.push((job, sink.worker()));
                slots.len() - 1
            } else {
                *next = (*next + 1) % slots.len();
                *next
            };
            if let Some((known, worker)) = slots.get_mut(at) {
                *known = job;
                sink.block(worker);
            }
            at
        }
    };
    slots.get_mut(at).map(|(_, worker)| worker)
}
