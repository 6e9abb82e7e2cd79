//! Expressions that compute: evaluated by the `cel` crate, over what the row has in the place of their operands.

use std::sync::Arc;

use cel::objects::Map;
use cel::{Context, IdedExpr, Value};

use super::cost;
use super::functions;
use super::operand::{Missing, Operand, Shape};
use super::term::Term;
use crate::form::{Function, Owned};

/// Combinations of a number's name and its digits that are tried.
const MAX_TRIES: usize = 8;

/// An expression whose operands are variables.
pub struct Cel {
    pub term: Term,
    pub expr: IdedExpr,
    pub variables: Vec<Variable>,
    pub lists: Vec<(String, Arc<Vec<Value>>)>,
    /// Only what is true or false is a result.
    pub is_condition: bool,
}

pub struct Variable {
    pub name: String,
    pub source: Source,
}

/// What of the inputs a variable is.
pub enum Source {
    One {
        at: usize,
        presence: Option<usize>,
        shape: Shape,
        missing: Missing,
    },
    /// A list of processes, each a map of these members; one whose first input is missing is not there, nor those behind it.
    Processes(Vec<Vec<(&'static str, usize, Shape)>>),
}

impl Cel {
    pub fn evaluate(&self, inputs: &[Vec<Owned>]) -> Option<Value> {
        for attempt in 0..MAX_TRIES {
            let mut choices = attempt;
            let mut bound: Vec<(&str, Value)> = Vec::new();
            for variable in &self.variables {
                if let Some(value) = variable.source.value(inputs, &mut choices) {
                    bound.push((&variable.name, value));
                }
            }
            // All combinations were tried.
            if choices > 0 {
                break;
            }
            if let Some(value) = self.evaluate_over(bound) {
                return Some(value);
            }
        }
        None
    }

    fn evaluate_over(&self, bound: Vec<(&str, Value)>) -> Option<Value> {
        let size = |name: &str| {
            let of_list = |list: &[Value]| list.iter().map(size_of_value).sum::<u64>();
            let variable =
                bound.iter().find(|(known, _)| *known == name).map(|(_, value)| size_of_value(value));
            let list = || self.lists.iter().find(|(known, _)| known == name).map(|(_, list)| of_list(list));
            variable.or_else(list).unwrap_or(1)
        };
        if !cost::is_bounded(&self.term, &size) {
            return None;
        }
        let mut context = Context::with_env(functions::environment());
        for (name, list) in &self.lists {
            context.add_variable_from_value(name.as_str(), Value::List(Arc::clone(list)));
        }
        for (name, value) in bound {
            context.add_variable_from_value(name, value);
        }
        // An error is no value.
        Value::resolve(&self.expr, &context).ok()
    }
}

impl Function for Cel {
    fn values(&self, inputs: &[Vec<Owned>]) -> Vec<Owned> {
        match self.evaluate(inputs) {
            Some(Value::Bool(is)) => vec![Owned::text(is.to_string())],
            Some(_) if self.is_condition => Vec::new(),
            Some(value) => owned(&value),
            None => Vec::new(),
        }
    }
}

/// A result as fields have it: each element of a list, and nothing of what has no text.
pub fn owned(value: &Value) -> Vec<Owned> {
    match value {
        Value::Bool(is) => vec![Owned::text(is.to_string())],
        Value::Int(number) => vec![Owned::Number((*number).into())],
        Value::UInt(number) => vec![Owned::Number((*number).into())],
        Value::Float(number) => vec![Owned::text(number.to_string())],
        Value::String(text) => vec![Owned::text(text.as_bytes())],
        Value::Bytes(bytes) => vec![Owned::text(bytes.as_slice())],
        Value::List(items) => items.iter().flat_map(owned).collect(),
        _ => Vec::new(),
    }
}

fn size_of_value(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64 + 1,
        Value::Bytes(bytes) => bytes.len() as u64 + 1,
        Value::List(items) => items.iter().map(size_of_value).sum::<u64>() + 1,
        Value::Map(map) => map.map.values().map(size_of_value).sum::<u64>() + 1,
        _ => 1,
    }
}

impl Source {
    /// `None`: using it is an error. `choices` says which of several values is taken.
    fn value(&self, inputs: &[Vec<Owned>], choices: &mut usize) -> Option<Value> {
        let values = |at: usize| inputs.get(at).map_or(&[][..], Vec::as_slice);
        match self {
            Source::One { at, presence, shape, missing } => {
                let all = values(*at);
                if *shape == Shape::Texts && !all.is_empty() {
                    return Some(Value::List(Arc::new(all.iter().map(text).collect())));
                }
                if all.is_empty() {
                    return match missing {
                        Missing::Null => Some(Value::Null),
                        Missing::Default => Some(default(*shape)),
                        Missing::Error(_) => {
                            presence.filter(|presence| !values(*presence).is_empty()).map(|_| default(*shape))
                        }
                    };
                }
                let chosen = *choices % all.len();
                *choices /= all.len();
                all.get(chosen).map(|value| typed(value, *shape))
            }
            Source::Processes(processes) => {
                let mut list = Vec::new();
                for members in processes {
                    if members.first().is_none_or(|(_, at, _)| values(*at).is_empty()) {
                        break;
                    }
                    let member = |(name, at, shape): &(&'static str, usize, Shape)| {
                        let value =
                            values(*at).first().map_or_else(|| default(*shape), |it| typed(it, *shape));
                        ((*name).to_owned(), value)
                    };
                    let members: std::collections::HashMap<String, Value> =
                        members.iter().map(member).collect();
                    list.push(Value::Map(Map::from(members)));
                }
                Some(Value::List(Arc::new(list)))
            }
        }
    }
}

fn text(value: &Owned) -> Value {
    match value {
        Owned::Text(text) => Value::String(String::from_utf8_lossy(text).into_owned().into()),
        Owned::Number(number) => Value::String(number.to_string().into()),
    }
}

fn typed(value: &Owned, shape: Shape) -> Value {
    match (value, shape) {
        (Owned::Text(text), Shape::Bool) => Value::Bool(**text == *b"true"),
        (Owned::Number(number), Shape::Number | Shape::Mixed) => match i64::try_from(*number) {
            Ok(number) => Value::Int(number),
            Err(_) => Value::UInt(u64::try_from(*number).unwrap_or(u64::MAX)),
        },
        (value, _) => text(value),
    }
}

pub fn default(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::Mixed => Value::String(String::new().into()),
        Shape::Number => Value::Int(0),
        Shape::Bool => Value::Bool(false),
        Shape::Texts | Shape::Structure => Value::List(Arc::default()),
    }
}

/// The operand as a variable's source, and the fields that it needs from number `at` on.
pub fn source(operand: &Operand, at: usize) -> (Source, Vec<crate::form::Field>) {
    let mut fields = vec![operand.field.clone()];
    let presence = match &operand.missing {
        Missing::Error(field) => {
            fields.push(field.clone());
            Some(at + 1)
        }
        _ => None,
    };
    (Source::One { at, presence, shape: operand.shape, missing: operand.missing.clone() }, fields)
}
