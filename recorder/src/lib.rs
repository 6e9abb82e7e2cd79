//! From the running kernel to a capture file.

pub mod cgroups;
pub mod containers;
pub mod kernel;
mod proc_files;
pub mod snapshot;
