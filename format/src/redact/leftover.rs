//! Whether what was taken out of one place still stands in another.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasher;

/// Shorter values (`ls`, `/tmp`) stand everywhere, and say nothing where they do.
const SHORTEST: usize = 6;
/// Distinct values that are remembered.
const MOST: usize = 1 << 20;
/// Values of this length and more are told apart by so many of their first bytes.
const LONG: usize = 16;
/// Lengths of values that begin alike: at each place of a text where one may begin, so many are tried at most.
const LENGTHS: usize = 64;

/// What was taken out: of each value its first bytes, its length and a hash, which is all that finding it again needs.
#[derive(Debug)]
pub(super) struct Removed {
    by_start: HashMap<[u8; SHORTEST], Alike>,
    hasher: Hasher,
    values: usize,
    pub(super) is_full: bool,
}

/// Values that begin alike, by their lengths: the short ones, and the others by more of their beginnings.
#[derive(Debug, Default)]
struct Alike {
    short: Lengths,
    long: HashMap<[u8; LONG], Lengths>,
}

type Lengths = BTreeMap<u32, OfLength>;

#[derive(Debug, Default)]
struct OfLength {
    hashes: HashSet<u64>,
    /// The hasher's key to the power of the length.
    power: u64,
}

impl Default for Removed {
    fn default() -> Removed {
        Removed { by_start: HashMap::new(), hasher: Hasher::new(), values: 0, is_full: false }
    }
}

impl Removed {
    /// `value` is in small letters.
    pub(super) fn add(&mut self, value: &[u8]) {
        let Some(start) = value.first_chunk::<SHORTEST>() else { return };
        let alike = self.by_start.entry(*start).or_default();
        let lengths = match value.first_chunk::<LONG>() {
            Some(start) => alike.long.entry(*start).or_default(),
            None => &mut alike.short,
        };
        let length = value.len() as u32;
        if self.values == MOST || (lengths.len() == LENGTHS && !lengths.contains_key(&length)) {
            self.is_full = true;
            return;
        }
        let of_length = lengths.entry(length).or_default();
        of_length.power = self.hasher.power(value.len());
        let is_new = of_length.hashes.insert(self.hasher.of(value));
        self.values += usize::from(is_new);
    }

    /// Whether one of the values stands in a text, as a whole word. The text is in small letters.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        let is_word = |at: Option<&u8>| at.is_some_and(u8::is_ascii_alphanumeric);
        // Of all that stands before each place of the text, once it is asked for.
        let mut before_all = Vec::new();
        (0..text.len().saturating_sub(SHORTEST - 1)).any(|at| {
            let before = at.checked_sub(1).and_then(|before| text.get(before));
            let Some(rest) = text.get(at..) else { return false };
            // A value that begins with a letter begins a word: `hunter2` is not in `bighunter2`.
            if is_word(before) && is_word(rest.first()) {
                return false;
            }
            let Some(alike) = rest.first_chunk().and_then(|start| self.by_start.get(start)) else {
                return false;
            };
            let long = rest.first_chunk().and_then(|start| alike.long.get(start));
            if before_all.is_empty() {
                before_all = self.hasher.before_all(text);
            }
            let is_there = |(length, of_length): (&u32, &OfLength)| {
                let length = *length as usize;
                let ends = !(is_word(rest.get(length - 1)) && is_word(rest.get(length)));
                ends && of_length.hashes.contains(&between(&before_all, at, length, of_length.power))
            };
            let most = rest.len() as u32;
            alike.short.range(..=most).any(is_there)
                || long.is_some_and(|lengths| lengths.range(..=most).any(is_there))
        })
    }
}

/// A hash that is known of every part of a text once it is known of its beginnings: of bytes `a b c` it is `((a+1)k + b+1)k + c+1`,
/// modulo a prime, with a `k` that nobody can know before.
#[derive(Debug)]
struct Hasher {
    key: u64,
    /// Powers of the key: of two to the power of each place.
    squares: [u64; 32],
}

const PRIME: u64 = (1 << 61) - 1;

impl Hasher {
    fn new() -> Hasher {
        let key = RandomState::new().hash_one(SHORTEST) % (PRIME - 1000) + 500;
        let mut squares = [key; 32];
        for at in 1..squares.len() {
            if let Some(before) = squares.get(at - 1).copied()
                && let Some(square) = squares.get_mut(at)
            {
                *square = times(before, before);
            }
        }
        Hasher { key, squares }
    }

    fn step(&self, hash: u64, byte: u8) -> u64 {
        sum(times(hash, self.key), u64::from(byte) + 1)
    }

    fn of(&self, value: &[u8]) -> u64 {
        value.iter().fold(0, |hash, byte| self.step(hash, *byte))
    }

    /// The hash of all that stands before each place, and of the whole.
    fn before_all(&self, text: &[u8]) -> Vec<u64> {
        let mut hash = 0;
        let rest = text.iter().map(|byte| {
            hash = self.step(hash, *byte);
            hash
        });
        std::iter::once(0).chain(rest).collect()
    }

    /// The key to the power of a length.
    fn power(&self, length: usize) -> u64 {
        let bits = self.squares.iter().enumerate().filter(|(bit, _)| length >> bit & 1 == 1);
        bits.fold(1, |power, (_, square)| times(power, *square))
    }
}

/// The hash of a part. `power`: the key to the power of its length.
fn between(before_all: &[u64], at: usize, length: usize, power: u64) -> u64 {
    let before = |at: usize| before_all.get(at).copied().unwrap_or_default();
    sum(before(at + length), PRIME - times(before(at), power))
}

fn times(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    sum((product & u128::from(PRIME)) as u64, (product >> 61) as u64)
}

fn sum(a: u64, b: u64) -> u64 {
    let sum = a + b;
    let sum = (sum & PRIME) + (sum >> 61);
    if sum >= PRIME { sum - PRIME } else { sum }
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

    #[test]
    fn a_part_has_the_hash_that_it_has_alone() {
        let hasher = Hasher::new();
        let text: Vec<u8> = (0..3000u32).map(|at| ((at * at) >> 3) as u8).collect();
        let before_all = hasher.before_all(&text);
        for at in (0..text.len()).step_by(37) {
            for length in [0, 1, 6, 64, 255, 1000] {
                let Some(part) = text.get(at..at + length) else { continue };
                let found = between(&before_all, at, length, hasher.power(length));
                assert_eq!(found, hasher.of(part), "{at} {length}");
            }
        }
    }

    #[test]
    fn values_that_begin_alike_are_looked_for_without_trying_all_of_them_everywhere() {
        let mut removed = Removed::default();
        let long = [vec![b'-'; 1 << 17], b"x".to_vec()].concat();
        for length in 0..2000 {
            removed.add(&[&long[..length], b"y"].concat());
        }
        assert!(removed.is_full, "that not all are looked for is said");
        let begin = std::time::Instant::now();
        assert!(!removed.is_in(&long));
        assert!(begin.elapsed().as_secs() < 60, "{:?}", begin.elapsed());
    }
}
