//! Which blocks a question can skip: their statistics are enough to say that nothing in them matches.

use format::Statistics;
use scopes::pruning::Ancestry;

use crate::matching::Matcher;
use crate::source::{File, Host};
use crate::unread_rows::UnreadRows;

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
    pub fn may_match(&self, statistics: &Statistics, ancestry: impl Fn(&UnreadRows<'_>) -> Ancestry) -> bool {
        // Recorded masks are the file's: contexts and arguments say nothing of them. Statistics of rows of other hosts, too, say
        // nothing of this one's.
        if self.matcher.is_recorded() || statistics.hosts != [self.host.number] {
            return true;
        }
        let rows = UnreadRows::of_block(statistics, self.file, self.host);
        rows.may_match(self.matcher, ancestry(&rows))
    }
}
