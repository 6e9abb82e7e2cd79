//! Frames: what a capture file is a sequence of.
//!
//! ```text
//!  0  4  "TFRM"
//!  4  1  kind                      8  4  number of the frame, from 0
//!  5  1  how the head is stored   12  4  bytes of the payload, without padding
//!  6  2  flags                    16  4  bytes of the head, as stored at the start of the payload
//!                                 20  4  bytes of the head, decompressed
//!                                 24  4  crc32 of the stored head
//!                                 28  4  crc32 of the other 60 bytes of this header
//! 32 32  BLAKE3 chain over all that came before: see `seal`
//! 64     payload: the head, then the rest; padded with zeros to 8 bytes
//! ```

use crate::{Error, Result, limits};

pub(crate) const PREAMBLE_BYTES: usize = 16;
pub(crate) const HEADER_BYTES: usize = 64;
pub(crate) const TRAILER_BYTES: usize = 32;

pub(crate) const VERSION: u16 = 5;
/// The first version with index segments, tables and an id of its own in every file.
pub(crate) const SEGMENTS: u16 = 5;
/// Like PNG's: a transfer as text, or of seven bits, shows.
const MAGIC: [u8; 8] = *b"\x89TRZ\r\n\x1a\n";
const END_MAGIC: [u8; 8] = *b"TRZ.end\n";
const FRAME_MAGIC: [u8; 4] = *b"TFRM";

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Header,
    Block,
    /// Records beside the events, before version 5.
    Side,
    /// What is known of all blocks, before version 5.
    Index,
    /// Last of a file; since version 5 there is one behind each index segment.
    Seal,
    Segment,
    /// A table of records beside the events.
    Table,
    /// The bytes of an artifact. Versions of the program before there were any pass over it.
    Content,
    /// What a later version of the program wrote beside the events, and a reader passes over.
    Other(u8),
}

/// Kinds from here on may be passed over.
const FIRST_OTHER: u8 = CONTENT;
const CONTENT: u8 = 64;

impl Kind {
    fn byte(self) -> u8 {
        match self {
            Kind::Header => 1,
            Kind::Block => 2,
            Kind::Side => 3,
            Kind::Index => 4,
            Kind::Seal => 5,
            Kind::Segment => 6,
            Kind::Table => 7,
            Kind::Content => CONTENT,
            Kind::Other(byte) => byte,
        }
    }

    /// The kind that this byte stands for in a file of this version.
    fn of(byte: u8, version: u16) -> Option<Kind> {
        let has_segments = version >= SEGMENTS;
        match byte {
            1 => Some(Kind::Header),
            2 => Some(Kind::Block),
            3 if !has_segments => Some(Kind::Side),
            4 if !has_segments => Some(Kind::Index),
            5 => Some(Kind::Seal),
            6 if has_segments => Some(Kind::Segment),
            7 if has_segments => Some(Kind::Table),
            CONTENT if has_segments => Some(Kind::Content),
            FIRST_OTHER.. if has_segments => Some(Kind::Other(byte)),
            _ => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Kind::Header => "header",
            Kind::Block => "block",
            Kind::Side | Kind::Table => "records beside the events",
            Kind::Index => "index",
            Kind::Seal => "seal",
            Kind::Segment => "index segment",
            Kind::Content => "bytes of an artifact",
            Kind::Other(_) => "frame of a later version",
        }
    }
}

/// How bytes are stored.
pub(crate) mod codec {
    pub(crate) const STORED: u8 = 0;
    pub(crate) const ZSTD: u8 = 1;
}

/// Flag: the payload is one age file, which decrypts to the payload.
pub(crate) const ENCRYPTED: u16 = 1;
/// Flags that this version knows.
const FLAGS: u16 = ENCRYPTED;

/// What the first bytes of a file say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Preamble {
    pub(crate) version: u16,
    /// Since version 5, of this file alone: checksums of frames' headers begin with it, so that frames of another capture,
    /// or of one that stands inside this one's rows, are no frames here. Zeros before.
    pub(crate) id: [u8; 6],
}

