//! The steps of an answer on several threads: which thread does what next, and how much is under way.
//!
//! ```text
//! scan   job 0 | job 1 | job 2 |             on any thread, only where matching needs the state of processes
//!              serial: state brought forward     one thread at a time, in order
//! find         job 0 | job 1 | job 2         on any thread
//!                    serial: rows in order       one thread at a time, in order
//! make               piece 0 | piece 1 | piece 2 ...         on any thread
//! consume                    piece 0 | piece 1 ...           the calling thread, in order
//! ```
//! Serial steps are done by whichever thread is free, outside of the lock. Jobs may be known from the beginning, or arrive while
//! the others are done; then one more thread waits for them.

mod team;

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::Result;

/// Pieces that may be under way or wait for an earlier one, for each thread.
const WINDOW_PER_THREAD: usize = 3;
/// Bytes of pieces that may be under way or wait, as far as that can be told from those that there were.
const WINDOW_BYTES: usize = 64 << 20;
/// Fewer planned pieces than this for each thread, and the next job is begun.
const AHEAD_PER_THREAD: usize = 4;
/// Jobs that may be begun before an earlier one is done, for each thread.
const JOBS_PER_THREAD: usize = 2;

/// What is done with jobs on any thread.
pub(crate) trait Work: Sync {
    type Job: Send;
    /// What a thread keeps from step to step.
    type Worker;
    type Scanned: Send;
    /// What finding needs of the serial step before it.
    type Input: Send;
    type Found: Send;
    type Piece: Send;
    type Made: Send;

    /// Whether jobs are scanned before they are matched.
    fn scans(&self) -> bool;
    fn worker(&self) -> Self::Worker;
    fn scan(&self, worker: &mut Self::Worker, job: &Self::Job) -> Self::Scanned;
    fn find(&self, worker: &mut Self::Worker, job: &Self::Job, input: Option<Self::Input>) -> Self::Found;
    /// Makes a piece; when it grows too large, only part of it, and where to go on from. From 0 at first.
    fn make(
        &self,
        worker: &mut Self::Worker,
        piece: &Self::Piece,
        from: usize,
    ) -> Result<(Self::Made, Option<usize>)>;
    /// Bytes that what was made takes: the larger it is, the less is under way.
    fn size(&self, made: &Self::Made) -> usize;
    /// Jobs whose memory is held: found, and not all of their pieces made.
    fn held(&self) -> usize;
}

/// What is done in order, by one thread at a time.
pub(crate) trait Serial<W: Work>: Send {
    /// Takes what scanning gave, job by job; says which jobs can be matched now, in order.
    fn scanned(&mut self, job: W::Job, scanned: W::Scanned, ready: &mut VecDeque<(W::Job, W::Input)>);
    /// Takes what finding gave, in the order in which jobs became ready; plans pieces. An error ends the answer after
    /// the pieces that were planned before it.
    fn found(&mut self, job: W::Job, found: W::Found, pieces: &mut VecDeque<W::Piece>) -> Result<()>;
    /// Plans what is left.
    fn finish(&mut self, pieces: &mut VecDeque<W::Piece>) -> Result<()>;
}

/// What is to be done, in order.
pub(crate) enum Jobs<'j, J> {
    Known(VecDeque<J>),
    Arriving(&'j mut dyn Arriving<J>),
}

/// Jobs that arrive while others are done.
pub(crate) trait Arriving<J>: Send {
    /// Waits for the next job, but not for long: whoever asks may not want it any more.
    fn next(&mut self) -> Next<J>;
}

pub(crate) enum Next<J> {
    Job(J),
    /// There is none yet.
    Later,
    /// There will be no more.
    End,
}

impl<J> Jobs<'_, J> {
    pub fn next(&mut self) -> Next<J> {
        match self {
            Jobs::Known(jobs) => jobs.pop_front().map_or(Next::End, Next::Job),
            Jobs::Arriving(jobs) => jobs.next(),
        }
    }
}

/// Does all jobs; `consume` takes what pieces became on this thread, in order, and may stop the run. With one thread all of
/// it happens here, and in the same order.
pub(crate) fn run<W: Work>(
    threads: usize,
    jobs: Jobs<'_, W::Job>,
    work: &W,
    mut serial: impl Serial<W>,
    mut consume: impl FnMut(W::Made) -> Result<ControlFlow<()>>,
) -> Result<()> {
    if threads <= 1 {
        return alone(jobs, work, &mut serial, &mut consume);
    }
    team::run(threads, jobs, work, serial, &mut consume)
}

fn alone<W: Work>(
    mut jobs: Jobs<'_, W::Job>,
    work: &W,
    serial: &mut impl Serial<W>,
    consume: &mut impl FnMut(W::Made) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut worker = work.worker();
    let (mut ready, mut pieces) = (VecDeque::new(), VecDeque::new());
    loop {
        let next = jobs.next();
        let is_end = matches!(next, Next::End);
        match next {
            Next::Later => continue,
            Next::End => serial.finish(&mut pieces)?,
            Next::Job(job) if work.scans() => {
                let scanned = work.scan(&mut worker, &job);
                serial.scanned(job, scanned, &mut ready);
            }
            Next::Job(job) => {
                let found = work.find(&mut worker, &job, None);
                serial.found(job, found, &mut pieces)?;
            }
        }
        while let Some((job, input)) = ready.pop_front() {
            let found = work.find(&mut worker, &job, Some(input));
            serial.found(job, found, &mut pieces)?;
            if make_all(work, &mut worker, &mut pieces, consume)?.is_break() {
                return Ok(());
            }
        }
        if make_all(work, &mut worker, &mut pieces, consume)?.is_break() || is_end {
            return Ok(());
        }
    }
}

fn make_all<W: Work>(
    work: &W,
    worker: &mut W::Worker,
    pieces: &mut VecDeque<W::Piece>,
    consume: &mut impl FnMut(W::Made) -> Result<ControlFlow<()>>,
) -> Result<ControlFlow<()>> {
    while let Some(piece) = pieces.pop_front() {
        let mut next = Some(0);
        while let Some(from) = next {
            let (made, rest) = work.make(worker, &piece, from)?;
            if consume(made)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            next = rest;
        }
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests;
