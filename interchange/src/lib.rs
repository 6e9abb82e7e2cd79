//! What was recorded, in the formats of other programs, and what they recorded as a capture: one module a format.

pub mod catalog;
pub mod export;
pub mod import;
mod scap;
pub mod upload;

pub use export::{Exporter, Format};
