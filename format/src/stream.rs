//! A capture read as it comes: bytes go in, in pieces of any size, and blocks and records come out. Nothing is gone back to,
//! and no more is held than one frame.
//!
//! Frames are taken much as when a file is salvaged: one that neither chains to those before it nor has the next number is left
//! out, and behind damaged bytes the next whole frame is looked for. What the end of a file says of its blocks is not needed here.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::compress::Decompressor;
use crate::encode::HeadPlace;
use crate::frame::{
    FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES, Preamble, TRAILER_BYTES, Trailer, padding,
};
use crate::seal::{Chain, Seal};
use crate::statistics::{EventCount, Statistics};
use crate::{
    Block, Capture, Content, Error, OpenOptions, Result, Scratch, Side, block, limits, reader, records,
    side_v1,
};

/// Bytes in front of the first block, at most: the header, and records beside the events.
const HEAD_BYTES: usize = limits::SIDE_BYTES + limits::HEAD_BYTES;

/// What comes out of a stream.
#[derive(Debug)]
pub enum Streamed {
    /// The beginning, up to where the first block begins. It comes first.
    Head(Box<Capture>),
    /// A block, and what its directory says of its rows.
    Block(Arc<Block>, Box<Statistics>),
    Side(Side),
    /// The bytes of an artifact.
    Content(Box<Content>),
    /// Something is missing here, in words.
    Missing(String),
    /// The capture is whole; whether another part of its set follows.
    End {
        is_last_part: bool,
    },
}

/// Takes a capture apart as it comes.
#[derive(Debug)]
pub struct StreamReader {
    options: OpenOptions,
    /// What was not looked at yet begins at `at`; where that is in the stream.
    bytes: Vec<u8>,
    at: usize,
    offset: u64,
    head: Option<Head>,
    /// Of the next frame, unless damage stands in front of it.
    chain: Option<Chain>,
    /// Of the last frame.
    number: u32,
    /// The last frame was a seal, so that a footer may follow; whether it is the last part's.
    sealed: Option<bool>,
    is_over: bool,
    /// Bytes that are no frame, since the last one.
    damaged: u64,
    strays: u64,
    decompressor: Decompressor,
    scratch: Scratch,
    /// What came and was not asked for.
    came: VecDeque<Streamed>,
}

/// What is known once the beginning is.
#[derive(Debug)]
struct Head {
    preamble: Preamble,
    capture: Capture,
}

impl StreamReader {
    pub fn new(options: OpenOptions) -> StreamReader {
        StreamReader {
            options,
            bytes: Vec::new(),
            at: 0,
            offset: 0,
            head: None,
            chain: None,
            number: 0,
            sealed: None,
            is_over: false,
            damaged: 0,
            strays: 0,
            decompressor: Decompressor::default(),
            scratch: Scratch::new(),
            came: VecDeque::new(),
        }
    }

    /// Takes more bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// What came; `None` when more bytes are needed. An error when this is no capture that can be read.
    pub fn pull(&mut self) -> Result<Option<Streamed>> {
        self.step_on(false)
    }

    /// What is left once there are no more bytes; call it until it gives nothing.
    pub fn end(&mut self) -> Result<Option<Streamed>> {
        if let Some(last) = self.step_on(true)? {
            return Ok(Some(last));
        }
        if self.head.is_none() {
            return Err(Error::NotACapture);
        }
        let rest = (self.bytes.len() - self.at) as u64 + self.damaged;
        let strays = std::mem::take(&mut self.strays);
        self.at = self.bytes.len();
        self.damaged = 0;
        let mut missing = Vec::new();
        if strays > 0 {
            missing.push(format!("{strays} frames do not chain to those before them, and are left out"));
        }
        if !self.is_over {
            self.is_over = true;
            missing.push(match rest {
                0 => "the recording was not finished".to_owned(),
                rest => format!("the recording was not finished: its last {rest} bytes hold no whole frame"),
            });
        }
        Ok((!missing.is_empty()).then(|| Streamed::Missing(missing.join("; "))))
    }

