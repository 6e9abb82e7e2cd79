//! Strings with wildcards.

use std::fmt;

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
        self.pieces() == other.pieces()
    }
}

impl Eq for Pattern {}

impl Pattern {
    pub fn exact(text: impl Into<Vec<u8>>) -> Pattern {
        Pattern::Exact(text.into().into_boxed_slice())
    }

    /// Reads `a*`, `*a`, `*a*`, `a*b` and so on. A backslash before `*`, `,`, `=` or a backslash makes it an ordinary
    /// character; before anything else it is itself one.
    pub fn parse(text: &str) -> Pattern {
        let mut pieces: Vec<Vec<u8>> = vec![Vec::new()];
        let mut wild = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let literal = match c {
                '*' => {
                    // Two wildcards side by side are one.
                    if !wild {
                        pieces.push(Vec::new());
                    }
                    wild = true;
                    continue;
                }
                '\\' => chars.next_if(|next| ESCAPED.contains(*next)).unwrap_or(c),
                _ => c,
            };
            wild = false;
            if let Some(last) = pieces.last_mut() {
                last.extend_from_slice(literal.encode_utf8(&mut [0; 4]).as_bytes());
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

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, piece) in self.pieces().into_iter().enumerate() {
            let star = if at == 0 { "" } else { "*" };
            write!(out, "{star}{}", String::from_utf8_lossy(piece))?;
        }
        Ok(())
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
pub(crate) const ESCAPED: &str = "*,=\\";

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
    fn one_pattern_covers_another_only_when_that_is_sure() {
        let covers = |a: &str, b: &str| Pattern::parse(a).covers(&Pattern::parse(b));
        assert!(covers("/tmp*", "/tmp/a") && covers("/tmp*", "/tmp/*") && covers("*a*", "*xax*"));
        assert!(!covers("/tmp/*", "/tmp*") && !covers("a", "a*"));
    }
}
