//! Queries: one event, a sequence of them, or a sample.

use std::ops::Range;

use super::expr::Parser;
use super::token::{Kind, tokens};
use crate::elastic::ask::{Ask, Name, Wrong};

/// Runs of a step.
const MAX_RUNS: f64 = 100.0;

#[derive(Clone, PartialEq, Debug)]
pub enum Query {
    Event(Part),
    Sequence(Sequence),
}

/// `process where ...`
#[derive(Clone, PartialEq, Debug)]
pub struct Part {
    /// `None` is any.
    pub category: Option<Name>,
    pub ask: Ask,
    pub span: Range<usize>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Sequence {
    pub steps: Vec<Step>,
    pub until: Option<Step>,
    pub span_ns: Option<u64>,
    pub is_sample: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    pub part: Part,
    /// Those of the sequence before its own.
    pub by: Vec<Name>,
    pub runs: u32,
    pub is_missing: bool,
    /// What later steps call its event.
    pub name: Option<Name>,
}

pub fn parse(text: &str) -> Result<Query, Wrong> {
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, end: text.len(), depth: 0 };
    let at = parser.here();
    let query = if parser.word("sequence") {
        Query::Sequence(parser.sequence(at, false)?)
    } else if parser.word("sample") {
        Query::Sequence(parser.sequence(at, true)?)
    } else {
        Query::Event(parser.part()?)
    };
    match parser.peek() {
        None => Ok(query),
        Some(token) => Err(match &token.kind {
            Kind::Sign("|") => {
                Wrong::new(token.span.clone(), "pipes are not read: a rule asks for all that it describes")
            }
            _ => parser.wrong("and, or, or the end is expected here"),
        }),
    }
}

