//! The bytes of artifacts, each in a frame of its own.
//!
//! A frame says of its bytes how many they are and what their SHA-256 is. Neither is believed: whoever reads them gets a piece
//! at a time, and learns at the end whether they were what the frame said.

use std::io::{self, Read, Write};

use rkyv::util::AlignedVec;
use sha2::{Digest as _, Sha256 as Hasher};

use crate::artifact::Sha256;
use crate::compress::Compressor;
use crate::frame::codec;
use crate::table::{Table, TableBuilder};
use crate::{Compression, Error, Result, limits};

const CONTENT: &str = "content";
/// Bytes that are read at a time.
const PIECE: usize = 64 << 10;
/// What decompressing may look back to: more than any level takes that writes these. A frame that asks for more is damaged.
const WINDOW_LOG: u32 = 25;

/// The bytes of an artifact as they are stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Content {
    pub sha256: Sha256,
    /// Decompressed.
    pub size: u64,
    codec: u8,
    crc: u32,
    body: Vec<u8>,
}

/// Bytes that a capture holds, by what their frame says of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContentInfo {
    pub sha256: Sha256,
    pub size: u64,
    /// Of the frame, in the file.
    pub(crate) offset: u64,
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Content").field("size", &self.size).finish_non_exhaustive()
    }
}

/// The SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> Sha256 {
    Hasher::digest(bytes).into()
}

impl Content {
    /// Compresses bytes, of which there may be [`limits::CONTENT_BYTES`].
    pub fn new(bytes: &[u8], compression: Compression) -> Result<Content> {
        let (value, limit) = (bytes.len() as u64, limits::CONTENT_BYTES as u64);
        if value > limit {
            return Err(Error::TooLarge { what: "the size of an artifact", value, limit });
        }
        let mut body = Vec::new();
        let codec = Compressor::new(compression).append(bytes, &mut body)?;
        body.shrink_to_fit();
        Ok(Content { sha256: sha256(bytes), size: value, codec, crc: crc32fast::hash(&body), body })
    }

    /// Bytes that it takes in a file, about.
    pub fn stored_bytes(&self) -> usize {
        self.body.len() + 512
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(crate) fn head(&self) -> Result<AlignedVec> {
        let mut table = TableBuilder::new(CONTENT, 1);
        table.strings("sha256", [self.sha256.as_slice()]);
        table.integers("size", [self.size]);
        table.integers("codec", [self.codec.into()]);
        table.integers("crc", [self.crc.into()]);
        table.to_bytes()
    }

    /// What the head of a frame at `offset` says.
    pub(crate) fn info(head: &[u8], offset: u64) -> Result<ContentInfo> {
        Content::parse(head, Vec::new(), offset).map(|it| ContentInfo {
            sha256: it.sha256,
            size: it.size,
            offset,
        })
    }

    /// A frame at `offset`: its head, and what follows that, which must fit its checksum.
    pub(crate) fn from_frame(head: &[u8], body: Vec<u8>, offset: u64) -> Result<Content> {
        let content = Content::parse(head, body, offset)?;
        match crc32fast::hash(&content.body) == content.crc {
            true => Ok(content),
            false => Err(Error::Damaged { offset, what: "an artifact's bytes do not fit their checksum" }),
        }
    }

    fn parse(head: &[u8], body: Vec<u8>, offset: u64) -> Result<Content> {
        let table = Table::read(head, offset)?;
        let number = |name| Ok::<_, Error>(table.integers(name, 1)?.first().copied().unwrap_or_default());
        let hash = table.strings("sha256", 1)?;
        let sha256 = hash.get(0).and_then(|hash| hash.try_into().ok());
        let (Some(sha256), CONTENT, 1) = (sha256, table.name(), table.rows()) else {
            return Err(table.torn());
        };
        let size = number("size")?;
        if size > limits::CONTENT_BYTES as u64 {
            return Err(Error::Damaged { offset, what: "an artifact says it is larger than any may be" });
        }
        Ok(Content { sha256, size, codec: number("codec")? as u8, crc: number("crc")? as u32, body })
    }

    /// Gives the bytes as they were, a piece at a time; an error at the end when they are not those that the frame says.
    pub fn read(&self, take: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<()> {
        let damaged = |what| Error::Damaged { offset: 0, what };
        let cannot = |_| damaged("an artifact's bytes cannot be decompressed");
        let mut source: Box<dyn Read + '_> = match self.codec {
            codec::STORED => Box::new(self.body.as_slice()),
            codec::ZSTD => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(self.body.as_slice()).map_err(cannot)?;
                decoder.window_log_max(WINDOW_LOG).map_err(cannot)?;
                Box::new(decoder.single_frame())
            }
            _ => return Err(damaged("an artifact is stored in a way that this version does not know")),
        };
        let (mut hasher, mut left) = (Hasher::new(), self.size);
        let mut piece = vec![0; PIECE];
        loop {
            let read = source.read(&mut piece).map_err(cannot)?;
            if read == 0 {
                break;
            }
            let some = piece.get(..read).unwrap_or_default();
            left = left.checked_sub(read as u64).ok_or(damaged("an artifact has more bytes than it says"))?;
            hasher.update(some);
            take(some).map_err(Error::io("writing an artifact"))?;
        }
        let found: Sha256 = hasher.finalize().into();
        if left > 0 {
            return Err(damaged("an artifact has fewer bytes than it says"));
        }
        if found != self.sha256 {
            return Err(damaged("an artifact's bytes are not those of its SHA-256"));
        }
        Ok(())
    }

