//! What a page says, asked of captures.

use std::collections::HashSet;
use std::ops::Range;

use hashbrown::HashSet as Set;
use pipeline::stage::{Client, Reads};
use pipeline::{Cancellation, Gap, History, Matcher, Question, Source};
use rules::finding::Finding;
use rules::{Rule, scan};
use views::Known;
use views::changes::Changes;
use views::clock::Clock;
use views::connections::Connections;
use views::known::Who;
use views::state::{Listed, Object, State, Value, Wants};
use views::story::{self, Flows};
use views::tree::{Forest, Process, Step};

use crate::events::{Events, Place, collect};
use crate::findings::Findings;
use crate::sections::files::{self, File};
use crate::stories::{Story, Subject, Teller};
use crate::totals::Totals;

/// Processes that a page has: each is a row of a tree.
const MOST_PROCESSES: usize = 50_000;

/// What is asked of which captures.
#[derive(Debug)]
pub struct Asking<'a> {
    pub source: &'a Source,
    /// By file of the source: which events the page is about.
    pub matchers: Vec<Matcher<'a>>,
    /// Where `matchers` do not ask for the messages of DNS that belong to the page's events: what does.
    pub names: Option<Vec<Matcher<'a>>>,
    /// They leave some events out, so that files are those of the processes that are left.
    pub is_narrowed: bool,
    pub range: Option<Range<i64>>,
    /// Events that stand in the page, at most.
    pub limit: u64,
    pub rules: &'a [Rule],
    /// Stories of so many findings.
    pub stories: usize,
    /// Of what the user asked for.
    pub subjects: Vec<Subject>,
    /// Rows that notes are about.
    pub noted: Vec<Place>,
    pub clock: &'a Clock,
    pub threads: usize,
    pub strict: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Gathered {
    pub forest: Forest,
    pub known: Known,
    /// The processes that the page has, each behind its parent.
    pub steps: Vec<Step>,
    pub processes_left_out: usize,
    pub findings: Findings,
    pub stories: Vec<Story>,
    pub totals: Totals,
    pub files: Vec<File>,
    pub connections: Vec<Object>,
    pub listening: Vec<Object>,
    pub events: Events,
    pub gaps: Vec<Gap>,
    /// What was more than is kept, in sentences.
    pub left_out: Vec<String>,
}

impl Gathered {
    pub fn of(asking: &Asking<'_>) -> pipeline::Result<Gathered> {
        let Asking { source, threads, .. } = *asking;
        let opened = |error| pipeline::Error::Capture { file: "reading processes".into(), source: error };
        let known = Known::of(source, false).map_err(opened)?;
        let mut forest = Forest::of(source, threads).map_err(opened)?;
        let mut gaps: Vec<Gap> = Vec::new();
        let mut left_out = Vec::new();
        let question = Question {
            range: asking.range.clone(),
            threads,
            strict: asking.strict,
            ..Question::new(source, asking.matchers.clone())
        };
        let mut totals = Totals::of(&question, &known, &forest)?;
        if let Some(matchers) = &asking.names {
            totals.ask_names(&question, matchers.clone(), &known)?;
        }
        add(&mut gaps, totals.stats.gaps.clone());
        forest.processes.iter_mut().zip(&totals.tallies).for_each(|(process, tally)| process.tally = *tally);
        let scanning = scan::Asking {
            range: asking.range.clone(),
            strict: asking.strict,
            threads,
            ..scan::Asking::default()
        };
        let whose = asking.is_narrowed.then(|| Whose::of(source, &forest));
        let is_asked = |finding: &Finding| whose.as_ref().is_none_or(|whose| whose.has(finding));
        let (findings, more) = Findings::find(asking.rules, source, scanning, &is_asked)?;
        add(&mut gaps, more);

        let flows = Flows::new(source, story::lives(&forest));
        let reads = flows.reads();
        let history = asking.history(&reads);
        let teller = Teller {
            source,
            history: &history,
            flows: &flows,
            forest: &forest,
            threads,
            clock: asking.clock,
        };
        let mut subjects = asking.subjects.clone();
        subjects.extend(teller.of_findings(&findings, asking.rules, asking.stories)?);
        let mut stories = Vec::new();
        for subject in &subjects {
            stories.push(teller.tell(subject, &mut gaps)?);
        }

        let matched = whose.as_ref().map(|whose| &whose.matched);
        let changes = Changes::new(&flows, matched, asking.stretch());
        let mut files = Vec::new();
        let more = asking.history_of(&reads, changes, &mut |changes: &mut Changes<'_>| {
            if changes.left_out > 0 {
                left_out.push(format!("{} uses of more files than are kept", changes.left_out));
            }
            files = files::chosen(changes, &forest);
        })?;
        add(&mut gaps, more);
        let (connections, listening, more) = asking.network(&forest, &known, matched, &mut left_out)?;
        add(&mut gaps, more);

        let mut steps = forest.walk(|process| process.tally.events > 0);
        let processes_left_out = steps.len().saturating_sub(MOST_PROCESSES);
        steps.truncate(MOST_PROCESSES);

