//! A filter's text taken apart, each part with its place: `[N:][!]KEY[OP VALUE[,VALUE...]]`.

use std::fmt;
use std::ops::Range;

use crate::pattern::ESCAPED;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Op {
    /// A bare key: `container`, `follow`.
    Is,
    /// A bare key denied: `!container`.
    IsNot,
    Equal,
    NotEqual,
    Less,
    Greater,
    LessOrEqual,
    GreaterOrEqual,
}

impl Op {
    pub fn symbol(self) -> &'static str {
        match self {
            Op::Is => "",
            Op::IsNot => "!",
            Op::Equal => "=",
            Op::NotEqual => "!=",
            Op::Less => "<",
            Op::Greater => ">",
            Op::LessOrEqual => "<=",
            Op::GreaterOrEqual => ">=",
        }
    }

    pub fn is_bound(self) -> bool {
        matches!(self, Op::Less | Op::Greater | Op::LessOrEqual | Op::GreaterOrEqual)
    }
}

impl fmt::Display for Op {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.symbol())
    }
}

/// A piece of the filter's text. `text` is as written, escapes and all.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Piece<'a> {
    pub text: &'a str,
    pub span: Range<usize>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parts<'a> {
    pub scope: Option<Piece<'a>>,
    pub key: Piece<'a>,
    pub op: Op,
    pub op_span: Range<usize>,
    pub values: Vec<Piece<'a>>,
}

/// What is wrong with a filter's shape.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    pub span: Range<usize>,
    pub message: String,
    pub allowed: &'static str,
}

pub(crate) const SHAPE: &str = "[N:]KEY, [N:]!KEY or [N:]KEY OP VALUE[,VALUE...], with N from 1 to 64";
const OPERATORS: &str = "= != < > <= >=";

/// Takes a filter apart. The first operator ends the key: what comes after it belongs to the values, colons too.
pub fn split(text: &str) -> Result<Parts<'_>, Malformed> {
    let malformed = |span, message: &str, allowed| Err(Malformed { span, message: message.into(), allowed });
    if text.trim().is_empty() {
        return malformed(0..text.len(), "empty filter", SHAPE);
    }
    let operator = find_operator(text);
    let head = text.get(..operator.as_ref().map_or(text.len(), |(_, span)| span.start)).unwrap_or(text);
    let (scope, key_start) = match head.find(':') {
        Some(colon) => (Some(Piece { text: &head[..colon], span: 0..colon }), colon + 1),
        None => (None, 0),
    };
    let mut key = Piece { text: &head[key_start..], span: key_start..head.len() };
    let denied = key.text.starts_with('!');
    if denied {
        key = Piece { text: &key.text[1..], span: key.span.start + 1..key.span.end };
    }
    if key.text.is_empty() {
        let end = operator.as_ref().map_or(text.len(), |(_, span)| span.end);
        return malformed(key_start..end, "filter without a key", SHAPE);
    }
    let Some((op, op_span)) = operator else {
        let op = if denied { Op::IsNot } else { Op::Is };
        return Ok(Parts { scope, op_span: key.span.end..key.span.end, key, op, values: Vec::new() });
    };
    if denied {
        let start = key.span.start - 1;
        return malformed(
            start..start + 1,
            "`!` before a key that has an operator",
            "KEY!=VALUE, or !container alone",
        );
    }
    let rest = &text[op_span.end..];
    if rest.is_empty() {
        return malformed(op_span, "operator without a value", "VALUE[,VALUE...] after the operator");
    }
    if let Some(second) = rest.chars().next().filter(|c| "=<>!".contains(*c)) {
        let wrong = &text[op_span.start..op_span.end + second.len_utf8()];
        if matches!(wrong, "==" | "=<" | "=>" | "<>" | "><" | "<<" | ">>" | "!==" | "<==" | ">==") {
            let message = format!("{wrong:?} is no operator");
            let span = op_span.start..op_span.end + second.len_utf8();
            return Err(Malformed {
                span,
                message,
                allowed: "= != < > <= >= (a value that begins so: `\\=`)",
            });
        }
    }
    let values = split_values(text, op_span.end);
    if let Some(empty) = values.iter().find(|piece| piece.text.is_empty()) {
        return malformed(
            empty.span.clone(),
            "empty value",
            "VALUE[,VALUE...]; a comma inside a value is `\\,`",
        );
    }
    Ok(Parts { scope, key, op, op_span, values })
}

