//! `tracer cut`: part of a capture: a stretch of time, what matches a filter, some of the arguments.

mod answers;
mod artifacts;
mod as_it_comes;
mod begun;
mod columns;
mod facts;
mod keep;
mod packets;
mod streams;

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail};
use clap::Args;
use events::catalogue::network::NET_PACKET;
use format::rewrite::{Copier, Place};
use format::{Capture, Scratch, Writer};
use pipeline::{Gap, Matcher, Question, Source};
use scopes::Plan;
use scopes::pattern::Pattern;

use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions};
use crate::inputs::{Damage, Input};
use crate::outcome::{self, Outcome};
use crate::output::OutputFile;
use crate::progress::Progress;
use crate::provenance;
use crate::range::TimeRange;
use crate::sought;
use crate::stderr;
use crate::target::Target;
use answers::Answers;
use artifacts::Artifacts;
use begun::Begun;
use columns::Columns;
use keep::{Half, Keep, Others, STATE_EVENTS};
use streams::Streams;

/// With -f and -p, what their scopes match stays, and what derived events are derived from, all packets of a stream too. Of other processes, forks,
/// execs and exits stay for the state of processes, without names, paths and command lines; replay does not show them. The
/// scopes that the capture was recorded with stay what they were. The capture says what was cut.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    range: TimeRange,
    #[command(flatten)]
    damage: Damage,
    #[command(flatten)]
    scopes: FilterOptions,
    /// Keep only these arguments, such as openat.pathname or *.fd; numbers of forks, execs and exits stay
    #[arg(long, value_name = "EVENT.ARGUMENT", value_delimiter = ',', conflicts_with = "drop")]
    keep: Vec<String>,
    /// Leave these arguments out
    #[arg(long, value_name = "EVENT.ARGUMENT", value_delimiter = ',')]
    drop: Vec<String>,
    /// Keep names, paths and command lines of processes that no filter matches, too
    #[arg(long)]
    keep_others: bool,
}

pub fn run(options: &Options) -> Result<Outcome> {
    if options.is_one_pass() {
        return as_it_comes::run(options);
    }
    let name = options.input.name();
    let progress = Progress::of(&options.input.paths());
    let capture = options.input.open()?;
    let verified = options.input.provenance()?;
    let columns = Columns::parse(&options.keep, &options.drop, capture.schema())?;
    // What the index of a capture that verifies says of a block is true, and need not be worked out again.
    let takes_stored_blocks =
        verified.is_good() && options.target.takes_stored_blocks() && columns.keeps_all();
    let mut header = provenance::header(&[&capture], options.command(), vec![verified]);
    let source = Source::new(vec![(name.clone(), capture)]);
    let asked = if options.scopes.is_empty() { None } else { Some(plan(&options.scopes, &source)?) };
    let (plan, names) = asked.map_or((None, Vec::new()), |(plan, names)| (Some(plan), names));
    let inputs = [options.input.paths(), options.scopes.paths()].concat();
    let Some(file) = source.files().first() else { bail!("{name}: it cannot be read") };
    let stretch = options.range.resolve(&source, replay::render::clock::local_zone)?;
    let is_part = plan.is_some() || stretch.is_some();
    let range = stretch.clone().map_or((i64::MIN, i64::MAX), |range| (range.start, range.end));
    provenance::tell_beginnings(&mut header, file);
    provenance::tell_ends(&mut header, file, range.1);
    let mut writer = options.target.create(&header, &inputs)?;
    let others = match &plan {
        Some(_) if options.keep_others => None,
        Some(plan) => {
            Some(Others { matched: processes(&source, plan, options.damage)?, follows: plan.follow() != 0 })
        }
        None => None,
    };
    let (streams, begun) = match &plan {
        Some(plan) => {
            let question = Question { range: stretch, ..question(&source, plan, options.damage) };
            (Streams::of(&question)?, Begun::default())
        }
        None if range.0 > i64::MIN => (Streams::default(), Begun::of(&source, range)),
        None => (Streams::default(), Begun::default()),
    };
    let mut streams = streams;
    let answers = Answers::of(&source, &names, &mut streams)?;
    let mut copier = options.target.copier();
    let artifacts = is_part.then(|| Artifacts::of(&file.capture));
    // Which of the rows have artifacts is seen when they are copied one by one.
    let takes_stored_blocks = takes_stored_blocks && artifacts.as_ref().is_none_or(Artifacts::is_empty);
    let mut keep =
        Keep { range, others: others.as_ref(), streams, begun, answers, artifacts, ..Keep::all(&columns) };
    copier.sides(&file.capture, &mut writer, &mut keep, Place::default())?;
    let mut run = Run {
        source: &source,
        capture: &file.capture,
        keep,
        is_filtered: plan.is_some(),
        takes_stored_blocks,
        copier,
        scratch: Scratch::new(),
        writer,
        next: 0,
        damage: options.damage,
        gaps: Vec::new(),
    };
    if let Some(plan) = &plan {
        run.matched(plan)?;
    }
    run.up_to(usize::MAX)?;
    run.copier.artifacts(&file.capture, &mut run.writer, &mut run.keep, Place::default())?;
    drop(progress);
    options.target.finish(run.writer)?;
    outcome::with_gaps(Outcome::Done, &run.gaps, &source)
}

