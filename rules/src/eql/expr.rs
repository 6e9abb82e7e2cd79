//! Expressions: `or` binds least, then `and`, then `not`, then comparisons.

use std::ops::Range;

use super::token::{Kind, Token};
use crate::elastic::ask::{Ask, Asked, Name, Wrong, compiled, wildcards};
use crate::elastic::made::{Made, Single};
use crate::form::{Case, Cidr, Comparison, FieldShape, Kin, Pattern, Test};

/// Brackets within each other.
pub const MAX_DEPTH: usize = 64;
/// Longest text that `length` is asked for.
const MAX_LENGTH: f64 = 20_000.0;

/// Functions that say true or false of one value.
pub const FUNCTIONS: &[&str] =
    &["arrayContains", "cidrMatch", "endsWith", "match", "regex", "startsWith", "stringContains", "wildcard"];
/// Functions that ask each element of a list by a query of its own.
pub const OF_ELEMENTS: &[&str] = &["arraySearch", "arrayCount"];

pub struct Parser<'a> {
    pub tokens: &'a [Token],
    pub at: usize,
    /// Length of the text: where what is missing at its end is missing.
    pub end: usize,
    pub depth: usize,
}

/// One side of a comparison.
#[derive(Debug)]
pub enum Operand {
    Field(Name),
    /// The length of a field's text.
    Length(Name),
    Text(String),
    Number(f64),
    Decimal(f64),
    Bool(bool),
    Null,
    /// A function that says true or false.
    Ask(Ask),
}

#[derive(Clone, Copy, PartialEq)]
enum Operator {
    Compare(Comparison),
    /// `:`, with wildcards and without case.
    Seq,
    In(Case),
    Like(Case),
    Regex(Case),
}

