//! `tracer ps`, `lsof`, `ss`, `mounts`, `containers` and `diff-state`: what a host was at a moment of a capture.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use pipeline::{Cancellation, Gap, History, Lineages, Source};
use replay::Asked;
use replay::render::clock::{Clock, Hand};
use replay::render::columns::cut;
use replay::render::json_text;
use scopes::filter::Target;
use scopes::{Plan, ScopeSet};
use views::Known;
use views::state::{Listed, Object, Since, State, Value, Wants, object};

use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions};
use crate::inputs::{Damage, Inputs};
use crate::moment::Extent;
use crate::outcome::{self, Outcome};
use crate::output;
use crate::range::{self, TimeRange};
use crate::stderr;
use crate::terminal;
use crate::threads::Threads;

/// The state at one moment.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    asked: Question,
    /// At this time, before what happened then: 2026-07-01T12:00:00Z, 12:00:00 of the first event's day, +10s after the
    /// first event, -10m before the last one, or #7, what event 7 met [default: the end]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
}

/// What has changed between two moments.
#[derive(Args, Debug)]
pub struct DiffOptions {
    #[command(flatten)]
    asked: Question,
    #[command(flatten)]
    range: TimeRange,
    /// Kinds that are compared
    #[arg(long, value_name = "KIND", value_delimiter = ',', default_value = "ps,lsof,ss,mounts,containers")]
    only: Vec<Kind>,
}

#[derive(Args, Debug)]
struct Question {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    scopes: FilterOptions,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
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
    /// For people: ? is what is not known, - what is not there
    Table,
    /// One JSON object a line: null is what is not known
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Kind {
    Ps,
    Lsof,
    Ss,
    Mounts,
    Containers,
}

impl Kind {
    fn listed(self) -> Listed {
        match self {
            Kind::Ps => Listed::Processes,
            Kind::Lsof => Listed::Descriptors,
            Kind::Ss => Listed::Sockets,
            Kind::Mounts => Listed::Mounts,
            Kind::Containers => Listed::Containers,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Ps => "process",
            Kind::Lsof => "descriptor",
            Kind::Ss => "socket",
            Kind::Mounts => "mount",
            Kind::Containers => "container",
        }
    }
}

/// The objects of each kind that is asked for, at one moment.
type Lists = Vec<Vec<Object>>;

pub fn run(options: &Options, kind: Kind) -> Result<Outcome> {
    let asked = &options.asked;
    let source = asked.inputs.source()?;
    let at = match &options.at {
        Some(text) => asked.moment(text, &source).context("--at")?,
        None => i64::MAX,
    };
    let (mut lists, gaps) = asked.lists(&source, &[kind], &[at])?;
    let objects = lists.pop().and_then(|mut kinds| kinds.pop()).unwrap_or_default();
    if kind == Kind::Mounts {
        stderr::note("mounts that were there before the recording are not in captures: they are not listed");
    }
    let mut printer = asked.printer(&source)?;
    printer.print(&objects, None)?;
    printer.out.flush()?;
    outcome::with_gaps(Outcome::Done, &gaps, &source)
}

pub fn diff(options: &DiffOptions) -> Result<Outcome> {
    let asked = &options.asked;
    let source = asked.inputs.source()?;
    let end = |flag: &'static str, text: &Option<String>, otherwise: i64| match text {
        Some(text) => asked.moment(text, &source).context(flag),
        None => Ok(otherwise),
    };
    let TimeRange { from, to } = &options.range;
    let (from, to) = (end("--from", from, i64::MIN)?, end("--to", to, i64::MAX)?);
    if from >= to {
        bail!("--from must be before --to: nothing can change between {from} and {to}");
    }
    let (lists, gaps) = asked.lists(&source, &options.only, &[from, to])?;
    let mut moments = lists.into_iter();
    let (before, after) = (moments.next().unwrap_or_default(), moments.next().unwrap_or_default());
    let mut printer = asked.printer(&source)?;
    for ((kind, before), after) in options.only.iter().zip(before).zip(after) {
        let (came, gone) = object::differences(before, after);
        printer.print(&came, Some(("+", kind.name())))?;
        printer.print(&gone, Some(("-", kind.name())))?;
    }
    printer.out.flush()?;
    outcome::with_gaps(Outcome::Done, &gaps, &source)
}

