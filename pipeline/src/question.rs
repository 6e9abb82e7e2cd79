//! A question asked of a source: blocks are chosen, matched, put in order and handed to a sink on several threads; the
//! answer is the same whatever the number of threads.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use crate::batch::Batch;
use crate::cancellation::Cancellation;
use crate::choosing::Choice;
use crate::job::Job;
use crate::looking::{Looking, Through};
use crate::matching::Matcher;
use crate::order::PIECE_ROWS;
use crate::planning::{Planned, Prepared};
use crate::schedule::{self, Next, Work};
use crate::sink::{Nothing, Projection, Sink};
use crate::slices::Meter;
use crate::source::{BlockRef, File, Host, Source};
use crate::state::State;
use crate::stats::Stats;
use crate::text::Texts;
use crate::{Error, EventView, Output, Result};

/// Bytes of decoded columns that may wait, unless somebody says otherwise.
pub const WAITING_BYTES: usize = 256 << 20;

/// What is asked, of what.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    pub source: &'a Source,
    /// By file of the source.
    pub matchers: Vec<Matcher<'a>>,
    pub threads: usize,
    /// Leaves out so many events at the beginning. Blocks that have nothing else are not read, where statistics say how many
    /// events they have.
    pub skip: u64,
    /// No more events than this.
    pub limit: Option<u64>,
    /// Only events of this stretch of the wall clock, ns since the epoch, without its end.
    pub range: Option<Range<i64>>,
    /// The first damaged block ends the answer; otherwise it is a gap in it.
    pub strict: bool,
    /// Bytes of decoded columns that may wait where the blocks of many files overlap. What is beyond waits encoded.
    pub waiting_bytes: usize,
    /// How much was held while it was answered.
    pub meter: Meter,
    /// Whoever asks may stop it.
    pub cancellation: Cancellation,
    /// Only rows of these blocks, by file of the source and number in it; `None`: of all. What goes from block to block is
    /// still read from the others.
    pub among: Option<Arc<BTreeSet<(usize, usize)>>>,
}

