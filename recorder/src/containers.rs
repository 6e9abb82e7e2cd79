//! Which container a task is in: what its control groups say, who could have said it, and what runtimes know of it.

pub(crate) mod beneath;
pub mod cgroup_table;
pub mod cgroups;
pub mod container_events;
pub mod container_runtimes;
pub mod delegation;
pub mod identity;
pub mod names;
pub mod runtime_paths;
pub mod runtime_settings;
pub mod runtime_state;
