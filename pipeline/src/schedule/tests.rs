use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::Error;

type Place = (usize, usize);

/// Job n has n % 4 pieces of `bytes` each; what is made of a piece is its place.
#[derive(Default)]
struct Places {
    scans: bool,
    bytes: usize,
    /// Parts of each piece, if it has several.
    parts: usize,
    fails_at: Option<Place>,
    held: Arc<AtomicUsize>,
    most_held: AtomicUsize,
    made: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
}

/// A job that counts among those that are held.
struct Job(usize, Arc<AtomicUsize>);

impl Drop for Job {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Work for Places {
    type Job = usize;
    type Worker = ();
    type Scanned = usize;
    type Input = usize;
    type Found = Job;
    type Piece = (Arc<Job>, Place);
    type Made = Place;

    fn scans(&self) -> bool {
        self.scans
    }

    fn worker(&self) {}

    fn scan(&self, _: &mut (), job: &usize) -> usize {
        let job = *job;
        std::thread::sleep(Duration::from_micros(100_u64.saturating_sub(job as u64 * 3)));
        job * 2
    }

    fn find(&self, _: &mut (), job: &usize, input: Option<usize>) -> Job {
        let job = *job;
        assert_eq!(input, self.scans.then_some(job * 2));
        self.most_held.fetch_max(self.held.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // Later jobs are faster, so that they overtake.
        std::thread::sleep(Duration::from_micros(200_u64.saturating_sub(job as u64 * 3)));
        Job(job, Arc::clone(&self.held))
    }

    fn make(&self, _: &mut (), (job, place): &Self::Piece, from: usize) -> Result<(Place, Option<usize>)> {
        assert_eq!(job.0, place.0);
        if from + 1 < self.parts {
            return Ok((*place, Some(from + 1)));
        }
        self.most.fetch_max(self.under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_micros(if place.1.is_multiple_of(2) { 50 } else { 10 }));
        self.made.fetch_add(1, Ordering::SeqCst);
        if self.fails_at == Some(*place) { Err(Error::Worker) } else { Ok((*place, None)) }
    }

    fn size(&self, _: &Place) -> usize {
        self.bytes
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

/// Hands jobs on two at a time, and fails at one.
#[derive(Default)]
struct Steps {
    waiting: VecDeque<(usize, usize)>,
    next: usize,
    fails_at: Option<usize>,
}

impl Serial<Places> for Steps {
    fn scanned(&mut self, job: usize, double: usize, ready: &mut VecDeque<(usize, usize)>) {
        assert_eq!(double, job * 2);
        self.waiting.push_back((job, double));
        if job % 2 == 1 {
            ready.append(&mut self.waiting);
        }
    }

    fn found(&mut self, job: usize, found: Job, pieces: &mut VecDeque<(Arc<Job>, Place)>) -> Result<()> {
        assert_eq!((job, found.0), (self.next, self.next));
        self.next += 1;
        if self.fails_at == Some(job) {
            return Err(Error::Worker);
        }
        let found = Arc::new(found);
        pieces.extend((0..job % 4).map(|piece| (Arc::clone(&found), (job, piece))));
        Ok(())
    }

    fn finish(&mut self, pieces: &mut VecDeque<(Arc<Job>, Place)>) -> Result<()> {
        let job = Job(self.next, Arc::new(AtomicUsize::new(1)));
        pieces.push_back((Arc::new(job), (self.next, 0)));
        Ok(())
    }
}

/// Every third time there is no job yet.
struct Later(usize, usize, usize);

impl Arriving<usize> for Later {
    fn next(&mut self) -> Next<usize> {
        let Later(at, jobs, asked) = self;
        *asked += 1;
        if asked.is_multiple_of(3) {
            std::thread::sleep(Duration::from_micros(50));
            return Next::Later;
        }
        *at += 1;
        if *at > *jobs { Next::End } else { Next::Job(*at - 1) }
    }
}

fn known(jobs: usize) -> Jobs<'static, usize> {
    Jobs::Known((0..jobs).collect())
}

fn places(jobs: usize) -> Vec<Place> {
    (0..jobs).flat_map(|job| (0..job % 4).map(move |piece| (job, piece))).chain([(jobs, 0)]).collect()
}

fn seen(threads: usize, jobs: Jobs<'_, usize>, work: &Places) -> Vec<Place> {
    let mut seen = Vec::new();
    let done = run(threads, jobs, work, Steps::default(), |place| {
        seen.push(place);
        Ok(ControlFlow::Continue(()))
    });
    assert!(done.is_ok());
    seen
}

#[test]
fn pieces_come_in_order_whatever_the_number_of_threads() {
    for threads in [1, 2, 7, 60] {
        for scans in [false, true] {
            let work = Places { scans, ..Places::default() };
            assert_eq!(seen(threads, known(50), &work), places(50));
            assert_eq!(seen(threads, known(0), &work), places(0));
            assert_eq!(seen(threads, Jobs::Arriving(&mut Later(0, 50, 0)), &work), places(50));
            // Each thread may be at one more.
            assert!(work.most_held.into_inner() <= threads * (JOBS_PER_THREAD + 1) + 1);
        }
    }
}

#[test]
fn large_pieces_come_in_parts_each_when_the_one_before_is_consumed() {
    for threads in [1, 2, 7] {
        let work = Places { parts: 3, ..Places::default() };
        let expected: Vec<Place> = places(50).into_iter().flat_map(|place| [place; 3]).collect();
        assert_eq!(seen(threads, known(50), &work), expected);
        // Nobody waits for ever when the rest is not wanted.
        let stopped = run(threads, known(50), &work, Steps::default(), |_| Ok(ControlFlow::Break(())));
        assert!(stopped.is_ok());
    }
}

#[test]
fn a_run_stops_when_enough_was_seen_and_when_something_fails() {
    for threads in [1, 3] {
        let run = |fails_at, job_fails_at, until| {
            let work = Places { fails_at, ..Places::default() };
            let steps = Steps { fails_at: job_fails_at, ..Steps::default() };
            let mut seen = 0;
            let done = run(threads, known(1000), &work, steps, |place| {
                seen += 1;
                Ok(if place == until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            });
            (done.is_ok(), seen, work.made.into_inner() < seen + 30)
        };
        assert_eq!(run(None, None, (5, 0)), (true, 7, true));
        assert_eq!(run(Some((22, 1)), None, (500, 0)), (false, places(22).len(), true));
        assert_eq!(run(None, Some(22), (500, 0)), (false, places(22).len() - 1, true));
    }
}

#[test]
fn nobody_waits_for_jobs_that_are_not_wanted_any_more() {
    struct Never;
    impl Arriving<usize> for Never {
        fn next(&mut self) -> Next<usize> {
            std::thread::sleep(Duration::from_millis(1));
            Next::Later
        }
    }
    struct First(Option<usize>);
    impl Arriving<usize> for First {
        fn next(&mut self) -> Next<usize> {
            self.0.take().map_or_else(|| Never.next(), Next::Job)
        }
    }
    for threads in [1, 3] {
        let steps = || Steps { next: 3, ..Steps::default() };
        let mut jobs = First(Some(3));
        let done = run(threads, Jobs::Arriving(&mut jobs), &Places::default(), steps(), |_| {
            Ok(ControlFlow::Break(()))
        });
        assert!(done.is_ok());
    }
}

#[test]
fn the_larger_pieces_are_the_fewer_are_under_way() {
    let work = Places { bytes: 30 << 20, ..Places::default() };
    let done = run(8, known(60), &work, Steps::default(), |_| {
        std::thread::sleep(Duration::from_micros(100));
        work.under_way.fetch_sub(1, Ordering::SeqCst);
        Ok(ControlFlow::Continue(()))
    });
    assert!(done.is_ok());
    // As many as there are threads may begin before one is weighed; what is consumed is under way until then.
    assert!(work.most.into_inner() <= 8 + 1);
    let work = Places { bytes: WINDOW_BYTES, ..Places::default() };
    let mut seen = 0;
    let done = run(8, known(60), &work, Steps::default(), |_| {
        seen += 1;
        let under_way = work.under_way.fetch_sub(1, Ordering::SeqCst);
        assert!(seen < 20 || under_way <= 2, "{under_way} after {seen}");
        Ok(ControlFlow::Continue(()))
    });
    assert!(done.is_ok());
}
