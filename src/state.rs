//! `tracer ps`, `lsof`, `ss`, `mounts`, `containers` and `diff-state`: what a host was at a moment of a capture.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use interchange::catalog::MadeOf;
use pipeline::{Gap, Lineages, Source};
use replay::Asked;
use scopes::filter::Target;
use scopes::{Plan, ScopeSet};
use views::Known;
use views::state::{Listed, Object, State, Wants, object};

use crate::asking::{self, AskOptions};
use crate::cataloged::{Asking, CatalogOptions};
use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions};
use crate::objects::{Format, Printer};
use crate::outcome::{self, Outcome};
use crate::range::TimeRange;
use crate::stderr;

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
    ask: AskOptions,
    #[command(flatten)]
    catalog: CatalogOptions,
    #[command(flatten)]
    scopes: FilterOptions,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "table")]
    output: Format,
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
    let source = asked.source(&[&options.at])?;
    let at = match &options.at {
        Some(text) => asked.ask.moment(text, &source).context("--at")?,
        None => i64::MAX,
    };
    let progress = asked.ask.progress()?;
    let (mut lists, gaps) = asked.lists(&source, &[kind], &[at])?;
    drop(progress);
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
    let source = asked.source(&[&options.range.from, &options.range.to])?;
    let end = |flag: &'static str, text: &Option<String>, otherwise: i64| match text {
        Some(text) => asked.ask.moment(text, &source).context(flag),
        None => Ok(otherwise),
    };
    let TimeRange { from, to } = &options.range;
    let (from, to) = (end("--from", from, i64::MIN)?, end("--to", to, i64::MAX)?);
    if from >= to {
        bail!("--from must be before --to: nothing can change between {from} and {to}");
    }
    let progress = asked.ask.progress()?;
    let (lists, gaps) = asked.lists(&source, &options.only, &[from, to])?;
    drop(progress);
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
    /// A state is made of all that was recorded before it, and of the processes that were there then: what a catalogue can rule
    /// out are other hosts. Moments by the number of an event count those of all captures.
    fn source(&self, moments: &[&Option<String>]) -> Result<Source> {
        if moments.iter().any(|it| it.as_ref().is_some_and(|text| text.starts_with('#'))) {
            return self.ask.source();
        }
        let asking = Asking {
            filters: vec![&self.scopes],
            range: &TimeRange::default(),
            zone: self.ask.zone(),
            made_of: MadeOf::Boots,
            by_host: true,
        };
        self.ask.inputs.source_for(&self.catalog, &asking)
    }

    fn printer(&self, source: &Source) -> Result<Printer> {
        let inputs: Vec<&Path> = [self.ask.inputs.paths(), self.scopes.paths()].concat();
        Printer::new(source, self.output, self.ask.utc, &inputs)
    }

    /// By moment and kind: the objects that the filters select.
    fn lists(&self, source: &Source, kinds: &[Kind], moments: &[i64]) -> Result<(Vec<Lists>, Vec<Gap>)> {
        let asked = match self.scopes.is_empty() {
            true => None,
            false => {
                let set = asking::set(&self.scopes, source, false)?;
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
            facts: kinds.iter().any(|kind| matches!(kind, Kind::Ps | Kind::Lsof)),
            ended: false,
        };
        let known = Known::of(source, false)?;
        let state = State::new(source, wants, Lineages::new(source, &matchers));
        let reads = state.reads();
        let history = self.ask.history(source, &reads);
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
