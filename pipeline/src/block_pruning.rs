//! Which blocks a question can skip: their statistics are enough to say that nothing in them matches.

use std::sync::Arc;

use events::EventId;
use format::Statistics;
use scopes::pruning::{Ancestry, NumberOf, Returned, TextOf};
use scopes::{ContainerFacts, Recording};

use crate::matching::Matcher;
use crate::source::{File, Host};

/// Judges the blocks of one file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pruning<'a> {
    matcher: &'a Matcher<'a>,
    file: &'a File,
    host: &'a Host,
}

impl<'a> Pruning<'a> {
    pub fn new(matcher: &'a Matcher<'a>, file: &'a File, host: &'a Host) -> Pruning<'a> {
        Pruning { matcher, file, host }
    }

    /// Whether any row may match; `false` is certain. `ancestry`: what is known of the ancestors of the rows' tasks.
    pub fn may_match(&self, statistics: &Statistics, ancestry: impl Fn(&Rows<'_>) -> Ancestry) -> bool {
        let schema = self.file.capture.schema();
        // Recorded masks are the file's: contexts and arguments say nothing of them.
        if self.matcher.is_recorded() {
            return true;
        }
        let Some(rows) = self.rows(statistics) else { return true };
        let plan = self.matcher.plan();
        let ancestry = ancestry(&rows);
        let contexts = plan.may_match_contexts(&rows, ancestry);
        statistics.events.iter().any(|count| match schema.event(count.event) {
            Some(event) => {
                let visible = plan.stored_event_mask(event.id) & contexts;
                self.matcher.needed(event) & contexts != 0
                    || (visible != 0 && visible & plan.may_match_event(event.id, &rows, ancestry) != 0)
            }
            None => true,
        })
    }

    /// `None` where rows are of other hosts too, or of others.
    fn rows<'s>(&'s self, statistics: &'s Statistics) -> Option<Rows<'s>> {
        let is_of_host = statistics.hosts == [self.host.number];
        is_of_host.then_some(Rows { statistics, file: self.file, host: self.host })
    }
}

/// What is known of rows of one host.
pub(crate) struct Rows<'a> {
    statistics: &'a Statistics,
    file: &'a File,
    host: &'a Host,
}

impl Rows<'_> {
    fn numbers(&self, of: NumberOf) -> &format::Numbers {
        let it = self.statistics;
        match of {
            NumberOf::Pid => &it.pids,
            NumberOf::Tid => &it.tids,
            NumberOf::Ppid => &it.ppids,
            NumberOf::Uid => &it.uids,
            NumberOf::MntNs => &it.mnt_nss,
            NumberOf::PidNs => &it.pid_nss,
            NumberOf::Cgroup => &it.cgroups,
        }
    }
}

impl scopes::pruning::Statistics for Rows<'_> {
    fn texts(&self, of: TextOf) -> Option<&[Arc<[u8]>]> {
        let texts = match of {
            TextOf::Comm => &self.statistics.comms,
            TextOf::Exe => &self.statistics.exes,
            TextOf::Uts => &self.statistics.utses,
        };
        texts.exact()
    }

    fn listed(&self, of: NumberOf) -> Option<&[u64]> {
        self.numbers(of).exact()
    }

    fn may_overlap(&self, of: NumberOf, low: u64, high: u64) -> bool {
        let numbers = self.numbers(of);
        if low == high { numbers.may_contain(low) } else { numbers.may_overlap(low, high) }
    }

    fn each_container(&self, see: &mut dyn FnMut(Option<&ContainerFacts<'_>>)) {
        let (cgroups, containers) = (&self.statistics.cgroups, self.host.containers());
        for (cgroup, container) in containers.iter() {
            if cgroups.may_contain(cgroup) {
                see(Some(&container.facts()));
            }
        }
        let is_container = |cgroup: &u64| containers.get(*cgroup).is_some();
        if !cgroups.exact().is_some_and(|all| all.iter().all(is_container)) {
            see(None);
        }
    }

    fn recording(&self) -> Recording {
        self.host.recording()
    }

    fn host(&self) -> &str {
        &self.host.name
    }

    fn boot_ns(&self) -> (u64, u64) {
        (self.statistics.first_ns, self.statistics.last_ns)
    }

    fn wall_ns(&self) -> (u64, u64) {
        let clock = self.host.clock();
        let (first, last) = (clock.wall(self.statistics.first_ns), clock.wall(self.statistics.last_ns));
        // Each block has its own clock, which is that of the file nearly.
        (
            (first as u64).saturating_sub(format::CLOCK_TOLERANCE_NS),
            (last as u64).saturating_add(format::CLOCK_TOLERANCE_NS),
        )
    }

    fn returned(&self, event: EventId) -> Returned {
        let Some(failed) = self.statistics.failed_of(event) else { return Returned::ANY };
        let successes = failed < self.statistics.rows_of(event);
        let below_errors = successes && self.statistics.has_returns_below_errors != Some(false);
        // What is below errors counts as a success here, and cannot be told from others.
        Returned { errors: failed > 0, successes, below_errors }
    }

    fn may_have_part(
        &self,
        event: EventId,
        position: usize,
        part: &[u8],
        at_start: bool,
        at_end: bool,
    ) -> bool {
        !self.file.capture.schema().has_texts(event, position)
            || self
                .statistics
                .argument_texts
                .as_ref()
                .is_none_or(|texts| texts.may_contain_part(part, at_start, at_end))
    }
}
