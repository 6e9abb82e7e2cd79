//! A capture file as it grows: every frame is whole before the next begins, so a file that ends early reads up to there.

use std::io::Write;

use rkyv::util::AlignedVec;

use crate::archive::{self, LossV1, SealV1, SideV4};
use crate::compress::Compressor;
use crate::encode::HeadPlace;
use crate::frame::{self, FrameHeader, Kind, Trailer, padding};
use crate::index::IndexBuilder;
use crate::seal::Chain;
use crate::{Compression, EncodedBlock, Error, Header, Recipients, Result, Side, SigningKey, limits};

/// Appends frames to `W`.
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
    /// Bytes of whole frames.
    bytes: u64,
    frames: u32,
    chain: Chain,
    index: IndexBuilder,
    compressor: Compressor,
    blocks: u64,
    rows: u64,
    options: WriterOptions,
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
    /// Signs the chain of hashes at the end.
    pub sign: Option<SigningKey>,
    /// Encrypts every frame.
    pub encrypt: Option<Recipients>,
}

impl<W: Write> Writer<W> {
    /// Writes the header at the start of `out`, which must be empty.
    pub fn create(out: W, header: &Header) -> Result<Writer<W>> {
        Writer::create_with(out, header, WriterOptions::default())
    }

    pub fn create_with(mut out: W, header: &Header, options: WriterOptions) -> Result<Writer<W>> {
        let preamble = frame::preamble();
        out.write_all(&preamble).map_err(Error::io("writing the capture"))?;
        let mut writer = Writer {
            out,
            bytes: preamble.len() as u64,
            frames: 0,
            chain: Chain::start(&preamble),
            index: IndexBuilder::default(),
            // Heads are few and small, and the schema is most of a small capture.
            compressor: Compressor::new(Compression::Max),
            blocks: 0,
            rows: 0,
            options,
        };
        writer.archived(Kind::Header, &header.to_bytes()?)?;
        Ok(writer)
    }

    /// Appends a block. When that fails (a full disk), part of it may stand in `out`: cut that back to
    /// [`Writer::bytes`], and [`Writer::finish`] can still be tried, since the index takes far less room than a block.
    pub fn block(&mut self, block: &EncodedBlock) -> Result<()> {
        let offset = self.bytes;
        self.frame(Kind::Block, block.head, &block.bytes)?;
        self.index.block(offset, self.bytes - offset, block);
        self.blocks += 1;
        self.rows += block.statistics.rows;
        Ok(())
    }

    /// Appends records that stand beside the events.
    pub fn side(&mut self, side: &Side) -> Result<()> {
        // Records of one frame are read as one piece, so many go into several.
        const RECORDS: usize = 4096;
        match side {
            Side::Processes(all) => all
                .chunks(RECORDS)
                .try_for_each(|some| self.records(&SideV4 { processes: some.to_vec(), ..SideV4::default() })),
            Side::Cgroups(all) => {
                all.chunks(RECORDS).try_for_each(|some| self.records(&SideV4::of_cgroups(some)))
            }
            Side::Users(all) => all
                .chunks(RECORDS)
                .try_for_each(|some| self.records(&SideV4 { users: some.to_vec(), ..SideV4::default() })),
            Side::Losses(all) => all.chunks(RECORDS).try_for_each(|some| {
                let losses = some
                    .iter()
                    .map(|loss| LossV1 {
                        host: loss.host,
                        from_ns: loss.from_ns,
                        to_ns: loss.to_ns,
                        cpu: loss.cpu,
                        event: loss.event.map(|id| id.0),
                        count: loss.count,
                        cause: loss.cause.clone(),
                    })
                    .collect();
                self.records(&SideV4 { losses, ..SideV4::default() })
            }),
        }
    }

    fn records(&mut self, records: &SideV4) -> Result<()> {
        let offset = self.bytes;
        self.archived(Kind::Side, &archive::to_bytes(records)?)?;
        self.index.index.sides.push(offset);
        Ok(())
    }

    /// Bytes of whole frames up to now.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn flush(&mut self) -> Result<()> {
        self.out.flush().map_err(Error::io("writing the capture"))
    }

    pub fn get_ref(&self) -> &W {
        &self.out
    }

    /// Writes the index, the seal and the footer.
    pub fn finish(mut self) -> Result<(W, Finished)> {
        let index = self.bytes;
        let archived = archive::to_bytes(&self.index.index)?;
        self.archived(Kind::Index, &archived)?;
        let seal = self.bytes;
        let head = self.chain.0;
        let mut sealed = SealV1 { head, blocks: self.blocks, rows: self.rows, signature: None };
        if let Some(key) = &self.options.sign {
            key.sign(&mut sealed);
        }
        self.archived(Kind::Seal, &archive::to_bytes(&sealed)?)?;
        self.append(&[&Trailer { index, seal }.to_bytes()])?;
        self.flush()?;
        Ok((self.out, Finished { bytes: self.bytes, blocks: self.blocks, rows: self.rows, head }))
    }

    /// Appends a frame that has only a head.
    fn archived(&mut self, kind: Kind, archived: &AlignedVec) -> Result<()> {
        if archived.len() > limits::HEAD_BYTES {
            return Err(Error::TooLarge {
                what: kind.name(),
                value: archived.len() as u64,
                limit: limits::HEAD_BYTES as u64,
            });
        }
        let mut payload = Vec::new();
        let codec = self.compressor.append(archived, &mut payload)?;
        let head = HeadPlace {
            codec,
            stored: payload.len() as u32,
            raw: archived.len() as u32,
            crc: crc32fast::hash(&payload),
        };
        self.frame(kind, head, &payload)
    }

    fn frame(&mut self, kind: Kind, head: HeadPlace, payload: &[u8]) -> Result<()> {
        // The seal says nothing about what was recorded, and can be checked without an identity.
        let encrypted = match &self.options.encrypt {
            Some(recipients) if kind != Kind::Seal => Some(recipients.encrypt(payload)?),
            _ => None,
        };
        let flags = if encrypted.is_some() { frame::ENCRYPTED } else { 0 };
        let payload = encrypted.as_deref().unwrap_or(payload);
        let header = FrameHeader {
            kind,
            head_codec: head.codec,
            flags,
            number: self.frames,
            payload: payload.len() as u32,
            head_stored: head.stored,
            head_raw: head.raw,
            head_crc: head.crc,
            chain: self.chain.0,
        }
        .to_bytes();
        let padding = [0; 8].get(..padding(payload.len())).map(<[u8]>::to_vec).unwrap_or_default();
        self.append(&[&header, payload, &padding])?;
        self.chain = Chain::next(&header, payload, &padding);
        self.frames += 1;
        Ok(())
    }

    fn append(&mut self, parts: &[&[u8]]) -> Result<()> {
        for part in parts {
            self.out.write_all(part).map_err(Error::io("writing the capture"))?;
        }
        self.bytes += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        Ok(())
    }
}
