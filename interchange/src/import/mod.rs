//! Readers of other programs' logs, into the form that `replay::import` writes captures from.

pub mod strace;

pub use strace::Strace;
