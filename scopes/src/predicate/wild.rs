//! Many wildcards at once: what a value can match is found by what anchors the patterns, not by asking each of them.
//!
//! ```text
//! /etc/*      by its beginning: one binary search over all beginnings, then up the chain of those that begin it
//! *.so        by its end: the same, read backwards
//! *passwd*    by what is inside: one automaton over all of them
//! /proc/*/fd  by its beginning, and only then asked itself
//! ```

use std::cmp::Ordering;

use aho_corasick::{AhoCorasick, Span, packed};

use crate::batch::Strings;
use crate::pattern::{Pattern, rarity};
use crate::words::Words;

/// Up to here each pattern is asked: that takes no longer than looking it up.
const FEW: usize = 4;
/// Up to here parts are searched one by one.
const FEW_INSIDE: usize = 8;
/// Up to here parts are searched with vector instructions before the automaton is asked.
const MANY_INSIDE: usize = 128;
/// Parts that one such search looks for. More of them, and it takes what is none for one too often.
const AT_ONCE: usize = 16;
/// Bytes of a part that it looks for: what its instructions compare at once.
const WINDOW: usize = 4;

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
    /// Each finds whether the rarest bytes of some of them are there, many at a time; none where there are too many parts
    /// for that, or too short ones.
    any: Vec<packed::Searcher>,
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
        match &self.index {
            Some(index) => index.add_each(&self.all, strings, words),
            None => self.all.iter().for_each(|known| ask_each(known, strings, words)),
        }
    }
}

fn ask_each(known: &(Pattern, Words), strings: Strings<'_>, words: &mut [Words]) {
    match known {
        (Pattern::Contains(finder), add) => strings.containing(finder, |at| {
            if let Some(words) = words.get_mut(at) {
                words.add(*add);
            }
        }),
        (pattern, _) => match pattern.inside() {
            // One search over all of them finds those that are worth asking.
            Some(finder) => strings.where_found(
                |bytes, from| Some(from + finder.find(bytes.get(from..)?)?),
                |at, text| {
                    if let Some(words) = words.get_mut(at) {
                        ask(known, text, words);
                    }
                },
            ),
            None => strings.iter().zip(words).for_each(|(text, words)| ask(known, text, words)),
        },
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
        // Few that are too short to be looked for together would keep all others from it.
        let (long, short): (Vec<_>, Vec<_>) =
            inside.iter().copied().partition(|(text, _)| text.len() >= WINDOW);
        let (mut singly, inside) =
            if short.len() <= FEW_INSIDE { (short, long) } else { (Vec::new(), inside) };
        let found = if inside.len() > FEW_INSIDE { Inside::new(&inside) } else { None };
        if found.is_none() {
            singly.extend(inside);
        }
        let singly = singly.into_iter().map(|(_, at)| at).collect();
        Index { beginnings: Anchors::new(beginnings), ends: Anchors::new(ends), singly, inside: found }
    }

    fn add(&self, all: &[(Pattern, Words)], value: &[u8], words: &mut Words) {
        self.add_anchored(all, value, words);
        self.singly.iter().filter_map(|at| all.get(*at)).for_each(|known| ask(known, value, words));
        if let Some(inside) = &self.inside {
            inside.add(all, value, words);
        }
    }

    fn add_each(&self, all: &[(Pattern, Words)], strings: Strings<'_>, words: &mut [Words]) {
        if !self.beginnings.texts.is_empty() || !self.ends.texts.is_empty() {
            for (text, words) in strings.iter().zip(&mut *words) {
                self.add_anchored(all, text, words);
            }
        }
        self.singly.iter().filter_map(|at| all.get(*at)).for_each(|known| ask_each(known, strings, words));
        let Some(inside) = &self.inside else { return };
        if inside.any.is_empty() {
            return strings.iter().zip(words).for_each(|(text, words)| inside.add(all, text, words));
        }
        // Most texts have none of them inside.
        for any in &inside.any {
            strings.where_found(
                |bytes, from| any.find_in(bytes, Span::from(from..bytes.len())).map(|found| found.start()),
                |at, text| {
                    if let Some(words) = words.get_mut(at) {
                        inside.add(all, text, words);
                    }
                },
            );
        }
    }

    /// What is known by its beginning or by its end.
    fn add_anchored(&self, all: &[(Pattern, Words)], value: &[u8], words: &mut Words) {
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
    }
}

