//! Whether a capture is, byte for byte, what was written, and whether its index says what its blocks say.
//!
//! Every frame is read once. What a block holds is worked out from its columns and compared with what the index says of
//! it, as are the places of all frames: an index that hides rows, lists a block twice or leaves a table out is found,
//! whoever signed it.

use std::path::Path;

use crate::archive::{self, ArchivedIndexV1};
use crate::block::Stored;
use crate::compress::Decompressor;
use crate::encode::HeadPlace;
use crate::envelope::{Opened, Opener};
use crate::frame::{
    self, FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES, Preamble, TRAILER_BYTES, Trailer, padding,
};
use crate::index::{BlockInfo, Index};
use crate::reader;
use crate::schema::Schema;
use crate::seal::{Chain, Seal};
use crate::segment::{self, SegmentV5};
use crate::source::Source;
use crate::{Block, Ends, Error, Header, Heads, Identity, PublicKey, Result, Scratch, forward, limits};

/// What verifying came to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// Whole blocks, up to the first that is bad.
    pub blocks: u64,
    /// 0 of an encrypted file that is verified without an identity.
    pub rows: u64,
    /// The chain over everything, of a file without fault.
    pub head: [u8; 32],
    /// Whose signature the last seal has, and it is good.
    pub signed_by: Option<PublicKey>,
    /// The last good seal: up to there, the file is what was written, whatever is wrong behind it.
    pub sealed: Option<Sealed>,
    /// Which file of a key that evolves this is, from 0; `None` when an ordinary key signed it.
    pub key_file: Option<u64>,
    /// The file's own bytes, of its beginning.
    pub file: [u8; 6],
    /// How many seals from the first on the witness's heads vouch for, the last of them with those between; 0 without.
    pub witnessed_seals: u64,
    /// Seals of the file.
    pub seals: u64,
    /// Whether the file says that no part of its set follows it; `None` before version 5, which does not say.
    pub is_last_part: Option<bool>,
    /// The oldest part of its set that the file says was kept; `None` before version 5.
    pub oldest_part: Option<u32>,
    /// What the file says of itself, once its frame was found to be whole; `None` of an encrypted file that is verified
    /// without an identity.
    pub header: Option<Box<Header>>,
    /// The first fault.
    pub fault: Option<Fault>,
}

/// Up to where a file is vouched for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// Where the seal ends in the file.
    pub offset: u64,
    pub blocks: u64,
    pub rows: u64,
    /// Of the chain up to the seal.
    pub head: [u8; 32],
    pub signed_by: Option<PublicKey>,
}

/// The first place where a capture is not what was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// In the file.
    pub offset: u64,
    /// The block that is bad, from 0; `None` when something other than a block is.
    pub block: Option<u64>,
    /// In words, with what is bad: `block 3 is not the one that was written`.
    pub what: String,
}

/// What to hold a file to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Expected<'a> {
    /// It must have been signed with this key.
    pub key: Option<&'a PublicKey>,
    /// Opens encrypted frames, so that what is in them is checked too; the chain and the signature need none.
    pub identity: Option<&'a Identity>,
    /// What a witness holds: the file must have these heads.
    pub heads: Option<&'a Heads>,
}

/// Verifies a file. An error means that the file could not be read.
pub fn verify(path: &Path, expected: Expected<'_>) -> Result<Verdict> {
    verify_source(&Source::open(path, false)?, expected)
}

/// Verifies a capture in memory.
pub fn verify_bytes(bytes: Vec<u8>, expected: Expected<'_>) -> Result<Verdict> {
    verify_source(&Source::Bytes(bytes), expected)
}

