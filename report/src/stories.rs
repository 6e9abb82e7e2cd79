//! Stories of the severest findings, and of what the user asked for: what led to each, and what came of it.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use events::{EventId, catalogue};
use pipeline::{Gap, History, Matcher, Source};
use rules::Rule;
use scopes::Plan;
use views::clock::{Clock, Hand};
use views::known::Who;
use views::story::numbers::{self, Numbered, Stands};
use views::story::show::{Telling, TreeLine};
use views::story::{self, Chain, Flows, Limits, Moment, Root, Stretch, Way};
use views::tree::Forest;

use crate::events::Place;
use crate::findings::{Findings, Group};

/// Lines of a story that stand in the page.
const MOST_LINES: usize = 200;

/// What a story is about.
#[derive(Clone, Debug)]
pub struct Subject {
    pub title: String,
    pub back: Vec<Root>,
    pub forward: Vec<Root>,
    /// Wall clock of the event, where it is one.
    pub at: Option<i64>,
}

/// A story as text.
#[derive(Debug)]
pub struct Story {
    pub title: String,
    /// What led to it, and what came of it; empty where there is nothing.
    pub back: Vec<Line>,
    pub forward: Vec<Line>,
    /// Lines that are not there.
    pub left_out: usize,
}

/// A line: a text, some of which names events.
#[derive(Clone, Debug, Default)]
pub struct Line {
    pub text: String,
    /// Bytes of it that are the number of an event, where that stands in the source, and its name.
    pub links: Vec<(Range<usize>, Place, &'static str)>,
}

/// What stories are told of and with.
#[derive(Debug)]
pub struct Teller<'a> {
    pub source: &'a Source,
    pub history: &'a History<'a>,
    pub flows: &'a Flows<'a>,
    pub forest: &'a Forest,
    pub threads: usize,
    pub clock: &'a Clock,
}

impl Teller<'_> {
    /// The subjects of the first findings: one for each process and rule.
    pub fn of_findings(
        &self,
        findings: &Findings,
        rules: &[Rule],
        most: usize,
    ) -> pipeline::Result<Vec<Subject>> {
        let mut subjects: Vec<Subject> = Vec::new();
        let mut known = HashSet::new();
        for group in &findings.groups {
            if subjects.len() >= most {
                break;
            }
            let process = &group.finding.process;
            // Several findings of one process have one story, but for where it begins.
            if !known.insert((group.finding.host.clone(), process.pid, process.start_ns)) {
                continue;
            }
            let Some(event) = self.event(group) else { continue };
            let (back, forward) = story::roots_at(self.history, self.flows, &event)?;
            let title = rules.get(group.finding.rule).map_or("", |rule| rule.title.as_str());
            subjects.push(Subject {
                title: format!("{title}: {} {}", process.name, process.pid),
                back,
                forward,
                at: Some(event.moment.wall_ns),
            });
        }
        Ok(subjects)
    }

    /// The last event of a group's first finding.
    fn event(&self, group: &Group) -> Option<Numbered> {
        let finding = &group.finding;
        let seen = finding.events.last()?;
        let file = self.source.files().iter().find(|file| file.name == seen.file)?;
        let host = file.hosts.iter().find(|host| host.name == finding.host).or(file.hosts.first())?;
        let event = catalogue::by_name(seen.name)?.id.0;
        let process = &finding.process;
        Some(Numbered {
            moment: Moment { wall_ns: seen.wall_ns, boot: host.boot, tid: process.pid, event },
            who: Who::new(host.boot, process.pid, process.start_ns),
        })
    }

    pub fn tell(&self, subject: &Subject, gaps: &mut Vec<Gap>) -> pipeline::Result<Story> {
        let limits = Limits { through: false, hub: 24 };
        let mut left_out = 0;
        let mut told = |way, roots: &[Root]| -> pipeline::Result<Vec<Line>> {
            let stretch = match way {
                Way::Back => Stretch { from_ns: i64::MIN, to_ns: subject.at.unwrap_or(i64::MAX) },
                Way::Forward => Stretch { from_ns: subject.at.unwrap_or(i64::MIN), to_ns: i64::MAX },
            };
            let (mut chain, more) =
                story::tell(self.history, self.flows, way, roots.to_vec(), limits, stretch)?;
            more.into_iter().for_each(|gap| {
                if !gaps.contains(&gap) {
                    gaps.push(gap);
                }
            });
            let (lines, more) = self.lines(&mut chain, way)?;
            left_out += more;
            Ok(lines)
        };
        let back = told(Way::Back, &subject.back)?;
        let forward = told(Way::Forward, &subject.forward)?;
        Ok(Story { title: subject.title.clone(), back, forward, left_out })
    }

    fn lines(&self, chain: &mut Chain, way: Way) -> pipeline::Result<(Vec<Line>, usize)> {
        let order = chain.fold();
        let nodes = order.iter().filter_map(|at| chain.nodes.get(*at));
        let edges = nodes.flat_map(|node| &node.edges).filter_map(|edge| chain.edges.get(*edge));
        let wanted: HashSet<Moment> = edges.flat_map(|edge| [edge.first, edge.last]).collect();
        let everything = Plan::everything();
        let files = self.source.files().iter();
        let matchers = files.map(|file| Matcher::of_capture(&everything, &file.capture)).collect();
        let numbers = numbers::of(self.source, matchers, self.threads, &wanted)?;
        let telling =
            Telling { chain, way, forest: self.forest, numbers: &numbers, hosts: self.source.has_hosts() };
        let days = self.source.start_wall_ns().zip(self.source.end_wall_ns());
        let dates = days.is_some_and(|(from, to)| self.clock.parts_days(from, to));
        let all = telling.lines(&order, &mut Hand::new(self.clock, dates));
        let lines: Vec<Line> = all.iter().take(MOST_LINES).map(|line| linked(line, &numbers)).collect();
        // Nothing but where it begins is no story.
        let lines = if lines.len() > 1 { lines } else { Vec::new() };
        Ok((lines, all.len().saturating_sub(MOST_LINES)))
    }
}

/// A line with the places of the events that it numbers: the first, and where there are several the last.
fn linked(line: &TreeLine, numbers: &HashMap<Moment, Stands>) -> Line {
    let text = match String::from_utf8(line.text.clone()) {
        Ok(text) => text,
        // Places in it would be others.
        Err(error) => {
            return Line { text: String::from_utf8_lossy(error.as_bytes()).into_owned(), links: Vec::new() };
        }
    };
    let mut links = Vec::new();
    if let Some((range, first, last)) = &line.events {
        let mut from = range.start;
        for moment in [first, last] {
            let (Some(it), Some(event)) = (numbers.get(moment), catalogue::by_id(EventId(moment.event)))
            else {
                continue;
            };
            let number = format!("#{}", it.number);
            let found = text.get(from..range.end).and_then(|rest| rest.find(&number));
            if let Some(at) = found.map(|at| from + at) {
                from = at + number.len();
                links.push((at..from, (it.at.file, it.at.block, it.at.row), event.name));
            }
        }
    }
    Line { text, links }
}