    /// Whether the capture's own end has come.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    fn step_on(&mut self, is_end: bool) -> Result<Option<Streamed>> {
        loop {
            if let Some(came) = self.came.pop_front() {
                return Ok(Some(came));
            }
            let went_on = if self.head.is_none() { self.begin(is_end)? } else { self.frame()? };
            if !went_on {
                return Ok(None);
            }
        }
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn pass(&mut self, bytes: usize) {
        self.at += bytes;
        self.offset += bytes as u64;
    }

    /// Waits for all that stands in front of the first block, and opens it as a capture of its own. False when more bytes must
    /// come before anything can be said.
    fn begin(&mut self, is_end: bool) -> Result<bool> {
        let bytes = self.rest();
        let Some(preamble) = bytes.get(..PREAMBLE_BYTES) else {
            return if is_end { Err(Error::NotACapture) } else { Ok(false) };
        };
        let preamble = Preamble::read(preamble)?;
        let mut end = PREAMBLE_BYTES;
        let mut chain = Chain::start(&preamble.to_bytes());
        let mut number = 0;
        // The header must be whole; of what follows, as much as is.
        let (mut is_first, mut is_short) = (true, false);
        loop {
            let at = bytes.get(end..).unwrap_or_default();
            if at.len() < HEADER_BYTES {
                is_short = true;
                break;
            }
            let header = match FrameHeader::read(at, end as u64, preamble) {
                Ok(header) => header,
                Err(error) if is_first => return Err(error),
                Err(_) => break,
            };
            let is_ahead = matches!(header.kind, Kind::Header | Kind::Side | Kind::Table | Kind::Other(_));
            if !is_ahead || header.chain != chain.0 {
                break;
            }
            let Some(frame) = at.get(..header.frame_bytes() as usize) else {
                is_short = true;
                break;
            };
            if end + frame.len() > HEAD_BYTES {
                break;
            }
            chain = next_chain(&header, preamble, frame);
            end += frame.len();
            number = header.number;
            is_first = false;
        }
        if is_short && !is_end {
            return Ok(false);
        }
        if is_first {
            return Err(Error::Damaged { offset: end as u64, what: "the file ends inside its header" });
        }
        let ahead = bytes.get(..end).unwrap_or_default().to_vec();
        // Once as it goes on, and once for whoever asks.
        let capture = Capture::growing(ahead.clone(), &self.options)?;
        self.head = Some(Head { preamble, capture: Capture::growing(ahead, &self.options)? });
        self.chain = Some(chain);
        self.number = number;
        self.pass(end);
        self.came.push_back(Streamed::Head(Box::new(capture)));
        Ok(true)
    }

    /// Takes the next frame, or passes over what is none. False when more bytes must come before that can be told.
    fn frame(&mut self) -> Result<bool> {
        let Some(Head { preamble, capture }) = &self.head else { return Ok(false) };
        let bytes = self.bytes.get(self.at..).unwrap_or_default();
        if self.is_over {
            return Ok(false);
        }
        if let Some(is_last_part) = self.sealed {
            match bytes.get(..TRAILER_BYTES).map(Trailer::read) {
                None => return Ok(false),
                Some(Some(_)) => {
                    self.pass(TRAILER_BYTES);
                    self.is_over = true;
                    self.came.push_back(Streamed::End { is_last_part });
                    return Ok(true);
                }
                Some(None) => {}
            }
        }
        if bytes.len() < HEADER_BYTES {
            return Ok(false);
        }
        let header = FrameHeader::read(bytes, self.offset, *preamble);
        // A plain frame is none of an encrypted capture's.
        let is_own = |header: &FrameHeader| {
            header.is_encrypted() || header.kind == Kind::Seal || !capture.reader().is_encrypted
        };
        let Some(header) = header.ok().filter(is_own) else {
            self.damage();
            return Ok(true);
        };
        let Some(frame) = bytes.get(..header.frame_bytes() as usize) else { return Ok(false) };
        let length = frame.len();
        if self.chain.is_some_and(|chain| chain.0 != header.chain) {
            if header.number != self.number.wrapping_add(1) {
                self.strays += 1;
                self.pass(length);
                return Ok(true);
            }
            // It is the next one, so what was taken before it is not what was written.
            let missing = format!("frame {} is damaged", self.number);
            self.came.push_back(Streamed::Missing(missing));
        }
        let after = next_chain(&header, *preamble, frame);
        match take(capture, &header, frame, self.offset, &mut self.decompressor, &mut self.scratch) {
            Ok((streamed, sealed)) => {
                if self.damaged > 0 {
                    let missing =
                        format!("{} bytes at {} are damaged", self.damaged, self.offset - self.damaged);
                    self.came.push_back(Streamed::Missing(missing));
                    self.damaged = 0;
                }
                self.came.extend(streamed);
                self.pass(length);
                self.chain = Some(after);
                self.number = header.number;
                self.sealed = sealed;
            }
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(_) => self.damage(),
        }
        Ok(true)
    }

