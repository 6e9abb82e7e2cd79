//! `tracer explain`: why scopes match or do not.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use jiff::Timestamp;
use pipeline::Source;
use replay::explain::{Funnel, Which};
use replay::render::{Format, Printer, Style};
use replay::{Asked, Asker};
use scopes::spelled_out;

use crate::asking::{self, AskOptions};
use crate::caveats;
use crate::explain_rule;
use crate::filters::{FilterOptions, answered};
use crate::moment::{self, Extent};
use crate::outcome::{self, Outcome};

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    ask: AskOptions,
    #[command(flatten)]
    scopes: FilterOptions,
    /// Explain this event: its number among all events in order of time, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    event: Option<u64>,
    /// Explain this rule instead of scopes: with --event part by part for that event, without how many events each part takes away
    #[arg(long, value_name = "ID", conflicts_with_all = ["filters", "policies", "at"])]
    rule: Option<String>,
    /// With --rule: a file or folder of rules; without it the rules that are part of the program
    #[arg(long, value_name = "PATH", requires = "rule")]
    rules: Vec<PathBuf>,
    /// Explain the first event at or after this time: 20:09:15:041923 as tables show it (of the first event's day),
    /// 2026-11-23T20:09:15.041923Z, ns since the epoch, or +1.5s after the first event
    #[arg(long, value_name = "TIME", conflicts_with = "event")]
    at: Option<String>,
}

pub fn run(options: Options) -> Result<Outcome> {
    if let Some(id) = &options.rule {
        let source = options.ask.source()?;
        return explain_rule::run(id, &options.rules, &source, options.event);
    }
    if options.scopes.is_empty() {
        bail!("nothing to explain: give filters (-f), policies (-p), or a rule (--rule)");
    }
    let source = options.ask.source()?;
    let set = asking::set(&options.scopes, &source, false)?;
    let asked = answered(Asked::given(set.clone(), &source).map_err(replay::Error::Filters))?;
    caveats::tell(&source, asked.plan(), &options.scopes);
    let mut asker = Asker::new(&source, options.ask.threads.count());
    asker.strict = options.ask.damage.strict;
    let which = match (options.event, &options.at) {
        (Some(number), _) => Some(Which::Number(number)),
        (None, Some(time)) => {
            Some(Which::At(moment::wall_ns(time, Extent::of(&source), &options.ask.zone()).context("--at")?))
        }
        (None, None) => None,
    };
    let mut out = BufWriter::new(io::stdout().lock());
    match which {
        None => {
            let progress = options.ask.progress()?;
            let funnels = answered(replay::explain::funnels(&mut asker, &set))?;
            drop(progress);
            for funnel in funnels {
                tell(&funnel, &mut out)?;
            }
        }
        Some(which) => {
            let style =
                Style { clock: options.ask.clock(), containers: source.has_containers(), ..Style::default() };
            let rows = Printer { format: Format::Table, style };
            let told = answered(replay::explain::event(&mut asker, &set, which, &rows))?;
            let Some(told) = told else { bail!(none(which, &source)) };
            writeln!(out, "event {}", told.number)?;
            out.write_all(&rows.header())?;
            write!(out, "{}{}", told.row, told.scopes)?;
        }
    }
    out.flush()?;
    outcome::with_gaps(Outcome::Done, &asker.gaps, &source)
}

/// Where the events are, when none is there where it was looked for.
fn none(which: Which, source: &Source) -> String {
    let events: u64 =
        source.files().iter().flat_map(|file| file.capture.blocks()).map(|block| block.statistics.rows).sum();
    match which {
        Which::Number(number) => format!("there is no event {number}: the capture has {events} rows"),
        Which::At(_) => format!(
            "no event is at or after that time: the capture has {events} rows, the first at {}",
            start(source)
        ),
    }
}

fn start(source: &Source) -> String {
    let first = source.start_wall_ns().and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
    first.map_or_else(|| "no known time".to_owned(), |time| time.to_string())
}

/// How many events each filter took away, in order.
fn tell(funnel: &Funnel, out: &mut impl Write) -> io::Result<()> {
    let Funnel { title, events, matched, removed } = funnel;
    let title = spelled_out(title);
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
