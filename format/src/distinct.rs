//! The distinct values of a column, or of several, each with a code from 0 in the order in which they came.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

/// Values as they stand in a builder's bytes: `offset << 32 | length`, by code.
#[derive(Debug, Default)]
pub(crate) struct Distinct {
    words: Vec<u64>,
    seen: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Distinct {
    pub(crate) fn clear(&mut self) {
        self.words.clear();
        self.seen.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// By code.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// By code.
    pub(crate) fn values<'a>(&'a self, all: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        self.words.iter().map(|word| slice(all, *word))
    }

    /// The code of `value`, which is `all[word >> 32..][..word as u32]`.
    pub(crate) fn code(&mut self, value: &[u8], word: u64, all: &[u8]) -> u32 {
        let Distinct { words, seen, hasher } = self;
        let same = |code: &u32| words.get(*code as usize).is_some_and(|w| slice(all, *w) == value);
        let hash = hasher.hash_one(value);
        if let Some(code) = seen.find(hash, same) {
            return *code;
        }
        let code = words.len() as u32;
        words.push(word);
        seen.insert_unique(hash, code, |code| {
            hasher.hash_one(words.get(*code as usize).map_or(&[][..], |w| slice(all, *w)))
        });
        code
    }

    pub(crate) fn has(&self, value: &[u8], all: &[u8]) -> bool {
        let same = |code: &u32| self.words.get(*code as usize).is_some_and(|w| slice(all, *w) == value);
        self.seen.find(self.hasher.hash_one(value), same).is_some()
    }
}

fn slice(all: &[u8], word: u64) -> &[u8] {
    let start = (word >> 32) as usize;
    all.get(start..start + (word as u32) as usize).unwrap_or_default()
}
