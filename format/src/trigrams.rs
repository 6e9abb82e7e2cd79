//! Which texts may hold which parts: a filter of all three characters that follow each other in them.
//!
//! A text has an end of its own on either side, so `ab` is looked at as `^ab`, `ab$`, and a pattern that is anchored at
//! one side says more than one that is not:
//!
//! ```text
//! /etc/passwd   ^/e /et etc tc/ c/p /pa pas ass ssw swd wd$ and ^^/, d$$
//! *shadow*      sha had ado dow: none of them is above, so no text of that filter has it
//! ```

use crate::bloom::Bloom;

/// A filter of the parts of texts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Trigrams(pub(crate) Bloom);

/// Stand for the ends of a text.
const START: u32 = 256;
const END: u32 = 257;

impl Trigrams {
    /// Whether this text, whole, may be among the texts; `false` is certain.
    pub fn may_contain(&self, text: &[u8]) -> bool {
        self.may_contain_part(text, true, true)
    }

    /// Whether a text may be there that has this part: at its beginning, at its end, or anywhere.
    pub fn may_contain_part(&self, part: &[u8], at_start: bool, at_end: bool) -> bool {
        let (start, end) =
            (if at_start { &[START; 2][..] } else { &[] }, if at_end { &[END; 2][..] } else { &[] });
        let mut all =
            start.iter().copied().chain(part.iter().map(|b| u32::from(*b))).chain(end.iter().copied());
        let (Some(mut a), Some(mut b)) = (all.next(), all.next()) else { return true };
        all.all(|c| {
            let may = self.0.may_contain(hash(a, b, c));
            (a, b) = (b, c);
            may
        })
    }

    pub fn bytes(&self) -> usize {
        self.0.bytes()
    }

    pub(crate) fn add(&mut self, other: &Trigrams) {
        self.0.add(&other.0);
    }
}

/// Collects the texts of a block.
#[derive(Debug, Default)]
pub(crate) struct TrigramsBuilder {
    bloom: Bloom,
    before: Vec<u8>,
}

impl TrigramsBuilder {
    pub(crate) fn clear(&mut self) {
        self.bloom = Bloom::full_size();
        self.before.clear();
    }

    /// Takes a text. Texts that follow each other often begin alike, and what they have in common is looked at once.
    pub(crate) fn text(&mut self, text: &[u8]) {
        let common = text.iter().zip(&self.before).take_while(|(a, b)| a == b).count();
        let character = |at: Option<usize>| at.and_then(|at| text.get(at)).map_or(START, |c| u32::from(*c));
        let (mut a, mut b) = (character(common.checked_sub(2)), character(common.checked_sub(1)));
        let rest = text.get(common..).unwrap_or_default();
        for c in rest.iter().map(|c| u32::from(*c)).chain([END, END]) {
            self.bloom.insert(hash(a, b, c));
            (a, b) = (b, c);
        }
        self.before.clear();
        self.before.extend_from_slice(text);
    }

    /// The filter at full size.
    pub(crate) fn whole(self) -> Trigrams {
        Trigrams(self.bloom)
    }

    /// The filter, of about this many bytes at most; `None` when so few would say nothing.
    pub(crate) fn finish(&mut self, most_bytes: usize) -> Option<Trigrams> {
        /// Of 256: a part of eight characters is still ruled out nine times of ten.
        const FULL: usize = 208;
        let mut bloom = std::mem::take(&mut self.bloom);
        bloom.fold(most_bytes);
        (bloom.density() <= FULL).then_some(Trigrams(bloom))
    }
}

/// Of three characters, each a byte or an end.
fn hash(a: u32, b: u32, c: u32) -> u64 {
    u64::from(a << 18 | b << 9 | c).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Trigrams {
        let mut builder = TrigramsBuilder::default();
        builder.clear();
        texts.iter().for_each(|text| builder.text(text.as_bytes()));
        builder.finish(usize::MAX).expect("few texts fit")
    }

    #[test]
    fn every_part_of_every_text_may_be_there() {
        let texts =
            ["/etc/passwd", "/etc/passwd-", "/etc", "", "a", "ab", "/usr/lib/x86_64/libc.so.6", "/usr/lib"];
        let trigrams = of(&texts);
        for text in texts.map(str::as_bytes) {
            assert!(trigrams.may_contain(text));
            for start in 0..=text.len() {
                for end in start..=text.len() {
                    let part = &text[start..end];
                    assert!(trigrams.may_contain_part(part, false, false));
                    assert!(trigrams.may_contain_part(&text[..end], true, false));
                    assert!(trigrams.may_contain_part(&text[start..], false, true));
                }
            }
        }
    }

    #[test]
    fn what_is_nowhere_is_ruled_out_and_anchors_count() {
        let trigrams = of(&["/etc/passwd", "/usr/lib/libc.so.6"]);
        assert!(!trigrams.may_contain_part(b"shadow", false, false));
        assert!(!trigrams.may_contain_part(b"lib", true, false), "no text begins so");
        assert!(!trigrams.may_contain_part(b"pass", false, true), "no text ends so");
        assert!(!trigrams.may_contain(b"/etc"));
        assert!(trigrams.may_contain_part(b"", false, false) && !of(&[]).may_contain(b""));
    }

    #[test]
    fn a_filter_that_is_too_small_says_nothing_rather_than_anything_wrong() {
        let mut builder = TrigramsBuilder::default();
        builder.clear();
        for n in 0..5000u32 {
            builder.text(format!("{:x}", n.wrapping_mul(2_654_435_761)).as_bytes());
        }
        assert_eq!(builder.finish(64), None);
    }
}
