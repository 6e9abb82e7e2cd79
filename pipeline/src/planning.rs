//! What is to be read for a question, and in which order, before anything is.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::arriving::Arriving;
use crate::choosing::Choice;
use crate::job::Job;
use crate::order::Order;
use crate::question::Question;
use crate::schedule::Jobs;
use crate::sink::Sink;
use crate::slices::Slicing;
use crate::source::{BlockRef, Source};
use crate::stage::Stage;
use crate::state::State;
use crate::stats::Stats;
use crate::steps::Steps;
use crate::worker::Asking;
use crate::{Error, Result};

/// A question's jobs, and the state that they need.
pub(crate) struct Prepared<'q> {
    pub jobs: Planned<'q>,
    state: Option<State<'q>>,
}

/// The jobs of a question, until they are done.
pub(crate) enum Planned<'q> {
    Known(VecDeque<Job>),
    Arriving(Box<Arriving<'q>>),
}

impl Planned<'_> {
    pub fn take(&mut self) -> Jobs<'_, Job> {
        match self {
            Planned::Known(jobs) => Jobs::Known(std::mem::take(jobs)),
            Planned::Arriving(jobs) => Jobs::Arriving(&mut **jobs),
        }
    }
}

impl<'q> Prepared<'q> {
    pub fn new(question: &'q Question<'q>) -> Result<(Prepared<'q>, Stats)> {
        let state = State::new(question.source, &question.matchers);
        let scans = state.as_ref().map(State::scans);
        if !question.source.is_growing() {
            let (jobs, stats) = Choice { question, scans: scans.as_ref() }.jobs();
            return Ok((Prepared { jobs: Planned::Known(jobs), state }, stats));
        }
        let file = question.source.files().first();
        let (Some(file), Some(feed)) = (file, question.source.take_feed()) else { return Err(Error::Spent) };
        let jobs = Box::new(Arriving::new(question, file, scans, feed));
        Ok((Prepared { jobs: Planned::Arriving(jobs), state }, Stats::default()))
    }

    /// What is known once all jobs are done.
    pub fn finish(self, question: &Question<'_>, stats: &mut Stats) -> Result<()> {
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
    pub fn skip(&mut self, question: &Question<'_>, counts: bool, stats: &mut Stats) -> u64 {
        match &mut self.jobs {
            // What is counted is taken off the sum.
            _ if counts => 0,
            Planned::Known(jobs) if self.state.is_none() => question.skip_blocks(jobs, stats),
            _ => question.skip,
        }
    }

    pub fn parts<'p, S: Sink>(
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
