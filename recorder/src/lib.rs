//! From the running kernel to a capture file.

pub mod kernel;
