//! Captures as mapped memory. The one place of this crate with `unsafe`.

use std::fs::File;

use crate::{Error, Result};

/// A file in memory.
#[derive(Debug)]
pub(crate) struct Map(memmap2::Mmap);

impl Map {
    /// Maps a file that must not shrink while it is read: whoever asks for this promises so.
    pub(crate) fn of(file: &File) -> Result<Map> {
        // SAFETY: the bytes are only read, through slices of the length that the file had. What a writer changes
        // meanwhile can show as other bytes, which the checksums and validation of everything that is read expect; a file
        // that shrinks ends the process by a signal, which `OpenOptions::mmap` tells.
        let map = unsafe { memmap2::Mmap::map(file) };
        map.map(Map).map_err(Error::io("mapping the capture"))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
