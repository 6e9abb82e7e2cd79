//! What is known of a capture without opening it: enough to say that nothing of it is asked for, and to let the others be
//! read as if it were there.
//!
//! It is of a capture as a recorder finished it: of one host, whose boot is known. Others are opened.

use std::ops::Range;
use std::sync::Arc;

use format::{CLOCK_TOLERANCE_NS, SetEnding, Statistics};
use scopes::pruning::Ancestry;
use scopes::{Plan, ScopeSet};

use crate::matching::Matcher;
use crate::unread_rows::UnreadRows;

/// A capture that is not opened. There may be very many: what is the same of many is kept once, and the statistics, which are
/// most of what is known of one, are read when they are judged and not kept.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// As the user would have it named.
    pub name: Arc<str>,
    /// The host's node name when the recording began.
    pub host: Arc<str>,
    pub boot_id: Arc<str>,
    /// When the recording began, boot clock ns.
    pub start_ns: u64,
    /// The mount namespace of the host's first process, where that was seen.
    pub host_mnt_ns: Option<u32>,
    pub has_containers: bool,
    /// Wall clock of the first and the last row, ns since the epoch: those of its blocks, each by its own clock.
    pub wall_ns: (i64, i64),
    /// Boot clock of the first row, ns.
    pub first_ns: u64,
    pub rows: u64,
    /// Events that were lost while recording.
    pub lost: u64,
    /// Its place in its set, as its header and its last seal say.
    pub part: u32,
    pub ending: Option<SetEnding>,
    /// Parts of earlier sets that its recording has removed: as in [`format::Recording::more`].
    pub removed: Arc<[(String, String)]>,
    /// What its recording says of itself ([`format::Recording::labels`]).
    pub labels: Arc<[(String, String)]>,
    /// How many blocks it has.
    pub blocks: u64,
}

/// Whether outlines can tell what a plan matches in captures that are not opened. Some questions need what stands in
/// others: who descends from whom, what streams of packets say.
pub fn can_tell(plan: &Plan) -> bool {
    !plan.needs().lineage && !Matcher::new(plan).reads_streams()
}

impl Outline {
    /// Whether any row may match; `false` is certain, for plans that [`can_tell`] is true of. `statistics`: of all rows together.
    pub fn may_match(&self, statistics: &Statistics, plan: &Plan) -> bool {
        if self.has_containers && plan.needs().containers {
            return true;
        }
        UnreadRows::of_capture(self, statistics).may_match(&Matcher::new(plan), Ancestry::Unknown)
    }

    /// Whether any row may be of this stretch of the wall clock.
    pub fn may_be_in(&self, range: &Range<i64>) -> bool {
        let (first, last) = self.wall_extent();
        self.rows > 0 && (first as i64) < range.end && (last as i64) >= range.start
    }

    /// The wall clock of its rows, with what the clocks of blocks may differ by.
    pub(crate) fn wall_extent(&self) -> (u64, u64) {
        let (first, last) = self.wall_ns;
        ((first as u64).saturating_sub(CLOCK_TOLERANCE_NS), (last as u64).saturating_add(CLOCK_TOLERANCE_NS))
    }

    /// Where its rows lie: on the ordering clock, and their first and last on the wall clock.
    pub(crate) fn extent(&self, by_wall: bool) -> Option<(u64, i64, i64)> {
        let (first, last) = self.wall_ns;
        let key = if by_wall { first as u64 } else { self.first_ns };
        (self.rows > 0).then_some((key, first, last))
    }
}

/// What is asked for, as far as outlines can tell: what none of them can say rules nothing out.
#[derive(Debug, Default)]
pub struct Conditions {
    /// Wall clock, ns since the epoch, without its end.
    range: Option<Range<i64>>,
    /// Of each list one plan must match.
    all: Vec<Vec<Plan>>,
}

impl Conditions {
    pub fn within(range: Option<Range<i64>>) -> Conditions {
        Conditions { range, all: Vec::new() }
    }

    /// One of these sets must match, of which `None` asks what nobody can tell here.
    pub fn any_of(&mut self, sets: impl IntoIterator<Item = Option<ScopeSet>>) {
        let plans: Option<Vec<Plan>> = sets.into_iter().map(|set| set.as_ref().and_then(told)).collect();
        self.all.extend(plans);
    }

    /// Whether nothing is ruled out by them.
    pub fn ask_everything(&self) -> bool {
        self.range.is_none() && self.all.is_empty()
    }

    /// Whether statistics have to be judged.
    pub fn ask_statistics(&self) -> bool {
        !self.all.is_empty()
    }

    pub fn may_be_in_range(&self, outline: &Outline) -> bool {
        self.range.as_ref().is_none_or(|range| outline.may_be_in(range))
    }

    pub fn may_match(&self, outline: &Outline, statistics: &Statistics) -> bool {
        self.may_be_in_range(outline)
            && self.all.iter().all(|any| any.iter().any(|plan| outline.may_match(statistics, plan)))
    }
}

/// The plan of scopes that statistics can judge: without names of users and peers, which captures know.
fn told(set: &ScopeSet) -> Option<Plan> {
    let is_told = !set.names_users() && !set.names_peers();
    is_told.then(|| Plan::compile(set)).filter(can_tell)
}

/// The same of scopes: whether what they match in a capture depends on that capture alone.
pub fn can_tell_of(set: &ScopeSet) -> bool {
    told(set).is_some()
}
