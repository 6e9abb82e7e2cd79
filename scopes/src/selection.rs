//! Which events a scope prints.

use events::{Event, EventId, catalogue};

use crate::filter::{Target, Value};
use crate::set::Scope;

/// Ids of the catalogue are below this.
const WORDS: usize = 1 << 16 >> 6;

/// A set of events: a bit each.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    bits: Box<[u64]>,
    /// Whether events that the catalogue does not know are in it (captures of later versions have them).
    pub unknown: bool,
}

impl Selection {
    fn none() -> Selection {
        Selection { bits: vec![0; WORDS].into_boxed_slice(), unknown: false }
    }

    fn set(&mut self, id: EventId, is: bool) {
        if let Some(word) = self.bits.get_mut(usize::from(id.0 >> 6)) {
            let bit = 1 << (id.0 & 63);
            *word = if is { *word | bit } else { *word & !bit };
        }
    }

    pub fn has(&self, id: EventId) -> bool {
        self.bits.get(usize::from(id.0 >> 6)).is_some_and(|word| word >> (id.0 & 63) & 1 != 0)
    }

    pub fn is_empty(&self) -> bool {
        !self.unknown && self.bits.iter().all(|word| *word == 0)
    }

    /// Whether nothing but this event is in it.
    pub fn is_within(&self, id: EventId) -> bool {
        let mut other = self.clone();
        other.set(id, false);
        other.is_empty()
    }

    /// What a scope's `event` and `set` filters choose, and the events that its other filters constrain. A scope that
    /// chooses none has all that are recorded; derived events come only when they are asked for.
    pub fn of(scope: &Scope) -> Selection {
        let mut selection = Selection::none();
        let mut chosen = false;
        for filter in
            scope.filters.iter().filter(|filter| filter.is_positive() || filter.target != Target::Events)
        {
            if let Some(event) = filter.target.event() {
                selection.set(event, true);
                chosen = true;
            }
            for value in &filter.values {
                if let Value::Events(events) = value {
                    events.iter().for_each(|id| selection.set(*id, true));
                    chosen = true;
                }
            }
        }
        if !chosen {
            selection.unknown = true;
            catalogue::events()
                .filter(|event| !event.is_derived())
                .for_each(|event| selection.set(event.id, true));
        }
        for filter in scope.filters.iter().filter(|filter| !filter.is_positive()) {
            for value in &filter.values {
                if let Value::Events(events) = value {
                    events.iter().for_each(|id| selection.set(*id, false));
                }
            }
        }
        selection
    }
}

/// The events that an event is derived from.
pub(crate) fn bases(event: &Event) -> &'static [&'static str] {
    match event.source {
        events::Source::Derived { from } => from,
        _ => &[],
    }
}