fn verify_source(source: &Source, expected: Expected<'_>) -> Result<Verdict> {
    let mut walk = Walk {
        source,
        expected,
        preamble: Preamble { version: 0, id: [0; 6] },
        is_encrypted: false,
        opener: Opener { identity: expected.identity.cloned(), key: None },
        is_opened: true,
        refused: None,
        offset: PREAMBLE_BYTES as u64,
        chain: Chain([0; 32]),
        frames: 0,
        last: None,
        schema: Schema::default(),
        scratch: Scratch::new(),
        stretch: Stretch::default(),
        index: 0,
        seal: None,
        sealed_before: None,
        is_ended: false,
        verdict: Verdict {
            blocks: 0,
            rows: 0,
            head: [0; 32],
            signed_by: None,
            sealed: None,
            key_file: None,
            file: [0; 6],
            witnessed_seals: 0,
            seals: 0,
            is_last_part: None,
            oldest_part: None,
            header: None,
            fault: None,
        },
    };
    let outcome = walk.run().and_then(|()| walk.check_end()).and_then(|()| walk.check_witness());
    match outcome {
        Ok(()) => {
            if let Some(error) = walk.refused {
                return Err(error);
            }
        }
        Err(Stop::Fault(mut fault)) => {
            // Whatever else is wrong, that sealed parts are gone is worth knowing.
            if let Some(last) = expected.heads.and_then(|heads| heads.last(walk.preamble.id))
                && u64::from(last.seal) >= walk.verdict.seals
                && !fault.what.starts_with("the witness")
            {
                let (seal, bytes) = (last.seal, last.bytes);
                fault.what =
                    format!("{}; the witness holds the head of seal {seal}, at byte {bytes}", fault.what);
            }
            walk.verdict.fault = Some(fault);
        }
        Err(Stop::Error(error)) => return Err(error),
    }
    Ok(walk.verdict)
}

/// Goes from frame to frame.
struct Walk<'a> {
    source: &'a Source,
    expected: Expected<'a>,
    preamble: Preamble,
    is_encrypted: bool,
    opener: Opener,
    /// Every frame could be opened, so that what is in them was checked.
    is_opened: bool,
    /// The identity opened none of a frame's keys. Either it is another's, or the frame was changed there: the chain tells.
    refused: Option<Error>,
    offset: u64,
    chain: Chain,
    frames: u32,
    /// The frame before this one: its offset, and its number among blocks if it is one.
    last: Option<(u64, Option<u64>)>,
    schema: Schema,
    scratch: Scratch,
    stretch: Stretch,
    /// Where the index or the last segment stands.
    index: u64,
    /// The last seal, and where it stands.
    seal: Option<(Seal, u64)>,
    /// The one before it, once that was checked.
    sealed_before: Option<Seal>,
    /// The last frame was read.
    is_ended: bool,
    verdict: Verdict,
}

/// What stands between two segments, and what the next one must therefore say. Before version 5, all of the file.
#[derive(Default)]
struct Stretch {
    /// What the next segment must begin with.
    expected: SegmentV5,
    /// The blocks with what is really in them.
    blocks: Vec<BlockInfo>,
    rows: u64,
    others: Vec<(u64, u32)>,
    /// A segment was read, and its seal must follow.
    is_closed: bool,
}

enum Stop {
    Fault(Fault),
    /// The file cannot be read, or it is no capture.
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Stop {
        Stop::Error(error)
    }
}

