//! Per-event bits: what could not be captured whole, and how the event came about.

use crate::Event;

/// What a path begins with whose front is missing: `.../x/true`. No absolute prefix matches it, as `/usr/*` would match
/// what is left of a path that lost its front.
pub const PARTIAL_PATH: &[u8] = b".../";

/// Bits of one event. Zero is the usual case: everything was captured.
///
/// ```text
///  31      24 23      16 15       8 7        0
/// +----------+----------+----------+----------+
/// |  source  | cut args | lost args|  causes  |
/// +----------+----------+----------+----------+
/// ```
/// `cut args` and `lost args` have a bit for each argument that can be cut or lost: [`crate::Event::mark_bit`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Marks(pub u32);

impl Marks {
    /// Memory of the task could not be read (paged out, or a bad pointer).
    pub const FAULT: u32 = 1 << 0;
    /// Something was longer than the recorder's bound and was cut.
    pub const TRUNCATED: u32 = 1 << 1;
    /// The event arrived after later ones of another CPU had been written.
    pub const LATE: u32 = 1 << 2;
    /// Emitted at the exit of a system call, because this kernel does not carry the hook.
    pub const STAND_IN: u32 = 1 << 3;
    /// Recorded only because process state needs it (fork, exec, exit under `--events`); never printed.
    pub const STATE_ONLY: u32 = 1 << 4;
    /// Emitted at the entry of a system call: there is no return value yet.
    pub const AT_ENTRY: u32 = 1 << 5;
    /// A 32-bit compat system call.
    pub const COMPAT: u32 = 1 << 6;
    /// The context is not known (lost before it could be read).
    pub const NO_CONTEXT: u32 = 1 << 7;

    /// Imported from a log: arguments with members are stored as [`crate::tree`], as the log told them.
    pub const IMPORTED: u32 = 1 << 24;
    /// A seccomp filter took the call back (`SECCOMP_RET_TRAP` or `_KILL`): nothing was done, and what stands as its result
    /// is none. An `openat` so stopped has the result 257, its own number.
    pub const BLOCKED: u32 = 1 << 25;
    /// What the call wrote lies over what it was given, so that the argument read at its exit is not what the kernel
    /// acted on: `stat(buf, buf)`.
    pub const OVERLAP: u32 = 1 << 26;
    /// An argument in the caller's memory was another at the entry of the call than at its exit. Looked for by
    /// `record --strict` only.
    pub const CHANGED: u32 = 1 << 27;
    /// What a descriptor stands for is what was last seen at its number, for it is closed and cannot be looked up.
    pub const REMEMBERED: u32 = 1 << 28;
    /// A path was not followed up to its root: its front is missing and it begins with [`PARTIAL_PATH`]. The
    /// argument is marked as cut as well.
    pub const PARTIAL: u32 = 1 << 29;
    /// `record --strict` was to look for [`Marks::CHANGED`], and could not: an argument was not readable at the entry or
    /// at the exit, or the call began before the recording, or a thread of an equal number took its place.
    pub const UNCOMPARED: u32 = 1 << 30;
    /// The call had not returned when the recording ended: there is no result. Told by `record --timing` only, with
    /// [`Marks::AT_ENTRY`].
    pub const UNFINISHED: u32 = 1 << 31;

    /// Of a call that has one of these it is not known that it did anything: what stands as its result is none.
    pub const UNDONE: u32 = Self::BLOCKED | Self::UNFINISHED;

    pub const fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    /// Marks the argument of this bit as not readable.
    pub const fn lost_arg(self, bit: u32) -> Marks {
        Marks(self.0 | Self::FAULT | Self::unreadable_bit(bit))
    }

    /// Marks the argument of this bit as cut.
    pub const fn cut_arg(self, bit: u32) -> Marks {
        Marks(self.0 | Self::TRUNCATED | Self::cut_bit(bit))
    }

    pub const fn is_lost(self, bit: u32) -> bool {
        self.has(Self::unreadable_bit(bit))
    }

    pub const fn is_cut(self, bit: u32) -> bool {
        self.has(Self::cut_bit(bit))
    }

    const fn cut_bit(bit: u32) -> u32 {
        1 << (16 + (bit & 7))
    }

    const fn unreadable_bit(bit: u32) -> u32 {
        1 << (8 + (bit & 7))
    }

    /// Without what is said of single arguments: what is derived from an event has others.
    pub const fn of_row(self) -> Marks {
        Marks(self.0 & !Self::OF_ARGUMENTS & !Self::FAULT & !Self::TRUNCATED)
    }

    /// The bits that are said of single arguments.
    pub const OF_ARGUMENTS: u32 = 0x00ff_ff00;
}

impl Event {
    /// The number of an argument among those that can be cut or unreadable: see [`mark_bit`].
    pub fn mark_bit(&self, position: usize) -> Option<u32> {
        mark_bit(position, |at| self.has_bytes(at))
    }

