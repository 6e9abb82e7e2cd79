//! What led to an event, and what came of it.

use std::collections::HashSet;

use pipeline::{History, Matcher, Question};
use scopes::Plan;
use views::Class;
use views::clock::Hand;
use views::story::show::Telling;
use views::story::{self, Chain, Flows, Limits, Moment, Stretch, Way, numbers};

use super::{Desk, Made};
use crate::answer::Anchor;
use crate::page::{Line, Page, Target};

/// As `tracer story` has it where nothing is said.
const LIMITS: Limits = Limits { through: false, hub: 24 };

pub fn page(desk: &Desk<'_>, at: Anchor) -> Made {
    let words = |error: pipeline::Error| error.to_string();
    let shared = &desk.query.shared;
    let source = &shared.source;
    let forest = shared.forest(desk.state.threads).map_err(|error| error.to_string())?;
    let flows = Flows::new(source, story::lives(&forest));
    let reads = flows.reads();
    let history = History {
        threads: desk.state.threads,
        cancellation: desk.cancellation.clone(),
        ..History::new(source, &reads)
    };
    let everything = Plan::everything();
    let matchers = || -> Vec<Matcher<'_>> {
        source.files().iter().map(|file| Matcher::of_capture(&everything, &file.capture)).collect()
    };
    // What is derived has the story of what it was derived from.
    let base = pipeline::RowRef { derived: 0, ..at.at };
    let question = Question { threads: desk.state.threads, ..Question::new(source, matchers()) };
    let (number, _) = question.number_of(base).map_err(words)?;
    let number = number.ok_or("this event has no number")? + 1;
    let event = numbers::event(source, matchers(), number).map_err(words)?.ok_or("there is no such event")?;
    let (back, forward) = story::roots_at(&history, &flows, &event).map_err(words)?;
    let at_ns = event.moment.wall_ns;
    let mut told: Vec<(Way, Chain, Vec<usize>)> = Vec::new();
    for (way, roots, stretch) in [
        (Way::Back, back, Stretch { from_ns: i64::MIN, to_ns: at_ns }),
        (Way::Forward, forward, Stretch { from_ns: at_ns, to_ns: i64::MAX }),
    ] {
        let (mut chain, _) = story::tell(&history, &flows, way, roots, LIMITS, stretch).map_err(words)?;
        let order = chain.fold();
        told.push((way, chain, order));
    }
    let wanted: HashSet<Moment> = told
        .iter()
        .flat_map(|(_, chain, order)| {
            let nodes = order.iter().filter_map(|at| chain.nodes.get(*at));
            nodes.flat_map(|node| &node.edges).filter_map(|edge| chain.edges.get(*edge))
        })
        .flat_map(|edge| [edge.first, edge.last])
        .collect();
    let numbers = numbers::of(source, matchers(), desk.state.threads, &wanted).map_err(words)?;
    let mut page = Page { title: format!("Story of event {number}"), ..Page::default() };
    page.note = "Enter goes to the event of a line".into();
    for (way, chain, order) in &told {
        let telling =
            Telling { chain, way: *way, forest: &forest, numbers: &numbers, hosts: source.has_hosts() };
        let title = if *way == Way::Back { "What led to it" } else { "What came of it" };
        page.lines.push(Line { class: Class::Who, ..Line::new(title) });
        let mut text = Vec::new();
        telling.tree(order, &mut Hand::new(&desk.style.look.clock, desk.style.look.dates), &mut text);
        for line in String::from_utf8_lossy(&text).lines() {
            page.lines.push(Line { target: target(line), ..Line::new(format!("  {line}")) });
        }
        if chain.left_out > 0 {
            page.lines.push(Line::quiet(format!("  {} events more are left out", chain.left_out)));
        }
    }
    Ok(page)
}

/// `... [#1204 to #1390, 12 events]` leads to its first event. What stands in brackets before is a name of the capture, and
/// the number is behind the last one.
fn target(line: &str) -> Target {
    let number = line
        .rsplit_once("[#")
        .map(|(_, rest)| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
    number.and_then(|it| it.parse().ok()).map_or(Target::None, Target::Event)
}
