//! A capture file, opened for reading.

use std::path::Path;
use std::sync::Arc;

use events::EventId;

use crate::archive::{self, ArchivedBlockV1, ArchivedIndexV1, SideV4};
use crate::block::{Parts, Stored};
use crate::compress::Decompressor;
use crate::directory::Directory;
use crate::frame::{self, FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES, TRAILER_BYTES, Trailer};
use crate::index::Index;
use crate::salvage::{self, Found};
use crate::schema::{FileEvent, Schema};
use crate::source::Source;
use crate::{
    Block, BlockInfo, Cgroup, Error, EventCount, Header, Identity, Loss, Process, Result, Scratch,
    Statistics, User, limits,
};

/// A capture file. Sharing it among threads is fine: reading keeps its state in [`Scratch`].
#[derive(Debug)]
pub struct Capture {
    source: Arc<Source>,
    version: u16,
    identity: Option<Identity>,
    header: Header,
    schema: Schema,
    index: Index,
    beside: Beside,
    completeness: Completeness,
}

/// Records beside the events.
#[derive(Debug, Default)]
struct Beside {
    processes: Vec<Process>,
    cgroups: Vec<Cgroup>,
    losses: Vec<Loss>,
    users: Vec<User>,
    /// Decompressed, up to now.
    bytes: usize,
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
}

/// Whether all is there that was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Completeness {
    /// The file was finished: its index and footer are there.
    Finished,
    /// The file ends early, or its index is damaged: what could be read was found by going through it.
    Salvaged {
        /// Bytes that hold no whole frame.
        lost_bytes: u64,
        /// In words, such as `the file ends inside block 12`.
        what: String,
    },
}

/// A frame's header and its head, decompressed.
pub(crate) struct Head {
    pub(crate) frame: FrameHeader,
    pub(crate) bytes: Vec<u8>,
    /// The decrypted payload, of an encrypted frame.
    pub(crate) payload: Option<Vec<u8>>,
}

