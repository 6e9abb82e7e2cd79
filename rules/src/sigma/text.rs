//! Values: texts with wildcards and escapes.

use crate::form::{Pattern, Piece};

/// Reads wildcards and escapes, in one pass: a backslash before `*`, `?` or a backslash makes that ordinary and disappears;
/// before anything else, and at the end, it stays.
pub fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let wildcard = match byte {
            b'\\' => {
                match bytes.next_if(|next| matches!(next, b'*' | b'?' | b'\\')) {
                    Some(escaped) => literal.push(escaped),
                    None => literal.push(b'\\'),
                }
                continue;
            }
            b'*' => Piece::Many,
            b'?' => Piece::One,
            other => {
                literal.push(other);
                continue;
            }
        };
        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        pieces.push(wildcard);
    }
    pieces.push(Piece::Literal(literal));
    pieces.retain(|piece| !matches!(piece, Piece::Literal(text) if text.is_empty()));
    pieces
}

/// The bytes of a text that has no wildcard.
pub fn literal(pieces: &[Piece]) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Literal(text) => bytes.extend(text),
            Piece::One | Piece::Many => return None,
        }
    }
    Some(bytes)
}

/// Does something to each literal.
pub fn map(pieces: Vec<Piece>, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<Piece> {
    let change = |piece| match piece {
        Piece::Literal(text) => Piece::Literal(change(&text)),
        other => other,
    };
    pieces.into_iter().map(change).collect()
}

/// The same as a regular expression without case, for texts beyond ASCII: their cases are Unicode's.
pub fn regex(pattern: &Pattern) -> String {
    let mut regex = String::from("(?is)^");
    for piece in pattern.pieces() {
        match piece {
            Piece::Literal(text) => regex.push_str(&regex::escape(&String::from_utf8_lossy(&text))),
            Piece::One => regex.push('.'),
            Piece::Many => regex.push_str(".*"),
        }
    }
    regex.push('$');
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lit(text: &str) -> Piece {
        Piece::Literal(text.as_bytes().to_vec())
    }

    #[test]
    fn a_backslash_escapes_wildcards_and_itself_only() {
        assert_eq!(pieces(r"a\b"), [lit(r"a\b")]);
        assert_eq!(pieces(r"a\\b"), [lit(r"a\b")]);
        assert_eq!(pieces(r"\*"), [lit("*")]);
        assert_eq!(pieces(r"\\*"), [lit(r"\"), Piece::Many]);
        assert_eq!(pieces(r"\\\*"), [lit(r"\*")]);
        assert_eq!(pieces(r"\\\\"), [lit(r"\\")]);
        assert_eq!(pieces("a\\"), [lit("a\\")]);
        assert_eq!(pieces("?a*"), [Piece::One, lit("a"), Piece::Many]);
        assert_eq!(pieces(""), []);
    }
}
