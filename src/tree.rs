//! `tracer tree`: the processes of a capture, who started whom, and what each did.

mod detections;

use std::collections::HashSet;
use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use format::facts::Facts;
use interchange::catalog::MadeOf;
use pipeline::{Gap, Question, Source};
use replay::Asked;
use replay::render::clock::Hand;
use replay::render::columns::cut;
use replay::render::json_text;
use scopes::spelled_out;
use views::Known;
use views::state::{State, Wants};
use views::tree::{self, Forest, Process, Step, Tally};

use crate::asking::{self, AskOptions};
use crate::cataloged::{Asking, CatalogOptions};
use crate::filters::FilterOptions;
use crate::outcome::{self, Outcome};
use crate::output;
use crate::range::TimeRange;
use crate::rule_files::RuleOptions;
use crate::terminal;
use detections::Detections;

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
    #[command(flatten, next_help_heading = "Rules whose findings are told")]
    rules: RuleOptions,
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
    let source = source(&options)?;
    let asked = asking::asked(&options.scopes, &source, false)?;
    let progress = options.ask.progress()?;
    let mut forest = Forest::of(&source, options.ask.threads.count())?;
    let (tallies, mut gaps) = tallies(&options, &source, &asked, &forest)?;
    forest.processes.iter_mut().zip(tallies).for_each(|(process, tally)| process.tally = tally);
    let mut add = |more: Vec<Gap>| {
        for gap in more {
            if !gaps.contains(&gap) {
                gaps.push(gap);
            }
        }
    };
    if !options.of.is_empty() {
        let of = FilterOptions { filters: options.of.clone(), policies: Vec::new() };
        let of = asking::compiled(&of, &source, false)?;
        let (marks, more) = self::tallies(&options, &source, &of, &forest)?;
        forest.processes.iter_mut().zip(marks).for_each(|(process, it)| process.is_marked = it.events > 0);
        add(more);
    }
    let range = options.ask.range(&options.range, &source)?;
    let (detections, more) = Detections::find(&options.rules, &options.ask, &source, range, &forest)?;
    add(more);
    drop(progress);
    let steps = steps(&options, &forest)?;
    let known = Known::of(&source, false)?;
    let inputs = [options.ask.inputs.paths(), options.scopes.paths()].concat();
    let mut out = BufWriter::new(output::stdout(&inputs)?);
    match options.output {
        Format::Text => {
            let shown = Shown { source: &source, forest: &forest, known: &known, detections: &detections };
            text(&options, &shown, &steps, &mut out)?;
        }
        Format::Json => {
            let (facts, more) = facts(&options, &source, &forest)?;
            more.into_iter()
                .filter(|gap| !gaps.contains(gap))
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|gap| gaps.push(gap));
            for step in &steps {
                let Some(process) = forest.processes.get(step.process) else { continue };
                let found = detections.json(step.process);
                let facts = facts.get(step.process).cloned().flatten().unwrap_or_default();
                out.write_all(&json(process, &facts, step.depth, &known, &found))?;
            }
        }
        Format::Dot => dot(&forest, &detections, &steps, &mut out)?,
    }
    out.flush()?;
    outcome::with_gaps(Outcome::Done, &gaps, &source)
}

/// Captures of boots in which something matches: without --all and --pid no other process is told. Graphs number the processes
/// of all captures.
fn source(options: &Options) -> Result<Source> {
    if options.all || !options.pid.is_empty() || options.output == Format::Dot {
        return options.ask.source();
    }
    let of = FilterOptions { filters: options.of.clone(), policies: Vec::new() };
    let shown = if options.of.is_empty() { &options.scopes } else { &of };
    let asking = Asking {
        filters: vec![shown],
        range: &options.range,
        zone: options.ask.zone(),
        made_of: MadeOf::Boots,
        by_host: false,
    };
    options.ask.inputs.source_for(&options.catalog, &asking)
}

/// The directory, session, terminal and login of each process, as they were last.
fn facts(options: &Options, source: &Source, forest: &Forest) -> Result<(Vec<Option<Facts>>, Vec<Gap>)> {
    let wants = Wants { facts: true, ended: true, ..Wants::default() };
    let state = State::new(source, wants, None);
    let reads = state.reads();
    let mut all = Vec::new();
    let gaps =
        options.ask.history(source, &reads).at(&[i64::MAX], state, &mut |_, state: &mut State<'_>| {
            let of = |process: &Process| state.facts(process.boot, process.pid, process.start_ns);
            all = forest.processes.iter().map(of).collect();
        })?;
    Ok((all, gaps))
}

/// What a question has of each process.
fn tallies(
    options: &Options,
    source: &Source,
    asked: &Asked,
    forest: &Forest,
) -> Result<(Vec<Tally>, Vec<Gap>)> {
    let range = options.ask.range(&options.range, source)?;
    let question = Question { range, ..options.ask.question(source, asked.matchers(source)) };
    let mut all = vec![Tally::default(); forest.processes.len()];
    let stats = question.batches_in_parallel(
        Forest::projection(),
        &|batch| forest.tally(batch),
        &mut |batch, tallies| {
            let file = || batch.file().name.clone();
            for (at, tally) in tallies.map_err(|source| pipeline::Error::Capture { file: file(), source })? {
                all.get_mut(at).into_iter().for_each(|known| known.add(tally));
            }
            Ok(())
        },
    )?;
    Ok((all, stats.gaps))
}

