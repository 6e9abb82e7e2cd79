//! `tracer cut`: part of a capture: a stretch of time, what matches a filter, some of the arguments.

mod begun;
mod columns;
mod keep;
mod streams;

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Result, bail};
use clap::Args;
use events::catalogue::network::NET_PACKET;
use events::{Event, EventId, Source as From, catalogue};
use format::rewrite::{Copier, Fate, Place};
use format::{Capture, Header, Scratch, Writer, recorded};
use pipeline::{Args as Arguments, EventView, File, Gap, Question, Source};
use scopes::Plan;

use crate::caveats;
use crate::filters::{Diagnostics, FilterOptions};
use crate::inputs::{Damage, Input};
use crate::outcome::{self, Outcome};
use crate::output::OutputFile;
use crate::provenance;
use crate::range::TimeRange;
use crate::stderr;
use crate::target::Target;
use begun::Begun;
use columns::Columns;
use keep::{Keep, Others, STATE_EVENTS};
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
    let name = options.input.name();
    let capture = options.input.open()?;
    let verified = options.input.provenance()?;
    let columns = Columns::parse(&options.keep, &options.drop, capture.schema())?;
    // What the index of a capture that verifies says of a block is true, and need not be worked out again.
    let takes_stored_blocks = verified.is_good()
        && options.target.takes_stored_blocks()
        && options.scopes.is_empty()
        && columns.keeps_all();
    let mut header = provenance::header(&[&capture], options.command(), vec![verified]);
    let source = Source::new(vec![(name.clone(), capture)]);
    let plan = if options.scopes.is_empty() { None } else { Some(plan(&options.scopes, &source)?) };
    let inputs = [options.input.paths(), options.scopes.paths()].concat();
    let Some(file) = source.files().first() else { bail!("{name}: it cannot be read") };
    let stretch = options.range.resolve(&source, replay::render::clock::local_zone)?;
    let range = stretch.clone().map_or((i64::MIN, i64::MAX), |range| (range.start, range.end));
    tell_ends(&mut header, file, range.1);
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
        None if range.0 > i64::MIN => (Streams::default(), Begun::at(&source, range.0)),
        None => (Streams::default(), Begun::default()),
    };
    let mut copier = options.target.copier();
    let mut keep = Keep {
        columns: &columns,
        range,
        matched: None,
        others: others.as_ref(),
        streams,
        begun,
        host: (0, 0),
        fate: Fate::Keep,
        tells_process: false,
    };
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
    options.target.finish(run.writer)?;
    outcome::with_gaps(Outcome::Done, &run.gaps, &source)
}

/// Writes down when the recording of each host ended, whose packets may wait for others: the last rows may be cut away.
/// `to`: where the cut ends, wall clock.
fn tell_ends(header: &mut Header, file: &File, to: i64) {
    let has_packets = |block: &format::BlockInfo| block.statistics.rows_of(NET_PACKET) > 0;
    if !file.capture.blocks().iter().any(has_packets) {
        return;
    }
    let recordings = std::iter::once(&mut header.recording).chain(&mut header.more_recordings);
    for ((number, host), recording) in (0u16..).zip(&file.hosts).zip(recordings) {
        let end = file.recording_end(number).filter(|end| host.wall(*end) < to);
        recording.more.insert(recorded::ENDED_NS.into(), end.unwrap_or(recorded::GOES_ON).to_string());
    }
}

impl Options {
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

/// Rows of one block that stay: events with ordinals, and times at which something was derived from an event.
#[derive(Default)]
pub struct Rows {
    rows: HashSet<(EventId, usize)>,
    bases: HashSet<(EventId, u64)>,
}

impl Rows {
    fn add(&mut self, view: &EventView<'_>) {
        match view.args {
            Arguments::Row { ordinal, .. } => {
                self.rows.insert((view.event.id, ordinal));
            }
            // A derived event is not in the file: what it was derived from at that time stays instead.
            Arguments::Derived { .. } | Arguments::List(_) => {
                let mut from = vec![view.event];
                while let Some(event) = from.pop() {
                    for base in bases(event) {
                        if base.is_derived() {
                            from.push(base);
                        } else {
                            self.bases.insert((base.id, view.time_ns));
                        }
                    }
                }
            }
        }
    }