        let places = |group: &crate::findings::Group| {
            group.finding.events.iter().filter_map(|seen| place(source, seen)).collect::<Vec<_>>()
        };
        let told = stories.iter().flat_map(|story| story.back.iter().chain(&story.forward));
        let told = told.flat_map(|line| &line.links).map(|(_, place, _)| *place);
        let wanted: Set<Place> =
            findings.groups.iter().flat_map(places).chain(asking.noted.iter().copied()).chain(told).collect();
        let mut events = Events::new(wanted);
        let question = Question { limit: Some(asking.limit), ..question };
        let stats = collect(&question, &mut events)?;
        add(&mut gaps, stats.gaps);
        if events.texts_left_out > 0 {
            left_out.push(format!("{} values of arguments, for want of room", events.texts_left_out));
        }
        Ok(Gathered {
            forest,
            known,
            steps,
            processes_left_out,
            findings,
            stories,
            totals,
            files,
            connections,
            listening,
            events,
            gaps,
            left_out,
        })
    }
}

impl Gathered {
    /// All events that match, also those that are not in the page.
    pub fn events_asked(&self) -> u64 {
        self.totals.events()
    }
}

/// The processes that have events which the filters leave.
struct Whose {
    matched: HashSet<Who>,
    /// Boots of hosts by name.
    boots: Vec<(String, usize)>,
}

impl Whose {
    fn of(source: &Source, forest: &Forest) -> Whose {
        let matched = forest.processes.iter().filter(|process| process.tally.events > 0);
        let who = |process: &Process| Who::new(process.boot, process.pid, process.start_ns);
        let hosts = source.files().iter().flat_map(|file| &file.hosts);
        let mut boots: Vec<(String, usize)> = hosts.map(|host| (host.name.clone(), host.boot)).collect();
        boots.sort();
        boots.dedup();
        Whose { matched: matched.map(who).collect(), boots }
    }

    fn has(&self, finding: &Finding) -> bool {
        let process = &finding.process;
        let boots = self.boots.iter().filter(|(host, _)| *host == finding.host).map(|(_, boot)| *boot);
        boots.into_iter().any(|boot| self.matched.contains(&Who::new(boot, process.pid, process.start_ns)))
    }
}

/// Where an event of a finding stands in the source.
pub(crate) fn place(source: &Source, seen: &rules::finding::Seen) -> Option<Place> {
    let file = source.files().iter().position(|file| file.name == seen.file)?;
    Some((file as u32, seen.block as u32, seen.row))
}

fn add(gaps: &mut Vec<Gap>, more: Vec<Gap>) {
    for gap in more {
        if !gaps.contains(&gap) {
            gaps.push(gap);
        }
    }
}

impl<'a> Asking<'a> {
    fn stretch(&self) -> (i64, i64) {
        self.range.as_ref().map_or((i64::MIN, i64::MAX), |range| (range.start, range.end))
    }

    fn history<'r>(&self, reads: &'r [Reads]) -> History<'r>
    where
        'a: 'r,
    {
        History {
            source: self.source,
            reads,
            threads: self.threads,
            strict: self.strict,
            cancellation: Cancellation::default(),
        }
    }

    /// What a client knows at the end of the range.
    fn history_of<C: Client>(
        &self,
        reads: &[Reads],
        client: C,
        see: &mut dyn FnMut(&mut C),
    ) -> pipeline::Result<Vec<Gap>> {
        self.history(reads).at(&[self.stretch().1], client, &mut |_, client| see(client))
    }

    /// Connections, and sockets that listen at the end.
    #[allow(clippy::type_complexity)] // two lists and what is missing
    fn network(
        &self,
        forest: &Forest,
        known: &Known,
        whose: Option<&HashSet<Who>>,
        left_out: &mut Vec<String>,
    ) -> pipeline::Result<(Vec<Object>, Vec<Object>, Vec<Gap>)> {
        let names = self.source.names(self.threads)?;
        let connections = Connections::new(self.stretch());
        let reads = connections.reads();
        let mut objects = Vec::new();
        let mut gaps = self.history_of(&reads, connections, &mut |connections: &mut Connections| {
            if connections.left_out > 0 {
                left_out.push(format!("{} events of more connections than are kept", connections.left_out));
            }
            objects = connections.objects(None, whose, names, forest);
        })?;
        let state = State::new(self.source, Wants { files: true, ..Wants::default() }, None);
        let reads = state.reads();
        let mut listening = Vec::new();
        let more = self.history_of(&reads, state, &mut |state: &mut State<'_>| {
            let sockets = state.list_of(Listed::Sockets, whose, known, self.stretch().1);
            listening.extend(sockets.into_iter().filter(is_listening));
        })?;
        add(&mut gaps, more);
        Ok((objects, listening, gaps))
    }
}

fn is_listening(object: &Object) -> bool {
    let state = object.fields.iter().find(|field| field.name == "state");
    state.is_some_and(|field| matches!(&field.value, Value::Text(text) if **text == *b"LISTEN"))
}
