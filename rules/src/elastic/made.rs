//! Values that a query makes of fields: `process.args_count - process.parent.args_count`, `concat(user.name, "@", host.name)`.
//!
//! Null goes into null, as in Elastic's reference, but for comparisons: those are false.

use std::cmp::Ordering;

use super::ask::Name;
use super::functions::Maker;
use crate::form::{Case, Comparison, Function, Owned};

/// Combinations of values that are tried where fields have several.
const MAX_COMBINATIONS: usize = 256;

#[derive(Clone, PartialEq, Debug)]
pub enum Made {
    Field(Name),
    Value(Single),
    Negated(Box<Made>),
    Binary(Sign, Box<Made>, Box<Made>),
    /// `true` or `false`.
    Compared(Comparison, Box<Made>, Box<Made>),
    Call(Maker, Case, Vec<Made>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
}

/// A single value.
#[derive(Clone, PartialEq, Debug)]
pub enum Single {
    Null,
    Whole(i128),
    Decimal(f64),
    Text(Vec<u8>),
    Bool(bool),
}

impl Single {
    /// A number as a query writes it: with a fraction, or without.
    pub fn number(number: f64, is_decimal: bool) -> Single {
        if is_decimal || number.fract() != 0.0 {
            Single::Decimal(number)
        } else {
            Single::Whole(number as i128)
        }
    }

    fn of(value: &Owned) -> Single {
        match value {
            Owned::Number(number) => Single::Whole(*number),
            Owned::Text(text) => Single::Text(text.to_vec()),
        }
    }

    fn owned(self) -> Option<Owned> {
        Some(match self {
            Single::Null => return None,
            Single::Whole(number) => Owned::Number(number),
            Single::Decimal(number) => Owned::text(number.to_string()),
            Single::Text(text) => Owned::text(text),
            Single::Bool(is) => Owned::text(is.to_string()),
        })
    }

    /// As a number; null where it is none.
    pub fn as_number(&self) -> Single {
        match self {
            Single::Text(text) => {
                let text = std::str::from_utf8(text).unwrap_or_default().trim();
                let whole = text.parse().map(Single::Whole);
                whole.or_else(|_| text.parse().map(Single::Decimal)).unwrap_or(Single::Null)
            }
            Single::Whole(_) | Single::Decimal(_) => self.clone(),
            Single::Null | Single::Bool(_) => Single::Null,
        }
    }

    pub fn as_decimal(&self) -> Option<f64> {
        match self.as_number() {
            Single::Whole(number) => Some(number as f64),
            Single::Decimal(number) => Some(number),
            _ => None,
        }
    }

    pub fn as_whole(&self) -> Option<i128> {
        match self.as_number() {
            Single::Whole(number) => Some(number),
            _ => None,
        }
    }

    /// As a text; `None` of null.
    pub fn as_text(&self) -> Option<Vec<u8>> {
        self.clone().owned().map(|value| value.value().text().into_owned())
    }

    fn written(&self) -> String {
        match self {
            Single::Null => "null".to_owned(),
            Single::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
            other => String::from_utf8_lossy(&other.as_text().unwrap_or_default()).into_owned(),
        }
    }
}

impl Sign {
    pub fn text(self) -> &'static str {
        match self {
            Sign::Add => "+",
            Sign::Subtract => "-",
            Sign::Multiply => "*",
            Sign::Divide => "/",
            Sign::Modulo => "%",
        }
    }

    /// Whole numbers give whole numbers; what cannot be computed is null.
    pub fn of(self, left: &Single, right: &Single) -> Single {
        if let (Some(left), Some(right)) = (left.as_whole(), right.as_whole()) {
            let result = match self {
                Sign::Add => left.checked_add(right),
                Sign::Subtract => left.checked_sub(right),
                Sign::Multiply => left.checked_mul(right),
                Sign::Divide => left.checked_div(right),
                Sign::Modulo => left.checked_rem(right),
            };
            return result.map_or(Single::Null, Single::Whole);
        }
        let (Some(left), Some(right)) = (left.as_decimal(), right.as_decimal()) else { return Single::Null };
        let result = match self {
            Sign::Add => left + right,
            Sign::Subtract => left - right,
            Sign::Multiply => left * right,
            Sign::Divide => left / right,
            Sign::Modulo => left % right,
        };
        if result.is_finite() { Single::Decimal(result) } else { Single::Null }
    }
}

