//! Whether what was taken out of one place still stands in another.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;

use hashbrown::HashMap;

/// Shorter values (`ls`, `/tmp`) stand everywhere, and say nothing where they do.
const SHORTEST: usize = 6;
/// Distinct values that are remembered, and bytes of them.
const MOST: usize = 1 << 20;
const MOST_BYTES: usize = 128 << 20;
/// Values of this length and more are told apart by so many of their first bytes.
const LONG: usize = 16;

/// What was taken out: gathered first, then sealed, and looked for from then on.
///
/// A text is looked through place by place. Where values begin as it goes on there, their lengths are searched by halves, for
/// each of which it is known whether some value begins with that much of the text: so what a place takes grows with the
/// logarithm of how many lengths there are, whoever chose the values and the text.
#[derive(Debug)]
pub(super) struct Removed {
    hasher: Hasher,
    gathered: Gathered,
    by_start: HashMap<[u8; SHORTEST], Alike>,
    /// Values, and beginnings of values, by their length and hash: whether it is a value.
    parts: HashMap<(u32, u64), bool>,
    pub(super) is_full: bool,
}

/// Distinct values in small letters, one behind the other.
#[derive(Debug, Default)]
struct Gathered {
    known: HashSet<u64>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// The lengths of values that begin alike, rising: of the short ones, and of the others by more of their beginnings.
#[derive(Debug, Default)]
struct Alike {
    short: Vec<Length>,
    long: HashMap<[u8; LONG], Vec<Length>>,
}

#[derive(Clone, Copy, Debug)]
struct Length {
    length: u32,
    /// The hasher's key to the power of the length.
    power: u64,
}

/// Which way a search by halves goes on from a length.
enum Half {
    Shorter,
    Longer,
    Done,
}

impl Default for Removed {
    fn default() -> Removed {
        Removed {
            hasher: Hasher::new(),
            gathered: Gathered::default(),
            by_start: HashMap::new(),
            parts: HashMap::new(),
            is_full: false,
        }
    }
}

impl Removed {
    /// `value` is in small letters.
    pub(super) fn add(&mut self, value: &[u8]) {
        let hash = self.hasher.of(value);
        let Gathered { known, bytes, ends } = &mut self.gathered;
        if value.len() < SHORTEST || known.contains(&hash) {
            return;
        }
        if known.len() == MOST || bytes.len() + value.len() > MOST_BYTES {
            self.is_full = true;
            return;
        }
        known.insert(hash);
        bytes.extend_from_slice(value);
        ends.push(bytes.len());
    }

    /// All values were added: they can be looked for.
    pub(super) fn seal(&mut self) {
        let Gathered { bytes, ends, .. } = std::mem::take(&mut self.gathered);
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let mut all: Vec<&[u8]> =
            starts.zip(&ends).filter_map(|(start, end)| bytes.get(start..*end)).collect();
        all.sort_unstable();
        // Those that the next one may begin with, each of which begins with the one before it.
        let mut shorter: Vec<&[u8]> = Vec::new();
        let mut kept: Vec<&[u8]> = Vec::new();
        for value in all {
            while shorter.last().is_some_and(|it| !value.starts_with(it)) {
                shorter.pop();
            }
            // Wherever this value stands, the shorter one stands as a word: it is found already. Of those that are left, none
            // is a word in another that begins with it, so that a text which goes on as that one does need not be asked for it.
            let is_found = shorter.last().is_some_and(|it| ends_word(value, it.len()));
            if !is_found {
                shorter.push(value);
                kept.push(value);
            }
        }
        for value in &kept {
            let lengths = self.lengths_of(value);
            if lengths.last().is_none_or(|last| (last.length as usize) != value.len()) {
                lengths.push(Length { length: value.len() as u32, power: 0 });
            }
        }
        let hasher = &self.hasher;
        for alike in self.by_start.values_mut() {
            for lengths in alike.long.values_mut().chain([&mut alike.short]) {
                lengths.sort_unstable_by_key(|it| it.length);
                lengths.dedup_by_key(|it| it.length);
                lengths.iter_mut().for_each(|it| it.power = hasher.power(it.length as usize));
                lengths.shrink_to_fit();
            }
        }
        for value in kept {
            let before_all = self.hasher.before_all(value);
            let lengths = std::mem::take(self.lengths_of(value));
            halve(&lengths, &mut |it| {
                let length = it.length as usize;
                let Some(hash) = before_all.get(length) else { return Half::Shorter };
                let is_value = self.parts.entry((it.length, *hash)).or_insert(false);
                *is_value |= length == value.len();
                if length == value.len() { Half::Done } else { Half::Longer }
            });
            *self.lengths_of(value) = lengths;
        }
    }

    /// The lengths of values that begin as one does.
    fn lengths_of(&mut self, value: &[u8]) -> &mut Vec<Length> {
        let start = value.first_chunk().copied().unwrap_or_default();
        let alike = self.by_start.entry(start).or_default();
        match value.first_chunk::<LONG>() {
            Some(start) => alike.long.entry(*start).or_default(),
            None => &mut alike.short,
        }
    }

