//! The one form that rules of all languages are read into.
//!
//! ```text
//! Rule -> Body -> Query    arms, each a class of events and an expression over atoms
//!              -> Count, Together, Sequence, First    what several events add up to, by key and within a span
//! Atom  = one field of an event, and one test of its values
//! ```
//! The form knows no language and no capture: fields are what they mean (`the executable of the parent`), not where a kind of
//! event keeps it, which [`crate::access`] knows.

mod expr;
mod field;
mod machine;
mod pattern;
mod test;
mod value;

pub use expr::Expr;
pub use field::{ContainerFact, DescriptorFact, Field, FileFact, ProcessFact, SocketEnd, SocketFact, Who};
pub use machine::{Bounds, Count, Key, Measure, Missing, Order, Sequence, Step, Together};
pub use pattern::{Case, Pattern, Piece};
pub use test::{Atom, Cidr, Comparison, FieldShape, Regex, Test, TimePart};
pub use value::{Value, same};

use crate::class::Class;

/// What a rule asks.
#[derive(Clone, PartialEq, Debug)]
pub enum Body {
    /// One event.
    Event(Query),
    /// How many events, or what values of them, within a span of time.
    Count(Count),
    /// Several rules within a span of time.
    Together(Together),
    /// Events one after the other.
    Sequence(Sequence),
    /// A combination of values that was not there before.
    First { query: Query, fields: Vec<Field> },
}

/// Events of several classes, each with what is asked of it; one that any arm takes is taken.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Query {
    pub arms: Vec<Arm>,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Arm {
    pub class: Class,
    pub expr: Expr,
}

impl Body {
    /// Ids of the rules that it builds on.
    pub fn builds_on(&self) -> Vec<&str> {
        match self {
            Body::Count(Count { of, .. }) | Body::Together(Together { of, .. }) => {
                of.iter().map(String::as_str).collect()
            }
            Body::Event(_) | Body::Sequence(_) | Body::First { .. } => Vec::new(),
        }
    }

    /// All queries in it.
    pub fn queries(&self) -> Vec<&Query> {
        match self {
            Body::Event(query) | Body::First { query, .. } => vec![query],
            Body::Count(_) | Body::Together(_) => Vec::new(),
            Body::Sequence(sequence) => {
                sequence.steps.iter().map(|step| &step.query).chain(&sequence.until).collect()
            }
        }
    }
}
