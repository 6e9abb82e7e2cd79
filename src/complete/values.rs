//! Candidates for values, and what captures hold of them.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use clap::builder::StyledStr;
use events::{EventId, Set};
use format::Capture;
use hashbrown::HashMap;
use pipeline::{Cancellation, Matcher, Question, Source};
use scopes::Plan;
use views::Known;
use views::sums::{By, Sums};

/// Nobody waits longer for what is offered.
const PATIENCE: Duration = Duration::from_millis(700);

/// Something to insert.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Value {
    pub text: String,
    /// How often the capture has it; 0 is not known.
    pub count: u64,
}

impl Value {
    pub fn plain(text: impl Into<String>) -> Value {
        Value { text: text.into(), count: 0 }
    }

    pub fn help(&self) -> Option<StyledStr> {
        (self.count > 0).then(|| format!("{} events", self.count).into())
    }
}

/// Names of events and sets in a list that commas part.
pub fn events_and_sets(text: &str) -> Vec<Value> {
    let mut names: Vec<String> = super::event_names("").map(str::to_owned).collect();
    names.extend(Set::ALL.iter().map(|set| set.name().to_owned()));
    super::listed(text, names)
}

/// Levels, and ids of the rules that are part of the program; `front` stands before each.
pub fn rules(text: &str, front: &str) -> Vec<Value> {
    let levels = rules::Level::ALL.iter().map(|level| level.name().to_owned());
    let ids = rules::behaviours::corpus().rules.into_iter().map(|rule| rule.id);
    let fitting = levels.chain(ids).filter(|name| name.starts_with(text));
    fitting.map(|name| Value::plain(format!("{front}{name}"))).collect()
}

/// The values of a group in captures, most frequent first.
pub fn of_captures(by: By, captures: &[PathBuf]) -> Vec<Value> {
    let Some(source) = open(captures) else { return Vec::new() };
    let Ok(known) = Known::of(&source, false) else { return Vec::new() };
    let plan = Plan::everything();
    let mut sums = Sums::new(by, &known);
    ask(&source, &plan, &mut |question| {
        // What was added up until time is over is an answer, too.
        let _ = question.batches(Sums::projection(), &mut |batch| {
            let _ = sums.add(batch);
            Ok(())
        });
    });
    let named = sums.sorted().into_iter().filter(|(name, _)| !name.is_empty());
    named
        .map(|(name, sum)| Value { text: String::from_utf8_lossy(&name).into_owned(), count: sum.count })
        .collect()
}

/// The values of an argument in captures, most frequent first.
pub fn of_argument(event: EventId, name: &str, plan: &Plan, captures: &[PathBuf]) -> Vec<Value> {
    let Some(source) = open(captures) else { return Vec::new() };
    let mut counts: HashMap<String, u64> = HashMap::new();
    ask(&source, plan, &mut |question| {
        let _ = question.each(&mut |_, view| {
            if view.event.id != event || counts.len() >= MOST_VALUES {
                return;
            }
            let Some((at, _)) = view.event.arg(name) else { return };
            if let events::Raw::Bytes(bytes) = view.args.get(at)
                && let Ok(text) = std::str::from_utf8(bytes)
            {
                *counts.entry_ref(text).or_default() += 1;
            }
        });
    });
    let mut values: Vec<Value> = counts.into_iter().map(|(text, count)| Value { text, count }).collect();
    values.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.text.cmp(&b.text)));
    values
}

/// Different values that are looked at.
const MOST_VALUES: usize = 10_000;

fn open(captures: &[PathBuf]) -> Option<Source> {
    let files =
        captures.iter().filter_map(|path| Some((path.display().to_string(), Capture::open(path).ok()?)));
    let files: Vec<_> = files.collect();
    if files.is_empty() { None } else { Some(Source::new(files)) }
}

/// Asks for as long as anybody waits.
fn ask(source: &Source, plan: &Plan, see: &mut dyn FnMut(&Question<'_>)) {
    let cancellation = Cancellation::default();
    let alarm = cancellation.clone();
    thread::spawn(move || {
        thread::sleep(PATIENCE);
        alarm.cancel();
    });
    let matchers = source.files().iter().map(|_| Matcher::new(plan)).collect();
    see(&Question { cancellation, ..Question::new(source, matchers) });
}
