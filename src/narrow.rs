//! What a question asks for that captures were never told: said before the answer, so that nobody takes its absence for
//! an answer.

use events::{Event, Source as From, catalogue};
use pipeline::Source;
use pipeline::source::File;
use scopes::{Plan, ScopeSet};

use crate::filters::FilterOptions;
use crate::made_from;
use crate::rotated;

/// A sentence for each thing that cannot be answered in full.
pub fn warnings(source: &Source, plan: &Plan, asked: &FilterOptions) -> Vec<String> {
    let mut warnings = Vec::new();
    for file in source.files() {
        only_matched(file, asked, &mut warnings);
        events(file, plan, &mut warnings);
    }
    warnings
}

/// A sentence for each set among the files that is not whole, or not one.
pub fn sets(source: &Source) -> Vec<String> {
    rotated::warnings(source.files().iter().map(|file| (file.name.as_str(), file.capture.header())))
}

/// A sentence for each cut that may have taken away what is asked for.
pub fn cuts(source: &Source, asked: &FilterOptions) -> Vec<String> {
    let of_file = |file: &File| {
        let cuts = made_from::warnings(&file.capture.header().recording.made_from, asked);
        cuts.into_iter().map(|cut| format!("{}: {cut}", file.name)).collect::<Vec<_>>()
    };
    source.files().iter().flat_map(of_file).collect()
}

/// A capture of `--only-matched` holds the answer to the filters that it was recorded with, and to narrower ones.
fn only_matched(file: &File, asked: &FilterOptions, warnings: &mut Vec<String>) {
    let recording = &file.capture.header().recording;
    if !recording.only_matched {
        return;
    }
    // Without filters it is the recorded scopes that are asked.
    let is_recorded = asked.policies.is_empty() && asked.filters.is_empty();
    let is_within = asked.policies.is_empty()
        && ScopeSet::parse(&recording.filters)
            .is_ok_and(|recorded| asked.scopes().is_ok_and(|asked| asked.is_within(&recorded)));
    if !is_recorded && !is_within {
        warnings.push(format!(
            "{}: holds only what matched when it was recorded ({}): what else was asked for may be missing",
            file.name,
            recording.filters.join(" ")
        ));
    }
}

fn events(file: &File, plan: &Plan, warnings: &mut Vec<String>) {
    let recording = &file.capture.header().recording;
    let chosen = match scopes::select::select(&recording.events) {
        Ok(chosen) => chosen,
        // Names of a later program's events: what they chose is not known here.
        Err(_) => return,
    };
    let is_recorded = |event: &Event| chosen.as_ref().is_none_or(|chosen| chosen.contains(&event.id));
    // Scopes that name events. The others ask for all that was recorded, which is never too much.
    let choosing = plan.scopes()
        & !catalogue::events()
            .filter(|event| !event.is_derived())
            .fold(u64::MAX, |all, event| all & plan.event_mask(event.id));
    if chosen.is_some() && choosing != plan.scopes() {
        let events = recording.events.join(",");
        warnings.push(format!("{}: only these events were recorded: {events}", file.name));
    }
    // More than a few are a set or a pattern: then it is enough to say how many.
    let mut missing = Vec::new();
    for event in catalogue::events().filter(|event| plan.event_mask(event.id) & choosing != 0) {
        for base in bases(event) {
            let lacking = recording.unavailable.iter().find(|it| it.event == base.name);
            if let Some(lacking) = lacking {
                missing.push(format!("{}: {}", event.name, lacking.reason));
            } else if !is_recorded(base) {
                missing.push(format!("{}: not among the events of the recording", event.name));
            }
        }
    }
    const SHOWN: usize = 3;
    let more = missing.len().saturating_sub(SHOWN);
    for reason in missing.iter().take(SHOWN) {
        warnings.push(format!("{}: not recorded: {reason}", file.name));
    }
    if more > 0 {
        warnings.push(format!("{}: and {more} more events that were not recorded", file.name));
    }
}

/// The events that must be recorded for one: itself, or what it is derived from.
fn bases(event: &'static Event) -> Vec<&'static Event> {
    match event.source {
        From::Derived { from } => from.iter().filter_map(|name| catalogue::by_name(name)).collect(),
        _ => vec![event],
    }
}
