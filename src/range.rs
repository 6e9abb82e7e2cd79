//! `--from` and `--to`, the same for all subcommands that read a stretch of time.

use clap::Args;

use std::ops::Range;

use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pipeline::Source;

use crate::moment::{self, Extent};

#[derive(Args, Debug, Default)]
pub struct TimeRange {
    /// From this time on: 2026-07-01T12:00:00Z, 12:00:00 of the first event's day, +10s after the first event, -10m before
    /// the last one, or #7, the time of event 7
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// Up to this time, and not including it
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
}

impl TimeRange {
    /// Whether a time is that of an event by its number.
    pub fn counts_events(&self) -> bool {
        [&self.from, &self.to].into_iter().flatten().any(|text| text.starts_with('#'))
    }

    /// The stretch before captures are opened; `None` where that depends on them, or is none that reads. `extent`: of all
    /// rows, where that is known.
    pub fn known(&self, extent: Option<Extent>, zone: &TimeZone) -> Option<Range<i64>> {
        let end = |text: &Option<String>, otherwise| match (text, extent) {
            (None, _) => Some(otherwise),
            (Some(text), Some(extent)) => moment::wall_ns(text, extent, zone).ok(),
            (Some(text), None) if text.parse::<i64>().is_ok() || text.parse::<Timestamp>().is_ok() => {
                moment::wall_ns(text, Extent { start_ns: 0, end_ns: 0 }, zone).ok()
            }
            (Some(_), None) => None,
        };
        Some(end(&self.from, i64::MIN)?..end(&self.to, i64::MAX)?)
    }

    /// The stretch of the wall clock, ns since the epoch, without its end; `None` where all is asked for.
    pub fn resolve(&self, source: &Source, zone: impl FnOnce() -> TimeZone) -> Result<Option<Range<i64>>> {
        if self.from.is_none() && self.to.is_none() {
            return Ok(None);
        }
        for text in [&self.from, &self.to].into_iter().flatten() {
            if source.is_growing() && text.starts_with(['#', '+', '-']) {
                bail!("{text} counts events or time of a capture that is there: write this one to a file");
            }
        }
        let (extent, zone) = (Extent::of(source), &zone());
        let end = |flag: &'static str, text: &Option<String>, otherwise| match text {
            Some(text) => moment(text, source, extent, zone).context(flag),
            None => Ok(otherwise),
        };
        Ok(Some(end("--from", &self.from, i64::MIN)?..end("--to", &self.to, i64::MAX)?))
    }
}

/// The time of `#7`, or of a time as users write it.
pub fn moment(text: &str, source: &Source, extent: Extent, zone: &TimeZone) -> Result<i64> {
    let Some(number) = text.strip_prefix('#') else { return moment::wall_ns(text, extent, zone) };
    let number: u64 = number.parse().with_context(|| format!("{text} is no event, such as #7"))?;
    match replay::explain::time_of(source, number)? {
        Some(time) => Ok(time),
        None => bail!("there is no event {number}"),
    }
}
