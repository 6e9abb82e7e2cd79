//! Words, texts, numbers and signs.

use std::ops::Range;

use crate::elastic::ask::Wrong;

#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    /// A keyword, or the name of a field or function; `in~` is one word.
    Word(String),
    /// A name in backticks, which is no keyword.
    Name(String),
    Text(String),
    Number(f64),
    /// A number with a fraction, even if that is zero.
    Decimal(f64),
    Sign(&'static str),
}

#[derive(Clone, PartialEq, Debug)]
pub struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

/// The longest first.
const SIGNS: &[&str] = &[
    "==", "!=", "<=", ">=", "<", ">", "=", ":", "(", ")", "[", "]", ",", "!", "?", "|", "+", "-", "*", "/",
    "%", ".",
];

pub fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let c = rest.chars().next().unwrap_or_default();
        let (kind, length) = if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        } else if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if rest.starts_with("/*") {
            let Some(end) = rest.find("*/") else {
                return Err(Wrong::new(at..at + 2, "this comment is not closed"));
            };
            at += end + 2;
            continue;
        } else if rest.starts_with("\"\"\"") {
            raw(rest, at)?
        } else if c == '"' {
            quoted(rest, at)?
        } else if c == '`' || c.is_alphabetic() || matches!(c, '_' | '@') {
            word(rest, at)?
        } else if c.is_ascii_digit() {
            number(rest, at)?
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Kind::Sign(sign), sign.len())
        } else {
            let message = match c {
                '\'' => "texts stand in double quotes".to_owned(),
                c => format!("{c:?} cannot stand in a query"),
            };
            return Err(Wrong::new(at..at + c.len_utf8(), message));
        };
        tokens.push(Token { kind, span: at..at + length });
        at += length;
    }
    Ok(tokens)
}

/// `"""as it stands"""`. A quote more right before the end belongs to the text.
fn raw(rest: &str, at: usize) -> Result<(Kind, usize), Wrong> {
    let inside = rest.get(3..).unwrap_or("");
    let Some(mut end) = inside.find("\"\"\"") else {
        return Err(Wrong::new(at..at + 3, "this text is not closed"));
    };
    while end < inside.len() && inside.get(end + 3..).is_some_and(|more| more.starts_with('"')) {
        end += 1;
    }
    Ok((Kind::Text(inside.get(..end).unwrap_or("").to_owned()), end + 6))
}

fn quoted(rest: &str, at: usize) -> Result<(Kind, usize), Wrong> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Ok((Kind::Text(text), index + 1)),
            '\n' => break,
            '\\' => {
                let unknown = |c: char| {
                    let span = at + index..at + index + 1 + c.len_utf8();
                    Wrong::new(span, format!("\\{c} is no escape: a backslash is written \\\\"))
                };
                match chars.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, 'r')) => text.push('\r'),
                    Some((_, 'b')) => text.push('\u{8}'),
                    Some((_, 'f')) => text.push('\u{c}'),
                    Some((_, c @ ('"' | '\\' | '\''))) => text.push(c),
                    Some((_, 'u')) => {
                        let code: String =
                            chars.by_ref().skip(1).map(|(_, c)| c).take_while(|c| *c != '}').collect();
                        match u32::from_str_radix(&code, 16).ok().and_then(char::from_u32) {
                            Some(c) => text.push(c),
                            None => return Err(unknown('u')),
                        }
                    }
                    Some((_, c)) => return Err(unknown(c)),
                    None => break,
                }
            }
            c => text.push(c),
        }
    }
    Err(Wrong::new(at..at + 1, "this text is not closed on its line"))
}

/// `process.Ext.name`, `in~`, and parts in backticks.
fn word(rest: &str, at: usize) -> Result<(Kind, usize), Wrong> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@');
    let mut text = String::new();
    let mut length = 0;
    let mut is_plain = true;
    while let Some(more) = rest.get(length..) {
        if let Some(inside) = more.strip_prefix('`') {
            let Some(end) = inside.find('`') else {
                return Err(Wrong::new(at + length..at + length + 1, "this name is not closed"));
            };
            text.push_str(inside.get(..end).unwrap_or(""));
            length += end + 2;
            is_plain = false;
        } else {
            let end = more.find(|c| !is_part(c)).unwrap_or(more.len());
            text.push_str(more.get(..end).unwrap_or(""));
            length += end;
        }
        let next = rest.get(length..).unwrap_or("").strip_prefix('.');
        if !next.is_some_and(|it| {
            it.starts_with(|c: char| c == '`' || c.is_alphabetic() || matches!(c, '_' | '@'))
        }) {
            break;
        }
        text.push('.');
        length += 1;
    }
    if is_plain && rest.get(length..).is_some_and(|it| it.starts_with('~')) {
        text.push('~');
        length += 1;
    }
    Ok((if is_plain { Kind::Word(text) } else { Kind::Name(text) }, length))
}

fn number(rest: &str, at: usize) -> Result<(Kind, usize), Wrong> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let mut length = digits(rest);
    let mut is_decimal = false;
    if let Some(fraction) = rest.get(length..).and_then(|it| it.strip_prefix('.'))
        && digits(fraction) > 0
    {
        length += 1 + digits(fraction);
        is_decimal = true;
    }
    match rest.get(..length).and_then(|it| it.parse().ok()) {
        Some(number) if is_decimal => Ok((Kind::Decimal(number), length)),
        Some(number) => Ok((Kind::Number(number), length)),
        None => Err(Wrong::new(at..at + length, "this is no number")),
    }
}
