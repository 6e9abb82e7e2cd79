//! The events that a file declares, and which of the program's they are.

use std::collections::BTreeMap;

use events::{Event, EventId, catalogue};

/// One event as the header declares it.
#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct EventSchema {
    /// In this file.
    pub id: u16,
    pub name: String,
    pub sets: Vec<String>,
    pub args: Vec<ArgSchema>,
    /// A system call, with a return value.
    pub syscall: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct ArgSchema {
    pub name: String,
    /// The C type as people see it, such as `const char*`.
    pub ctype: String,
    /// How the stored value reads: see `docs/format.md`.
    pub kind: String,
}

/// The program's own events, for a new file's header.
pub fn current_schema() -> Vec<EventSchema> {
    catalogue::events()
        .filter(|event| !event.is_derived())
        .map(|event| EventSchema {
            id: event.id.0,
            name: event.name.to_owned(),
            sets: event.sets.iter().map(|set| set.name().to_owned()).collect(),
            args: event
                .args
                .iter()
                .map(|arg| ArgSchema {
                    name: arg.name.to_owned(),
                    ctype: arg.ctype.to_owned(),
                    kind: format!("{:?}", arg.kind),
                })
                .collect(),
            syscall: event.is_syscall(),
        })
        .collect()
}

/// A file's events as the program's.
#[derive(Debug, Default)]
pub struct Schema {
    /// By the file's id.
    pub(crate) by_file_id: BTreeMap<u16, &'static Event>,
}

impl Schema {
    /// The event with this id. Events that the program does not know have ids of their own, above its catalogue's, and a
    /// declaration made from the file's.
    pub fn event(&self, id: EventId) -> Option<&'static Event> {
        catalogue::by_id(id).or_else(|| self.by_file_id.values().copied().find(|event| event.id == id))
    }

    /// All events that the file declares, by the file's order of ids.
    pub fn events(&self) -> impl Iterator<Item = &'static Event> {
        self.by_file_id.values().copied()
    }
}
