//! Rules of any language, read into one form and asked of what happened.
//!
//! ```text
//! files -> readers (sigma, falco, ..) -> Rule: metadata and a Body of atoms -> compile -> judge -> findings
//!          a folder each           form, class, access                   atoms by column; machines with state
//! ```
//! A reader turns text into rules and diagnostics and knows nothing of captures; see [`reader::Reader`]. To add a language:
//! a folder here, a `Reader` in it, and its place in [`reader::language_of`].

mod access;
mod account;
mod audit;
pub mod behaviours;
pub mod class;
mod column;
mod compile;
pub mod diagnostic;
mod elastic;
mod eql;
pub mod explain;
mod facts;
mod falco;
pub mod finding;
pub mod form;
mod judge;
mod kql;
mod login;
mod machines;
mod own;
pub mod reader;
mod rule;
pub mod scan;
pub mod sigma;
pub mod suite;
mod tracee;
mod yaml;

pub use diagnostic::{Diagnostic, Place, Severity};
pub use reader::{Corpus, Readers};
pub use rule::{Language, Level, OutputOf, Rule, Template};
