//! What is known of a capture without opening it: enough to say that nothing of it is asked for, and to let the others be
//! read as if it were there.
//!
//! It is of a capture as a recorder finished it: of one host, whose boot is known. Others are opened.

use std::ops::Range;

use format::{Header, SetEnding, Statistics};
use scopes::Plan;
use scopes::pruning::Ancestry;

use crate::matching::Matcher;
use crate::unread_rows::UnreadRows;

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
    /// What its recording says of itself ([`format::Recording::labels`]).
    pub labels: Vec<(String, String)>,
    /// How many blocks it has.
    pub blocks: u64,
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
        UnreadRows::of_capture(self).may_match(&Matcher::new(plan), Ancestry::Unknown)
    }

    /// Whether any row may be of this stretch of the wall clock.
    pub fn may_be_in(&self, range: &Range<i64>) -> bool {
        let (first, last) = scopes::pruning::Statistics::wall_ns(&UnreadRows::of_capture(self));
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
}
