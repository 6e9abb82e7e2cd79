//! Processes: all of them as a tree, and those that led to one.

use views::clock::Hand;
use views::known::Who;
use views::tree::{Forest, Process};

use super::{Desk, Made};
use crate::answer::Anchor;
use crate::engine::find;
use crate::page::{Field, Line, Page, Target, shown};

/// Lines of a tree: beyond them a filter finds what is looked for.
const MOST: usize = 200_000;
/// Depth beyond which lines are not moved to the right.
const DEEPEST: usize = 24;
/// Characters of a command line.
const COMMAND: usize = 160;

/// `bash 4711  bash -c make  [exit 2]`
fn words(process: &Process) -> String {
    let mut text = match process.comm.is_empty() {
        true => format!("({})", process.pid),
        false => format!("{} {}", shown(&process.comm), process.pid),
    };
    if !process.argv.is_empty() {
        let command: String = shown(&process.argv.join(&b' ')).chars().take(COMMAND).collect();
        text.push_str(&format!("  {command}"));
    }
    if let Some(exit) = process.exit {
        match exit.signal_name() {
            Some(signal) => text.push_str(&format!("  [{signal}]")),
            None if exit.code != 0 => text.push_str(&format!("  [exit {}]", exit.code)),
            None => text.push_str("  [ended]"),
        }
    }
    if !process.container.is_empty() {
        text.push_str(&format!("  in {}", shown(process.container.as_bytes())));
    }
    text
}

fn line(process: &Process, depth: usize) -> Line {
    let entity = process.entity();
    let id = format!("{}@{}", entity.pid, entity.start_ns);
    Line {
        text: format!("{}{}", "  ".repeat(depth.min(DEEPEST)), words(process)),
        target: Target::Filter(format!("pid={id}")),
        field: Some(Field::new("tree", id)),
        ..Line::default()
    }
}

pub fn tree(desk: &Desk<'_>, of: Option<(u32, u64)>) -> Made {
    let forest = forest(desk)?;
    let steps = forest.walk(|_| true);
    let mut page = Page { title: format!("Processes ({})", steps.len()), ..Page::default() };
    if of.is_some() {
        page.note = "Enter its events, + its subtree".into();
    }
    for step in steps.iter().take(MOST) {
        let Some(process) = forest.processes.get(step.process) else { continue };
        let is_it = |(pid, start_ns): (u32, u64)| {
            process.pid == pid && Who::new(0, pid, start_ns) == Who::new(0, pid, process.start_ns)
        };
        if of.is_some_and(is_it) {
            page.chosen = Some(page.lines.len());
        }
        page.lines.push(line(process, step.depth));
    }
    if steps.len() > MOST {
        page.lines.push(Line::quiet(format!("... and {} more", steps.len() - MOST)));
    }
    Ok(page)
}

fn forest(desk: &Desk<'_>) -> Result<std::sync::Arc<Forest>, String> {
    desk.query.shared.forest(desk.state.threads).map_err(|error| error.to_string())
}

pub fn lineage(desk: &Desk<'_>, at: Anchor) -> Made {
    let process = find::process(desk.query, at.at).map_err(|error| error.to_string())?;
    let process = process.ok_or("this row cannot be read")?;
    let forest = forest(desk)?;
    let mut page = Page { title: format!("Lineage of process {}", process.pid), ..Page::default() };
    let mut chain = Vec::new();
    let mut next = Some(Who::new(process.boot, process.pid, process.start_ns));
    while let Some(process) = next.and_then(|who| forest.find(&who)).filter(|_| chain.len() < 256) {
        chain.push(process);
        next = process.parent.map(|parent| Who::new(process.boot, parent.pid, parent.start_ns));
        if next == Some(Who::new(process.boot, process.pid, process.start_ns)) {
            break;
        }
    }
    let mut hand = Hand::new(&desk.style.look.clock, desk.style.look.dates);
    for (depth, process) in chain.iter().rev().enumerate() {
        let mut started = Vec::new();
        match process.start_wall_ns {
            Some(wall_ns) => hand.write(wall_ns, &mut started),
            None => started.extend_from_slice(b"before this"),
        }
        let of = line(process, 0);
        let text =
            format!("{}  {}{}", String::from_utf8_lossy(&started), "  ".repeat(depth.min(DEEPEST)), of.text);
        page.lines.push(Line { text, ..of });
    }
    page.chosen = page.lines.len().checked_sub(1);
    page.note = "Enter its events, + its subtree".into();
    if page.lines.is_empty() {
        page.lines.push(Line::quiet("nothing is known of this process"));
    }
    Ok(page)
}
