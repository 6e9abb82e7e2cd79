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
//! Serial steps are done by whichever thread is free, outside of the lock.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, PoisonError, mpsc};

use crate::{Error, Result};

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
    fn scan(&self, worker: &mut Self::Worker, job: usize) -> Self::Scanned;
    fn find(&self, worker: &mut Self::Worker, job: usize, input: Option<Self::Input>) -> Self::Found;
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
    fn scanned(&mut self, job: usize, scanned: W::Scanned, ready: &mut VecDeque<(usize, W::Input)>);
    /// Takes what finding gave, in the order in which jobs became ready; plans pieces. An error ends the answer after
    /// the pieces that were planned before it.
    fn found(&mut self, job: usize, found: W::Found, pieces: &mut VecDeque<W::Piece>) -> Result<()>;
    /// Plans what is left.
    fn finish(&mut self, pieces: &mut VecDeque<W::Piece>) -> Result<()>;
}

/// Does jobs `0..jobs`; `consume` takes what pieces became on this thread, in order, and may stop the run. With one
/// thread all of it happens here, and in the same order.
pub(crate) fn run<W: Work>(
    threads: usize,
    jobs: usize,
    work: &W,
    mut serial: impl Serial<W>,
    mut consume: impl FnMut(W::Made) -> Result<ControlFlow<()>>,
) -> Result<()> {
    if threads <= 1 {
        return alone(jobs, work, &mut serial, &mut consume);
    }
    let team = Team { work, threads, shared: Mutex::new(Shared::new(jobs, serial)), moved: Condvar::new() };
    std::thread::scope(|scope| {
        // However this ends, nobody is to wait for it.
        let _stop = Stop(&team, || true);
        let (sender, results) = mpsc::channel();
        for started in 0..threads {
            let (sender, team) = (sender.clone(), &team);
            match std::thread::Builder::new().spawn_scoped(scope, move || team.run(&sender)) {
                Ok(_) => {}
                Err(source) if started == 0 => return Err(Error::Thread { source }),
                // As many as the system has left.
                Err(_) => break,
            }
        }
        drop(sender);
        team.in_order(&results, &mut consume)
    })
}

fn alone<W: Work>(
    jobs: usize,
    work: &W,
    serial: &mut impl Serial<W>,
    consume: &mut impl FnMut(W::Made) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut worker = work.worker();
    let (mut ready, mut pieces) = (VecDeque::new(), VecDeque::new());
    for job in 0..=jobs {
        if job == jobs {
            serial.finish(&mut pieces)?;
        } else if work.scans() {
            let scanned = work.scan(&mut worker, job);
            serial.scanned(job, scanned, &mut ready);
        } else {
            let found = work.find(&mut worker, job, None);
            serial.found(job, found, &mut pieces)?;
        }
        while let Some((job, input)) = ready.pop_front() {
            let found = work.find(&mut worker, job, Some(input));
            serial.found(job, found, &mut pieces)?;
            if make_all(work, &mut worker, &mut pieces, consume)?.is_break() {
                return Ok(());
            }
        }
        if make_all(work, &mut worker, &mut pieces, consume)?.is_break() {
            return Ok(());
        }
    }
    Ok(())
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

struct Team<'w, W: Work, S> {
    work: &'w W,
    threads: usize,
    shared: Mutex<Shared<W, S>>,
    moved: Condvar,
}

/// What threads agree on under one lock.
struct Shared<W: Work, S> {
    jobs: usize,
    /// The serial steps; `None` while a thread is at them.
    serial: Option<S>,
    /// The next job to be scanned or, where nothing is scanned, to be matched.
    next: usize,
    /// What was scanned, by job, and the first job that was not handed to the serial step.
    scanned: BTreeMap<usize, W::Scanned>,
    to_advance: usize,
    /// Jobs that can be matched, in order.
    ready: VecDeque<(usize, W::Input)>,
    /// How many jobs were taken to be matched; what was found, by its number among them; the first of these that was not
    /// handed to the serial step.
    taken: usize,
    found: BTreeMap<usize, (usize, W::Found)>,
    to_arrange: usize,
    /// Planned pieces that nobody has taken, and the number of the first. An error is the last of them.
    pieces: VecDeque<Result<W::Piece>>,
    next_piece: usize,
    /// No piece will be planned any more.
    is_planned: bool,
    /// The piece that is to be consumed next.
    awaited: usize,
    /// A piece of which part was consumed, and the rest may be made.
    goes_on: Option<usize>,
    /// Pieces that were taken and not consumed.
    under_way: usize,
    /// Bytes of the largest piece of late; `None` before the first.
    largest: Option<usize>,
    stopped: bool,
}

