//! Many wildcards at once: what a value can match is found by what anchors the patterns, not by asking each of them.
//!
//! ```text
//! /etc/*      by its beginning: one binary search over all beginnings, then up the chain of those that begin it
//! *.so        by its end: the same, read backwards
//! *passwd*    by what is inside: one automaton over all of them
//! /proc/*/fd  by its beginning, and only then asked itself
//! ```

use std::cmp::Ordering;

use aho_corasick::AhoCorasick;

use crate::batch::Strings;
use crate::pattern::Pattern;
use crate::words::Words;

/// Up to here each pattern is asked: that takes no longer than looking it up.
const FEW: usize = 4;
/// Up to here parts are searched one by one.
const FEW_INSIDE: usize = 8;

#[derive(Debug, Default)]
pub(crate) struct Wild {
    /// All patterns, each once.
    all: Vec<(Pattern, Words)>,
    index: Option<Index>,
}

#[derive(Debug, Default)]
struct Index {
    beginnings: Anchors,
    /// Of texts read backwards.
    ends: Anchors,
    /// Positions in `all`, to be asked one by one.
    singly: Vec<usize>,
    inside: Option<Inside>,
}

/// Texts that values may begin with, sorted.
#[derive(Debug, Default)]
struct Anchors {
    texts: Vec<Anchor>,
}

#[derive(Debug)]
struct Anchor {
    /// The beginning of `text`, for most comparisons enough.
    head: u64,
    text: Box<[u8]>,
    /// Of the patterns that are no more than this, and of all anchors that begin it.
    words: Words,
    /// Positions in `all` of patterns that ask for more.
    globs: Vec<usize>,
    /// The longest other anchor that begins this one.
    within: Option<usize>,
}

#[derive(Debug)]
struct Inside {
    automaton: AhoCorasick,
    /// By the automaton's numbers: positions in `all`.
    patterns: Vec<usize>,
}

impl Wild {
    pub fn new(all: Vec<(Pattern, Words)>) -> Wild {
        let index = (all.len() > FEW).then(|| Index::new(&all));
        Wild { all, index }
    }

    pub fn all(&self) -> &[(Pattern, Words)] {
        &self.all
    }

    /// Adds the words of all patterns that match.
    pub fn add(&self, value: &[u8], words: &mut Words) {
        match &self.index {
            None => self.all.iter().for_each(|known| ask(known, value, words)),
            Some(index) => index.add(&self.all, value, words),
        }
    }
}

impl Wild {
    /// Adds to each text's words those of the patterns that match it.
    pub fn add_each(&self, strings: Strings<'_>, words: &mut [Words]) {
        if let Some(index) = &self.index {
            for (text, words) in strings.iter().zip(words) {
                index.add(&self.all, text, words);
            }
            return;
        }
        for known in &self.all {
            match known {
                (Pattern::Contains(finder), add) => strings.containing(finder, |at| {
                    if let Some(words) = words.get_mut(at) {
                        words.add(*add);
                    }
                }),
                _ => strings.iter().zip(&mut *words).for_each(|(text, words)| ask(known, text, words)),
            }
        }
    }
}

fn ask((pattern, add): &(Pattern, Words), value: &[u8], words: &mut Words) {
    if pattern.matches(value) {
        words.add(*add);
    }
}

impl Index {
    fn new(all: &[(Pattern, Words)]) -> Index {
        let (mut beginnings, mut ends) = (Vec::new(), Vec::new());
        let mut inside: Vec<(&[u8], usize)> = Vec::new();
        for (at, (pattern, words)) in all.iter().enumerate() {
            let pieces = pattern.pieces();
            let (first, last) = match pieces.as_slice() {
                [first, .., last] => (*first, *last),
                _ => continue,
            };
            let pure = pieces.len() == 2 && (first.is_empty() || last.is_empty());
            let (words, glob) = if pure { (*words, None) } else { (Words::default(), Some(at)) };
            if !first.is_empty() {
                beginnings.push((first.to_vec(), words, glob));
            } else if !last.is_empty() {
                ends.push((last.iter().rev().copied().collect(), words, glob));
            } else {
                let longest = pieces.into_iter().max_by_key(|piece| piece.len()).unwrap_or_default();
                inside.push((longest, at));
            }
        }
        let automaton = AhoCorasick::new(inside.iter().map(|(text, _)| text));
        let positions: Vec<usize> = inside.iter().map(|(_, at)| *at).collect();
        // Too many or too long for an automaton: they are asked one by one.
        let (singly, inside) = match automaton {
            Ok(automaton) if positions.len() > FEW_INSIDE => {
                (Vec::new(), Some(Inside { automaton, patterns: positions }))
            }
            _ => (positions, None),
        };
        Index { beginnings: Anchors::new(beginnings), ends: Anchors::new(ends), singly, inside }
    }

