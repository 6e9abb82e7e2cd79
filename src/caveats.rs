//! What a question asks for that captures were never told: said before the answer, so that nobody takes its absence for
//! an answer.

use std::collections::{BTreeMap, HashMap};

use events::{Event, Source as From, catalogue};
use format::Recording;
use pipeline::Source;
use pipeline::source::{File, Host};
use scopes::{Plan, ScopeSet};

use crate::filters::FilterOptions;
use crate::provenance;
use crate::rotated::{self, Said};
use crate::stderr;

/// What is to be said of files, in the order in which it was found: the same of thousands of them is said once.
#[derive(Default)]
struct Caveats {
    /// What is said, and of which files.
    told: Vec<(String, Vec<String>)>,
    by_text: HashMap<String, usize>,
}

impl Caveats {
    fn push(&mut self, name: &str, text: String) {
        let at = *self.by_text.entry(text).or_insert_with_key(|text| {
            self.told.push((text.clone(), Vec::new()));
            self.told.len() - 1
        });
        let names = self.told.get_mut(at).map(|(_, names)| names);
        if let Some(names) = names.filter(|names| names.last().is_none_or(|last| last != name)) {
            names.push(name.to_owned());
        }
    }

    fn sentences(self) -> impl Iterator<Item = String> {
        self.told.into_iter().map(|(text, names)| match names.as_slice() {
            [one] => format!("{one}: {text}"),
            [first, second] => format!("{first}, {second}: {text}"),
            [first, more @ ..] => format!("{first} and {} more files: {text}", more.len()),
            [] => text,
        })
    }
}

/// What cannot be answered in full.
fn incomplete(source: &Source, plan: &Plan, asked: &FilterOptions, caveats: &mut Caveats) {
    // Of thousands of files most were recorded alike: those in which nothing is missing are looked at once.
    let mut complete: Vec<&Recording> = Vec::new();
    for file in source.files() {
        for (name, recording) in recordings(file) {
            only_matched(&name, recording, asked, caveats);
            let is_alike = |known: &&&Recording| {
                known.events == recording.events && known.unavailable == recording.unavailable
            };
            if complete.iter().any(|known| is_alike(&known)) {
                continue;
            }
            if !events(&name, recording, plan, caveats) {
                complete.push(recording);
            }
        }
    }
}

/// Says before an answer what there is to know of what it is read from. Without a plan, it is the recorded scopes that are
/// asked.
pub fn tell(source: &Source, plan: Option<&Plan>, asked: &FilterOptions) {
    sentences(source, plan, asked).iter().for_each(stderr::warn);
}

/// The same, for who says it elsewhere.
pub fn sentences(source: &Source, plan: Option<&Plan>, asked: &FilterOptions) -> Vec<String> {
    let mut told = replay::open::warnings(source);
    told.extend(sets(source));
    let mut caveats = Caveats::default();
    cuts(source, asked, &mut caveats);
    if let Some(plan) = plan {
        ancestors(source, plan, &mut caveats);
        incomplete(source, plan, asked, &mut caveats);
    }
    told.extend(caveats.sentences());
    told
}

/// A sentence for each set among the files that is not whole, or not one.
fn sets(source: &Source) -> Vec<String> {
    let (files, unopened) = (source.files(), source.unopened());
    let headers = files.iter().map(|file| Said::of(&file.name, file.capture.header()));
    let outlined = unopened.iter().map(|outline| Said {
        name: &outline.name,
        boot_id: &outline.boot_id,
        start_ns: outline.start_ns,
        part: outline.part,
        is_recorded: true,
    });
    let more = files.iter().flat_map(|file| &file.capture.header().recording.more);
    let removed = unopened.iter().flat_map(|outline| outline.removed.iter().map(|(name, part)| (name, part)));
    rotated::warnings(headers.chain(outlined), more.chain(removed), &|at| match files.get(at) {
        Some(file) => file.capture.set_ending(),
        None => unopened.get(at.checked_sub(files.len())?)?.ending,
    })
}

/// Each set of which the first part is not there, where ancestors are asked for. A part knows the processes that
/// were there when it began; a parent that had ended by then is known to the parts before it alone.
fn ancestors(source: &Source, plan: &Plan, caveats: &mut Caveats) {
    if !plan.needs().lineage {
        return;
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
    for (part, file) in oldest.values().filter(|(part, _)| *part > 0) {
        let text = format!(
            "part {part} of a set without the parts before it: ancestors that ended before it began are not known to tree \
             and follow"
        );
        caveats.push(&file.name, text);
    }
}

/// Each cut that may have taken away what is asked for.
fn cuts(source: &Source, asked: &FilterOptions, caveats: &mut Caveats) {
    for file in source.files() {
        for cut in provenance::cuts(&file.capture.header().provenance, asked) {
            caveats.push(&file.name, cut);
        }
    }
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
fn only_matched(name: &str, recording: &Recording, asked: &FilterOptions, caveats: &mut Caveats) {
    if !recording.only_matched {
        return;
    }
    // Without filters it is the recorded scopes that are asked.
    let is_recorded = asked.policies.is_empty() && asked.filters.is_empty();
    let is_within = asked.policies.is_empty()
        && ScopeSet::parse(&recording.filters)
            .is_ok_and(|recorded| asked.scopes().is_ok_and(|asked| asked.is_within(&recorded)));
    if !is_recorded && !is_within {
        let text = format!(
            "holds only what matched when it was recorded ({}): what else was asked for may be missing",
            recording.filters.join(" ")
        );
        caveats.push(name, text);
    }
}

/// Whether there was something to say of the events that were recorded.
fn events(name: &str, recording: &Recording, plan: &Plan, caveats: &mut Caveats) -> bool {
    let chosen = match scopes::select::select(&recording.events) {
        Ok(chosen) => chosen,
        // Names of a later program's events: what they chose is not known here.
        Err(_) => return false,
    };
    let is_recorded = |event: &Event| chosen.as_ref().is_none_or(|chosen| chosen.contains(&event.id));
    // Scopes that name events. The others ask for all that was recorded, which is never too much.
    let choosing = plan.choosing();
    let is_narrow = chosen.is_some() && choosing != plan.scopes();
    if is_narrow {
        caveats.push(name, format!("only these events were recorded: {}", recording.events.join(",")));
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
        caveats.push(name, format!("not recorded: {reason}"));
    }
    if more > 0 {
        caveats.push(name, format!("and {more} more events that were not recorded"));
    }
    is_narrow || !missing.is_empty()
}

/// The events that must be recorded for one: itself, or what it is derived from.
fn bases(event: &'static Event) -> Vec<&'static Event> {
    match event.source {
        From::Derived { from } => from.iter().filter_map(|name| catalogue::by_name(name)).collect(),
        _ => vec![event],
    }
}

#[cfg(test)]
mod tests {
    use super::Caveats;

    #[test]
    fn the_same_of_many_files_is_said_once() {
        let mut caveats = Caveats::default();
        for (name, text) in
            [("a", "lacks x"), ("a", "lacks x"), ("b", "lacks y"), ("c", "lacks x"), ("c", "lacks y")]
        {
            caveats.push(name, text.to_owned());
        }
        caveats.push("d", "lacks y".to_owned());
        caveats.push("d", "lacks z".to_owned());
        let said: Vec<String> = caveats.sentences().collect();
        assert_eq!(said, ["a, c: lacks x", "b and 2 more files: lacks y", "d: lacks z"]);
    }
}
