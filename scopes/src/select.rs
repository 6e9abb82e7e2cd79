//! `--events`: which events to record, by name, glob and set, with exclusions. What reads a capture asks it too: an event
//! that was not chosen is absent for that reason.

use std::collections::BTreeSet;

use events::abi::hooks::Hook;
use events::{Event, EventId, Set, Source, catalogue};

use crate::pattern::Pattern;

/// Events that every program of the machine pays for, at each of its calls or switches: recorded when they are named.
const COSTLY: &[Hook] = &[
    Hook::VfsWrite,
    Hook::VfsWritev,
    Hook::VfsRead,
    Hook::VfsReadv,
    Hook::KernelWrite,
    Hook::MagicWrite,
    Hook::FileModification,
    Hook::HiddenInodes,
    Hook::CapCapable,
    Hook::SchedSwitch,
    Hook::SysEnter,
    Hook::SysExit,
];

/// Whether an event is recorded only when it is named.
pub fn is_named_only(event: EventId) -> bool {
    catalogue::by_id(event).is_some_and(|event| COSTLY.iter().any(|hook| hook.name() == event.name))
}

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SelectError {
    #[error("--events: there is no event or set {name:?}{}", hint(.nearest))]
    Unknown { name: String, nearest: Option<&'static str> },
    #[error("--events: no event has a name like {pattern:?}")]
    NoMatch { pattern: String },
    #[error("--events: an empty name in {text:?}")]
    Empty { text: String },
    #[error("--events: nothing is left to record after the exclusions")]
    Nothing,
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map(|name| format!("; did you mean {name:?}?")).unwrap_or_default()
}

/// The message for another option that names events.
pub fn without_option(error: &SelectError) -> String {
    let text = error.to_string();
    text.strip_prefix("--events: ").map_or_else(|| text.clone(), str::to_owned)
}

/// The events that texts such as `openat,fs,sched_*,-read` ask for; `None` when there is no text, which is all of them.
///
/// Names, sets and globs add up, those with a `-` or `!` before them are taken away, wherever they stand. Exclusions
/// alone are taken from all events. Asking for a derived event asks for those that it is derived from.
pub fn select(texts: &[String]) -> Result<Option<BTreeSet<EventId>>, SelectError> {
    if texts.is_empty() {
        return Ok(None);
    }
    let (mut chosen, mut excluded) = (BTreeSet::new(), BTreeSet::new());
    let mut has_positive = false;
    for text in texts {
        for part in text.split(',') {
            let part = part.trim();
            let (name, into) = match part.strip_prefix(['-', '!']) {
                Some(name) => (name, &mut excluded),
                None => {
                    has_positive = true;
                    (part, &mut chosen)
                }
            };
            if name.is_empty() {
                return Err(SelectError::Empty { text: text.clone() });
            }
            for event in named(name)? {
                add(event, into);
            }
        }
    }
    if !has_positive {
        catalogue::events()
            .filter(|event| !is_named_only(event.id))
            .for_each(|event| add(event, &mut chosen));
    }
    chosen.retain(|id| !excluded.contains(id));
    if chosen.is_empty() { Err(SelectError::Nothing) } else { Ok(Some(chosen)) }
}

/// Adds what has to be recorded for an event.
fn add(event: &Event, into: &mut BTreeSet<EventId>) {
    match event.source {
        Source::Derived { from } => {
            for base in from.iter().filter_map(|name| catalogue::by_name(name)) {
                // Derived from derived ones is possible; from itself is not.
                if base.id != event.id {
                    add(base, into);
                }
            }
        }
        _ => {
            into.insert(event.id);
        }
    }
}

/// The events of a name, a set or a glob.
pub fn named(name: &str) -> Result<Vec<&'static Event>, SelectError> {
    if let Some(event) = catalogue::by_name(name) {
        return Ok(vec![event]);
    }
    if let Some(set) = Set::by_name(name) {
        return Ok(catalogue::events().filter(|event| event.sets.has(set)).collect());
    }
    if name.contains('*') {
        let pattern = Pattern::parse(name);
        let found: Vec<_> =
            catalogue::events().filter(|event| pattern.matches(event.name.as_bytes())).collect();
        return if found.is_empty() {
            Err(SelectError::NoMatch { pattern: name.to_owned() })
        } else {
            Ok(found)
        };
    }
    let known = catalogue::events().map(|event| event.name).chain(Set::ALL.iter().map(|set| set.name()));
    let nearest = known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .min()
        .filter(|(distance, _)| *distance <= name.len().div_ceil(3))
        .map(|(_, known)| known);
    Err(SelectError::Unknown { name: name.to_owned(), nearest })
}

#[cfg(test)]
mod tests {
    use events::catalogue::process::{SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT, SCHED_PROCESS_FORK};

    use super::*;

    fn names(texts: &[&str]) -> Vec<&'static str> {
        let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
        let chosen = select(&texts).unwrap().unwrap();
        chosen.iter().filter_map(|id| catalogue::by_id(*id)).map(|event| event.name).collect()
    }

    #[test]
    fn no_text_is_everything() {
        assert_eq!(select(&[]), Ok(None));
    }

    #[test]
    fn names_globs_and_sets_add_up_and_exclusions_take_away() {
        assert_eq!(names(&["openat"]), ["openat"]);
        let process = select(&["sched_process_*".into()]).unwrap().unwrap();
        assert!(
            [SCHED_PROCESS_FORK, SCHED_PROCESS_EXEC, SCHED_PROCESS_EXIT]
                .iter()
                .all(|id| process.contains(id))
        );
        let without = names(&["openat,sched_process_*", "!sched_process_exec", "-sched_process_f*"]);
        assert_eq!(without, ["openat", "sched_process_exit"]);
        let fs = names(&["fs"]);
        assert!(fs.contains(&"openat"));
        let all_but = names(&["-fs"]);
        assert!(!all_but.contains(&"openat") && all_but.contains(&"sched_process_exec"));
    }

    #[test]
    fn a_derived_event_brings_what_it_is_derived_from() {
        let derived = catalogue::events().find_map(|event| match event.source {
            Source::Derived { from } => Some((event.name, from)),
            _ => None,
        });
        if let Some((name, from)) = derived {
            let chosen = names(&[name]);
            assert!(!chosen.contains(&name) && !chosen.is_empty(), "{name} from {from:?} gave {chosen:?}");
        }
    }

    #[test]
    fn mistakes_are_named_with_the_nearest_event() {
        let fail = |text: &str| select(&[text.to_owned()]).unwrap_err().to_string();
        assert_eq!(fail("opneat"), "--events: there is no event or set \"opneat\"; did you mean \"openat\"?");
        assert_eq!(fail("zzzzzzzzzzzz"), "--events: there is no event or set \"zzzzzzzzzzzz\"");
        assert_eq!(fail("zz*"), "--events: no event has a name like \"zz*\"");
        assert!(fail("openat,,close").contains("an empty name"));
        assert!(fail("openat,-openat").contains("nothing is left"));
    }
}