impl Preamble {
    /// Of a new file whose header's frame has this payload.
    pub(crate) fn new(header: &[u8]) -> Preamble {
        let id = *blake3::hash(header).as_bytes().first_chunk().unwrap_or(&[0; 6]);
        Preamble { version: VERSION, id }
    }

    pub(crate) fn to_bytes(self) -> [u8; PREAMBLE_BYTES] {
        let mut bytes = [0; PREAMBLE_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &self.version.to_le_bytes());
        put(&mut bytes, 10, &self.id);
        bytes
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Preamble> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Error::NotACapture);
        }
        let version = u16::from_le_bytes(get(bytes, 8).ok_or(Error::NotACapture)?);
        if version == 0 || version > VERSION {
            return Err(Error::Version { found: version, known: VERSION });
        }
        let id = get(bytes, 10).ok_or(Error::NotACapture)?;
        if version < SEGMENTS && id != [0; 6] {
            let what = "the first bytes hold what this version does not know";
            return Err(Error::Damaged { offset: 10, what });
        }
        Ok(Preamble { version, id })
    }
}

/// The header of one frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FrameHeader {
    pub(crate) kind: Kind,
    pub(crate) head_codec: u8,
    pub(crate) flags: u16,
    pub(crate) number: u32,
    pub(crate) payload: u32,
    pub(crate) head_stored: u32,
    pub(crate) head_raw: u32,
    pub(crate) head_crc: u32,
    pub(crate) chain: [u8; 32],
}

impl FrameHeader {
    pub(crate) fn to_bytes(self, preamble: Preamble) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, &FRAME_MAGIC);
        put(&mut bytes, 4, &[self.kind.byte(), self.head_codec]);
        put(&mut bytes, 6, &self.flags.to_le_bytes());
        for (at, number) in [self.number, self.payload, self.head_stored, self.head_raw, self.head_crc]
            .into_iter()
            .enumerate()
        {
            put(&mut bytes, 8 + at * 4, &number.to_le_bytes());
        }
        put(&mut bytes, 32, &self.chain);
        let crc = header_crc(&bytes, preamble);
        put(&mut bytes, 28, &crc.to_le_bytes());
        bytes
    }

    /// Reads a header, whole and within the limits, that stands at `offset` of the file.
    pub(crate) fn read(bytes: &[u8], offset: u64, preamble: Preamble) -> Result<FrameHeader> {
        let damaged = |what| Error::Damaged { offset, what };
        let bytes: &[u8; HEADER_BYTES] =
            bytes.first_chunk().ok_or(damaged("the file ends inside a frame"))?;
        if !bytes.starts_with(&FRAME_MAGIC) {
            return Err(damaged("no frame begins here"));
        }
        let number = |at| get(bytes, at).map_or(0, u32::from_le_bytes);
        if number(28) != header_crc(bytes, preamble) {
            return Err(damaged("a frame's header does not fit its checksum"));
        }
        let [_, _, _, _, kind, head_codec, flags @ ..] = *bytes;
        let header = FrameHeader {
            kind: Kind::of(kind, preamble.version).ok_or(damaged("a frame of unknown kind"))?,
            head_codec,
            flags: u16::from_le_bytes([flags[0], flags[1]]),
            number: number(8),
            payload: number(12),
            head_stored: number(16),
            head_raw: number(20),
            head_crc: number(24),
            chain: get(bytes, 32).unwrap_or_default(),
        };
        if header.flags & !FLAGS != 0 {
            return Err(damaged("a frame has flags that this version does not know"));
        }
        if header.payload as usize > limits::PAYLOAD_BYTES {
            return Err(damaged("a frame says it is larger than any may be"));
        }
        if header.head_raw as usize > limits::HEAD_BYTES {
            return Err(damaged("a frame's head says it is larger than any may be"));
        }
        if !header.is_encrypted() && header.head_stored > header.payload {
            return Err(damaged("a frame's head says it is larger than its frame"));
        }
        Ok(header)
    }

    pub(crate) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0
    }

    /// Bytes of the frame in the file, header and padding included.
    pub(crate) fn frame_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + u64::from(self.payload) + padding(self.payload as usize) as u64
    }
}

