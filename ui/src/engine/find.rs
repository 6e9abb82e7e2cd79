//! Looking for one event among those that are shown: by its text, or as the exec of a parent.

use pipeline::{Access, Cancellation, Matcher, Projection, Question, Result, RowRef, Wanted};
use scopes::{Plan, ScopeSet};
use views::cell::Cells;

use super::{Query, State, Style, rows};
use crate::answer::Anchor;
use crate::message::Message;

/// Rows that are read at once.
const STEP: usize = 2048;

/// Finds the next line that has a text, without regard to case unless the text has capitals. Says how far it is.
pub fn text(
    state: &State,
    ticket: u64,
    text: &str,
    from: Anchor,
    is_backward: bool,
    style: &Style,
    cancellation: &Cancellation,
) {
    let Some(query) = state.query() else { return };
    let told = match search(state, &query, text, from, is_backward, style, cancellation) {
        Ok(Some(anchor)) => Message::Found { ticket, at: Some(anchor), what: text.to_owned(), filter: None },
        Ok(None) => {
            let way = if is_backward { "before" } else { "behind" };
            Message::Found {
                ticket,
                at: None,
                what: format!("nothing {way} this has {text:?}"),
                filter: None,
            }
        }
        Err(pipeline::Error::Cancelled) => return,
        Err(error) => Message::Failed(error.to_string()),
    };
    state.tell(told);
}

fn search(
    state: &State,
    query: &Query,
    text: &str,
    from: Anchor,
    is_backward: bool,
    style: &Style,
    cancellation: &Cancellation,
) -> Result<Option<Anchor>> {
    let has_capitals = text.chars().any(char::is_uppercase);
    let wanted = if has_capitals { text.to_owned() } else { text.to_lowercase() };
    let question = Question { cancellation: cancellation.clone(), range: None, ..query.question(1) };
    let mut access = Access::new(&question, Projection::ALL);
    let mut cells = Cells::new(&style.look, &query.shared.known);
    let (start, len) = {
        let answer = query.answer();
        (answer.rank(from), answer.len())
    };
    let mut at = if is_backward { start } else { start + u64::from(query.answer().has(from.at)) };
    let mut told = std::time::Instant::now();
    loop {
        let (first, count) = match is_backward {
            true => (at.saturating_sub(STEP as u64), at.min(STEP as u64) as usize),
            false => (at, STEP),
        };
        // Another question is put by now: nobody waits for this one.
        if cancellation.is_cancelled() || state.query().is_some_and(|now| now.version != query.version) {
            return Err(pipeline::Error::Cancelled);
        }
        let items = query.answer().rows(first, count);
        if items.is_empty() {
            return Ok(None);
        }
        let asked: Vec<Wanted> = items.iter().map(|at| Wanted { at: *at, scopes: u64::MAX }).collect();
        let mut found: Option<Anchor> = None;
        access.rows(&asked, &mut |event| {
            if found.is_some() && !is_backward {
                return;
            }
            let row = rows::row(event, style, &mut cells, false);
            let line = row.line();
            let is_it =
                if has_capitals { line.contains(&wanted) } else { line.to_lowercase().contains(&wanted) };
            if is_it {
                found = Some(row.anchor);
            }
        })?;
        if found.is_some() {
            return Ok(found);
        }
        at = if is_backward { first } else { first + items.len() as u64 };
        if is_backward && first == 0 {
            return Ok(None);
        }
        if told.elapsed().as_millis() > 300 {
            told = std::time::Instant::now();
            let part = at as f64 / len.max(1) as f64 * 100.0;
            state.tell(Message::Said(format!("searching: at {part:.0}% of what is shown, Esc gives it up")));
        }
    }
}

/// Finds the exec that made the parent what it was when an event happened.
pub fn parent(state: &State, ticket: u64, of: Anchor, cancellation: &Cancellation) {
    let told = match parents_exec(state, of, cancellation) {
        Ok((Some((anchor, filter)), what)) => {
            Message::Found { ticket, at: Some(anchor), what, filter: Some(filter) }
        }
        Ok((None, what)) => Message::Found { ticket, at: None, what, filter: None },
        Err(pipeline::Error::Cancelled) => return,
        Err(error) => Message::Failed(error.to_string()),
    };
    state.tell(told);
}

/// What is known of the process of a row: its pid and start, its parent's, and the time, wall clock ns.
pub struct Process {
    pub boot: usize,
    pub pid: u32,
    pub start_ns: u64,
    pub ppid: u32,
    pub parent_start_ns: u64,
    pub wall_ns: i64,
}

/// Reads whose row this is.
pub fn process(query: &Query, at: RowRef) -> Result<Option<Process>> {
    let question = Question { cancellation: Cancellation::default(), range: None, ..query.question(1) };
    let mut access = Access::new(&question, Projection { contexts: true, ..Projection::NONE });
    let mut found = None;
    access.rows(&[Wanted { at: RowRef { derived: 0, ..at }, scopes: 0 }], &mut |event| {
        found = Some(Process {
            boot: event.host.boot,
            pid: event.context.pid,
            start_ns: event.context.process_start_ns,
            ppid: event.context.ppid,
            parent_start_ns: event.context.parent_start_ns,
            wall_ns: event.wall_ns,
        });
    })?;
    Ok(found)
}

fn parents_exec(
    state: &State,
    of: Anchor,
    cancellation: &Cancellation,
) -> Result<(Option<(Anchor, String)>, String)> {
    let Some(query) = state.query() else { return Ok((None, String::new())) };
    let Some(process) = process(&query, of.at)? else { return Ok((None, "this row cannot be read".into())) };
    if process.ppid == 0 {
        return Ok((None, "this process has no parent".into()));
    }
    let what = format!("the exec of parent {}", process.ppid);
    let of_process = format!("pid={}@{}", process.ppid, process.parent_start_ns);
    let filters = [of_process.clone(), "event=sched_process_exec".to_owned()];
    let Ok(set) = ScopeSet::parse(&filters) else { return Ok((None, what)) };
    let plan = Plan::compile(&set);
    let source = &query.shared.source;
    let matchers = source.files().iter().map(|file| Matcher::of_capture(&plan, &file.capture)).collect();
    let question = Question {
        threads: state.threads,
        range: Some(i64::MIN..process.wall_ns.saturating_add(1)),
        cancellation: cancellation.clone(),
        ..Question::new(source, matchers)
    };
    let mut last = None;
    question.each(&mut |_, event| {
        last = Some(Anchor { at: event.at, key: event.host.key(event.time_ns) });
    })?;
    match last {
        Some(anchor) => Ok((Some((anchor, of_process.clone())), what)),
        None => Ok((None, format!("parent {} executed nothing while this was recorded", process.ppid))),
    }
}
