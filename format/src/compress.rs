//! zstd, one compressor and one decompressor for each thread.

use std::cell::Cell;

use zstd::zstd_safe::CParameter;

use crate::archive::GroupV1;
use crate::frame::codec;
use crate::{Compression, Error, Result};

/// Compresses heads and column groups.
pub(crate) struct Compressor {
    zstd: Option<zstd::bulk::Compressor<'static>>,
    level: i32,
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compressor").field("level", &self.level).finish_non_exhaustive()
    }
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> Compressor {
        let level = match compression {
            Compression::Fast => 1,
            Compression::Default => 3,
            Compression::Max => 12,
        };
        Compressor { zstd: None, level }
    }

    fn zstd(&mut self) -> Result<&mut zstd::bulk::Compressor<'static>> {
        let zstd = match self.zstd.take() {
            Some(zstd) => zstd,
            None => {
                let mut zstd = zstd::bulk::Compressor::new(self.level).map_err(Error::io("compressing"))?;
                // Sizes stand in the directory.
                zstd.set_parameter(CParameter::ContentSizeFlag(false)).map_err(Error::io("compressing"))?;
                zstd.set_parameter(CParameter::DictIdFlag(false)).map_err(Error::io("compressing"))?;
                zstd
            }
        };
        Ok(self.zstd.insert(zstd))
    }

    /// Appends the bytes, compressed where that makes them fewer, and says how they are stored.
    pub(crate) fn append(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<u8> {
        let start = out.len();
        let bound = zstd::zstd_safe::compress_bound(bytes.len());
        out.resize(start + bound, 0);
        let place = out.get_mut(start..).unwrap_or_default();
        let stored = self.zstd()?.compress_to_buffer(bytes, place).map_err(Error::io("compressing"))?;
        if stored < bytes.len() {
            out.truncate(start + stored);
            return Ok(codec::ZSTD);
        }
        out.truncate(start);
        out.extend_from_slice(bytes);
        Ok(codec::STORED)
    }

    /// Appends a column group.
    pub(crate) fn group(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<GroupV1> {
        let offset = out.len();
        let codec = self.append(bytes, out)?;
        let stored = out.get(offset..).unwrap_or_default();
        Ok(GroupV1 {
            offset: offset as u32,
            stored: stored.len() as u32,
            raw: bytes.len() as u32,
            crc: crc32fast::hash(stored),
            codec,
        })
    }
}

/// Decompresses what a file holds.
#[derive(Default)]
pub(crate) struct Decompressor {
    zstd: Option<zstd::bulk::Decompressor<'static>>,
}

thread_local! {
    /// What the last one of a thread leaves: to make one takes longer than to read the head of a small capture with it.
    static SPARE: Cell<Option<zstd::bulk::Decompressor<'static>>> = const { Cell::new(None) };
}

impl Drop for Decompressor {
    fn drop(&mut self) {
        if let Some(zstd) = self.zstd.take() {
            // A thread that ends has none any more.
            let _ = SPARE.try_with(|spare| spare.set(Some(zstd)));
        }
    }
}

impl std::fmt::Debug for Decompressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decompressor")
    }
}

impl Decompressor {
    /// Replaces `out` with the stored bytes as they were. `raw` is how many those are, which the caller has held against
    /// the limits; anything else is damage, which gives `None`.
    pub(crate) fn read(&mut self, codec: u8, stored: &[u8], raw: usize, out: &mut Vec<u8>) -> Option<()> {
        out.clear();
        match codec {
            codec::STORED if stored.len() == raw => {
                out.extend_from_slice(stored);
                Some(())
            }
            codec::ZSTD => {
                out.resize(raw, 0);
                let zstd = match self.zstd.take() {
                    Some(zstd) => zstd,
                    None => match SPARE.take() {
                        Some(spare) => spare,
                        None => zstd::bulk::Decompressor::new().ok()?,
                    },
                };
                let length = self.zstd.insert(zstd).decompress_to_buffer(stored, out.as_mut_slice()).ok()?;
                (length == raw).then_some(())
            }
            _ => None,
        }
    }
}
