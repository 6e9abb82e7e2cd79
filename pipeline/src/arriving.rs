//! Blocks of a growing source become jobs as they arrive, in order of their first rows as far as that is known.
//!
//! Blocks of one recording follow each other nearly in order: a row that came late may be earlier than the last ones of the
//! block before it. So the first of a few blocks is given out when those behind it are there, and at once when nothing came
//! for some tenths of a second: an idle host is not to hold back its last rows. That is the lag: rows are in order of time
//! unless they come later than this. A feed that knows better says so ([`Fed::UpTo`]).
//!
//! ```text
//! arrived   | 5..9 | 8..20 | 19..30 |         three wait, the first goes: nothing before 8 is expected, and rows from 8 on wait
//! given out | 5..9 |
//! ```
//! Where a capture has several hosts, nothing is assumed of a pause: a block of another host may follow it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use format::{Block, BlockInfo, Clock, ClockOffset, Side, Statistics, WallClock};
use scopes::pruning::Ancestry;

use crate::block_pruning::Pruning;
use crate::feed::{Fed, Feed};
use crate::job::{Bound, Job};
use crate::question::Question;
use crate::schedule::{self, Next};
use crate::source::{BlockRef, File, Host};
use crate::state::Scans;
use crate::stats::Stats;

/// Blocks behind the one that is given out.
const AHEAD: usize = 2;
/// Things that are missing of which an answer tells.
const MOST_TOLD: usize = 100;

/// The jobs of a growing source.
pub(crate) struct Arriving<'q> {
    question: &'q Question<'q>,
    file: &'q File,
    scans: Option<Scans>,
    feed: Box<dyn Feed>,
    /// As they are known by now.
    hosts: Vec<Arc<Host>>,
    /// What was told of their clocks.
    clocks: Vec<ClockOffset>,
    /// Blocks that wait for those that may come before them, in order of their first rows.
    waiting: BTreeMap<(u64, usize, usize), Job>,
    /// Jobs that can be done, in order.
    due: VecDeque<Job>,
    /// First and last times of what has arrived, on the ordering clock, and those before which nothing is to come.
    latest_first: u64,
    latest: u64,
    floor: u64,
    /// Blocks that have arrived, and jobs that were given out.
    blocks: usize,
    jobs: usize,
    /// By boot: its last block, with its host and that one's time of the last row.
    ends: BTreeMap<usize, (BlockRef, u16, u64)>,
    is_over: bool,
    pub stats: Stats,
    pub failed: Option<format::Error>,
}

