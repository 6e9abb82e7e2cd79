//! The blocks of a file, one after the other.

use std::io::{self, BufRead, Read};

use crate::scap::{MAGIC, block};

/// A longer block is none: tables of a large machine take some MiB.
const BLOCK_BYTES: u32 = 64 << 20;

/// Cuts a file into its blocks.
#[derive(Debug)]
pub struct Blocks<R> {
    file: R,
    /// Where the next block begins, in the unpacked file.
    offset: u64,
    is_over: bool,
    body: Vec<u8>,
}

/// The kind of a block, and where it begins. Its body is [`Blocks::body`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Block {
    pub kind: u32,
    pub offset: u64,
}

impl<R: BufRead> Blocks<R> {
    pub fn new(file: R) -> Blocks<R> {
        Blocks { file, offset: 0, is_over: false, body: Vec::new() }
    }

    /// Where the next block begins.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The next block; `None` at the end. What is no block ends the file: nothing says where the next one would begin.
    pub fn next(&mut self) -> io::Result<Option<Result<Block, String>>> {
        if self.is_over {
            return Ok(None);
        }
        let read = self.read()?;
        self.is_over = !matches!(read, Some(Ok(_)));
        Ok(read)
    }

    fn read(&mut self) -> io::Result<Option<Result<Block, String>>> {
        let offset = self.offset;
        let mut head = [0; 8];
        let got = fill(&mut self.file, &mut head)?;
        if got == 0 && offset > 0 {
            return Ok(None);
        }
        let [kind, length] = [0, 4].map(|at| head.get(at..).and_then(|bytes| bytes.first_chunk().copied()));
        let (Some(kind), Some(length), 8) = (kind, length, got) else {
            return Ok(Some(Err(ends_early(offset))));
        };
        let (kind, length) = (u32::from_le_bytes(kind), u32::from_le_bytes(length));
        if offset == 0 && kind != block::SECTION {
            return Ok(Some(Err("no .scap file: it does not begin with a section".to_owned())));
        }
        if !(12..=BLOCK_BYTES).contains(&length) {
            return Ok(Some(Err(format!("a block of {length} bytes"))));
        }
        let rest = length as usize - 8;
        self.body.clear();
        let got = Read::take(&mut self.file, rest as u64).read_to_end(&mut self.body)?;
        if got < rest {
            return Ok(Some(Err(ends_early(offset))));
        }
        let (body, again) = self.body.split_at(rest - 4);
        if again != length.to_le_bytes() {
            return Ok(Some(Err("the lengths before and behind a block differ".to_owned())));
        }
        if kind == block::SECTION && !body.starts_with(&MAGIC.to_le_bytes()) {
            return Ok(Some(Err("a section of the other byte order, or of no .scap file".to_owned())));
        }
        self.body.truncate(rest - 4);
        self.offset += u64::from(length);
        Ok(Some(Ok(Block { kind, offset })))
    }
}

fn ends_early(offset: u64) -> String {
    match offset {
        0 => "no .scap file: it ends before its section does".to_owned(),
        _ => "the file ends within a block".to_owned(),
    }
}

fn fill(file: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = into.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
