//! Whether what was taken out of one place still stands in another.

use std::collections::{BTreeMap, HashMap};

/// Shorter values (`ls`, `/tmp`) stand everywhere, and say nothing where they do.
const SHORTEST: usize = 6;
/// Distinct values that are remembered.
const MOST: usize = 1 << 20;

/// What was taken out: of each value its first bytes, its length and a hash, which is all that finding it again needs.
#[derive(Debug, Default)]
pub(super) struct Removed {
    by_start: HashMap<[u8; SHORTEST], Vec<(u32, u64)>>,
    values: usize,
    pub(super) is_full: bool,
}

impl Removed {
    /// `value` is in small letters.
    pub(super) fn add(&mut self, value: &[u8]) {
        let Some(start) = value.first_chunk::<SHORTEST>() else { return };
        let entry = (value.len() as u32, hash(value));
        let known = self.by_start.entry(*start).or_default();
        if known.contains(&entry) {
            return;
        }
        if self.values == MOST {
            self.is_full = true;
            return;
        }
        known.push(entry);
        self.values += 1;
    }

    /// Whether one of the values stands in a text, as a whole word. The text is in small letters.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let is_word = |at: Option<&u8>| at.is_some_and(u8::is_ascii_alphanumeric);
        (0..text.len().saturating_sub(SHORTEST - 1)).any(|at| {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            let Some(rest) = text.get(at..) else { return false };
            // A value that begins with a letter begins a word: `hunter2` is not in `bighunter2`.
            if is_word(before) && is_word(rest.first()) {
                return false;
            }
            let Some(known) = rest.first_chunk().and_then(|start| self.by_start.get(start)) else {
                return false;
            };
            known.iter().any(|(length, expected)| {
                let length = *length as usize;
                let ends = |value: &[u8]| !(is_word(value.last()) && is_word(rest.get(length)));
                rest.get(..length).is_some_and(|value| ends(value) && hash(value) == *expected)
            })
        })
    }
}

fn hash(value: &[u8]) -> u64 {
    let hash = blake3::hash(value);
    hash.as_bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Where values that were taken out elsewhere still stand, and in how many values.
pub type Leftovers = BTreeMap<String, u64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_as_a_word_and_not_as_part_of_one() {
        let mut removed = Removed::default();
        for value in ["hunter2", "/home/alice/x", "short"] {
            removed.add(value.as_bytes());
        }
        for (text, is) in [
            ("hunter2", true),
            ("password=hunter2;", true),
            ("hunter22", false),
            ("bighunter2", false),
            ("cat\0/home/alice/x\0", true),
            ("/home/alice/xy", false),
            ("x/home/alice/x", true),
            ("short", false),
            ("", false),
        ] {
            assert_eq!(removed.is_in(text.as_bytes()), is, "{text}");
        }
    }
}
