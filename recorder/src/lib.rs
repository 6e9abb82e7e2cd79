//! From the running kernel to a capture file.

pub mod amount;
pub mod cgroups;
pub mod command;
pub mod containers;
pub mod kernel;
pub mod loss;
pub mod names;
pub mod output;
mod proc_files;
pub mod runtime_state;
pub mod signals;
pub mod snapshot;
