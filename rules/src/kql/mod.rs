//! KQL: `field:value`, `and`, `or`, `not`, and values with stars.
//!
//! Values of fields that are keywords are told apart by case. A word without a field is asked of all texts by Kibana, which
//! rules over events do not use: it is refused.

#[cfg(test)]
mod tests;

use std::ops::Range;

use crate::elastic::ask::{Ask, Name, Wrong, wildcards};
use crate::form::{Case, Cidr, Comparison, Pattern, Piece, Test};

/// Brackets within each other.
const MAX_DEPTH: usize = 64;

#[derive(Clone, PartialEq, Debug)]
enum Kind {
    /// A word or value without quotes, as it is written with its escapes.
    Word(String),
    /// In quotes.
    Text(String),
    Sign(&'static str),
}

#[derive(Clone, PartialEq, Debug)]
struct Token {
    kind: Kind,
    span: Range<usize>,
}

const SIGNS: &[&str] = &["<=", ">=", "<", ">", ":", "(", ")", "{", "}"];

pub fn parse(text: &str) -> Result<Ask, Wrong> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.len(), depth: 0 };
    if tokens.is_empty() {
        return Ok(Ask::Const(true));
    }
    let ask = parser.or(&mut |parser| parser.primary())?;
    match parser.peek() {
        None => Ok(ask),
        Some(_) => Err(parser.wrong("and, or, or the end is expected here")),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Wrong> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let c = rest.chars().next().unwrap_or_default();
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (kind, length) = if c == '"' {
            let (text, length) =
                quoted(rest).ok_or_else(|| Wrong::new(at..at + 1, "this text is not closed"))?;
            (Kind::Text(text), length)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Kind::Sign(sign), sign.len())
        } else {
            let mut is_escaped = false;
            let end = rest.find(|c: char| {
                let ends = !is_escaped && (c.is_whitespace() || "():<>\"{}".contains(c));
                is_escaped = c == '\\' && !is_escaped;
                ends
            });
            let length = end.unwrap_or(rest.len());
            (Kind::Word(rest.get(..length).unwrap_or("").to_owned()), length)
        };
        tokens.push(Token { kind, span: at..at + length });
        at += length;
    }
    Ok(tokens)
}

fn quoted(rest: &str) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    loop {
        match chars.next()? {
            (at, '"') => return Some((text, at + 1)),
            (_, '\\') => match chars.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                c => text.push(c),
            },
            (_, c) => text.push(c),
        }
    }
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
    end: usize,
    depth: usize,
}

