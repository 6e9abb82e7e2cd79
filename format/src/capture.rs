//! A capture file, opened for reading.

mod ending;

pub use ending::SetEnding;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use events::EventId;

use crate::archive::{self, ArchivedBlockV1, ArchivedIndexV1};
use crate::block::{Parts, Stored};
use crate::compress::Decompressor;
use crate::directory::Directory;
use crate::frame::{self, HEADER_BYTES, Kind, TRAILER_BYTES, Trailer};
use crate::index::{BlockInfo, Index};
use crate::reader::{Head, Reader};
use crate::salvage::{self, Found};
use crate::schema::{FileEvent, Schema};
use crate::segment::{self, Segment, SegmentV5};
use crate::source::Source;
use crate::statistics::{EventCount, Statistics};
use crate::{
    Block, Cgroup, Error, Header, Identity, Loss, Process, Result, Scratch, Side, User, limits, records,
    side_v1,
};

/// A capture file. Sharing it among threads is fine: reading keeps its state in [`Scratch`].
///
/// Its memory does not grow with the file, except for [`Capture::blocks`]: what is known of blocks stays in the file, a
/// segment at a time is read when it is asked for, and [`Capture::segment`] keeps the last few.
#[derive(Debug)]
pub struct Capture {
    reader: Reader,
    header: Header,
    schema: Schema,
    segments: Vec<SegmentRef>,
    blocks: OnceLock<Vec<BlockInfo>>,
    /// Segments that were read last, by number.
    recent: Mutex<Vec<(usize, Arc<Segment>)>>,
    beside: Beside,
    completeness: Completeness,
    strays: u64,
}

/// Segments that are kept when they were read.
const RECENT: usize = 4;

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
}

#[derive(Debug)]
struct SegmentRef {
    summary: SegmentSummary,
    place: SegmentPlace,
}

#[derive(Debug)]
enum SegmentPlace {
    /// In the file, at an offset.
    File(u64),
    /// Of files before version 5, and of blocks that no segment lists.
    Memory(Arc<Segment>),
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
    /// There are more of them than may be read.
    has_more: bool,
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
    /// The file ends early, or its index is damaged: what could be read was found by going through it.
    Salvaged {
        /// Bytes that hold no whole frame.
        lost_bytes: u64,
        /// In words, such as `the file ends inside block 12`.
        what: String,
    },
}

impl Capture {
    pub fn open(path: &Path) -> Result<Capture> {
        Capture::open_with(path, &OpenOptions::default())
    }

    pub fn open_with(path: &Path, options: &OpenOptions) -> Result<Capture> {
        Capture::from_source(Source::open(path, options.mmap)?, options)
    }

    pub fn from_bytes(bytes: Vec<u8>) -> Result<Capture> {
        Capture::from_bytes_with(bytes, &OpenOptions::default())
    }

    pub fn from_bytes_with(bytes: Vec<u8>, options: &OpenOptions) -> Result<Capture> {
        Capture::from_source(Source::Bytes(bytes), options)
    }

