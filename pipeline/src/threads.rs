//! Jobs on several threads, their results in order, and only so many under way.

use std::ops::ControlFlow;
use std::sync::{Condvar, Mutex, PoisonError, mpsc};

use crate::{Error, Result};

/// Results that may wait for an earlier one, for each thread.
const WINDOW_PER_THREAD: usize = 3;

/// What threads agree on under one lock.
struct Shared<F> {
    next: usize,
    /// Jobs whose results were consumed.
    consumed: usize,
    stopped: bool,
    prepare: F,
}

/// Runs jobs `0..jobs`. For each, in order and one at a time, `prepare` says what its work needs to know; then `work`
/// runs on any thread, with a state of that thread; then `consume` takes the results, in order, on this thread. It may
/// stop the run. With one thread all of it happens here, and in the same order.
pub fn ordered<I: Send, W, P: Send>(
    threads: usize,
    jobs: usize,
    mut prepare: impl FnMut(usize) -> Result<I> + Send,
    state: impl Fn() -> W + Sync,
    work: impl Fn(&mut W, usize, I) -> Result<P> + Sync,
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
    let window = threads * WINDOW_PER_THREAD;
    let shared = Mutex::new(Shared { next: 0, consumed: 0, stopped: false, prepare });
    let moved = Condvar::new();
    let lock = || shared.lock().unwrap_or_else(PoisonError::into_inner);
    let take = || {
        let mut shared = lock();
        while !shared.stopped && shared.next < jobs && shared.next >= shared.consumed + window {
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
            let (state, work, take) = (&state, &work, &take);
            scope.spawn(move || {
                let mut state = state();
                while let Some((job, input)) = take() {
                    let part = input.and_then(|input| work(&mut state, job, input));
                    let failed = part.is_err();
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
            assert!(ordered(threads, 1000, |_| Ok(()), || (), work, stop(5)).is_ok());
            assert!(worked.load(Ordering::Relaxed) < 30);
            assert!(ordered(threads, 1000, |_| Ok(()), || (), work, stop(500)).is_err());
            assert!(worked.load(Ordering::Relaxed) < 80);
        }
    }
}