/// The processes that are shown, in order.
fn steps(options: &Options, forest: &Forest) -> Result<Vec<Step>> {
    let mut steps = if options.pid.is_empty() {
        forest.walk(|process| match options.of.is_empty() {
            true => options.all || process.tally.events > 0,
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

/// What lines of text are made of.
struct Shown<'s> {
    source: &'s Source,
    forest: &'s Forest,
    known: &'s Known,
    detections: &'s Detections,
}

fn text(options: &Options, shown: &Shown<'_>, steps: &[Step], out: &mut impl Write) -> io::Result<()> {
    let Shown { source, forest, known, detections } = shown;
    let clock = options.ask.clock();
    let shown = |step: &Step| forest.processes.get(step.process);
    let starts = steps.iter().filter_map(|step| shown(step)?.start_wall_ns);
    let (first, last) = (starts.clone().min(), starts.max().max(source.end_wall_ns()));
    let dates = first.zip(last).is_some_and(|(first, last)| clock.parts_days(first, last));
    let mut hand = Hand::new(&clock, dates);
    let time = if dates { 26 } else { 15 };
    let optional = [
        ("CONTAINER", 16, source.has_containers()),
        ("HOST", 16, source.has_hosts()),
        ("SCOPES", 16, !options.scopes.is_empty()),
        ("DETECTIONS", 24, !detections.is_empty()),
    ];
    let width = terminal::width();
    let mut line = Vec::new();
    write!(line, "{:<time$}  {:>9}  {:<10}  ", "START", "DURATION", "USER")?;
    for (name, width, _) in optional.iter().filter(|(.., is_there)| *is_there) {
        write!(line, "{name:<width$}  ")?;
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
        let lasted = process.duration_ns().map_or("-".to_owned(), tree::duration);
        write!(line, "  {lasted:>9}  {user:<10}  ")?;
        let scopes = format!("{:016x}", process.tally.scopes);
        let found = detections.short(step.process);
        let texts = [spelled_out(&process.container), spelled_out(&process.host), scopes, found];
        for (text, (_, width, _)) in texts.iter().zip(&optional).filter(|(_, (.., is_there))| *is_there) {
            write!(line, "{text:<width$}  ")?;
        }
        let Tally { events, failures, .. } = process.tally;
        write!(line, "{:<8}  {events:>8}  {failures:>8}  ", process.exit_text())?;
        line.resize(line.len() + step.depth * 2, b' ');
        if process.is_marked {
            line.extend_from_slice(b"* ");
        }
        write!(line, "{} ", process.pid)?;
        line.extend_from_slice(&process.command());
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
fn json(
    process: &Process,
    facts: &Facts,
    depth: usize,
    known: &Known,
    detections: &serde_json::Value,
) -> Vec<u8> {
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
    number("euid", process.credentials.map(|it| it.euid.into()), &mut out);
    number("egid", process.credentials.map(|it| it.egid.into()), &mut out);
    number("suid", process.credentials.map(|it| it.suid.into()), &mut out);
    let cap = process.credentials.map(|it| format!("{:x}", it.effective));
    string("cap", cap.as_deref().map(str::as_bytes), &mut out);
    string("user", known.user(process.boot, process.uid).map(str::as_bytes), &mut out);
    string("cwd", facts.cwd.as_deref(), &mut out);
    number("session", facts.session.map(Into::into), &mut out);
    number("pgrp", facts.group.map(Into::into), &mut out);
    // Empty where there is none, as elsewhere.
    let terminal = facts.terminal.is_there().map(|is_there| match facts.terminal.name() {
        Some(name) => name,
        None if is_there => "tty".to_owned(),
        None => String::new(),
    });
    string("tty", terminal.as_deref().map(str::as_bytes), &mut out);
    number("loginuid", facts.login_uid.map(Into::into), &mut out);
    string("container", Some(process.container.as_bytes()), &mut out);
    number("start", process.start_wall_ns.map(Into::into), &mut out);
    number("end", process.end_wall_ns.map(Into::into), &mut out);
    number("duration", process.duration_ns().map(Into::into), &mut out);
    number("exitCode", process.exit.map(|exit| exit.code.into()), &mut out);
    let signal = process.exit.filter(|exit| exit.signal != 0);
    let signal = signal.map(|exit| exit.signal_name().map_or(exit.signal.to_string(), str::to_owned));
    string("signal", signal.as_deref().map(str::as_bytes), &mut out);
    number("events", Some(process.tally.events.into()), &mut out);
    number("failures", Some(process.tally.failures.into()), &mut out);
    number("matchedScopes", Some(process.tally.scopes.into()), &mut out);
    out.extend_from_slice(format!(",\"detections\":{detections}").as_bytes());
    out.extend_from_slice(format!(",\"marked\":{}}}\n", process.is_marked).as_bytes());
    out
}

fn dot(forest: &Forest, detections: &Detections, steps: &[Step], out: &mut impl Write) -> io::Result<()> {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    writeln!(out, "digraph tracer {{\n  rankdir=LR;\n  node [shape=box, fontname=monospace];")?;
    let is_shown: HashSet<usize> = steps.iter().map(|step| step.process).collect();
    for step in steps {
        let Some(process) = forest.processes.get(step.process) else { continue };
        let shown = quoted(&String::from_utf8_lossy(&process.command()));
        let style = if process.is_marked { ", style=bold" } else { "" };
        let found: String = detections
            .of(step.process)
            .iter()
            .map(|it| format!("\\n{}", quoted(&spelled_out(&it.rule.title))))
            .collect();
        let Tally { events, failures, .. } = process.tally;
        writeln!(
            out,
            "  p{} [label=\"{} {shown}\\n{events} events, {failures} failed{found}\"{style}];",
            step.process, process.pid
        )?;
        for child in process.children.iter().filter(|child| is_shown.contains(*child)) {
            writeln!(out, "  p{} -> p{child};", step.process)?;
        }
    }
    writeln!(out, "}}")
}
