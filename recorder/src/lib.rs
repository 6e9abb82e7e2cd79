//! From the running kernel to a capture file.

pub mod cgroups;
pub mod containers;
pub mod kernel;
pub mod names;
mod proc_files;
pub mod runtime_state;
pub mod snapshot;
