//! Columns that arguments of events fill, and which argument of which event that is.

use std::collections::{BTreeMap, BTreeSet};

use events::{ArgKind, Event, Source as From, catalogue};
use interchange::export::facts;

/// What fills a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Argument {
    /// The first of these that an event has, where it is a text.
    Text(&'static [&'static str]),
    /// The same of a number.
    Number(&'static [&'static str]),
    Returned,
    /// What calls return that move bytes.
    Moved,
}

impl Argument {
    pub fn of(column: &str) -> Option<Argument> {
        Some(match column {
            "pathname" => Argument::Text(facts::PATH),
            "path2" => Argument::Text(facts::SECOND_PATH),
            "domain" => Argument::Text(facts::DOMAIN),
            "sha256" => Argument::Text(facts::SHA256),
            "flags" => Argument::Number(facts::FLAGS),
            "mode" => Argument::Number(facts::MODE),
            "retval" => Argument::Returned,
            "bytes" => Argument::Moved,
            _ => return None,
        })
    }

    pub fn is_text(self) -> bool {
        matches!(self, Argument::Text(_))
    }

    /// What of an event fills the column; `None` where the event never does.
    fn used(self, event: &'static Event) -> Option<Use> {
        let first = |names: &[&str]| names.iter().find_map(|name| event.arg(name));
        match self {
            Argument::Text(names) => match first(names)?.1 {
                arg if arg.kind == ArgKind::Str => Some(Use::Of(arg.name)),
                // Its parts are compared, too.
                arg => matches!(arg.kind, ArgKind::Text(_)).then_some(Use::Any),
            },
            Argument::Number(names) => match first(names)?.1 {
                arg if arg.kind.is_number() && arg.kind != ArgKind::Absent => Some(Use::Of(arg.name)),
                _ => None,
            },
            Argument::Returned => Some(Use::Of("retval")),
            Argument::Moved => {
                (event.is_syscall() && views::sums::moves_bytes(event.name)).then_some(Use::Of("retval"))
            }
        }
    }
}

/// How an event fills a column.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Use {
    /// By what filters call so.
    Of(&'static str),
    /// By something that filters do not compare as the column does: any row of it may match.
    Any,
}

/// The events that rows may be of.
#[derive(Clone, Debug, Default)]
pub struct Known {
    declared: Vec<&'static Event>,
    /// Some capture was made from a log, in which derived events are rows like others.
    has_logs: bool,
}

/// Filters of more events than this cost more than they rule out.
const MOST_EVENTS: usize = 256;

impl Known {
    pub fn of(source: &pipeline::Source) -> Known {
        let has_logs = source.files().iter().any(|file| file.capture.header().recording.is_made_from_log());
        Known { declared: crate::question::declared(source), has_logs }
    }

    /// Those that captures declare.
    pub fn declared(&self) -> &[&'static Event] {
        &self.declared
    }

    /// By event what of it fills each of these columns: of the events that fill all of them, among those that are asked for.
    /// `None` where that does not narrow.
    pub fn uses(
        &self,
        asked: &[(Argument, String)],
        among: Option<&BTreeSet<String>>,
    ) -> Option<BTreeMap<String, Vec<Use>>> {
        // Results are of all events.
        if among.is_none() && asked.iter().all(|(argument, _)| *argument == Argument::Returned) {
            return None;
        }
        let mut uses: BTreeMap<String, Vec<Use>> = BTreeMap::new();
        let is_row = |event: &&'static Event| self.has_logs || !matches!(event.source, From::Derived { .. });
        let events = catalogue::events().chain(self.declared.iter().copied()).filter(is_row);
        for event in events.filter(|event| among.is_none_or(|among| among.contains(event.name))) {
            let of: Option<Vec<Use>> = asked.iter().map(|(argument, _)| argument.used(event)).collect();
            let Some(of) = of else { continue };
            match uses.get_mut(event.name) {
                None => {
                    uses.insert(event.name.to_owned(), of);
                }
                // Another version of it has something else there.
                Some(known) if *known != of => known.fill(Use::Any),
                Some(_) => {}
            }
        }
        (!uses.is_empty() && uses.len() <= MOST_EVENTS).then_some(uses)
    }
}
