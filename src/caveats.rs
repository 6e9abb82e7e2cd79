//! What a question asks for that captures were never told: said before the answer, so that nobody takes its absence for
//! an answer.

use std::collections::BTreeMap;

use events::{Event, Source as From, catalogue};
use format::Recording;
use pipeline::Source;
use pipeline::source::{File, Host};
use scopes::{Plan, ScopeSet};

use crate::filters::FilterOptions;
use crate::provenance;
use crate::rotated;
use crate::stderr;

/// A sentence for each thing that cannot be answered in full.
fn warnings(source: &Source, plan: &Plan, asked: &FilterOptions) -> Vec<String> {
    let mut warnings = Vec::new();
    // Of thousands of files most were recorded alike: those in which nothing is missing are looked at once.
    let mut complete: Vec<&Recording> = Vec::new();
    for file in source.files() {
        for (name, recording) in recordings(file) {
            only_matched(&name, recording, asked, &mut warnings);
            let is_alike = |known: &&&Recording| {
                known.events == recording.events && known.unavailable == recording.unavailable
            };
            if complete.iter().any(|known| is_alike(&known)) {
                continue;
            }
            let before = warnings.len();
            events(&name, recording, plan, &mut warnings);
            if warnings.len() == before {
                complete.push(recording);
            }
        }
    }
    warnings.dedup();
    warnings
}

/// Says before an answer what there is to know of what it is read from. Without a plan, it is the recorded scopes that are
/// asked.
pub fn tell(source: &Source, plan: Option<&Plan>, asked: &FilterOptions) {
    let mut told = replay::open::warnings(source);
    told.extend(sets(source));
    told.extend(cuts(source, asked));
    told.extend(plan.map(|plan| ancestors(source, plan)).unwrap_or_default());
    told.extend(plan.map(|plan| warnings(source, plan, asked)).unwrap_or_default());
    told.iter().for_each(stderr::warn);
}

/// A sentence for each set among the files that is not whole, or not one.
fn sets(source: &Source) -> Vec<String> {
    let files = source.files();
    let headers = files.iter().map(|file| (file.name.as_str(), file.capture.header()));
    rotated::warnings(headers, &|at| files.get(at)?.capture.set_ending())
}

/// A sentence for each set of which the first part is not there, where ancestors are asked for. A part knows the processes that
/// were there when it began; a parent that had ended by then is known to the parts before it alone.
fn ancestors(source: &Source, plan: &Plan) -> Vec<String> {
    if !plan.needs().lineage {
        return Vec::new();
    }
    let mut oldest: BTreeMap<(&str, u64), (u32, &File)> = BTreeMap::new();
    for file in source.files() {
        for (at, host) in (0u16..).zip(&file.hosts) {
            let recording = file.capture.header().recording_of(at);
            let known = oldest.entry((&host.boot_id, recording.start_ns)).or_insert((recording.part, file));
            if recording.part < known.0 {
                *known = (recording.part, file);
            }
        }
    }
    let of_set = |(part, file): &(u32, &File)| {
        let name = &file.name;
        format!(
            "{name}: part {part} of a set without the parts before it: ancestors that ended before it began are not known \
             to tree and follow"
        )
    };
    oldest.values().filter(|(part, _)| *part > 0).map(of_set).collect()
}

/// A sentence for each cut that may have taken away what is asked for.
fn cuts(source: &Source, asked: &FilterOptions) -> Vec<String> {
    let of_file = |file: &File| {
        let cuts = provenance::cuts(&file.capture.header().provenance, asked);
        cuts.into_iter().map(|cut| format!("{}: {cut}", file.name)).collect::<Vec<_>>()
    };
    source.files().iter().flat_map(of_file).collect()
}

/// How each host of a file was recorded, with a name for messages.
fn recordings(file: &File) -> impl Iterator<Item = (String, &Recording)> {
    let header = file.capture.header();
    let name = |host: &Host| match file.hosts.len() {
        0 | 1 => file.name.clone(),
        _ => format!("{}, {}", file.name, host.name),
    };
    (0u16..).zip(&file.hosts).map(move |(at, host)| (name(host), header.recording_of(at)))
}

/// A capture of `--only-matched` holds the answer to the filters that it was recorded with, and to narrower ones.
fn only_matched(name: &str, recording: &Recording, asked: &FilterOptions, warnings: &mut Vec<String>) {
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
            "{name}: holds only what matched when it was recorded ({}): what else was asked for may be missing",
            recording.filters.join(" ")
        ));
    }
}

fn events(name: &str, recording: &Recording, plan: &Plan, warnings: &mut Vec<String>) {
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
        warnings.push(format!("{name}: only these events were recorded: {events}"));
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
        warnings.push(format!("{name}: not recorded: {reason}"));
    }
    if more > 0 {
        warnings.push(format!("{name}: and {more} more events that were not recorded"));
    }
}

/// The events that must be recorded for one: itself, or what it is derived from.
fn bases(event: &'static Event) -> Vec<&'static Event> {
    match event.source {
        From::Derived { from } => from.iter().filter_map(|name| catalogue::by_name(name)).collect(),
        _ => vec![event],
    }
}
