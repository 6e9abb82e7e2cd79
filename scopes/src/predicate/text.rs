//! Texts: exact ones in a map, wildcards in a list; a pattern that several scopes have is looked at once.

use hashbrown::HashMap;

use crate::filter::Value;
use crate::pattern::Pattern;
use crate::predicate::{Asked, gate};
use crate::words::{Gate, Words};

#[derive(Debug, Default)]
pub(crate) struct Texts {
    exact: HashMap<Box<[u8]>, Words>,
    wild: Vec<(Pattern, Words)>,
}

impl Texts {
    pub fn add(&mut self, pattern: &Pattern, words: Words) {
        match pattern {
            Pattern::Exact(text) => self.exact.entry(text.clone()).or_default().add(words),
            _ => match self.wild.iter_mut().find(|(known, _)| known == pattern) {
                Some((_, known)) => known.add(words),
                None => self.wild.push((pattern.clone(), words)),
            },
        }
    }

    pub fn words(&self, value: &[u8]) -> Words {
        let mut words = self.exact.get(value).copied().unwrap_or_default();
        for (pattern, add) in &self.wild {
            if pattern.matches(value) {
                words.add(*add);
            }
        }
        words
    }

    /// The words of a container's id: what is exact is a beginning of it.
    pub fn words_of_id(&self, id: &[u8]) -> Words {
        let mut words = Words::default();
        for (text, add) in &self.exact {
            if id.starts_with(text) {
                words.add(*add);
            }
        }
        for (pattern, add) in &self.wild {
            if pattern.matches(id) {
                words.add(*add);
            }
        }
        words
    }

    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wild.is_empty()
    }

    /// The texts that are named exactly, in order.
    pub fn exact_texts(&self) -> Vec<&[u8]> {
        let mut texts: Vec<&[u8]> = self.exact.keys().map(|text| &**text).collect();
        texts.sort_unstable();
        texts
    }

    pub fn wild(&self) -> &[(Pattern, Words)] {
        &self.wild
    }
}

/// The word that a filter's value adds.
pub(crate) fn word(bit: u64, positive: bool) -> Words {
    if positive { Words { equal: bit, not: 0 } } else { Words { equal: 0, not: bit } }
}

/// A key whose values are texts.
#[derive(Debug)]
pub(crate) struct TextKey {
    pub gate: Gate,
    pub texts: Texts,
}

impl TextKey {
    pub fn new(asked: &[Asked<'_>]) -> TextKey {
        let mut texts = Texts::default();
        for Asked { bit, filters } in asked {
            for filter in filters {
                for value in &filter.values {
                    if let Value::Text(pattern) = value {
                        texts.add(pattern, word(*bit, filter.is_positive()));
                    }
                }
            }
        }
        TextKey { gate: gate(asked), texts }
    }

    /// `None` is a value that is not there: it fails every filter on it.
    pub fn mask(&self, value: Option<&[u8]>) -> u64 {
        match value {
            Some(value) => self.gate.close(self.texts.words(value)),
            None => !self.gate.used,
        }
    }
}
