//! Names of capabilities, by their numbers.

use core::fmt;

use crate::consts::Names;

/// The name of one, such as `CAP_SYS_ADMIN` for 21.
pub fn name(number: u32) -> Option<&'static str> {
    Names::Capability.table()?.name(number.into())
}

/// The number of a name.
pub fn number(name: &str) -> Option<u32> {
    Names::Capability.table()?.number(name).and_then(|number| u32::try_from(number).ok())
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    Names::Capability.table().into_iter().flat_map(|table| table.names())
}

/// Every capability that has a name.
pub fn all() -> u64 {
    names().filter_map(number).fold(0, |all, number| all | 1 << number)
}

/// The names of a set, joined with `|`; of one that has no name its number. `none`, `all` for every one that has a name, and
/// `all but` those that are missing where these are few.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Set(pub u64);

impl fmt::Display for Set {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Set(set) = *self;
        if set == 0 {
            return out.write_str("none");
        }
        if set == all() {
            return out.write_str("all");
        }
        let missing = all() & !set;
        let is_most = set & !all() == 0 && missing.count_ones() <= 8;
        if is_most {
            out.write_str("all but ")?;
        }
        let mut is_first = true;
        for member in members(if is_most { missing } else { set }) {
            if !core::mem::take(&mut is_first) {
                out.write_str("|")?;
            }
            match name(member) {
                Some(name) => out.write_str(name)?,
                None => write!(out, "{member}")?,
            }
        }
        Ok(())
    }
}

/// The numbers of the capabilities in a set, rising.
pub fn members(set: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |member| set >> member & 1 != 0)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn sets_are_read_at_a_glance() {
        for (set, shown) in [
            (0, "none"),
            (all(), "all"),
            (1 << 21, "CAP_SYS_ADMIN"),
            (1 << 21 | 1, "CAP_CHOWN|CAP_SYS_ADMIN"),
            (all() & !(1 << 24), "all but CAP_SYS_RESOURCE"),
            (1 << 13 | 1 << 60, "CAP_NET_RAW|60"),
        ] {
            assert_eq!(Set(set).to_string(), shown);
        }
    }
}
