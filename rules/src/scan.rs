//! A source asked by rules: what is recorded of what they need, and their findings.

use std::collections::BTreeMap;

use events::{Event, Source as From, catalogue};
use pipeline::{Matcher, Projection, Question, Source, Stats};
use scopes::{Plan, ScopeSet};

use crate::compile::{Programs, compile, spread};
use crate::finding::Finding;
use crate::judge::{At, Judge};
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
}

impl<'a> Scan<'a> {
    /// Compiles rules for what a source holds. With `None` for anything that the catalogue has.
    pub fn new(rules: &'a [Rule], source: &'a Source) -> Scan<'a> {
        let holds = |event: &'static Event| holds(source, event);
        let mut programs = compile(rules, &holds);
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
    pub fn run(&self, question: Asking, found: &mut dyn FnMut(Finding)) -> pipeline::Result<Report> {
        let files = self.source.files();
        let matchers = files.iter().map(|_| Matcher::new(&self.plan).without_derived()).collect();
        let Asking { range, strict } = question;
        let question = Question { range, strict, ..Question::new(self.source, matchers) };
        let mut judge = Judge::new(self.rules, &self.programs);
        files.iter().for_each(|file| judge.begin(file));
        let before = rows_before(self.source);
        let mut events = 0;
        let stats = question.batches(Projection::NONE, &mut |batch| {
            let (reference, file) = (batch.reference(), batch.file());
            let at = At {
                file,
                host: batch.host(),
                block: reference.block,
                rows_before: before
                    .as_ref()
                    .and_then(|it| it.get(&(reference.file, reference.block)))
                    .copied(),
            };
            events += reference.rows;
            let judged = judge.block(at, batch.block(), found);
            judged.map_err(|source| pipeline::Error::Capture { file: file.name.clone(), source })
        })?;
        Ok(Report { stats, events, forgotten: judge.forgotten() })
    }
}

/// Why rules cannot be answered by any capture, by number of the rule.
pub fn answerable(rules: &[Rule]) -> BTreeMap<usize, String> {
    let mut unanswerable = compile(rules, &|event| is_carried(event)).unanswerable;
    spread(rules, &mut unanswerable);
    unanswerable
}

/// How a source is asked.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    pub range: Option<std::ops::Range<i64>>,
    pub strict: bool,
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

/// Whether any capture can hold an event.
fn is_carried(event: &'static Event) -> Result<(), String> {
    match event.source {
        From::Unsupported(why) => Err(format!("{}: {why}", event.name)),
        _ if event.is_derived() => Err(format!("{}: rules are not asked of derived events yet", event.name)),
        _ => Ok(()),
    }
}