impl Inside {
    /// From parts and their positions; `None` when they are too many or too long for an automaton.
    fn new(parts: &[(&[u8], usize)]) -> Option<Inside> {
        let automaton = AhoCorasick::new(parts.iter().map(|(text, _)| text)).ok()?;
        let mut rare: Vec<&[u8]> = parts.iter().map(|(text, _)| rarest(text)).collect();
        rare.sort_unstable();
        rare.dedup();
        let fits = rare.len() <= MANY_INSIDE && rare.iter().all(|text| text.len() == WINDOW);
        let chunks = rare.chunks(AT_ONCE).filter(|_| fits);
        let any = chunks.map(packed::Searcher::new).collect::<Option<Vec<_>>>().unwrap_or_default();
        Some(Inside { automaton, any, patterns: parts.iter().map(|(_, at)| *at).collect() })
    }

    fn add(&self, all: &[(Pattern, Words)], value: &[u8], words: &mut Words) {
        for found in self.automaton.find_overlapping_iter(value) {
            let known = self.patterns.get(found.pattern().as_usize()).and_then(|at| all.get(*at));
            match known {
                Some((Pattern::Contains(_), add)) => words.add(*add),
                Some(known) => ask(known, value, words),
                None => {}
            }
        }
    }
}

/// The bytes of a part that are least likely elsewhere.
fn rarest(part: &[u8]) -> &[u8] {
    part.windows(WINDOW).max_by_key(|window| rarity(window)).unwrap_or(part)
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

    #[test]
    fn many_texts_at_once_are_answered_as_one_by_one() {
        // Parts only, as many as one search takes and more; some reach over the ends of the texts.
        let part = |number: usize| format!("*{}*", String::from_utf8_lossy(&texts()[number]));
        let parts: Vec<String> = (1..121).map(part).collect();
        // Of those of four letters the search looks for all, of longer ones for a part.
        let many = |number: usize| parts[parts.len() - number..].to_vec();
        let four = many(81);
        let longer: Vec<String> = four[40..70].iter().map(|part| format!("*a/{}", &part[1..])).collect();
        let mixed = ["a*", "*b/", "*ab*", "a*b", "*a*b", "*//*", "*b*a*"].map(String::from);
        let (mut texts, mut bytes, mut ends) = (texts(), Vec::new(), Vec::new());
        texts.extend(texts.clone().iter().map(|text| [b"ba/", &text[..], b"a"].concat()));
        for text in &texts {
            bytes.extend_from_slice(text);
            ends.push(bytes.len() as u32);
        }
        for written in [
            many(FEW_INSIDE),
            many(FEW_INSIDE + 1),
            four.clone(),
            [&four[..], &longer].concat(),
            [&four[..], &parts[..3]].concat(),
            parts.clone(),
            mixed.to_vec(),
            mixed[mixed.len() - FEW..].to_vec(),
        ] {
            let bit = |at: usize| Words { equal: 1 << (at % 64), not: 0 };
            let patterns = written.iter().enumerate().map(|(at, text)| (Pattern::parse(text), bit(at)));
            let all: Vec<(Pattern, Words)> = patterns.collect();
            let wild = Wild::new(all.clone());
            let mut each = vec![Words::default(); texts.len()];
            wild.add_each(Strings::new(&bytes, &ends), &mut each);
            for (text, each) in texts.iter().zip(each) {
                let (mut alone, mut expected) = (Words::default(), Words::default());
                wild.add(text, &mut alone);
                all.iter().for_each(|known| ask(known, text, &mut expected));
                let what = || format!("{} of {}", String::from_utf8_lossy(text), written.len());
                assert_eq!((each, alone), (expected, expected), "{}", what());
            }
        }
    }
}