fn find_operator(text: &str) -> Option<(Op, Range<usize>)> {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().find_map(|(at, byte)| {
        let equals = bytes.get(at + 1) == Some(&b'=');
        let op = match (byte, equals) {
            (b'=', _) => return Some((Op::Equal, at..at + 1)),
            (b'!', true) => Op::NotEqual,
            (b'<', true) => Op::LessOrEqual,
            (b'>', true) => Op::GreaterOrEqual,
            (b'<', false) => return Some((Op::Less, at..at + 1)),
            (b'>', false) => return Some((Op::Greater, at..at + 1)),
            _ => return None,
        };
        Some((op, at..at + 2))
    })
}

fn split_values(text: &str, start: usize) -> Vec<Piece<'_>> {
    let mut values = Vec::new();
    let mut from = start;
    let mut escaped = false;
    for (at, c) in text[start..].char_indices().map(|(at, c)| (start + at, c)) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = text[at + 1..].starts_with(|next| ESCAPED.contains(next)),
            ',' => {
                values.push(Piece { text: &text[from..at], span: from..at });
                from = at + 1;
            }
            _ => {}
        }
    }
    values.push(Piece { text: &text[from..], span: from..text.len() });
    values
}

/// Operators as they are listed in messages.
pub(crate) fn list(ops: &[Op]) -> String {
    if ops.is_empty() {
        return OPERATORS.into();
    }
    let shown = ops.iter().map(|op| match op {
        Op::Is => "KEY alone",
        Op::IsNot => "!KEY",
        op => op.symbol(),
    });
    shown.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> (Option<&str>, &str, Op, Vec<&str>) {
        let parts = split(text).unwrap();
        let values = parts.values.iter().map(|piece| piece.text).collect();
        (parts.scope.map(|piece| piece.text), parts.key.text, parts.op, values)
    }

    #[test]
    fn what_follows_the_first_operator_belongs_to_the_value() {
        assert_eq!(shape("9:comm=ls"), (Some("9"), "comm", Op::Equal, vec!["ls"]));
        assert_eq!(shape("binary=host:/bin/ls"), (None, "binary", Op::Equal, vec!["host:/bin/ls"]));
        assert_eq!(shape("comm!=a=b!=c,d"), (None, "comm", Op::NotEqual, vec!["a=b!=c", "d"]));
        assert_eq!(
            shape("openat.pathname=x.args.y.retval<0"),
            (None, "openat.pathname", Op::Equal, vec!["x.args.y.retval<0"])
        );
        assert_eq!(shape(r"comm=a\,b,c"), (None, "comm", Op::Equal, vec![r"a\,b", "c"]));
        assert_eq!(shape("uid>=1000"), (None, "uid", Op::GreaterOrEqual, vec!["1000"]));
        assert_eq!(shape("64:!container"), (Some("64"), "container", Op::IsNot, vec![]));
        assert_eq!(shape("comm=!x"), (None, "comm", Op::Equal, vec!["!x"]));
        assert_eq!(shape("openat.retval=-13"), (None, "openat.retval", Op::Equal, vec!["-13"]));
    }

    #[test]
    fn malformed_shapes_say_where() {
        let span = |text: &str| split(text).unwrap_err().span;
        assert_eq!(span("comm="), 4..5);
        assert_eq!(span("comm=a,,b"), 7..7);
        assert_eq!(span("comm==a"), 4..6);
        assert_eq!(span("9:=a"), 2..3);
        assert_eq!(span("!comm=a"), 0..1);
        assert_eq!(span(""), 0..0);
    }
}
