//! Frames read from a source, one at a time.

use std::sync::Arc;

use crate::archive::{self, ArchivedBlockV1};
use crate::compress::Decompressor;
use crate::directory::Directory;
use crate::encrypt::FileKey;
use crate::envelope::{Opened, Opener};
use crate::frame::{FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES, Preamble};
use crate::source::Source;
use crate::{Error, Identity, Result};

/// A file and what it takes to read its frames.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) source: Arc<Source>,
    pub(crate) preamble: Preamble,
    opener: Opener,
    /// The header was encrypted: then a plain frame, other than a seal, is none of this capture's.
    pub(crate) is_encrypted: bool,
}

/// A frame's header and its head, decompressed.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) frame: FrameHeader,
    pub(crate) bytes: Vec<u8>,
    /// The decrypted payload, of an encrypted frame.
    pub(crate) payload: Option<Vec<u8>>,
    /// The file's key, of an encrypted header.
    key: Option<FileKey>,
}

impl Reader {
    /// Reads the first bytes and the header's frame.
    pub(crate) fn open(source: Source, identity: Option<Identity>) -> Result<(Reader, Head)> {
        let mut buffer = Vec::new();
        let first = source.read(0, PREAMBLE_BYTES, &mut buffer).map_err(|_| Error::NotACapture)?;
        let preamble = Preamble::read(first)?;
        let opener = Opener { identity, key: None };
        let mut reader = Reader { source: Arc::new(source), preamble, opener, is_encrypted: false };
        let head = reader.head(PREAMBLE_BYTES as u64, Kind::Header, &mut Decompressor::default())?;
        reader.is_encrypted = head.frame.is_encrypted();
        reader.opener.key.clone_from(&head.key);
        Ok((reader, head))
    }

    pub(crate) fn version(&self) -> u16 {
        self.preamble.version
    }

    /// The header of the frame at `offset`.
    pub(crate) fn frame(&self, offset: u64) -> Result<FrameHeader> {
        let mut buffer = Vec::new();
        let header =
            FrameHeader::read(self.source.read(offset, HEADER_BYTES, &mut buffer)?, offset, self.preamble)?;
        if self.is_encrypted && !header.is_encrypted() && header.kind != Kind::Seal {
            return Err(Error::Damaged { offset, what: "a frame is not encrypted, and the capture is" });
        }
        Ok(header)
    }

    /// Reads the frame at `offset` as far as its head; all of it when it is encrypted.
    pub(crate) fn head(&self, offset: u64, kind: Kind, decompressor: &mut Decompressor) -> Result<Head> {
        let damaged = |what| Error::Damaged { offset, what };
        let frame = self.frame(offset)?;
        if frame.kind != kind {
            return Err(damaged("a frame of another kind than this stands here"));
        }
        let start = offset + HEADER_BYTES as u64;
        let mut buffer = Vec::new();
        let (frame, payload, key) = if frame.is_encrypted() {
            let stored = self.source.read(start, frame.payload as usize, &mut buffer)?;
            let Opened { frame, payload, key } = self.open_payload(&frame, stored, offset)?;
            (frame, Some(payload), key)
        } else {
            (frame, None, None)
        };
        let stored = match &payload {
            Some(payload) => payload
                .get(..frame.head_stored as usize)
                .ok_or(damaged("a frame's head says it is larger than its frame"))?,
            None => self.source.read(start, frame.head_stored as usize, &mut buffer)?,
        };
        let bytes = decompress(&frame, stored, decompressor).map_err(damaged)?;
        Ok(Head { frame, bytes, payload, key })
    }

    /// Opens the payload of an encrypted frame.
    pub(crate) fn open_payload(&self, header: &FrameHeader, stored: &[u8], offset: u64) -> Result<Opened> {
        self.opener.open(header, self.preamble, stored, offset)
    }

    /// The head of a frame as it is stored, once it was decrypted.
    pub(crate) fn stored_head(&self, head: &Head, offset: u64) -> Result<Vec<u8>> {
        let length = head.frame.head_stored as usize;
        if let Some(payload) = &head.payload {
            return Ok(payload.get(..length).unwrap_or_default().to_vec());
        }
        let mut buffer = Vec::new();
        Ok(self.source.read(offset + HEADER_BYTES as u64, length, &mut buffer)?.to_vec())
    }

    /// What follows the head of a frame.
    pub(crate) fn rest(&self, head: &Head, offset: u64) -> Result<Vec<u8>> {
        let at = u64::from(head.frame.head_stored);
        if let Some(payload) = &head.payload {
            return Ok(payload.get(at as usize..).unwrap_or_default().to_vec());
        }
        let length = (head.frame.payload - head.frame.head_stored) as usize;
        let mut buffer = Vec::new();
        Ok(self.source.read(offset + HEADER_BYTES as u64 + at, length, &mut buffer)?.to_vec())
    }
}

/// A stored head as it was before compression.
pub(crate) fn decompress(
    frame: &FrameHeader,
    stored: &[u8],
    decompressor: &mut Decompressor,
) -> Result<Vec<u8>, &'static str> {
    if crc32fast::hash(stored) != frame.head_crc {
        return Err("a frame's head does not fit its checksum");
    }
    let mut bytes = Vec::new();
    decompressor
        .read(frame.head_codec, stored, frame.head_raw as usize, &mut bytes)
        .ok_or("a frame's head cannot be decompressed")?;
    Ok(bytes)
}

/// The directory of a block whose column groups are these bytes, each of which fits its checksum.
pub(crate) fn whole_block(head: &[u8], groups: &[u8], offset: u64) -> Result<Directory, &'static str> {
    let block = archive::access::<ArchivedBlockV1>(head, offset).map_err(|_| "its directory is damaged")?;
    let directory = Directory::read(block, groups.len() as u64).map_err(|_| "its directory is damaged")?;
    for group in &directory.groups {
        let start = group.offset as usize;
        let stored = groups.get(start..start + group.stored as usize).unwrap_or_default();
        if crc32fast::hash(stored) != group.crc {
            return Err("a column group does not fit its checksum");
        }
    }
    Ok(directory)
}