impl Options {
    /// Nothing that comes later decides what stays, and nobody asks for a capture that verifies.
    fn is_one_pass(&self) -> bool {
        let is_whole = self.scopes.is_empty() && self.range.from.is_none() && self.range.to.is_none();
        self.input.is_stdin() && is_whole && !self.input.reading.is_verified()
    }

    /// The command as the new capture tells it: what was asked for, and not where it was read or written.
    fn command(&self) -> Vec<String> {
        let mut words = vec!["tracer".to_owned(), "cut".to_owned()];
        let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
        self.range.from.iter().for_each(|time| add("--from", time));
        self.range.to.iter().for_each(|time| add("--to", time));
        self.scopes.filters.iter().for_each(|filter| add("-f", filter));
        self.scopes.policies.iter().for_each(|path| add("-p", &path.display().to_string()));
        self.keep.iter().for_each(|column| add("--keep", column));
        self.drop.iter().for_each(|column| add("--drop", column));
        words.extend(self.keep_others.then(|| "--keep-others".to_owned()));
        words
    }
}

/// The copying, block by block, in the order in which the source reads them.
struct Run<'a> {
    source: &'a Source,
    capture: &'a Capture,
    keep: Keep<'a>,
    is_filtered: bool,
    /// Blocks of which all rows stay are copied as they stand in the file.
    takes_stored_blocks: bool,
    copier: Copier,
    scratch: Scratch,
    writer: Writer<OutputFile>,
    /// Blocks before this one, in the source's order, were copied.
    next: usize,
    damage: Damage,
    /// Blocks that could not be read.
    gaps: Vec<Gap>,
}

/// Rows of one block that stay, by their numbers: those that match, and those from which something is derived that does. What
/// is derived is not in the file.
type Rows = HashSet<usize>;

