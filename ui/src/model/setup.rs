//! What a session begins with.

use std::ops::Range;
use std::sync::Arc;

use jiff::tz::TimeZone;
use views::clock::Clock;
use views::{Column, Look};

use crate::engine::Style;
use crate::marks::Marks;

/// Reads a time as users write it; the times are those of the first and of the last event.
pub type Moment = Arc<dyn Fn(&str, (i64, i64)) -> Result<i64, String> + Send + Sync>;

#[derive(Clone)]
pub struct Setup {
    /// Names of the files and what is known of them, for the first line.
    pub title: String,
    /// As a shell takes them, for commands that show the same.
    pub files: Vec<String>,
    pub filters: Vec<String>,
    pub range: Option<Range<i64>>,
    pub columns: Vec<Column>,
    pub look: Look,
    pub zone: TimeZone,
    pub times: Times,
    /// Wall clock of the first event.
    pub start_ns: i64,
    pub extent: (i64, i64),
    /// Events that the recording lost.
    pub lost: u64,
    /// What is wrong with the capture, all the time.
    pub warning: String,
    pub is_ascii: bool,
    pub is_coloured: bool,
    pub has_mouse: bool,
    pub is_following: bool,
    pub marks: Marks,
    pub check: crate::Check,
    pub moment: Moment,
}

/// Which clock times are of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Times {
    #[default]
    Local,
    Utc,
    Relative,
}

impl Times {
    /// Once through the clocks with names, then with numbers.
    pub fn next(self, is_raw: bool) -> (Times, bool) {
        match self {
            Times::Local => (Times::Utc, is_raw),
            Times::Utc => (Times::Relative, is_raw),
            Times::Relative => (Times::Local, !is_raw),
        }
    }

    pub fn what(self) -> &'static str {
        match self {
            Times::Local => "local time",
            Times::Utc => "UTC",
            Times::Relative => "time since the first event",
        }
    }
}

impl Setup {
    pub fn style(&self, times: Times, is_raw: bool) -> Style {
        let clock = match times {
            Times::Local => Clock::Zone(self.zone.clone()),
            Times::Utc => Clock::Utc,
            Times::Relative => Clock::Since(self.start_ns),
        };
        let look = Look { clock, raw_arguments: is_raw, ..self.look.clone() };
        Style { look, columns: self.columns.clone() }
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Setup").field("title", &self.title).finish_non_exhaustive()
    }
}
