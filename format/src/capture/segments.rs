//! What is known of blocks without reading them: a segment at a time, and only the last few of all captures are kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Capture, SegmentSummary};
use crate::archive::{self, ArchivedIndexV1};
use crate::frame::{self, Kind, Trailer};
use crate::index::{BlockInfo, Index};
use crate::reader::Head;
use crate::segment::{self, Segment, SegmentV5};
use crate::statistics::Statistics;
use crate::{Error, Result, limits};

#[derive(Debug)]
pub(super) struct SegmentRef {
    pub summary: SegmentSummary,
    pub place: SegmentPlace,
}

#[derive(Debug)]
pub(super) enum SegmentPlace {
    /// In the file, at an offset.
    File(u64),
    /// Of files before version 5, and of blocks that no segment lists.
    Memory(Arc<Segment>),
}

/// Segments of a file that are looked at when it is opened, the last ones: of most files that is all of them.
const CHECKED: usize = 4;

impl Capture {
    /// Goes from the last segment to the first, and checks that they follow each other.
    pub(super) fn read_segments(&mut self, trailer: Trailer) -> Result<()> {
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
                match self.reader.frame(*offset)?.kind {
                    Kind::Table => self.take_records(*offset, Kind::Table)?,
                    Kind::Content => self.take_content(*offset),
                    _ => {}
                }
            }
            self.segments.push(SegmentRef { summary: summary(&head, at), place: SegmentPlace::File(at) });
        }
        // What is known of blocks is read when somebody asks. Of most files that is all of it, and read at once, so that
        // a segment that contradicts its head sends us through the file.
        for number in (0..self.segments.len()).rev().take(CHECKED) {
            self.segment(number)?;
        }
        Ok(())
    }

    pub(super) fn read_index(&mut self, trailer: Trailer) -> Result<()> {
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

    pub(super) fn push_blocks(&mut self, mut blocks: Vec<BlockInfo>) {
        let mut count = 0;
        while !blocks.is_empty() {
            let rest = blocks.split_off(blocks.len().min(limits::SEGMENT_BLOCKS));
            push_blocks(&mut self.segments, &mut count, std::mem::replace(&mut blocks, rest));
        }
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
        if let Some(segment) = with_recent(|recent| recent.get((self.number, number))) {
            return Ok(segment);
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
        with_recent(|recent| recent.put((self.number, number), &segment));
        Ok(segment)
    }

    /// Reads the statistics behind a segment's head.
    pub(super) fn read_segment(&self, it: &SegmentV5, head: &Head, at: u64) -> Result<Segment> {
        let bytes = segment::body(it, &self.reader.rest(head, at)?, at)?;
        segment::read(it, &bytes, at, |id| self.event_id(id))
    }

    /// What the blocks of a segment say of themselves, when the segment's own statistics are damaged.
    pub(super) fn walk_segment(&self, it: &SegmentV5, end: u64) -> Result<Segment> {
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
            for number in 0..self.segments.len() {
                blocks.extend(self.segment_or_unreadable(number).blocks.iter().cloned());
            }
            blocks
        })
    }

    /// What is known of the blocks of a segment; of one that cannot be read, that there are so many that cannot: opening them
    /// says why.
    pub fn segment_or_unreadable(&self, number: usize) -> Arc<Segment> {
        self.segment(number).unwrap_or_else(|_| {
            let summary = self.segments.get(number).map(|segment| segment.summary).unwrap_or_default();
            let blocks = vec![unreadable(&summary); summary.blocks];
            Arc::new(Segment { first_block: summary.first_block, blocks })
        })
    }

    /// The number of the segment that a block is in; that of the last one and one more when there is no such block.
    pub fn segment_of(&self, block: usize) -> usize {
        self.segments.partition_point(|it| it.summary.first_block + it.summary.blocks <= block)
    }

    /// What is known of one block.
    pub fn block_info(&self, block: usize) -> Result<BlockInfo> {
        let missing = || Error::NoBlock { block, blocks: self.block_count() };
        let segment = self.segment(self.segment_of(block)).map_err(|error| match error {
            Error::NoBlock { .. } => missing(),
            error => error,
        })?;
        let at = block.checked_sub(segment.first_block).ok_or_else(missing)?;
        segment.blocks.get(at).cloned().ok_or_else(missing)
    }
}

/// `at`: where the segment stands, behind its blocks.
pub(super) fn summary(head: &SegmentV5, at: u64) -> SegmentSummary {
    let tables = head.tables.iter().map(|(_, bytes)| u64::from(*bytes)).sum();
    SegmentSummary {
        first_block: head.first_block as usize,
        blocks: head.blocks as usize,
        rows: head.rows,
        first_ns: head.first_ns,
        last_ns: head.last_ns,
        bytes: at.saturating_sub(head.from).saturating_sub(tables),
    }
}

/// Appends a segment of these blocks, which stays in memory.
pub(super) fn push_blocks(segments: &mut Vec<SegmentRef>, count: &mut usize, blocks: Vec<BlockInfo>) {
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
        bytes: blocks.iter().map(|block| block.bytes).sum(),
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

/// What was read last of the segments of all captures, so that files can be many and still be asked twice.
#[derive(Debug, Default)]
struct Recent {
    /// By capture and number of the segment.
    segments: HashMap<(u64, usize), Kept>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct Kept {
    segment: Arc<Segment>,
    bytes: usize,
    used: u64,
}

/// Bytes of segments that are kept.
const RECENT_BYTES: usize = 48 << 20;

static RECENT: Mutex<Option<Recent>> = Mutex::new(None);

fn with_recent<T>(ask: impl FnOnce(&mut Recent) -> T) -> T {
    ask(RECENT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}

impl Recent {
    fn get(&mut self, key: (u64, usize)) -> Option<Arc<Segment>> {
        self.clock += 1;
        let kept = self.segments.get_mut(&key)?;
        kept.used = self.clock;
        Some(Arc::clone(&kept.segment))
    }

    fn put(&mut self, key: (u64, usize), segment: &Arc<Segment>) {
        let bytes = segment.blocks.iter().map(|block| block.statistics.memory()).sum::<usize>() + 256;
        self.clock += 1;
        let kept = Kept { segment: Arc::clone(segment), bytes, used: self.clock };
        self.bytes += bytes;
        if let Some(before) = self.segments.insert(key, kept) {
            self.bytes -= before.bytes;
        }
        if self.bytes > RECENT_BYTES {
            // The older half goes at once, so that this is rare.
            let mut used: Vec<u64> = self.segments.values().map(|kept| kept.used).collect();
            used.sort_unstable();
            let middle = used.get(used.len() / 2).copied().unwrap_or_default();
            self.segments.retain(|_, kept| kept.used > middle);
            self.bytes = self.segments.values().map(|kept| kept.bytes).sum();
        }
    }
}

/// A number for each capture that is opened: what is kept of one is not taken for another's.
pub(super) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Drops what is kept of a capture.
pub(super) fn forget(capture: u64, segments: usize) {
    with_recent(|recent| {
        for number in 0..segments {
            if let Some(kept) = recent.segments.remove(&(capture, number)) {
                recent.bytes -= kept.bytes;
            }
        }
    });
}
