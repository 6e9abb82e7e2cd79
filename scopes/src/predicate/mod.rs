//! One key of all scopes at once: from a value to the scopes that it passes.

pub(crate) mod acting;
pub(crate) mod argument;
pub(crate) mod container;
pub(crate) mod context;
pub(crate) mod id;
pub(crate) mod number;
pub(crate) mod text;
pub mod thing;
mod wild;

use crate::filter::Filter;
use crate::words::Gate;

/// The filters that one scope has on one key.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    pub bit: u64,
    pub filters: Vec<&'a Filter>,
}

/// The gate of a key: scopes without a value to be had pass what they do not mention.
pub(crate) fn gate(asked: &[Asked<'_>]) -> Gate {
    let mut gate = Gate::default();
    for asked in asked {
        gate.used |= asked.bit;
        if !asked.filters.iter().any(|filter| filter.is_positive()) {
            gate.default |= asked.bit;
        }
    }
    gate
}
