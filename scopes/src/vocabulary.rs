//! What filters may name: the events of the catalogue and those that captures declare beside them, and lists of values.

use std::fmt;

use events::{Event, EventId, catalogue};

/// The events that filters may name, and where their lists of values are read.
#[derive(Clone, Copy, Default)]
pub struct Vocabulary<'a> {
    /// Events that the captures asked about declare and the catalogue does not know. Several may have one name: then it
    /// means each of them.
    pub declared: &'a [&'static Event],
    /// `comm=@FILE`; without it a value that begins with `@` is that text.
    pub lists: Option<&'a dyn Lists>,
}

/// Where lists of values are.
pub trait Lists {
    /// The bytes of the list of this name, or why they cannot be read.
    fn read(&self, name: &str) -> Result<Vec<u8>, String>;
}

impl<F: Fn(&str) -> Result<Vec<u8>, String>> Lists for F {
    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        self(name)
    }
}

impl fmt::Debug for Vocabulary<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.declared.iter().map(|event| event.name).collect();
        out.debug_struct("Vocabulary")
            .field("declared", &names)
            .field("lists", &self.lists.is_some())
            .finish()
    }
}

impl<'a> Vocabulary<'a> {
    /// All events, those of the catalogue first.
    pub fn events(self) -> impl Iterator<Item = &'static Event> + 'a {
        catalogue::events().chain(self.declared.iter().copied())
    }

    /// The events of exactly this name.
    pub fn named(self, name: &str) -> Vec<&'static Event> {
        match catalogue::by_name(name) {
            Some(event) => vec![event],
            None => self.declared.iter().copied().filter(|event| event.name == name).collect(),
        }
    }

    pub fn by_id(self, id: EventId) -> Option<&'static Event> {
        catalogue::by_id(id).or_else(|| self.declared.iter().copied().find(|event| event.id == id))
    }
}