    /// The bits of [`Marks`] that say of an argument that it was cut; 0 where it cannot be.
    pub fn cut_bits(&self, position: usize) -> u32 {
        self.mark_bit(position).map_or(0, Marks::cut_bit)
    }

    /// The same of one that could not be read.
    pub fn unreadable_bits(&self, position: usize) -> u32 {
        self.mark_bit(position).map_or(0, Marks::unreadable_bit)
    }

    /// Marks an argument as cut.
    pub fn with_cut(&self, marks: Marks, position: usize) -> Marks {
        Marks(marks.0 | Marks::TRUNCATED | self.cut_bits(position))
    }

    /// Marks an argument as not readable.
    pub fn with_unreadable(&self, marks: Marks, position: usize) -> Marks {
        Marks(marks.0 | Marks::FAULT | self.unreadable_bits(position))
    }

    /// Marks an argument as a path without its front.
    pub fn with_partial(&self, marks: Marks, position: usize) -> Marks {
        Marks(self.with_cut(marks, position).0 | Marks::PARTIAL)
    }

    /// Whether an argument was cut.
    pub fn is_cut(&self, marks: Marks, position: usize) -> bool {
        marks.has(self.cut_bits(position))
    }

    /// Whether an argument could not be read.
    pub fn is_unreadable(&self, marks: Marks, position: usize) -> bool {
        marks.has(self.unreadable_bits(position))
    }

    /// Whether the argument at a position is one that can be cut or unreadable.
    pub fn has_bytes(&self, position: usize) -> bool {
        self.args.get(position).is_some_and(|arg| arg.kind.has_marks() && arg.name != Self::HASH)
    }
}

/// Arguments that have a bit each.
const MARKED: usize = 8;

/// The number of an argument among those that can be cut or unreadable, from 0 to 7; `None` where it is none of them.
///
/// It is the argument's position, which the first eight have to themselves. Of `sched_process_exec`, whose `env` is the
/// 13th, some of those are numbers and have nothing to say: the later ones take what is free, one after the other, each its
/// position modulo eight if it can.
pub fn mark_bit(position: usize, has_bytes: impl Fn(usize) -> bool) -> Option<u32> {
    if !has_bytes(position) {
        return None;
    }
    if position < MARKED {
        return Some(position as u32);
    }
    let mut taken = (0..MARKED).fold(0u32, |taken, at| taken | u32::from(has_bytes(at)) << at);
    let mut bit = 0;
    for at in (MARKED..=position).filter(|at| has_bytes(*at)) {
        let own = (at % MARKED) as u32;
        // Where an event of a log has more than eight, the last ones share.
        bit = if taken & 1 << own == 0 { own } else { (!taken).trailing_zeros() % MARKED as u32 };
        taken |= 1 << bit;
    }
    Some(bit)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;

    use super::*;
    use crate::{abi::hooks::Hook, catalogue};

    #[test]
    fn every_argument_that_can_be_cut_has_a_bit_of_its_own() {
        for event in catalogue::events() {
            let mut bits = BTreeSet::new();
            for position in (0..event.args.len()).filter(|position| event.has_bytes(*position)) {
                let bit = event.mark_bit(position).expect("it has bytes");
                assert!(bit < 8 && bits.insert(bit), "{}.{}", event.name, event.args[position].name);
                assert!(position >= 8 || bit as usize == position, "as captures have always had it");
            }
        }
    }

    #[test]
    fn a_mark_is_of_one_argument() {
        let exec = catalogue::by_name("sched_process_exec").expect("an event");
        let at = |name: &str| exec.arg(name).expect("an argument").0;
        for name in ["argv", "env", "prev_comm", "stdin_path"] {
            let marks = exec.with_cut(Marks(0), at(name));
            let cut = (0..exec.args.len()).filter(|position| exec.is_cut(marks, *position));
            assert!(cut.eq([at(name)]), "{name}");
            assert!(!exec.is_unreadable(marks, at(name)));
            assert_eq!(marks.of_row(), Marks(0));
        }
        assert_eq!(exec.mark_bit(at("dev")), None);
        assert_eq!(exec.with_unreadable(Marks(0), at("dev")), Marks(Marks::FAULT));
    }

    /// The programs mark by the position in the record.
    #[test]
    fn what_hooks_can_cut_is_among_their_first_words() {
        for hook in Hook::ALL {
            let event = catalogue::by_name(hook.name()).expect("an event");
            for (word, name) in hook.args().iter().enumerate() {
                let has_bytes = event.arg(name).is_some_and(|(position, _)| event.has_bytes(position));
                assert!(!has_bytes || word < 8, "{}: {name} is word {word}", event.name);
            }
        }
    }
}
