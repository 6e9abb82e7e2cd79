//! Answers for 64 scopes at once, in machine words.

/// What the filters of one key say about one value, a bit per scope.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Words {
    /// Scopes that name this value (or a bound or wildcard that it lies in).
    pub equal: u64,
    /// Scopes that exclude it.
    pub not: u64,
}

impl Words {
    pub fn add(&mut self, other: Words) {
        self.equal |= other.equal;
        self.not |= other.not;
    }
}

/// Closes the words of one key to its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Gate {
    /// Scopes that have a filter on this key.
    pub used: u64,
    /// Those of them that only exclude: an unmentioned value passes.
    pub default: u64,
}

impl Gate {
    /// Scopes that a value passes. An exclusion beats an equality; a scope without this key passes everything.
    pub const fn close(self, words: Words) -> u64 {
        ((words.equal | self.default) & !words.not) | !self.used
    }
}

/// The bit of scope `number` (1 to 64); no bit for any other number.
pub const fn bit(number: u8) -> u64 {
    if number == 0 || number > 64 { 0 } else { 1 << (number - 1) }
}

/// The scope numbers of a mask, rising.
pub fn numbers(mask: u64) -> impl Iterator<Item = u8> {
    let mut left = mask;
    std::iter::from_fn(move || {
        let at = left.trailing_zeros();
        left &= left.wrapping_sub(1);
        (at < 64).then_some(at as u8 + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusion_beats_an_equality_and_other_scopes_are_untouched() {
        let gate = Gate { used: 0b111, default: 0b100 };
        assert_eq!(gate.close(Words::default()) & 0b1111, 0b1100);
        assert_eq!(gate.close(Words { equal: 0b011, not: 0b110 }) & 0b1111, 0b1001);
    }

    #[test]
    fn masks_list_their_scopes() {
        assert_eq!(numbers(bit(1) | bit(9) | bit(64)).collect::<Vec<_>>(), [1, 9, 64]);
        assert_eq!((bit(0), bit(65), numbers(0).count()), (0, 0, 0));
    }
}
