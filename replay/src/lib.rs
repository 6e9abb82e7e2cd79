//! From capture files to answers: opening, rendering events, reports on captures. No root, no BPF, any system.

pub mod asked;
mod asker;
pub mod diff;
mod error;
pub mod explain;
pub mod import;
pub mod info;
pub mod open;
pub mod render;

pub use asked::Asked;
pub use asker::Asker;
pub use error::Error;
pub use info::Info;
