//! The filter language: from `9:comm=ls` to a 64-bit mask per event. Pure: no files, no clocks, no system calls.
//!
//! ```text
//! -f texts, policy files -> ScopeSet (checked filters) -> Plan (shared predicates) -> masks
//!                                                                 Lineage (fork, exec, exit) -^
//! ```
//! Scope N is bit N-1 of every mask in this crate. A row of a capture matches the scopes
//! `context_mask & event_mask & argument masks & return mask`; [`Plan`] gives each of them, and each is computed once per
//! distinct value, whatever the number of scopes.

pub mod batch;
mod check;
mod chosen;
mod contradiction;
pub mod diagnostic;
pub mod diff;
pub mod explain;
pub mod filter;
mod guess;
mod judged;
pub mod key;
pub mod lineage;
mod list;
pub mod lower;
mod members;
pub mod pattern;
pub mod plan;
mod policy;
mod predicate;
mod printable;
mod property;
pub mod pruning;
pub mod select;
mod selection;
pub mod set;
pub mod subject;
pub mod syntax;
pub mod thing;
mod values;
pub mod vocabulary;
mod within;
pub mod words;

pub use diagnostic::{Diagnostic, Severity, nearest};
pub use filter::Filter;
pub use judged::Judged;
pub use lineage::Lineage;
pub use lower::Lowered;
pub use plan::Plan;
pub use predicate::thing::{Sought, ThingKey};
pub use printable::{is_printable, spelled_out};
pub use set::{Scope, ScopeSet};
pub use subject::{ContainerFacts, LineageBits, Recording, Subject};
pub use thing::{Place, Thing};
pub use vocabulary::{Lists, Vocabulary};
