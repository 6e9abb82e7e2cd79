//! The host, and the recorder as one of its processes: what is there at the start, clocks, memory, privileges, signals.

pub mod clocks;
pub mod command;
pub mod description;
pub mod memory;
pub mod priority;
pub mod privileges;
pub(crate) mod proc_files;
pub mod process_table;
pub(crate) mod seccomp;
pub mod signals;
pub mod snapshot;
pub mod standings;