impl Question {
    fn moment(&self, text: &str, source: &Source) -> Result<i64> {
        let zone = if self.utc { TimeZone::UTC } else { TimeZone::system() };
        range::moment(text, source, Extent::of(source), &zone)
    }

    /// By moment and kind: the objects that the filters select.
    fn lists(&self, source: &Source, kinds: &[Kind], moments: &[i64]) -> Result<(Vec<Lists>, Vec<Gap>)> {
        let asked = match self.scopes.is_empty() {
            true => None,
            false => {
                let set = self.scopes.scopes_of(source)?;
                set.warnings().iter().for_each(stderr::say_lines);
                of_processes(&set)?;
                Some(Asked::given(set, source).map_err(Diagnostics)?)
            }
        };
        caveats::tell(source, None, &self.scopes);
        let matchers = asked.as_ref().map(|asked| asked.matchers(source)).unwrap_or_default();
        let plan: Option<&Plan> = asked.as_ref().and_then(Asked::plan);
        let wants = Wants {
            files: kinds.iter().any(|kind| matches!(kind, Kind::Lsof | Kind::Ss)),
            mounts: kinds.contains(&Kind::Mounts),
        };
        let known = Known::of(source, false)?;
        let state = State::new(source, wants, Lineages::new(source, &matchers));
        let reads = state.reads();
        let history = History {
            source,
            reads: &reads,
            threads: self.threads.count(),
            strict: self.damage.strict,
            cancellation: Cancellation::default(),
        };
        let mut lists = Vec::new();
        let mut left_out = 0;
        let gaps = history.at(moments, state, &mut |at, state: &mut State<'_>| {
            let moment = moments.get(at).copied().unwrap_or(i64::MAX);
            lists.push(kinds.iter().map(|kind| state.list(kind.listed(), plan, &known, moment)).collect());
            left_out = state.left_out();
        })?;
        if left_out > 0 {
            stderr::warn(format_args!(
                "{left_out} processes, descriptors or mounts were not kept: the capture claims more at one time than there may be"
            ));
        }
        Ok((lists, gaps))
    }

    fn printer(&self, source: &Source) -> Result<Printer<BufWriter<std::fs::File>>> {
        let clock = if self.utc { Clock::Utc } else { Clock::local() };
        let days = source.start_wall_ns().zip(source.end_wall_ns());
        let dates = days.is_some_and(|(from, to)| clock.parts_days(from, to));
        let inputs: Vec<&Path> = [self.inputs.paths(), self.scopes.paths()].concat();
        let out = BufWriter::new(output::stdout(&inputs)?);
        Ok(Printer { out, is_json: self.output == Format::Json, clock, dates, width: terminal::width() })
    }
}

/// Filters of a state are about processes; one that asks what events are has no answer here.
fn of_processes(set: &ScopeSet) -> Result<()> {
    for filter in set.scopes().flat_map(|scope| &scope.filters) {
        let is_of_process = match &filter.target {
            Target::Field(field) => !field.is_of_row(),
            Target::Follow | Target::Global => true,
            // What every scope has that names no event.
            Target::Events => filter.text.is_empty(),
            _ => false,
        };
        if !is_of_process {
            bail!(
                "{}: a state has no events: ask for processes here (comm, pid, uid, container, tree), and for events with replay",
                filter.text
            );
        }
    }
    Ok(())
}

struct Printer<W> {
    out: W,
    is_json: bool,
    clock: Clock,
    dates: bool,
    width: Option<usize>,
}

impl<W: Write> Printer<W> {
    /// With a sign and a kind: of objects that came or went.
    fn print(&mut self, objects: &[Object], change: Option<(&str, &str)>) -> io::Result<()> {
        if self.is_json {
            return objects.iter().try_for_each(|object| self.json(object, change));
        }
        if change.is_some() && objects.is_empty() {
            return Ok(());
        }
        self.table(objects, change)
    }

