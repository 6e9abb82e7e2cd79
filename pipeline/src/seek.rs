//! Where in an answer an event stands, and which event stands at a place: without reading the blocks before it where their
//! statistics say how many events of the answer they hold.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use crate::job::Job;
use crate::question::Question;
use crate::sink::{Projection, Sink};
use crate::source::RowRef;
use crate::stats::Stats;
use crate::{EventView, Result};

/// An event's place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Its number in the answer, from 0.
    pub number: u64,
    pub at: RowRef,
    /// Wall clock, ns since the epoch.
    pub wall_ns: i64,
}

impl Question<'_> {
    /// The event with this number in the answer, from 0, if it has so many; and what looking for it took.
    pub fn nth(&self, number: u64) -> Result<(Option<Found>, Stats)> {
        let question = Question { limit: Some(1), ..self.skipping(number) };
        let mut found: Option<Found> = None;
        let stats = question.ask(&Places, &mut |places| {
            found = found.or(places.first().copied());
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((found.map(|found| Found { number, ..found }), stats))
    }

    /// The number of an event in the answer, from 0, if it is in it; and what looking for it took.
    pub fn number_of(&self, at: RowRef) -> Result<(Option<u64>, Stats)> {
        let mut skip = 0;
        if let Some((jobs, _)) = self.known_jobs() {
            let is_it = |job: &Job| {
                (job.reference.file, job.reference.block) == (at.file as usize, at.block as usize)
            };
            let Some(place) = jobs.iter().position(is_it) else { return Ok((None, Stats::default())) };
            skip = self.closed(jobs.iter().take(place + 1), u64::MAX, |jobs| jobs <= place).1;
        }
        let (mut before, mut found) = (skip, None);
        let stats = self.skipping(skip).ask(&Places, &mut |places| {
            let place = places.iter().position(|place| place.at == at);
            found = place.map(|place| before + place as u64);
            before += places.len() as u64;
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok((found, stats))
    }

    /// The same question, without so many events at the beginning and whatever comes after them.
    fn skipping(&self, skip: u64) -> Question<'_> {
        Question { skip, limit: None, ..self.clone() }
    }

    /// Leaves out the blocks whose events are all skipped, as far as that is known without reading them. Returns how many
    /// events are still to be skipped.
    pub(crate) fn skip_blocks(&self, jobs: &mut VecDeque<Job>, stats: &mut Stats) -> u64 {
        let (blocks, events) = self.closed(jobs.iter(), self.skip, |_| true);
        for job in jobs.drain(..blocks) {
            stats.blocks_skipped += 1;
            stats.rows_skipped += job.reference.rows;
        }
        self.skip - events
    }

    /// The most blocks from the beginning on that have no more than `most` events together, none of which comes behind one of a
    /// later block; and how many events these are. `may_end`: whether so many blocks may be.
    fn closed<'j>(
        &self,
        jobs: impl Iterator<Item = &'j Job>,
        most: u64,
        may_end: impl Fn(usize) -> bool,
    ) -> (usize, u64) {
        let (mut closed, mut events, mut last) = ((0, 0), 0u64, 0);
        for (number, job) in jobs.enumerate() {
            // Nothing of this block or of those behind it comes before the ones before.
            if number > 0 && job.reference.first > last && events <= most && may_end(number) {
                closed = (number, events);
            }
            if events > most {
                break;
            }
            last = last.max(job.reference.last);
            match self.events_of(job) {
                Some(more) => events = events.saturating_add(more),
                None => break,
            }
        }
        closed
    }

    /// How many events a block has in the answer, where that is known without reading it.
    fn events_of(&self, job: &Job) -> Option<u64> {
        let file = self.source.file(job.reference)?;
        let host = job.host.as_ref()?;
        let matcher = self.matchers.get(job.reference.file)?.of_host(host.number);
        let segment = file.capture.segment(file.capture.segment_of(job.reference.block)).ok()?;
        let info = segment.blocks.get(job.reference.block.checked_sub(segment.first_block)?)?;
        let it = &info.statistics;
        let is_whole = self.range.is_none() || self.is_whole_in_range(host, it.first_ns, it.last_ns);
        if is_whole { matcher.known_events(file, it) } else { None }
    }
}

/// Where each event stands.
struct Places;

impl Sink for Places {
    type Worker = ();
    type Made = Vec<Found>;

    fn projection(&self) -> Projection {
        Projection::NONE
    }

    fn worker(&self) {}

    fn begin(&self) -> Vec<Found> {
        Vec::new()
    }

    fn event(&self, (): &mut (), event: &EventView<'_>, made: &mut Vec<Found>) {
        made.push(Found { number: 0, at: event.at, wall_ns: event.wall_ns });
    }

    fn size(&self, made: &Vec<Found>) -> usize {
        size_of_val(made.as_slice())
    }

    fn truncate(&self, made: &mut Vec<Found>, events: usize) {
        made.truncate(events);
    }
}