    /// All bytes together.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        self.read(&mut |some: &[u8]| all.write_all(some))?;
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> Content {
        let content = Content::new(bytes, Compression::Default).unwrap();
        Content::from_frame(&content.head().unwrap(), content.body().to_vec(), 0).unwrap()
    }

    #[test]
    fn bytes_come_back_whole_whether_or_not_they_compress() {
        let noise: Vec<u8> = (0..100_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for bytes in [&b""[..], b"x", &vec![b'a'; 3 << 20], &noise] {
            let content = of(bytes);
            assert_eq!((content.size, content.bytes().unwrap().as_slice()), (bytes.len() as u64, bytes));
        }
    }

    #[test]
    fn what_a_frame_says_of_its_bytes_is_not_believed() {
        let content = of(&[b'a'; 100_000]);
        let said = |changed: Content| changed.bytes().unwrap_err().to_string();
        let more = said(Content { size: 99_999, ..content.clone() });
        assert!(more.contains("more bytes"), "{more}");
        let fewer = said(Content { size: 100_001, ..content.clone() });
        assert!(fewer.contains("fewer bytes"), "{fewer}");
        let other = said(Content { sha256: [1; 32], ..content.clone() });
        assert!(other.contains("SHA-256"), "{other}");
        assert!(said(Content { codec: 9, ..content.clone() }).contains("does not know"));
        let huge = Content { size: u64::MAX, ..content.clone() };
        assert!(Content::from_frame(&huge.head().unwrap(), Vec::new(), 0).is_err());
        let torn = content.body().split_last().unwrap().1.to_vec();
        assert!(Content::from_frame(&content.head().unwrap(), torn, 0).is_err());
        assert!(Content::new(&vec![0; limits::CONTENT_BYTES + 1], Compression::Fast).is_err());
    }

    /// A few bytes that decompress to gigabytes are read no further than they said.
    #[test]
    fn a_bomb_goes_off_in_pieces_and_ends_early() {
        let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap();
        let crc = crc32fast::hash(&bomb);
        let content = Content { sha256: [0; 32], size: 1 << 20, codec: codec::ZSTD, crc, body: bomb };
        let mut taken = 0;
        let read = content.read(&mut |piece: &[u8]| {
            taken += piece.len();
            Ok(())
        });
        assert!(read.is_err() && taken <= 1 << 20, "{taken}");
    }
}