impl<'a> Question<'a> {
    /// All that matches, on one thread. `matchers` are by file of the source.
    pub fn new(source: &'a Source, matchers: Vec<Matcher<'a>>) -> Question<'a> {
        Question {
            source,
            matchers,
            threads: 1,
            skip: 0,
            limit: None,
            range: None,
            strict: false,
            waiting_bytes: WAITING_BYTES,
            meter: Meter::default(),
            cancellation: Cancellation::default(),
            among: None,
        }
    }

    /// Whether something goes from block to block for its sake: who descends from whom, what streams of packets say.
    pub fn has_state(&self) -> bool {
        State::new(self.source, &self.matchers).is_some()
    }

    /// The blocks that statistics do not rule out, in order of their first rows.
    pub fn chosen_blocks(&self) -> Vec<BlockRef> {
        let (jobs, _) = Choice { question: self, scans: None }.jobs();
        jobs.into_iter().map(|job| job.reference).collect()
    }

    /// The number of events that match.
    pub fn count(&self) -> Result<Stats> {
        let mut stats = self.run(&Count, true, &mut |()| Ok(ControlFlow::Continue(())))?;
        stats.matched = stats.matched.saturating_sub(self.skip);
        if let Some(limit) = self.limit {
            stats.matched = stats.matched.min(limit);
        }
        Ok(stats)
    }

    /// Renders the events that match; `deliver` gets the bytes of each output in order.
    pub fn print(
        &self,
        outputs: &[&dyn Output],
        deliver: &mut dyn FnMut(usize, &[u8]) -> io::Result<()>,
    ) -> Result<Stats> {
        let texts = Texts::new(outputs, self.limit.is_some());
        self.ask(&texts, &mut |text| {
            for (output, bytes) in text.bytes.iter().enumerate() {
                if !bytes.is_empty() {
                    deliver(output, bytes)?;
                }
            }
            texts.give_back(text);
            Ok(ControlFlow::Continue(()))
        })
    }

    /// Hands the events that match to a sink; `deliver` gets what pieces of the answer became, in order, and says whether
    /// to go on.
    pub fn ask<S: Sink>(
        &self,
        sink: &S,
        deliver: &mut dyn FnMut(S::Made) -> Result<ControlFlow<()>>,
    ) -> Result<Stats> {
        self.run(sink, false, deliver)
    }

    fn run<S: Sink>(
        &self,
        sink: &S,
        counts: bool,
        deliver: &mut dyn FnMut(S::Made) -> Result<ControlFlow<()>>,
    ) -> Result<Stats> {
        let (mut plan, mut stats) = Prepared::new(self)?;
        let skip = plan.skip(self, counts, &mut stats);
        let (work, steps) = plan.parts(self, sink, counts, skip);
        let threads = match &plan.jobs {
            // Not more threads than there are blocks to read or pieces to make.
            Planned::Known(jobs) => {
                let rows = jobs.iter().map(|job| job.reference.rows as usize);
                let pieces = rows.sum::<usize>().div_ceil(PIECE_ROWS);
                self.threads.min(pieces.max(jobs.len()))
            }
            Planned::Arriving(_) => self.threads,
        };
        let mut left = if counts { u64::MAX } else { self.limit.unwrap_or(u64::MAX) };
        if left == 0 {
            return Ok(stats);
        }
        schedule::run(threads, plan.jobs.take(), &work, steps, |answer| {
            stats.add(answer.stats);
            let mut made = answer.made;
            let events = answer.events.min(left);
            if events < answer.events {
                sink.truncate(&mut made, events as usize);
            }
            left -= events;
            stats.matched = stats.matched.saturating_add(events);
            let flow = deliver(made)?;
            Ok(if left == 0 { ControlFlow::Break(()) } else { flow })
        })?;
        plan.finish(self, &mut stats)?;
        Ok(stats)
    }

    /// The blocks that are to be read, in order, where they are known before and no state has to be told of them.
    pub(crate) fn known_jobs(&self) -> Option<(VecDeque<Job>, Stats)> {
        let has_state = State::new(self.source, &self.matchers).is_some();
        let choice = Choice { question: self, scans: None };
        (!has_state && !self.source.is_growing()).then(|| choice.jobs())
    }

    /// Whether rows of a stretch of a host's boot clock may be of the time that is asked for. A block's own clock decides when
    /// it is read.
    pub(crate) fn is_in_range(&self, host: &Host, first_ns: u64, last_ns: u64) -> bool {
        let Some(range) = &self.range else { return true };
        let (first, last) = host.clock().wall_between(first_ns, last_ns);
        let tolerance = format::CLOCK_TOLERANCE_NS as i64;
        range.start <= last.saturating_add(tolerance) && range.end > first.saturating_sub(tolerance)
    }

    /// Whether all rows of such a stretch are of that time.
    pub(crate) fn is_whole_in_range(&self, host: &Host, first_ns: u64, last_ns: u64) -> bool {
        let Some(range) = &self.range else { return true };
        let (first, last) = host.clock().wall_between(first_ns, last_ns);
        let tolerance = format::CLOCK_TOLERANCE_NS as i64;
        range.start <= first.saturating_sub(tolerance) && range.end > last.saturating_add(tolerance)
    }

    /// Calls `see` with each event that matches, in order of time, on this thread.
    pub fn each(&self, see: &mut dyn FnMut(&File, &EventView<'_>)) -> Result<Stats> {
        self.each_in_block(&mut |file, _, view| see(file, view))
    }

    /// Calls `see` with each event that matches and its block; see [`Question::batches`].
    pub fn each_in_block(&self, see: &mut dyn FnMut(&File, BlockRef, &EventView<'_>)) -> Result<Stats> {
        let mut matched = 0;
        let mut stats = self.batches(Projection::ALL, &mut |batch| {
            let (file, reference) = (batch.file(), batch.reference());
            let events = batch.each(&mut |view| see(file, reference, view));
            matched += events.map_err(|source| Error::Capture { file: file.name.clone(), source })?;
            Ok(())
        })?;
        stats.matched = matched;
        Ok(stats)
    }

    /// Calls `see` with what each block has for the question, block by block in order of their first rows, on this
    /// thread. Within a block rows are in order of time; blocks of several hosts may overlap.
    pub fn batches(
        &self,
        projection: Projection,
        see: &mut dyn FnMut(&Batch<'_>) -> Result<()>,
    ) -> Result<Stats> {
        let (mut plan, mut stats) = Prepared::new(self)?;
        let sink = Nothing(projection);
        let (work, mut steps) = plan.parts(self, &sink, false, 0);
        let mut worker = work.worker();
        let mut ready = VecDeque::new();
        let mut jobs = plan.jobs.take();
        loop {
            match jobs.next() {
                Next::Later => continue,
                Next::End => break,
                Next::Job(job) if work.scans() => {
                    let scanned = work.scan(&mut worker, &job);
                    steps.advance(job, scanned, &mut ready);
                    while let Some((job, input)) = ready.pop_front() {
                        if let Some(held) = steps.take(work.find(&mut worker, &job, Some(input)))? {
                            see(&held.batch)?;
                        }
                    }
                }
                Next::Job(job) => {
                    if let Some(held) = steps.take(work.find(&mut worker, &job, None))? {
                        see(&held.batch)?;
                    }
                }
            }
        }
        steps.check()?;
        stats.add(steps.stats);
        plan.finish(self, &mut stats)?;
        Ok(stats)
    }

    /// Calls `look` with what each block has for the question, on any of the threads, and `take` with the same and what that
    /// gave, on this thread, in the order of [`Question::batches`].
    pub fn batches_in_parallel<T: Send>(
        &self,
        projection: Projection,
        look: &(dyn Fn(&Batch<'_>) -> T + Sync),
        take: &mut dyn FnMut(&Batch<'_>, T) -> Result<()>,
    ) -> Result<Stats> {
        let (mut plan, mut stats) = Prepared::new(self)?;
        let sink = Nothing(projection);
        let (asking, steps) = plan.parts(self, &sink, false, 0);
        let threads = match &plan.jobs {
            Planned::Known(jobs) => self.threads.min(jobs.len()).max(1),
            Planned::Arriving(_) => self.threads,
        };
        let work = Looking { asking, look };
        schedule::run(threads, plan.jobs.take(), &work, Through(steps), |taken| {
            stats.add(taken.stats);
            if let Some((held, seen)) = taken.batch {
                take(&held.batch, seen)?;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        plan.finish(self, &mut stats)?;
        Ok(stats)
    }
}

/// Events that are counted where they stand.
struct Count;

impl Sink for Count {
    type Worker = ();
    type Made = ();

    fn projection(&self) -> Projection {
        Projection::NONE
    }

    fn is_ordered(&self) -> bool {
        false
    }

    fn worker(&self) {}

    fn begin(&self) {}

    fn event(&self, _: &mut (), _: &EventView<'_>, _: &mut ()) {}

    fn size(&self, _: &()) -> usize {
        0
    }

    fn truncate(&self, _: &mut (), _: usize) {}
}
