//! `tracer replay`: file to answers.

use std::io::{self, IsTerminal, Write};
use std::ops::{ControlFlow, Range};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use interchange::catalog::MadeOf;
use pipeline::{Output, Question, Source, Stats};
use replay::Asked;
use replay::render::losses::{self, Loss};
use replay::render::rows::TimedRows;
use replay::render::{Destination, Format, Shown};

use crate::around::{self, Around};
use crate::asking;
use crate::cased::QueryOptions;
use crate::cataloged::{Asking, CatalogOptions};
use crate::filters::FilterOptions;
use crate::follow;
use crate::inputs::{Damage, Inputs};
use crate::look::{Look, LookOptions};
use crate::outcome::{self, Outcome};
use crate::progress::Progress;
use crate::range::TimeRange;
use crate::sink::{self, Sink};
use crate::stderr;
use crate::threads::Threads;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    catalog: CatalogOptions,
    #[command(flatten)]
    scopes: FilterOptions,
    #[command(flatten)]
    query: QueryOptions,
    #[command(flatten)]
    range: TimeRange,
    /// The rows around an event (#7) or a time; -C says how many
    #[arg(long, value_name = "#N|TIME", allow_hyphen_values = true, conflicts_with_all = ["limit", "count"])]
    around: Option<String>,
    /// Rows before and after --around
    #[arg(long, short = 'C', value_name = "N", default_value_t = 10, requires = "around")]
    context: u64,
    /// A format, and a file if not stdout: table, table-verbose, json, json:FILE (repeatable) [default: table]
    #[arg(long, short, value_name = "FORMAT[:FILE]")]
    output: Vec<Destination>,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    threads: Threads,
    /// Go on with a file that is still being written, and with the parts of its set that follow, until the recording ends or
    /// this is interrupted
    #[arg(long)]
    follow: bool,
    /// Stop after so many events
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Print the number of matching events and nothing else
    #[arg(long)]
    count: bool,
    /// Say on stderr what answering took
    #[arg(long)]
    stats: bool,
    #[command(flatten)]
    damage: Damage,
    /// Exit with 1 when no event matches
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    look: LookOptions,
    /// Stretches in which events were lost, as rows where they were
    #[arg(long, conflicts_with = "count")]
    losses: bool,
    /// No pager on a terminal
    #[arg(long)]
    no_pager: bool,
    /// No warnings on stderr
    #[arg(long, short)]
    quiet: bool,
}

pub fn run(mut options: Options) -> Result<Outcome> {
    options.query.settle(options.inputs.given().first().map(PathBuf::as_path), &mut options.scopes)?;
    let growing = follow::source(&options.inputs, options.follow)?;
    let source = match growing {
        Some(source) => source,
        // What was lost, and rows by their number, are those of all captures.
        None if options.losses || options.around.is_some() || options.look.names_processes() => {
            options.inputs.source()?
        }
        None => {
            let (filters, range) = (vec![&options.scopes], &options.range);
            let zone = options.look.zone();
            let asking = Asking { filters, range, zone, made_of: MadeOf::Rows, by_host: false };
            options.inputs.source_for(&options.catalog, &asking)?
        }
    };
    let looks_back = options.look.is_relative() || options.losses || options.around.is_some();
    if source.is_growing() && looks_back {
        bail!("--relative, --around and --losses need a capture that is there: write this one to a file");
    }
    let asked = ask(&options, &source)?;
    let matchers = asked.matchers(&source);
    let threads = options.threads.count();
    let question = Question {
        threads,
        limit: options.limit,
        range: options.range.resolve(&source, || options.look.zone())?,
        strict: options.damage.strict,
        ..Question::new(&source, matchers)
    };
    let start = Instant::now();
    let stats = if options.count {
        let progress = Progress::of(&read_files(&source));
        let stats = question.count()?;
        drop(progress);
        writeln!(io::stdout().lock(), "{}", stats.matched)?;
        stats
    } else {
        print(&options, &options.look.look(&source, &asked)?, &asked, question)?
    };
    if options.stats {
        report(&source, &stats, start.elapsed().as_secs_f64());
    }
    if !options.quiet {
        stats.missing.iter().for_each(|what| stderr::warn(format_args!("{}: {what}", name(&source))));
        if stats.lost > 0 {
            let lost = stats.lost;
            stderr::warn(format_args!("{}: {lost} events were lost while recording", name(&source)));
        }
    }
    let is_found = options.exit_code && stats.matched == 0;
    outcome::with_gaps(if is_found { Outcome::Found } else { Outcome::Done }, &stats.gaps, &source)
}

/// The question, and on stderr what there is to know before its answer.
fn ask(options: &Options, source: &Source) -> Result<Asked> {
    let asked = asking::asked(&options.scopes, source, options.quiet)?;
    if !options.quiet {
        for (number, name) in asked.names() {
            stderr::note(format_args!("scope {number} is {name}"));
        }
    }
    Ok(asked)
}