impl<'q> Arriving<'q> {
    pub fn new(
        question: &'q Question<'q>,
        file: &'q File,
        scans: Option<Scans>,
        feed: Box<dyn Feed>,
    ) -> Arriving<'q> {
        Arriving {
            question,
            file,
            scans,
            feed,
            hosts: file.hosts.clone(),
            clocks: Vec::new(),
            waiting: BTreeMap::new(),
            due: VecDeque::new(),
            latest_first: 0,
            latest: 0,
            floor: 0,
            blocks: 0,
            jobs: 0,
            ends: BTreeMap::new(),
            is_over: false,
            stats: Stats::default(),
            failed: None,
        }
    }

    fn block(&mut self, block: Arc<Block>, statistics: Statistics) {
        let number = self.blocks;
        self.blocks += 1;
        if statistics.rows == 0 {
            return;
        }
        let info = BlockInfo { statistics, ..BlockInfo::default() };
        let it = &info.statistics;
        let host_number = info.host();
        self.tell_clock(host_number, it.first_ns, block.clock());
        let host = self.hosts.get(usize::from(host_number)).map(Arc::clone);
        let key = |boot_ns| host.as_ref().map_or(boot_ns, |host| host.key(boot_ns));
        let reference = BlockRef {
            first: key(it.first_ns),
            boot: host.as_ref().map_or(0, |host| host.boot),
            file: 0,
            block: number,
            last: key(it.last_ns),
            rows: it.rows,
        };
        let matcher = self.question.matchers.first();
        let is_chosen = host.as_deref().zip(matcher).is_some_and(|(host, matcher)| {
            self.question.is_in_range(host, it.first_ns, it.last_ns)
                && Pruning::new(matcher.of_host(host_number), self.file, host)
                    .may_match(it, |_| Ancestry::Unknown)
        });
        if !is_chosen {
            self.stats.blocks_skipped += 1;
            self.stats.rows_skipped += it.rows;
        }
        let is_told = self.scans.as_ref().is_some_and(|scans| scans.has_rows(reference, &info));
        let end = self.ends.entry(reference.boot).or_insert((reference, host_number, it.last_ns));
        if reference.last >= end.0.last {
            *end = (reference, host_number, it.last_ns);
        }
        self.latest_first = self.latest_first.max(reference.first);
        self.latest = self.latest.max(reference.last);
        // A block that nobody asks for says all the same how far the recording is.
        let block = (is_chosen || is_told).then_some(block);
        let job = Job { reference, host, is_chosen, is_told, block, ..Job::default() };
        self.waiting.insert((reference.first, reference.boot, number), job);
        while self.waiting.len() > AHEAD {
            self.give_first();
        }
    }

    /// Blocks that follow each other differ in their clocks where the wall clock was set, or drifts.
    fn tell_clock(&mut self, host: u16, first_ns: u64, clock: Clock) {
        if let Some(host) = self.hosts.get_mut(usize::from(host))
            && host.wall(first_ns) != clock.wall(first_ns) as i64
        {
            *host = Arc::new(host.with(&[], Some((first_ns, clock))));
        }
    }

    fn side(&mut self, side: &Side) {
        match side {
            Side::Cgroups(cgroups) => {
                for host in &mut self.hosts {
                    let own: Vec<_> = cgroups.iter().filter(|it| it.host == host.number).cloned().collect();
                    if own.iter().any(|cgroup| cgroup.container.is_some()) {
                        *host = Arc::new(host.with(&own, None));
                    }
                }
            }
            Side::Losses(losses) => {
                let lost = losses.iter().map(|loss| loss.count);
                self.stats.lost = lost.fold(self.stats.lost, u64::saturating_add);
            }
            // Who was there when a later part began was forked in this one, or told before.
            Side::Processes(_) | Side::Users(_) | Side::Artifacts(_) => {}
            Side::Clocks(clocks) => {
                self.clocks.extend(clocks);
                for host in &mut self.hosts {
                    if let Some(clock) = WallClock::told(&self.clocks, host.number) {
                        *host = Arc::new(host.with_clock(clock));
                    }
                }
            }
        }
    }

    /// Gives out the first block that waits. What is behind it says how far rows may be given out then.
    fn give_first(&mut self) {
        let Some((_, job)) = self.waiting.pop_first() else { return };
        self.floor = self.floor.max(job.reference.first);
        let bound = match self.waiting.first_key_value() {
            Some(((first, boot, _), _)) => (*first, *boot),
            None => (self.floor, job.reference.boot),
        };
        self.due.push_back(Job { next: Bound::both(bound), ..job });
    }

    /// Gives out all that no block before `floor` has to be waited for.
    fn give_up_to(&mut self, floor: u64) {
        while self.waiting.first_key_value().is_some_and(|((first, ..), _)| *first < floor) {
            self.give_first();
        }
        if floor > self.floor {
            self.floor = floor;
            self.due.push_back(Job::tick(floor));
        }
    }

    fn nothing(&mut self) {
        if self.blocks == 0 {
            return;
        }
        let floor = if self.hosts.len() <= 1 { self.latest.saturating_add(1) } else { self.latest_first };
        self.give_up_to(floor);
    }

    fn end(&mut self) {
        self.is_over = true;
        while !self.waiting.is_empty() {
            self.give_first();
        }
        if self.scans.as_ref().is_some_and(Scans::has_ends) {
            let mut ends: Vec<_> = std::mem::take(&mut self.ends).into_values().collect();
            ends.sort_unstable_by_key(|(reference, ..)| reference.last);
            for (last, host, last_ns) in ends {
                let known = self.hosts.get(usize::from(host));
                if let Some(known) = known
                    && let Some(end_ns) = self.file.recorded_end(host, last_ns)
                    && self.question.range.as_ref().is_none_or(|range| known.wall(end_ns) < range.end)
                {
                    let host = Some(Arc::clone(known));
                    let end = Some(end_ns);
                    let reference = last.end(known.key(end_ns).max(last.last));
                    let next = Bound::both((reference.first, reference.boot));
                    self.due.push_back(Job { reference, host, end, next, ..Job::default() });
                }
            }
        }
        self.due.push_back(Job { next: Bound::NONE, ..Job::tick(u64::MAX) });
    }
}

impl schedule::Arriving<Job> for Arriving<'_> {
    fn next(&mut self) -> Next<Job> {
        loop {
            if let Some(mut job) = self.due.pop_front() {
                job.number = self.jobs;
                self.jobs += 1;
                return Next::Job(job);
            }
            if self.is_over || self.question.cancellation.is_cancelled() {
                return Next::End;
            }
            match self.feed.next() {
                Ok(Some(Fed::Block(block, statistics))) => self.block(block, *statistics),
                Ok(Some(Fed::Side(side))) => self.side(&side),
                Ok(Some(Fed::UpTo(boot_ns))) => {
                    let key = self.hosts.first().map_or(boot_ns, |host| host.key(boot_ns));
                    self.give_up_to(key);
                }
                Ok(Some(Fed::Nothing)) => {
                    self.nothing();
                    if self.due.is_empty() {
                        return Next::Later;
                    }
                }
                Ok(Some(Fed::Missing(what))) if self.stats.missing.len() < MOST_TOLD => {
                    self.stats.missing.push(what);
                }
                Ok(Some(Fed::Missing(_))) => {}
                Ok(None) => self.end(),
                Err(error) => {
                    self.failed = Some(error);
                    self.end();
                }
            }
        }
    }
}
