//! What threads do for a question: read blocks, match them, turn pieces of rows into what a sink makes of them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::batch::{Batch, Rows};
use crate::block_pruning::Pruning;
use crate::derive::{Derived, DerivedRows};
use crate::gap::Gap;
use crate::held::Held;
use crate::job::Job;
use crate::matching::{Buffers, Facts, Matcher};
use crate::order;
use crate::question::Question;
use crate::schedule::Work;
use crate::sink::Sink;
use crate::slices::{Slicer, Slicing};
use crate::source::{File, Host};
use crate::stage::{self, Row};
use crate::state::{Ready, Scans};
use crate::stats::Stats;
use crate::{Error, Result};
use format::{Block, Scratch};
use scopes::Lineage;

/// Bytes of a part of a piece, nearly: rows are small, but a file may say that each of them is not.
const PART_BYTES: usize = 8 << 20;
/// Batches that a thread remembers something of for a sink, at most: in a piece there may be rows of hundreds of hosts.
const MOST_SLOTS: usize = 256;

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
    pub slicing: Arc<Slicing>,
}

/// What a thread keeps.
pub(crate) struct Worker<W> {
    scratch: Scratch,
    buffers: Buffers,
    derived: Derived,
    slicer: Option<Box<Slicer>>,
    /// What the sink remembers of batches, by job.
    slots: Vec<((usize, usize), W)>,
    /// The slot that is given to the next batch.
    next_slot: usize,
}

/// What looking through a block for the state gave.
pub(crate) struct Looked {
    /// What is read of it decoded. `None` where `rows` says what is wrong with it, where there is none, and where nothing is
    /// read of it: a block that the state may rule out is not opened before its turn.
    pub block: Option<format::Result<Arc<Block>>>,
    pub rows: format::Result<Vec<Row>>,
}

/// A block to be matched; or why it cannot be; `None` where there is none.
pub(crate) type Input = format::Result<Option<Ready>>;

/// What matching a block came to.
pub(crate) enum Found<'q> {
    Batch(Box<Held<'q>>, Read),
    /// By what the state knows, no row of it matches.
    Skipped {
        rows: u64,
        bytes: u64,
    },
    /// It ends the answer, whatever is done about damage.
    Failed(Error),
    Nothing,
}

/// What reading a block came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Read {
    pub rows: u64,
    pub decompressed: u64,
    /// Events that were only counted.
    pub counted: u64,
    pub is_end: bool,
}