    pub fn has(&self, event: EventId, ordinal: usize, time_ns: u64) -> bool {
        self.rows.contains(&(event, ordinal)) || self.bases.contains(&(event, time_ns))
    }
}

fn bases(event: &Event) -> Vec<&'static Event> {
    match event.source {
        From::Derived { from } => from
            .iter()
            .filter_map(|name| catalogue::by_name(name))
            .filter(|base| base.id != event.id)
            .collect(),
        _ => Vec::new(),
    }
}

impl Run<'_> {
    /// Copies the blocks in which the plan matches something, and those before each.
    fn matched(&mut self, plan: &Plan) -> Result<()> {
        let order: HashMap<usize, usize> =
            self.source.blocks().iter().enumerate().map(|(at, reference)| (reference.block, at)).collect();
        let question = question(self.source, plan, self.damage);
        let mut current: Option<(usize, Rows)> = None;
        let mut failed = None;
        let stats = question.each_in_block(&mut |_, reference, view| {
            if failed.is_some() {
                return;
            }
            if current.as_ref().is_none_or(|(block, _)| *block != reference.block) {
                let before = current.replace((reference.block, Rows::default()));
                failed = before.and_then(|(block, rows)| self.block(&order, block, rows).err());
            }
            if let Some((_, rows)) = &mut current {
                rows.add(view);
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
        let at = order.get(&block).copied().unwrap_or(usize::MAX);
        self.up_to(at)?;
        self.next = at.saturating_add(1);
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
        let clock = match self.capture.block(number, &mut self.scratch) {
            Ok(block) => {
                let boot =
                    self.source.files().first().and_then(|file| file.hosts.get(usize::from(block.host())));
                self.keep.host = (block.host(), boot.map_or(0, |host| host.boot));
                block.clock()
            }
            Err(error) => return self.damaged(number, error).with_context(in_block),
        };
        let (first, last) =
            (clock.wall(info.statistics.first_ns) as i64, clock.wall(info.statistics.last_ns) as i64);
        let (from, to) = self.keep.range;
        let is_unmatched = matched.as_ref().is_some_and(|rows| rows.rows.is_empty() && rows.bases.is_empty());
        let has_packets = !(self.keep.streams.is_empty() && self.keep.begun.is_empty())
            && info.statistics.rows_of(NET_PACKET) > 0;
        let has_state = has_packets || STATE_EVENTS.iter().any(|event| info.statistics.rows_of(*event) > 0);
        // What came before the stretch still says who was whose child.
        if first >= to || ((last < from || is_unmatched) && !has_state) {
            return Ok(());
        }
        self.keep.matched = matched;
        let (copier, writer, capture) = (&mut self.copier, &mut self.writer, self.capture);
        let is_stored = match self.takes_stored_blocks && first >= from && last < to {
            true => copier.stored_block(capture, number, writer),
            false => Ok(false),
        };
        let copied = is_stored.and_then(|is_stored| match is_stored {
            true => Ok(()),
            false => copier.block(capture, number, writer, &mut self.keep, Place::default()),
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
    let matchers = source.files().iter().map(|file| replay::asked::matcher(plan, &file.capture)).collect();
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

fn plan(scopes: &FilterOptions, source: &Source) -> Result<Plan> {
    let mut set = scopes.scopes_of(source)?;
    for warning in set.warnings() {
        stderr::say_lines(warning);
    }
    let captures = source.files().iter().map(|file| &*file.capture);
    set.resolve_users(&replay::asked::users(captures)).map_err(Diagnostics)?;
    let plan = Plan::compile(&set);
    caveats::tell(source, Some(&plan), scopes);
    Ok(plan)
}