type Operand<'a, 'p> = &'p mut dyn FnMut(&mut Parser<'a>) -> Result<Ask, Wrong>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn here(&self) -> Range<usize> {
        self.peek().map_or(self.end.saturating_sub(1)..self.end, |token| token.span.clone())
    }

    fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong::new(self.here(), message)
    }

    fn word(&mut self, word: &str) -> bool {
        let is_there =
            matches!(self.peek(), Some(Token { kind: Kind::Word(it), .. }) if it.eq_ignore_ascii_case(word));
        self.at += usize::from(is_there);
        is_there
    }

    fn sign(&mut self, sign: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token { kind: Kind::Sign(it), .. }) if *it == sign);
        self.at += usize::from(is_there);
        is_there
    }

    /// The same words join queries, and values of one field: what stands between them differs.
    fn or(&mut self, operand: Operand<'a, '_>) -> Result<Ask, Wrong> {
        let mut parts = vec![self.and(operand)?];
        while self.word("or") {
            parts.push(self.and(operand)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Ask::Any(parts) })
    }

    fn and(&mut self, operand: Operand<'a, '_>) -> Result<Ask, Wrong> {
        let mut parts = vec![self.not(operand)?];
        while self.word("and") {
            parts.push(self.not(operand)?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Ask::All(parts) })
    }

    fn not(&mut self, operand: Operand<'a, '_>) -> Result<Ask, Wrong> {
        let mut is_negated = false;
        while self.word("not") {
            is_negated = !is_negated;
        }
        let open = self.here();
        let asked = if self.sign("(") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(Wrong::new(open, format!("more than {MAX_DEPTH} brackets within each other")));
            }
            let inner = self.or(operand)?;
            if !self.sign(")") {
                return Err(match self.peek() {
                    None => Wrong::new(open, "this bracket is not closed"),
                    Some(_) => {
                        self.wrong("and, or, or ) is expected here: values with blanks stand in quotes")
                    }
                });
            }
            self.depth -= 1;
            inner
        } else {
            operand(self)?
        };
        Ok(if is_negated { asked.negated() } else { asked })
    }

    fn primary(&mut self) -> Result<Ask, Wrong> {
        let Some(token) = self.peek() else { return Err(self.wrong("the query ends too early")) };
        let name = match &token.kind {
            Kind::Word(text) | Kind::Text(text) => Name::new(unescaped(text), token.span.clone()),
            Kind::Sign(sign) => return Err(self.wrong(format!("{sign:?} is not expected here"))),
        };
        self.at += 1;
        if self.sign(":") {
            if self.sign("{") {
                return Err(self.wrong("queries of nested fields are not read"));
            }
            return self.value(&name);
        }
        let comparison = match self.peek().map(|token| &token.kind) {
            Some(Kind::Sign("<")) => Comparison::Less,
            Some(Kind::Sign("<=")) => Comparison::LessOrEqual,
            Some(Kind::Sign(">")) => Comparison::Greater,
            Some(Kind::Sign(">=")) => Comparison::GreaterOrEqual,
            _ => {
                let message = "a colon and a value are expected behind the name of a field";
                return Err(Wrong::new(name.span.clone(), message));
            }
        };
        self.at += 1;
        let number = match self.peek().map(|token| &token.kind) {
            Some(Kind::Word(text) | Kind::Text(text)) => text.parse().ok(),
            _ => None,
        };
        match number {
            Some(number) => {
                self.at += 1;
                Ok(Ask::number(&name, comparison, number))
            }
            None => Err(self.wrong("a number is expected here")),
        }
    }

    /// One value, or several in brackets.
    fn value(&mut self, name: &Name) -> Result<Ask, Wrong> {
        if matches!(self.peek(), Some(Token { kind: Kind::Sign("("), .. })) {
            return self.not(&mut |parser| parser.one(name)).map(gathered);
        }
        self.one(name)
    }

    fn one(&mut self, name: &Name) -> Result<Ask, Wrong> {
        let Some(token) = self.peek() else { return Err(self.wrong("a value is expected here")) };
        let pattern = match &token.kind {
            Kind::Text(text) => Pattern::Equals(text.as_bytes().to_vec()),
            Kind::Word(word) if ["and", "or", "not"].iter().any(|it| word.eq_ignore_ascii_case(it)) => {
                return Err(self.wrong("a value is expected here"));
            }
            Kind::Word(word) if word == "*" => {
                self.at += 1;
                return Ok(Ask::test(name, Test::Exists));
            }
            Kind::Word(word) => {
                // Addresses are asked of as networks as well.
                let is_address = name.text.ends_with(".ip") || name.text.ends_with(".address");
                if let Some(network) = Cidr::parse(word).filter(|_| is_address) {
                    self.at += 1;
                    return Ok(Ask::test(name, Test::Cidr(vec![network])));
                }
                starred(word)
            }
            Kind::Sign(sign) => return Err(self.wrong(format!("a value is expected here, not {sign:?}"))),
        };
        self.at += 1;
        if matches!(self.peek(), Some(Token { kind: Kind::Word(word), .. }) if !["and", "or", "not"].iter().any(|it| word.eq_ignore_ascii_case(it)))
        {
            return Err(self.wrong("and or or is expected here: values with blanks stand in quotes"));
        }
        if TEXTS.contains(&name.text.as_str()) {
            // A word or phrase somewhere in the text, in whatever letters.
            let around = [vec![Piece::Many], pattern.pieces(), vec![Piece::Many]].concat();
            return Ask::fits(name, Case::Folded, vec![Pattern::from_pieces(around)]);
        }
        Ask::fits(name, Case::Exact, vec![pattern])
    }
}

/// Fields that are texts of words, where the others are single values.
const TEXTS: &[&str] = &["message"];

/// Texts of which any is asked become one test.
fn gathered(ask: Ask) -> Ask {
    let Ask::Any(parts) = ask else { return ask };
    let mut gathered: Vec<Ask> = Vec::new();
    for part in parts {
        use crate::elastic::ask::Asked;
        if let (
            Some(Ask::Test(_, Asked::Test(Test::Fits(_, list)))),
            Ask::Test(_, Asked::Test(Test::Fits(_, more))),
        ) = (gathered.last_mut(), &part)
        {
            list.extend(more.iter().cloned());
        } else {
            gathered.push(part);
        }
    }
    if gathered.len() == 1 { gathered.remove(0) } else { Ask::Any(gathered) }
}

fn unescaped(text: &str) -> String {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    plain
}

/// A value without quotes: its stars are wildcards, unless a backslash stands before them.
fn starred(word: &str) -> Pattern {
    let mut pieces = Vec::new();
    let mut rest = word;
    while let Some(at) = rest.find('\\') {
        let (before, behind) = rest.split_at(at);
        pieces.extend(wildcards(before, false).pieces());
        let escaped = behind.chars().nth(1).unwrap_or('\\');
        pieces.push(crate::form::Piece::Literal(escaped.to_string().into_bytes()));
        rest = behind.get(1 + escaped.len_utf8()..).unwrap_or("");
    }
    pieces.extend(wildcards(rest, false).pieces());
    Pattern::from_pieces(pieces)
}
