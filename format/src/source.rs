//! Where a capture's bytes come from.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::descriptors::SharedFile;
use crate::map::Map;
use crate::{Error, Result};

const ENDS_EARLY: &str = "the file ends before what should stand here";

/// See [`bytes_read`].
static READ: AtomicU64 = AtomicU64::new(0);

/// Bytes that this process has read out of captures, for whoever shows how far something is. What is read twice counts twice.
pub fn bytes_read() -> u64 {
    READ.load(Ordering::Relaxed)
}

/// Bytes of a capture that are read from elsewhere, such as an object in a store. Threads read at the same time.
pub trait ReadAt: std::fmt::Debug + Send + Sync {
    /// How many there are.
    fn bytes(&self) -> u64;

    /// Fills the buffer from this place on; [`io::ErrorKind::UnexpectedEof`] where there are not as many.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
}

/// The bytes of a file: in memory, or read piece by piece.
#[derive(Debug)]
pub(crate) enum Source {
    Bytes(Vec<u8>),
    Map(Map),
    /// Read with `pread`, so that a file which shrinks meanwhile is an error and no signal.
    File(SharedFile),
    Other(Box<dyn ReadAt>),
}

impl Source {
    pub(crate) fn open(path: &Path, mmap: bool) -> Result<Source> {
        let file = File::open(path).map_err(Error::io("opening the capture"))?;
        let metadata = file.metadata().map_err(Error::io("opening the capture"))?;
        if metadata.is_dir() {
            return Err(Error::NotACapture);
        }
        if mmap && metadata.len() > 0 {
            return Map::of(&file).map(Source::Map);
        }
        Ok(Source::File(SharedFile::new(path, file, &metadata)))
    }

    /// Bytes of the file when it was opened.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Source::Bytes(bytes) => bytes.len() as u64,
            Source::Map(map) => map.bytes().len() as u64,
            Source::File(file) => file.bytes(),
            Source::Other(reader) => reader.bytes(),
        }
    }

    /// The bytes from `offset` on, exactly `length` of them, in `buffer` when they have to be read.
    pub(crate) fn read<'a>(
        &'a self,
        offset: u64,
        length: usize,
        buffer: &'a mut Vec<u8>,
    ) -> Result<&'a [u8]> {
        let ends = Error::Damaged { offset, what: ENDS_EARLY };
        match offset.checked_add(length as u64) {
            Some(end) if end <= self.len() => {}
            _ => return Err(ends),
        }
        READ.fetch_add(length as u64, Ordering::Relaxed);
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::Damaged { offset, what: ENDS_EARLY },
            _ => Error::Io { what: "reading the capture", source: error },
        };
        match self {
            Source::Bytes(bytes) => bytes.get(offset as usize..offset as usize + length).ok_or(ends),
            Source::Map(map) => map.bytes().get(offset as usize..offset as usize + length).ok_or(ends),
            Source::File(file) => {
                buffer.resize(length, 0);
                let file = file.open().map_err(Error::io("reading the capture"))?;
                read_exact_at(&file, buffer, offset).map_err(failed)?;
                Ok(buffer)
            }
            Source::Other(reader) => {
                buffer.resize(length, 0);
                reader.read_exact_at(buffer, offset).map_err(failed)?;
                Ok(buffer)
            }
        }
    }
}

/// Fills the buffer from this place of the file on; other threads read elsewhere at the same time.
#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buffer = buffer.get_mut(read..).unwrap_or_default();
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
