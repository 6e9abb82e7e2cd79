//! Strings with wildcards.

use std::fmt;
use std::hash::{Hash, Hasher};

use memchr::memmem::Finder;

/// What a filter's text matches. `*` stands for any bytes, also none; matching is case-sensitive.
#[derive(Clone, Debug)]
pub enum Pattern {
    Exact(Box<[u8]>),
    Prefix(Box<[u8]>),
    Suffix(Box<[u8]>),
    Contains(Box<Finder<'static>>),
    /// The pieces between wildcards: the first and the last are anchored.
    Glob(Box<[Finder<'static>]>),
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        #[cfg(test)]
        comparisons::count();
        self.pieces() == other.pieces()
    }
}

impl Eq for Pattern {}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.pieces().hash(state);
    }
}

impl Pattern {
    pub fn exact(text: impl Into<Vec<u8>>) -> Pattern {
        Pattern::Exact(text.into().into_boxed_slice())
    }

    /// Reads `a*`, `*a`, `*a*`, `a*b` and so on. What can be copied from an answer is read as the bytes that it stands
    /// for: `\xNN` as tables show a byte, and the private-use characters that stand for bytes in JSON. A backslash before
    /// `*`, `,`, `=`, `@` or a backslash makes it an ordinary character; before anything else it is itself one.
    pub fn parse(text: &str) -> Pattern {
        let mut pieces: Vec<Vec<u8>> = vec![Vec::new()];
        let mut wild = false;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let behind = &rest[c.len_utf8()..];
            let (literal, after) = match c {
                '*' => {
                    // Two wildcards side by side are one.
                    if !wild {
                        pieces.push(Vec::new());
                    }
                    wild = true;
                    rest = behind;
                    continue;
                }
                '\\' => match (escaped_byte(behind), behind.chars().next()) {
                    (Some(byte), _) => (Literal::Byte(byte), &behind[3..]),
                    (None, Some(next)) if ESCAPED.contains(next) => {
                        (Literal::Char(next), &behind[next.len_utf8()..])
                    }
                    _ => (Literal::Char(c), behind),
                },
                c => match (c as u32).checked_sub(JSON_BYTES) {
                    Some(byte @ 0x80..=0xff) => (Literal::Byte(byte as u8), behind),
                    _ => (Literal::Char(c), behind),
                },
            };
            wild = false;
            rest = after;
            if let Some(last) = pieces.last_mut() {
                match literal {
                    Literal::Byte(byte) => last.push(byte),
                    Literal::Char(c) => last.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
        }
        Pattern::from_pieces(pieces)
    }

    fn from_pieces(pieces: Vec<Vec<u8>>) -> Pattern {
        match pieces.as_slice() {
            [exact] => Pattern::exact(exact.as_slice()),
            [prefix, empty] if empty.is_empty() => Pattern::Prefix(prefix.as_slice().into()),
            [empty, suffix] if empty.is_empty() => Pattern::Suffix(suffix.as_slice().into()),
            [a, middle, b] if a.is_empty() && b.is_empty() => {
                Pattern::Contains(Box::new(Finder::new(middle).into_owned()))
            }
            _ => Pattern::Glob(pieces.iter().map(|piece| Finder::new(piece).into_owned()).collect()),
        }
    }

    /// What stands between the wildcards.
    pub fn pieces(&self) -> Vec<&[u8]> {
        match self {
            Pattern::Exact(text) => vec![text],
            Pattern::Prefix(text) => vec![text, b""],
            Pattern::Suffix(text) => vec![b"", text],
            Pattern::Contains(finder) => vec![b"", finder.needle(), b""],
            Pattern::Glob(pieces) => pieces.iter().map(Finder::needle).collect(),
        }
    }

    pub fn is_exact(&self) -> bool {
        matches!(self, Pattern::Exact(_))
    }

    /// Whether it is nothing but wildcards, and so filters nothing.
    pub fn is_lone_wildcard(&self) -> bool {
        !self.is_exact() && self.pieces().iter().all(|piece| piece.is_empty())
    }

    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            Pattern::Exact(text) => **text == *value,
            Pattern::Prefix(text) => value.starts_with(text),
            Pattern::Suffix(text) => value.ends_with(text),
            Pattern::Contains(finder) => finder.find(value).is_some(),
            Pattern::Glob(pieces) => glob(pieces, value),
        }
    }

    /// What every value that matches has inside, of several such pieces the one that is least likely elsewhere. `None`
    /// where comparing a value's beginning or end says more, and where there is none.
    pub(crate) fn inside(&self) -> Option<&Finder<'static>> {
        match self {
            Pattern::Contains(finder) => Some(finder),
            Pattern::Glob(pieces) => pieces
                .iter()
                .max_by_key(|piece| (rarity(piece.needle()), piece.needle().len()))
                .filter(|piece| !piece.needle().is_empty()),
            _ => None,
        }
    }

    /// Whether everything that `other` matches is surely matched by this one too. `false` also when it is not known.
    pub fn covers(&self, other: &Pattern) -> bool {
        #[cfg(test)]
        comparisons::count();
        if self == other {
            return true;
        }
        match (self, other) {
            (_, Pattern::Exact(text)) => self.matches(text),
            (Pattern::Prefix(text), Pattern::Prefix(longer)) => longer.starts_with(text),
            (Pattern::Suffix(text), Pattern::Suffix(longer)) => longer.ends_with(text),
            (Pattern::Contains(finder), _) => other.pieces().iter().any(|piece| finder.find(piece).is_some()),
            (Pattern::Prefix(text), Pattern::Glob(pieces)) => {
                pieces.first().is_some_and(|first| first.needle().starts_with(text))
            }
            (Pattern::Suffix(text), Pattern::Glob(pieces)) => {
                pieces.last().is_some_and(|last| last.needle().ends_with(text))
            }
            _ => false,
        }
    }
}

