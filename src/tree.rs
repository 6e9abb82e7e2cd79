//! `tracer tree`: the processes of a capture, who started whom, and what each did.

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use pipeline::{Batch, Gap, Question, Source};
use replay::Asked;
use replay::render::clock::{Clock, Hand};
use replay::render::columns::cut;
use replay::render::json_text;
use scopes::spelled_out;
use views::Known;
use views::tree::{Forest, Process, Step};

use crate::asking;
use crate::filters::FilterOptions;
use crate::inputs::{Damage, Inputs};
use crate::outcome::{self, Outcome};
use crate::output;
use crate::range::TimeRange;
use crate::terminal;
use crate::threads::Threads;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    scopes: FilterOptions,
    #[command(flatten)]
    range: TimeRange,
    /// Only these processes and what descends from them
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pid: Vec<u32>,
    /// Mark the processes that have events of this filter, and show them and the way to their roots only (repeatable)
    #[arg(long, value_name = "FILTER", allow_hyphen_values = true)]
    of: Vec<String>,
    /// No deeper than this: 0 shows roots only
    #[arg(long, value_name = "N")]
    depth: Option<usize>,
    /// Processes without events, too
    #[arg(long)]
    all: bool,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    damage: Damage,
    /// Times in UTC instead of local time
    #[arg(long)]
    utc: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object a process
    Json,
    /// A graph for Graphviz
    Dot,
}

pub fn run(options: Options) -> Result<Outcome> {
    let source = options.inputs.source()?;
    let asked = asking::asked(&options.scopes, &source, false)?;
    let mut forest = Forest::of(&source)?;
    let mut gaps = ask(&options, &source, &asked, &mut |batch| forest.add(batch))?;
    if !options.of.is_empty() {
        let of = FilterOptions { filters: options.of.clone(), policies: Vec::new() };
        let of = asking::compiled(&of, &source, false)?;
        for gap in ask(&options, &source, &of, &mut |batch| forest.mark(batch))? {
            if !gaps.contains(&gap) {
                gaps.push(gap);
            }
        }
    }
    let steps = steps(&options, &forest)?;
    let known = Known::of(&source, false)?;
    let inputs = [options.inputs.paths(), options.scopes.paths()].concat();
    let mut out = BufWriter::new(output::stdout(&inputs)?);
    match options.output {
        Format::Text => text(&options, &source, &forest, &known, &steps, &mut out)?,
        Format::Json => {
            for step in &steps {
                let process = forest.processes.get(step.process).map(|it| json(it, step.depth, &known));
                out.write_all(&process.unwrap_or_default())?;
            }
        }
        Format::Dot => dot(&forest, &steps, &mut out)?,
    }
    out.flush()?;
    outcome::with_gaps(Outcome::Done, &gaps, &source)
}

