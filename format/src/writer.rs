//! A capture file as it grows: every frame is whole before the next begins, so a file that ends early reads up to there.

use std::collections::HashSet;
use std::io::Write;

use rkyv::util::AlignedVec;

use crate::archive::{self, SealV5, seal_flags};
use crate::compress::Compressor;
use crate::encode::HeadPlace;
use crate::envelope::{self, Protection};
use crate::forward::SealSigner;
use crate::frame::{self, FrameHeader, Kind, Preamble, Trailer, padding};
use crate::records;
use crate::seal::{Chain, Seal};
use crate::segment::SegmentBuilder;
use crate::{
    Compression, Content, EncodedBlock, Ends, Error, HeadSink, Header, Recipients, Result, SealHead, SetId,
    Sha256, Side, Signer, limits,
};

/// Appends frames to `W`. Its memory does not grow with the file: what is known of blocks goes out with each segment.
#[derive(Debug)]
pub struct Writer<W: Write> {
    pub(crate) out: W,
    preamble: Preamble,
    /// Bytes of whole frames.
    bytes: u64,
    frames: u32,
    chain: Chain,
    pub(crate) segment: SegmentBuilder,
    /// Where the last segment stands, and the seal behind it.
    trailer: Trailer,
    compressor: Compressor,
    blocks: u64,
    rows: u64,
    /// Bytes of all records beside the events, as a reader counts them.
    pub(crate) side_bytes: usize,
    /// Hashes of artifacts whose bytes are there.
    contents: HashSet<Sha256>,
    pub(crate) sign: Option<SealSigner>,
    oldest_part: u32,
    heads: Option<HeadSink>,
    /// What every head says of this file.
    set: SetId,
    part: u32,
    protection: Option<Protection>,
}

/// What a finished file amounts to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    pub bytes: u64,
    pub blocks: u64,
    pub rows: u64,
    /// Of the chain of hashes over all frames.
    pub head: [u8; 32],
}

/// How a file is sealed.
#[derive(Clone, Debug, Default)]
pub struct WriterOptions {
    /// Signs the chain of hashes at the end of each segment.
    pub sign: Option<Signer>,
    /// Encrypts every frame.
    pub encrypt: Option<Recipients>,
    /// Takes the head of the chain at each seal.
    pub heads: Option<HeadSink>,
}

/// Whether anything follows a file in its set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    /// The recording ended with it.
    Recording,
    /// Another part of the set follows.
    Part,
}

/// A frame that is ready to be appended.
struct Frame {
    bytes: Vec<u8>,
    chain: Chain,
}

impl<W: Write> Writer<W> {
    /// Writes the header at the start of `out`, which must be empty.
    pub fn create(out: W, header: &Header) -> Result<Writer<W>> {
        Writer::create_with(out, header, WriterOptions::default())
    }

    pub fn create_with(out: W, header: &Header, options: WriterOptions) -> Result<Writer<W>> {
        let archived = header.to_bytes()?;
        check_head(Kind::Header, archived.len())?;
        // Heads are few and small, and the schema is most of a small capture.
        let mut compressor = Compressor::new(Compression::Max);
        let (head, payload) = compressed(&mut compressor, &archived)?;
        let protection = options.encrypt.clone().map(Protection::new).transpose()?;
        let (head, payload) = match &protection {
            Some(protection) => (HIDDEN, protection.header(head, &payload)?),
            None => (head, payload),
        };
        let preamble = Preamble::new(&payload);
        let first = preamble.to_bytes();
        let mut writer = Writer {
            out,
            preamble,
            bytes: 0,
            frames: 0,
            chain: Chain::start(&first),
            segment: SegmentBuilder::default(),
            trailer: Trailer { index: 0, seal: 0 },
            compressor,
            blocks: 0,
            rows: 0,
            side_bytes: 0,
            contents: HashSet::new(),
            sign: None,
            oldest_part: 0,
            heads: options.heads,
            set: SetId::of(header),
            part: header.recording.part,
            protection,
        };
        writer.append(&first)?;
        writer.raw_frame(Kind::Header, head, &payload)?;
        writer.segment = SegmentBuilder::new(writer.bytes);
        // Last: a file that could not begin uses no key up.
        writer.sign = options.sign.as_ref().map(Signer::begin).transpose()?;
        Ok(writer)
    }

    /// Appends a block, and before it the segment of those before when that is full. When that fails (a full disk), part
    /// of a frame may stand in `out`: cut that back to [`Writer::bytes`], and [`Writer::finish`] can still be tried, since
    /// a segment takes far less room than its blocks.
    pub fn block(&mut self, block: &EncodedBlock) -> Result<()> {
        let limit = limits::FILE_BLOCKS as u64;
        if self.blocks >= limit {
            return Err(Error::TooLarge { what: "the number of blocks", value: self.blocks + 1, limit });
        }
        self.end_full_segment()?;
        let offset = self.bytes;
        self.frame(Kind::Block, block.head, block.bytes.as_slice())?;
        self.segment.block(offset, self.bytes - offset, &block.statistics);
        self.blocks += 1;
        self.rows += block.statistics.rows;
        Ok(())
    }