/// As a filter has it: what is read from this is the same pattern.
impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, piece) in self.pieces().into_iter().enumerate() {
            if at > 0 {
                out.write_str("*")?;
            }
            for chunk in piece.utf8_chunks() {
                for c in chunk.valid().chars() {
                    let is_byte = matches!((c as u32).checked_sub(JSON_BYTES), Some(0x80..=0xff));
                    if c.is_control() || is_byte {
                        c.encode_utf8(&mut [0; 4])
                            .bytes()
                            .try_for_each(|byte| write!(out, "\\x{byte:02x}"))?;
                    } else if ESCAPED.contains(c) {
                        write!(out, "\\{c}")?;
                    } else {
                        write!(out, "{c}")?;
                    }
                }
                chunk.invalid().iter().try_for_each(|byte| write!(out, "\\x{byte:02x}"))?;
            }
        }
        Ok(())
    }
}

enum Literal {
    Byte(u8),
    Char(char),
}

/// The byte of `xNN`, with which a text begins.
fn escaped_byte(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('x')?.get(..2)?;
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u8::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

/// JSON has no bytes: one that is no part of UTF-8 is printed as the private-use character of this and the byte.
const JSON_BYTES: u32 = 0x10_ff00;

/// How often patterns were compared, so that a test can bound it.
#[cfg(test)]
pub(crate) mod comparisons {
    use std::cell::Cell;

    thread_local!(static COUNT: Cell<u64> = const { Cell::new(0) });

    pub fn count() {
        COUNT.set(COUNT.get() + 1);
    }

    /// The comparisons that `what` makes in this thread.
    pub fn of(what: impl FnOnce()) -> u64 {
        let before = COUNT.get();
        what();
        COUNT.get() - before
    }
}

/// How unlikely a text is in names of files, which are lower-case letters for the most part.
pub(crate) fn rarity(text: &[u8]) -> u32 {
    let rarity = |byte: &u8| match byte {
        b'e' | b't' | b'a' | b'o' | b'i' | b'n' | b's' | b'r' | b'l' | b'c' | b'/' => 0,
        b'a'..=b'z' => 1,
        b'.' | b'-' | b'_' => 2,
        _ => 3,
    };
    text.iter().map(rarity).sum()
}

/// What a backslash makes ordinary.
pub(crate) const ESCAPED: &str = "*,=@\\";

fn glob(pieces: &[Finder<'_>], value: &[u8]) -> bool {
    let [first, middle @ .., last] = pieces else { return false };
    // Comparing no bytes takes longer than comparing some: the call is made all the same, with a mask of nothing.
    let mut rest = value;
    if !first.needle().is_empty() {
        let Some(left) = rest.strip_prefix(first.needle()) else { return false };
        rest = left;
    }
    if !last.needle().is_empty() {
        let Some(left) = rest.strip_suffix(last.needle()) else { return false };
        rest = left;
    }
    // Leftmost finds are enough: an earlier end leaves more for the pieces after it.
    for piece in middle {
        match piece.find(rest) {
            Some(at) => rest = rest.get(at + piece.needle().len()..).unwrap_or_default(),
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_any_bytes_at_any_place() {
        let matches = |pattern: &str, value: &str| Pattern::parse(pattern).matches(value.as_bytes());
        assert!(matches("/tmp*", "/tmp") && matches("/tmp*", "/tmp/x") && !matches("/tmp*", "/tm"));
        assert!(matches("*.so", "libc.so") && !matches("*.so", "libc.so.6"));
        assert!(matches("*passwd*", "/etc/passwd-") && !matches("*passwd*", "/etc/shadow"));
        assert!(matches("/proc/*/maps", "/proc/1/maps") && !matches("/proc/*/maps", "/proc/maps"));
        assert!(matches("a*b*c", "abbc") && matches("a*b*c", "a-b-b-c") && !matches("a*b*c", "acb"));
        assert!(matches("a**b", "ab") && !matches("ab*ba", "aba"));
        assert!(!matches("LS", "ls"));
    }

    #[test]
    fn a_backslash_makes_a_wildcard_ordinary() {
        assert_eq!(Pattern::parse(r"a\*b"), Pattern::exact("a*b"));
        assert_eq!(Pattern::parse(r"a\,b\=c\\d\n"), Pattern::exact(r"a,b=c\d\n"));
    }

    #[test]
    fn what_is_shown_of_bytes_is_read_as_the_bytes() {
        assert_eq!(Pattern::parse(r"a\xffb"), Pattern::exact(b"a\xffb"));
        assert_eq!(Pattern::parse("a\u{10ffff}b"), Pattern::exact(b"a\xffb"));
        assert_eq!(Pattern::parse(r"\x1b[2J\x0a*"), Pattern::Prefix(b"\x1b[2J\n".as_slice().into()));
        assert_eq!(Pattern::parse(r"\\x41"), Pattern::exact(r"\x41"));
        assert_eq!(Pattern::parse(r"\x4\xg1\x+1\xü"), Pattern::exact(r"\x4\xg1\x+1\xü"));
        assert_eq!(Pattern::parse(r"\@x"), Pattern::exact("@x"));
    }

    #[test]
    fn a_pattern_is_written_as_it_is_read() {
        for text in ["a*b", r"a\,b\*\=*\@", r"\xff\x0a*", r"a\\x41", "Grüße*日本", r"\xf4\x8f\xbf\xbf"] {
            assert_eq!(Pattern::parse(text).to_string(), text);
            assert_eq!(Pattern::parse(&Pattern::parse(text).to_string()), Pattern::parse(text));
        }
    }

    #[test]
    fn one_pattern_covers_another_only_when_that_is_sure() {
        let covers = |a: &str, b: &str| Pattern::parse(a).covers(&Pattern::parse(b));
        assert!(covers("/tmp*", "/tmp/a") && covers("/tmp*", "/tmp/*") && covers("*a*", "*xax*"));
        assert!(!covers("/tmp/*", "/tmp*") && !covers("a", "a*"));
    }
}
