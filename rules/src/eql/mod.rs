//! EQL as Elastic's rules write it: events, sequences, samples.
//!
//! ```text
//! text -> `token` -> `query`: sequences, their steps and keys
//!                 -> `expr`: precedence, comparisons, functions -> Ask
//! ```
//! What its names mean, and which events carry them, `elastic` knows: this only reads the language.

mod expr;
mod query;
#[cfg(test)]
mod tests;
mod token;
mod value;

pub use query::{Part, Query, Sequence, Step, parse};
