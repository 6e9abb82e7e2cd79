//! A source asked by rules: what is recorded of what they need, and their findings.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use events::{Event, Source as From, catalogue};
use format::facts::{Fact, FactSet};
use pipeline::{Batch, Matcher, Projection, Question, Source, Stats};
use scopes::{Plan, ScopeSet};

use crate::compile::{Programs, compile, spread};
use crate::finding::Finding;
use crate::judge::{self, At, Candidates, Judge};
pub use crate::machines::Seen;
use crate::rule::Rule;

/// Rules compiled for a source.
#[derive(Debug)]
pub struct Scan<'a> {
    pub rules: &'a [Rule],
    source: &'a Source,
    programs: Programs,
    plan: Plan,
}

/// What a scan came to beside its findings.
#[derive(Debug, Default)]
pub struct Report {
    pub stats: Stats,
    pub events: u64,
    /// State that was given up for want of room.
    pub forgotten: u64,
    /// What rules that tell what is new know by now.
    pub seen: Seen,
}

impl<'a> Scan<'a> {
    /// Compiles rules for what a source holds. With `None` for anything that the catalogue has.
    pub fn new(rules: &'a [Rule], source: &'a Source) -> Scan<'a> {
        // Many rules are about the same events.
        let known = RefCell::new(HashMap::new());
        let holds = |event: &'static Event| {
            let mut known = known.borrow_mut();
            known.entry(event.id).or_insert_with(|| holds(source, event)).clone()
        };
        let tells = |event: &'static Event, argument: &str| tells(source, event, argument);
        let mut programs = compile(rules, &holds, &tells, followed(source));
        spread(rules, &mut programs.unanswerable);
        let names = Judge::events(&programs).into_iter().filter_map(|id| Some(catalogue::by_id(id)?.name));
        let filter = format!("event={}", names.collect::<Vec<_>>().join(","));
        // Names of the catalogue are always a filter.
        let plan = ScopeSet::parse(&[filter]).map_or_else(|_| Plan::everything(), |set| Plan::compile(&set));
        Scan { rules, source, programs, plan }
    }

    /// Why rules cannot be answered, by number of the rule.
    pub fn unanswerable(&self) -> &BTreeMap<usize, String> {
        &self.programs.unanswerable
    }

    /// Where the answer to a rule is not quite what it asks for.
    pub fn notes(&self) -> &BTreeMap<usize, Vec<String>> {
        &self.programs.notes
    }

    /// Calls `found` with each finding, in order of time of their last events.
    pub fn run(&self, asking: Asking, found: &mut dyn FnMut(Finding)) -> pipeline::Result<Report> {
        let Asking { range, strict, threads, seen, learn_ns } = asking;
        let mut finder = self.finder(range.clone());
        finder.judge.machines().know(&seen);
        let first = self.source.blocks().iter().map(|block| block.first).min();
        if let Some(first) = first.filter(|_| learn_ns > 0) {
            finder.judge.machines().learn_until(first.saturating_add(learn_ns));
        }
        let question = Question {
            range,
            strict,
            threads: threads.max(1),
            ..Question::new(self.source, self.matchers())
        };
        let stats = question.batches_in_parallel(
            Projection::NONE,
            &|batch| self.look(batch),
            &mut |batch, looked| finder.take(batch, looked, found),
        )?;
        let seen = finder.judge.machines().seen();
        Ok(Report { stats, events: finder.events, forgotten: finder.forgotten(), seen })
    }

    /// What a question has to be asked so that its batches are all that [`Scan::finder`] wants to see.
    pub fn matchers(&self) -> Vec<Matcher<'_>> {
        self.source.files().iter().map(|file| Matcher::of_capture(&self.plan, &file.capture)).collect()
    }

    /// Finds in batches as they come, live or of captures: [`Finder::batch`] takes them in order. `range`: only events of
    /// this stretch of the wall clock are found.
    pub fn finder(&self, range: Option<Range<i64>>) -> Finder<'_> {
        Finder {
            scan: self,
            judge: Judge::new(self.rules, &self.programs, range, self.source),
            places: self.places(),
            events: 0,
        }
    }

    pub(crate) fn places(&self) -> Places {
        Places(rows_before(self.source))
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.programs
    }

    pub(crate) fn programs_mut(&mut self) -> &mut Programs {
        &mut self.programs
    }

    /// The part of a batch's work that needs no state: any thread may do it.
    pub fn look(&self, batch: &Batch<'_>) -> Looked {
        Looked(judge::look(&self.programs, batch))
    }
}

/// Where blocks stand among each other.
#[derive(Debug)]
pub(crate) struct Places(Option<BTreeMap<(usize, usize), u64>>);