/// What a thread does next.
enum Task<W: Work, S> {
    Advance(S, usize, W::Scanned),
    Arrange(S, usize, W::Found),
    Finish(S),
    Scan(usize),
    Find { number: usize, job: usize, input: Option<W::Input> },
    Make(usize, Result<W::Piece>),
}

/// Part of a piece, or what went wrong.
struct Made<M> {
    piece: usize,
    is_last: bool,
    made: Result<M>,
}

impl<W: Work, S: Serial<W>> Shared<W, S> {
    fn new(jobs: usize, serial: S) -> Shared<W, S> {
        Shared {
            jobs,
            serial: Some(serial),
            next: 0,
            scanned: BTreeMap::new(),
            to_advance: 0,
            ready: VecDeque::new(),
            taken: 0,
            found: BTreeMap::new(),
            to_arrange: 0,
            pieces: VecDeque::new(),
            next_piece: 0,
            is_planned: false,
            awaited: 0,
            goes_on: None,
            under_way: 0,
            largest: None,
            stopped: false,
        }
    }

    /// How many pieces may be under way.
    fn window(&self, threads: usize) -> usize {
        let most = threads * WINDOW_PER_THREAD;
        self.largest.map_or(threads, |largest| (WINDOW_BYTES / largest.max(1)).clamp(1, most))
    }

    fn weigh(&mut self, bytes: usize) {
        // A large piece is forgotten slowly: the next one may be as large.
        let before = self.largest.unwrap_or_default();
        self.largest = Some(bytes.max(before - before / 16));
    }

    fn take(&mut self, work: &W, threads: usize) -> Option<Task<W, S>> {
        if let Some(task) = self.take_serial(work) {
            return Some(task);
        }
        // Where nothing is planned, whatever is held waits for jobs that were not begun.
        let is_short = self.pieces.is_empty()
            || (self.pieces.len() < AHEAD_PER_THREAD * threads && work.held() < JOBS_PER_THREAD * threads);
        if is_short
            && !self.is_planned
            && let Some(task) = self.take_job(work, threads)
        {
            return Some(task);
        }
        // What is awaited may always be made: everything else waits for it.
        if self.next_piece != self.awaited && self.under_way >= self.window(threads) {
            return None;
        }
        let piece = self.pieces.pop_front()?;
        self.under_way += 1;
        self.next_piece += 1;
        Some(Task::Make(self.next_piece - 1, piece))
    }

    fn take_serial(&mut self, work: &W) -> Option<Task<W, S>> {
        if self.is_planned {
            return None;
        }
        let serial = self.serial.take()?;
        if let Some((job, found)) = self.found.remove(&self.to_arrange) {
            self.to_arrange += 1;
            return Some(Task::Arrange(serial, job, found));
        }
        if let Some(scanned) = self.scanned.remove(&self.to_advance) {
            self.to_advance += 1;
            return Some(Task::Advance(serial, self.to_advance - 1, scanned));
        }
        let scanned = !work.scans() || self.to_advance == self.jobs;
        if self.next == self.jobs && scanned && self.ready.is_empty() && self.to_arrange == self.taken {
            return Some(Task::Finish(serial));
        }
        self.serial = Some(serial);
        None
    }

    fn take_job(&mut self, work: &W, threads: usize) -> Option<Task<W, S>> {
        let most = threads * JOBS_PER_THREAD;
        let may_find = self.taken < self.to_arrange + most;
        if may_find && let Some((job, input)) = self.ready.pop_front() {
            self.taken += 1;
            return Some(Task::Find { number: self.taken - 1, job, input: Some(input) });
        }
        if self.next == self.jobs || !self.ready.is_empty() {
            return None;
        }
        let job = self.next;
        if work.scans() {
            (job < self.to_advance + most).then(|| {
                self.next += 1;
                Task::Scan(job)
            })
        } else {
            may_find.then(|| {
                self.next += 1;
                self.taken += 1;
                Task::Find { number: self.taken - 1, job, input: None }
            })
        }
    }

    /// Nothing is left to take, nor will be.
    fn is_done(&self) -> bool {
        self.stopped || (self.is_planned && self.pieces.is_empty())
    }
}