pub(crate) const fn padding(payload: usize) -> usize {
    payload.wrapping_neg() & 7
}

/// The last bytes of a finished file: where its index (since version 5, its last segment) and its last seal stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trailer {
    pub(crate) index: u64,
    pub(crate) seal: u64,
}

impl Trailer {
    pub(crate) fn to_bytes(self) -> [u8; TRAILER_BYTES] {
        let mut bytes = [0; TRAILER_BYTES];
        put(&mut bytes, 0, &self.index.to_le_bytes());
        put(&mut bytes, 8, &self.seal.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..16]);
        put(&mut bytes, 16, &crc.to_le_bytes());
        put(&mut bytes, 24, &END_MAGIC);
        bytes
    }

    /// `None` when these are not the last bytes of a finished file.
    pub(crate) fn read(bytes: &[u8]) -> Option<Trailer> {
        let trailer =
            Trailer { index: u64::from_le_bytes(get(bytes, 0)?), seal: u64::from_le_bytes(get(bytes, 8)?) };
        (trailer.to_bytes() == bytes).then_some(trailer)
    }
}

fn header_crc(bytes: &[u8; HEADER_BYTES], preamble: Preamble) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    if preamble.version >= SEGMENTS {
        hasher.update(&preamble.id);
    }
    hasher.update(&bytes[..28]);
    hasher.update(&bytes[32..]);
    hasher.finalize()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

fn get<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: FrameHeader = FrameHeader {
        kind: Kind::Block,
        head_codec: codec::ZSTD,
        flags: 0,
        number: 7,
        payload: 1001,
        head_stored: 100,
        head_raw: 900,
        head_crc: 0xdead_beef,
        chain: [9; 32],
    };

    const FILE: Preamble = Preamble { version: VERSION, id: *b"abcdef" };

    #[test]
    fn headers_read_back_and_any_changed_bit_shows() {
        let bytes = HEADER.to_bytes(FILE);
        assert_eq!(FrameHeader::read(&bytes, 0, FILE).unwrap(), HEADER);
        assert_eq!(HEADER.frame_bytes(), 64 + 1008);
        for bit in 0..HEADER_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameHeader::read(&changed, 0, FILE).is_err(), "bit {bit}");
        }
        let other = Preamble { id: *b"abcdeg", ..FILE };
        assert!(FrameHeader::read(&bytes, 0, other).is_err(), "a frame of another file");
    }

    #[test]
    fn sizes_beyond_the_limits_are_refused() {
        for header in [
            FrameHeader { payload: u32::MAX, ..HEADER },
            FrameHeader { head_raw: u32::MAX, ..HEADER },
            FrameHeader { head_stored: 1002, ..HEADER },
            FrameHeader { flags: 0x8000, ..HEADER },
        ] {
            assert!(FrameHeader::read(&header.to_bytes(FILE), 0, FILE).is_err(), "{header:?}");
        }
    }

    #[test]
    fn kinds_of_later_versions_are_passed_over_in_files_that_may_have_them() {
        let header = FrameHeader { kind: Kind::Other(200), ..HEADER };
        assert_eq!(FrameHeader::read(&header.to_bytes(FILE), 0, FILE).unwrap(), header);
        let old = Preamble { version: 4, id: [0; 6] };
        assert!(FrameHeader::read(&header.to_bytes(old), 0, old).is_err());
        let unknown = FrameHeader { kind: Kind::Other(8), ..HEADER };
        assert!(
            FrameHeader::read(&unknown.to_bytes(FILE), 0, FILE).is_err(),
            "not one that may be passed over"
        );
    }

    #[test]
    fn a_newer_version_is_named() {
        let mut bytes = Preamble::new(b"header").to_bytes();
        assert!(Preamble::read(&bytes).is_ok());
        bytes[8] = 6;
        let error = Preamble::read(&bytes).unwrap_err().to_string();
        assert_eq!(error, "the capture is of format version 6; this program reads version 5 and older");
    }
}
