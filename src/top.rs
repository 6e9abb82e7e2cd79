//! `tracer top`: which commands, files, peers and others have the most events.

#[cfg(feature = "record")]
mod live;

use std::io::{self, BufWriter, Write};
#[cfg(feature = "record")]
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use pipeline::{Question, Stats};
use replay::render::clock::Hand;
use replay::render::columns::cut;
use replay::render::json_text;
use serde_json::json;
use views::Known;
use views::sums::{By, Sum, Sums};

use crate::asking::{self, AskOptions};
use crate::cataloged::CatalogOptions;
use crate::filters::FilterOptions;
use crate::outcome::{self, Outcome};
use crate::output;
use crate::range::TimeRange;
use crate::stderr;
use crate::terminal;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    ask: AskOptions,
    #[command(flatten)]
    catalog: CatalogOptions,
    #[command(flatten)]
    scopes: FilterOptions,
    #[command(flatten)]
    range: TimeRange,
    /// What to group by: comm, event, binary, container, user, host, file, directory, peer, domain, errno, syscall (several:
    /// one table each)
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "comm", value_parser = by)]
    by: Vec<By>,
    /// No more groups than this
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,
    /// What is sorted by, the most first
    #[arg(long, value_name = "COLUMN", default_value = "events")]
    sort: Sort,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
    /// Count what happens on this host from now on (needs root): a terminal is written anew every two seconds, anything else
    /// gets the sums at the end
    #[cfg(feature = "record")]
    #[arg(long, conflicts_with_all = ["given", "from", "to"])]
    live: bool,
    /// With --live: stop after this time (10s, 5m, 1h30m)
    #[cfg(feature = "record")]
    #[arg(long = "for", value_name = "TIME", requires = "live", value_parser = recorder::amount::time)]
    duration: Option<Duration>,
}

/// With `--live` there is no file.
#[cfg(feature = "record")]
pub fn without_files(command: clap::Command) -> clap::Command {
    command.mut_arg("given", |arg| arg.required(false).required_unless_present("live"))
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// One JSON object a line
    Json,
    /// Comma-separated, with a header
    Csv,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Sort {
    Events,
    Failures,
    Bytes,
    /// The earliest first
    First,
    /// The latest first
    Last,
}

/// The events that hold names of DNS.
const DNS: &str = "net_packet_dns_request,net_packet_dns_response";

fn by(text: &str) -> Result<By, String> {
    By::ALL.iter().copied().find(|by| by.name() == text).ok_or_else(|| {
        let known: Vec<_> = By::ALL.iter().map(|by| by.name()).collect();
        format!("groups are {}", known.join(", "))
    })
}

pub fn run(options: Options) -> Result<Outcome> {
    if options.limit == 0 {
        bail!("--limit 0 leaves nothing to print");
    }
    #[cfg(feature = "record")]
    if options.live {
        return live::run(options);
    }
    // Names of DNS are in events that are derived: only whoever asks for these has them.
    let names_only = options.by == [By::Domain] && options.scopes.is_empty();
    let of_names = FilterOptions { filters: vec![format!("event={DNS}")], ..FilterOptions::default() };
    let scopes = if names_only { &of_names } else { &options.scopes };
    let source = options.ask.source_for(&options.catalog, scopes, &options.range)?;
    let asked = asking::asked(scopes, &source, false)?;
    let known = Known::of(&source, false)?;
    let range = options.ask.range(&options.range, &source)?;
    let clock = options.ask.clock();
    let days = source.start_wall_ns().zip(source.end_wall_ns());
    let dates = days.is_some_and(|(from, to)| clock.parts_days(from, to));
    let inputs = [options.ask.inputs.paths(), options.scopes.paths()].concat();
    let mut out = BufWriter::new(output::stdout(&inputs)?);
    let mut all: Vec<Sums<'_>> = options.by.iter().map(|by| Sums::new(*by, &known)).collect();
    let question = Question { range, ..options.ask.question(&source, asked.matchers(&source)) };
    let progress = options.ask.progress()?;
    let stats = sum(&question, &options.by, &known, &mut |made| {
        all.iter_mut().zip(made).for_each(|(sums, more)| sums.merge(more));
    })?;
    drop(progress);
    if all.iter().zip(&options.by).any(|(sums, by)| *by == By::Domain && sums.sorted().is_empty())
        && !names_only
    {
        stderr::note(format_args!(
            "names of DNS are in derived events: -f event={DNS} asks for them, and so does --by domain alone"
        ));
    }
    for (at, (by, sums)) in options.by.iter().zip(&all).enumerate() {
        print(options.shape(), at, *by, sums, Hand::new(&clock, dates), &mut out)?;
    }
    out.flush()?;
    outcome::with_gaps(Outcome::Done, &stats.gaps, &source)
}

/// Adds up what there is, and hands over the sums of each block.
fn sum<'k>(
    question: &Question<'_>,
    by: &[By],
    known: &'k Known,
    take: &mut dyn FnMut(Vec<Sums<'k>>),
) -> pipeline::Result<Stats> {
    question.batches_in_parallel(
        Sums::projection(),
        &|batch| by.iter().map(|by| Sums::of(*by, known, batch)).collect::<format::Result<Vec<_>>>(),
        &mut |batch, made| {
            let file = || batch.file().name.clone();
            take(made.map_err(|source| pipeline::Error::Capture { file: file(), source })?);
            Ok(())
        },
    )
}

/// The groups of one table, in order and as many as are wanted. `at` is which of the tables it is.
fn print(
    shape: Shape,
    at: usize,
    by: By,
    sums: &Sums<'_>,
    hand: Hand<'_>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut groups = sums.sorted();
    match shape.sort {
        Sort::Events => {}
        Sort::Failures => groups.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.failures)),
        Sort::Bytes => groups.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.bytes)),
        Sort::First => groups.sort_by_key(|(_, sum)| sum.first_ns),
        Sort::Last => groups.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.last_ns)),
    }
    let all = groups.len();
    groups.truncate(shape.limit);
    match shape.output {
        Format::Table => {
            if at > 0 {
                writeln!(out)?;
            }
            let mut text = Vec::new();
            table(by, &groups, hand, shape.has_times, &mut text)?;
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                let mut line = line.strip_suffix(b"\n").unwrap_or(line).to_vec();
                cut(&mut line, shape.width);
                line.push(b'\n');
                out.write_all(&line)?;
            }
            if groups.len() < all && !shape.is_live {
                stderr::note(format_args!(
                    "{} of {all} groups by {}; --limit {all} shows all",
                    groups.len(),
                    by.name()
                ));
            }
            Ok(())
        }
        Format::Json => groups.iter().try_for_each(|(name, sum)| line(by, name, sum, out)),
        Format::Csv => {
            if at == 0 {
                writeln!(out, "by,name,events,failures,bytes,first,last")?;
            }
            groups.iter().try_for_each(|(name, sum)| csv(by, name, sum, out))
        }
    }
}