impl Parser<'_> {
    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub fn word(&mut self, word: &str) -> bool {
        let is_there =
            matches!(self.peek(), Some(Token { kind: Kind::Word(it), .. }) if it.eq_ignore_ascii_case(word));
        self.at += usize::from(is_there);
        is_there
    }

    pub fn sign(&mut self, sign: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token { kind: Kind::Sign(it), .. }) if *it == sign);
        self.at += usize::from(is_there);
        is_there
    }

    /// Where the next token stands, or the end.
    pub fn here(&self) -> Range<usize> {
        self.peek().map_or(self.end.saturating_sub(1)..self.end, |token| token.span.clone())
    }

    pub fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong::new(self.here(), message)
    }

    pub fn expect(&mut self, sign: &str, after: &str) -> Result<(), Wrong> {
        if self.sign(sign) { Ok(()) } else { Err(self.wrong(format!("{sign:?} is expected {after}"))) }
    }

    pub fn or(&mut self) -> Result<Ask, Wrong> {
        let mut parts = vec![self.and()?];
        while self.word("or") {
            parts.push(self.and()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Ask::Any(parts) })
    }

    fn and(&mut self) -> Result<Ask, Wrong> {
        let mut parts = vec![self.not()?];
        while self.word("and") {
            parts.push(self.not()?);
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Ask::All(parts) })
    }

    fn not(&mut self) -> Result<Ask, Wrong> {
        let mut is_negated = false;
        while self.word("not") {
            is_negated = !is_negated;
        }
        let asked = self.primary()?;
        Ok(if is_negated { asked.negated() } else { asked })
    }

    fn primary(&mut self) -> Result<Ask, Wrong> {
        let open = self.here();
        if !self.opens_a_value() && self.sign("(") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(Wrong::new(open, format!("more than {MAX_DEPTH} brackets within each other")));
            }
            let inner = self.or()?;
            if !self.sign(")") {
                let message = match self.peek() {
                    None => return Err(Wrong::new(open, "this bracket is not closed")),
                    Some(_) => "and, or, a comparison, or ) is expected here",
                };
                return Err(self.wrong(message));
            }
            self.depth -= 1;
            return Ok(inner);
        }
        if let Some(kin) = self.kin() {
            return self.executed(kin, open);
        }
        let left = self.operand()?;
        if let Operand::Ask(asked) = left {
            return Ok(asked);
        }
        let at = self.here();
        let is_negated = self.word("not");
        match self.operator() {
            Some(operator) => {
                let asked = self.compare(left, operator, open.start..at.end)?;
                Ok(if is_negated { asked.negated() } else { asked })
            }
            None if is_negated => Err(self.wrong("in, like or regex is expected after not")),
            // A field that is true or false, or a constant.
            None => match left {
                Operand::Field(name) if name.made.is_none() => {
                    Ask::fits(&name, Case::Exact, vec![Pattern::Equals(b"true".to_vec())])
                }
                Operand::Bool(value) => Ok(Ask::Const(value)),
                _ => Err(self.wrong("a comparison is expected here")),
            },
        }
    }

    /// `descendant of`, `child of` or `event of`; without `of` they are names of fields.
    fn kin(&mut self) -> Option<Kin> {
        let of = self.tokens.get(self.at + 1).map(|token| &token.kind);
        if !matches!(of, Some(Kind::Word(word)) if word.eq_ignore_ascii_case("of")) {
            return None;
        }
        let known = [("descendant", Kin::Ancestor), ("child", Kin::Parent), ("event", Kin::Own)];
        let kin = known.into_iter().find_map(|(word, kin)| self.word(word).then_some(kin))?;
        self.at += 1;
        Some(kin)
    }

    /// What stands behind that: `[process where ...]`
    fn executed(&mut self, kin: Kin, at: Range<usize>) -> Result<Ask, Wrong> {
        self.expect("[", "after of")?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Wrong::new(at, format!("more than {MAX_DEPTH} brackets within each other")));
        }
        let category = self.here();
        let part = self.part()?;
        if part.category.is_some_and(|category| category.text != "process") {
            let message = "process where is expected here: it is asked what processes executed";
            return Err(Wrong::new(category, message));
        }
        self.expect("]", "after the condition of what was executed")?;
        self.depth -= 1;
        Ok(Ask::Executed { kin, of: Box::new(part.ask), span: at })
    }

    fn operator(&mut self) -> Option<Operator> {
        let operator = match &self.peek()?.kind {
            Kind::Sign(sign) => match *sign {
                "==" | "=" => Operator::Compare(Comparison::Equal),
                "!=" => Operator::Compare(Comparison::NotEqual),
                "<" => Operator::Compare(Comparison::Less),
                "<=" => Operator::Compare(Comparison::LessOrEqual),
                ">" => Operator::Compare(Comparison::Greater),
                ">=" => Operator::Compare(Comparison::GreaterOrEqual),
                ":" => Operator::Seq,
                _ => return None,
            },
            Kind::Word(word) => match word.to_ascii_lowercase().as_str() {
                "in" => Operator::In(Case::Exact),
                "in~" => Operator::In(Case::Folded),
                "like" => Operator::Like(Case::Exact),
                "like~" => Operator::Like(Case::Folded),
                "regex" => Operator::Regex(Case::Exact),
                "regex~" => Operator::Regex(Case::Folded),
                _ => return None,
            },
            _ => return None,
        };
        self.at += 1;
        Some(operator)
    }

    fn compare(&mut self, left: Operand, operator: Operator, span: Range<usize>) -> Result<Ask, Wrong> {
        let from = self.here();
        let (mut right, mut is_list) = (Vec::new(), false);
        let takes_a_list = !matches!(operator, Operator::Compare(_));
        if takes_a_list && self.sign("(") {
            is_list = true;
            loop {
                right.push((self.here(), self.operand()?));
                if self.sign(")") {
                    break;
                }
                if !self.sign(",") {
                    return Err(self.wrong("a comma or ) is expected in this list"));
                }
            }
        } else {
            right.push((from.clone(), self.operand()?));
        }
        match operator {
            Operator::In(_) if !is_list => {
                return Err(Wrong::new(from, "a list in ( ) is expected after in"));
            }
            _ => {}
        }
        let mut asked = Vec::new();
        let mut patterns: Option<(Name, Case, Vec<Pattern>)> = None;
        for (at, right) in right {
            // Texts of a list become one test.
            if let (Operand::Field(name), Operand::Text(text), Some((case, pattern))) =
                (&left, &right, shape(operator))
            {
                let pattern = pattern(text);
                match &mut patterns {
                    Some((.., list)) => list.push(pattern),
                    None => patterns = Some((name.clone(), case, vec![pattern])),
                }
                continue;
            }
            asked.push(one(&left, operator, right, at, &span)?);
        }
        if let Some((name, case, list)) = patterns {
            asked.push(Ask::fits(&name, case, list)?);
        }
        let asked = if asked.len() == 1 { asked.remove(0) } else { Ask::Any(asked) };
        let is_not = operator == Operator::Compare(Comparison::NotEqual);
        Ok(if is_not { asked.negated() } else { asked })
    }

    /// A function whose bracket is open.
    pub fn function(&mut self, word: &str, token: &Token) -> Result<Operand, Wrong> {
        let mut arguments = Vec::new();
        while !self.sign(")") {
            if !arguments.is_empty() && !self.sign(",") {
                return Err(self.wrong("a comma or ) is expected in this call"));
            }
            arguments.push((self.here(), self.operand()?));
        }
        let (bare, case) = match word.strip_suffix('~') {
            Some(bare) => (bare, Case::Folded),
            None => (word, Case::Exact),
        };
        let is = |name: &str| bare.eq_ignore_ascii_case(name);
        let span = &token.span;
        let Some(function) = FUNCTIONS.iter().copied().find(|name| is(name)) else {
            return self.making(bare, case, arguments, span);
        };
        let mut arguments = arguments.into_iter();
        let name = match arguments.next() {
            Some((at, operand)) => operand.name(at)?,
            None => return Err(Wrong::new(span.clone(), format!("{function} asks of a field"))),
        };
        let left = Operand::Field(name.clone());
        let mut asked = Vec::new();
        for (at, right) in arguments {
            let text = match right {
                Operand::Text(text) => text,
                Operand::Field(other) => {
                    let shape = match function {
                        "startsWith" => FieldShape::Prefix,
                        "endsWith" => FieldShape::Suffix,
                        "stringContains" => FieldShape::Contains,
                        _ => return Err(Wrong::new(at, "a text in quotes is expected here")),
                    };
                    asked.push(Ask::Test(name.clone(), Asked::Same(other, case, shape)));
                    continue;
                }
                _ => return Err(Wrong::new(at, "a text in quotes is expected here")),
            };
            let pattern = match function {
                "startsWith" => Pattern::Prefix(text.into_bytes()),
                "endsWith" => Pattern::Suffix(text.into_bytes()),
                "stringContains" => Pattern::Contains(text.into_bytes()),
                "cidrMatch" => {
                    let Some(network) = Cidr::parse(&text) else {
                        return Err(Wrong::new(
                            at,
                            "this is no network: an address, a slash, and how many bits",
                        ));
                    };
                    asked.push(Ask::test(&name, Test::Cidr(vec![network])));
                    continue;
                }
                "wildcard" => wildcards(&text, true),
                "arrayContains" => Pattern::Equals(text.into_bytes()),
                // `match` and `regex`
                _ => {
                    asked.push(one(&left, Operator::Regex(case), Operand::Text(text), at, span)?);
                    continue;
                }
            };
            asked.push(Ask::fits(&name, case, vec![pattern])?);
        }
        match asked.len() {
            0 => Err(Wrong::new(span.clone(), format!("{function} asks for at least one value"))),
            1 => Ok(Operand::Ask(asked.remove(0))),
            _ => Ok(Operand::Ask(Ask::Any(asked))),
        }
    }
}

