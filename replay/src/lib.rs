//! From capture files to answers: opening, rendering events, reports on captures. No root, no BPF, any system.

pub mod asked;
pub mod diff;
pub mod explain;
pub mod frames;
pub mod import;
pub mod info;
pub mod open;
pub mod render;

pub use asked::Asked;
pub use info::Info;
