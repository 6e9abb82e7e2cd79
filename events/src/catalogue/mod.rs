//! Every event there is, by family. This is THE place to add an event.

mod process;
mod syscalls;

use crate::{Event, EventId};

/// The families, in the order in which `tracer events` lists them. Ids rise within each.
const FAMILIES: &[&[Event]] = &[syscalls::EVENTS, process::EVENTS];

/// All events, in order of family.
pub fn events() -> impl Iterator<Item = &'static Event> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

pub fn by_id(id: EventId) -> Option<&'static Event> {
    FAMILIES.iter().find_map(|family| {
        let at = family.binary_search_by_key(&id, |event| event.id).ok()?;
        family.get(at)
    })
}

pub fn by_name(name: &str) -> Option<&'static Event> {
    events().find(|event| event.name == name)
}