impl Walk<'_> {
    fn run(&mut self) -> Result<(), Stop> {
        let mut buffer = Vec::new();
        let preamble = match self.source.read(0, PREAMBLE_BYTES, &mut buffer) {
            Err(Error::Damaged { .. }) => return Err(Error::NotACapture.into()),
            preamble => preamble?,
        };
        match Preamble::read(preamble) {
            Err(Error::Damaged { .. }) => {
                return Err(self.fault(None, "the first bytes are not those of a capture"));
            }
            read => self.preamble = read?,
        }
        self.verdict.file = self.preamble.id;
        self.chain = Chain::start(preamble);
        while !self.is_ended {
            self.frame()?;
        }
        Ok(())
    }

    fn has_segments(&self) -> bool {
        self.preamble.version >= frame::SEGMENTS
    }

    fn frame(&mut self) -> Result<(), Stop> {
        let offset = self.offset;
        // The first frame that cannot be read is most likely the next block.
        let likely = (self.frames > 0).then_some(self.verdict.blocks);
        let mut buffer = Vec::new();
        let bytes = match self.source.read(offset, HEADER_BYTES, &mut buffer) {
            Err(Error::Damaged { .. }) if offset == self.source.len() => {
                return Err(self.fault(
                    None,
                    "the file ends without a seal: the recording was not finished, or it was cut",
                ));
            }
            Err(Error::Damaged { .. }) => return Err(self.fault(likely, "the file ends inside it")),
            bytes => bytes?,
        };
        let header_bytes: [u8; HEADER_BYTES] = match bytes.try_into() {
            Ok(bytes) => bytes,
            Err(_) => return Err(self.fault(likely, "the file ends inside it")),
        };
        let header = match FrameHeader::read(&header_bytes, offset, self.preamble) {
            Ok(header) => header,
            Err(_) => return Err(self.fault(likely, "its header is damaged")),
        };
        if header.chain != self.chain.0 {
            // The frame before fitted its checksums, and still is not what this one was written after.
            let (offset, block) = self.last.unwrap_or((0, None));
            self.offset = offset;
            return Err(
                self.fault(block, "it is not what was written there: the chain of hashes breaks after it")
            );
        }
        let block = (header.kind == Kind::Block).then_some(self.verdict.blocks);
        let is_first = self.frames == 0;
        let is_misplaced_seal = self.has_segments() && (header.kind == Kind::Seal) != self.stretch.is_closed;
        if header.number != self.frames || (header.kind == Kind::Header) != is_first || is_misplaced_seal {
            return Err(self.fault(block, "it is out of its place"));
        }
        if is_first {
            self.is_encrypted = header.is_encrypted();
        } else if header.is_encrypted() != (self.is_encrypted && header.kind != Kind::Seal) {
            return Err(self.fault(block, "it is not encrypted as the other frames are"));
        }
        let padded = header.payload as usize + padding(header.payload as usize);
        let mut buffer = Vec::new();
        let body = match self.source.read(offset + HEADER_BYTES as u64, padded, &mut buffer) {
            Err(Error::Damaged { .. }) => return Err(self.fault(block, "the file ends inside it")),
            body => body?,
        };
        let (payload, padding) = body.split_at_checked(header.payload as usize).unwrap_or_default();
        if padding.iter().any(|b| *b != 0) {
            return Err(self.fault(block, "its padding is not empty"));
        }
        let after = Chain::next(&header_bytes, payload, padding);
        if header.is_encrypted() {
            match self.opener.open(&header, self.preamble, payload, offset) {
                Ok(Opened { frame, payload, key }) => {
                    self.opener.key = key.or(self.opener.key.take());
                    self.payload(&frame, &payload, block)?;
                }
                Err(Error::Damaged { .. }) => return Err(self.fault(block, "it does not decrypt")),
                Err(Error::Encrypted) => self.is_opened = false,
                Err(error) => {
                    self.is_opened = false;
                    self.refused.get_or_insert(error);
                }
            }
        } else {
            self.payload(&header, payload, block)?;
        }
        let end = offset + header.frame_bytes();
        match header.kind {
            Kind::Block => self.verdict.blocks += 1,
            Kind::Index => self.index = offset,
            Kind::Segment => {
                self.index = offset;
                self.stretch.is_closed = true;
            }
            Kind::Side | Kind::Table | Kind::Other(_) => {
                self.stretch.others.push((offset, header.frame_bytes() as u32));
            }
            Kind::Header => self.stretch.expected.from = end,
            Kind::Seal => {}
        }
        self.last = Some((offset, block));
        self.frames += 1;
        if header.kind == Kind::Seal {
            self.sealed(offset, end)?;
        }
        self.offset = end;
        self.chain = after;
        Ok(())
    }

    fn payload(&mut self, header: &FrameHeader, payload: &[u8], block: Option<u64>) -> Result<(), Stop> {
        let (head, rest) = payload.split_at_checked(header.head_stored as usize).unwrap_or_default();
        let Ok(raw) = reader::decompress(header, head, &mut Decompressor::default()) else {
            return Err(self.fault(block, "its head does not fit its checksum"));
        };
        match header.kind {
            Kind::Block => {
                if let Err(what) = reader::whole_block(&raw, rest, self.offset) {
                    return Err(self.fault(block, what));
                }
                self.block(header, payload, block)?;
            }
            Kind::Header => {
                let read = Header::read(self.preamble.version, &raw, self.offset)
                    .and_then(|header| Ok((Schema::of(&header.schema)?, header)));
                match read {
                    Ok((schema, header)) => {
                        self.schema = schema;
                        self.verdict.header = Some(Box::new(header));
                    }
                    Err(_) => return Err(self.fault(None, "the header is damaged")),
                }
            }
            Kind::Seal => match Seal::read(self.preamble.version, &raw, self.offset) {
                Ok(seal) => self.seal = Some((seal, self.offset)),
                Err(_) => return Err(self.fault(None, "the seal is damaged")),
            },
            Kind::Segment => self.segment(&raw, rest)?,
            Kind::Index => self.old_index(&raw)?,
            Kind::Side | Kind::Table | Kind::Other(_) => {}
        }
        Ok(())
    }

    /// Works out what is in a block.
    fn block(&mut self, header: &FrameHeader, payload: &[u8], block: Option<u64>) -> Result<(), Stop> {
        if self.has_segments() && self.stretch.blocks.len() >= limits::SEGMENT_BLOCKS {
            return Err(self.fault(block, "more blocks stand before a segment than one may list"));
        }
        let place = HeadPlace {
            codec: header.head_codec,
            stored: header.head_stored,
            raw: header.head_raw,
            crc: header.head_crc,
        };
        let stored = Stored::Decrypted(payload.to_vec());
        let actual = Block::from_payload(stored, place, &self.schema, &mut self.scratch)
            .and_then(|block| block.actual_statistics());
        let statistics = match actual {
            Ok(statistics) => statistics,
            Err(Error::Block { what, .. } | Error::Damaged { what, .. }) => {
                return Err(self.fault(block, what));
            }
            Err(error) => return Err(error.into()),
        };
        self.verdict.rows += statistics.rows;
        self.stretch.rows += statistics.rows;
        let (offset, bytes) = (self.offset, header.frame_bytes());
        self.stretch.blocks.push(BlockInfo { offset, bytes, statistics });
        Ok(())
    }

    /// Compares what a segment says with what stands before it.
    fn segment(&mut self, raw: &[u8], rest: &[u8]) -> Result<(), Stop> {
        let at = self.offset;
        let schema = &self.schema;
        let event = |id| schema.by_file_id(id).map(|file| file.event.id);
        let read = archive::read::<SegmentV5>(raw, at).and_then(|head| {
            let body = segment::body(&head, rest, at)?;
            let segment = segment::read(&head, &body, at, event)?;
            Ok((head, segment))
        });
        let (head, segment) = match read {
            Ok(read) => read,
            Err(Error::Damaged { what, .. }) => return Err(self.fault(None, what)),
            Err(error) => return Err(error.into()),
        };
        let Stretch { expected, blocks, rows, others, .. } = &self.stretch;
        let filled = || blocks.iter().map(|block| &block.statistics).filter(|it| it.rows > 0);
        let expected = SegmentV5 {
            blocks: blocks.len() as u32,
            rows: *rows,
            first_ns: filled().map(|it| it.first_ns).min().unwrap_or_default(),
            last_ns: filled().map(|it| it.last_ns).max().unwrap_or_default(),
            tables: others.clone(),
            codec: head.codec,
            stored: head.stored,
            raw: head.raw,
            crc: head.crc,
            ..expected.clone()
        };
        if head != expected {
            return Err(self.fault(None, "an index segment does not say what stands before it"));
        }
        self.compare(&segment.blocks)?;
        let follows = |before: u64, more: u64| before + more;
        self.stretch.expected = SegmentV5 {
            previous: at,
            number: head.number.wrapping_add(1),
            first_block: follows(head.first_block, head.blocks.into()),
            first_row: follows(head.first_row, head.rows),
            ..SegmentV5::default()
        };
        Ok(())
    }

    /// Compares what an index says of the blocks with what is in them.
    fn compare(&self, index: &[BlockInfo]) -> Result<(), Stop> {
        let first = self.verdict.blocks - self.stretch.blocks.len() as u64;
        if index.len() != self.stretch.blocks.len() {
            return Err(self.fault(None, "the index does not list all blocks, or some of them twice"));
        }
        for ((number, index), actual) in (first..).zip(index).zip(&self.stretch.blocks) {
            if (index.offset, index.bytes) != (actual.offset, actual.bytes) {
                return Err(self.fault(Some(number), "the index says that it stands elsewhere"));
            }
            if let Some(what) = index.statistics.contradicts(&actual.statistics) {
                return Err(self.fault(Some(number), what));
            }
        }
        Ok(())
    }

    /// The same of a file before version 5.
    fn old_index(&self, raw: &[u8]) -> Result<(), Stop> {
        let event = |id| self.schema.by_file_id(id).map(|file| file.event.id);
        let read = archive::access::<ArchivedIndexV1>(raw, self.offset)
            .and_then(|index| Index::read(index, self.source.len(), event));
        let Ok(Index { blocks, sides }) = read else {
            return Err(self.fault(None, "the index is damaged"));
        };
        self.compare(&blocks)?;
        if !sides.iter().eq(self.stretch.others.iter().map(|(offset, _)| offset)) {
            return Err(self.fault(None, "the index does not list all records beside the events"));
        }
        Ok(())
    }

    /// Checks a seal that was just read, and begins what follows it.
    fn sealed(&mut self, seal_at: u64, end: u64) -> Result<(), Stop> {
        let Some((seal, _)) = &self.seal else { return Ok(()) };
        let seal = seal.clone();
        if seal.it.head != self.chain.0 {
            return Err(self.fault(None, "the seal is of another chain of hashes"));
        }
        let counts = (seal.it.blocks, seal.it.rows);
        let is_silent = self.has_segments() && self.is_encrypted;
        if !self.is_opened && !is_silent {
            self.verdict.rows = seal.it.rows;
        }
        if counts != if is_silent { (0, 0) } else { (self.verdict.blocks, self.verdict.rows) } {
            return Err(self.fault(None, "the seal is of another number of blocks or rows"));
        }
        let before = self.verdict.sealed.map(|sealed| sealed.signed_by);
        let signed_by = match seal.signer() {
            Ok(signer) => signer,
            Err(what) => return Err(self.fault(None, what)),
        };
        if before.is_some_and(|before| before != signed_by) {
            return Err(self.fault(None, "the seals of the file are signed with different keys"));
        }
        if let Some(what) = forward::misplaced(self.sealed_before.as_ref(), &seal) {
            return Err(self.fault(None, what));
        }
        self.witness(&seal, end)?;
        self.verdict.seals += 1;
        self.verdict.key_file = seal.it.forward.as_ref().map(|forward| forward.file);
        self.verdict.oldest_part = self.has_segments().then_some(seal.it.oldest_part);
        match (self.expected.key, signed_by) {
            (Some(_), None) => return Err(self.fault(None, "the capture is not signed")),
            (Some(key), Some(signer)) if *key != signer => {
                return Err(self.fault(None, &format!("the capture is signed with another key, {signer}")));
            }
            _ => {}
        }
        self.verdict.signed_by = signed_by;
        let (blocks, rows, head) = (self.verdict.blocks, self.verdict.rows, seal.it.head);
        self.verdict.sealed = Some(Sealed { offset: end, blocks, rows, head, signed_by });
        self.verdict.is_last_part = self.has_segments().then(|| seal.is_last_part());
        self.is_ended = seal.is_last();
        let expected = SegmentV5 { from: end, ..std::mem::take(&mut self.stretch.expected) };
        self.stretch = Stretch { expected, ..Stretch::default() };
        self.sealed_before = Some(seal.clone());
        self.seal = Some((seal, seal_at));
        Ok(())
    }

    /// Compares a seal with what the witness holds of it.
    fn witness(&mut self, seal: &Seal, end: u64) -> Result<(), Stop> {
        let number = self.verdict.seals;
        let held =
            self.expected.heads.and_then(|heads| heads.of(self.preamble.id, u32::try_from(number).ok()?));
        let Some(held) = held else { return Ok(()) };
        let is_end = held.ends != Ends::Nothing;
        if (held.head, held.bytes) != (seal.it.head, end) || is_end != seal.is_last() {
            return Err(self.fault(None, &format!("the witness holds another head of seal {number}")));
        }
        self.verdict.witnessed_seals = number + 1;
        Ok(())
    }

    /// Whether the witness knows of the file, and of no seal behind its end.
    fn check_witness(&self) -> Result<(), Stop> {
        let Some(heads) = self.expected.heads else { return Ok(()) };
        match heads.last(self.preamble.id) {
            None => Err(self.fault(None, "the witness holds no head of this file")),
            Some(last) if u64::from(last.seal) >= self.verdict.seals => {
                Err(self.fault(None, "the file ended later once"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Checks the footer.
    fn check_end(&mut self) -> Result<(), Stop> {
        let Some((seal, seal_at)) = self.seal.take() else { return Ok(()) };
        let footer = Trailer { index: self.index, seal: seal_at }.to_bytes();
        let mut buffer = Vec::new();
        let rest = self.source.len() - self.offset;
        let found = match rest == TRAILER_BYTES as u64 {
            true => self.source.read(self.offset, TRAILER_BYTES, &mut buffer)?,
            false => &[],
        };
        if found != footer {
            return Err(self.fault(None, "the footer is not what was written"));
        }
        self.verdict.head = seal.it.head;
        Ok(())
    }

    fn fault(&self, block: Option<u64>, what: &str) -> Stop {
        let what = match block {
            Some(block) => format!("block {block}: {what}"),
            None => what.to_owned(),
        };
        Stop::Fault(Fault { offset: self.offset, block, what })
    }
}

#[cfg(test)]
mod tests;
