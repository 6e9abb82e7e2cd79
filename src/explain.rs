//! `tracer explain`: why scopes match or do not.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use pipeline::Source;
use replay::explain::{Funnel, Which};
use replay::render::clock::Clock;
use replay::render::{Format, Printer, Style};

use crate::filters::FilterOptions;
use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {
    /// Captures; several are read as one, by time
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    scopes: FilterOptions,
    /// Explain this event: its number among all events in order of time, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    event: Option<u64>,
    /// Explain the first event at or after this time: 2026-11-23T20:09:15.041923Z, ns since the epoch, or +1.5s after
    /// the first event
    #[arg(long, value_name = "TIME", conflicts_with = "event")]
    at: Option<String>,
    /// Threads; all processors when not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Times in UTC instead of local time
    #[arg(long)]
    utc: bool,
}

pub fn run(options: Options) -> Result<Outcome> {
    if options.scopes.is_empty() {
        bail!("nothing to explain: give filters (-f) or policies (-p)");
    }
    let set = options.scopes.scopes()?;
    let source = replay::open::open(&options.files, &format::OpenOptions::default())?;
    let mut err = io::stderr().lock();
    for warning in set.warnings() {
        let _ = writeln!(err, "{warning}");
    }
    let threads = crate::filters::threads(options.threads);
    let which = match (options.event, &options.at) {
        (Some(number), _) => Some(Which::Number(number)),
        (None, Some(time)) => Some(Which::At(wall_ns(time, &source)?)),
        (None, None) => None,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match which {
        None => {
            for funnel in replay::explain::funnels(&source, &set, threads)? {
                tell(&funnel, &mut out)?;
            }
        }
        Some(which) => {
            let clock = if options.utc { Clock::Utc } else { Clock::local() };
            let style = Style { clock, containers: source.has_containers(), ..Style::default() };
            let rows = Printer { format: Format::Table, style };
            let Some(told) = replay::explain::event(&source, &set, which, threads, &rows)? else {
                bail!("there is no such event in the capture");
            };
            writeln!(out, "event {}", told.number)?;
            out.write_all(&rows.header())?;
            write!(out, "{}{}", told.row, told.scopes)?;
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}

/// How many events each filter took away, in order.
fn tell(funnel: &Funnel, out: &mut impl Write) -> io::Result<()> {
    let Funnel { title, events, matched, removed } = funnel;
    match matched {
        0 => writeln!(out, "scope {title}: matches none of {events} events")?,
        matched => writeln!(out, "scope {title}: matches {matched} of {events} events")?,
    }
    let width = removed.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0).min(60);
    let mut left = *events;
    for (text, removed) in removed {
        left -= removed;
        writeln!(out, "  {text:width$}  removed {removed:>10}, {left:>10} left")?;
    }
    Ok(())
}

/// A time of the wall clock, ns since the epoch.
fn wall_ns(text: &str, source: &Source) -> Result<i64> {
    if let Some(after) = text.strip_prefix('+') {
        let start = source.start_wall_ns().unwrap_or(0);
        let span: jiff::SignedDuration =
            after.parse().with_context(|| format!("--at {text}: no time after the start, such as +1.5s"))?;
        return Ok(start.saturating_add(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX)));
    }
    if let Ok(ns) = text.parse() {
        return Ok(ns);
    }
    let time: Timestamp = text.parse().with_context(|| {
        format!("--at {text}: neither a time (2026-11-23T20:09:15Z), ns since the epoch, nor +10s")
    })?;
    i64::try_from(time.as_nanosecond()).with_context(|| format!("--at {text}: no capture is that far away"))
}
