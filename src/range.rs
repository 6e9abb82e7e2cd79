//! `--from` and `--to`, the same for all subcommands that read a stretch of time.

use clap::Args;

use anyhow::{Context, Result};
use jiff::tz::TimeZone;

use crate::moment;

#[derive(Args, Debug, Default)]
pub struct TimeRange {
    /// From this time on: 2026-07-01T12:00:00Z, 12:00:00 of the first event's day, or +10s after the first event
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Up to this time, and not including it
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
}

impl TimeRange {
    /// Both ends on the wall clock, ns since the epoch. `start_ns`: of the first event.
    pub fn wall_ns(&self, start_ns: i64, zone: &TimeZone) -> Result<(i64, i64)> {
        let end = |flag: &'static str, text: &Option<String>, otherwise| match text {
            Some(text) => moment::wall_ns(text, start_ns, zone).context(flag),
            None => Ok(otherwise),
        };
        Ok((end("--from", &self.from, i64::MIN)?, end("--to", &self.to, i64::MAX)?))
    }
}
