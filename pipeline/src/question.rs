//! A question asked of a source: blocks are chosen, matched, put in order and handed to a sink on several threads; the
//! answer is the same whatever the number of threads.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use scopes::pruning::Ancestry;

use crate::arriving::Arriving;
use crate::batch::Batch;
use crate::cancellation::Cancellation;
use crate::clock::TOLERANCE_NS;
use crate::gap::Gap;
use crate::looking::{Looking, Through};
use crate::matching::Matcher;
use crate::order::{Order, PIECE_ROWS};
use crate::pruning::Pruning;
use crate::schedule::{self, Jobs, Next, Work};
use crate::sink::{Nothing, Projection, Sink};
use crate::slices::{Meter, Slicing};
use crate::source::{BlockRef, File, Host, Source};
use crate::stage::Stage;
use crate::state::{Scans, State};
use crate::steps::Steps;
use crate::text::Texts;
use crate::worker::{Asking, Bound, Job};
use crate::{Error, EventView, Output, Result};

/// Fewer files than this for each thread, and one thread chooses among them.
const FILES_PER_THREAD: usize = 16;

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
}

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
    fn add(&mut self, more: Stats) {
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
        }
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
        (!has_state && !self.source.is_growing()).then(|| self.choose(None))
    }

    /// What is to be read, in order: blocks that statistics do not rule out, and those that the state is told of.
    fn choose(&self, scans: Option<&Scans>) -> (VecDeque<Job>, Stats) {
        let files = self.source.files();
        let threads = self.threads.min(files.len() / FILES_PER_THREAD).max(1);
        let (mut jobs, mut stats) = (Vec::new(), Vec::new());
        if threads == 1 {
            stats.push(self.choose_among(0..files.len(), scans, &mut jobs));
        } else {
            let step = files.len().div_ceil(threads);
            let parts: Vec<_> = std::thread::scope(|scope| {
                let starts = (0..files.len()).step_by(step);
                let started: Vec<_> = starts
                    .map(|start| {
                        scope.spawn(move || {
                            let (mut jobs, files) = (Vec::new(), start..(start + step).min(files.len()));
                            let stats = self.choose_among(files, scans, &mut jobs);
                            (jobs, stats)
                        })
                    })
                    .collect();
                started.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
            });
            for (part, of_part) in parts {
                jobs.extend(part);
                stats.push(of_part);
            }
        }
        if jobs.iter().any(|job| job.is_chosen) && scans.is_some_and(Scans::has_ends) {
            jobs.extend(self.source.last_blocks().into_iter().filter_map(|last| self.end(last)));
        }
        jobs.sort_by_key(|job| job.reference);
        // Behind the last chosen block nobody asks.
        let end =
            jobs.iter().rposition(|job| job.is_chosen || job.end.is_some()).and_then(|last| jobs.get(last));
        let end =
            end.map_or(0, |last| jobs.partition_point(|job| job.reference.first <= last.reference.last));
        jobs.truncate(end);
        let mut next = Bound::NONE;
        for job in jobs.iter_mut().rev() {
            job.next = next;
            next.any = Some(job.reference.first);
            if job.is_chosen || job.end.is_some() {
                next.chosen = Some((job.reference.first, job.reference.boot));
            }
        }
        for (number, job) in jobs.iter_mut().enumerate() {
            job.number = number;
        }
        let mut all = Stats::default();
        stats.into_iter().for_each(|stats| all.add(stats));
        (jobs.into(), all)
    }

    /// The same for some of the files, in no order.
    fn choose_among(&self, files: Range<usize>, scans: Option<&Scans>, jobs: &mut Vec<Job>) -> Stats {
        let mut stats = Stats::default();
        for number in files.take_while(|_| !self.cancellation.is_cancelled()) {
            let Some((file, matcher)) = self.source.files().get(number).zip(self.matchers.get(number)) else {
                continue;
            };
            for (segment, summary) in file.capture.segments().enumerate() {
                // What is known of a whole segment comes first: its blocks need not be looked at then.
                if scans.is_none()
                    && let [host] = file.hosts.as_slice()
                    && !self.is_in_range(host, summary.first_ns, summary.last_ns)
                {
                    stats.blocks_skipped += summary.blocks as u64;
                    stats.rows_skipped += summary.rows;
                    stats.bytes_skipped += summary.bytes;
                    continue;
                }
                file.each_block(number, segment, &mut |reference, info| {
                    let it = &info.statistics;
                    let host = file.host(info.host());
                    let is_chosen = host.is_some_and(|host| {
                        self.is_in_range(host, it.first_ns, it.last_ns)
                            && Pruning::new(matcher.of_host(info.host()), file, host)
                                .may_match(it, |_| Ancestry::Unknown)
                    });
                    if !is_chosen {
                        stats.blocks_skipped += 1;
                        stats.rows_skipped += it.rows;
                        stats.bytes_skipped += info.bytes;
                    }
                    let is_told = scans.is_some_and(|scans| scans.has_rows(reference, info));
                    if is_chosen || is_told {
                        let host = host.map(Arc::clone);
                        jobs.push(Job { reference, host, is_chosen, is_told, ..Job::default() });
                    }
                });
            }
        }
        stats
    }

    /// Whether rows of a stretch of a host's boot clock may be of the time that is asked for. A block's own clock decides when
    /// it is read.
    pub(crate) fn is_in_range(&self, host: &Host, first_ns: u64, last_ns: u64) -> bool {
        let Some(range) = &self.range else { return true };
        let (first, last) = host.clock().wall_between(first_ns, last_ns);
        let tolerance = TOLERANCE_NS as i64;
        range.start <= last.saturating_add(tolerance) && range.end > first.saturating_sub(tolerance)
    }

    /// Whether all rows of such a stretch are of that time.
    pub(crate) fn is_whole_in_range(&self, host: &Host, first_ns: u64, last_ns: u64) -> bool {
        let Some(range) = &self.range else { return true };
        let (first, last) = host.clock().wall_between(first_ns, last_ns);
        let tolerance = TOLERANCE_NS as i64;
        range.start <= first.saturating_sub(tolerance) && range.end > last.saturating_add(tolerance)
    }

    /// The job in which it is told what is left when a boot's rows end; `None` when that is of no time that is asked for.
    fn end(&self, last: BlockRef) -> Option<Job> {
        let file = self.source.file(last)?;
        let hosts = (0u16..).zip(&file.hosts).filter(|(_, host)| host.boot == last.boot);
        let ends = hosts.map(|(number, host)| Some((host, file.recording_end(number)?)));
        // Where a cut left rows out behind this file, what waits for them is no news of this time.
        let ends: Vec<_> = ends.collect::<Option<_>>()?;
        let is_in_range = |range: &Range<i64>| ends.iter().any(|(host, end)| host.wall(*end) < range.end);
        if !self.range.as_ref().is_none_or(is_in_range) {
            return None;
        }
        let (host, end) = ends.first()?;
        let reference = last.end(host.key(*end).max(last.last));
        Some(Job { reference, host: Some(Arc::clone(host)), end: Some(*end), ..Job::default() })
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

/// A question's jobs, and the state that they need.
struct Prepared<'q> {
    jobs: Planned<'q>,
    state: Option<State<'q>>,
}