impl<W: Work, S: Serial<W>> Team<'_, W, S> {
    fn change<T>(&self, change: impl FnOnce(&mut Shared<W, S>) -> T) -> T {
        let changed = change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
        changed
    }

    fn take(&self) -> Option<Task<W, S>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        while !shared.is_done() {
            if let Some(task) = shared.take(self.work, self.threads) {
                return Some(task);
            }
            shared = self.moved.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// What one thread does.
    fn run(&self, results: &mpsc::Sender<Made<W::Made>>) {
        // Who waits must not wait for what a thread that panicked does not do any more.
        let _stop = Stop(self, std::thread::panicking);
        let mut worker = self.work.worker();
        while let Some(task) = self.take() {
            match task {
                Task::Advance(mut serial, job, scanned) => {
                    let mut ready = VecDeque::new();
                    serial.scanned(job, scanned, &mut ready);
                    self.change(|shared| {
                        shared.ready.append(&mut ready);
                        shared.serial = Some(serial);
                    });
                }
                Task::Arrange(mut serial, job, found) => {
                    let mut pieces = VecDeque::new();
                    let arranged = serial.found(job, found, &mut pieces);
                    self.change(|shared| {
                        shared.pieces.extend(pieces.into_iter().map(Ok));
                        if let Err(error) = arranged {
                            shared.pieces.push_back(Err(error));
                            shared.is_planned = true;
                        }
                        shared.serial = Some(serial);
                    });
                }
                Task::Finish(mut serial) => {
                    let mut pieces = VecDeque::new();
                    let finished = serial.finish(&mut pieces);
                    self.change(|shared| {
                        shared.pieces.extend(pieces.into_iter().map(Ok));
                        shared.pieces.extend(finished.err().map(Err));
                        shared.is_planned = true;
                    });
                }
                Task::Scan(job) => {
                    let scanned = self.work.scan(&mut worker, job);
                    self.change(|shared| shared.scanned.insert(job, scanned));
                }
                Task::Find { number, job, input } => {
                    let found = self.work.find(&mut worker, job, input);
                    self.change(|shared| shared.found.insert(number, (job, found)));
                }
                // What failed stops the run once it is its turn; until then what comes before it is to be made.
                Task::Make(number, Err(error)) => {
                    let made = Made { piece: number, is_last: true, made: Err(error) };
                    if results.send(made).is_err() {
                        return;
                    }
                }
                Task::Make(number, Ok(piece)) => {
                    if !self.make(&mut worker, number, piece, results) {
                        return;
                    }
                }
            }
        }
    }

    /// Makes a piece part by part; false when nobody wants it any more.
    fn make(
        &self,
        worker: &mut W::Worker,
        number: usize,
        piece: W::Piece,
        results: &mpsc::Sender<Made<W::Made>>,
    ) -> bool {
        let mut from = 0;
        loop {
            let (made, next) = match self.work.make(worker, &piece, from) {
                Ok((made, next)) => (Ok(made), next),
                Err(error) => (Err(error), None),
            };
            if next.is_none() {
                drop(piece);
                if let Ok(made) = &made {
                    self.change(|shared| shared.weigh(self.work.size(made)));
                }
                return results.send(Made { piece: number, is_last: true, made }).is_ok();
            }
            if let Ok(made) = &made {
                self.change(|shared| shared.weigh(self.work.size(made)));
            }
            if results.send(Made { piece: number, is_last: false, made }).is_err() || !self.may_go_on(number)
            {
                return false;
            }
            from = next.unwrap_or_default();
        }
    }

    /// Waits until the part of a piece that was sent is consumed; false when the rest is not wanted any more. Pieces are
    /// taken in order, so the one that is awaited is being made or waits here, and never for another.
    fn may_go_on(&self, piece: usize) -> bool {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        while !shared.stopped {
            if shared.goes_on == Some(piece) {
                shared.goes_on = None;
                return true;
            }
            shared = self.moved.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    /// Takes pieces as they come and hands them on in order.
    fn in_order(
        &self,
        results: &mpsc::Receiver<Made<W::Made>>,
        consume: &mut impl FnMut(W::Made) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut early = BTreeMap::new();
        let mut awaited = 0;
        loop {
            let Made { piece, is_last, made } = match early.remove(&awaited) {
                Some(made) => made,
                None => match results.recv() {
                    Ok(made) => {
                        let _: Option<Made<W::Made>> = early.insert(made.piece, made);
                        continue;
                    }
                    Err(_) => break,
                },
            };
            let flow = consume(made?)?;
            if is_last {
                awaited += 1;
            }
            self.change(|shared| {
                if is_last {
                    shared.under_way -= 1;
                    shared.awaited = awaited;
                } else {
                    shared.goes_on = Some(piece);
                }
            });
            if flow.is_break() {
                return Ok(());
            }
        }
        // All threads have ended: at the end, or one of them without its result.
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let is_whole = shared.is_planned && shared.pieces.is_empty() && shared.next_piece == awaited;
        if is_whole { Ok(()) } else { Err(Error::Worker) }
    }
}

/// Stops all threads when it is dropped, if it is true then.
struct Stop<'t, 'w, W: Work, S: Serial<W>>(&'t Team<'w, W, S>, fn() -> bool);

impl<W: Work, S: Serial<W>> Drop for Stop<'_, '_, W, S> {
    fn drop(&mut self) {
        if self.1() {
            self.0.change(|shared| shared.stopped = true);
        }
    }
}

#[cfg(test)]
mod tests;