/// Columns of a terminal that show names of some length behind the times.
const WIDE: usize = 100;

/// How groups are printed.
#[derive(Clone, Copy, Debug)]
struct Shape {
    sort: Sort,
    limit: usize,
    output: Format,
    is_live: bool,
    /// A narrow terminal has room for names, or for times.
    has_times: bool,
    /// Lines are no wider; what is written anew fits the terminal as it is by then.
    width: Option<usize>,
}

impl Options {
    fn shape(&self) -> Shape {
        #[cfg(feature = "record")]
        let is_live = self.live;
        #[cfg(not(feature = "record"))]
        let is_live = false;
        let width = terminal::width();
        let has_times = width.is_none_or(|width| width >= WIDE);
        let width = width.filter(|_| !is_live);
        Shape { sort: self.sort, limit: self.limit, output: self.output, is_live, has_times, width }
    }
}

fn table(
    by: By,
    groups: &[(Box<[u8]>, Sum)],
    mut hand: Hand<'_>,
    has_times: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    let width = if hand.shows_dates() { 26 } else { 15 };
    let name = by.name().to_uppercase();
    write!(out, "{:>10} {:>9} {:>14}  ", "EVENTS", "FAILURES", "BYTES")?;
    if has_times {
        write!(out, "{:<width$}  {:<width$}  ", "FIRST", "LAST")?;
    }
    writeln!(out, "{name}")?;
    for (group, sum) in groups {
        let Sum { count, failures, bytes, .. } = sum;
        write!(out, "{count:>10} {failures:>9} {bytes:>14}  ")?;
        if has_times {
            let mut time = |ns| {
                let mut text = Vec::new();
                hand.write(ns, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            };
            let (first, last) = (time(sum.first_ns), time(sum.last_ns));
            write!(out, "{first:<width$}  {last:<width$}  ")?;
        }
        let mut shown = Vec::new();
        views::text::shown(group, &mut shown);
        out.write_all(&shown)?;
        writeln!(out)?;
    }
    Ok(())
}

fn line(by: By, name: &[u8], sum: &Sum, out: &mut impl Write) -> io::Result<()> {
    let mut quoted = Vec::new();
    json_text::quoted(name, &mut quoted);
    let Sum { count, failures, bytes, first_ns, last_ns } = sum;
    write!(out, "{{\"by\":{},\"name\":", json!(by.name()))?;
    out.write_all(&quoted)?;
    writeln!(
        out,
        ",\"events\":{count},\"failures\":{failures},\"bytes\":{bytes},\"first\":{first_ns},\"last\":{last_ns}}}"
    )
}

fn csv(by: By, name: &[u8], sum: &Sum, out: &mut impl Write) -> io::Result<()> {
    let Sum { count, failures, bytes, first_ns, last_ns } = sum;
    let time = |ns: i64| {
        Timestamp::from_nanosecond(ns.into()).map_or_else(|_| ns.to_string(), |time| format!("{time:.6}"))
    };
    let mut shown = Vec::new();
    views::text::shown(name, &mut shown);
    let name = String::from_utf8_lossy(&shown).replace('"', "\"\"");
    let (first, last) = (time(*first_ns), time(*last_ns));
    writeln!(out, "{},\"{name}\",{count},{failures},{bytes},{first},{last}", by.name())
}
