//! Whether a capture is, byte for byte, what was written.

use std::path::Path;

use crate::archive::{self, ArchivedBlockV1, SealV1};
use crate::directory::Directory;
use crate::frame::{self, FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES, TRAILER_BYTES, Trailer, padding};
use crate::seal::Chain;
use crate::source::Source;
use crate::{Error, Header, Identity, PublicKey, Result};

/// What verifying came to.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// Whole blocks, up to the first that is bad.
    pub blocks: u64,
    pub rows: u64,
    /// The chain over everything, of a file without fault.
    pub head: [u8; 32],
    /// Whose signature the seal has, and it is good.
    pub signed_by: Option<PublicKey>,
    /// What the file says of itself, once its frame was found to be whole; `None` of an encrypted file that is verified
    /// without an identity.
    pub header: Option<Box<Header>>,
    /// The first fault.
    pub fault: Option<Fault>,
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
        identity: expected.identity,
        unopened: false,
        refused: None,
        offset: PREAMBLE_BYTES as u64,
        version: 0,
        chain: Chain([0; 32]),
        frames: 0,
        last: None,
        index: 0,
        seal: None,
        verdict: Verdict { blocks: 0, rows: 0, head: [0; 32], signed_by: None, header: None, fault: None },
    };
    let outcome = walk.run().and_then(|()| walk.check_end(expected.key));
    match outcome {
        Ok(()) => {
            if let Some(error) = walk.refused {
                return Err(error);
            }
        }
        Err(Stop::Fault(fault)) => walk.verdict.fault = Some(fault),
        Err(Stop::Error(error)) => return Err(error),
    }
    Ok(walk.verdict)
}

/// Goes from frame to frame.
struct Walk<'a> {
    source: &'a Source,
    identity: Option<&'a Identity>,
    /// A block was encrypted and could not be opened, so nobody counted its rows.
    unopened: bool,
    /// The identity opened none of a frame's keys. Either it is another's, or the frame was changed there: the chain tells.
    refused: Option<Error>,
    offset: u64,
    version: u16,
    chain: Chain,
    frames: u32,
    /// The frame before this one: its offset, and its number among blocks if it is one.
    last: Option<(u64, Option<u64>)>,
    /// Where the index stands.
    index: u64,
    /// The seal, and where it stands.
    seal: Option<(SealV1, u64)>,
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
        match frame::check_preamble(preamble) {
            Err(Error::Damaged { .. }) => {
                return Err(self.fault(None, "the first bytes are not those of a capture"));
            }
            version => self.version = version?,
        }
        self.chain = Chain::start(preamble);
        while self.seal.is_none() {
            self.frame()?;
        }
        Ok(())
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
        let header = match FrameHeader::read(&header_bytes, offset) {
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
        if header.number != self.frames || (header.kind == Kind::Header) != (self.frames == 0) {
            return Err(self.fault(block, "it is out of its place"));
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
        match (header.is_encrypted(), self.identity) {
            (false, _) => self.check_payload(&header, payload, block)?,
            (true, Some(identity)) => match identity.decrypt(payload, offset) {
                Ok(opened) => self.check_payload(&header, &opened, block)?,
                Err(Error::Damaged { .. }) => return Err(self.fault(block, "it does not decrypt")),
                Err(error) => {
                    self.unopened = true;
                    self.refused.get_or_insert(error);
                }
            },
            (true, None) => self.unopened = true,
        }
        match header.kind {
            Kind::Block => self.verdict.blocks += 1,
            Kind::Index => self.index = offset,
            _ => {}
        }
        self.last = Some((offset, block));
        if self.seal.is_none() {
            self.chain = Chain::next(&header_bytes, payload, padding);
        }
        self.frames += 1;
        self.offset = offset + header.frame_bytes();
        Ok(())
    }

    fn check_payload(
        &mut self,
        header: &FrameHeader,
        payload: &[u8],
        block: Option<u64>,
    ) -> Result<(), Stop> {
        let (head, groups) = payload.split_at_checked(header.head_stored as usize).unwrap_or_default();
        let mut raw = Vec::new();
        let read = crate::compress::Decompressor::default().read(
            header.head_codec,
            head,
            header.head_raw as usize,
            &mut raw,
        );
        if crc32fast::hash(head) != header.head_crc || read.is_none() {
            return Err(self.fault(block, "its head does not fit its checksum"));
        }
        match header.kind {
            Kind::Block => {
                let directory = archive::access::<ArchivedBlockV1>(&raw, self.offset)
                    .ok()
                    .and_then(|block| Directory::read(block, groups.len() as u64).ok());
                let Some(directory) = directory else {
                    return Err(self.fault(block, "its directory is damaged"));
                };
                for group in &directory.groups {
                    let start = group.offset as usize;
                    let stored = groups.get(start..start + group.stored as usize).unwrap_or_default();
                    if crc32fast::hash(stored) != group.crc {
                        return Err(self.fault(block, "a column group does not fit its checksum"));
                    }
                }
                self.verdict.rows += directory.rows as u64;
            }
            Kind::Header => match Header::read(self.version, &raw, self.offset) {
                Ok(header) => self.verdict.header = Some(Box::new(header)),
                Err(_) => return Err(self.fault(None, "the header is damaged")),
            },
            Kind::Seal => match archive::read::<SealV1>(&raw, self.offset) {
                Ok(seal) => self.seal = Some((seal, self.offset)),
                Err(_) => return Err(self.fault(None, "the seal is damaged")),
            },
            _ => {}
        }
        Ok(())
    }

    /// Checks the seal and the footer.
    fn check_end(&mut self, key: Option<&PublicKey>) -> Result<(), Stop> {
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
        self.offset = seal_at;
        if seal.head != self.chain.0 {
            return Err(self.fault(None, "the seal is of another chain of hashes"));
        }
        if self.unopened {
            self.verdict.rows = seal.rows;
        }
        if seal.blocks != self.verdict.blocks || seal.rows != self.verdict.rows {
            return Err(self.fault(None, "the seal is of another number of blocks or rows"));
        }
        if let Some((public, signature)) = &seal.signature {
            let public = PublicKey(*public);
            if !public.has_signed(&seal, signature) {
                return Err(self.fault(None, "the signature is not good"));
            }
            self.verdict.signed_by = Some(public);
        }
        match (key, self.verdict.signed_by) {
            (Some(_), None) => Err(self.fault(None, "the capture is not signed")),
            (Some(key), Some(signer)) if *key != signer => {
                Err(self.fault(None, &format!("the capture is signed with another key, {signer}")))
            }
            _ => {
                self.verdict.head = seal.head;
                Ok(())
            }
        }
    }

    fn fault(&self, block: Option<u64>, what: &str) -> Stop {
        let what = match block {
            Some(block) => format!("block {block}: {what}"),
            None => what.to_owned(),
        };
        Stop::Fault(Fault { offset: self.offset, block, what })
    }
}
