//! Jobs on several threads, their results in order, and only so many under way.

use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, PoisonError, mpsc};

use crate::{Error, Result};

/// Results that may be under way or wait for an earlier one, for each thread.
const WINDOW_PER_THREAD: usize = 3;
/// As many when nobody knows yet how large results are.
const FIRST_WINDOW: usize = 1;
/// Bytes of results that may be under way or wait, as far as that can be told from those that there were.
const WINDOW_BYTES: usize = 128 << 20;

/// What threads agree on under one lock.
struct Shared<F> {
    next: usize,
    /// Jobs whose results were consumed.
    consumed: usize,
    stopped: bool,
    /// Bytes of the largest result of late; `None` before the first.
    largest: Option<usize>,
    prepare: F,
}

impl<F> Shared<F> {
    /// How far jobs may be ahead of what was consumed.
    fn window(&self, threads: usize) -> usize {
        match self.largest {
            None => FIRST_WINDOW,
            Some(largest) => (WINDOW_BYTES / largest.max(1)).clamp(1, threads * WINDOW_PER_THREAD),
        }
    }

    fn weigh(&mut self, bytes: usize) {
        // A large result is forgotten slowly: the next one may be as large.
        let before = self.largest.unwrap_or_default();
        self.largest = Some(bytes.max(before - before / 16));
    }
}

/// Runs jobs `0..jobs`. For each, in order and one at a time, `prepare` says what its work needs to know; then `work`
/// runs on any thread, with a state of that thread; then `consume` takes the results, in order, on this thread. It may
/// stop the run. With one thread all of it happens here, and in the same order. `size` says how many bytes a result takes:
/// the larger they are, the fewer are under way.
pub fn ordered<I: Send, W, P: Send>(
    threads: usize,
    jobs: usize,
    mut prepare: impl FnMut(usize) -> Result<I> + Send,
    state: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize, I) -> Result<P> + Sync,
    size: impl Fn(&P) -> usize + Sync,
    mut consume: impl FnMut(usize, P) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let threads = threads.min(jobs);
    if threads <= 1 {
        let mut state = state();
        for job in 0..jobs {
            let input = prepare(job)?;
            let part = work(&mut state, job, input)?;
            if consume(job, part)?.is_break() {
                break;
            }
        }
        return Ok(());
    }
    let shared = Mutex::new(Shared { next: 0, consumed: 0, stopped: false, largest: None, prepare });
    let moved = Condvar::new();
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let take = || {
        let mut shared = lock();
        while !shared.stopped && shared.next < jobs && shared.next >= shared.consumed + shared.window(threads)
        {
            shared = moved.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
        if shared.stopped || shared.next >= jobs {
            return None;
        }
        let job = shared.next;
        shared.next += 1;
        // Under the lock, so that jobs are prepared in their order.
        let input = (shared.prepare)(job);
        Some((job, input))
    };
    std::thread::scope(|scope| {
        let (sender, results) = mpsc::channel();
        for _ in 0..threads {
            let sender = sender.clone();
            let (state, work, take, size, lock, moved) = (&state, &work, &take, &size, &lock, &moved);
            scope.spawn(move || {
                let mut state = state();
                while let Some((job, input)) = take() {
                    let part = input.and_then(|input| work(&mut state, job, input));
                    let failed = part.is_err();
                    if let Ok(part) = &part {
                        lock().weigh(size(part));
                        moved.notify_all();
                    }
                    if sender.send((job, part)).is_err() || failed {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let outcome = in_order(jobs, &results, |job, part| {
            let flow = consume(job, part);
            lock().consumed = job + 1;
            moved.notify_all();
            flow
        });
        lock().stopped = true;
        moved.notify_all();
        outcome
    })
}

/// Takes results as they come and hands them on in order.
fn in_order<P>(
    jobs: usize,
    results: &mpsc::Receiver<(usize, Result<P>)>,
    mut consume: impl FnMut(usize, P) -> Result<ControlFlow<()>>,
) -> Result<()> {
    let mut early = std::collections::BTreeMap::new();
    for job in 0..jobs {
        let part = loop {
            if let Some(part) = early.remove(&job) {
                break part;
            }
            match results.recv() {
                Ok((number, part)) if number == job => break part,
                Ok((number, part)) => {
                    early.insert(number, part);
                }
                // A thread that panicked has dropped its end without this job's result.
                Err(_) => return Err(Error::Worker),
            }
        };
        if consume(job, part?)?.is_break() {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        for threads in [1, 2, 7] {
            let mut seen = Vec::new();
            let mut prepared = Vec::new();
            let done = ordered(
                threads,
                50,
                |job| {
                    prepared.push(job);
                    Ok(job * 2)
                },
                || (),
                |_, job, double| {
                    // Later jobs are faster, so that they overtake.
                    std::thread::sleep(std::time::Duration::from_micros(50 - job as u64));
                    Ok(double + 1)
                },
                |part| *part,
                |_, part| {
                    seen.push(part);
                    Ok(ControlFlow::Continue(()))
                },
            );
            assert!(done.is_ok());
            assert_eq!(seen, (0..50).map(|job| job * 2 + 1).collect::<Vec<_>>());
            assert_eq!(prepared, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_run_stops_when_enough_was_seen_and_when_something_fails() {
        for threads in [1, 3] {
            let worked = AtomicUsize::new(0);
            let stop = |until: usize| {
                move |job, ()| {
                    Ok(if job == until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
                }
            };
            let work = |_: &mut (), job: usize, ()| {
                worked.fetch_add(1, Ordering::Relaxed);
                if job == 20 { Err(Error::Worker) } else { Ok(()) }
            };
            assert!(ordered(threads, 1000, |_| Ok(()), || (), work, |()| 0, stop(5)).is_ok());
            assert!(worked.load(Ordering::Relaxed) < 30);
            assert!(ordered(threads, 1000, |_| Ok(()), || (), work, |()| 0, stop(500)).is_err());
            assert!(worked.load(Ordering::Relaxed) < 80);
        }
    }

    #[test]
    fn the_larger_results_are_the_fewer_are_under_way() {
        const EACH: usize = 50 << 20;
        let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let done = ordered(
            8,
            60,
            |_| {
                most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                Ok(())
            },
            || (),
            |(), _, ()| {
                std::thread::sleep(std::time::Duration::from_micros(200));
                Ok(EACH)
            },
            |each| *each,
            |_, _| {
                under_way.fetch_sub(1, Ordering::SeqCst);
                Ok(ControlFlow::Continue(()))
            },
        );
        assert!(done.is_ok());
        // The one that is being consumed counts as under way until it is.
        assert!(most.load(Ordering::SeqCst) * EACH <= WINDOW_BYTES + EACH, "{most:?} were under way");
    }
}
