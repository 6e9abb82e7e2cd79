//! Values: fields, constants, and what is made of them. `-` binds closer than `*`, `/` and `%`, and those closer than `+` and `-`.

use std::ops::Range;

use scopes::nearest;

use super::expr::{FUNCTIONS, MAX_DEPTH, OF_ELEMENTS, Operand, Parser};
use super::token::{Kind, Token};
use crate::elastic::ask::{Name, Wrong};
use crate::elastic::functions::Maker;
use crate::elastic::made::{Made, Sign, Single};
use crate::form::Case;

const SUMS: &[(&str, Sign)] = &[("+", Sign::Add), ("-", Sign::Subtract)];
const PRODUCTS: &[(&str, Sign)] = &[("*", Sign::Multiply), ("/", Sign::Divide), ("%", Sign::Modulo)];

impl Operand {
    /// What a value is made of; `None` of a condition.
    pub fn made(&self) -> Option<Made> {
        Some(match self {
            Operand::Field(name) => match &name.made {
                Some(made) => Made::clone(made),
                None => Made::Field(name.clone()),
            },
            Operand::Length(name) => {
                Made::Call(Maker::Length, Case::Exact, vec![Operand::Field(name.clone()).made()?])
            }
            Operand::Text(text) => Made::Value(Single::Text(text.clone().into_bytes())),
            Operand::Number(number) => Made::Value(Single::number(*number, false)),
            Operand::Decimal(number) => Made::Value(Single::number(*number, true)),
            Operand::Bool(is) => Made::Value(Single::Bool(*is)),
            Operand::Null => Made::Value(Single::Null),
            Operand::Ask(_) => return None,
        })
    }

    /// A value that is made, or a constant where it is one.
    fn of(made: Made, span: Range<usize>) -> Operand {
        match made.constant() {
            Some(Single::Null) => Operand::Null,
            Some(Single::Whole(number)) => Operand::Number(number as f64),
            Some(Single::Decimal(number)) => Operand::Decimal(number),
            Some(Single::Bool(is)) => Operand::Bool(is),
            Some(Single::Text(text)) => match String::from_utf8(text) {
                Ok(text) => Operand::Text(text),
                Err(_) => Operand::Field(Name::made(made, span)),
            },
            None => Operand::Field(Name::made(made, span)),
        }
    }

    /// In the place of a field.
    pub fn name(self, at: Range<usize>) -> Result<Name, Wrong> {
        match self {
            Operand::Field(name) => Ok(name),
            other => match other.made() {
                Some(made) => Ok(Name::made(made, at)),
                None => Err(Wrong::new(at, "a field or a value is expected here")),
            },
        }
    }
}

