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
pub mod diagnostic;
pub mod plan;
pub mod subject;
pub mod words;

pub use diagnostic::{Diagnostic, Severity};
pub use plan::Plan;
pub use subject::{ContainerFacts, LineageBits, Recording, Subject};
