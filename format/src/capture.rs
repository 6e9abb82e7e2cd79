//! A capture file, opened for reading.

use std::path::Path;

use crate::schema::Schema;
use crate::{Block, BlockInfo, Cgroup, Error, Header, Loss, Process, Result, Scratch, User};

/// A capture file. Sharing it among threads is fine: reading keeps its state in [`Scratch`].
#[derive(Debug)]
pub struct Capture {
    header: Header,
    schema: Schema,
    completeness: Completeness,
}

/// How to open a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Read with `pread` even where the file could be mapped.
    pub no_mmap: bool,
    /// Text of an age identity file, for encrypted captures.
    pub identity: Option<String>,
}

/// Whether all is there that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Completeness {
    /// The file was finished: its index and footer are there.
    Finished,
    /// The file ends early, or its index is damaged: what could be read was found by going through it.
    Salvaged {
        /// Bytes at the end that hold no whole frame.
        lost_bytes: u64,
        /// In words, such as `the file ends inside block 12`.
        what: String,
    },
}

impl Capture {
    pub fn open(path: &Path) -> Result<Capture> {
        Capture::open_with(path, &OpenOptions::default())
    }

    pub fn open_with(_path: &Path, _options: &OpenOptions) -> Result<Capture> {
        Err(Error::NotACapture)
    }

    pub fn from_bytes(_bytes: Vec<u8>) -> Result<Capture> {
        Err(Error::NotACapture)
    }

    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// In the file's order. Rows of one block may be earlier than the last ones of the block before it only where they
    /// came late, or where hosts were merged.
    pub fn blocks(&self) -> &[BlockInfo] {
        &[]
    }

    /// The strings that [`BlockInfo`] speaks of by index.
    pub fn strings(&self) -> &[Vec<u8>] {
        &[]
    }

    pub fn processes(&self) -> &[Process] {
        &[]
    }

    /// In the file's order: the last one of an id is what was known at the end.
    pub fn cgroups(&self) -> &[Cgroup] {
        &[]
    }

    pub fn losses(&self) -> &[Loss] {
        &[]
    }

    pub fn users(&self) -> &[User] {
        &[]
    }

    pub fn completeness(&self) -> &Completeness {
        &self.completeness
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        0
    }

    pub fn block<'a>(&'a self, block: usize, _scratch: &'a mut Scratch) -> Result<Block<'a>> {
        Err(Error::NoBlock { block, blocks: self.blocks().len() })
    }
}
