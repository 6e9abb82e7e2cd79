//! What can be wrong with a capture, and where.

use std::io;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{what}: {source}")]
    Io { what: &'static str, source: io::Error },
    #[error("not a capture file: it does not begin with a capture's first bytes")]
    NotACapture,
    #[error("the capture is of format version {found}; this program reads version {known} and older")]
    Version { found: u16, known: u16 },
    /// Bytes that do not say what they should. `offset` is from the start of the file.
    #[error("damaged at byte {offset}: {what}")]
    Damaged { offset: u64, what: &'static str },
    #[error("block {block}: {what}")]
    Block { block: usize, what: &'static str },
    #[error("{what} is {value}, and at most {limit} is allowed")]
    TooLarge { what: &'static str, value: u64, limit: u64 },
    /// A row that a builder does not take.
    #[error("a row of event {event}: {what}")]
    Row { event: u16, what: &'static str },
    #[error("there is no block {block}: the capture has {blocks}")]
    NoBlock { block: usize, blocks: usize },
    #[error("block {block} has no row {row}: it has {rows}")]
    NoRow { block: usize, row: usize, rows: usize },
    #[error("the capture is encrypted: give the identity that it was encrypted to")]
    Encrypted,
    #[error("{what}")]
    Key { what: String },
}

impl Error {
    pub(crate) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { what, source }
    }
}