impl Read {
    fn of(batch: &Batch<'_>) -> Read {
        Read {
            rows: batch.block.rows() as u64,
            decompressed: batch.block.decompressed(),
            counted: batch.selection.counted,
            is_end: batch.taken.is_end,
        }
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
        Ready { block, lineage, mut taken }: Ready,
    ) -> format::Result<Found<'q>> {
        let reference = job.reference;
        let file = self.question.source.file(reference);
        let matcher = self.question.matchers.get(reference.file);
        let (Some(file), Some(matcher), Some(host)) = (file, matcher, &job.host) else {
            return Ok(Found::Nothing);
        };
        let matcher = matcher.of_host(host.number);
        if let Some(lineage) = &lineage
            && let Some(skipped) = ruled_out(lineage, matcher, file, host, reference.block)
        {
            return Ok(skipped);
        }
        let block = match block {
            Some(block) => block,
            None => self.open(worker, job)?,
        };
        if block.host() != host.number {
            return Ok(Found::Nothing);
        }
        if let Some(lineage) = &lineage {
            taken.lineage = block.contexts()?.iter().map(|context| lineage.bits(&context)).collect();
        }
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
        let derived = DerivedRows::default();
        let mut batch = Batch {
            block,
            reference,
            file,
            host,
            matcher,
            taken,
            selection,
            derived,
            origins: Vec::new(),
            projection,
        };
        batch.derive(&mut worker.derived)?;
        if self.counts {
            batch.selection.counted += batch.events();
            batch.selection.rows.clear();
            batch.derived = DerivedRows::default();
        } else if !batch.is_empty() {
            batch.decode()?;
        }
        let read = Read::of(&batch);
        Ok(match self.hold(worker, job, batch) {
            Ok(held) => Found::Batch(Box::new(held), read),
            Err(error) => Found::Failed(error),
        })
    }

    /// Has a batch wait for its turn: whole, or where too much waits, in slices.
    fn hold(&self, worker: &mut Worker<S::Worker>, job: &Job, mut batch: Batch<'q>) -> Result<Held<'q>> {
        let (mut bytes, mut rest, mut slice) = (batch.memory(), None, 0);
        if self.sink.is_ordered() && !batch.is_empty() && self.slicing.is_needed(bytes) {
            let slicer = worker.slicer.get_or_insert_default();
            match slicer.cut(batch, &self.slicing)? {
                Ok(cut) => {
                    let Some((first, behind)) = cut.open()? else { return Err(Error::Worker) };
                    (bytes, rest, slice) = (first.memory(), Some(behind), 1);
                    batch = first;
                }
                Err(whole) => batch = whole,
            }
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        self.slicing.begin(bytes, slice == 0);
        let (held, slicing) = (Arc::clone(&self.held), Arc::clone(&self.slicing));
        Ok(Held { of: (job.number, slice), batch, rest, bytes, held, slicing })
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
        let key = |boot_ns| job.host.as_ref().map_or(boot_ns, |host| host.key(boot_ns));
        stage::scan(self.scans.as_ref().map_or(&[], Scans::reads), key, block, false)
    }
}

impl<'q, S: Sink> Work for Asking<'q, S> {
    type Job = Job;
    type Worker = Worker<S::Worker>;
    type Scanned = Looked;
    type Input = Input;
    type Found = Result<Found<'q>, Gap>;
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
            slicer: None,
            slots: Vec::new(),
            next_slot: 0,
        }
    }

    fn scan(&self, worker: &mut Self::Worker, job: &Job) -> Looked {
        if !job.is_told {
            // A block that arrived is at hand.
            return Looked { block: job.block.clone().map(Ok), rows: Ok(Vec::new()) };
        }
        match self.open(worker, job) {
            Ok(block) => {
                let rows = self.look(job, &block);
                Looked { block: Some(Ok(block)), rows }
            }
            Err(error) if job.is_chosen => Looked { block: Some(Err(error)), rows: Ok(Vec::new()) },
            Err(error) => Looked { block: None, rows: Err(error) },
        }
    }

    fn find(&self, worker: &mut Self::Worker, job: &Job, input: Option<Self::Input>) -> Self::Found {
        let input = match input {
            Some(input) => input,
            None if job.is_empty() => Ok(None),
            None => Ok(Some(Ready::default())),
        };
        let found = match input {
            Ok(_) if self.question.cancellation.is_cancelled() => Ok(Found::Nothing),
            Ok(Some(ready)) => self.match_block(worker, job, ready),
            Ok(None) => Ok(Found::Nothing),
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
        let Worker { slots, next_slot, .. } = worker;
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
        let mut skip = if from == 0 { piece.rows.skip } else { 0 };
        for run in &piece.rows.runs {
            let skipped = from.saturating_sub(at).min(run.rows.len());
            at += skipped;
            let (Some(rows), Some(held)) = (rows.get(run.batch), batches.get(run.batch)) else { continue };
            let range = run.rows.start + skipped..run.rows.end;
            if range.is_empty() {
                continue;
            }
            let Some(slot) = slot(sink, slots, next_slot, held.of, batches.len()) else { continue };
            let start = range.start;
            let stopped = rows.each(range.clone(), &mut |event| {
                if skip > 0 {
                    skip -= 1;
                    return true;
                }
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

/// Whether a block can be left unread, since nobody in it has an ancestor that is asked for.
fn ruled_out(
    lineage: &Lineage,
    matcher: &Matcher<'_>,
    file: &File,
    host: &Host,
    block: usize,
) -> Option<Found<'static>> {
    // Of a block that arrived no file knows anything.
    let segment = file.capture.segment(file.capture.segment_of(block)).ok()?;
    let info = segment.blocks.get(block.checked_sub(segment.first_block)?)?;
    let pruning = Pruning::new(matcher, file, host);
    let may_match = pruning.may_match(&info.statistics, |rows| lineage.ancestry(matcher.plan(), rows));
    (!may_match).then_some(Found::Skipped { rows: info.statistics.rows, bytes: info.bytes })
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
    slots: &'s mut Vec<((usize, usize), S::Worker)>,
    next: &mut usize,
    of: (usize, usize),
    batches: usize,
) -> Option<&'s mut S::Worker> {
    let at = match slots.iter().position(|(known, _)| *known == of) {
        Some(at) => at,
        None => {
            let most = batches.clamp(1, MOST_SLOTS);
            let at = if slots.len() < most {
                slots.push((of, sink.worker()));
                slots.len() - 1
            } else {
                *next = (*next + 1) % slots.len();
                *next
            };
            if let Some((known, worker)) = slots.get_mut(at) {
                *known = of;
                sink.block(worker);
            }
            at
        }
    };
    slots.get_mut(at).map(|(_, worker)| worker)
}