    fn from_source(source: Source, options: &OpenOptions) -> Result<Capture> {
        let (reader, head) = Reader::open(source, options.identity.clone())?;
        let header = Header::read(reader.version(), &head.bytes, frame::PREAMBLE_BYTES as u64)?;
        let schema = Schema::of(&header.schema)?;
        let mut capture = Capture {
            reader,
            header,
            schema,
            segments: Vec::new(),
            blocks: OnceLock::new(),
            recent: Mutex::default(),
            beside: Beside::default(),
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

    /// Goes from the last segment to the first, and checks that they follow each other.
    fn read_segments(&mut self, trailer: Trailer) -> Result<()> {
        let mut heads: Vec<(u64, SegmentV5)> = Vec::new();
        let header = frame::PREAMBLE_BYTES as u64;
        let begin = header + self.reader.frame(header)?.frame_bytes();
        let mut at = trailer.index;
        loop {
            let head = self.head(at, Kind::Segment)?;
            let it: SegmentV5 = archive::read(&head.bytes, at)?;
            let seal_at = at + head.frame.frame_bytes();
            let seal = self.reader.frame(seal_at)?;
            let end = seal_at + seal.frame_bytes();
            let follows = match heads.last() {
                Some((_, later)) => {
                    it.number.checked_add(1) == Some(later.number)
                        && it.first_block.checked_add(it.blocks.into()) == Some(later.first_block)
                        && it.first_row.checked_add(it.rows) == Some(later.first_row)
                        && end == later.from
                }
                None => seal_at == trailer.seal && it.first_block <= limits::FILE_BLOCKS as u64,
            };
            let is_first = it.number == 0;
            let begins = if is_first { it.from == begin } else { it.previous < it.from };
            let is_whole = follows && begins && it.from <= at && seal.kind == Kind::Seal;
            if !is_whole || (is_first && it.first_block + it.first_row != 0) {
                let what = "the index segments do not follow each other";
                return Err(Error::Damaged { offset: at, what });
            }
            let (number, previous) = (it.number, it.previous);
            heads.push((at, it));
            if number == 0 {
                break;
            }
            at = previous;
        }
        for (at, head) in heads.into_iter().rev() {
            for (offset, _) in &head.tables {
                if self.reader.frame(*offset)?.kind == Kind::Table {
                    self.take_records(*offset, Kind::Table)?;
                }
            }
            self.segments.push(SegmentRef { summary: summary(&head), place: SegmentPlace::File(at) });
        }
        // What is known of blocks is read when somebody asks. Of most files that is all of it, and read at once, so that
        // a segment that contradicts its head sends us through the file.
        for number in (0..self.segments.len()).rev().take(RECENT) {
            self.segment(number)?;
        }
        Ok(())
    }

    fn read_index(&mut self, trailer: Trailer) -> Result<()> {
        let head = self.head(trailer.index, Kind::Index)?;
        let index = archive::access::<ArchivedIndexV1>(&head.bytes, trailer.index)?;
        let Index { blocks, sides } = Index::read(index, self.reader.source.len(), |id| self.event_id(id))?;
        let frames = blocks.iter().map(|block| block.offset).chain(sides.iter().copied());
        let distinct: std::collections::BTreeSet<u64> = frames.collect();
        let is_rising = blocks.is_sorted_by(|a, b| a.offset.saturating_add(a.bytes) <= b.offset);
        if !is_rising || distinct.len() != blocks.len() + sides.len() {
            let what = "the index lists a block twice, or not in the order of the file";
            return Err(Error::Damaged { offset: trailer.index, what });
        }
        for offset in sides {
            self.take_records(offset, Kind::Side)?;
        }
        self.push_blocks(blocks);
        Ok(())
    }

    /// Finds frames by going through the file.
    fn salvage(&mut self, with_strays: bool) -> Result<()> {
        let mut records = Vec::new();
        let mut pending: Vec<BlockInfo> = Vec::new();
        let mut segments: Vec<SegmentRef> = Vec::new();
        let (mut undeclared_blocks, mut undeclared_rows) = (0u64, 0u64);
        let (mut beyond_blocks, mut beyond_rows) = (0u64, 0u64);
        let (mut count, mut unlisted) = (0usize, 0usize);
        let found = salvage::scan(&self.reader, with_strays, &mut |offset, found| {
            match found {
                Found::Records => records.push(offset),
                Found::Block { directory, bytes } => match self.info(&directory, offset, bytes) {
                    Some(info) if unlisted + pending.len() < limits::SALVAGED_BLOCKS => pending.push(info),
                    Some(info) => {
                        beyond_blocks += 1;
                        beyond_rows += info.statistics.rows;
                    }
                    None => {
                        undeclared_blocks += 1;
                        undeclared_rows += directory.rows as u64;
                    }
                },
                Found::Segment => {
                    let of = std::mem::take(&mut pending);
                    self.salvage_segment(offset, of, &mut count, &mut segments)?;
                }
                Found::Other => {}
            }
            // A file without segments must not grow one list without end either.
            if pending.len() >= limits::SEGMENT_BLOCKS && self.reader.version() < frame::SEGMENTS {
                push_blocks(&mut segments, &mut count, std::mem::take(&mut pending));
                unlisted = count;
            }
            Ok(())
        })?;
        push_blocks(&mut segments, &mut count, pending);
        self.segments = segments;
        for offset in records {
            let kind = if self.reader.version() >= frame::SEGMENTS { Kind::Table } else { Kind::Side };
            // One that was whole may still say nothing that can be read.
            if let Err(error @ Error::Io { .. }) = self.take_records(offset, kind) {
                return Err(error);
            }
        }
        let mut what = found.what;
        if undeclared_blocks > 0 {
            what = format!(
                "{what}; {undeclared_blocks} blocks with {undeclared_rows} events are left out, since the header does not \
                 declare what is in them"
            );
        }
        if beyond_blocks > 0 {
            what = format!("{what}; {beyond_blocks} more blocks with {beyond_rows} events are left out");
        }
        self.strays = found.strays;
        self.completeness = Completeness::Salvaged { lost_bytes: found.lost_bytes, what };
        Ok(())
    }

    /// Takes what a whole segment says of the blocks before it. `of` are those that are whole themselves.
    fn salvage_segment(
        &self,
        at: u64,
        of: Vec<BlockInfo>,
        count: &mut usize,
        segments: &mut Vec<SegmentRef>,
    ) -> Result<()> {
        let read = self.head(at, Kind::Segment).and_then(|head| {
            let it: SegmentV5 = archive::read(&head.bytes, at)?;
            let segment = self.read_segment(&it, &head, at)?;
            Ok((it, segment))
        });
        let (it, segment) = match read {
            Ok(read) => read,
            Err(error @ Error::Io { .. }) => return Err(error),
            Err(_) => {
                push_blocks(segments, count, of);
                return Ok(());
            }
        };
        let is_here = |known: &BlockInfo| {
            of.binary_search_by_key(&known.offset, |info| info.offset)
                .ok()
                .and_then(|at| of.get(at))
                .is_some_and(|info| contradiction(&known.statistics, &info.statistics).is_none())
        };
        let whole = segment.blocks.len() == of.len() && it.first_block == *count as u64;
        if whole && segment.blocks.iter().all(is_here) {
            *count += of.len();
            segments.push(SegmentRef { summary: summary(&it), place: SegmentPlace::File(at) });
            return Ok(());
        }
        // Some blocks are damaged, or are not those that it speaks of: of these, only what they say themselves counts.
        let better = |info: BlockInfo| {
            let known = segment.blocks.iter().find(|known| known.offset == info.offset);
            known.filter(|known| is_here(known)).cloned().unwrap_or(info)
        };
        let merged: Vec<BlockInfo> = of.iter().cloned().map(better).collect();
        push_blocks(segments, count, merged);
        Ok(())
    }

    fn push_blocks(&mut self, mut blocks: Vec<BlockInfo>) {
        let mut count = 0;
        while !blocks.is_empty() {
            let rest = blocks.split_off(blocks.len().min(limits::SEGMENT_BLOCKS));
            push_blocks(&mut self.segments, &mut count, std::mem::replace(&mut blocks, rest));
        }
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

    /// Takes records beside the events, as long as they fit.
    fn take_records(&mut self, offset: u64, kind: Kind) -> Result<()> {
        // Known before it is decompressed, unless the frame is encrypted: then it is one frame too many at most.
        let said = self.reader.frame(offset)?.head_raw as usize;
        if self.beside.has_more || self.beside.bytes + said > limits::SIDE_BYTES {
            self.beside.has_more = true;
            return Ok(());
        }
        let head = self.head(offset, kind)?;
        self.beside.bytes += head.bytes.len();
        let sides: Vec<Side> = match kind {
            Kind::Table => records::read(&head.bytes, &self.schema, offset)?.into_iter().collect(),
            _ => side_v1::read(self.reader.version(), &head.bytes, &self.schema, offset)?.into(),
        };
        for side in sides {
            match side {
                Side::Processes(all) => self.beside.processes.extend(all),
                Side::Cgroups(all) => self.beside.cgroups.extend(all),
                Side::Losses(all) => self.beside.losses.extend(all),
                Side::Users(all) => self.beside.users.extend(all),
            }
        }
        Ok(())
    }

    fn tell_unread_records(&mut self) {
        if !self.beside.has_more {
            return;
        }
        let more = format!(
            "records beside the events take more than {} bytes, and the later ones are left out",
            limits::SIDE_BYTES
        );
        let (lost_bytes, what) = match &self.completeness {
            Completeness::Finished => (0, more),
            Completeness::Salvaged { lost_bytes, what } => (*lost_bytes, format!("{what}; {more}")),
        };
        self.completeness = Completeness::Salvaged { lost_bytes, what };
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

    pub fn header(&self) -> &Header {
        &self.header
    }

    pub fn schema(&self) -> &Schema {
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

    /// What is known of the blocks of a segment.
    pub fn segment(&self, number: usize) -> Result<Arc<Segment>> {
        let SegmentRef { place, .. } = self.segments.get(number).ok_or(Error::NoBlock {
            block: number.saturating_mul(limits::SEGMENT_BLOCKS),
            blocks: self.block_count(),
        })?;
        let at = match place {
            SegmentPlace::Memory(segment) => return Ok(Arc::clone(segment)),
            SegmentPlace::File(at) => *at,
        };
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, segment)) = recent().iter().find(|(known, _)| *known == number) {
            return Ok(Arc::clone(segment));
        }
        let head = self.head(at, Kind::Segment)?;
        let it: SegmentV5 = archive::read(&head.bytes, at)?;
        let segment = match self.read_segment(&it, &head, at) {
            Ok(segment) => segment,
            Err(error @ Error::Io { .. }) => return Err(error),
            // Blocks say the most important of it themselves.
            Err(_) => self.walk_segment(&it, at)?,
        };
        let segment = Arc::new(segment);
        let mut recent = recent();
        recent.retain(|(known, _)| *known != number);
        if recent.len() >= RECENT {
            recent.remove(0);
        }
        recent.push((number, Arc::clone(&segment)));
        Ok(segment)
    }

    /// Reads the statistics behind a segment's head.
    fn read_segment(&self, it: &SegmentV5, head: &Head, at: u64) -> Result<Segment> {
        let bytes = segment::body(it, &self.reader.rest(head, at)?, at)?;
        segment::read(it, &bytes, at, |id| self.event_id(id))
    }

    /// What the blocks of a segment say of themselves, when the segment's own statistics are damaged.
    fn walk_segment(&self, it: &SegmentV5, end: u64) -> Result<Segment> {
        let (mut at, mut blocks) = (it.from, Vec::new());
        while at < end {
            let frame = self.reader.frame(at)?;
            if frame.kind == Kind::Block {
                let head = self.head(at, Kind::Block)?;
                let (directory, _) = self.directory(&head, at)?;
                blocks.extend(self.info(&directory, at, frame.frame_bytes()));
            }
            at += frame.frame_bytes();
        }
        let segment = Segment { first_block: it.first_block as usize, blocks };
        segment::check(it, &segment, end).map_err(|what| Error::Damaged { offset: end, what })?;
        Ok(segment)
    }

    /// All blocks, in the file's order. Rows of one block may be earlier than the last ones of the block before it only
    /// where they came late, or where hosts were merged.
    ///
    /// This holds what is known of every block in memory: for a file of many, go by [`Capture::segments`]. A block of which
    /// nothing can be read has a frame at offset 0, and opening it says why.
    pub fn blocks(&self) -> &[BlockInfo] {
        self.blocks.get_or_init(|| {
            let mut blocks = Vec::with_capacity(self.block_count());
            for (number, segment) in self.segments.iter().enumerate() {
                match self.segment(number) {
                    Ok(segment) => blocks.extend(segment.blocks.iter().cloned()),
                    Err(_) => {
                        blocks.resize(blocks.len() + segment.summary.blocks, unreadable(&segment.summary))
                    }
                }
            }
            blocks
        })
    }

    /// What is known of one block.
    pub fn block_info(&self, block: usize) -> Result<BlockInfo> {
        let missing = || Error::NoBlock { block, blocks: self.block_count() };
        let number = self.segments.partition_point(|it| it.summary.first_block + it.summary.blocks <= block);
        let segment = self.segment(number).map_err(|error| match error {
            Error::NoBlock { .. } => missing(),
            error => error,
        })?;
        let at = block.checked_sub(segment.first_block).ok_or_else(missing)?;
        segment.blocks.get(at).cloned().ok_or_else(missing)
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
}

fn summary(head: &SegmentV5) -> SegmentSummary {
    SegmentSummary {
        first_block: head.first_block as usize,
        blocks: head.blocks as usize,
        rows: head.rows,
        first_ns: head.first_ns,
        last_ns: head.last_ns,
    }
}

/// Appends a segment of these blocks, which stays in memory.
fn push_blocks(segments: &mut Vec<SegmentRef>, count: &mut usize, blocks: Vec<BlockInfo>) {
    if blocks.is_empty() {
        return;
    }
    let filled = || blocks.iter().map(|block| &block.statistics).filter(|it| it.rows > 0);
    let summary = SegmentSummary {
        first_block: *count,
        blocks: blocks.len(),
        rows: filled().map(|it| it.rows).sum(),
        first_ns: filled().map(|it| it.first_ns).min().unwrap_or_default(),
        last_ns: filled().map(|it| it.last_ns).max().unwrap_or_default(),
    };
    *count += blocks.len();
    let segment = Arc::new(Segment { first_block: summary.first_block, blocks });
    segments.push(SegmentRef { summary, place: SegmentPlace::Memory(segment) });
}

/// In place of a block of which nothing is known.
fn unreadable(of: &SegmentSummary) -> BlockInfo {
    let (first_ns, last_ns) = (of.first_ns, of.last_ns);
    BlockInfo {
        statistics: Statistics { rows: 1, first_ns, last_ns, ..Statistics::default() },
        ..BlockInfo::default()
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
