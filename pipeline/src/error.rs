//! What can go wrong on the way from a capture to a sink.

use std::io;

use crate::gap::Gap;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A capture that cannot be read; `file` as the user named it.
    #[error("{file}")]
    Capture { file: String, source: format::Error },
    /// A block that cannot be read, where that ends the answer.
    #[error("{0}")]
    Gap(Box<Gap>),
    #[error("{file} is a folder: name the captures in it, such as {file}/*.trz")]
    Folder { file: String },
    /// A sink that does not take what it is given (a full disk, a closed pipe).
    #[error("writing the output")]
    Output(#[from] io::Error),
    /// Where many files overlap, what waits for its turn may not fit into memory.
    #[error("keeping rows that wait for their turn in a temporary file (TMPDIR says where)")]
    Spill { source: io::Error },
    /// The blocks of a growing source come once.
    #[error("what arrives can be asked once only, and was asked already: write it to a file first")]
    Spent,
    #[error("stopped")]
    Cancelled,
    /// The system starts no more threads.
    #[error("cannot start a thread: --threads 1 needs none")]
    Thread { source: io::Error },
    /// A thread ended without its result.
    #[error("a worker thread ended early")]
    Worker,
}