    /// Passes over bytes with which no frame begins. Frames begin at every eighth.
    fn damage(&mut self) {
        self.chain = None;
        self.sealed = None;
        self.damaged += 8;
        self.pass(8);
    }
}

/// What a whole frame gives, and whether it is a seal: of the last part of its set, or of another.
fn take(
    capture: &Capture,
    header: &FrameHeader,
    frame: &[u8],
    offset: u64,
    decompressor: &mut Decompressor,
    scratch: &mut Scratch,
) -> Result<(Vec<Streamed>, Option<bool>)> {
    let damaged = |what| Error::Damaged { offset, what };
    let stored = frame.get(HEADER_BYTES..HEADER_BYTES + header.payload as usize).unwrap_or_default();
    let (inner, payload) = if header.is_encrypted() {
        let opened = capture.reader().open_payload(header, stored, offset)?;
        (opened.frame, opened.payload)
    } else {
        (*header, stored.to_vec())
    };
    let head = payload.get(..inner.head_stored as usize);
    let head = head.ok_or(damaged("a frame's head says it is larger than its frame"))?;
    let (schema, version) = (capture.schema(), capture.version());
    let mut raw = || reader::decompress(&inner, head, decompressor).map_err(damaged);
    Ok(match header.kind {
        Kind::Block => {
            if crc32fast::hash(head) != inner.head_crc {
                return Err(damaged("a frame's head does not fit its checksum"));
            }
            let FrameHeader { head_codec: codec, head_stored: stored, head_raw: raw, head_crc: crc, .. } =
                inner;
            let place = HeadPlace { codec, stored, raw, crc };
            let block = Block::from_payload(block::Stored::Decrypted(payload), place, schema, scratch)?;
            let statistics = Box::new(statistics(&block));
            (vec![Streamed::Block(Arc::new(block), statistics)], None)
        }
        Kind::Table => {
            let side = records::read(&raw()?, schema, offset)?;
            (side.into_iter().map(Streamed::Side).collect(), None)
        }
        Kind::Content => {
            let body = payload.get(inner.head_stored as usize..).unwrap_or_default().to_vec();
            let content = Content::from_frame(&raw()?, body, offset)?;
            (vec![Streamed::Content(Box::new(content))], None)
        }
        Kind::Side => {
            let sides = side_v1::read(version, &raw()?, schema, offset)?;
            (sides.into_iter().map(Streamed::Side).collect(), None)
        }
        Kind::Seal => (Vec::new(), Some(Seal::read(version, &raw()?, offset)?.is_last_part())),
        Kind::Header | Kind::Index | Kind::Segment | Kind::Other(_) => (Vec::new(), None),
    })
}

fn next_chain(header: &FrameHeader, preamble: Preamble, frame: &[u8]) -> Chain {
    let end = HEADER_BYTES + header.payload as usize;
    let stored = frame.get(HEADER_BYTES..end).unwrap_or_default();
    // As it was written: padding is zeros, whatever became of it.
    let zeros = [0; 8];
    Chain::next(&header.to_bytes(preamble), stored, zeros.get(..padding(stored.len())).unwrap_or_default())
}

/// What a block's directory says of its rows.
fn statistics(block: &Block) -> Statistics {
    let (first_ns, last_ns) = block.extent();
    let counts = (0u16..).zip(block.event_list());
    let mut events: Vec<EventCount> =
        counts.map(|(code, event)| EventCount { event: *event, rows: block.rows_of(code) as u32 }).collect();
    events.sort_unstable_by_key(|count| count.event);
    let rows = block.rows() as u64;
    Statistics { rows, first_ns, last_ns, hosts: vec![block.host()], events, ..Statistics::default() }
}
