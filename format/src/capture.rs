//! A capture file, opened for reading.

mod contents;
mod ending;
mod records;
mod salvaging;
mod segments;

pub use ending::SetEnding;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use events::EventId;

use self::records::Beside;
pub use self::records::Records;
use self::segments::SegmentRef;
use crate::archive::{self, ArchivedBlockV1};
use crate::block::{Parts, Stored};
use crate::compress::Decompressor;
use crate::directory::Directory;
use crate::encode::HeadPlace;
use crate::frame::{self, FrameHeader, HEADER_BYTES, Kind, TRAILER_BYTES, Trailer};
use crate::index::BlockInfo;
use crate::reader::{self, Head, Reader};
use crate::schema::{FileEvent, Schema};
use crate::source::{ReadAt, Source};
use crate::statistics::{EventCount, Statistics};
use crate::{Block, EncodedBlock, Error, Header, Identity, Result, Scratch};

/// A capture file. Sharing it among threads is fine: reading keeps its state in [`Scratch`].
///
/// Its memory does not grow with the file, except for [`Capture::blocks`] and records beside the events once somebody asked
/// for them: what is known of blocks stays in the file, a segment at a time is read when it is asked for, and of all
/// captures together the last few are kept. So is the number of files that are open: there may be many captures.
#[derive(Debug)]
pub struct Capture {
    reader: Reader,
    /// Among all captures that are open.
    number: u64,
    /// Without its schema, of which a program has one copy for all files that declare the same.
    header: Header,
    schema: Arc<Schema>,
    segments: Vec<SegmentRef>,
    blocks: OnceLock<Vec<BlockInfo>>,
    beside: Beside,
    records: OnceLock<Records>,
    unread_records: OnceLock<String>,
    completeness: Completeness,
    strays: u64,
}

impl Drop for Capture {
    fn drop(&mut self) {
        segments::forget(self.number, self.segments.len());
    }
}

/// What is known of a segment without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SegmentSummary {
    /// Number of its first block in the file.
    pub first_block: usize,
    pub blocks: usize,
    pub rows: u64,
    /// Boot clock, ns: no row of it is outside. Hosts of a merged capture have one clock.
    pub first_ns: u64,
    pub last_ns: u64,
    /// That its blocks take in the file.
    pub bytes: u64,
}

/// How to open a file.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct OpenOptions {
    /// Map the file instead of reading it piece by piece. A mapped file that another program cuts short ends this one by
    /// a signal, so this is for files that are known to be finished.
    pub mmap: bool,
    /// For encrypted captures.
    pub identity: Option<Identity>,
    /// Of an unfinished or damaged file, take also whole frames that do not chain to those before them.
    pub with_strays: bool,
}

/// Whether all is there that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Completeness {
    /// The file was finished: its index and footer are there.
    Finished,
    /// It is still being written: see [`Capture::growing`].
    Growing,
    /// The file ends early, or its index is damaged: what could be read was found by going through it.
    Salvaged {
        /// Bytes that hold no whole frame.
        lost_bytes: u64,
        /// In words, such as `the file ends inside block 12`.
        what: String,
    },
}

impl Capture {
    /// Whether a file begins as a capture does.
    pub fn is_one(path: &Path) -> std::io::Result<bool> {
        use std::io::Read;
        let mut first = Vec::new();
        std::fs::File::open(path)?.take(frame::PREAMBLE_BYTES as u64).read_to_end(&mut first)?;
        Ok(frame::Preamble::read(&first).is_ok())
    }

    pub fn open(path: &Path) -> Result<Capture> {
        Capture::open_with(path, &OpenOptions::default())
    }

    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Capture> {
        Capture::from_source(Source::open(path, options.mmap)?, options)
    }

