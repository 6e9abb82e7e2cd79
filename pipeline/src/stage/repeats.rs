//! Uses of descriptors that change nothing, since the same one was told a moment ago. Programs read and write the same
//! descriptor over and over, and what it stands for is known after the first time. They are left out where blocks are
//! scanned, which any thread does, and not where rows are told in order.
//!
//! ```text
//! read 3 /a    told
//! read 3 /a    left out: nothing else was told since
//! read 3 /b    told, and what is remembered of 3 is forgotten
//! read 4 /a    told
//! close 3      told, and what is remembered of 3 is forgotten
//! read 4 /a    left out
//! dup2 0 3     told, and all is forgotten: anything may be otherwise now
//! read 4 /a    told
//! ```

/// Uses that are remembered: of a copy there are two, and a few programs run at one time.
const MOST: usize = 16;
/// Descriptors of one call; of more nothing is remembered.
pub(super) const MOST_DESCRIPTORS: usize = 2;

/// A descriptor's number, and what it stands for.
pub(super) type Descriptor<'a> = (u64, &'a [u8]);

/// What else two uses have in common that are the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Kind {
    /// Codes of the block.
    pub event: u16,
    pub context: u16,
    pub marks: u32,
    pub is_failure: bool,
}

/// Who does what with which descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Use<'a> {
    kind: Kind,
    descriptors: [Option<Descriptor<'a>>; MOST_DESCRIPTORS],
}

/// Uses of one block since anything else was told.
#[derive(Debug, Default)]
pub(super) struct Repeats<'a> {
    uses: [Option<Use<'a>>; MOST],
    oldest: usize,
    has_any: bool,
}

impl<'a> Repeats<'a> {
    /// Whether this use was told since something else was; it is remembered.
    pub fn has_seen(&mut self, kind: Kind, used: impl Iterator<Item = Descriptor<'a>>) -> bool {
        let mut descriptors = [None; MOST_DESCRIPTORS];
        for (slot, used) in descriptors.iter_mut().zip(used) {
            *slot = Some(used);
        }
        let new = Use { kind, descriptors };
        if self.uses.iter().flatten().any(|old| *old == new) {
            return true;
        }
        // Who shares descriptors is not known here: what the number stands for with another process may be the same file.
        self.forget_where(|old| contradict(old, &new));
        if let Some(slot) = self.uses.get_mut(self.oldest) {
            *slot = Some(new);
        }
        self.oldest = (self.oldest + 1) % MOST;
        self.has_any = true;
        false
    }

    /// Something else said what descriptors stand for.
    pub fn tell(&mut self, used: impl Iterator<Item = Descriptor<'a>>) {
        let mut descriptors = [None; MOST_DESCRIPTORS];
        for (slot, used) in descriptors.iter_mut().zip(used) {
            *slot = Some(used);
        }
        let said = Use { kind: Kind::default(), descriptors };
        self.forget_where(|old| contradict(old, &said));
    }

    /// Something happened that may change what descriptors stand for.
    pub fn forget(&mut self) {
        if self.has_any {
            *self = Repeats::default();
        }
    }

    /// The same, of those of which this holds.
    fn forget_where(&mut self, is_changed: impl Fn(&Use<'_>) -> bool) {
        for slot in &mut self.uses {
            if slot.as_ref().is_some_and(&is_changed) {
                *slot = None;
            }
        }
    }

    /// This number stands for another file in some process, or for none.
    pub fn forget_number(&mut self, number: u64) {
        self.forget_where(|old| old.descriptors.iter().flatten().any(|(known, _)| *known == number));
    }

    /// Something was told of a call that has not returned yet, which a call that fails makes void.
    pub fn forget_failures(&mut self) {
        self.forget_where(|old| old.kind.is_failure);
    }
}

/// Whether two uses say that one number stands for two things.
fn contradict(one: &Use<'_>, other: &Use<'_>) -> bool {
    one.descriptors.iter().flatten().any(|(number, what)| {
        other.descriptors.iter().flatten().any(|(other, other_what)| number == other && what != other_what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_seen_until_another_file_has_its_number_or_something_else_happens() {
        let [a, b, other]: [Descriptor<'_>; 3] = [(3, b"/a"), (3, b"/b"), (4, b"/a")];
        let mut repeats = Repeats::default();
        let kind = |event, context| Kind { event, context, ..Kind::default() };
        let mut seen = |event, context, text| repeats.has_seen(kind(event, context), [text].into_iter());
        assert!(!seen(1, 1, a));
        assert!(seen(1, 1, a));
        assert!(!seen(1, 2, a) && !seen(2, 1, a) && !seen(1, 1, other), "who and what count as well");
        assert!(seen(1, 1, a) && seen(1, 2, a) && seen(1, 1, other));
        assert!(!seen(1, 2, b));
        assert!(seen(1, 1, other));
        assert!(!seen(1, 1, a), "another process may share the descriptor");
        assert!(!seen(1, 2, b), "what it was is told again");
        assert!(seen(1, 1, other));
        repeats.forget_number(3);
        let mut seen = |event, context, text| repeats.has_seen(kind(event, context), [text].into_iter());
        assert!(seen(1, 1, other) && !seen(1, 2, b));
        repeats.forget();
        assert!(!repeats.has_seen(kind(1, 2), [b].into_iter()));
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let mut repeats = Repeats::default();
        for round in 0..2 {
            for context in 0..=MOST as u16 {
                let kind = Kind { context, ..Kind::default() };
                let seen = repeats.has_seen(kind, [(3, &[][..])].into_iter());
                assert!(!seen, "round {round}: context {context} came {MOST} others ago");
            }
        }
    }
}
