//! The programs, one family of hooks per file.

pub mod process;
pub mod syscalls;
