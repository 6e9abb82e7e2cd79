//! `tracer cut`: part of a capture: a stretch of time, what matches a filter, some of the arguments.

use std::collections::HashSet;

use anyhow::{Context, Result, bail};
use clap::Args;
use events::catalogue::process::{SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK};
use events::{EventId, Raw};
use format::redact::fits;
use format::rewrite::{Change, Copied, Copier, Edit, Fate, Place};
use format::{BlockInfo, Capture, Writer};
use jiff::tz::TimeZone;
use pipeline::{Args as Arguments, Matcher, Question, Source};
use scopes::Plan;

use crate::filters::{Diagnostics, FilterOptions};
use crate::inputs::Input;
use crate::outcome::Outcome;
use crate::output::OutputFile;
use crate::range::TimeRange;
use crate::stderr;
use crate::target::{self, Target};

/// With -f and -p, what their scopes match stays; forks, execs and exits of others stay for the state of processes, and
/// replay does not show them.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    scopes: FilterOptions,
    /// Keep only these arguments, such as openat.pathname or *.fd
    #[arg(long, value_name = "EVENT.ARGUMENT", value_delimiter = ',', conflicts_with = "drop")]
    keep: Vec<String>,
    /// Leave these arguments out
    #[arg(long, value_name = "EVENT.ARGUMENT", value_delimiter = ',')]
    drop: Vec<String>,
}

const STATE_EVENTS: [EventId; 3] = [SCHED_PROCESS_FORK, SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT];

pub fn run(options: &Options) -> Result<Outcome> {
    let name = options.input.file.display().to_string();
    let capture = options.input.open()?;
    let mut header = target::header(&capture, "cut");
    let range = boot_range(&options.range, &capture)?;
    let columns = Columns { keep: patterns(&options.keep)?, drop: patterns(&options.drop)? };
    let plan = match options.scopes.is_empty() {
        true => None,
        false => Some(plan(&options.scopes, &capture)?),
    };
    if plan.is_some() {
        header.recording.only_matched = true;
        header.recording.filters.extend(options.scopes.filters.iter().cloned());
    }
    let inputs = [options.input.paths(), options.scopes.paths()].concat();
    let mut writer = options.target.create(&header, &inputs)?;
    let source = Source::new(vec![(name.clone(), capture)]);
    let Some(file) = source.files().first() else { bail!("{name}: it cannot be read") };
    let mut copier = options.target.copier();
    let cut = Cut { columns: &columns, range, matched: None };
    copier.sides(&file.capture, &mut writer, &mut { cut }, Place::default())?;
    let done = vec![false; file.capture.blocks().len()];
    let mut run = Run { capture: &file.capture, columns: &columns, range, copier, writer, done };
    if let Some(plan) = &plan {
        run.matched(&source, plan)?;
    }
    run.up_to(usize::MAX, plan.is_some())?;
    options.target.finish(run.writer)?;
    Ok(Outcome::Done)
}

/// The copying, block by block.
struct Run<'a> {
    capture: &'a Capture,
    columns: &'a Columns,
    range: (u64, u64),
    copier: Copier,
    writer: Writer<OutputFile>,
    done: Vec<bool>,
}

