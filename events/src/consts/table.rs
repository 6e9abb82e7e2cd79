//! A table of names, and numbers by name.

/// Names of numbers: values that stand alone, flags that are joined, or values in some bits and flags in the others.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// The bits in which the values stand.
    pub(super) mask: u64,
    pub(super) values: &'static [(i64, &'static str)],
    /// In the order in which they are shown. One may hold the bits of another (`O_SYNC`); the larger comes first.
    pub(super) bits: &'static [(u64, &'static str)],
    /// The name of no flag at all (`PROT_NONE`).
    pub(super) zero: Option<&'static str>,
}

impl Table {
    pub(super) const fn values(values: &'static [(i64, &'static str)]) -> Table {
        Table { mask: u64::MAX, values, bits: &[], zero: None }
    }

    pub(super) const fn flags(zero: Option<&'static str>, bits: &'static [(u64, &'static str)]) -> Table {
        Table { mask: 0, values: &[], bits, zero }
    }

    pub(super) const fn mixed(
        mask: u64,
        values: &'static [(i64, &'static str)],
        bits: &'static [(u64, &'static str)],
    ) -> Table {
        Table { mask, values, bits, zero: None }
    }

    /// Whether numbers are sets of flags, at least in part: then text joins names with `|`.
    pub const fn is_flags(&self) -> bool {
        !self.bits.is_empty()
    }

    /// The name of exactly this value, where it stands alone.
    pub fn name(&self, number: u64) -> Option<&'static str> {
        let masked = number & self.mask;
        let same = |value: i64| {
            let value = value as u64;
            // A 32-bit number with its highest bit set may have been sign-extended.
            value == masked || (masked as i64 == i64::from(masked as i32) && value as u32 == masked as u32)
        };
        self.values.iter().find(|(value, _)| same(*value)).map(|(_, name)| *name)
    }

    /// The number of one name.
    pub fn number(&self, name: &str) -> Option<u64> {
        if self.zero == Some(name) {
            return Some(0);
        }
        let value = self.values.iter().find(|(_, known)| *known == name).map(|(value, _)| *value as u64);
        value.or_else(|| self.bits.iter().find(|(_, known)| *known == name).map(|(bits, _)| *bits))
    }

    /// All names, for suggestions.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        let values = self.values.iter().map(|(_, name)| *name);
        values.chain(self.bits.iter().map(|(_, name)| *name)).chain(self.zero)
    }
}
