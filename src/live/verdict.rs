//! Waiting at the end of a recording for those that decide what becomes of it: a rule may find its trigger in the last events
//! that there were.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many have not decided yet.
#[derive(Clone, Debug, Default)]
pub struct Verdict(Arc<(Mutex<usize>, Condvar)>);

/// Somebody who may still decide.
#[derive(Debug)]
pub struct Undecided(Verdict);

impl Verdict {
    pub fn decide(&self) -> Undecided {
        *self.count() += 1;
        Undecided(self.clone())
    }

    /// Waits until all have decided, for so long at most. False: not all have.
    pub fn wait(&self, at_most: Duration) -> bool {
        let waited = self.0.1.wait_timeout_while(self.count(), at_most, |count| *count > 0);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        // A number is whole whoever held it.
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Undecided {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.0.1.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Instant;

    use super::*;

    #[test]
    fn all_are_waited_for_and_nobody_for_longer_than_that() {
        let verdict = Verdict::default();
        let (one, other) = (verdict.decide(), verdict.decide());
        drop(one);
        assert!(!verdict.wait(Duration::from_millis(1)));
        let decided = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            drop(other);
            Instant::now()
        });
        assert!(verdict.wait(Duration::from_secs(60)));
        assert!(decided.join().expect("a thread that ends") <= Instant::now());
        assert!(verdict.wait(Duration::from_secs(60)));
    }
}