impl Run<'_> {
    /// Copies the blocks in which the plan matches something, and those before each.
    fn matched(&mut self, source: &Source, plan: &Plan) -> Result<()> {
        let question = Question { source, matchers: vec![Matcher::new(plan)], threads: 1, limit: None };
        let mut current: Option<(usize, HashSet<(EventId, usize)>)> = None;
        let mut failed = None;
        question.each_in_block(&mut |_, reference, view| {
            if failed.is_some() {
                return;
            }
            if current.as_ref().is_none_or(|(block, _)| *block != reference.block) {
                let before = current.replace((reference.block, HashSet::new()));
                failed = before.and_then(|(block, rows)| self.block(block, Some(rows)).err());
            }
            // A derived event is not in the file; what it was derived from matches by itself or is not asked for.
            if let (Arguments::Row { ordinal, .. }, Some((_, rows))) = (view.args, &mut current) {
                rows.insert((view.event.id, ordinal));
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        match current {
            Some((block, rows)) => self.block(block, Some(rows)),
            None => Ok(()),
        }
    }

    /// Copies the blocks before `block` that were not; with `filtered`, nothing in them matched.
    fn up_to(&mut self, block: usize, filtered: bool) -> Result<()> {
        for earlier in 0..block.min(self.done.len()) {
            if self.done.get(earlier) == Some(&false) {
                self.copy(earlier, filtered.then(HashSet::new))?;
            }
        }
        Ok(())
    }

    fn block(&mut self, block: usize, matched: Option<HashSet<(EventId, usize)>>) -> Result<()> {
        self.up_to(block, true)?;
        self.copy(block, matched)
    }

    fn copy(&mut self, block: usize, matched: Option<HashSet<(EventId, usize)>>) -> Result<()> {
        if let Some(done) = self.done.get_mut(block) {
            *done = true;
        }
        let Some(info) = self.capture.blocks().get(block) else { return Ok(()) };
        let outside = info.statistics.last_ns < self.range.0 || info.statistics.first_ns >= self.range.1;
        let unmatched = matched.as_ref().is_some_and(HashSet::is_empty);
        // What came before the stretch still says who was whose child.
        if info.statistics.first_ns >= self.range.1 || ((outside || unmatched) && !has_state(info)) {
            return Ok(());
        }
        let mut cut = Cut { columns: self.columns, range: self.range, matched };
        self.copier
            .block(self.capture, block, &mut self.writer, &mut cut, Place::default())
            .with_context(|| format!("block {block}"))
    }
}

fn has_state(info: &BlockInfo) -> bool {
    STATE_EVENTS.iter().any(|event| info.statistics.rows_of(*event) > 0)
}

/// What of one block stays.
struct Cut<'a> {
    columns: &'a Columns,
    range: (u64, u64),
    /// Rows that a filter matched, by event and ordinal; `None` without a filter.
    matched: Option<HashSet<(EventId, usize)>>,
}

impl Edit for Cut<'_> {
    fn row(&mut self, row: &Copied<'_>) -> Fate {
        let matched = self.matched.as_ref().is_none_or(|rows| rows.contains(&(row.event.id, row.ordinal)));
        let in_range = (self.range.0..self.range.1).contains(&row.time_ns);
        match matched && in_range {
            true => Fate::Keep,
            false if STATE_EVENTS.contains(&row.event.id) && row.time_ns < self.range.1 => Fate::StateOnly,
            false => Fate::Drop,
        }
    }

    fn argument(&mut self, row: &Copied<'_>, position: usize, _value: Raw<'_>) -> Change {
        let Some(arg) = row.event.args.get(position) else { return Change::Keep };
        // State is read from the arguments of these.
        if STATE_EVENTS.contains(&row.event.id) || self.columns.keeps(row.event.name, arg.name) {
            Change::Keep
        } else {
            Change::Missing
        }
    }
}

/// Which arguments stay.
struct Columns {
    keep: Vec<(String, String)>,
    drop: Vec<(String, String)>,
}

impl Columns {
    fn keeps(&self, event: &str, argument: &str) -> bool {
        let any = |patterns: &[(String, String)]| {
            patterns.iter().any(|(of, name)| {
                fits(of.as_bytes(), event.as_bytes()) && fits(name.as_bytes(), argument.as_bytes())
            })
        };
        (self.keep.is_empty() || any(&self.keep)) && !any(&self.drop)
    }
}

fn patterns(texts: &[String]) -> Result<Vec<(String, String)>> {
    let pattern = |text: &String| match text.split_once('.') {
        Some((event, argument)) => Ok((event.to_owned(), argument.to_owned())),
        None => bail!("`{text}` is no column: columns are EVENT.ARGUMENT, such as openat.pathname or *.buf"),
    };
    texts.iter().map(pattern).collect()
}

fn plan(scopes: &FilterOptions, capture: &Capture) -> Result<Plan> {
    let mut set = scopes.scopes()?;
    for warning in set.warnings() {
        stderr::say_lines(warning);
    }
    set.resolve_users(&replay::asked::users(std::iter::once(capture))).map_err(Diagnostics)?;
    Ok(Plan::compile(&set))
}

/// A stretch of the capture's boot clock.
fn boot_range(range: &TimeRange, capture: &Capture) -> Result<(u64, u64)> {
    let first = capture.blocks().iter().map(|block| block.statistics.first_ns).min().unwrap_or_default();
    let clock = capture.header().clock;
    let (from, to) = range.wall_ns(clock.wall(first) as i64, &TimeZone::system())?;
    let boot = |wall: i64| {
        let wall = u64::try_from(wall).unwrap_or_default();
        wall.saturating_sub(clock.wall_ns.saturating_sub(clock.boot_ns))
    };
    Ok((boot(from), if to == i64::MAX { u64::MAX } else { boot(to) }))
}