/// Shows `see` what each block has for a question.
fn ask(
    options: &Options,
    source: &Source,
    asked: &Asked,
    see: &mut dyn FnMut(&Batch<'_>) -> format::Result<()>,
) -> Result<Vec<Gap>> {
    let zone = || if options.utc { TimeZone::UTC } else { TimeZone::system() };
    let question = Question {
        threads: options.threads.count(),
        range: options.range.resolve(source, zone)?,
        strict: options.damage.strict,
        ..Question::new(source, asked.matchers(source))
    };
    let stats = question.batches(Forest::projection(), &mut |batch| {
        see(batch).map_err(|source| pipeline::Error::Capture { file: batch.file().name.clone(), source })
    })?;
    Ok(stats.gaps)
}

/// The processes that are shown, in order.
fn steps(options: &Options, forest: &Forest) -> Result<Vec<Step>> {
    let mut steps = if options.pid.is_empty() {
        forest.walk(|process| match options.of.is_empty() {
            true => options.all || process.events > 0,
            false => process.is_marked,
        })
    } else {
        let is_it = |process: &Process| options.pid.contains(&process.pid);
        let all = forest.below(&forest.roots).into_iter().map(|step| step.process);
        let roots: Vec<usize> = all.filter(|at| forest.processes.get(*at).is_some_and(is_it)).collect();
        if roots.is_empty() {
            let pids: Vec<_> = options.pid.iter().map(u32::to_string).collect();
            bail!("no process of the capture has the pid {}", pids.join(" or "));
        }
        // One that descends from another is told below it.
        let mut steps: Vec<Step> = Vec::new();
        for root in roots {
            if !steps.iter().any(|step| step.process == root) {
                steps.extend(forest.below(&[root]));
            }
        }
        steps
    };
    if let Some(depth) = options.depth {
        steps.retain(|step| step.depth <= depth);
    }
    Ok(steps)
}

/// `12.345ms`, `1.234s`, `2m03s`, `1h02m`.
fn duration(ns: i64) -> String {
    let seconds = ns / 1_000_000_000;
    match seconds {
        0 => format!("{:.3}ms", ns as f64 / 1e6),
        1..60 => format!("{:.3}s", ns as f64 / 1e9),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// `0`, `SIGKILL`; `-` of one that was still there at the end, or that nobody saw end.
fn exit(process: &Process) -> String {
    match process.exit {
        None => "-".to_owned(),
        Some(exit) if exit.signal != 0 => match exit.signal_name() {
            Some(name) => name.to_owned(),
            None => format!("signal {}", exit.signal),
        },
        Some(exit) => exit.code.to_string(),
    }
}

/// The command line where it is known, else the name in brackets, as `ps` has it.
fn command(process: &Process) -> Vec<u8> {
    let mut command = Vec::new();
    if process.argv.is_empty() && !process.comm.is_empty() {
        command.push(b'[');
        views::text::shown(&process.comm, &mut command);
        command.push(b']');
    }
    for (at, word) in process.argv.iter().enumerate() {
        if at > 0 {
            command.push(b' ');
        }
        views::text::shown(word, &mut command);
    }
    command
}

fn text(
    options: &Options,
    source: &Source,
    forest: &Forest,
    known: &Known,
    steps: &[Step],
    out: &mut impl Write,
) -> io::Result<()> {
    let clock = if options.utc { Clock::Utc } else { Clock::local() };
    let shown = |step: &Step| forest.processes.get(step.process);
    let starts = steps.iter().filter_map(|step| shown(step)?.start_wall_ns);
    let (first, last) = (starts.clone().min(), starts.max().max(source.end_wall_ns()));
    let dates = first.zip(last).is_some_and(|(first, last)| clock.parts_days(first, last));
    let mut hand = Hand::new(&clock, dates);
    let time = if dates { 26 } else { 15 };
    let optional = [
        ("CONTAINER", source.has_containers()),
        ("HOST", source.has_hosts()),
        ("SCOPES", !options.scopes.is_empty()),
    ];
    let width = terminal::width();
    let mut line = Vec::new();
    write!(line, "{:<time$}  {:>9}  {:<10}  ", "START", "DURATION", "USER")?;
    for (name, _) in optional.iter().filter(|(_, is_there)| *is_there) {
        write!(line, "{name:<16}  ")?;
    }
    write!(line, "{:<8}  {:>8}  {:>8}  PROCESS", "EXIT", "EVENTS", "FAILED")?;
    put(&mut line, width, out)?;
    for step in steps {
        let Some(process) = shown(step) else { continue };
        match process.start_wall_ns {
            Some(start) => hand.write(start, &mut line),
            None => write!(line, "{:<time$}", "-")?,
        }
        let user = match known.user(process.boot, process.uid) {
            _ if process.start_wall_ns.is_none() => "-".to_owned(),
            Some(user) => spelled_out(user),
            None => process.uid.to_string(),
        };
        let lasted = process.duration_ns().map_or("-".to_owned(), duration);
        write!(line, "  {lasted:>9}  {user:<10}  ")?;
        let scopes = format!("{:016x}", process.scopes);
        let texts = [spelled_out(&process.container), spelled_out(&process.host), scopes];
        for (text, _) in texts.iter().zip(&optional).filter(|(_, (_, is_there))| *is_there) {
            write!(line, "{text:<16}  ")?;
        }
        write!(line, "{:<8}  {:>8}  {:>8}  ", exit(process), process.events, process.failures)?;
        line.resize(line.len() + step.depth * 2, b' ');
        if process.is_marked {
            line.extend_from_slice(b"* ");
        }
        write!(line, "{} ", process.pid)?;
        line.extend_from_slice(&command(process));
        put(&mut line, width, out)?;
    }
    Ok(())
}

fn put(line: &mut Vec<u8>, width: Option<usize>, out: &mut impl Write) -> io::Result<()> {
    while line.last() == Some(&b' ') {
        line.pop();
    }
    cut(line, width);
    line.push(b'\n');
    out.write_all(line)?;
    line.clear();
    Ok(())
}

/// Keys as the JSON of events has them, where it has the same.
fn json(process: &Process, depth: usize, known: &Known) -> Vec<u8> {
    let entity = |entity: events::context::Entity| format!("{}@{}", entity.pid, entity.start_ns);
    let number = |key: &str, number: Option<i128>, out: &mut Vec<u8>| {
        let number = number.map_or("null".to_owned(), |number| number.to_string());
        out.extend_from_slice(format!(",\"{key}\":{number}").as_bytes());
    };
    let string = |key: &str, text: Option<&[u8]>, out: &mut Vec<u8>| {
        out.extend_from_slice(format!(",\"{key}\":").as_bytes());
        match text {
            Some(text) => json_text::quoted(text, out),
            None => out.extend_from_slice(b"null"),
        }
    };
    let mut out = b"{\"processEntityId\":".to_vec();
    json_text::quoted(entity(process.entity()).as_bytes(), &mut out);
    let parent = process.parent.map(entity);
    string("parentEntityId", parent.as_deref().map(str::as_bytes), &mut out);
    number("hostProcessId", Some(process.pid.into()), &mut out);
    number("depth", Some(depth as i128), &mut out);
    string("host", Some(process.host.as_bytes()), &mut out);
    string("processName", Some(&process.comm), &mut out);
    string("executable", Some(&process.exe), &mut out);
    out.extend_from_slice(b",\"argv\":[");
    for (at, word) in process.argv.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        json_text::quoted(word, &mut out);
    }
    out.push(b']');
    number("userId", Some(process.uid.into()), &mut out);
    string("user", known.user(process.boot, process.uid).map(str::as_bytes), &mut out);
    string("container", Some(process.container.as_bytes()), &mut out);
    number("start", process.start_wall_ns.map(Into::into), &mut out);
    number("end", process.end_wall_ns.map(Into::into), &mut out);
    number("duration", process.duration_ns().map(Into::into), &mut out);
    number("exitCode", process.exit.map(|exit| exit.code.into()), &mut out);
    let signal = process.exit.filter(|exit| exit.signal != 0);
    let signal = signal.map(|exit| exit.signal_name().map_or(exit.signal.to_string(), str::to_owned));
    string("signal", signal.as_deref().map(str::as_bytes), &mut out);
    number("events", Some(process.events.into()), &mut out);
    number("failures", Some(process.failures.into()), &mut out);
    number("matchedScopes", Some(process.scopes.into()), &mut out);
    out.extend_from_slice(format!(",\"marked\":{}}}\n", process.is_marked).as_bytes());
    out
}

fn dot(forest: &Forest, steps: &[Step], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "digraph tracer {{\n  rankdir=LR;\n  node [shape=box, fontname=monospace];")?;
    let is_shown: HashSet<usize> = steps.iter().map(|step| step.process).collect();
    for step in steps {
        let Some(process) = forest.processes.get(step.process) else { continue };
        let shown = String::from_utf8_lossy(&command(process)).replace('\\', "\\\\").replace('"', "\\\"");
        let style = if process.is_marked { ", style=bold" } else { "" };
        writeln!(
            out,
            "  p{} [label=\"{} {shown}\\n{} events, {} failed\"{style}];",
            step.process, process.pid, process.events, process.failures
        )?;
        for child in process.children.iter().filter(|child| is_shown.contains(*child)) {
            writeln!(out, "  p{} -> p{child};", step.process)?;
        }
    }
    writeln!(out, "}}")
}
