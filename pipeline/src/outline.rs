//! What is known of a capture without opening it: enough to say that nothing of it is asked for, and to let the others be
//! read as if it were there.
//!
//! It is of a capture as a recorder finished it: of one host, whose boot is known. Others are opened.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use events::{EventId, catalogue};
use format::{CLOCK_TOLERANCE_NS, Header, Numbers, Schema, SetEnding, Statistics};
use scopes::pruning::{Ancestry, NumberOf, Returned, TextOf};
use scopes::{ContainerFacts, Plan, Recording};

use crate::matching::Matcher;

/// A capture that is not opened.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// As the user would have it named.
    pub name: String,
    /// The host's node name when the recording began.
    pub host: String,
    pub boot_id: String,
    /// When the recording began, boot clock ns.
    pub start_ns: u64,
    /// The mount namespace of the host's first process, where that was seen.
    pub host_mnt_ns: Option<u32>,
    pub has_containers: bool,
    /// Wall clock of the first and the last row, ns since the epoch: those of its blocks, each by its own clock.
    pub wall_ns: (i64, i64),
    /// Events that were lost while recording.
    pub lost: u64,
    /// Its place in its set, as its header and its last seal say.
    pub part: u32,
    pub ending: Option<SetEnding>,
    /// Parts of earlier sets that its recording has removed: as in [`format::Recording::more`].
    pub removed: Vec<(String, String)>,
    /// Of all rows together.
    pub statistics: Statistics,
}

/// Whether outlines can tell what a plan matches in captures that are not opened. Some questions need what stands in
/// others: who descends from whom, what streams of packets say.
pub fn can_tell(plan: &Plan) -> bool {
    !plan.needs().lineage && !Matcher::new(plan).reads_streams()
}

impl Outline {
    /// Whether any row may match; `false` is certain, for plans that [`can_tell`] is true of.
    pub fn may_match(&self, plan: &Plan) -> bool {
        if self.has_containers && plan.needs().containers {
            return true;
        }
        let matcher = Matcher::new(plan);
        let contexts = plan.may_match_contexts(self, Ancestry::Unknown);
        self.statistics.events.iter().any(|count| {
            let Some(event) = catalogue::by_id(count.event) else { return true };
            let visible = plan.stored_event_mask(event.id) & contexts;
            matcher.needed(event) & contexts != 0
                || (visible != 0 && visible & plan.may_match_event(event.id, self, Ancestry::Unknown) != 0)
        })
    }

    /// Whether any row may be of this stretch of the wall clock.
    pub fn may_be_in(&self, range: &Range<i64>) -> bool {
        let (first, last) = scopes::pruning::Statistics::wall_ns(self);
        self.statistics.rows > 0 && (first as i64) < range.end && (last as i64) >= range.start
    }

    /// As much of its header as says where it stands in its set.
    pub fn header(&self) -> Header {
        let mut header = Header::default();
        header.host.boot_id.clone_from(&self.boot_id);
        (header.recording.start_ns, header.recording.part) = (self.start_ns, self.part);
        header.recording.more = self.removed.iter().cloned().collect();
        header
    }

    /// Where its rows lie: on the ordering clock, and their first and last on the wall clock.
    pub(crate) fn extent(&self, by_wall: bool) -> Option<(u64, i64, i64)> {
        let (first, last) = self.wall_ns;
        let key = if by_wall { first as u64 } else { self.statistics.first_ns };
        (self.statistics.rows > 0).then_some((key, first, last))
    }

    fn numbers(&self, of: NumberOf) -> &Numbers {
        let it = &self.statistics;
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

impl scopes::pruning::Statistics for Outline {
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

    /// Without containers; those that have some are not asked about them.
    fn each_container(&self, see: &mut dyn FnMut(Option<&ContainerFacts<'_>>)) {
        see(None);
    }

    fn recording(&self) -> Recording {
        Recording { start_ns: self.start_ns, host_mnt_ns: self.host_mnt_ns }
    }

    fn host(&self) -> &str {
        &self.host
    }

    fn boot_ns(&self) -> (u64, u64) {
        (self.statistics.first_ns, self.statistics.last_ns)
    }

    fn wall_ns(&self) -> (u64, u64) {
        let (first, last) = self.wall_ns;
        ((first as u64).saturating_sub(CLOCK_TOLERANCE_NS), (last as u64).saturating_add(CLOCK_TOLERANCE_NS))
    }

    fn returned(&self, event: EventId) -> Returned {
        let Some(failed) = self.statistics.failed_of(event) else { return Returned::ANY };
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
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        !SCHEMA.get_or_init(Schema::current).has_texts(event, position)
            || self
                .statistics
                .argument_texts
                .as_ref()
                .is_none_or(|texts| texts.may_contain_part(part, at_start, at_end))
    }
}
