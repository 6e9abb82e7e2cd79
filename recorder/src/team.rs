//! Threads that do parts of one job at the same time, started once: a thread that has given up its privileges may not start
//! others.
//!
//! ```text
//! lead     | job 0 |......waits......|        jobs borrow what the lead has; it goes on when all are done
//! helper 1 |   job 1   |
//! helper 2 |      job 2         |
//! ```

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

/// Something to do, once.
pub type Job<'j> = Box<dyn FnOnce() + Send + 'j>;

type Outcome = thread::Result<()>;

/// The helpers. They end when it is dropped.
#[derive(Debug)]
pub struct Team {
    helpers: Vec<Sender<Job<'static>>>,
    done: Receiver<Outcome>,
}

impl Team {
    /// As many threads as `size` says, whoever calls [`Team::run`] included. `prepare` runs first on each, and has to succeed.
    pub fn start(
        size: usize,
        prepare: impl Fn() -> std::io::Result<()> + Clone + Send + 'static,
    ) -> std::io::Result<Team> {
        let (tell, done) = unbounded();
        let (tell_ready, ready) = bounded(size);
        let mut helpers = Vec::new();
        for number in 1..size {
            let (helper, jobs) = bounded::<Job<'static>>(1);
            let (tell, tell_ready, prepare) = (tell.clone(), tell_ready.clone(), prepare.clone());
            thread::Builder::new().name(format!("tracer-drain-{number}")).spawn(move || {
                let _ = tell_ready.send(prepare());
                for job in jobs {
                    // The lead waits for each job that it has given.
                    let _ = tell.send(catch_unwind(AssertUnwindSafe(job)));
                }
            })?;
            helpers.push(helper);
        }
        for ready in ready.iter().take(helpers.len()) {
            ready?;
        }
        Ok(Team { helpers, done })
    }

    pub fn size(&self) -> usize {
        self.helpers.len() + 1
    }

    /// Does all jobs, the first of them on this thread, and returns when all are done. A panic in one is one here.
    pub fn run<'j>(&mut self, jobs: impl IntoIterator<Item = Job<'j>>) {
        let mut jobs = jobs.into_iter();
        let first = jobs.next();
        let mut given = Given { done: &self.done, count: 0, outcome: Ok(()) };
        for (number, job) in jobs.enumerate() {
            // SAFETY: only the lifetime changes. The job is run or dropped before `given` is: it waits for all that were
            // handed over, also when this function is left by a panic, and nothing that is borrowed for 'j ends before that.
            // A job that was not handed over is run here.
            let job = unsafe { std::mem::transmute::<Job<'j>, Job<'static>>(job) };
            let refused = match self.helpers.get(number % self.helpers.len().max(1)) {
                Some(helper) => helper.send(job).err().map(|refused| refused.0),
                None => Some(job),
            };
            match refused {
                None => given.count += 1,
                Some(job) => job(),
            }
        }
        if let Some(job) = first {
            job();
        }
        given.wait();
        if let Err(panic) = std::mem::replace(&mut given.outcome, Ok(())) {
            resume_unwind(panic);
        }
    }
}

/// Jobs that were handed over and are waited for.
struct Given<'t> {
    done: &'t Receiver<Outcome>,
    count: usize,
    outcome: Outcome,
}

impl Given<'_> {
    fn wait(&mut self) {
        while self.count > 0 {
            match self.done.recv() {
                Ok(outcome) => {
                    self.count -= 1;
                    if outcome.is_err() {
                        self.outcome = outcome;
                    }
                }
                // All helpers are gone, and with them the jobs that they had.
                Err(_) => self.count = 0,
            }
        }
    }
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        self.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_work_on_what_is_borrowed_and_all_are_done_afterwards() {
        let mut team = Team::start(3, || Ok(())).unwrap();
        let mut sums = vec![0_u64; 8];
        for round in 1..=100 {
            team.run(sums.iter_mut().map(|sum| -> Job<'_> { Box::new(move || *sum += round) }));
        }
        assert_eq!(sums, [5050; 8]);
    }

    #[test]
    fn one_alone_does_all_and_a_panic_comes_after_the_others_are_done() {
        let mut team = Team::start(1, || Ok(())).unwrap();
        let mut count = 0;
        team.run([Box::new(|| count += 1) as Job<'_>]);
        assert_eq!((count, team.size()), (1, 1));
        let mut team = Team::start(2, || Ok(())).unwrap();
        let mut others = [0; 2];
        let [first, second] = &mut others;
        let jobs: Vec<Job<'_>> =
            vec![Box::new(|| *first = 1), Box::new(|| panic!("on purpose")), Box::new(|| *second = 1)];
        assert!(catch_unwind(AssertUnwindSafe(|| team.run(jobs))).is_err());
        assert_eq!(others, [1, 1]);
        assert!(Team::start(2, || Err(std::io::Error::other("no"))).is_err());
    }
}
