//! SQL over captures, here and on clusters: DataFusion's engine over tracer's blocks, statistics and scopes.

pub mod arguments;
pub mod bucket;
pub mod captures;
pub mod cluster;
pub mod codec;
pub mod events_table;
pub mod findings;
pub mod output;
pub mod pushdown;
pub mod question;
pub mod rule_files;
pub mod scan;
pub mod scopes_function;
pub mod session;
pub mod sql;
mod store;
pub mod task_exec;
mod tasks;
pub mod tls;
pub mod upload;
pub mod views;
mod words;