impl Places {
    pub fn at<'b>(&self, batch: &'b Batch<'_>) -> At<'b> {
        let reference = batch.reference();
        let before = self.0.as_ref().and_then(|it| it.get(&(reference.file, reference.block))).copied();
        At { file: batch.file(), host: batch.host(), block: reference.block, rows_before: before }
    }
}

/// What looking at a batch gave.
#[derive(Debug)]
pub struct Looked(format::Result<Candidates>);

/// Rules with their state, which is brought forward batch by batch.
#[derive(Debug)]
pub struct Finder<'s> {
    scan: &'s Scan<'s>,
    judge: Judge<'s>,
    places: Places,
    /// Events that were looked through.
    pub events: u64,
}

impl Finder<'_> {
    /// Calls `found` with each finding of a batch. Batches come in order of their first rows, each with all rows of its block.
    pub fn batch(&mut self, batch: &Batch<'_>, found: &mut dyn FnMut(Finding)) -> pipeline::Result<()> {
        let looked = self.scan.look(batch);
        self.take(batch, looked, found)
    }

    /// The same where [`Scan::look`] looked at it already.
    pub fn take(
        &mut self,
        batch: &Batch<'_>,
        looked: Looked,
        found: &mut dyn FnMut(Finding),
    ) -> pipeline::Result<()> {
        let (reference, file) = (batch.reference(), batch.file());
        let at = self.places.at(batch);
        self.events += reference.rows;
        let judged = looked.0.and_then(|candidates| self.judge.batch(at, batch, candidates, found));
        judged.map_err(|source| pipeline::Error::Capture { file: file.name.clone(), source })
    }

    /// State that was given up for want of room: findings may be missing.
    pub fn forgotten(&self) -> u64 {
        self.judge.forgotten()
    }
}

/// Why rules cannot be answered by any capture, by number of the rule.
pub fn answerable(rules: &[Rule]) -> BTreeMap<usize, String> {
    answerable_without(rules, &|_| None)
}

/// The same where some events are not recorded: `lacks` says why one is not.
pub fn answerable_without(
    rules: &[Rule],
    lacks: &dyn Fn(&'static Event) -> Option<String>,
) -> BTreeMap<usize, String> {
    let holds = |event: &'static Event| {
        is_carried(event)?;
        let has = |event: &'static Event| match lacks(event) {
            Some(why) => Err(format!("{}: {why}", event.name)),
            None => Ok(()),
        };
        from_bases(event, &has).unwrap_or_else(|| has(event))
    };
    let is_followed = |fact: &Fact| {
        let events = fact.needs().iter().filter_map(|name| catalogue::by_name(name));
        events.map(lacks).all(|lacking| lacking.is_none())
    };
    let followed = Fact::ALL.into_iter().filter(is_followed).collect();
    let mut unanswerable = compile(rules, &holds, &|_, _| true, followed).unanswerable;
    spread(rules, &mut unanswerable);
    unanswerable
}

/// The events that rules are asked of or derived from, and those that tell of processes: what a recording for them holds.
pub fn events_for(rules: &[Rule]) -> Vec<&'static str> {
    let mut programs = compile(rules, &|event| is_carried(event), &|_, _| true, FactSet::ALL);
    // What findings tell beside is told where it is recorded anyway.
    let asked = programs.asked.with(Fact::Directory);
    programs.followed = FactSet::NONE;
    let of_facts =
        asked.iter().flat_map(|fact| fact.needs()).filter_map(|name| Some(catalogue::by_name(name)?.id));
    let events = Judge::events(&programs)
        .into_iter()
        .chain(of_facts)
        .collect::<Vec<_>>()
        .into_iter()
        .filter_map(catalogue::by_id);
    let recorded = events.flat_map(|event| match event.source {
        From::Derived { from } => from.to_vec(),
        _ => vec![event.name],
    });
    recorded.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The facts of processes of which all files tell the changes.
fn followed(source: &Source) -> FactSet {
    let of_file = |file: &pipeline::File| {
        let hosts = 0..u16::try_from(file.hosts.len().max(1)).unwrap_or(u16::MAX);
        hosts.fold(FactSet::ALL, |all, host| all.and(file.followed(host)))
    };
    source.files().iter().map(of_file).fold(FactSet::ALL, FactSet::and)
}

/// How a source is asked.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    pub range: Option<Range<i64>>,
    pub strict: bool,
    /// Findings are the same whatever the number.
    pub threads: usize,
    /// What was seen before, for rules that tell what is new.
    pub seen: Seen,
    /// Within so many ns from the first event on, what is new is learned and not told.
    pub learn_ns: u64,
}

