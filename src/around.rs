//! `--around`: rows before and after a moment.

use std::ops::Range;

use anyhow::Result;
use pipeline::{Question, Source};

/// Where an answer begins and how long it is.
#[derive(Debug)]
pub struct Around {
    pub range: Range<i64>,
    /// Rows at the beginning of the range that are not shown.
    pub skip: u64,
    pub limit: u64,
}

/// Stretches before the moment that are looked through for enough rows, ns.
const STRETCHES: [i64; 4] = [1_000_000_000, 60_000_000_000, 3_600_000_000_000, i64::MAX];

/// The `context` rows before a moment, the first one at or after it, and `context` more. `question` makes the question for a
/// stretch of time. Stretches grow until there is enough, so that blocks far away are not read.
pub fn around<'a>(
    at_ns: i64,
    context: u64,
    within: Option<&Range<i64>>,
    question: impl Fn(Range<i64>) -> Question<'a>,
) -> Result<Around> {
    let all = within.cloned().unwrap_or(i64::MIN..i64::MAX);
    let mut found = (all.start, 0);
    for stretch in STRETCHES {
        let start = at_ns.saturating_sub(stretch).max(all.start);
        let start = if stretch == i64::MAX { all.start } else { start };
        let before = question(start..at_ns.max(start)).count()?.matched;
        found = (start, before);
        if before >= context || start == all.start {
            break;
        }
    }
    let (start, before) = found;
    Ok(Around {
        range: start..all.end,
        skip: before.saturating_sub(context),
        limit: before.saturating_add(context).saturating_add(1),
    })
}

/// The moment of `#N` or of a time.
pub fn moment(text: &str, source: &Source, zone: &jiff::tz::TimeZone) -> Result<i64> {
    crate::range::moment(text, source, crate::moment::Extent::of(source), zone)
}
