//! Finding events by id, by name, and by system call number; the tables are built by the compiler.

use super::{COUNT, FAMILIES};
use crate::{Event, EventId, Source};

/// Ids are below this.
const IDS: usize = 2048;
/// System call numbers are below this, on every architecture.
const NUMBERS: usize = 512;

/// Family and position of each id. No references: each codegen unit would get its own copies of the events.
static BY_ID: [Option<(u8, u8)>; IDS] = {
    let mut table = [None; IDS];
    let mut family = 0;
    while family < FAMILIES.len() {
        let events = FAMILIES[family];
        let mut i = 0;
        while i < events.len() {
            let id = events[i].id.0 as usize;
            assert!(table[id].is_none(), "two events have one id");
            assert!(family < 256 && i < 256);
            table[id] = Some((family as u8, i as u8));
            i += 1;
        }
        family += 1;
    }
    table
};

const fn at(id: usize) -> Option<&'static Event> {
    match BY_ID[id] {
        Some((family, position)) => Some(&FAMILIES[family as usize][position as usize]),
        None => None,
    }
}

/// Ids in the order of names.
static BY_NAME: [EventId; COUNT] = {
    let mut sorted = [EventId(0); COUNT];
    let mut length = 0;
    let mut id = 0;
    while id < IDS {
        if let Some(event) = at(id) {
            let mut to = length;
            while to > 0 && less(event.name, name_of(sorted[to - 1])) {
                sorted[to] = sorted[to - 1];
                to -= 1;
            }
            sorted[to] = event.id;
            length += 1;
        }
        id += 1;
    }
    sorted
};

const fn name_of(id: EventId) -> &'static str {
    match at(id.0 as usize) {
        Some(event) => event.name,
        None => "",
    }
}

const fn less(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut i = 0;
    while i < left.len() && i < right.len() {
        if left[i] != right[i] {
            return left[i] < right[i];
        }
        i += 1;
    }
    left.len() < right.len()
}

/// Which numbering a system call's number is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arch {
    X86_64,
    /// 32-bit x86: compat calls on a 64-bit kernel.
    I386,
    Aarch64,
}

const fn numbering(arch: Arch) -> [Option<EventId>; NUMBERS] {
    let mut table = [None; NUMBERS];
    let mut id = 0;
    while id < IDS {
        if let Some(Event { id: event, source: Source::Syscall(numbers), .. }) = at(id) {
            let number = match arch {
                Arch::X86_64 => numbers.x86_64,
                Arch::I386 => numbers.i386,
                Arch::Aarch64 => numbers.aarch64,
            };
            if let Some(number) = number {
                assert!(table[number as usize].is_none(), "two calls have one number");
                table[number as usize] = Some(*event);
            }
        }
        id += 1;
    }
    table
}

static X86_64: [Option<EventId>; NUMBERS] = numbering(Arch::X86_64);
static I386: [Option<EventId>; NUMBERS] = numbering(Arch::I386);
static AARCH64: [Option<EventId>; NUMBERS] = numbering(Arch::Aarch64);

/// The number of the call of this name, for constants: a look through the whole catalogue.
pub const fn number(arch: Arch, name: &str) -> Option<u16> {
    let mut id = 0;
    while id < IDS {
        if let Some(Event { name: known, source: Source::Syscall(numbers), .. }) = at(id)
            && !less(known, name)
            && !less(name, known)
        {
            return match arch {
                Arch::X86_64 => numbers.x86_64,
                Arch::I386 => numbers.i386,
                Arch::Aarch64 => numbers.aarch64,
            };
        }
        id += 1;
    }
    None
}

/// The event of this id.
pub fn by_id(id: EventId) -> Option<&'static Event> {
    let (family, position) = BY_ID.get(usize::from(id.0)).copied().flatten()?;
    FAMILIES.get(usize::from(family))?.get(usize::from(position))
}

/// The event of this name.
pub fn by_name(name: &str) -> Option<&'static Event> {
    let at = BY_NAME.binary_search_by(|id| name_of(*id).cmp(name)).ok()?;
    by_id(*BY_NAME.get(at)?)
}

/// The system call that has this number.
pub fn syscall(arch: Arch, number: u32) -> Option<&'static Event> {
    let table = match arch {
        Arch::X86_64 => &X86_64,
        Arch::I386 => &I386,
        Arch::Aarch64 => &AARCH64,
    };
    by_id(table.get(usize::try_from(number).ok()?).copied().flatten()?)
}
