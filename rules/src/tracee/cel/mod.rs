//! Conditions and fields of outputs in CEL.
//!
//! ```text
//! text -> term     a tree with places
//!      -> operand  which parts are values of the row, and what they are when these are missing
//!      -> lower    a condition to atoms over columns, as far as it can be
//!      -> computed the rest, to be evaluated over its operands: compute, with functions and within a cost
//! ```

mod compute;
mod computed;
mod cost;
mod functions;
mod lower;
mod operand;
mod term;
#[cfg(test)]
mod tests;
mod times;

pub use lower::Lower;
pub use operand::{Lists, Scope, data, has_data};
pub use term::{Kind, Literal, MAX_PARTS, Read, Term, Wrong, parse};