/// Streams the answer into all destinations.
fn print(options: &Options, look: &Look, asked: &Asked, mut question: Question<'_>) -> Result<Stats> {
    let inputs = [options.inputs.paths(), options.scopes.paths()].concat();
    let source = question.source;
    let around = around(options, asked, &question)?;
    let mut skip = 0;
    if let Some(around) = around {
        question.range = Some(around.range);
        question.limit = Some(around.limit);
        skip = around.skip;
    }
    let usual = [Destination { format: options.look.default_format(), file: None }];
    let destinations = if options.output.is_empty() { &usual } else { options.output.as_slice() };
    let shown: Vec<Shown<'_>> = destinations.iter().map(|it| look.shown(it)).collect::<Result<_>>()?;
    let is_table = destinations.iter().any(|it| it.format != Format::Json && it.file.is_none());
    if is_table && io::stdout().is_terminal() && !options.quiet {
        look.zone(source).into_iter().for_each(stderr::note);
    }
    let mut sinks = Vec::new();
    for destination in destinations {
        let no_pager = options.no_pager || question.source.is_growing();
        sinks.push(sink::open(destination, options.force, &inputs, no_pager)?);
    }
    for (shown, (name, sink)) in shown.iter().zip(&mut sinks) {
        sink.write_all(&shown.header()).with_context(|| format!("writing {name}"))?;
    }
    let outputs: Vec<&dyn Output> = shown.iter().map(|shown| shown as &dyn Output).collect();
    // Whoever looks at what arrives is not to wait for a full buffer.
    let is_growing = question.source.is_growing();
    let stats = if options.losses || skip > 0 {
        let losses = if options.losses { losses::of(source) } else { Vec::new() };
        print_rows(&question, skip, losses, &shown, &outputs, &mut sinks)?
    } else {
        question.print(&outputs, &mut |output, bytes| match sinks.get_mut(output) {
            Some((_, sink)) => {
                sink.write_all(bytes)?;
                if is_growing { sink.flush() } else { Ok(()) }
            }
            None => Ok(()),
        })?
    };
    for (name, sink) in sinks {
        sink.finish().with_context(|| format!("writing {name}"))?;
    }
    Ok(stats)
}

/// Where `--around` begins.
fn around(options: &Options, asked: &Asked, question: &Question<'_>) -> Result<Option<Around>> {
    let Some(text) = &options.around else { return Ok(None) };
    let at_ns = around::moment(text, question.source, &options.look.zone()).context("--around")?;
    let within = |range: Range<i64>| Question {
        threads: question.threads,
        range: Some(range),
        strict: question.strict,
        ..Question::new(question.source, asked.matchers(question.source))
    };
    around::around(at_ns, options.context, question.range.as_ref(), within).map(Some)
}

/// The same row by row, with losses between them and without the first ones.
fn print_rows(
    question: &Question<'_>,
    mut skip: u64,
    losses: Vec<Loss>,
    shown: &[Shown<'_>],
    outputs: &[&dyn Output],
    sinks: &mut [(String, Sink)],
) -> Result<Stats> {
    let range = question.range.clone().unwrap_or(i64::MIN..i64::MAX);
    let mut losses =
        losses.into_iter().filter(|it| it.to_ns >= range.start && it.from_ns < range.end).peekable();
    let is_part = skip > 0;
    let mut is_first = true;
    let tell = |loss: &Loss, sinks: &mut [(String, Sink)]| -> io::Result<()> {
        shown.iter().zip(sinks).try_for_each(|(shown, (_, sink))| sink.write_all(&shown.loss(loss)))
    };
    let stats = question.ask(&TimedRows::new(outputs), &mut |rows| {
        rows.each(|time, row| {
            if skip > 0 {
                skip -= 1;
                return Ok(());
            }
            // What was lost before the first of some rows has nothing to do with them.
            while let Some(loss) = losses.next_if(|loss| loss.from_ns <= time) {
                if !(is_part && is_first && loss.to_ns < time) {
                    tell(&loss, sinks)?;
                }
            }
            is_first = false;
            row.iter().zip(&mut *sinks).try_for_each(|(bytes, (_, sink))| sink.write_all(bytes))
        })?;
        Ok(ControlFlow::Continue(()))
    })?;
    if question.limit.is_none_or(|limit| stats.matched < limit) {
        losses.try_for_each(|loss| tell(&loss, sinks))?;
    }
    Ok(stats)
}

/// The one file of a growing source.
fn name(source: &Source) -> &str {
    source.files().first().map_or("", |file| &file.name)
}

/// The files that are read.
fn read_files(source: &Source) -> Vec<&str> {
    if source.is_growing() {
        Vec::new()
    } else {
        source.files().iter().map(|file| file.name.as_str()).collect()
    }
}

fn report(source: &Source, stats: &Stats, seconds: f64) {
    let (opened, unopened) = (source.files().len(), source.unopened().len());
    if unopened > 0 {
        stderr::say(format_args!(
            "{opened} captures opened, {unopened} not opened: by the catalogue they hold nothing of what is asked"
        ));
    }
    let rate = (stats.rows_read + stats.rows_skipped) as f64 / seconds.max(1e-9);
    stderr::say(format_args!(
        "{} matched; {} rows in {} blocks read, {} rows in {} blocks ({} bytes) skipped; \
         {} bytes decompressed; {seconds:.3} s, {rate:.0} events/s",
        stats.matched,
        stats.rows_read,
        stats.blocks_read,
        stats.rows_skipped,
        stats.blocks_skipped,
        stats.bytes_skipped,
        stats.decompressed,
    ));
}
