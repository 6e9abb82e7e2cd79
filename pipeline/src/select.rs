//! Which blocks a question can skip: what the index knows of them is enough to say that nothing in them matches.

use format::BlockInfo;

use crate::matching::Matcher;
use crate::source::File;

impl Matcher<'_> {
    /// Whether any row of the block may match; `false` is certain.
    pub fn may_match(&self, file: &File, info: &BlockInfo) -> bool {
        let schema = file.capture.schema();
        info.events.iter().any(|count| schema.event(count.event).is_none_or(|event| self.wants(event)))
    }
}
