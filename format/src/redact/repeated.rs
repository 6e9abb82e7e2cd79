//! Long values that many rows of a block share: what became of one is decided once.
//!
//! A block has each value once, and sixty-five thousand rows may share one of a megabyte. Hashing and searching it for every
//! row would take an hour for a file of ten kilobytes.

use std::collections::HashMap;

use events::EventId;

use super::Redactor;
use super::bearing::Form;
use crate::rewrite::Change;

/// Shorter values are as quickly decided as looked up.
pub(super) const LONG: usize = 128;

/// A value by where it lies in its block, and all that decides what becomes of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Value {
    event: EventId,
    position: usize,
    at: usize,
    length: usize,
    form: Form,
    start: usize,
}

impl Value {
    /// `None` of a value that is not worth it.
    pub fn of(event: EventId, position: usize, bytes: &[u8], (form, start): (Form, usize)) -> Option<Value> {
        let (at, length) = (bytes.as_ptr() as usize, bytes.len());
        (length >= LONG).then_some(Value { event, position, at, length, form, start })
    }
}

/// The values of the block that is copied.
#[derive(Debug, Default)]
pub(super) struct Repeated(HashMap<Value, Decided>);

#[derive(Debug)]
struct Decided {
    change: Change,
    /// By rule: how many values in it the rule changes.
    changed: Vec<u64>,
    /// It is written though it holds something that was taken out elsewhere.
    is_leftover: bool,
}

impl Repeated {
    /// Another block follows, and lies elsewhere.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl Redactor {
    /// What `decide` makes of a value, which says whether the value is left though it should not be; counted for each row.
    pub(super) fn once(
        &mut self,
        value: Option<Value>,
        place: impl Fn() -> String,
        decide: impl FnOnce(&mut Redactor) -> (Change, bool),
    ) -> Change {
        let known = value.and_then(|value| self.repeated.0.get(&value));
        if let Some(Decided { change, changed, is_leftover }) = known {
            for (count, more) in self.changed.iter().zip(changed) {
                count.set(count.get() + more);
            }
            if *is_leftover {
                self.leftover(place());
            }
            return change.clone();
        }
        let before: Vec<u64> = match value {
            Some(_) => self.changed.iter().map(std::cell::Cell::get).collect(),
            None => Vec::new(),
        };
        let (change, is_leftover) = decide(self);
        if is_leftover {
            self.leftover(place());
        }
        if let Some(value) = value {
            let changed = self.changed.iter().zip(before).map(|(now, before)| now.get() - before).collect();
            self.repeated.0.insert(value, Decided { change: change.clone(), changed, is_leftover });
        }
        change
    }
}
