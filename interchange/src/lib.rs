//! What was recorded, in the formats of other programs: one file a format.

pub mod export;

pub use export::{Exporter, Format};