/// Makes a pattern of a text.
type Reading = fn(&str) -> Pattern;

/// How an operator takes a text, where that is a pattern.
fn shape(operator: Operator) -> Option<(Case, Reading)> {
    fn equals(text: &str) -> Pattern {
        Pattern::Equals(text.as_bytes().to_vec())
    }
    fn like(text: &str) -> Pattern {
        wildcards(text, true)
    }
    match operator {
        Operator::Compare(Comparison::Equal | Comparison::NotEqual) => Some((Case::Exact, equals)),
        Operator::In(case) => Some((case, equals)),
        Operator::Like(case) => Some((case, like)),
        Operator::Seq => Some((Case::Folded, like)),
        Operator::Compare(_) | Operator::Regex(_) => None,
    }
}

/// One comparison; that it is not equal is said by who asks.
fn one(
    left: &Operand,
    operator: Operator,
    right: Operand,
    at: Range<usize>,
    span: &Range<usize>,
) -> Result<Ask, Wrong> {
    let comparison = match operator {
        Operator::Compare(Comparison::NotEqual) | Operator::Seq | Operator::In(_) => Comparison::Equal,
        Operator::Compare(comparison) => comparison,
        Operator::Like(_) | Operator::Regex(_) => Comparison::NotEqual,
    };
    let is_equal = comparison == Comparison::Equal;
    let case = match operator {
        Operator::In(case) | Operator::Like(case) | Operator::Regex(case) => case,
        Operator::Seq => Case::Folded,
        Operator::Compare(_) => Case::Exact,
    };
    match (left, right) {
        (Operand::Field(name), Operand::Text(text)) if matches!(operator, Operator::Regex(_)) => {
            // Lucene's are of the whole value.
            let fold = if case == Case::Folded { "i" } else { "" };
            Ok(Ask::test(name, Test::Regex(vec![compiled(&format!("(?s{fold})^(?:{text})$"), &at)?])))
        }
        (Operand::Field(name), Operand::Number(number) | Operand::Decimal(number))
            if comparison != Comparison::NotEqual =>
        {
            Ok(Ask::number(name, comparison, number))
        }
        (Operand::Number(number) | Operand::Decimal(number), Operand::Field(name))
            if comparison != Comparison::NotEqual =>
        {
            let turned = match comparison {
                Comparison::Less => Comparison::Greater,
                Comparison::LessOrEqual => Comparison::GreaterOrEqual,
                Comparison::Greater => Comparison::Less,
                Comparison::GreaterOrEqual => Comparison::LessOrEqual,
                same => same,
            };
            Ok(Ask::number(&name, turned, *number))
        }
        (Operand::Field(name), Operand::Bool(value)) if is_equal => {
            Ask::fits(name, Case::Exact, vec![Pattern::Equals(value.to_string().into_bytes())])
        }
        (Operand::Field(name), Operand::Null) if is_equal => Ok(Ask::test(name, Test::Exists).negated()),
        (Operand::Null, Operand::Field(name)) if is_equal => Ok(Ask::test(&name, Test::Exists).negated()),
        (Operand::Text(text), Operand::Field(name)) if is_equal => {
            Ask::fits(&name, case, vec![Pattern::Equals(text.clone().into_bytes())])
        }
        (Operand::Field(name), Operand::Field(other)) if is_equal => {
            Ok(Ask::Test(name.clone(), Asked::Same(other, case, FieldShape::Equals)))
        }
        (Operand::Length(name), Operand::Number(number) | Operand::Decimal(number))
            if comparison != Comparison::NotEqual =>
        {
            length(name, comparison, number, at)
        }
        (_, Operand::Ask(_)) => Err(Wrong::new(at, "what is true or false is not compared")),
        // Values that are made, and which of two is greater.
        (left, right) if matches!(operator, Operator::Compare(_)) => {
            let (Some(left), Some(right)) = (left.made(), right.made()) else {
                return Err(Wrong::new(at, "what is true or false is not compared"));
            };
            let compared = Made::Compared(comparison, Box::new(left), Box::new(right));
            if let Some(value) = compared.constant() {
                return Ok(Ask::Const(value == Single::Bool(true)));
            }
            let name = Name::made(compared, span.clone());
            Ask::fits(&name, Case::Exact, vec![Pattern::Equals(b"true".to_vec())])
        }
        (Operand::Field(_), _) => {
            Err(Wrong::new(at, "this cannot stand here: fields are compared with values and fields"))
        }
        _ => Err(Wrong::new(span.clone(), "a field is expected on one side")),
    }
}

/// Characters of a text, counted by a regular expression: those bytes of UTF-8 that begin one.
fn length(name: &Name, comparison: Comparison, number: f64, at: Range<usize>) -> Result<Ask, Wrong> {
    if !(0.0..=MAX_LENGTH).contains(&number) || number.fract() != 0.0 {
        return Err(Wrong::new(at, format!("a length is a whole number up to {MAX_LENGTH}")));
    }
    let number = number as u32;
    let times = match comparison {
        Comparison::Less if number == 0 => return Ok(Ask::Const(false)),
        Comparison::Less => format!("{{0,{}}}", number - 1),
        Comparison::LessOrEqual => format!("{{0,{number}}}"),
        Comparison::Greater => format!("{{{},}}", number + 1),
        Comparison::GreaterOrEqual => format!("{{{number},}}"),
        Comparison::Equal | Comparison::NotEqual => format!("{{{number}}}"),
    };
    let regex = format!(r"(?s-u)^(?:[^\x80-\xBF][\x80-\xBF]*){times}$");
    Ok(Ask::test(name, Test::Regex(vec![compiled(&regex, &at)?])))
}
