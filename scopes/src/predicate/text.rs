//! Texts: exact ones in a map, wildcards by what anchors them; a pattern that several scopes have is looked at once.

use hashbrown::HashMap;

use crate::batch::Strings;
use crate::filter::Value;
use crate::pattern::Pattern;
use crate::predicate::wild::Wild;
use crate::predicate::{Asked, gate};
use crate::words::{Gate, Words};

#[derive(Debug, Default)]
pub(crate) struct Texts {
    exact: HashMap<Box<[u8]>, Words>,
    wild: Wild,
}

impl Texts {
    pub fn of<'a>(patterns: impl IntoIterator<Item = (&'a Pattern, Words)>) -> Texts {
        let mut exact: HashMap<Box<[u8]>, Words> = HashMap::new();
        let mut wild: Vec<(Pattern, Words)> = Vec::new();
        // Lists of indicators have a hundred thousand patterns: each is looked up, not compared with all before it.
        let mut places: HashMap<&Pattern, usize> = HashMap::new();
        for (pattern, words) in patterns {
            match pattern {
                Pattern::Exact(text) => exact.entry(text.clone()).or_default().add(words),
                _ => {
                    let at = *places.entry(pattern).or_insert(wild.len());
                    match wild.get_mut(at) {
                        Some((_, known)) => known.add(words),
                        None => wild.push((pattern.clone(), words)),
                    }
                }
            }
        }
        Texts { exact, wild: Wild::new(wild) }
    }

    pub fn words(&self, value: &[u8]) -> Words {
        let mut words = if self.exact.is_empty() {
            Words::default()
        } else {
            self.exact.get(value).copied().unwrap_or_default()
        };
        self.wild.add(value, &mut words);
        words
    }

    /// Adds to each text's words what the patterns say of it.
    pub fn add_each(&self, strings: Strings<'_>, words: &mut [Words]) {
        if !self.exact.is_empty() {
            for (text, words) in strings.iter().zip(&mut *words) {
                if let Some(add) = self.exact.get(text) {
                    words.add(*add);
                }
            }
        }
        self.wild.add_each(strings, words);
    }

    /// The words of a container's id: what is exact is a beginning of it.
    pub fn words_of_id(&self, id: &[u8]) -> Words {
        let mut words = Words::default();
        for (text, add) in &self.exact {
            if id.starts_with(text) {
                words.add(*add);
            }
        }
        self.wild.add(id, &mut words);
        words
    }

    /// Scopes that ask for any text at all.
    pub fn all_equal(&self) -> u64 {
        let words = self.exact.values().chain(self.wild.all().iter().map(|(_, words)| words));
        words.fold(0, |all, words| all | words.equal)
    }

    /// How many texts and patterns there are.
    pub fn len(&self) -> usize {
        self.exact.len() + self.wild.all().len()
    }

    /// The texts that are named exactly and their words, in no order.
    pub fn exact(&self) -> impl Iterator<Item = (&[u8], Words)> {
        self.exact.iter().map(|(text, words)| (&**text, *words))
    }

    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.wild.all().is_empty()
    }

    /// The texts that are named exactly, in order.
    pub fn exact_texts(&self) -> Vec<&[u8]> {
        let mut texts: Vec<&[u8]> = self.exact.keys().map(|text| &**text).collect();
        texts.sort_unstable();
        texts
    }

    pub fn wild(&self) -> &[(Pattern, Words)] {
        self.wild.all()
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
        let texts = asked.iter().flat_map(|Asked { bit, filters }| {
            filters.iter().flat_map(|filter| {
                let word = word(*bit, filter.is_positive());
                filter.values.iter().filter_map(move |value| match value {
                    Value::Text(pattern) => Some((pattern, word)),
                    _ => None,
                })
            })
        });
        TextKey { gate: gate(asked), texts: Texts::of(texts) }
    }

    /// `None` is a value that is not there: it fails every filter on it.
    pub fn mask(&self, value: Option<&[u8]>) -> u64 {
        match value {
            Some(value) => self.gate.close(self.texts.words(value)),
            None => !self.gate.used,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::comparisons;

    /// Time would depend on the machine: what was quadratic is counted.
    #[test]
    fn a_list_of_patterns_is_compared_with_itself_about_once() {
        let patterns: Vec<Pattern> =
            (0..20_000).map(|n| Pattern::parse(&format!("*evil{}*", n % 15_000))).collect();
        let word = Words { equal: 1, not: 0 };
        let compared = comparisons::of(|| drop(Texts::of(patterns.iter().map(|pattern| (pattern, word)))));
        assert!(compared < 2 * patterns.len() as u64, "{compared} comparisons");
        let texts = Texts::of(patterns.iter().map(|pattern| (pattern, word)));
        assert_eq!(texts.wild().len(), 15_000);
        assert_eq!(texts.words(b"/tmp/evil14999.sh").equal, 1);
        assert_eq!(texts.words(b"/tmp/evil").equal, 0);
    }
}
