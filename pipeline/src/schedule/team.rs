//! Several threads at the jobs of a run: what each does next is agreed on under one lock.

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, PoisonError, mpsc};

use super::{
    AHEAD_PER_THREAD, Arriving, JOBS_PER_THREAD, Jobs, Next, Serial, WINDOW_BYTES, WINDOW_PER_THREAD, Work,
};
use crate::{Error, Result};

pub(super) fn run<W: Work>(
    threads: usize,
    jobs: Jobs<'_, W::Job>,
    work: &W,
    serial: impl Serial<W>,
    consume: &mut impl FnMut(W::Made) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let (known, arriving) = match jobs {
        Jobs::Known(known) => (known, None),
        Jobs::Arriving(arriving) => (VecDeque::new(), Some(arriving)),
    };
    let shared = Shared::new(known, arriving.is_none(), serial);
    let team = Team { work, threads, shared: Mutex::new(shared), moved: Condvar::new() };
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
        if let Some(arriving) = arriving {
            let team = &team;
            let waits = std::thread::Builder::new().spawn_scoped(scope, move || team.take_in(arriving));
            waits.map_err(|source| Error::Thread { source })?;
        }
        team.in_order(&results, consume)
    })
}

struct Team<'w, W: Work, S> {
    work: &'w W,
    threads: usize,
    shared: Mutex<Shared<W, S>>,
    moved: Condvar,
}

/// What threads agree on under one lock.
struct Shared<W: Work, S> {
    /// Jobs that nobody has taken.
    jobs: VecDeque<W::Job>,
    /// No more jobs will come.
    is_fed: bool,
    /// The serial steps; `None` while a thread is at them.
    serial: Option<S>,
    /// How many jobs were taken to be scanned or, where nothing is scanned, to be matched.
    next: usize,
    /// What was scanned, by job, and the first job that was not handed to the serial step.
    scanned: BTreeMap<usize, (W::Job, W::Scanned)>,
    to_advance: usize,
    /// Jobs that can be matched, in order.
    ready: VecDeque<(W::Job, W::Input)>,
    /// How many jobs were taken to be matched; what was found, by its number among them; the first of these that was not
    /// handed to the serial step.
    taken: usize,
    found: BTreeMap<usize, (W::Job, W::Found)>,
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
    Advance(S, W::Job, W::Scanned),
    Arrange(S, W::Job, W::Found),
    Finish(S),
    Scan(usize, W::Job),
    Find { number: usize, job: W::Job, input: Option<W::Input> },
    Make(usize, Result<W::Piece>),
}

/// Part of a piece, or what went wrong.
struct Made<M> {
    piece: usize,
    is_last: bool,
    made: Result<M>,
}

impl<W: Work, S: Serial<W>> Shared<W, S> {
    fn new(jobs: VecDeque<W::Job>, is_fed: bool, serial: S) -> Shared<W, S> {
        Shared {
            jobs,
            is_fed,
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
        if let Some((job, scanned)) = self.scanned.remove(&self.to_advance) {
            self.to_advance += 1;
            return Some(Task::Advance(serial, job, scanned));
        }
        let is_scanned = !work.scans() || self.to_advance == self.next;
        let is_taken = self.is_fed && self.jobs.is_empty();
        if is_taken && is_scanned && self.ready.is_empty() && self.to_arrange == self.taken {
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
        let may_begin = if work.scans() { self.next < self.to_advance + most } else { may_find };
        if !self.ready.is_empty() || !may_begin {
            return None;
        }
        let job = self.jobs.pop_front()?;
        self.next += 1;
        if work.scans() {
            return Some(Task::Scan(self.next - 1, job));
        }
        self.taken += 1;
        Some(Task::Find { number: self.taken - 1, job, input: None })
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
                Task::Scan(number, job) => {
                    let scanned = self.work.scan(&mut worker, &job);
                    self.change(|shared| shared.scanned.insert(number, (job, scanned)));
                }
                Task::Find { number, job, input } => {
                    let found = self.work.find(&mut worker, &job, input);
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

    /// Waits for jobs until there are no more, or nobody wants them.
    fn take_in(&self, jobs: &mut dyn Arriving<W::Job>) {
        let _stop = Stop(self, std::thread::panicking);
        while self.has_room() {
            match jobs.next() {
                Next::Job(job) => self.change(|shared| shared.jobs.push_back(job)),
                Next::Later => {}
                Next::End => return self.change(|shared| shared.is_fed = true),
            }
        }
    }

    /// Waits until another job may arrive; false when none is wanted any more. As many as threads may begin wait.
    fn has_room(&self) -> bool {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        while !shared.is_done() && shared.jobs.len() >= self.threads * JOBS_PER_THREAD {
            shared = self.moved.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
        !shared.is_done()
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