    /// Appends records that stand beside the events. All of a file may take [`limits::SIDE_BYTES`]; beyond that, nothing
    /// of these is written.
    pub fn side(&mut self, side: &Side) -> Result<()> {
        let tables = records::tables(side)?;
        let bytes = tables.iter().map(|table| table.len()).sum::<usize>();
        if bytes > self.side_room() {
            return Err(Error::TooLarge {
                what: "the size of the records beside the events",
                value: (self.side_bytes + bytes) as u64,
                limit: limits::SIDE_BYTES as u64,
            });
        }
        tables.iter().try_for_each(|table| self.table(table))
    }

    pub(crate) fn table(&mut self, table: &AlignedVec) -> Result<()> {
        self.end_full_segment()?;
        let offset = self.bytes;
        self.archived(Kind::Table, table)?;
        self.segment.table(offset, self.bytes - offset);
        self.side_bytes += table.len();
        Ok(())
    }

    /// Appends the bytes of an artifact, unless the file has them already: then false.
    pub fn content(&mut self, content: &Content) -> Result<bool> {
        if self.contents.contains(&content.sha256) {
            return Ok(false);
        }
        let (value, limit) = (self.contents.len() as u64 + 1, limits::CONTENTS as u64);
        if value > limit {
            return Err(Error::TooLarge { what: "the number of artifacts", value, limit });
        }
        self.end_full_segment()?;
        let offset = self.bytes;
        let (head, mut payload) = compressed(&mut self.compressor, &content.head()?)?;
        payload.extend_from_slice(content.body());
        self.frame(Kind::Content, head, &payload)?;
        self.segment.table(offset, self.bytes - offset);
        self.contents.insert(content.sha256);
        Ok(true)
    }

    /// Whether the file has the bytes of an artifact.
    pub fn has_content(&self, sha256: &Sha256) -> bool {
        self.contents.contains(sha256)
    }

    /// How many more bytes of records beside the events the file may take.
    pub fn side_room(&self) -> usize {
        limits::SIDE_BYTES.saturating_sub(self.side_bytes)
    }

