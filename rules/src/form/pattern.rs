//! Texts with wildcards.

use memchr::memmem;

/// Whether upper and lower case are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Case {
    Exact,
    /// ASCII letters are the same in both cases. Patterns with others become regular expressions: see
    /// [`crate::form::Test`].
    Folded,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Piece {
    Literal(Vec<u8>),
    /// `?`: one character of UTF-8, or one byte that is none.
    One,
    /// `*`: any number of bytes.
    Many,
}

/// A text with wildcards that a whole value must fit. The common shapes are kept apart, for they are asked quicker.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Pattern {
    Equals(Vec<u8>),
    Prefix(Vec<u8>),
    Suffix(Vec<u8>),
    Contains(Vec<u8>),
    Glob(Vec<Piece>),
}

impl Pattern {
    pub fn from_pieces(pieces: Vec<Piece>) -> Pattern {
        let mut joined: Vec<Piece> = Vec::new();
        for piece in pieces {
            match (joined.last_mut(), piece) {
                (Some(Piece::Literal(last)), Piece::Literal(more)) => last.extend(more),
                (_, Piece::Literal(empty)) if empty.is_empty() => {}
                (Some(Piece::Many), Piece::Many) => {}
                (_, piece) => joined.push(piece),
            }
        }
        match joined.as_mut_slice() {
            [] => Pattern::Equals(Vec::new()),
            [Piece::Literal(text)] => Pattern::Equals(std::mem::take(text)),
            [Piece::Many] => Pattern::Contains(Vec::new()),
            [Piece::Literal(text), Piece::Many] => Pattern::Prefix(std::mem::take(text)),
            [Piece::Many, Piece::Literal(text)] => Pattern::Suffix(std::mem::take(text)),
            [Piece::Many, Piece::Literal(text), Piece::Many] => Pattern::Contains(std::mem::take(text)),
            _ => Pattern::Glob(joined),
        }
    }

    pub fn pieces(&self) -> Vec<Piece> {
        match self {
            Pattern::Equals(text) => vec![Piece::Literal(text.clone())],
            Pattern::Prefix(text) => vec![Piece::Literal(text.clone()), Piece::Many],
            Pattern::Suffix(text) => vec![Piece::Many, Piece::Literal(text.clone())],
            Pattern::Contains(text) => vec![Piece::Many, Piece::Literal(text.clone()), Piece::Many],
            Pattern::Glob(pieces) => pieces.clone(),
        }
    }

    /// The same with its literals in lower case.
    pub fn lower(self) -> Pattern {
        let lower = |text: Vec<u8>| text.to_ascii_lowercase();
        match self {
            Pattern::Equals(text) => Pattern::Equals(lower(text)),
            Pattern::Prefix(text) => Pattern::Prefix(lower(text)),
            Pattern::Suffix(text) => Pattern::Suffix(lower(text)),
            Pattern::Contains(text) => Pattern::Contains(lower(text)),
            Pattern::Glob(pieces) => {
                let lower = |piece| match piece {
                    Piece::Literal(text) => Piece::Literal(text.to_ascii_lowercase()),
                    other => other,
                };
                Pattern::Glob(pieces.into_iter().map(lower).collect())
            }
        }
    }

    /// Whether a value fits. Where case is folded, both are in lower case already.
    pub fn fits(&self, value: &[u8]) -> bool {
        match self {
            Pattern::Equals(text) => value == text,
            Pattern::Prefix(text) => value.starts_with(text),
            Pattern::Suffix(text) => value.ends_with(text),
            Pattern::Contains(text) => memmem::find(value, text).is_some(),
            Pattern::Glob(pieces) => glob(pieces, value),
        }
    }
}

/// The last star is tried again one further on, which is enough: what stands before it fits already.
fn glob(pieces: &[Piece], value: &[u8]) -> bool {
    let (mut at, mut piece) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        let fits = match pieces.get(piece) {
            None => at == value.len(),
            Some(Piece::Many) => {
                star = Some((piece + 1, at));
                piece += 1;
                continue;
            }
            Some(Piece::One) => match value.get(at..) {
                Some(rest) if !rest.is_empty() => {
                    at += character(rest);
                    true
                }
                _ => false,
            },
            Some(Piece::Literal(text)) => {
                match value.get(at..).and_then(|rest| rest.strip_prefix(text.as_slice())) {
                    Some(_) => {
                        at += text.len();
                        true
                    }
                    None => false,
                }
            }
        };
        match (fits, pieces.get(piece)) {
            (true, None) => return true,
            (true, Some(_)) => piece += 1,
            (false, _) => {
                let Some((after, from)) = star else { return false };
                let Some(rest) = value.get(from + 1..) else { return false };
                // A literal behind the star says where the next try can be.
                let skip = match pieces.get(after) {
                    Some(Piece::Literal(text)) => match memmem::find(rest, text) {
                        Some(skip) => skip,
                        None => return false,
                    },
                    _ => 0,
                };
                (piece, at) = (after, from + 1 + skip);
                star = Some((after, at));
            }
        }
    }
}

/// Bytes of the first character.
fn character(bytes: &[u8]) -> usize {
    let length = match bytes.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => 1,
    };
    match bytes.get(..length) {
        Some(whole) if std::str::from_utf8(whole).is_ok() => length,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        let piece = |c| match c {
            '*' => Piece::Many,
            '?' => Piece::One,
            c => Piece::Literal(c.to_string().into_bytes()),
        };
        Pattern::from_pieces(text.chars().map(piece).collect())
    }

    #[test]
    fn shapes_are_told_apart() {
        assert_eq!(pattern("ab"), Pattern::Equals(b"ab".to_vec()));
        assert_eq!(pattern("ab**"), Pattern::Prefix(b"ab".to_vec()));
        assert_eq!(pattern("*ab"), Pattern::Suffix(b"ab".to_vec()));
        assert_eq!(pattern("*ab*"), Pattern::Contains(b"ab".to_vec()));
        assert!(matches!(pattern("a*b"), Pattern::Glob(_)));
    }

    #[test]
    fn wildcards_stand_for_any_bytes_and_for_one_character() {
        for (text, value, expected) in [
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("*a?c", "aabcaxc", true),
            ("a?c", "a\u{e9}c", true),
            ("a??c", "a\u{e9}c", false),
            ("*.sh", ".sh", true),
            ("?*", "", false),
            ("**", "", true),
            ("*ab*ab", "abab", true),
            ("*ab*ab", "ab", false),
            ("a*", "ba", false),
        ] {
            assert_eq!(pattern(text).fits(value.as_bytes()), expected, "{text} of {value}");
        }
        assert!(pattern("a?c").fits(b"a\xffc"));
    }

    proptest::proptest! {
        #[test]
        fn globs_fit_what_the_regular_expression_fits(text in "[ab*?]{0,8}", value in "[ab]{0,10}") {
            let regex = format!("^{}$", text.replace('*', ".*").replace('?', "."));
            let expected = regex::Regex::new(&regex).expect("a pattern").is_match(&value);
            proptest::prop_assert_eq!(pattern(&text).fits(value.as_bytes()), expected);
        }
    }
}