    fn add(&self, all: &[(Pattern, Words)], value: &[u8], words: &mut Words) {
        let mut glob = |at: usize, words: &mut Words| {
            if let Some(known) = all.get(at) {
                ask(known, value, words);
            }
        };
        let begins = self.beginnings.up_to(head(value.iter()), |text| *text <= *value);
        self.beginnings.climb(begins, |text| value.starts_with(text), words, &mut glob);
        let ends = self.ends.up_to(head(value.iter().rev()), |text| text.iter().le(value.iter().rev()));
        let ends_with =
            |text: &[u8]| text.len() <= value.len() && text.iter().eq(value.iter().rev().take(text.len()));
        self.ends.climb(ends, ends_with, words, &mut glob);
        self.singly.iter().for_each(|at| glob(*at, words));
        if let Some(inside) = &self.inside {
            for found in inside.automaton.find_overlapping_iter(value) {
                let Some(at) = inside.patterns.get(found.pattern().as_usize()) else { continue };
                match all.get(*at) {
                    Some((Pattern::Contains(_), add)) => words.add(*add),
                    _ => glob(*at, words),
                }
            }
        }
    }
}

impl Anchors {
    /// From texts, the words of patterns that are just them, and the positions of patterns that ask for more.
    fn new(mut found: Vec<(Vec<u8>, Words, Option<usize>)>) -> Anchors {
        found.sort_by(|a, b| a.0.cmp(&b.0));
        let mut anchors = Anchors::default();
        for (text, words, glob) in found {
            if anchors.texts.last().is_none_or(|last| *last.text != *text) {
                let mut within = anchors.texts.len().checked_sub(1);
                while let Some(anchor) = within.and_then(|at| anchors.texts.get(at)) {
                    if text.starts_with(&anchor.text) {
                        break;
                    }
                    within = anchor.within;
                }
                let inherited = within.and_then(|at| anchors.texts.get(at)).map(|anchor| anchor.words);
                anchors.texts.push(Anchor {
                    head: head(text.iter()),
                    text: text.into_boxed_slice(),
                    words: inherited.unwrap_or_default(),
                    globs: Vec::new(),
                    within,
                });
            }
            if let Some(last) = anchors.texts.last_mut() {
                last.words.add(words);
                last.globs.extend(glob);
            }
        }
        anchors
    }

    /// How many anchors are not above a value in order, given its first bytes.
    fn up_to(&self, head: u64, is_within: impl Fn(&[u8]) -> bool) -> usize {
        self.texts.partition_point(|anchor| match anchor.head.cmp(&head) {
            Ordering::Less => true,
            Ordering::Greater => false,
            Ordering::Equal => is_within(&anchor.text),
        })
    }

    /// Adds what the anchors say that begin a value. `after`: how many are not above it in order: whatever begins the value
    /// is the last of these, or begins that one.
    fn climb(
        &self,
        after: usize,
        begins: impl Fn(&[u8]) -> bool,
        words: &mut Words,
        glob: &mut impl FnMut(usize, &mut Words),
    ) {
        let mut next = after.checked_sub(1);
        let mut inherits = false;
        while let Some(anchor) = next.and_then(|at| self.texts.get(at)) {
            // What begins an anchor that begins the value, begins the value.
            if inherits || begins(&anchor.text) {
                if !inherits {
                    words.add(anchor.words);
                    inherits = true;
                }
                anchor.globs.iter().for_each(|at| glob(*at, words));
            }
            next = anchor.within;
        }
    }
}

/// The first eight bytes as a number that orders as they do; what is missing counts as 0.
fn head<'a>(bytes: impl Iterator<Item = &'a u8>) -> u64 {
    let mut first = [0; 8];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u64::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All texts of up to four letters over a small alphabet.
    fn texts() -> Vec<Vec<u8>> {
        let mut texts = vec![Vec::new()];
        let mut from = 0;
        for _ in 0..4 {
            let until = texts.len();
            for at in from..until {
                for letter in b"ab/" {
                    let mut longer = texts[at].clone();
                    longer.push(*letter);
                    texts.push(longer);
                }
            }
            from = until;
        }
        texts
    }

    #[test]
    fn an_index_answers_as_its_patterns_do() {
        let written = [
            "a*", "ab*", "ab/*", "abb*", "b*", "/*", "*a", "*ba", "*aba", "*/", "*b/*", "*a*", "*ab*",
            "*//*", "a*b", "a*a", "/*a*b", "*a*b", "*b*a*", "*a/b*", "*bb*", "*aa*", "*ba*", "*/a*", "ab*ba",
        ];
        for count in [1, FEW, FEW + 1, written.len()] {
            let all: Vec<(Pattern, Words)> = written[..count]
                .iter()
                .enumerate()
                .map(|(at, text)| (Pattern::parse(text), Words { equal: 1 << at, not: 0 }))
                .collect();
            let wild = Wild::new(all.clone());
            assert_eq!(wild.index.is_some(), count > FEW);
            for text in texts() {
                let mut words = Words::default();
                wild.add(&text, &mut words);
                let expected = all.iter().filter(|(pattern, _)| pattern.matches(&text));
                let expected = expected.fold(0, |mask, (_, words)| mask | words.equal);
                assert_eq!(words.equal, expected, "{}", String::from_utf8_lossy(&text));
            }
        }
    }
}
