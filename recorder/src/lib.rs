//! From the running kernel to a capture file.

pub mod amount;
pub mod artifacts;
pub mod assemble;
pub mod btf;
pub mod containers;
pub mod contexts;
pub mod file;
pub mod hashes;
pub mod held;
pub mod host;
pub mod kernel;
pub mod label;
pub mod loss;
pub mod sample;
pub mod session;
pub mod source;
pub mod team;

pub use scopes::select;
