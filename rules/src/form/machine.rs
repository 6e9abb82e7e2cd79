//! What several events add up to: their state is brought forward in order of time.

use super::{Case, Comparison, Field, FieldShape, Query};

/// How many findings of other rules there are within a span, or what their values add up to.
#[derive(Clone, PartialEq, Debug)]
pub struct Count {
    /// Rules by id or name, as written.
    pub of: Vec<String>,
    pub measure: Measure,
    pub by: Vec<Key>,
    pub span_ns: u64,
    pub bounds: Bounds,
}

#[derive(Clone, PartialEq, Debug)]
pub enum Measure {
    Events,
    /// Distinct combinations of these fields' values.
    Distinct(Vec<Field>),
    Sum(Field),
    Average(Field),
    /// This percentile of its values, 0 to 100.
    Percentile(Field, f64),
}

/// All must hold: two make a range.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Bounds(pub Vec<(Comparison, f64)>);

impl Bounds {
    pub fn hold(&self, value: f64) -> bool {
        self.0.iter().all(|(comparison, bound)| comparison.holds(&value, bound))
    }
}

/// What groups are told apart by: one field, which may be called differently by each rule that goes into it.
#[derive(Clone, PartialEq, Debug)]
pub struct Key {
    pub name: String,
    /// By rule as in `of`; the same for those that are not named.
    pub fields: Vec<(Option<String>, Field)>,
}

/// Findings of several rules within a span.
#[derive(Clone, PartialEq, Debug)]
pub struct Together {
    pub of: Vec<String>,
    pub order: Order,
    pub by: Vec<Key>,
    pub span_ns: u64,
    /// How many of the rules must be there; all of them when nothing is said.
    pub bounds: Bounds,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    Any,
    AsWritten,
}

/// Events one after the other, each group of keys on its own.
#[derive(Clone, PartialEq, Debug)]
pub struct Sequence {
    pub steps: Vec<Step>,
    /// Ends what is pending.
    pub until: Option<Query>,
    pub until_by: Vec<Field>,
    /// From the first event to the last.
    pub span_ns: Option<u64>,
    /// Events in any order.
    pub is_sample: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    pub query: Query,
    /// Values that are the same in all steps, in the same order in each.
    pub by: Vec<Field>,
    /// So many events, one after the other.
    pub runs: u32,
    /// No such event may be there.
    pub missing: Missing,
    /// What is asked of events before it in the same sequence.
    pub joins: Vec<Join>,
}

/// A comparison of this step's event with an earlier one.
#[derive(Clone, PartialEq, Debug)]
pub struct Join {
    pub left: Side,
    pub right: Side,
    pub case: Case,
    /// How the left one is to the right one.
    pub shape: FieldShape,
    pub is_negated: bool,
}

#[derive(Clone, PartialEq, Debug)]
pub struct Side {
    /// The number of an earlier step; `None` is this one.
    pub step: Option<usize>,
    pub field: Field,
}

impl Sequence {
    /// The fields of a step for which later ones ask.
    pub fn kept_of(&self, step: usize) -> Vec<&Field> {
        let mut kept: Vec<&Field> = Vec::new();
        let joins = self.steps.iter().flat_map(|it| &it.joins);
        for side in joins.flat_map(|join| [&join.left, &join.right]).filter(|it| it.step == Some(step)) {
            if !kept.contains(&&side.field) {
                kept.push(&side.field);
            }
        }
        kept
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    No,
    Yes,
}