impl Parser<'_> {
    /// Whether a bracket is open here whose inside is computed with or compared, and no condition.
    pub fn opens_a_value(&self) -> bool {
        let sign = |at: usize| match self.tokens.get(at).map(|token| &token.kind) {
            Some(Kind::Sign(sign)) => *sign,
            _ => "",
        };
        if sign(self.at) != "(" {
            return false;
        }
        let mut open = 0usize;
        for at in self.at..self.tokens.len() {
            open = match sign(at) {
                "(" => open + 1,
                ")" => open - 1,
                _ => open,
            };
            if open > 0 {
                continue;
            }
            return match self.tokens.get(at + 1).map(|token| &token.kind) {
                Some(Kind::Sign(sign)) => {
                    ["+", "-", "*", "/", "%", "==", "=", "!=", "<", "<=", ">", ">=", ":"].contains(sign)
                }
                Some(Kind::Word(word)) => {
                    let word = word.trim_end_matches('~').to_ascii_lowercase();
                    ["in", "like", "regex", "not"].contains(&word.as_str())
                }
                _ => false,
            };
        }
        false
    }

    pub fn operand(&mut self) -> Result<Operand, Wrong> {
        self.chain(SUMS, &mut |parser| parser.chain(PRODUCTS, &mut Parser::factor))
    }

    /// Values with signs of one rank between them, from left to right.
    fn chain(
        &mut self,
        signs: &[(&str, Sign)],
        next: &mut dyn FnMut(&mut Self) -> Result<Operand, Wrong>,
    ) -> Result<Operand, Wrong> {
        let from = self.here();
        let mut left = next(self)?;
        let mut length = 0;
        loop {
            let at = self.here();
            let Some((_, sign)) = signs.iter().find(|(text, _)| self.sign(text)) else { return Ok(left) };
            length += 1;
            if length > MAX_DEPTH {
                return Err(Wrong::new(at, format!("more than {MAX_DEPTH} of these signs in a row")));
            }
            let right = next(self)?;
            let (Some(of), Some(by)) = (left.made(), right.made()) else {
                return Err(Wrong::new(at, "what is true or false cannot be computed with"));
            };
            let span = from.start..self.end_of_last();
            left = Operand::of(Made::Binary(*sign, Box::new(of), Box::new(by)), span);
        }
    }

    /// Where the token before this one ends.
    fn end_of_last(&self) -> usize {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(0, |token| token.span.end)
    }

    fn factor(&mut self) -> Result<Operand, Wrong> {
        let at = self.here();
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Wrong::new(at, format!("more than {MAX_DEPTH} brackets within each other")));
        }
        let operand = if self.sign("-") {
            let inner = self.factor()?;
            let Some(made) = inner.made() else {
                return Err(Wrong::new(at, "what is true or false cannot be computed with"));
            };
            Operand::of(Made::Negated(Box::new(made)), at.start..self.end_of_last())
        } else if self.sign("(") {
            let inner = self.operand()?;
            if !self.sign(")") {
                let is_list = self.sign(",");
                return Err(match is_list {
                    true => Wrong::new(at, "a list stands behind in, like, regex or :"),
                    false => self.wrong(") is expected here"),
                });
            }
            inner
        } else {
            self.atom()?
        };
        self.depth -= 1;
        Ok(operand)
    }

    fn atom(&mut self) -> Result<Operand, Wrong> {
        let is_optional = self.sign("?");
        let Some(token) = self.peek() else { return Err(self.wrong("the query ends too early")) };
        let token = token.clone();
        self.at += 1;
        let name = |text: &str| Operand::Field(Name::new(text, token.span.clone()));
        let operand = match &token.kind {
            Kind::Name(text) => name(text),
            Kind::Word(word) if !is_optional => {
                if self.sign("(") {
                    return self.function(word, &token);
                }
                match word.to_ascii_lowercase().as_str() {
                    "true" => Operand::Bool(true),
                    "false" => Operand::Bool(false),
                    "null" => Operand::Null,
                    "and" | "or" | "not" | "in" | "like" | "regex" | "where" | "of" | "by" | "with"
                    | "until" => {
                        return Err(Wrong::new(token.span, format!("{word:?} is not expected here")));
                    }
                    _ => name(word),
                }
            }
            Kind::Word(word) => name(word),
            Kind::Text(text) => Operand::Text(text.clone()),
            Kind::Number(number) => Operand::Number(*number),
            Kind::Decimal(number) => Operand::Decimal(*number),
            Kind::Sign(sign) => {
                return Err(Wrong::new(token.span.clone(), format!("{sign:?} is not expected here")));
            }
        };
        match self.peek() {
            Some(Token { kind: Kind::Sign("["), .. }) if matches!(operand, Operand::Field(_)) => {
                self.element(operand)
            }
            _ => Ok(operand),
        }
    }

    /// `process.args[1]`
    fn element(&mut self, of: Operand) -> Result<Operand, Wrong> {
        let Operand::Field(mut name) = of else { return Ok(of) };
        self.sign("[");
        let Some(Token { kind: Kind::Number(number), .. }) = self.peek() else {
            return Err(self.wrong("the number of an element is expected here"));
        };
        name.text = format!("{}[{number}]", name.text);
        self.at += 1;
        name.span.end = self.here().end;
        self.expect("]", "after the number of an element")?;
        Ok(Operand::Field(name))
    }

    /// A call of a function that makes a value.
    pub fn making(
        &self,
        word: &str,
        case: Case,
        arguments: Vec<(Range<usize>, Operand)>,
        span: &Range<usize>,
    ) -> Result<Operand, Wrong> {
        let Some((maker, count)) = Maker::by_name(word) else {
            if OF_ELEMENTS.iter().any(|name| word.eq_ignore_ascii_case(name)) {
                let message = format!("{word} asks each element by a query of its own, which is not read");
                return Err(Wrong::new(span.clone(), message));
            }
            let mut wrong = Wrong::new(span.clone(), format!("there is no function {word:?}"));
            wrong.suggestion =
                nearest(word, FUNCTIONS.iter().copied().chain(Maker::names())).map(str::to_owned);
            return Err(wrong);
        };
        if !count.contains(&arguments.len()) {
            let (least, most) = (count.start(), count.end());
            let many = if least == most { least.to_string() } else { format!("{least} to {most}") };
            return Err(Wrong::new(span.clone(), format!("{} takes {many} values", maker.name())));
        }
        // What only says of which type a field is meant changes nothing of it.
        if let (Maker::String | Maker::Number | Maker::Length, [(_, Operand::Field(name))]) =
            (maker, arguments.as_slice())
            && name.made.is_none()
        {
            let name = name.clone();
            return Ok(if maker == Maker::Length { Operand::Length(name) } else { Operand::Field(name) });
        }
        let mut made = Vec::new();
        for (at, operand) in arguments {
            let Some(argument) = operand.made() else {
                return Err(Wrong::new(at, "what is true or false cannot be computed with"));
            };
            made.push(argument);
        }
        Ok(Operand::of(Made::Call(maker, case, made), span.start..self.end_of_last()))
    }
}
