//! Events that are computed from other events, in replay and live alike, and never stored.
//!
//! To add one: declare it in the catalogue with [`events::Source::Derived`], write a function from its base event, and
//! name both in [`RULES`]. Behaviours are not here: a rule file says what they are, and a [`Detector`] asks it.

mod behaviours;
mod flows;
mod messages;
pub mod packets;
mod rows;
pub mod tree;

pub use behaviours::{Detector, install};

use events::{Event, Marks, Raw, catalogue};

use crate::event::{Args, EventView};
pub use rows::{DerivedRow, DerivedRows};

/// What is computed from one of some base events.
#[derive(Debug)]
struct Rule {
    from: &'static [&'static str],
    gives: &'static [&'static str],
    derive: fn(&Base<'_>, &mut Derived),
    narrow: Option<Narrow>,
}

/// An argument without whose value nothing comes of a base event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Narrow {
    /// Its names: the one that the event has is meant.
    arguments: &'static [&'static str],
    pub may_give: fn(Raw<'_>) -> bool,
}

const RULES: &[Rule] = &[
    Rule { from: &[flows::BASE], gives: flows::GIVES, derive: flows::derive, narrow: None },
    Rule { from: &[packets::BASE], gives: packets::GIVES, derive: packets::derive, narrow: None },
    Rule {
        from: messages::BASES,
        gives: messages::GIVES,
        derive: messages::derive,
        narrow: Some(Narrow { arguments: messages::DESCRIPTORS, may_give: messages::may_be_sink }),
    },
];

/// A base event, before any scope's argument filters.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    pub event: &'static Event,
    pub args: Args<'a>,
    pub ret: i64,
    /// The executable of the process that did it.
    pub exe: &'a [u8],
    /// Of a packet: the messages of its stream that it completed, each with the packet's row.
    pub messages: &'a [(u32, packets::stream::Message)],
    /// What else is derived from it was told before.
    pub only_messages: bool,
}

