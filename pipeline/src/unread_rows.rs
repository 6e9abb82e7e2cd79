//! What is known of rows that nobody has read: those of a block, of a segment, or of a capture that is not opened.

use std::sync::{Arc, OnceLock};

use events::EventId;
use format::{CLOCK_TOLERANCE_NS, Numbers, Schema, Statistics};
use scopes::pruning::{Ancestry, NumberOf, Returned, TextOf};
use scopes::{ContainerFacts, Recording};

use crate::matching::Matcher;
use crate::outline::Outline;
use crate::source::{File, Host};

/// Rows of one host, by their statistics.
#[derive(Clone, Copy)]
pub(crate) struct UnreadRows<'a> {
    statistics: &'a Statistics,
    of: Of<'a>,
}

/// Who says what statistics do not hold.
#[derive(Clone, Copy)]
enum Of<'a> {
    Opened(&'a File, &'a Host),
    Unopened(&'a Outline),
}

impl<'a> UnreadRows<'a> {
    pub fn of_block(statistics: &'a Statistics, file: &'a File, host: &'a Host) -> UnreadRows<'a> {
        UnreadRows { statistics, of: Of::Opened(file, host) }
    }

    pub fn of_capture(outline: &'a Outline, statistics: &'a Statistics) -> UnreadRows<'a> {
        UnreadRows { statistics, of: Of::Unopened(outline) }
    }

    /// Whether any of them may match; `false` is certain. `ancestry`: what is known of the ancestors of their tasks.
    pub fn may_match(&self, matcher: &Matcher<'_>, ancestry: Ancestry) -> bool {
        let plan = matcher.plan();
        let contexts = plan.may_match_contexts(self, ancestry);
        self.statistics.events.iter().any(|count| match self.schema().event(count.event) {
            Some(event) => {
                let visible = plan.stored_event_mask(event.id) & contexts;
                matcher.needed(event) & contexts != 0
                    || (visible != 0 && visible & plan.may_match_event(event.id, self, ancestry) != 0)
            }
            None => true,
        })
    }

    fn schema(&self) -> &Schema {
        static CURRENT: OnceLock<Schema> = OnceLock::new();
        match self.of {
            Of::Opened(file, _) => file.capture.schema(),
            // Others are opened.
            Of::Unopened(_) => CURRENT.get_or_init(Schema::current),
        }
    }

    fn numbers(&self, of: NumberOf) -> &Numbers {
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

impl scopes::pruning::Statistics for UnreadRows<'_> {
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
        // Captures that have containers are opened for whoever asks for them.
        let Of::Opened(_, host) = self.of else { return see(None) };
        let (cgroups, containers) = (&self.statistics.cgroups, host.containers());
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
        match self.of {
            Of::Opened(_, host) => host.recording(),
            Of::Unopened(outline) => {
                Recording { start_ns: outline.start_ns, host_mnt_ns: outline.host_mnt_ns }
            }
        }
    }

    fn host(&self) -> &str {
        match self.of {
            Of::Opened(_, host) => &host.name,
            Of::Unopened(outline) => &outline.host,
        }
    }

    fn boot_ns(&self) -> (u64, u64) {
        (self.statistics.first_ns, self.statistics.last_ns)
    }

    /// Each block has its own clock, which is that of the file nearly.
    fn wall_ns(&self) -> (u64, u64) {
        let (first, last) = match self.of {
            Of::Opened(_, host) => {
                let clock = host.clock();
                (clock.wall(self.statistics.first_ns), clock.wall(self.statistics.last_ns))
            }
            Of::Unopened(outline) => return outline.wall_extent(),
        };
        ((first as u64).saturating_sub(CLOCK_TOLERANCE_NS), (last as u64).saturating_add(CLOCK_TOLERANCE_NS))
    }

    /// What is below errors counts as a success here, and cannot be told from others.
    fn returned(&self, event: EventId) -> Returned {
        let Some(failed) = self.statistics.failed_of(event) else { return Returned::ANY };
        // A count that is full says nothing of the others.
        let successes = failed < self.statistics.rows_of(event) || failed == u32::MAX;
        let below_errors = successes && self.statistics.has_returns_below_errors != Some(false);
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
        !self.schema().has_texts(event, position)
            || self
                .statistics
                .argument_texts
                .as_ref()
                .is_none_or(|texts| texts.may_contain_part(part, at_start, at_end))
    }
}
