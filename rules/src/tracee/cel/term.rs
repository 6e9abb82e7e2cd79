//! An expression of CEL as a tree that knows where it stands, and can be written again.

use std::fmt::Write as _;
use std::ops::Range;

use cel::common::ast::{EntryExpr, Expr, LiteralValue, SourceInfo};
use cel::{Env, IdedExpr};

/// Bytes of one expression.
const MAX_BYTES: usize = 16 << 10;
/// Parts of one expression, with what stands for fields of other detectors.
pub const MAX_PARTS: usize = 2_000;
/// Parts within each other.
const MAX_DEPTH: usize = 96;

#[derive(Clone, PartialEq, Debug)]
pub struct Term {
    pub kind: Kind,
    /// Bytes of the text that it was read from.
    pub span: Range<usize>,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Kind {
    Literal(Literal),
    /// A name by itself: a variable or a list.
    Name(String),
    /// `of.name`
    Member(Box<Term>, String),
    Call {
        of: Option<Box<Term>>,
        name: String,
        args: Vec<Term>,
    },
    List(Vec<Term>),
    Map(Vec<(Term, Term)>),
}

#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    Null,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
}

/// What is wrong with an expression, and where in its text.
#[derive(Clone, PartialEq, Debug)]
pub struct Wrong {
    pub span: Range<usize>,
    pub message: String,
}

pub type Read<T> = Result<T, Wrong>;

impl Term {
    /// A function that asks whether its argument has a value. No expression can name it: it stands for `hasData` of a field
    /// that another detector makes.
    pub const PRESENT: &'static str = "@present";

    pub fn present(of: Term) -> Term {
        let span = of.span.clone();
        Term { kind: Kind::Call { of: None, name: Term::PRESENT.into(), args: vec![of] }, span }
    }