impl<'a> Base<'a> {
    /// The value of the argument of this name; missing when the event has none.
    pub fn arg(&self, name: &str) -> Raw<'a> {
        self.event.arg(name).map_or(Raw::Missing, |(position, _)| self.args.get(position))
    }

    /// The number in the argument of this name.
    pub fn number(&self, name: &str) -> Option<u64> {
        match self.arg(name) {
            Raw::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// The rules that somebody wants.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Sorted by base event.
    active: Vec<(&'static Event, &'static Rule)>,
    /// Events that may come out, with the scopes that want each; sorted by id.
    wanted: Vec<(&'static Event, u64)>,
    /// Those of them that are behaviours, by base event.
    behaviours: Vec<(&'static Event, &'static Event)>,
}

impl Rules {
    /// Keeps the rules of which some scope wants an outcome; `wanted` says which scopes want an event.
    pub fn new(wanted: impl Fn(&'static Event) -> u64) -> Rules {
        let mut rules = Rules::default();
        for rule in RULES {
            let gives = rule.gives.iter().filter_map(|name| catalogue::by_name(name));
            let gives: Vec<_> =
                gives.map(|event| (event, wanted(event))).filter(|(_, scopes)| *scopes != 0).collect();
            if gives.is_empty() {
                continue;
            }
            // A base that the catalogue does not know cannot fire.
            let bases = rule.from.iter().filter_map(|name| catalogue::by_name(name));
            rules.active.extend(bases.map(|from| (from, rule)));
            rules.wanted.extend(gives);
        }
        for event in behaviours::all() {
            let scopes = wanted(event);
            if scopes != 0 {
                rules.wanted.push((event, scopes));
                rules.behaviours.extend(behaviours::bases(event).map(|base| (base, event)));
            }
        }
        rules.active.sort_by_key(|(from, _)| from.id);
        rules.wanted.sort_by_key(|(event, _)| event.id);
        rules
    }

    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// Whether an outcome is wanted that streams of packets hold.
    pub fn reads_streams(&self) -> bool {
        self.wanted.iter().any(|(event, _)| packets::OF_STREAMS.contains(&event.name))
    }

    /// Scopes that want something computed from this event.
    pub fn needed(&self, base: &Event) -> u64 {
        let rules = self.active.iter().filter(|(from, _)| from.id == base.id);
        let gives = rules.flat_map(|(_, rule)| rule.gives);
        let of_rules = gives.filter_map(|name| self.wanted.iter().find(|(event, _)| event.name == *name));
        let shown = self.behaviours.iter().filter(|(from, _)| from.id == base.id);
        let of_behaviours =
            shown.filter_map(|(_, shown)| self.wanted.iter().find(|(event, _)| event.id == shown.id));
        of_rules.chain(of_behaviours).fold(0, |all, it| all | it.1)
    }

    /// What something comes of a base event by, where everything that may come of it asks for the same argument: its position.
    pub(crate) fn narrow(&self, base: &Event) -> Option<(usize, Narrow)> {
        if self.behaviours.iter().any(|(from, _)| from.id == base.id) {
            return None;
        }
        let mut rules = self.active.iter().filter(|(from, _)| from.id == base.id);
        let (narrow, None) = (rules.next()?.1.narrow?, rules.next()) else { return None };
        let position = narrow.arguments.iter().find_map(|name| base.arg(name))?.0;
        Some((position, narrow))
    }

    /// Computes what follows from a base event, into `derived` (emptied first). `scopes`: those that the context lets
    /// pass; nothing is computed that none of them wants.
    pub fn derive(&self, base: &Base<'_>, scopes: u64, derived: &mut Derived) {
        derived.clear();
        derived.wanted.clear();
        derived.wanted.extend(self.wanted.iter().filter(|(_, wanted)| wanted & scopes != 0));
        for (from, rule) in &self.active {
            if from.id == base.event.id {
                (rule.derive)(base, derived);
            }
        }
    }

    /// Adds the behaviours that a base event is. `view`: the same event with all that is known of it.
    pub(crate) fn add_behaviours(&self, base: &Base<'_>, view: &EventView<'_>, derived: &mut Derived) {
        if !base.only_messages && self.behaviours.iter().any(|(from, _)| from.id == base.event.id) {
            behaviours::derive(base, view, derived);
        }
    }
}

/// What was computed from one base event. Kept and reused: its memory is that of the largest outcome.
#[derive(Debug, Default)]
pub struct Derived {
    wanted: Vec<(&'static Event, u64)>,
    events: Vec<Slot>,
    /// How many of `events` are in use; the others only keep their memory.
    used: usize,
    bytes: Vec<u8>,
}

#[derive(Debug)]
struct Slot {
    event: &'static Event,
    values: Vec<Stored>,
    /// Of single arguments.
    marks: Marks,
}

#[derive(Clone, Copy, Debug)]
enum Stored {
    Missing,
    Number(u64),
    Bytes { start: usize, end: usize },
}

impl Stored {
    fn raw<'a>(&self, bytes: &'a [u8]) -> Raw<'a> {
        match self {
            Stored::Missing => Raw::Missing,
            Stored::Number(number) => Raw::Number(*number),
            Stored::Bytes { start, end } => bytes.get(*start..*end).map_or(Raw::Missing, Raw::Bytes),
        }
    }
}

impl Derived {
    fn clear(&mut self) {
        self.used = 0;
        self.bytes.clear();
    }

    /// Whether somebody wants an event.
    fn is_wanted(&self, event: &Event) -> bool {
        self.wanted.iter().any(|(wanted, _)| wanted.id == event.id)
    }

    /// Begins an event, all arguments missing; `false` when nobody wants it (then nothing must be said of it).
    fn begin(&mut self, name: &str) -> bool {
        let Some((event, _)) = self.wanted.iter().find(|(event, _)| event.name == name) else { return false };
        let event = *event;
        if self.used == self.events.len() {
            self.events.push(Slot { event, values: Vec::new(), marks: Marks(0) });
        }
        if let Some(slot) = self.events.get_mut(self.used) {
            slot.event = event;
            slot.marks = Marks(0);
            slot.values.clear();
            slot.values.resize(event.args.len(), Stored::Missing);
        }
        self.used += 1;
        true
    }

    fn set(&mut self, name: &str, stored: Stored) {
        let Some(slot) = self.used.checked_sub(1).and_then(|last| self.events.get_mut(last)) else { return };
        // An argument that this version of the event does not declare is left out.
        let value = slot.event.arg(name).and_then(|(position, _)| slot.values.get_mut(position));
        if let Some(value) = value {
            *value = stored;
        }
    }

    /// Says of an argument that there was more of it.
    fn cut(&mut self, name: &str) {
        let Some(slot) = self.used.checked_sub(1).and_then(|last| self.events.get_mut(last)) else { return };
        if let Some((position, _)) = slot.event.arg(name) {
            slot.marks = slot.event.with_cut(slot.marks, position);
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        self.set(name, Stored::Number(number));
    }

    /// A value whose bytes `write` appends.
    fn bytes(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.set(name, Stored::Bytes { start, end: self.bytes.len() });
    }

    /// A structure whose members `write` gives.
    fn members(&mut self, name: &str, write: impl FnOnce(&mut tree::Members<'_>)) {
        self.bytes(name, |out| tree::Tree::new(out).members(write));
    }

    fn raw(&mut self, name: &str, raw: Raw<'_>) {
        match raw {
            Raw::Missing => {}
            Raw::Number(number) => self.number(name, number),
            Raw::Bytes(bytes) => self.bytes(name, |out| out.extend_from_slice(bytes)),
        }
    }

    pub fn len(&self) -> usize {
        self.used
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// The event at an index, its values appended to `values`.
    pub fn get<'a>(&'a self, index: usize, values: &mut Vec<Raw<'a>>) -> Option<&'static Event> {
        let slot = self.events.get(..self.used)?.get(index)?;
        values.extend(slot.values.iter().map(|stored| stored.raw(&self.bytes)));
        Some(slot.event)
    }

    /// The marks of the event at an index: its own, and of its base those of the row. What of the base's arguments was cut
    /// says nothing of these.
    pub fn marks(&self, index: usize, base: Marks) -> Marks {
        let own =
            self.events.get(..self.used).and_then(|events| events.get(index)).map_or(0, |it| it.marks.0);
        Marks(base.of_row().0 | own)
    }
}

#[cfg(test)]
mod tests {
    use events::Source;

    use super::*;

    #[test]
    fn every_derived_event_of_the_catalogue_has_a_rule_and_every_rule_such_events() {
        for event in catalogue::events() {
            let Source::Derived { from } = event.source else { continue };
            if events::threat::of(event.id).is_some() {
                continue;
            }
            let rules: Vec<_> = RULES.iter().filter(|rule| rule.gives.contains(&event.name)).collect();
            assert!(!rules.is_empty(), "nothing derives {}", event.name);
            for rule in rules {
                assert_eq!(from, rule.from, "{} is not said to come from these", event.name);
            }
        }
        for name in RULES.iter().flat_map(|rule| rule.gives) {
            assert!(catalogue::by_name(name).is_some_and(Event::is_derived), "{name}");
        }
    }
}
