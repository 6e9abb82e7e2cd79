//! Marks as people name them: the same words in tables, in JSON, in filters and in `info`.

use crate::Marks;

/// One kind of mark.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Mark {
    pub name: &'static str,
    /// Of [`Marks`]; a row has the mark that has any of them.
    pub bits: u32,
    /// As a sentence about an event goes on: "an argument is longer than the recorder's bound".
    pub meaning: &'static str,
}

const fn mark(name: &'static str, bits: u32, meaning: &'static str) -> Mark {
    Mark { name, bits, meaning }
}

/// Something was cut.
pub const CUT: Mark =
    mark("cut", Marks::TRUNCATED, "something was longer than the recorder's bound, and was cut");
/// Something could not be read.
pub const UNREADABLE: Mark =
    mark("unreadable", Marks::FAULT, "memory of the task that an argument points to could not be read");

/// All that a row can be marked with.
pub const ALL: &[Mark] = &[
    CUT,
    UNREADABLE,
    mark("partial", Marks::PARTIAL, "the front of a path is missing: it begins with `.../`"),
    mark(
        "blocked",
        Marks::BLOCKED,
        "a seccomp filter took the call back: nothing was done, the result is none",
    ),
    mark("overlap", Marks::OVERLAP, "what the call wrote lies over what it was given"),
    mark("changed", Marks::CHANGED, "an argument was another at the entry of the call than at its exit"),
    mark(
        "uncompared",
        Marks::UNCOMPARED,
        "an argument was to be compared at entry and exit of the call, and could not be",
    ),
    mark("remembered", Marks::REMEMBERED, "what a descriptor stands for is what was last seen at its number"),
    mark("late", Marks::LATE, "the event came after later ones of another CPU"),
    mark("standIn", Marks::STAND_IN, "told by the exit of a call, for this kernel does not carry the hook"),
    mark("atEntry", Marks::AT_ENTRY, "told at the entry of a call that may not return: there is no result"),
    mark(
        "unfinished",
        Marks::UNFINISHED,
        "the call had not returned when the recording ended: there is no result",
    ),
    mark("compat", Marks::COMPAT, "a 32-bit call on a 64-bit kernel"),
    mark("noContext", Marks::NO_CONTEXT, "whose event it is was lost"),
];

/// Marks of rows, beside those of single arguments, that outputs add to a row. The others are common, and are told by keys
/// of their own or by the event itself.
pub const OF_ROWS: u32 = Marks::PARTIAL
    | Marks::BLOCKED
    | Marks::OVERLAP
    | Marks::CHANGED
    | Marks::UNCOMPARED
    | Marks::REMEMBERED
    | Marks::LATE
    | Marks::NO_CONTEXT
    | Marks::UNFINISHED;

/// The mark of this name. `lost` is what `unreadable` was called first.
pub fn by_name(name: &str) -> Option<&'static Mark> {
    let name = if name == "lost" { "unreadable" } else { name };
    ALL.iter().find(|mark| mark.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_has_a_name_of_its_own() {
        for (at, mark) in ALL.iter().enumerate() {
            assert_eq!(by_name(mark.name), Some(mark));
            assert!(ALL[..at].iter().all(|other| other.bits & mark.bits == 0 && other.name != mark.name));
        }
        assert_eq!(by_name("lost"), Some(&UNREADABLE));
        assert!(by_name("").is_none());
    }
}