/// Numbers as numbers, and texts as texts.
fn compared(left: &Single, right: &Single) -> Option<Ordering> {
    match (left, right) {
        (Single::Null, _) | (_, Single::Null) => None,
        (Single::Text(left), Single::Text(right)) => Some(left.cmp(right)),
        (Single::Bool(left), Single::Bool(right)) => Some(left.cmp(right)),
        (left, right) => match (left.as_whole(), right.as_whole()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => left.as_decimal()?.partial_cmp(&right.as_decimal()?),
        },
    }
}

impl Made {
    pub fn each_field<'a>(&'a self, see: &mut dyn FnMut(&'a Name)) {
        match self {
            Made::Field(name) => name.each_field(see),
            Made::Value(_) => {}
            Made::Negated(inner) => inner.each_field(see),
            Made::Binary(_, left, right) | Made::Compared(_, left, right) => {
                left.each_field(see);
                right.each_field(see);
            }
            Made::Call(.., arguments) => arguments.iter().for_each(|argument| argument.each_field(see)),
        }
    }

    /// The same with something else in the place of each field.
    pub fn with_fields(&self, put: &dyn Fn(&Name) -> Name) -> Made {
        let with = |of: &Made| Box::new(of.with_fields(put));
        match self {
            Made::Field(name) => Made::Field(name.with_fields(put)),
            Made::Value(value) => Made::Value(value.clone()),
            Made::Negated(inner) => Made::Negated(with(inner)),
            Made::Binary(sign, left, right) => Made::Binary(*sign, with(left), with(right)),
            Made::Compared(comparison, left, right) => Made::Compared(*comparison, with(left), with(right)),
            Made::Call(maker, case, all) => {
                Made::Call(*maker, *case, all.iter().map(|it| it.with_fields(put)).collect())
            }
        }
    }

    /// The value where it is the same for all events.
    pub fn constant(&self) -> Option<Single> {
        let mut has_fields = false;
        self.each_field(&mut |_| has_fields = true);
        (!has_fields).then(|| self.value(&mut std::iter::empty()))
    }

    pub fn written(&self) -> String {
        match self {
            Made::Field(name) => name.text.clone(),
            Made::Value(value) => value.written(),
            Made::Negated(inner) => format!("-{}", inner.written()),
            Made::Binary(sign, left, right) => {
                format!("({} {} {})", left.written(), sign.text(), right.written())
            }
            Made::Compared(comparison, left, right) => {
                format!("{} {} {}", left.written(), comparison.sign(), right.written())
            }
            Made::Call(maker, case, arguments) => {
                let folded = if *case == Case::Folded { "~" } else { "" };
                let arguments = arguments.iter().map(Made::written).collect::<Vec<_>>();
                format!("{}{folded}({})", maker.name(), arguments.join(", "))
            }
        }
    }

    /// The value, with the next of `values` for each field in order.
    fn value<'v>(&self, values: &mut impl Iterator<Item = &'v Single>) -> Single {
        match self {
            Made::Field(name) => match &name.made {
                Some(made) => made.value(values),
                None => values.next().cloned().unwrap_or(Single::Null),
            },
            Made::Value(value) => value.clone(),
            Made::Negated(inner) => Sign::Subtract.of(&Single::Whole(0), &inner.value(values)),
            Made::Binary(sign, left, right) => {
                let left = left.value(values);
                sign.of(&left, &right.value(values))
            }
            Made::Compared(comparison, left, right) => {
                let left = left.value(values);
                match compared(&left, &right.value(values)) {
                    Some(ordering) => Single::Bool(comparison.holds(&ordering, &Ordering::Equal)),
                    None => Single::Null,
                }
            }
            Made::Call(maker, case, arguments) => {
                let arguments: Vec<Single> = arguments.iter().map(|it| it.value(values)).collect();
                maker.of(&arguments, *case)
            }
        }
    }
}

/// Made of the fields that it has, in the order in which it names them.
impl Function for Made {
    fn values(&self, inputs: &[Vec<Owned>]) -> Vec<Owned> {
        let inputs: Vec<Vec<Single>> = inputs
            .iter()
            .map(|values| match values.is_empty() {
                true => vec![Single::Null],
                false => values.iter().map(Single::of).collect(),
            })
            .collect();
        let combinations = inputs.iter().fold(1usize, |all, values| all.saturating_mul(values.len()));
        let mut made = Vec::new();
        for number in 0..combinations.min(MAX_COMBINATIONS) {
            let mut rest = number;
            let chosen: Vec<&Single> = inputs
                .iter()
                .filter_map(|values| {
                    let chosen = values.get(rest % values.len());
                    rest /= values.len();
                    chosen
                })
                .collect();
            let value = self.value(&mut chosen.into_iter()).owned();
            made.extend(value.filter(|value| !made.contains(value)));
        }
        made
    }
}