    pub fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong { span: self.span.clone(), message: message.into() }
    }

    pub fn literal(&self) -> Option<&Literal> {
        match &self.kind {
            Kind::Literal(literal) => Some(literal),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self.literal() {
            Some(Literal::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A call of a function without `.` before it.
    pub fn call(&self, called: &str) -> Option<&[Term]> {
        match &self.kind {
            Kind::Call { of: None, name, args } if name == called => Some(args),
            _ => None,
        }
    }

    pub fn parts(&self) -> usize {
        1 + self.children().into_iter().map(Term::parts).sum::<usize>()
    }

    pub fn depth(&self) -> usize {
        1 + self.children().into_iter().map(Term::depth).max().unwrap_or(0)
    }

    pub fn children(&self) -> Vec<&Term> {
        match &self.kind {
            Kind::Literal(_) | Kind::Name(_) => Vec::new(),
            Kind::Member(of, _) => vec![of],
            Kind::Call { of, args, .. } => of.iter().map(|it| &**it).chain(args).collect(),
            Kind::List(items) => items.iter().collect(),
            Kind::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
        }
    }

    /// The same with something else in the place of some parts: `put` says what, and `None` for what stays.
    pub fn with(&self, put: &mut dyn FnMut(&Term) -> Read<Option<Term>>) -> Read<Term> {
        if let Some(other) = put(self)? {
            return Ok(other);
        }
        let kind = match &self.kind {
            Kind::Literal(_) | Kind::Name(_) => return Ok(self.clone()),
            Kind::Member(of, name) => Kind::Member(Box::new(of.with(put)?), name.clone()),
            Kind::Call { of, name, args } => Kind::Call {
                of: of.as_ref().map(|of| of.with(put).map(Box::new)).transpose()?,
                name: name.clone(),
                args: args.iter().map(|arg| arg.with(put)).collect::<Read<_>>()?,
            },
            Kind::List(items) => Kind::List(items.iter().map(|item| item.with(put)).collect::<Read<_>>()?),
            Kind::Map(entries) => {
                let entry = |(key, value): &(Term, Term)| Ok((key.with(put)?, value.with(put)?));
                Kind::Map(entries.iter().map(entry).collect::<Read<_>>()?)
            }
        };
        Ok(Term { kind, span: self.span.clone() })
    }

    /// All of it as if it stood at one place, which what comes from elsewhere does.
    pub fn at(mut self, span: &Range<usize>) -> Term {
        self.set_span(span);
        self
    }

    fn set_span(&mut self, span: &Range<usize>) {
        self.span = span.clone();
        match &mut self.kind {
            Kind::Literal(_) | Kind::Name(_) => {}
            Kind::Member(of, _) => of.set_span(span),
            Kind::Call { of, args, .. } => {
                of.iter_mut().for_each(|it| it.set_span(span));
                args.iter_mut().for_each(|it| it.set_span(span));
            }
            Kind::List(items) => items.iter_mut().for_each(|it| it.set_span(span)),
            Kind::Map(entries) => entries.iter_mut().for_each(|(key, value)| {
                key.set_span(span);
                value.set_span(span);
            }),
        }
    }

    /// As it is written, with all brackets.
    pub fn written(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match &self.kind {
            Kind::Literal(literal) => literal.write(out),
            Kind::Name(name) => out.push_str(name),
            Kind::Member(of, name) => {
                of.write(out);
                out.push('.');
                out.push_str(name);
            }
            Kind::Call { of, name, args } => write_call(of.as_deref(), name, args, out),
            Kind::List(items) => {
                out.push('[');
                separated(items, out);
                out.push(']');
            }
            Kind::Map(entries) => {
                out.push('{');
                for (number, (key, value)) in entries.iter().enumerate() {
                    if number > 0 {
                        out.push_str(", ");
                    }
                    key.write(out);
                    out.push_str(": ");
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn separated(terms: &[Term], out: &mut String) {
    for (number, term) in terms.iter().enumerate() {
        if number > 0 {
            out.push_str(", ");
        }
        term.write(out);
    }
}

fn write_call(of: Option<&Term>, name: &str, args: &[Term], out: &mut String) {
    match (of, name, args) {
        (None, "_?_:_", [condition, yes, no]) => {
            out.push('(');
            condition.write(out);
            out.push_str(" ? ");
            yes.write(out);
            out.push_str(" : ");
            no.write(out);
            out.push(')');
        }
        (None, "_[_]", [list, index]) => {
            list.write(out);
            out.push('[');
            index.write(out);
            out.push(']');
        }
        (None, "!_" | "-_", [one]) => {
            out.push_str(name.trim_end_matches('_'));
            out.push('(');
            one.write(out);
            out.push(')');
        }
        (None, name, [left, right]) if name == "@in" || name.starts_with('_') => {
            out.push('(');
            left.write(out);
            let sign = if name == "@in" { "in" } else { name.trim_matches('_') };
            let _ = write!(out, " {sign} ");
            right.write(out);
            out.push(')');
        }
        _ => {
            if let Some(of) = of {
                of.write(out);
                out.push('.');
            }
            out.push_str(name);
            out.push('(');
            separated(args, out);
            out.push(')');
        }
    }
}

impl Literal {
    /// As a value prints it; `None` of null.
    pub fn written(&self) -> Option<String> {
        Some(match self {
            Literal::Null => return None,
            Literal::Bool(is) => is.to_string(),
            Literal::Int(number) => number.to_string(),
            Literal::Unsigned(number) => number.to_string(),
            Literal::Float(number) => number.to_string(),
            Literal::Text(text) => text.clone(),
            Literal::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        })
    }

    fn write(&self, out: &mut String) {
        let _ = match self {
            Literal::Null => write!(out, "null"),
            Literal::Bool(is) => write!(out, "{is}"),
            Literal::Int(number) if *number < 0 => write!(out, "({number})"),
            Literal::Int(number) => write!(out, "{number}"),
            Literal::Unsigned(number) => write!(out, "{number}u"),
            Literal::Float(number) => write!(out, "({number:?})"),
            Literal::Text(text) => {
                out.push('"');
                for c in text.chars() {
                    let _ = match c {
                        '"' | '\\' => write!(out, "\\{c}"),
                        ' '..='~' => write!(out, "{c}"),
                        c => write!(out, "\\U{:08x}", u32::from(c)),
                    };
                }
                write!(out, "\"")
            }
            Literal::Bytes(bytes) => {
                out.push_str("b\"");
                for byte in bytes {
                    let _ = write!(out, "\\x{byte:02x}");
                }
                write!(out, "\"")
            }
        };
    }
}

/// Reads an expression. Macros (`exists`, `all`, `map`, `filter`) stay the calls that they are written as.
pub fn parse(text: &str) -> Read<Term> {
    if text.len() > MAX_BYTES {
        let message = format!("an expression of {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(Wrong { span: 0..text.len(), message });
    }
    let parser = Env::default().with_optional_support(false).parser();
    let (expr, places) =
        parser.parse_with_source_info(text).map_err(|errors| match errors.errors.first() {
            Some(first) => {
                let start = offset(text, first.pos);
                let message = format!("this is no CEL: {}", first.msg.lines().next().unwrap_or_default());
                Wrong { span: start..text.len().min(start + 1), message }
            }
            None => Wrong { span: 0..text.len(), message: "this is no CEL".into() },
        })?;
    let mut parts = 0;
    term(&expr, &places, text, 0, &mut parts)
}

/// Lines and columns from 1 to a byte.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let line = usize::try_from(line - 1).unwrap_or(0);
    let before: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let of_line = text.get(before..).unwrap_or("");
    let column = usize::try_from(column - 1).unwrap_or(0);
    let at = of_line.char_indices().nth(column).map_or(of_line.trim_end().len(), |(at, _)| at);
    (before + at).min(text.len())
}

fn term(expr: &IdedExpr, places: &SourceInfo, text: &str, depth: usize, parts: &mut usize) -> Read<Term> {
    let (start, end) = places.offset_for(expr.id).unwrap_or((0, text.len() as u32));
    let byte = |at: u32| text.char_indices().nth(at as usize).map_or(text.len(), |(at, _)| at);
    let start = byte(start);
    let span = start..byte(end.saturating_add(1)).max(start);
    let wrong = |message: &str| Wrong { span: span.clone(), message: message.into() };
    *parts += 1;
    if depth > MAX_DEPTH || *parts > MAX_PARTS {
        return Err(wrong("this is too large or too deep to be asked"));
    }
    let mut of = |expr: &IdedExpr| term(expr, places, text, depth + 1, parts);
    let kind = match &expr.expr {
        Expr::Literal(literal) => Kind::Literal(match literal {
            LiteralValue::Null => Literal::Null,
            LiteralValue::Boolean(is) => Literal::Bool(*is.inner()),
            LiteralValue::Int(number) => Literal::Int(*number.inner()),
            LiteralValue::UInt(number) => Literal::Unsigned(*number.inner()),
            LiteralValue::Double(number) => Literal::Float(*number.inner()),
            LiteralValue::String(text) => Literal::Text(text.inner().to_owned()),
            LiteralValue::Bytes(bytes) => Literal::Bytes(bytes.inner().to_vec()),
        }),
        Expr::Ident(name) => Kind::Name(name.clone()),
        Expr::Select(select) if !select.test => {
            Kind::Member(Box::new(of(&select.operand)?), select.field.clone())
        }
        Expr::Call(call) => Kind::Call {
            of: call.target.as_deref().map(&mut of).transpose()?.map(Box::new),
            name: call.func_name.clone(),
            args: call.args.iter().map(&mut of).collect::<Read<_>>()?,
        },
        Expr::List(list) => Kind::List(list.elements.iter().map(&mut of).collect::<Read<_>>()?),
        Expr::Map(map) => {
            let mut entries = Vec::new();
            for entry in &map.entries {
                let EntryExpr::MapEntry(entry) = &entry.expr else {
                    return Err(wrong("messages are not made here"));
                };
                entries.push((of(&entry.key)?, of(&entry.value)?));
            }
            Kind::Map(entries)
        }
        Expr::Struct(_) => return Err(wrong("messages are not made here")),
        Expr::Select(_) | Expr::Comprehension(_) | Expr::Unspecified => {
            return Err(wrong("this is not asked"));
        }
    };
    Ok(Term { kind, span })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_can_be_written_and_read_again() {
        for (text, written) in [
            ("a.b == 'x' && !(c in L)", "((a.b == \"x\") && !((c in L)))"),
            ("x ? 1 : -2", "(x ? 1 : (-2))"),
            (
                "f(a, [1, 2u])[0].startsWith(\"\\\"\u{e9}\")",
                "f(a, [1, 2u])[0].startsWith(\"\\\"\\U000000e9\")",
            ),
            ("l.exists(p, p.n == {'a': 1.5}['a'])", "l.exists(p, (p.n == {\"a\": (1.5)}[\"a\"]))"),
        ] {
            let term = parse(text).expect(text);
            assert_eq!(term.written(), written);
            assert_eq!(parse(written).expect(written).written(), written);
        }
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        let wrong = parse("a == == b").expect_err("no CEL");
        assert_eq!(wrong.span.start, 5, "{wrong:?}");
        let deep = format!("{}1{}", "(1 + ".repeat(200), ")".repeat(200));
        assert!(parse(&deep).is_err());
        assert!(parse(&"a || ".repeat(3000)).is_err());
    }
}