    /// Opens a capture that is no file: of a store of objects, those ranges are read that are asked for.
    pub fn from_reader(reader: Box<dyn ReadAt>, options: &OpenOptions) -> Result<Capture> {
        Capture::from_source(Source::Other(reader), options)
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Result<Capture> {
        Capture::from_bytes_with(bytes, &OpenOptions::default())
    }

    pub fn from_bytes_with(bytes: Vec<u8>, options: &OpenOptions) -> Result<Capture> {
        Capture::from_source(Source::Bytes(bytes), options)
    }

    /// The head of a capture of which the rest is still to come: its header, and what stands in front of its first block.
    pub fn growing(head: Vec<u8>, options: &OpenOptions) -> Result<Capture> {
        let mut capture = Capture::from_bytes_with(head, options)?;
        capture.completeness = Completeness::Growing;
        Ok(capture)
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.reader
    }

    fn from_source(source: Source, options: &OpenOptions) -> Result<Capture> {
        let (reader, head) = Reader::open(source, options.identity.clone())?;
        let (header, declared) =
            Header::read_parts(reader.version(), &head.bytes, frame::PREAMBLE_BYTES as u64)?;
        let schema = declared.schema(frame::PREAMBLE_BYTES as u64)?;
        let mut capture = Capture {
            reader,
            number: segments::next_number(),
            header,
            schema,
            segments: Vec::new(),
            blocks: OnceLock::new(),
            beside: Beside::default(),
            records: OnceLock::new(),
            unread_records: OnceLock::new(),
            completeness: Completeness::Finished,
            strays: 0,
        };
        match capture.read_end() {
            Ok(true) => {}
            // What is wrong with the medium will not get better by going through it.
            Err(error @ (Error::Io { .. } | Error::TooLarge { .. })) => return Err(error),
            Ok(false) | Err(_) => {
                capture.segments.clear();
                capture.beside = Beside::default();
                capture.salvage(options.with_strays)?;
            }
        }
        capture.tell_unread_records();
        Ok(capture)
    }

    /// Reads what the end of a finished file leads to; `false` when the file was not finished.
    fn read_end(&mut self) -> Result<bool> {
        let mut buffer = Vec::new();
        let source = &self.reader.source;
        let Some(at) = source.len().checked_sub(TRAILER_BYTES as u64) else { return Ok(false) };
        let Some(trailer) = Trailer::read(source.read(at, TRAILER_BYTES, &mut buffer)?) else {
            return Ok(false);
        };
        if self.reader.version() >= frame::SEGMENTS {
            self.read_segments(trailer)?;
        } else {
            self.read_index(trailer)?;
        }
        Ok(true)
    }

    /// What a block's directory says of it; `None` when its events are not declared.
    fn info(&self, directory: &Directory, offset: u64, bytes: u64) -> Option<BlockInfo> {
        let counts = directory.event_ids.iter().zip(&directory.event_rows);
        let counts = counts.map(|(id, rows)| Some(EventCount { event: self.event_id(*id)?, rows: *rows }));
        let mut events = counts.collect::<Option<Vec<_>>>()?;
        events.sort_unstable_by_key(|count| count.event);
        let statistics = Statistics {
            rows: directory.rows as u64,
            first_ns: directory.first_ns,
            last_ns: directory.last_ns,
            hosts: vec![directory.host],
            events,
            ..Statistics::default()
        };
        Some(BlockInfo { offset, bytes, statistics })
    }

    fn head(&self, offset: u64, kind: Kind) -> Result<Head> {
        self.reader.head(offset, kind, &mut Decompressor::default())
    }

    fn event_id(&self, file_id: u16) -> Option<EventId> {
        self.schema.by_file_id(file_id).map(|file| file.event.id)
    }

    fn directory(&self, head: &Head, offset: u64) -> Result<(Directory, Vec<Arc<FileEvent>>)> {
        let damaged = |what| Error::Damaged { offset, what };
        let block = archive::access::<ArchivedBlockV1>(&head.bytes, offset)?;
        let payload = head.payload.as_ref().map_or(u64::from(head.frame.payload), |p| p.len() as u64);
        let groups = payload.saturating_sub(u64::from(head.frame.head_stored));
        let directory = Directory::read(block, groups).map_err(damaged)?;
        let event = |id: &u16| self.schema.by_file_id(*id).cloned();
        let events = directory.event_ids.iter().map(event).collect::<Option<_>>();
        Ok((directory, events.ok_or(damaged("a block has an event that the header does not declare"))?))
    }

    /// What the file says of itself. Its list of declarations is left empty: see [`Capture::schema`].
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The events that the file declares. Captures that declare the same have the same one.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Version of the file's format.
    pub fn version(&self) -> u16 {
        self.reader.version()
    }

    /// How many blocks there are.
    pub fn block_count(&self) -> usize {
        self.segments.last().map_or(0, |last| last.summary.first_block + last.summary.blocks)
    }

    /// What is known of each segment, in the file's order. Blocks of one segment are numbered in one piece.
    pub fn segments(&self) -> impl ExactSizeIterator<Item = &SegmentSummary> {
        self.segments.iter().map(|segment| &segment.summary)
    }

    pub fn completeness(&self) -> &Completeness {
        &self.completeness
    }

    /// Whole frames of an unfinished or damaged file that do not chain to those before them. They are left out unless
    /// [`OpenOptions::with_strays`] asks for them.
    pub fn strays(&self) -> u64 {
        self.strays
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.reader.source.len()
    }

    /// Opens a block: reads its directory, and no column yet.
    pub fn block(&self, block: usize, scratch: &mut Scratch) -> Result<Block> {
        let info = self.block_info(block)?;
        let head =
            scratch.decompress(|decompressor| self.reader.head(info.offset, Kind::Block, decompressor))?;
        let (directory, events) = self.directory(&head, info.offset)?;
        // What was skipped by the index must be what is there.
        let own = self.info(&directory, info.offset, info.bytes).unwrap_or_default();
        if let Some(what) = contradiction(&info.statistics, &own.statistics) {
            return Err(Error::Block { block, what });
        }
        let head_bytes = u64::from(head.frame.head_stored);
        let (stored, groups_at) = match head.payload {
            Some(payload) => (Stored::Decrypted(payload), head_bytes),
            None => (
                Stored::File(Arc::clone(&self.reader.source)),
                info.offset + HEADER_BYTES as u64 + head_bytes,
            ),
        };
        let parts = Parts { directory, events, groups_at, stored, head_bytes };
        Ok(Block::new(block, parts, scratch))
    }

    /// A block as it stands in the file, with what the index says of it, for a file that declares its events as the program
    /// does now; `None` when this file is of an older version or declares them otherwise. The column groups fit their
    /// checksums. Whether the index says what they say is for `verify` to find out.
    pub fn stored_block(&self, block: usize, scratch: &mut Scratch) -> Result<Option<EncodedBlock>> {
        let info = self.block_info(block)?;
        if self.version() != frame::VERSION || self.completeness != Completeness::Finished {
            return Ok(None);
        }
        let head =
            scratch.decompress(|decompressor| self.reader.head(info.offset, Kind::Block, decompressor))?;
        let (directory, events) = self.directory(&head, info.offset)?;
        let own = self.info(&directory, info.offset, info.bytes).unwrap_or_default();
        if let Some(what) = contradiction(&info.statistics, &own.statistics) {
            return Err(Error::Block { block, what });
        }
        if !events.iter().all(|event| event.is_current) {
            return Ok(None);
        }
        let groups = self.reader.rest(&head, info.offset)?;
        reader::whole_block(&head.bytes, &groups, info.offset)
            .map_err(|what| Error::Block { block, what })?;
        let mut bytes = self.reader.stored_head(&head, info.offset)?;
        bytes.extend_from_slice(&groups);
        let FrameHeader { head_codec: codec, head_stored: stored, head_raw: raw, head_crc: crc, .. } =
            head.frame;
        let statistics = info.statistics.clone();
        Ok(Some(EncodedBlock { bytes, head: HeadPlace { codec, stored, raw, crc }, statistics }))
    }
}

/// How what an index says of a block differs from what the block's directory says.
pub(crate) fn contradiction(index: &Statistics, own: &Statistics) -> Option<&'static str> {
    if index.rows != own.rows {
        return Some("the index says otherwise how many rows it has");
    }
    if index.hosts != own.hosts {
        return Some("the index says that it is of another host");
    }
    if (index.first_ns, index.last_ns) != (own.first_ns, own.last_ns) {
        return Some("the index says that it is of another time");
    }
    (index.events != own.events).then_some("the index says otherwise which events it has")
}
