//! From the running kernel to a capture file.

pub mod amount;
pub mod assemble;
mod beneath;
pub mod btf;
pub mod cgroup_table;
pub mod cgroups;
pub mod clocks;
pub mod command;
pub mod container_events;
pub mod container_runtimes;
pub mod containers;
pub mod contexts;
pub mod delegation;
pub mod held;
pub mod host;
pub mod kernel;
pub mod label;
pub mod lanes;
pub mod loss;
pub mod names;
pub mod output;
pub mod priority;
pub mod privileges;
mod proc_files;
pub mod process_table;
pub mod rotate;
pub mod runtime_paths;
pub mod runtime_state;
pub mod sample;
mod seccomp;
pub mod session;
pub mod signals;
pub mod snapshot;
pub mod source;
pub mod write;

pub use scopes::select;
