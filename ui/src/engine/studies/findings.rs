//! What rules find, and what was lost while it was recorded.

use hashbrown::HashMap;
use pipeline::{Projection, Question, RowRef};
use rules::finding::Finding;
use rules::scan::Scan;
use views::Class;
use views::clock::Hand;

use super::{Desk, Made};
use crate::answer::Anchor;
use crate::page::{Field, Line, Page, Target};

/// Findings that are listed.
const MOST: usize = 20_000;

pub fn page(desk: &Desk<'_>) -> Made {
    let corpus = (desk.state.help.rules)()?;
    let source = &desk.query.shared.source;
    let scan = Scan::new(&corpus.rules, source);
    let mut finder = scan.finder(None);
    let mut findings: Vec<Finding> = Vec::new();
    let mut more = 0;
    let question = Question {
        threads: desk.state.threads,
        cancellation: desk.cancellation.clone(),
        ..Question::new(source, scan.matchers())
    };
    let stats =
        question.batches_in_parallel(Projection::NONE, &|batch| scan.look(batch), &mut |batch, looked| {
            finder.take(batch, looked, &mut |finding| match findings.len() < MOST {
                true => findings.push(finding),
                false => more += 1,
            })
        });
    stats.map_err(|error| error.to_string())?;
    let level = |finding: &Finding| corpus.rules.get(finding.rule).map(|rule| rule.level);
    findings.sort_by_key(|finding| (std::cmp::Reverse(level(finding)), finding.wall_ns));
    let mut page = Page { title: format!("Findings of {} rules", corpus.rules.len()), ..Page::default() };
    page.note = format!("{} found; Enter goes to the event", findings.len() + more);
    let files: HashMap<&str, u32> =
        source.files().iter().zip(0u32..).map(|(file, at)| (file.name.as_str(), at)).collect();
    let mut hand = Hand::new(&desk.style.look.clock, desk.style.look.dates);
    for finding in &findings {
        let Some(rule) = corpus.rules.get(finding.rule) else { continue };
        let mut time = Vec::new();
        hand.write(finding.wall_ns, &mut time);
        let level = rule.level.name().to_uppercase();
        let text = format!(
            "{level:<8}  {}  {}  {} {}",
            String::from_utf8_lossy(&time),
            scopes::spelled_out(&rule.title),
            scopes::spelled_out(&finding.process.name),
            finding.process.pid,
        );
        let seen = finding.events.last();
        let target = seen.and_then(|seen| {
            let at = RowRef {
                file: *files.get(seen.file.as_str())?,
                block: u32::try_from(seen.block).ok()?,
                row: seen.row,
                derived: 0,
            };
            Some(Target::Row(Anchor { at, key: 0 }))
        });
        let class = if rule.level >= rules::Level::High { Class::Alert } else { Class::Plain };
        let id = format!("{}@{}", finding.process.pid, finding.process.start_ns);
        let field = (finding.process.pid != 0).then(|| Field::new("pid", id));
        page.lines.push(Line {
            text,
            class,
            target: target.unwrap_or(Target::Time(finding.wall_ns)),
            field,
            ..Line::default()
        });
    }
    if more > 0 {
        page.lines.push(Line::quiet(format!("... and {more} more: tracer scan lists them")));
    }
    if page.lines.is_empty() {
        page.lines.push(Line::quiet("nothing was found"));
    }
    Ok(page)
}

pub fn losses(desk: &Desk<'_>) -> Made {
    let losses = replay::render::losses::of(&desk.query.shared.source);
    let mut page = Page { title: "What was lost while it was recorded".into(), ..Page::default() };
    let mut hand = Hand::new(&desk.style.look.clock, desk.style.look.dates);
    for loss in &losses {
        let mut time = Vec::new();
        hand.write(loss.from_ns, &mut time);
        time.extend_from_slice(b" to ");
        hand.write(loss.to_ns, &mut time);
        let event = loss.event.unwrap_or("events");
        let text = format!(
            "{}  {} {event}: {}",
            String::from_utf8_lossy(&time),
            loss.count,
            scopes::spelled_out(&loss.cause)
        );
        page.lines.push(Line { class: Class::Loss, target: Target::Time(loss.from_ns), ..Line::new(text) });
    }
    if losses.is_empty() {
        page.lines.push(Line::quiet("nothing was lost"));
    }
    Ok(page)
}
