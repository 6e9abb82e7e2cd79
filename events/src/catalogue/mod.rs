//! Every event there is, by family. This is THE place to add an event.

pub mod cgroups;
pub mod containers;
mod declare;
pub mod detections;
pub mod files;
mod index;
pub mod kernel;
pub mod memory;
pub mod messages;
pub mod network;
pub mod process;
pub mod recorder;
pub mod security;
mod syscalls;

use crate::Event;

pub use index::{Arch, by_id, by_name, number, syscall};

/// Families that are no system calls.
const OTHERS: [&[Event]; 11] = [
    process::EVENTS,
    cgroups::EVENTS,
    files::EVENTS,
    memory::EVENTS,
    security::EVENTS,
    network::EVENTS,
    messages::EVENTS,
    containers::EVENTS,
    kernel::EVENTS,
    detections::EVENTS,
    recorder::EVENTS,
];

/// The families, in the order in which `tracer events` lists them. Ids rise within each.
static FAMILIES: [&[Event]; syscalls::FAMILIES.len() + OTHERS.len()] = {
    let mut families: [&[Event]; syscalls::FAMILIES.len() + OTHERS.len()] =
        [&[]; syscalls::FAMILIES.len() + OTHERS.len()];
    let mut i = 0;
    while i < syscalls::FAMILIES.len() {
        families[i] = syscalls::FAMILIES[i];
        i += 1;
    }
    while i < families.len() {
        families[i] = OTHERS[i - syscalls::FAMILIES.len()];
        i += 1;
    }
    families
};

/// Number of events.
pub const COUNT: usize = {
    let mut count = 0;
    let mut i = 0;
    while i < FAMILIES.len() {
        count += FAMILIES[i].len();
        i += 1;
    }
    count
};

/// All events, in order of family.
pub fn events() -> impl Iterator<Item = &'static Event> {
    FAMILIES.iter().flat_map(|family| family.iter())
}
