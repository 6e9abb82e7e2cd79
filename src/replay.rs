//! `tracer replay`: file to answers.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use jiff::tz::TimeZone;
use pipeline::{Output, Question, Source, Stats};
use replay::Asked;
use replay::render::clock::Clock;
use replay::render::{Destination, Printer, Style};

use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions};
use crate::inputs::{Damage, Inputs};
use crate::outcome::{self, Outcome};
use crate::output::{self, OutputFile};
use crate::range::TimeRange;
use crate::stderr;
use crate::threads::Threads;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    scopes: FilterOptions,
    #[command(flatten)]
    range: TimeRange,
    /// A format, and a file if not stdout: table, table-verbose, json, json:FILE (repeatable)
    #[arg(long, short, value_name = "FORMAT[:FILE]", default_value = "table")]
    output: Vec<Destination>,
    /// Write over files that are there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    threads: Threads,
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
    /// Times in UTC instead of local time
    #[arg(long, conflicts_with = "relative")]
    utc: bool,
    /// Times since the first event
    #[arg(long)]
    relative: bool,
    /// Names of flags and constants in JSON too
    #[arg(long)]
    parse_arguments: bool,
    /// Numbers instead of names in tables
    #[arg(long)]
    raw_arguments: bool,
    /// The errno's name beside a negative result in tables
    #[arg(long)]
    errno: bool,
    /// A column with the images of containers in tables
    #[arg(long)]
    images: bool,
    /// No warnings on stderr
    #[arg(long, short)]
    quiet: bool,
}

pub fn run(options: Options) -> Result<Outcome> {
    let source = options.inputs.source()?;
    let asked = ask(&options, &source)?;
    let matchers = asked.matchers(&source);
    let threads = options.threads.count();
    let question = Question {
        threads,
        limit: options.limit,
        range: options.range.resolve(&source, &zone(&options))?,
        strict: options.damage.strict,
        ..Question::new(&source, matchers)
    };
    let start = Instant::now();
    let stats = if options.count {
        let stats = question.count()?;
        writeln!(io::stdout().lock(), "{}", stats.matched)?;
        stats
    } else {
        print(&options, style(&options, &source, &asked), &question)?
    };
    if options.stats {
        report(&stats, start.elapsed().as_secs_f64());
    }
    let is_found = options.exit_code && stats.matched == 0;
    outcome::with_gaps(if is_found { Outcome::Found } else { Outcome::Done }, &stats.gaps)
}

/// The question, and on stderr what there is to know before its answer.
fn ask(options: &Options, source: &Source) -> Result<Asked> {
    let mut told: Vec<String> = Vec::new();
    let asked = if options.scopes.is_empty() {
        Asked::recorded(source)
    } else {
        let set = options.scopes.scopes_of(source)?;
        told = set.warnings().iter().map(ToString::to_string).collect();
        Asked::given(set, source).map_err(Diagnostics)?
    };
    if !options.quiet {
        // Messages about filters say themselves what they are, and where.
        told.iter().for_each(stderr::say_lines);
        caveats::tell(source, asked.plan(), &options.scopes);
        for (number, name) in asked.names() {
            stderr::note(format_args!("scope {number} is {name}"));
        }
    }
    Ok(asked)
}

/// Streams the answer into all destinations.
fn print(options: &Options, style: Style, question: &Question<'_>) -> Result<Stats> {
    let inputs = [options.inputs.paths(), options.scopes.paths()].concat();
    let mut printers = Vec::new();
    let mut sinks = Vec::new();
    for destination in &options.output {
        printers.push(Printer { format: destination.format, style: style.clone() });
        sinks.push(match &destination.file {
            Some(path) => {
                let file = output::create(path, options.force, &inputs)?;
                (path.display().to_string(), Sink::File(BufWriter::with_capacity(1 << 18, file)))
            }
            None => ("stdout".to_owned(), stdout(&inputs)?),
        });
    }
    for (printer, (name, sink)) in printers.iter().zip(&mut sinks) {
        sink.write_all(&printer.header()).with_context(|| format!("writing {name}"))?;
    }
    let outputs: Vec<&dyn Output> = printers.iter().map(|printer| printer as &dyn Output).collect();
    let stats = question.print(&outputs, &mut |output, bytes| match sinks.get_mut(output) {
        Some((_, sink)) => sink.write_all(bytes),
        None => Ok(()),
    })?;
    for (name, sink) in sinks {
        sink.finish().with_context(|| format!("writing {name}"))?;
    }
    Ok(stats)
}

/// Where one of the answers goes.
enum Sink {
    /// A terminal sees lines as they come.
    Terminal(io::Stdout),
    /// A pipe gets whole pieces, past the standard library's line buffer.
    Pipe(BufWriter<File>),
    File(BufWriter<OutputFile>),
}

impl Sink {
    fn finish(self) -> io::Result<()> {
        match self {
            Sink::Terminal(mut terminal) => terminal.flush(),
            Sink::Pipe(mut pipe) => pipe.flush(),
            Sink::File(file) => file.into_inner().map_err(io::IntoInnerError::into_error)?.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Terminal(terminal) => terminal.write(bytes),
            Sink::Pipe(pipe) => pipe.write(bytes),
            Sink::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Terminal(terminal) => terminal.flush(),
            Sink::Pipe(pipe) => pipe.flush(),
            Sink::File(file) => file.flush(),
        }
    }
}

fn stdout(inputs: &[&Path]) -> Result<Sink> {
    if io::stdout().is_terminal() {
        return Ok(Sink::Terminal(io::stdout()));
    }
    Ok(Sink::Pipe(BufWriter::with_capacity(1 << 16, output::stdout(inputs)?)))
}

/// The zone of times that are given without one.
fn zone(options: &Options) -> TimeZone {
    if options.utc { TimeZone::UTC } else { TimeZone::system() }
}

fn style(options: &Options, source: &Source, asked: &Asked) -> Style {
    let clock = if options.utc {
        Clock::Utc
    } else if options.relative {
        Clock::Since(source.start_wall_ns().unwrap_or(0))
    } else {
        Clock::local()
    };
    let days = source.start_wall_ns().zip(source.end_wall_ns());
    Style {
        dates: days.is_some_and(|(from, to)| clock.parts_days(from, to)),
        clock,
        containers: source.has_containers(),
        hosts: source.has_hosts(),
        images: options.images,
        parse_arguments: options.parse_arguments,
        raw_arguments: options.raw_arguments,
        errno: options.errno,
        policies: asked.names(),
    }
}

fn report(stats: &Stats, seconds: f64) {
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