    /// Bytes of whole frames up to now.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// About how many bytes ending the file will take, at most.
    pub fn end_bytes(&self) -> u64 {
        self.segment.bytes()
    }

    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(Error::io("writing the capture"))
    }

    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// Ends the open segment, so that what is written up to now can be skipped and verified however the file goes on; the
    /// head of the chain up to here. `None` when nothing was written since the last time.
    pub fn checkpoint(&mut self) -> Result<Option<[u8; 32]>> {
        if self.segment.is_empty() { Ok(None) } else { self.end_segment(0).map(Some) }
    }

    /// Writes the last segment, its seal and the trailer.
    pub fn finish(self) -> Result<(W, Finished)> {
        self.finish_as(Ending::Recording)
    }

    pub fn finish_as(mut self, ending: Ending) -> Result<(W, Finished)> {
        let last_part = if ending == Ending::Recording { seal_flags::LAST_PART } else { 0 };
        let head = self.end_segment(seal_flags::LAST | last_part)?;
        let trailer = self.trailer.to_bytes();
        self.append(&trailer)?;
        self.flush()?;
        Ok((self.out, Finished { bytes: self.bytes, blocks: self.blocks, rows: self.rows, head }))
    }

    /// Says which part of a rotated set is the oldest that is kept, for the seals to come.
    pub fn set_oldest_part(&mut self, part: u32) {
        self.oldest_part = part;
    }

    fn end_full_segment(&mut self) -> Result<()> {
        if self.segment.is_full() { self.end_segment(0).map(|_| ()) } else { Ok(()) }
    }

    /// Writes the open segment and a seal behind it, and begins another segment.
    fn end_segment(&mut self, flags: u32) -> Result<[u8; 32]> {
        let table = self.segment.statistics()?;
        let mut body = Vec::new();
        let head = &mut self.segment.head;
        head.codec = self.compressor.append(&table, &mut body)?;
        (head.stored, head.raw, head.crc) = (body.len() as u32, table.len() as u32, crc32fast::hash(&body));
        let archived = archive::to_bytes(&self.segment.head)?;
        check_head(Kind::Segment, archived.len().max(table.len()))?;
        let (place, mut payload) = compressed(&mut self.compressor, &archived)?;
        payload.extend_from_slice(&body);
        let segment = self.make_frame(self.frames, self.chain, Kind::Segment, place, &payload)?;

        let is_public = self.protection.is_none();
        let mut seal = Seal {
            version: frame::VERSION,
            it: SealV5 {
                head: segment.chain.0,
                blocks: if is_public { self.blocks } else { 0 },
                rows: if is_public { self.rows } else { 0 },
                flags,
                oldest_part: self.oldest_part,
                ..SealV5::default()
            },
        };
        if let Some(key) = &self.sign {
            key.sign(&mut seal);
        }
        let (place, payload) = compressed(&mut self.compressor, &archive::to_bytes(&seal.it)?)?;
        let sealed = self.make_frame(self.frames + 1, segment.chain, Kind::Seal, place, &payload)?;

        // Both or none: whoever cuts half of them off again finds the writer as it was.
        let at = self.bytes;
        self.append(&[segment.bytes.as_slice(), &sealed.bytes].concat())?;
        if let Some(key) = &mut self.sign {
            key.advance();
        }
        self.frames += 2;
        self.chain = sealed.chain;
        self.trailer = Trailer { index: at, seal: at + segment.bytes.len() as u64 };
        if let Some(heads) = &self.heads {
            let ends = match flags {
                0 => Ends::Nothing,
                seal_flags::LAST => Ends::File,
                _ => Ends::Set,
            };
            heads.take(&SealHead {
                set: self.set,
                part: self.part,
                file: self.preamble.id,
                seal: self.segment.head.number,
                bytes: self.bytes,
                head: segment.chain.0,
                ends,
            });
        }
        self.segment = self.segment.next(at, self.bytes);
        Ok(segment.chain.0)
    }

    /// Appends a frame that has only a head.
    fn archived(&mut self, kind: Kind, archived: &AlignedVec) -> Result<()> {
        check_head(kind, archived.len())?;
        let (head, payload) = compressed(&mut self.compressor, archived)?;
        self.frame(kind, head, payload.as_slice())
    }

    fn frame(&mut self, kind: Kind, head: HeadPlace, payload: &[u8]) -> Result<()> {
        if self.protection.is_none() {
            return self.raw_frame(kind, head, payload);
        }
        let frame = self.make_frame(self.frames, self.chain, kind, head, payload)?;
        self.append(&frame.bytes)?;
        self.chain = frame.chain;
        self.frames += 1;
        Ok(())
    }

    /// Appends a frame whose payload is as it shall stand in the file.
    fn raw_frame(&mut self, kind: Kind, head: HeadPlace, payload: &[u8]) -> Result<()> {
        let header = self.header(self.frames, self.chain, kind, head, payload.len()).to_bytes(self.preamble);
        let zeros = [0; 8];
        let padding = zeros.get(..padding(payload.len())).unwrap_or_default();
        for part in [&header[..], payload, padding] {
            self.out.write_all(part).map_err(Error::io("writing the capture"))?;
        }
        self.bytes += (header.len() + payload.len() + padding.len()) as u64;
        self.chain = Chain::next(&header, payload, padding);
        self.frames += 1;
        Ok(())
    }

    /// A frame in one piece. A seal says nothing about what was recorded, and can be checked by everybody.
    fn make_frame(
        &self,
        number: u32,
        chain: Chain,
        kind: Kind,
        head: HeadPlace,
        payload: &[u8],
    ) -> Result<Frame> {
        let (header, sealed) = match &self.protection {
            Some(protection) if kind != Kind::Seal => {
                let header = self.header(number, chain, kind, HIDDEN, envelope::sealed_bytes(payload.len()));
                (header, Some(protection.seal(header, self.preamble, head, payload)?))
            }
            _ => (self.header(number, chain, kind, head, payload.len()), None),
        };
        let payload = sealed.as_deref().unwrap_or(payload);
        if payload.len() > limits::PAYLOAD_BYTES {
            let (value, limit) = (payload.len() as u64, limits::PAYLOAD_BYTES as u64);
            return Err(Error::TooLarge { what: kind.name(), value, limit });
        }
        let header = header.to_bytes(self.preamble);
        let padding = vec![0; padding(payload.len())];
        let chain = Chain::next(&header, payload, &padding);
        Ok(Frame { bytes: [&header, payload, &padding].concat(), chain })
    }

    fn header(&self, number: u32, chain: Chain, kind: Kind, head: HeadPlace, payload: usize) -> FrameHeader {
        let is_encrypted = self.protection.is_some() && kind != Kind::Seal;
        FrameHeader {
            kind,
            head_codec: head.codec,
            flags: if is_encrypted { frame::ENCRYPTED } else { 0 },
            number,
            payload: payload as u32,
            head_stored: head.stored,
            head_raw: head.raw,
            head_crc: head.crc,
            chain: chain.0,
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(Error::io("writing the capture"))?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

/// A head as it is stored at the start of a payload.
fn compressed(compressor: &mut Compressor, archived: &AlignedVec) -> Result<(HeadPlace, Vec<u8>)> {
    let mut payload = Vec::new();
    let codec = compressor.append(archived, &mut payload)?;
    let (stored, raw) = (payload.len() as u32, archived.len() as u32);
    Ok((HeadPlace { codec, stored, raw, crc: crc32fast::hash(&payload) }, payload))
}

/// What the header of an encrypted frame says of its head: nothing.
const HIDDEN: HeadPlace = HeadPlace { codec: 0, stored: 0, raw: 0, crc: 0 };

fn check_head(kind: Kind, bytes: usize) -> Result<()> {
    let (value, limit) = (bytes as u64, limits::HEAD_BYTES as u64);
    if value > limit { Err(Error::TooLarge { what: kind.name(), value, limit }) } else { Ok(()) }
}
