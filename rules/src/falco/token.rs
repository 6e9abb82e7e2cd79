//! Words of conditions.

use std::ops::Range;

/// A word and its bytes in the condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A name, a field, a number, a bare value.
    Word(String),
    Quoted(String),
    /// `=`, `!=`, `<=` and so on.
    Sign(&'static str),
    Open,
    Close,
    Comma,
}

const SIGNS: [&str; 7] = ["==", "!=", "<=", ">=", "=", "<", ">"];

/// The tokens of a condition; a quote that does not end is told with its place.
pub fn tokens(text: &str) -> Result<Vec<Token>, (Range<usize>, String)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, length) = match first {
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            ',' => (Kind::Comma, 1),
            '"' | '\'' => {
                quoted(rest, first).ok_or_else(|| (at..text.len(), "this quote does not end".into()))?
            }
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Kind::Sign(sign), sign.len()),
                None => {
                    let length = word(rest);
                    (Kind::Word(rest.get(..length).unwrap_or_default().to_owned()), length)
                }
            },
        };
        tokens.push(Token { kind, span: at..at + length });
        at += length;
    }
    Ok(tokens)
}

/// Bytes of a bare word: up to a blank, a bracket, a comma or a sign; what stands in square brackets belongs to it.
fn word(text: &str) -> usize {
    let mut depth = 0usize;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            '(' | ')' | ',' | '"' | '\'' => return at.max(1),
            '=' | '<' | '>' => return at.max(1),
            '!' if text.get(at + 1..).is_some_and(|rest| rest.starts_with('=')) => return at.max(1),
            c if c.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

fn quoted(text: &str, quote: char) -> Option<(Kind, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some((_, next)) if next == quote || next == '\\' => value.push(next),
                Some((_, next)) => value.extend(['\\', next]),
                None => return None,
            },
            c if c == quote => return Some((Kind::Quoted(value), at + 1)),
            c => value.push(c),
        }
    }
    None
}
