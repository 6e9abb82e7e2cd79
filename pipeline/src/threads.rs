//! Jobs on several threads, each done in pieces; their results in order, and only so many under way.
//!
//! ```text
//! job 0  opened | piece 0 | piece 1 | piece 2 |            a thread opens the next job while others
//! job 1           opened            | piece 0 | piece 1    are at the pieces of the one before
//! ```

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};

use crate::{Error, Result};

/// Results that may be under way or wait for an earlier one, for each thread.
const WINDOW_PER_THREAD: usize = 3;
/// Bytes of results that may be under way or wait, as far as that can be told from those that there were.
const WINDOW_BYTES: usize = 64 << 20;

/// What is done with jobs.
pub trait Work: Sync {
    /// What opening a job needs to know of the jobs before it.
    type Input: Send;
    /// What a thread keeps from job to job.
    type State;
    /// What the pieces of a job share.
    type Opened: Send + Sync;
    type Piece: Send;

    fn state(&self) -> Self::State;
    fn open(&self, state: &mut Self::State, job: usize, input: Self::Input) -> Result<Self::Opened>;
    /// How many pieces a job has: at least one is asked for.
    fn pieces(&self, opened: &Self::Opened) -> usize;
    /// Makes a piece; when it grows too large, only part of it, and where to go on from. From 0 at first.
    fn piece(
        &self,
        state: &mut Self::State,
        place: Place,
        opened: &Self::Opened,
        from: usize,
    ) -> Result<(Self::Piece, Option<usize>)>;
    /// Bytes that a piece takes: the larger they are, the fewer are under way.
    fn size(&self, piece: &Self::Piece) -> usize;
}

/// Runs jobs `0..jobs`. For each, in order and one at a time, `prepare` says what opening it needs to know; then it is
/// opened and its pieces are made, on any thread; `consume` takes the pieces on this thread, in order. It may stop the
/// run. With one thread all of it happens here, and in the same order.
pub fn ordered<W: Work>(
    threads: usize,
    jobs: usize,
    work: &W,
    mut prepare: impl FnMut(usize) -> Result<W::Input> + Send,
    mut consume: impl FnMut(usize, W::Piece) -> Result<ControlFlow<()>>,
) -> Result<()> {
    if threads <= 1 {
        let mut state = work.state();
        for job in 0..jobs {
            let input = prepare(job)?;
            let opened = work.open(&mut state, job, input)?;
            for piece in 0..work.pieces(&opened).max(1) {
                let mut next = Some(0);
                while let Some(from) = next {
                    let (made, rest) = work.piece(&mut state, (job, piece), &opened, from)?;
                    if consume(job, made)?.is_break() {
                        return Ok(());
                    }
                    next = rest;
                }
            }
        }
        return Ok(());
    }
    let team = Team { work, threads, jobs, shared: Mutex::new(Shared::new(prepare)), moved: Condvar::new() };
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

/// The place of a piece: job, and number in it.
pub type Place = (usize, usize);

struct Team<'w, W: Work, F> {
    work: &'w W,
    threads: usize,
    jobs: usize,
    shared: Mutex<Shared<W, F>>,
    moved: Condvar,
}

/// What threads agree on under one lock.
struct Shared<W: Work, F> {
    /// The next job to be opened.
    next: usize,
    /// Jobs that are being opened.
    opening: usize,
    /// Jobs that are being opened, or of which pieces are left to be made or are being made: what they hold is large.
    held: usize,
    /// Opened jobs that have pieces which nobody has taken, in order.
    open: VecDeque<Open<W::Opened>>,
    /// The piece that is to be consumed next.
    awaited: Place,
    /// A piece of which part was consumed, and the rest may be made.
    goes_on: Option<Place>,
    /// Pieces that were taken and not consumed.
    under_way: usize,
    /// Bytes of the largest piece of late; `None` before the first.
    largest: Option<usize>,
    stopped: bool,
    prepare: F,
}

struct Open<O> {
    job: usize,
    opened: Arc<O>,
    next: usize,
    pieces: usize,
}

/// What a thread does next.
enum Task<W: Work> {
    Open(usize, Result<W::Input>),
    Piece { place: Place, is_last: bool, opened: Arc<W::Opened> },
}