/// The jobs of a question, until they are done.
enum Planned<'q> {
    Known(VecDeque<Job>),
    Arriving(Box<Arriving<'q>>),
}

impl Planned<'_> {
    fn take(&mut self) -> Jobs<'_, Job> {
        match self {
            Planned::Known(jobs) => Jobs::Known(std::mem::take(jobs)),
            Planned::Arriving(jobs) => Jobs::Arriving(&mut **jobs),
        }
    }
}

impl<'q> Prepared<'q> {
    fn new(question: &'q Question<'q>) -> Result<(Prepared<'q>, Stats)> {
        let state = State::new(question.source, &question.matchers);
        let scans = state.as_ref().map(State::scans);
        if !question.source.is_growing() {
            let (jobs, stats) = question.choose(scans.as_ref());
            return Ok((Prepared { jobs: Planned::Known(jobs), state }, stats));
        }
        let file = question.source.files().first();
        let (Some(file), Some(feed)) = (file, question.source.take_feed()) else { return Err(Error::Spent) };
        let jobs = Box::new(Arriving::new(question, file, scans, feed));
        Ok((Prepared { jobs: Planned::Arriving(jobs), state }, Stats::default()))
    }

    /// What is known once all jobs are done.
    fn finish(self, question: &Question<'_>, stats: &mut Stats) -> Result<()> {
        if let Planned::Arriving(jobs) = self.jobs {
            stats.add(jobs.stats);
            if let Some(source) = jobs.failed {
                let file = question.source.files().first().map(|file| file.name.clone());
                return Err(Error::Capture { file: file.unwrap_or_default(), source });
            }
        }
        question.cancellation.check()
    }

    /// Blocks that overlap at some time, at most.
    fn overlap(&self, source: &Source) -> usize {
        let Planned::Known(jobs) = &self.jobs else {
            // Of a recording that goes on a few blocks wait for each host.
            return source.files().iter().map(|file| file.hosts.len() * 4).sum();
        };
        let mut lasts = BinaryHeap::new();
        let mut most = 0;
        for BlockRef { first, last, .. } in jobs.iter().filter(|job| job.is_chosen).map(|job| job.reference) {
            while lasts.peek().is_some_and(|Reverse(last)| *last < first) {
                lasts.pop();
            }
            lasts.push(Reverse(last));
            most = most.max(lasts.len());
        }
        most
    }

    /// Leaves out blocks that are skipped whole; returns how many events are still to be skipped.
    fn skip(&mut self, question: &Question<'_>, counts: bool, stats: &mut Stats) -> u64 {
        match &mut self.jobs {
            // What is counted is taken off the sum.
            _ if counts => 0,
            Planned::Known(jobs) if self.state.is_none() => question.skip_blocks(jobs, stats),
            _ => question.skip,
        }
    }

    fn parts<'p, S: Sink>(
        &self,
        question: &'p Question<'p>,
        sink: &'p S,
        counts: bool,
        skip: u64,
    ) -> (Asking<'p, S>, Steps<'p>)
    where
        'q: 'p,
    {
        let work = Asking {
            question,
            sink,
            scans: self.state.as_ref().map(State::scans),
            counts,
            held: Arc::new(AtomicUsize::new(0)),
            slicing: Arc::new(Slicing::new(
                self.overlap(question.source),
                question.waiting_bytes,
                question.meter.clone(),
            )),
        };
        let stage = self.state.clone().map(|state| {
            let beginnings = state.beginnings();
            let mut stage = Stage::new(state);
            beginnings.into_iter().for_each(|(time, file, host)| stage.begin(time, file, host));
            stage
        });
        let steps = Steps {
            question,
            is_ordered: sink.is_ordered(),
            stage,
            order: Order::new(skip),
            stats: Stats::default(),
        };
        (work, steps)
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
