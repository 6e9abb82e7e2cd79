//! Whether a capture is, byte for byte, what was written, and whether its index says what its blocks say.
//!
//! Every frame is read once. What a block holds is worked out from its columns and compared with what the index says of
//! it, as are the places of all frames: an index that hides rows, lists a block twice or leaves a table out is found,
//! whoever signed it.

mod artifacts;
mod clocks;
mod index;
mod seals;
mod verdict;

use std::path::Path;

use artifacts::{Artifacts, NamedHash};
use clocks::Clocks;
use index::Stretch;
pub use verdict::{Expected, Fault, Sealed, Verdict};

use crate::compress::Decompressor;
use crate::envelope::{Opened, Opener};
use crate::frame::{self, FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES, Preamble, padding};
use crate::reader;
use crate::schema::Schema;
use crate::seal::{Chain, Seal};
use crate::source::Source;
use crate::{Capture, Error, Header, OpenOptions, Result, Scratch};

/// Verifies a file. An error means that the file could not be read.
pub fn verify(path: &Path, expected: Expected<'_>) -> Result<Verdict> {
    let (mut verdict, named) = verify_source(&Source::open(path, false)?, expected)?;
    artifacts::check_events(&mut verdict, &named, || {
        Capture::open_with(
            path,
            &OpenOptions { identity: expected.identity.cloned(), ..OpenOptions::default() },
        )
    })?;
    Ok(verdict)
}

/// Verifies a capture in memory.
pub fn verify_bytes(bytes: Vec<u8>, expected: Expected<'_>) -> Result<Verdict> {
    let source = Source::Bytes(bytes);
    let (mut verdict, named) = verify_source(&source, expected)?;
    artifacts::check_events(&mut verdict, &named, || {
        let Source::Bytes(bytes) = source else { return Err(Error::NotACapture) };
        let options = OpenOptions { identity: expected.identity.cloned(), ..OpenOptions::default() };
        Capture::from_bytes_with(bytes, &options)
    })?;
    Ok(verdict)
}

/// The verdict, and the hashes that the file says events have.
fn verify_source(source: &Source, expected: Expected<'_>) -> Result<(Verdict, Vec<NamedHash>)> {
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
        clocks: Clocks::default(),
        artifacts: Artifacts::default(),
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
    let outcome = walk
        .run()
        .and_then(|()| walk.check_clocks())
        .and_then(|()| walk.check_end())
        .and_then(|()| walk.check_witness())
        .and_then(|()| walk.check_artifacts());
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
    Ok((walk.verdict, walk.artifacts.named))
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
    clocks: Clocks,
    artifacts: Artifacts,
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
            Kind::Side | Kind::Table | Kind::Content | Kind::Other(_) => {
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
            Kind::Table => self.table(&raw),
            Kind::Content => self.content(&raw, rest)?,
            Kind::Side | Kind::Other(_) => {}
        }
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
