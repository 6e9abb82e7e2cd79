//! Which events a scope prints.

use events::{Event, EventId};

use crate::filter::{Target, Value};
use crate::set::{Scope, ScopeSet};

/// Ids are below this.
const WORDS: usize = 1 << 16 >> 6;

/// A set of events: a bit each.
#[derive(Clone, PartialEq, Eq)]
struct Bits(Box<[u64]>);

impl Bits {
    fn none() -> Bits {
        Bits(vec![0; WORDS].into_boxed_slice())
    }

    fn set(&mut self, id: EventId, is: bool) {
        if let Some(word) = self.0.get_mut(usize::from(id.0 >> 6)) {
            let bit = 1 << (id.0 & 63);
            *word = if is { *word | bit } else { *word & !bit };
        }
    }

    fn has(&self, id: EventId) -> bool {
        self.0.get(usize::from(id.0 >> 6)).is_some_and(|word| word >> (id.0 & 63) & 1 != 0)
    }
}

/// The events of a scope.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Those that it asks for: derived events are computed for it.
    asked: Bits,
    /// Those that it has where a file holds them as rows: an imported log holds derived events, and they are rows like
    /// others there.
    stored: Bits,
    /// Whether events of which nobody knows a declaration are in it (captures of later versions have them).
    pub unknown: bool,
}

impl Selection {
    fn set(&mut self, id: EventId, is: bool) {
        self.asked.set(id, is);
        self.stored.set(id, is);
    }

    /// Whether the scope asks for it.
    pub fn has(&self, id: EventId) -> bool {
        self.asked.has(id)
    }

    /// Whether the scope has a row of it.
    pub fn has_stored(&self, id: EventId) -> bool {
        self.stored.has(id)
    }

    pub fn is_empty(&self) -> bool {
        !self.unknown && self.stored.0.iter().all(|word| *word == 0)
    }

    /// Whether nothing but this event is in it.
    pub fn is_within(&self, id: EventId) -> bool {
        let mut other = self.clone();
        other.set(id, false);
        other.is_empty()
    }

    /// What a scope's `event` and `set` filters choose, and the events that its other filters constrain. A scope that
    /// chooses none has all that are recorded; derived events come only when they are asked for, or where they are
    /// recorded. `set` knows the events beside those of the catalogue.
    pub fn of(scope: &Scope, set: &ScopeSet) -> Selection {
        let mut selection = Selection { asked: Bits::none(), stored: Bits::none(), unknown: false };
        let mut chosen = false;
        for filter in
            scope.filters.iter().filter(|filter| filter.is_positive() || filter.target != Target::Events)
        {
            if let Some(event) = filter.target.event() {
                selection.set(event, true);
                chosen = true;
            }
            for value in &filter.values {
                match value {
                    Value::Events(events) => events.iter().for_each(|id| selection.set(*id, true)),
                    Value::EveryEvent => {
                        selection.unknown = true;
                        set.events().for_each(|event| selection.set(event.id, true));
                    }
                    Value::Recorded => selection.add_recorded(set),
                    _ => continue,
                }
                chosen = true;
            }
        }
        if !chosen {
            selection.add_recorded(set);
        }
        for filter in scope.filters.iter().filter(|filter| !filter.is_positive()) {
            for value in &filter.values {
                match value {
                    Value::Events(events) => events.iter().for_each(|id| selection.set(*id, false)),
                    Value::EveryEvent => {
                        selection = Selection { asked: Bits::none(), stored: Bits::none(), unknown: false };
                    }
                    _ => {}
                }
            }
        }
        selection
    }

    fn add_recorded(&mut self, set: &ScopeSet) {
        self.unknown = true;
        for event in set.events() {
            self.stored.set(event.id, true);
            if !event.is_derived() {
                self.asked.set(event.id, true);
            }
        }
    }
}

/// The events that an event is derived from.
pub(crate) fn bases(event: &Event) -> &'static [&'static str] {
    match event.source {
        events::Source::Derived { from } => from,
        _ => &[],
    }
}