impl Run<'_> {
    /// Copies the blocks in which the plan matches something, and those before each.
    fn matched(&mut self, plan: &Plan) -> Result<()> {
        let order: HashMap<usize, usize> =
            self.source.blocks().iter().enumerate().map(|(at, reference)| (reference.block, at)).collect();
        let question = question(self.source, plan, self.damage);
        let mut current: Option<(usize, Rows)> = None;
        let mut failed = None;
        let stats = question.each_in_block(&mut |_, reference, view| {
            // What is told where a host's recording ends stands in none of the blocks, and those of other hosts follow.
            if failed.is_some() || reference.is_end() {
                return;
            }
            if current.as_ref().is_none_or(|(block, _)| *block != reference.block) {
                let before = current.replace((reference.block, Rows::default()));
                failed = before.and_then(|(block, rows)| self.block(&order, block, rows).err());
            }
            if let Some((_, rows)) = &mut current {
                rows.insert(view.at.row as usize);
            }
        })?;
        // What could not be matched is missing from the cut, whether it is copied for other reasons or not.
        self.gaps.extend(stats.gaps);
        if let Some(error) = failed {
            return Err(error);
        }
        match current {
            Some((block, rows)) => self.block(&order, block, rows),
            None => Ok(()),
        }
    }

    fn block(&mut self, order: &HashMap<usize, usize>, block: usize, rows: Rows) -> Result<()> {
        let Some(at) = order.get(&block).copied() else { return Ok(()) };
        self.up_to(at)?;
        self.next = at + 1;
        self.copy(block, Some(rows))
    }

    /// Copies the blocks before this one of the source's order; where there is a filter, nothing in them matched.
    fn up_to(&mut self, end: usize) -> Result<()> {
        let end = end.min(self.source.blocks().len());
        while self.next < end {
            let block = self.source.blocks().get(self.next).map(|reference| reference.block);
            self.next += 1;
            if let Some(block) = block {
                self.copy(block, self.is_filtered.then(Rows::default))?;
            }
        }
        Ok(())
    }

    fn copy(&mut self, number: usize, matched: Option<Rows>) -> Result<()> {
        let Some(info) = self.capture.blocks().get(number) else { return Ok(()) };
        let in_block = || format!("block {number}");
        let (clock, changes_facts) = match self.capture.block(number, &mut self.scratch) {
            Ok(block) => {
                let boot =
                    self.source.files().first().and_then(|file| file.hosts.get(usize::from(block.host())));
                self.keep.block = number;
                self.keep.host = (block.host(), boot.map_or(0, |host| host.boot));
                // What cannot be read is told when it is copied.
                (block.clock(), facts::are_in(info, &block).unwrap_or(true))
            }
            Err(error) => return self.damaged(number, error).with_context(in_block),
        };
        let (first, last) =
            (clock.wall(info.statistics.first_ns) as i64, clock.wall(info.statistics.last_ns) as i64);
        let (from, to) = self.keep.range;
        let is_unmatched = matched.as_ref().is_some_and(Rows::is_empty);
        let has_packets = !(self.keep.streams.is_empty()
            && self.keep.begun.is_empty()
            && !self.keep.answers.are_in(number))
            && info.statistics.rows_of(NET_PACKET) > 0;
        let has_state = has_packets
            || changes_facts
            || STATE_EVENTS.iter().any(|event| info.statistics.rows_of(*event) > 0);
        // What came before the stretch still says who was whose child.
        if first >= to || ((last < from || is_unmatched) && !has_state) {
            return Ok(());
        }
        let keeps_all = matched.as_ref().is_none_or(|rows| rows.len() as u64 == info.statistics.rows);
        self.keep.matched = matched;
        let (copier, writer, capture) = (&mut self.copier, &mut self.writer, self.capture);
        let is_stored = match self.takes_stored_blocks && keeps_all && first >= from && last < to {
            true => copier.stored_block(capture, number, writer),
            false => Ok(false),
        };
        // Readers take blocks in order of their first rows: what came before must not draw along what came after.
        let halves: &[Half] =
            if first < from && last >= from { &[Half::Before, Half::From] } else { &[Half::Both] };
        let copied = is_stored.and_then(|is_stored| match is_stored {
            true => Ok(()),
            false => halves.iter().try_for_each(|half| {
                self.keep.half = *half;
                copier.block(capture, number, writer, &mut self.keep, Place::default())
            }),
        });
        match copied {
            Ok(()) => Ok(()),
            Err(error) => self.damaged(number, error).with_context(in_block),
        }
    }

    /// A block that cannot be read is a gap, and the others are copied; whatever else goes wrong ends the run.
    fn damaged(&mut self, number: usize, error: format::Error) -> Result<()> {
        let is_damage = matches!(error, format::Error::Block { .. } | format::Error::Damaged { .. });
        let reference = self.source.blocks().iter().find(|reference| reference.block == number);
        match reference {
            Some(reference) if is_damage && !self.damage.strict => {
                if !self.gaps.iter().any(|gap| gap.block == number) {
                    self.gaps.push(self.source.gap(*reference, &error));
                }
                Ok(())
            }
            _ => Err(error.into()),
        }
    }
}

fn question<'a>(source: &'a Source, plan: &'a Plan, damage: Damage) -> Question<'a> {
    let matchers = source.files().iter().map(|file| Matcher::of_capture(plan, &file.capture)).collect();
    Question { strict: damage.strict, ..Question::new(source, matchers) }
}

/// Hosts and pids of the processes of which something matches.
fn processes(source: &Source, plan: &Plan, damage: Damage) -> Result<HashSet<u32>> {
    let mut pids = HashSet::new();
    question(source, plan, damage).each(&mut |_, view| {
        pids.insert(view.context.pid);
    })?;
    Ok(pids)
}

/// The plan, and the names of peers that it asks for.
fn plan(scopes: &FilterOptions, source: &Source) -> Result<(Plan, Vec<Pattern>)> {
    let mut set = scopes.scopes_of(source)?;
    for warning in set.warnings() {
        stderr::say_lines(warning);
    }
    let names = set.peer_names();
    let unnamed = replay::asked::resolve(&mut set, source).map_err(Diagnostics)?;
    unnamed.iter().for_each(|name| stderr::warn(sought::unnamed(name)));
    let plan = Plan::compile(&set);
    caveats::tell(source, Some(&plan), scopes);
    Ok((plan, names))
}