    /// Whether one of the values stands in a text, as a whole word. The text is in small letters.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        // Of all that stands before each place of the text, once it is asked for.
        let mut before_all = Vec::new();
        (0..text.len().saturating_sub(SHORTEST - 1)).any(|at| {
            let Some(rest) = text.get(at..) else { return false };
            // A value that begins with a letter begins a word: `hunter2` is not in `bighunter2`.
            if at > 0 && !ends_word(text, at) {
                return false;
            }
            let Some(alike) = rest.first_chunk().and_then(|start| self.by_start.get(start)) else {
                return false;
            };
            let long = rest.first_chunk().and_then(|start| alike.long.get(start));
            if before_all.is_empty() {
                before_all = self.hasher.before_all(text);
            }
            self.begins_with_one(rest, &alike.short, at, &before_all)
                || long.is_some_and(|long| self.begins_with_one(rest, long, at, &before_all))
        })
    }

    /// Whether what is left of a text from a place on begins with a value of these lengths.
    fn begins_with_one(&self, rest: &[u8], lengths: &[Length], at: usize, before_all: &[u64]) -> bool {
        let mut is_there = false;
        halve(lengths, &mut |it| {
            let length = it.length as usize;
            if length > rest.len() {
                return Half::Shorter;
            }
            match self.parts.get(&(it.length, between(before_all, at, length, it.power))) {
                None => Half::Shorter,
                Some(true) if ends_word(rest, length) => {
                    is_there = true;
                    Half::Done
                }
                Some(_) => Half::Longer,
            }
        });
        is_there
    }
}

/// Looks at lengths by halves, for as long as `look` says that it goes on.
fn halve(lengths: &[Length], look: &mut dyn FnMut(Length) -> Half) {
    let (mut from, mut to) = (0, lengths.len());
    while from < to {
        let middle = from.midpoint(to);
        let Some(length) = lengths.get(middle) else { return };
        match look(*length) {
            Half::Shorter => to = middle,
            Half::Longer => from = middle + 1,
            Half::Done => return,
        }
    }
}

/// Whether a place of a text, or its end, is not within a word.
fn ends_word(text: &[u8], at: usize) -> bool {
    let is_word = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphanumeric);
    !(at.checked_sub(1).is_some_and(is_word) && is_word(at))
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
        removed.seal();
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

    /// All values that a text holds as words are found, and no others, however they begin with and end in each other.
    #[test]
    fn what_is_found_is_what_looking_for_each_value_finds() {
        let mut state = 7u64;
        let mut random = |most: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % most
        };
        let (mut found, mut missed) = (0, 0);
        for _ in 0..3000 {
            let mut text = |least: usize, most: usize| -> Vec<u8> {
                let length = least + random(most - least);
                (0..length).map(|_| b"aaab//-"[random(7)]).collect()
            };
            let base = text(0, 30);
            let values: Vec<Vec<u8>> = (0..8)
                .map(|_| {
                    let own = text(1, 12);
                    let shared = base.len().min(own.len() * 3);
                    [&base[..shared], &own].concat()
                })
                .collect();
            let texts: Vec<Vec<u8>> = (0..4)
                .map(|_| [text(0, 6), base.clone(), text(0, 12)].concat())
                .chain(values.clone())
                .collect();
            let mut removed = Removed::default();
            values.iter().for_each(|value| removed.add(value));
            removed.seal();
            for text in texts {
                let is_word = |value: &&Vec<u8>| {
                    value.len() >= SHORTEST
                        && text.windows(value.len()).enumerate().any(|(at, part)| {
                            part == value.as_slice()
                                && (at == 0 || ends_word(&text, at))
                                && ends_word(&text[at..], value.len())
                        })
                };
                let expected = values.iter().find(is_word);
                let told = || format!("{values:?} in {text:?}: {expected:?}");
                assert_eq!(removed.is_in(&text), expected.is_some(), "{}", told());
                if expected.is_some() { found += 1 } else { missed += 1 }
            }
        }
        assert!(found > 1000 && missed > 1000, "{found} {missed}");
    }

    /// What a place of a text takes does not grow with the values that begin as it does.
    #[test]
    fn values_that_begin_alike_are_looked_for_by_halves() {
        let mut removed = Removed::default();
        let long = [vec![b'-'; 1 << 17], b"x".to_vec()].concat();
        for length in 0..2000 {
            removed.add(&[&long[..length], b"y"].concat());
        }
        removed.seal();
        assert!(!removed.is_full);
        assert!(!removed.is_in(&long));
        assert!(removed.is_in(&[&long[..4000], b"y!"].concat()));
        let lengths = removed.by_start.values().flat_map(|it| it.long.values()).map(Vec::len).max().unwrap();
        let mut looks = 0;
        halve(
            &removed.by_start.values().find_map(|it| it.long.values().next()).unwrap().clone(),
            &mut |_| {
                looks += 1;
                Half::Longer
            },
        );
        assert!(lengths > 1900 && looks <= 11, "{lengths} lengths, {looks} looks");
    }

    #[test]
    fn more_than_is_remembered_is_said() {
        let mut removed = Removed::default();
        for number in 0..5 {
            removed.add(&[vec![b'x'; MOST_BYTES / 4 - 1], vec![b'0' + number]].concat());
        }
        assert!(removed.is_full);
    }
}