/// A piece, and what comes after it; or what went wrong.
type Made<P> = (Place, After, Result<P>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum After {
    /// The rest of the piece.
    Rest,
    Piece,
    Job,
}

impl<W: Work, F: FnMut(usize) -> Result<W::Input> + Send> Shared<W, F> {
    fn new(prepare: F) -> Shared<W, F> {
        Shared {
            next: 0,
            opening: 0,
            held: 0,
            open: VecDeque::new(),
            awaited: (0, 0),
            goes_on: None,
            under_way: 0,
            largest: None,
            stopped: false,
            prepare,
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

    /// Whether to open another job. One is opened ahead of the pieces that are left, so that there are always some to
    /// make; where there are none, each thread opens one.
    fn may_open(&self, threads: usize, jobs: usize) -> bool {
        let ahead = self.opening + self.open.len();
        let most = if self.open.is_empty() { threads } else { 2 };
        let is_near = self.next <= self.awaited.0 + threads * WINDOW_PER_THREAD;
        self.next < jobs && ahead < most && self.held < threads && is_near
    }

    fn take(&mut self, threads: usize, jobs: usize) -> Option<Task<W>> {
        if self.may_open(threads, jobs) {
            let job = self.next;
            self.next += 1;
            self.opening += 1;
            self.held += 1;
            // Under the lock, so that jobs are prepared in their order.
            return Some(Task::Open(job, (self.prepare)(job)));
        }
        let window = self.window(threads);
        let first = self.open.front_mut()?;
        let place = (first.job, first.next);
        // What is awaited may always be made: everything else waits for it.
        if place != self.awaited && self.under_way >= window {
            return None;
        }
        self.under_way += 1;
        first.next += 1;
        let is_last = first.next == first.pieces;
        let opened = Arc::clone(&first.opened);
        if is_last {
            self.open.pop_front();
        }
        Some(Task::Piece { place, is_last, opened })
    }

    /// Nothing is left to take, nor will be.
    fn is_done(&self, jobs: usize) -> bool {
        self.stopped || (self.next >= jobs && self.opening == 0 && self.open.is_empty())
    }

    fn opened(&mut self, job: usize, opened: W::Opened, pieces: usize) {
        self.opening -= 1;
        let at = self.open.partition_point(|open| open.job < job);
        self.open.insert(at, Open { job, opened: Arc::new(opened), next: 0, pieces: pieces.max(1) });
    }
}

impl<W: Work, F: FnMut(usize) -> Result<W::Input> + Send> Team<'_, W, F> {
    fn change<T>(&self, change: impl FnOnce(&mut Shared<W, F>) -> T) -> T {
        let changed = change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
        self.moved.notify_all();
        changed
    }

    fn take(&self) -> Option<Task<W>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        while !shared.is_done(self.jobs) {
            if let Some(task) = shared.take(self.threads, self.jobs) {
                return Some(task);
            }
            shared = self.moved.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// What one thread does.
    fn run(&self, results: &mpsc::Sender<Made<W::Piece>>) {
        // Who waits must not wait for what a thread that panicked does not do any more.
        let _stop = Stop(self, std::thread::panicking);
        let mut state = self.work.state();
        while let Some(task) = self.take() {
            let made = match task {
                Task::Open(job, input) => {
                    match input.and_then(|input| self.work.open(&mut state, job, input)) {
                        Ok(opened) => {
                            let pieces = self.work.pieces(&opened);
                            self.change(|shared| shared.opened(job, opened, pieces));
                            continue;
                        }
                        Err(error) => {
                            self.change(|shared| {
                                shared.opening -= 1;
                                shared.held -= 1;
                            });
                            ((job, 0), After::Job, Err(error))
                        }
                    }
                }
                Task::Piece { place, is_last, opened } => {
                    let mut made = self.work.piece(&mut state, place, &opened, 0);
                    while let Ok((part, Some(from))) = made {
                        self.weigh(self.work.size(&part));
                        if results.send((place, After::Rest, Ok(part))).is_err() || !self.may_go_on(place) {
                            return;
                        }
                        made = self.work.piece(&mut state, place, &opened, from);
                    }
                    let piece = made.map(|(piece, _)| piece);
                    if let Ok(piece) = &piece {
                        self.weigh(self.work.size(piece));
                    }
                    let was_held = Arc::into_inner(opened).is_some();
                    self.change(|shared| shared.held -= usize::from(was_held));
                    (place, if is_last { After::Job } else { After::Piece }, piece)
                }
            };
            // What failed stops the run once it is its turn; until then what comes before it is to be made.
            if results.send(made).is_err() {
                break;
            }
        }
    }

    fn weigh(&self, bytes: usize) {
        self.change(|shared| shared.weigh(bytes));
    }

    /// Waits until the part of a piece that was sent is consumed; false when the rest is not wanted any more. Pieces are
    /// taken in order, so the one that is awaited is being made or waits here, and never for another.
    fn may_go_on(&self, place: Place) -> bool {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        while !shared.stopped {
            if shared.goes_on == Some(place) {
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
        results: &mpsc::Receiver<Made<W::Piece>>,
        consume: &mut impl FnMut(usize, W::Piece) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut early = std::collections::BTreeMap::new();
        let mut awaited = (0, 0);
        while awaited.0 < self.jobs {
            let (after, piece) = loop {
                if let Some(made) = early.remove(&awaited) {
                    break made;
                }
                match results.recv() {
                    Ok((place, after, piece)) => early.insert(place, (after, piece)),
                    // A thread that panicked has dropped its end without this result.
                    Err(_) => return Err(Error::Worker),
                };
            };
            let flow = consume(awaited.0, piece?)?;
            let place = awaited;
            awaited = match after {
                After::Rest => place,
                After::Piece => (place.0, place.1 + 1),
                After::Job => (place.0 + 1, 0),
            };
            self.change(|shared| match after {
                After::Rest => shared.goes_on = Some(place),
                After::Piece | After::Job => {
                    shared.under_way -= 1;
                    shared.awaited = awaited;
                }
            });
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Stops all threads when it is dropped, if it is true then.
struct Stop<'t, 'w, W: Work, F: FnMut(usize) -> Result<W::Input> + Send>(&'t Team<'w, W, F>, fn() -> bool);

impl<W: Work, F: FnMut(usize) -> Result<W::Input> + Send> Drop for Stop<'_, '_, W, F> {
    fn drop(&mut self) {
        if self.1() {
            self.0.change(|shared| shared.stopped = true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    /// Job n has n % 4 pieces of `bytes` each; what is made of a piece is its place.
    #[derive(Default)]
    struct Places {
        threads: usize,
        bytes: usize,
        /// Parts of each piece, if it has several.
        parts: usize,
        fails_at: Option<Place>,
        opened: Arc<AtomicUsize>,
        made: AtomicUsize,
        under_way: AtomicUsize,
        most: AtomicUsize,
    }

    impl Places {
        fn of(threads: usize) -> Places {
            Places { threads, ..Places::default() }
        }
    }

    /// A job that counts among those that are open.
    struct Job(usize, Arc<AtomicUsize>);

    impl Drop for Job {
        fn drop(&mut self) {
            self.1.fetch_sub(1, Ordering::SeqCst);
        }
    }

    impl Work for Places {
        type Input = usize;
        type State = ();
        type Opened = Job;
        type Piece = Place;

        fn state(&self) {}

        fn open(&self, _: &mut (), job: usize, double: usize) -> Result<Job> {
            let open = self.opened.fetch_add(1, Ordering::SeqCst) + 1;
            assert!(open <= self.threads, "{open} are open");
            // Later jobs are faster, so that they overtake.
            std::thread::sleep(Duration::from_micros(200_u64.saturating_sub(job as u64 * 3)));
            assert_eq!(double, job * 2);
            Ok(Job(job, Arc::clone(&self.opened)))
        }

        fn pieces(&self, opened: &Job) -> usize {
            opened.0 % 4
        }

        fn piece(
            &self,
            _: &mut (),
            (job, piece): Place,
            opened: &Job,
            from: usize,
        ) -> Result<(Place, Option<usize>)> {
            assert_eq!(opened.0, job);
            if from + 1 < self.parts {
                return Ok(((job, piece), Some(from + 1)));
            }
            self.most.fetch_max(self.under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_micros(if piece.is_multiple_of(2) { 50 } else { 10 }));
            self.made.fetch_add(1, Ordering::SeqCst);
            if self.fails_at == Some((job, piece)) { Err(Error::Worker) } else { Ok(((job, piece), None)) }
        }

        fn size(&self, _: &Place) -> usize {
            self.bytes
        }
    }

    fn places(jobs: usize) -> Vec<Place> {
        (0..jobs).flat_map(|job| (0..(job % 4).max(1)).map(move |piece| (job, piece))).collect()
    }

    #[test]
    fn pieces_come_in_order_whatever_the_number_of_threads() {
        for threads in [1, 2, 7, 60] {
            let (mut seen, mut prepared) = (Vec::new(), Vec::new());
            let prepare = |job| {
                prepared.push(job);
                Ok(job * 2)
            };
            let done = ordered(threads, 50, &Places::of(threads), prepare, |job, place| {
                assert_eq!(job, place.0);
                seen.push(place);
                Ok(ControlFlow::Continue(()))
            });
            assert!(done.is_ok());
            assert_eq!(seen, places(50));
            assert_eq!(prepared, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn large_pieces_come_in_parts_each_when_the_one_before_is_consumed() {
        for threads in [1, 2, 7] {
            let work = Places { parts: 3, ..Places::of(threads) };
            let mut seen = Vec::new();
            let done = ordered(
                threads,
                50,
                &work,
                |job| Ok(job * 2),
                |_, place| {
                    seen.push(place);
                    Ok(ControlFlow::Continue(()))
                },
            );
            assert!(done.is_ok());
            assert_eq!(seen, places(50).into_iter().flat_map(|place| [place; 3]).collect::<Vec<_>>());
            // Nobody waits for ever when the rest is not wanted.
            let stopped = ordered(threads, 50, &work, |job| Ok(job * 2), |_, _| Ok(ControlFlow::Break(())));
            assert!(stopped.is_ok());
        }
    }

    #[test]
    fn a_run_stops_when_enough_was_seen_and_when_something_fails() {
        for threads in [1, 3] {
            let run = |fails_at, until| {
                let work = Places { fails_at, ..Places::of(threads) };
                let mut seen = 0;
                let done = ordered(
                    threads,
                    1000,
                    &work,
                    |job| Ok(job * 2),
                    |_, place| {
                        seen += 1;
                        Ok(if place == until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                    },
                );
                (done.is_ok(), seen, work.made.into_inner() < seen + 30)
            };
            assert_eq!(run(None, (5, 0)), (true, 9, true));
            assert_eq!(run(Some((22, 1)), (500, 0)), (false, places(22).len() + 1, true));
        }
    }

    #[test]
    fn a_job_that_cannot_be_opened_is_told_after_those_before_it() {
        for threads in [1, 3] {
            let mut seen = Vec::new();
            let prepare = |job| if job == 9 { Err(Error::Worker) } else { Ok(job * 2) };
            let done = ordered(threads, 100, &Places::of(threads), prepare, |_, place| {
                seen.push(place);
                Ok(ControlFlow::Continue(()))
            });
            assert!(done.is_err());
            assert_eq!(seen, places(9));
        }
    }

    #[test]
    fn the_larger_pieces_are_the_fewer_are_under_way() {
        let work = Places { bytes: 30 << 20, ..Places::of(8) };
        let done = ordered(
            8,
            60,
            &work,
            |job| Ok(job * 2),
            |_, _| {
                std::thread::sleep(Duration::from_micros(100));
                work.under_way.fetch_sub(1, Ordering::SeqCst);
                Ok(ControlFlow::Continue(()))
            },
        );
        assert!(done.is_ok());
        // As many as there are threads may begin before one is weighed; what is consumed is under way until then.
        assert!(work.most.into_inner() <= 8 + 1);
        let work = Places { bytes: WINDOW_BYTES, ..Places::of(8) };
        let mut seen = 0;
        let done = ordered(
            8,
            60,
            &work,
            |job| Ok(job * 2),
            |_, _| {
                seen += 1;
                let under_way = work.under_way.fetch_sub(1, Ordering::SeqCst);
                assert!(seen < 20 || under_way <= 2, "{under_way} after {seen}");
                Ok(ControlFlow::Continue(()))
            },
        );
        assert!(done.is_ok());
    }
}
