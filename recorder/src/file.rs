//! From blocks to files: the queues between threads, the thread that writes, outputs, sets of files.

pub mod lanes;
pub mod output;
pub mod retention;
pub mod rotate;
pub mod write;
pub mod writing;
