//! What a query asks, before it is known of which kind of event: EQL and KQL are read into it.

use std::ops::Range;
use std::sync::Arc;

use super::made::Made;
use crate::form::{Case, Comparison, FieldShape, Kin, Pattern, Piece, Regex, Test};

/// What is wrong with a query, and where in its text.
#[derive(Clone, PartialEq, Debug)]
pub struct Wrong {
    pub span: Range<usize>,
    pub message: String,
    pub suggestion: Option<String>,
}

impl Wrong {
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Wrong {
        Wrong { span, message: message.into(), suggestion: None }
    }
}

/// A field as written: its name, or what makes a value of others.
#[derive(Clone, PartialEq, Debug)]
pub struct Name {
    pub text: String,
    pub span: Range<usize>,
    pub made: Option<Arc<Made>>,
}

impl Name {
    pub fn new(text: impl Into<String>, span: Range<usize>) -> Name {
        Name { text: text.into(), span, made: None }
    }

    /// What a value is made of, in the place of a field.
    pub fn made(made: Made, span: Range<usize>) -> Name {
        Name { text: made.written(), span, made: Some(Arc::new(made)) }
    }

    /// The same with something else in the place of each field.
    pub fn with_fields(&self, put: &dyn Fn(&Name) -> Name) -> Name {
        match &self.made {
            Some(made) => Name::made(made.with_fields(put), self.span.clone()),
            None => put(self),
        }
    }

    /// Calls `see` with the names of the fields: its own, or those that it is made of.
    pub fn each_field<'a>(&'a self, see: &mut dyn FnMut(&'a Name)) {
        match &self.made {
            Some(made) => made.each_field(see),
            None => see(self),
        }
    }
}

#[derive(Clone, PartialEq, Debug)]
pub enum Ask {
    Const(bool),
    Not(Box<Ask>),
    All(Vec<Ask>),
    Any(Vec<Ask>),
    Test(Name, Asked),
    /// The process, its parent or some ancestor executed such a program.
    Executed {
        kin: Kin,
        of: Box<Ask>,
        span: Range<usize>,
    },
}

#[derive(Clone, PartialEq, Debug)]
pub enum Asked {
    Test(Test),
    Same(Name, Case, FieldShape),
}

impl Ask {
    pub fn negated(self) -> Ask {
        match self {
            Ask::Const(value) => Ask::Const(!value),
            Ask::Not(inner) => *inner,
            other => Ask::Not(Box::new(other)),
        }
    }

    pub fn test(name: &Name, test: Test) -> Ask {
        Ask::Test(name.clone(), Asked::Test(test))
    }

    pub fn number(name: &Name, comparison: Comparison, number: f64) -> Ask {
        Ask::test(name, Test::Number(comparison, number))
    }

    /// A field whose text fits one of the patterns.
    pub fn fits(name: &Name, case: Case, patterns: Vec<Pattern>) -> Result<Ask, Wrong> {
        if case == Case::Exact {
            return Ok(Ask::test(name, Test::Fits(case, patterns)));
        }
        // Cases of letters beyond ASCII are Unicode's, which regular expressions know.
        let is_ascii = |pattern: &Pattern| {
            pattern.pieces().iter().all(|piece| !matches!(piece, Piece::Literal(text) if !text.is_ascii()))
        };
        let (plain, others): (Vec<_>, Vec<_>) = patterns.into_iter().partition(is_ascii);
        let mut parts = Vec::new();
        if !plain.is_empty() {
            parts.push(Ask::test(name, Test::Fits(case, plain.into_iter().map(Pattern::lower).collect())));
        }
        if !others.is_empty() {
            let others = others.iter().map(|it| compiled(&crate::sigma::text::regex(it), &name.span));
            parts.push(Ask::test(name, Test::Regex(others.collect::<Result<_, _>>()?)));
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Ask::Any(parts) })
    }

    /// All names of what is asked of the event itself.
    pub fn each_name<'a>(&'a self, see: &mut impl FnMut(&'a Name, &'a Asked)) {
        match self {
            Ask::Const(_) | Ask::Executed { .. } => {}
            Ask::Not(inner) => inner.each_name(see),
            Ask::All(parts) | Ask::Any(parts) => parts.iter().for_each(|part| part.each_name(see)),
            Ask::Test(name, asked) => see(name, asked),
        }
    }
}

/// A regular expression, or why it is none.
pub fn compiled(regex: &str, span: &Range<usize>) -> Result<Regex, Wrong> {
    match regex::bytes::Regex::new(regex) {
        Ok(regex) => Ok(Regex(regex)),
        Err(error) => {
            let error = error.to_string();
            // The last line of several says why.
            let why = error.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
            Err(Wrong::new(span.clone(), format!("this regular expression cannot be used: {why}")))
        }
    }
}

/// Stars, and question marks where the language has them, are wildcards; nothing escapes them.
pub fn wildcards(text: &str, with_one: bool) -> Pattern {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    for byte in text.bytes() {
        let piece = match byte {
            b'*' => Piece::Many,
            b'?' if with_one => Piece::One,
            other => {
                literal.push(other);
                continue;
            }
        };
        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
        pieces.push(piece);
    }
    pieces.push(Piece::Literal(literal));
    Pattern::from_pieces(pieces)
}
