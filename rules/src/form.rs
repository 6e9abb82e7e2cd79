//! The one form that rules of all languages are read into.
//!
//! ```text
//! Rule -> Body -> Query    arms, each a class of events and an expression over atoms
//!              -> Count, Together, Sequence, First    what several events add up to, by key and within a span
//! Atom  = one field of an event, and one test of its values
//! ```
//! The form knows no language and no capture: fields are what they mean (`the executable of the parent`), not where a kind of
//! event keeps it, which [`crate::access`] knows.

mod computed;
mod execution;
mod expr;
mod field;
mod machine;
mod pattern;
mod test;
mod value;

pub use computed::{Computed, Function, Owned};
pub use execution::{Execution, Kin};
pub use expr::Expr;
pub use field::{
    CapabilitySet, ContainerFact, DescriptorFact, Field, FileFact, Leader, ProcessFact, SocketEnd,
    SocketFact, UriPart, Who,
};
pub use machine::{Bounds, Count, Join, Key, Measure, Missing, Order, Sequence, Side, Step, Together};
pub use pattern::{Case, Pattern, Piece};
pub use test::{Atom, Cidr, Comparison, FieldShape, Regex, Test, TimePart};
pub use value::{Value, same};

use std::sync::Arc;

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
    /// Only of events that one of these takes as well.
    pub within: Option<Arc<Within>>,
}

impl Arm {
    pub fn new(class: Class, expr: Expr) -> Arm {
        Arm { class, expr, within: None }
    }
}

/// Events that a log makes records of; all rules about that log share it.
#[derive(Clone, PartialEq, Debug)]
pub struct Within {
    pub arms: Vec<Arm>,
    /// In words, for who asks why a rule holds.
    pub written: String,
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

    /// The fields that groups are told apart by, and whose values are counted.
    pub fn keys(&self) -> impl Iterator<Item = Field> {
        let of_keys = |keys: &[Key]| -> Vec<Field> {
            keys.iter().flat_map(|key| key.fields.iter().map(|(_, field)| field.clone())).collect()
        };
        let all = match self {
            Body::Event(_) => Vec::new(),
            Body::Count(count) => {
                let measured = match &count.measure {
                    Measure::Events => Vec::new(),
                    Measure::Distinct(fields) => fields.clone(),
                    Measure::Sum(field) | Measure::Average(field) | Measure::Percentile(field, _) => {
                        vec![field.clone()]
                    }
                };
                [of_keys(&count.by), measured].concat()
            }
            Body::Together(together) => of_keys(&together.by),
            Body::Sequence(sequence) => {
                let of_steps = sequence.steps.iter().flat_map(|step| &step.by);
                of_steps.chain(&sequence.until_by).cloned().collect()
            }
            Body::First { fields, .. } => fields.clone(),
        };
        all.into_iter()
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