/// Rows before each block in order of time; `None` where blocks overlap, so that rows of several stand among each other.
fn rows_before(source: &Source) -> Option<BTreeMap<(usize, usize), u64>> {
    let (mut before, mut rows, mut last) = (BTreeMap::new(), 0, 0);
    for block in source.blocks() {
        if block.first < last {
            return None;
        }
        last = block.last;
        before.insert((block.file, block.block), rows);
        rows += block.rows;
    }
    Some(before)
}

/// Whether all files of a source hold an event; why not, where one does not.
fn holds(source: &Source, event: &'static Event) -> Result<(), String> {
    is_carried(event)?;
    let is_log = source.files().iter().any(|file| file.capture.header().recording.is_made_from_log());
    if let Some(held) = from_bases(event, &|base| holds(source, base)).filter(|_| !is_log) {
        return held;
    }
    let mut any = false;
    let mut why = format!("{}: the capture is empty", event.name);
    for file in source.files() {
        let header = file.capture.header();
        for host in 0..file.hosts.len().max(1) {
            let recording = header.recording_of(host as u16);
            if let Some(lacking) = recording.unavailable.iter().find(|it| it.event == event.name) {
                why = format!("{}: not recorded: {}", event.name, lacking.reason);
                continue;
            }
            let chosen = scopes::select::select(&recording.events).ok().flatten();
            if chosen.is_some_and(|chosen| !chosen.contains(&event.id)) {
                why = format!("{}: not among the events of the recording", event.name);
                continue;
            }
            if file.capture.schema().events().all(|known| known.id != event.id) {
                why = format!("{}: the program that recorded did not know it", event.name);
                continue;
            }
            any = true;
        }
    }
    if any { Ok(()) } else { Err(why) }
}

/// Whether the rows of an event have an argument in all files of a source.
fn tells(source: &Source, event: &'static Event, argument: &str) -> bool {
    let has = |known: &Event| known.arg(argument).is_some();
    source.files().iter().all(|file| file.capture.schema().event(event.id).is_some_and(has))
}

/// Whether something is there that an event is derived from; `None` of one that is recorded itself.
fn from_bases(
    event: &'static Event,
    has: &dyn Fn(&'static Event) -> Result<(), String>,
) -> Option<Result<(), String>> {
    let From::Derived { from } = event.source else { return None };
    let mut why = format!("{}: it comes from nothing", event.name);
    for base in from.iter().filter_map(|name| catalogue::by_name(name)) {
        match has(base) {
            Ok(()) => return Some(Ok(())),
            Err(of_base) => why = format!("{}: {of_base}", event.name),
        }
    }
    Some(Err(why))
}

/// Whether any capture can hold an event.
fn is_carried(event: &'static Event) -> Result<(), String> {
    match event.source {
        From::Unsupported(why) => Err(format!("{}: {why}", event.name)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Readers, behaviours};

    const RULES: &str = r#"
- rule: below a directory
  desc: a prefix, and what is not it
  condition: evt.type in (open, openat) and fd.name startswith /etc and not proc.name in (ls, id)
  output: "%proc.name %fd.name"
  priority: INFO
- rule: parts and names
  desc: of several columns
  condition: evt.type = openat and (fd.name contains ld.so or proc.name = ls or fd.filename endswith ".6")
  output: "%proc.name %fd.name"
  priority: INFO
- rule: all but some
  desc: nothing guards it
  condition: not fd.name startswith /usr and not proc.name = sh
  output: "%evt.type %fd.name"
  priority: INFO
- rule: of a parent
  desc: what is known over time
  condition: evt.type in (openat, close, read, execve) and proc.pname exists and proc.pid > 1
  output: "%proc.pname"
  priority: INFO
"#;

    /// Rows that are left out by what their block holds are none that a rule takes.
    #[test]
    fn findings_are_those_of_asking_each_row() {
        let mut readers = Readers::default();
        behaviours::add(&mut readers);
        readers.add("rules.yaml", RULES, true);
        let rules = readers.finish().rules;
        let (mut found, mut opened) = (0, 0);
        for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures")).expect("fixtures")
        {
            let path = file.expect("a file").path();
            if path.extension().is_none_or(|it| it != "trz") {
                continue;
            }
            let findings = |takes_all: bool| {
                let capture = format::Capture::open(Path::new(&path)).expect("a capture");
                let source = Source::new(vec![(path.display().to_string(), capture)]);
                let mut scan = Scan::new(&rules, &source);
                scan.programs_mut().events.values_mut().for_each(|programs| programs.takes_all = takes_all);
                let mut all = Vec::new();
                scan.run(Asking::default(), &mut |finding| all.push(finding)).expect("a scan");
                all
            };
            let (sifted, each) = (findings(false), findings(true));
            assert_eq!(sifted, each, "{}", path.display());
            (found, opened) = (found + each.len(), opened + 1);
        }
        assert!(opened >= 10 && found >= 100, "{found} findings of {opened} captures show little");
    }
}