impl Parser<'_> {
    pub fn part(&mut self) -> Result<Part, Wrong> {
        let span = self.here();
        let category = match self.peek().map(|token| token.kind.clone()) {
            Some(Kind::Word(text) | Kind::Name(text) | Kind::Text(text)) => Name::new(text, span.clone()),
            _ => return Err(self.wrong("a category of events is expected here, as in: process where")),
        };
        self.at += 1;
        if !self.word("where") {
            return Err(self.wrong("where is expected after the category of events"));
        }
        let ask = self.or()?;
        let category = Some(category).filter(|it| it.text != "any");
        Ok(Part { category, ask, span })
    }

    fn sequence(&mut self, at: Range<usize>, is_sample: bool) -> Result<Sequence, Wrong> {
        let (mut by, mut span_ns) = (Vec::new(), None);
        loop {
            if by.is_empty() && self.word("by") {
                by = self.names()?;
            } else if span_ns.is_none() && !is_sample && self.word("with") {
                if !self.word("maxspan") {
                    return Err(self.wrong("maxspan is expected after with"));
                }
                self.expect("=", "after maxspan")?;
                span_ns = Some(self.span()?);
            } else {
                break;
            }
        }
        let mut steps: Vec<Step> = Vec::new();
        loop {
            let from = self.here();
            let is_missing = self.sign("!");
            if !self.sign("[") {
                if is_missing || steps.is_empty() {
                    return Err(self.wrong("[ is expected here: steps stand in brackets"));
                }
                break;
            }
            let step = self.step(&by, is_missing)?;
            if is_missing && is_sample {
                return Err(Wrong::new(from, "a sample has no missing events"));
            }
            if is_missing && span_ns.is_none() {
                return Err(Wrong::new(
                    from,
                    "a missing event needs with maxspan: otherwise it would be awaited for ever",
                ));
            }
            if let Some(first) = steps.first()
                && first.by.len() != step.by.len()
            {
                let message =
                    format!("this step has {} keys, and the first has {}", step.by.len(), first.by.len());
                return Err(Wrong::new(from, message));
            }
            if let Some(name) = &step.name {
                let is_taken = steps.iter().filter_map(|it| it.name.as_ref()).any(|it| it.text == name.text);
                let why = match () {
                    () if is_taken => "an event before has this name already",
                    () if is_missing => "what is missing is no event that could have a name",
                    () if is_sample => {
                        "events of a sample have no order, so that none can ask for one before it"
                    }
                    () => "",
                };
                if !why.is_empty() {
                    return Err(Wrong::new(name.span.clone(), why));
                }
            }
            steps.push(step);
        }
        let until = if !is_sample && self.word("until") {
            self.expect("[", "after until")?;
            let from = self.here();
            let step = self.step(&by, false)?;
            if steps.first().is_some_and(|first| first.by.len() != step.by.len()) {
                return Err(Wrong::new(from, "until has as many keys as the steps"));
            }
            Some(step)
        } else {
            None
        };
        if steps.iter().all(|step| step.is_missing) {
            return Err(Wrong::new(at, "one step at least is an event that is there"));
        }
        if steps.iter().map(|step| step.runs).sum::<u32>() < 2 {
            return Err(Wrong::new(at, "a sequence has two steps at least, or one with runs"));
        }
        if is_sample && steps.first().is_some_and(|step| step.by.is_empty()) {
            return Err(Wrong::new(at, "a sample says by which fields its events belong together"));
        }
        Ok(Sequence { steps, until, span_ns, is_sample })
    }

    /// What stands in a bracket that is open, and its keys and runs behind.
    fn step(&mut self, by: &[Name], is_missing: bool) -> Result<Step, Wrong> {
        let part = self.part()?;
        if !self.sign("]") {
            return Err(self.wrong("and, or, or ] is expected here"));
        }
        let (mut own, mut runs, mut name) = (Vec::new(), None, None);
        loop {
            if own.is_empty() && self.word("by") {
                own = self.names()?;
            } else if runs.is_none() && self.word("with") {
                if !self.word("runs") {
                    return Err(self.wrong("runs is expected after with: maxspan stands before the steps"));
                }
                self.expect("=", "after runs")?;
                let number = match self.peek().map(|token| &token.kind) {
                    Some(Kind::Number(number))
                        if (1.0..=MAX_RUNS).contains(number) && number.fract() == 0.0 =>
                    {
                        *number
                    }
                    _ => return Err(self.wrong("a whole number from 1 to 100 is expected here")),
                };
                self.at += 1;
                runs = Some(number as u32);
            } else if name.is_none() && self.word("as") {
                let span = self.here();
                let Some(Kind::Word(text) | Kind::Name(text)) = self.peek().map(|token| token.kind.clone())
                else {
                    return Err(self.wrong("a name for this event is expected after as"));
                };
                self.at += 1;
                name = Some(Name::new(text, span));
            } else {
                break;
            }
        }
        let by = by.iter().cloned().chain(own).collect();
        Ok(Step { part, by, runs: runs.unwrap_or(1), is_missing, name })
    }

    fn names(&mut self) -> Result<Vec<Name>, Wrong> {
        let mut names = Vec::new();
        loop {
            self.sign("?");
            let span = self.here();
            match self.peek().map(|token| token.kind.clone()) {
                Some(Kind::Word(text) | Kind::Name(text)) => names.push(Name::new(text, span)),
                _ => return Err(self.wrong("the name of a field is expected here")),
            }
            self.at += 1;
            if !self.sign(",") {
                return Ok(names);
            }
        }
    }

    /// `500ms`, `30s`, `5m`, `1h`, `1d`
    fn span(&mut self) -> Result<u64, Wrong> {
        let at = self.here();
        let Some(Kind::Number(number) | Kind::Decimal(number)) = self.peek().map(|token| token.kind.clone())
        else {
            return Err(self.wrong("a span of time is expected here, as 30s or 5m"));
        };
        self.at += 1;
        let unit = match self.peek().map(|token| token.kind.clone()) {
            Some(Kind::Word(unit)) => match unit.as_str() {
                "ms" => 1e6,
                "s" => 1e9,
                "m" => 60e9,
                "h" => 3600e9,
                "d" => 86_400e9,
                _ => return Err(self.wrong("ms, s, m, h or d is expected here")),
            },
            _ => return Err(Wrong::new(at, "a unit is missing behind this: ms, s, m, h or d")),
        };
        self.at += 1;
        Ok((number * unit) as u64)
    }
}
