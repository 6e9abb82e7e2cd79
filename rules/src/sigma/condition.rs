//! Conditions: `selection and not 1 of filter_*`.

use std::ops::Range;

use scopes::nearest;

use crate::form::Expr;

/// Brackets within each other.
const MAX_DEPTH: usize = 64;

/// Selections of which some number is chosen: every choice is written out.
const MAX_CHOICES: usize = 12;

/// What is wrong with a condition, and where.
#[derive(Debug)]
pub struct Wrong {
    pub span: Range<usize>,
    pub message: String,
    pub suggestion: Option<String>,
}

/// Puts selections together as a condition says.
pub fn parse(text: &str, selections: &[(String, Expr)]) -> Result<Expr, Wrong> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.len(), selections, depth: 0 };
    let expr = parser.or()?;
    match parser.peek() {
        None => Ok(expr),
        Some(token) => Err(token.wrong(format!("{:?} is not expected here", token.text))),
    }
}

#[derive(Clone, Debug)]
struct Token<'a> {
    text: &'a str,
    span: Range<usize>,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    fn wrong(&self, message: String) -> Wrong {
        Wrong { span: self.span.clone(), message, suggestion: None }
    }
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, Wrong> {
    let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '*' | '.' | '?');
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = match rest.chars().next() {
            Some(c) if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            Some('(' | ')') => 1,
            Some('|') => {
                let message = "aggregations behind | are no longer of Sigma: a correlation says the same";
                return Err(Wrong { span: at..at + 1, message: message.into(), suggestion: None });
            }
            Some(c) if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            other => {
                let c = other.unwrap_or_default();
                let message = format!("{c:?} cannot stand in a condition");
                return Err(Wrong { span: at..at + c.len_utf8(), message, suggestion: None });
            }
        };
        let word = rest.get(..length).unwrap_or_default();
        tokens.push(Token { text: word, span: at..at + length });
        at += length;
    }
    Ok(tokens)
}

struct Parser<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    end: usize,
    selections: &'a [(String, Expr)],
    depth: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at)
    }

    fn take(&mut self, word: &str) -> bool {
        let is_there = self.peek().is_some_and(|token| token.is(word));
        self.at += usize::from(is_there);
        is_there
    }

    fn or(&mut self) -> Result<Expr, Wrong> {
        let mut parts = vec![self.and()?];
        while self.take("or") {
            parts.push(self.and()?);
        }
        Ok(Expr::any(parts))
    }

    fn and(&mut self) -> Result<Expr, Wrong> {
        let mut parts = vec![self.not()?];
        while self.take("and") {
            parts.push(self.not()?);
        }
        Ok(Expr::all(parts))
    }

    fn not(&mut self) -> Result<Expr, Wrong> {
        let mut is_negated = false;
        while self.take("not") {
            is_negated = !is_negated;
        }
        let operand = self.operand()?;
        Ok(if is_negated { operand.negated() } else { operand })
    }

    fn operand(&mut self) -> Result<Expr, Wrong> {
        let Some(token) = self.peek() else {
            let span = self.end.saturating_sub(1)..self.end;
            return Err(Wrong { span, message: "the condition ends too early".into(), suggestion: None });
        };
        self.at += 1;
        if token.text == "(" {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(token.wrong(format!("more than {MAX_DEPTH} brackets within each other")));
            }
            let inner = self.or()?;
            if !self.take(")") {
                return Err(token.wrong("this bracket is not closed".into()));
            }
            self.depth -= 1;
            return Ok(inner);
        }
        if ["and", "or", "of", ")"].iter().any(|word| token.is(word)) {
            return Err(token.wrong(format!("{:?} is not expected here", token.text)));
        }
        // `1 of x*`; a selection may be called `all` or `1` too.
        if self.peek().is_some_and(|next| next.is("of")) {
            let wanted = match token.text {
                _ if token.is("all") => None,
                _ if token.is("any") => Some(1),
                number => match number.parse::<usize>() {
                    Ok(number) => Some(number),
                    Err(_) => return Err(token.wrong("a number, any or all stands before of".into())),
                },
            };
            self.at += 1;
            return self.of(wanted);
        }
        match self.selections.iter().find(|(name, _)| name == token.text) {
            Some((_, expr)) => Ok(expr.clone()),
            None => Err(self.unknown(token)),
        }
    }

    /// So many of the selections that a pattern names, or all of them.
    fn of(&mut self, wanted: Option<usize>) -> Result<Expr, Wrong> {
        let Some(token) = self.peek() else {
            let span = self.end.saturating_sub(1)..self.end;
            return Err(Wrong { span, message: "of what?".into(), suggestion: None });
        };
        self.at += 1;
        let is_meant = |name: &str| {
            if token.is("them") { !name.starts_with('_') } else { fits(token.text, name) }
        };
        let meant: Vec<Expr> =
            self.selections.iter().filter(|(name, _)| is_meant(name)).map(|(_, it)| it.clone()).collect();
        if meant.is_empty() {
            return Err(self.unknown(token));
        }
        Ok(match wanted {
            None => Expr::all(meant),
            Some(0) => Expr::any(meant).negated(),
            Some(wanted) if wanted > 1 && wanted < meant.len() && meant.len() > MAX_CHOICES => {
                return Err(token
                    .wrong(format!("{wanted} of {} selections are too many to choose from", meant.len())));
            }
            Some(wanted) => at_least(wanted, &meant),
        })
    }

    fn unknown(&self, token: &Token<'_>) -> Wrong {
        let names = self.selections.iter().map(|(name, _)| name.as_str());
        let suggestion = nearest(token.text, names).map(str::to_owned);
        let message = if token.text.contains('*') {
            format!("no selection is named like {:?}", token.text)
        } else {
            format!("there is no selection {:?}", token.text)
        };
        Wrong { span: token.span.clone(), message, suggestion }
    }
}