impl Capture {
    pub fn open(path: &Path) -> Result<Capture> {
        Capture::open_with(path, &OpenOptions::default())
    }

    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Capture> {
        Capture::from_source(Source::open(path, options.mmap)?, options)
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Result<Capture> {
        Capture::from_source(Source::Bytes(bytes), &OpenOptions::default())
    }

    fn from_source(source: Source, options: &OpenOptions) -> Result<Capture> {
        let mut buffer = Vec::new();
        let preamble = source.read(0, PREAMBLE_BYTES, &mut buffer).map_err(|_| Error::NotACapture)?;
        let version = frame::check_preamble(preamble)?;
        let start = PREAMBLE_BYTES as u64;
        let identity = options.identity.clone();
        let head = read_head(&source, start, Kind::Header, identity.as_ref())?;
        let header = Header::read(version, &head.bytes, start)?;
        let schema = Schema::of(&header.schema)?;
        let mut capture = Capture {
            source: Arc::new(source),
            version,
            identity,
            header,
            schema,
            index: Index::default(),
            beside: Beside::default(),
            completeness: Completeness::Finished,
        };
        match capture.read_index() {
            Ok(true) => return Ok(capture),
            Ok(false) => {}
            // What is wrong with the medium will not get better by going through it.
            Err(error @ (Error::Io { .. } | Error::TooLarge { .. })) => return Err(error),
            Err(_) => {}
        }
        capture.index = Index::default();
        capture.beside = Beside::default();
        capture.salvage()?;
        Ok(capture)
    }

    /// Reads the index of a finished file; `false` when the file was not finished.
    fn read_index(&mut self) -> Result<bool> {
        let mut buffer = Vec::new();
        let Some(at) = self.source.len().checked_sub(TRAILER_BYTES as u64) else { return Ok(false) };
        let Some(trailer) = Trailer::read(self.source.read(at, TRAILER_BYTES, &mut buffer)?) else {
            return Ok(false);
        };
        let head = self.head(trailer.index, Kind::Index)?;
        let index = archive::access::<ArchivedIndexV1>(&head.bytes, trailer.index)?;
        self.index = Index::read(index, self.source.len(), |id| self.event_id(id))?;
        for offset in self.index.sides.clone() {
            let head = self.head(offset, Kind::Side)?;
            self.take_side(&head.bytes, offset)?;
        }
        Ok(true)
    }

    /// Finds frames by going through the file.
    fn salvage(&mut self) -> Result<()> {
        let found = salvage::scan(&self.source, self.identity.as_ref())?;
        for (found, offset) in &found.frames {
            match found {
                Found::Side(head) => self.take_side(&head.bytes, *offset)?,
                Found::Block(head) => {
                    let Ok((directory, _)) = self.directory(head, *offset) else { continue };
                    let counts = directory.event_ids.iter().zip(&directory.event_rows);
                    let mut events: Vec<EventCount> = counts
                        .filter_map(|(id, rows)| Some(EventCount { event: self.event_id(*id)?, rows: *rows }))
                        .collect();
                    events.sort_unstable_by_key(|e| e.event);
                    let statistics = Statistics {
                        rows: directory.rows as u64,
                        first_ns: directory.first_ns,
                        last_ns: directory.last_ns,
                        hosts: vec![directory.host],
                        events,
                        ..Statistics::default()
                    };
                    let bytes = head.frame.frame_bytes();
                    self.index.blocks.push(BlockInfo { offset: *offset, bytes, statistics });
                }
            }
        }
        self.completeness = Completeness::Salvaged { lost_bytes: found.lost_bytes, what: found.what };
        Ok(())
    }

    fn take_side(&mut self, head: &[u8], offset: u64) -> Result<()> {
        self.beside.bytes += head.len();
        if self.beside.bytes > limits::SIDE_BYTES {
            return Err(Error::TooLarge {
                what: "the size of the records beside the events",
                value: self.beside.bytes as u64,
                limit: limits::SIDE_BYTES as u64,
            });
        }
        let side = SideV4::read(self.version, head, offset)?;
        self.beside.processes.extend(side.processes);
        self.beside.cgroups.extend(side.cgroups);
        self.beside.users.extend(side.users);
        let losses = side.losses.into_iter().map(|loss| Loss {
            host: loss.host,
            from_ns: loss.from_ns,
            to_ns: loss.to_ns,
            cpu: loss.cpu,
            event: loss.event.and_then(|id| self.schema.by_file_id(id)).map(|file| file.event.id),
            count: loss.count,
            cause: loss.cause,
        });
        self.beside.losses.extend(losses);
        Ok(())
    }

    fn head(&self, offset: u64, kind: Kind) -> Result<Head> {
        read_head(&self.source, offset, kind, self.identity.as_ref())
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

    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// In the file's order. Rows of one block may be earlier than the last ones of the block before it only where they
    /// came late, or where hosts were merged.
    pub fn blocks(&self) -> &[BlockInfo] {
        &self.index.blocks
    }

    pub fn processes(&self) -> &[Process] {
        &self.beside.processes
    }

    /// In the file's order: the last one of an id is what was known at the end.
    pub fn cgroups(&self) -> &[Cgroup] {
        &self.beside.cgroups
    }

    pub fn losses(&self) -> &[Loss] {
        &self.beside.losses
    }

    pub fn users(&self) -> &[User] {
        &self.beside.users
    }

    pub fn completeness(&self) -> &Completeness {
        &self.completeness
    }

    /// Bytes of the file.
    pub fn bytes(&self) -> u64 {
        self.source.len()
    }

    /// Opens a block: reads its directory, and no column yet.
    pub fn block(&self, block: usize, scratch: &mut Scratch) -> Result<Block> {
        let blocks = self.blocks();
        let info = blocks.get(block).ok_or(Error::NoBlock { block, blocks: blocks.len() })?;
        let identity = self.identity.as_ref();
        let head = scratch.decompress(|decompressor| {
            read_head_with(&self.source, info.offset, Kind::Block, identity, decompressor)
        })?;
        let (directory, events) = self.directory(&head, info.offset)?;
        if directory.rows as u64 != info.statistics.rows {
            return Err(Error::Block { block, what: "the index says otherwise how many rows it has" });
        }
        let head_bytes = u64::from(head.frame.head_stored);
        let (stored, groups_at) = match head.payload {
            Some(payload) => (Stored::Decrypted(payload), head_bytes),
            None => (Stored::File(Arc::clone(&self.source)), info.offset + HEADER_BYTES as u64 + head_bytes),
        };
        let parts = Parts { directory, events, groups_at, stored, head_bytes };
        Ok(Block::new(block, parts, scratch))
    }
}

/// Reads the frame at `offset` as far as its head; all of it when it is encrypted.
pub(crate) fn read_head(
    source: &Source,
    offset: u64,
    kind: Kind,
    identity: Option<&Identity>,
) -> Result<Head> {
    read_head_with(source, offset, kind, identity, &mut Decompressor::default())
}

fn read_head_with(
    source: &Source,
    offset: u64,
    kind: Kind,
    identity: Option<&Identity>,
    decompressor: &mut Decompressor,
) -> Result<Head> {
    let damaged = |what| Error::Damaged { offset, what };
    let mut buffer = Vec::new();
    let frame = FrameHeader::read(source.read(offset, HEADER_BYTES, &mut buffer)?, offset)?;
    if frame.kind != kind {
        return Err(damaged("a frame of another kind than this stands here"));
    }
    let start = offset + HEADER_BYTES as u64;
    let payload = match (frame.is_encrypted(), identity) {
        (false, _) => None,
        (true, None) => return Err(Error::Encrypted),
        (true, Some(identity)) => {
            let stored = source.read(start, frame.payload as usize, &mut buffer)?;
            Some(identity.decrypt(stored, offset)?)
        }
    };
    let stored = match &payload {
        Some(payload) => payload
            .get(..frame.head_stored as usize)
            .ok_or(damaged("a frame's head says it is larger than its frame"))?,
        None => source.read(start, frame.head_stored as usize, &mut buffer)?,
    };
    if crc32fast::hash(stored) != frame.head_crc {
        return Err(damaged("a frame's head does not fit its checksum"));
    }
    let mut bytes = Vec::new();
    decompressor
        .read(frame.head_codec, stored, frame.head_raw as usize, &mut bytes)
        .ok_or(damaged("a frame's head cannot be decompressed"))?;
    Ok(Head { frame, bytes, payload })
}