    fn table(&mut self, objects: &[Object], change: Option<(&str, &str)>) -> io::Result<()> {
        let Some(first) = objects.first() else {
            return Ok(());
        };
        let mut hand = Hand::new(&self.clock, self.dates);
        let headers: Vec<(&str, bool)> =
            first.fields.iter().filter_map(|it| Some((it.header?, it.is_right))).collect();
        let rows: Vec<Vec<String>> = objects
            .iter()
            .map(|object| {
                let shown = object.fields.iter().filter(|field| field.header.is_some());
                shown.map(|field| text(&field.value, &mut hand)).collect()
            })
            .collect();
        let width = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count());
            cells.chain(headers.get(at).map(|(header, _)| header.len())).max().unwrap_or_default()
        };
        // One long name must not push all others out of sight.
        const WIDEST: usize = 48;
        let last = headers.len().saturating_sub(1);
        let widths: Vec<usize> = (0..headers.len()).map(|at| width(at).min(WIDEST)).collect();
        let mut lines: Vec<Vec<String>> =
            vec![headers.iter().map(|(header, _)| (*header).to_owned()).collect()];
        lines.extend(rows);
        for (number, cells) in lines.iter().enumerate() {
            let mut line = String::new();
            if let Some((sign, kind)) = change {
                line.push_str(if number == 0 { " " } else { sign });
                line.push_str(&format!(" {kind:<10} "));
            }
            for (at, cell) in cells.iter().enumerate() {
                let is_right = headers.get(at).is_some_and(|(_, is_right)| *is_right);
                let width = widths.get(at).copied().unwrap_or_default();
                match (at == last, is_right) {
                    (true, _) => line.push_str(cell),
                    (false, true) => line.push_str(&format!("{cell:>width$}  ")),
                    (false, false) => line.push_str(&format!("{cell:<width$}  ")),
                }
            }
            let mut line = line.trim_end().as_bytes().to_vec();
            cut(&mut line, self.width);
            line.push(b'\n');
            self.out.write_all(&line)?;
        }
        Ok(())
    }

    fn json(&mut self, object: &Object, change: Option<(&str, &str)>) -> io::Result<()> {
        let mut line = b"{".to_vec();
        if let Some((sign, kind)) = change {
            let change = if sign == "+" { "came" } else { "went" };
            line.extend_from_slice(format!("\"change\":\"{change}\",\"kind\":\"{kind}\"").as_bytes());
        }
        for field in &object.fields {
            if line.len() > 1 {
                line.push(b',');
            }
            line.extend_from_slice(format!("\"{}\":", field.name).as_bytes());
            match &field.value {
                Value::Unknown => line.extend_from_slice(b"null"),
                Value::Nothing => line.extend_from_slice(b"\"\""),
                Value::Text(text) => json_text::quoted(text, &mut line),
                Value::Number(number) => line.extend_from_slice(number.to_string().as_bytes()),
                Value::Flag(flag) => line.extend_from_slice(flag.to_string().as_bytes()),
                Value::Time(ns) => line.extend_from_slice(ns.to_string().as_bytes()),
                Value::Since(since, _) => {
                    let (ns, known) = match since {
                        Since::Before => ("null".to_owned(), "before"),
                        Since::At(ns) => (ns.to_string(), "begun"),
                        Since::Seen(ns) => (ns.to_string(), "seen"),
                    };
                    line.extend_from_slice(format!("{ns},\"known\":\"{known}\"").as_bytes());
                }
                Value::Texts(texts) => {
                    line.push(b'[');
                    for (at, text) in texts.iter().enumerate() {
                        if at > 0 {
                            line.push(b',');
                        }
                        json_text::quoted(text, &mut line);
                    }
                    line.push(b']');
                }
            }
        }
        line.extend_from_slice(b"}\n");
        self.out.write_all(&line)
    }
}

/// A cell of a table; a terminal obeys nothing in it.
fn text(value: &Value, hand: &mut Hand<'_>) -> String {
    let mut out = Vec::new();
    match value {
        Value::Unknown => out.push(b'?'),
        Value::Nothing => out.push(b'-'),
        Value::Text(text) => views::text::shown(text, &mut out),
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::Flag(flag) => out.extend_from_slice(if *flag { b"yes" } else { b"no" }),
        Value::Time(ns) => hand.write(*ns, &mut out),
        Value::Since(since, is_doubtful) => {
            match since {
                Since::Before => out.extend_from_slice(b"before"),
                Since::At(ns) => hand.write(*ns, &mut out),
                Since::Seen(ns) => {
                    out.extend_from_slice(b"<=");
                    hand.write(*ns, &mut out);
                }
            }
            if *is_doubtful {
                out.push(b'?');
            }
        }
        Value::Texts(texts) => {
            for (at, text) in texts.iter().enumerate() {
                if at > 0 {
                    out.push(b' ');
                }
                views::text::shown(text, &mut out);
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