/// `n` of the expressions or more.
fn at_least(n: usize, of: &[Expr]) -> Expr {
    match (n, of.split_first()) {
        (0, _) => Expr::Const(true),
        (_, None) => Expr::Const(false),
        (1, _) => Expr::any(of.to_vec()),
        (n, _) if n > of.len() => Expr::Const(false),
        (n, _) if n == of.len() => Expr::all(of.to_vec()),
        (n, Some((first, rest))) => {
            let with = Expr::all([first.clone(), at_least(n - 1, rest)]);
            Expr::any([with, at_least(n, rest)])
        }
    }
}

/// Whether a name fits a pattern with stars.
fn fits(pattern: &str, name: &str) -> bool {
    crate::form::Pattern::from_pieces(super::text::pieces(pattern)).fits(name.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{Atom, Field, Test};

    fn selections(names: &[&str]) -> Vec<(String, Expr)> {
        let expr = |name: &str| {
            Expr::Atom(Atom { field: Field::arg(name), test: Test::Exists, written: name.into() })
        };
        names.iter().map(|name| ((*name).to_owned(), expr(name))).collect()
    }

    fn shown(expr: &Expr) -> String {
        let list = |parts: &[Expr], sign: &str| parts.iter().map(shown).collect::<Vec<_>>().join(sign);
        match expr {
            Expr::Const(value) => value.to_string(),
            Expr::Atom(atom) => atom.written.to_string(),
            Expr::Not(inner) => format!("!{}", shown(inner)),
            Expr::All(parts) => format!("({})", list(parts, "&")),
            Expr::Any(parts) => format!("({})", list(parts, "|")),
        }
    }

    fn read(text: &str) -> String {
        match parse(text, &selections(&["a", "b", "c", "_x", "f_1", "f_2"])) {
            Ok(expr) => shown(&expr),
            Err(wrong) => format!("{}: {}", text.get(wrong.span).unwrap_or("?"), wrong.message),
        }
    }

    #[test]
    fn not_binds_closer_than_and_and_and_closer_than_or() {
        assert_eq!(read("a or b and not c"), "(a|(b&!c))");
        assert_eq!(read("(a or b) AND c"), "((a|b)&c)");
        assert_eq!(read("not a and b"), "(!a&b)");
        assert_eq!(read("not not a"), "a");
        assert_eq!(read("not 1 of f_*"), "!(f_1|f_2)");
        assert_eq!(read("a and not 1 of f_* or b"), "((a&!(f_1|f_2))|b)");
    }

    #[test]
    fn them_leaves_out_names_that_begin_with_an_underscore() {
        assert_eq!(read("all of them"), "(a&b&c&f_1&f_2)");
        assert_eq!(read("1 of *_1"), "f_1");
        assert_eq!(read("any of f*"), "(f_1|f_2)");
        assert_eq!(read("2 of f_*"), "(f_1&f_2)");
        assert_eq!(read("2 of f_* or _x"), "((f_1&f_2)|_x)");
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(read("a and d"), "d: there is no selection \"d\"");
        assert_eq!(read("a and"), "d: the condition ends too early");
        assert_eq!(read("(a or b"), "(: this bracket is not closed");
        assert_eq!(read("a b"), "b: \"b\" is not expected here");
        assert_eq!(read("x of f*"), "x: a number, any or all stands before of");
        assert_eq!(read("1 of g*"), "g*: no selection is named like \"g*\"");
        assert!(read("a | count() > 5").starts_with("|: aggregations"));
        assert_eq!(read("a && b"), "&: '&' cannot stand in a condition");
    }
}
