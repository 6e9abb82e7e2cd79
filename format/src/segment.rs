//! Index segments: every so many blocks, a frame says what is known of them.
//!
//! ```text
//! header  block block table block ... SEGMENT seal  block block ... SEGMENT seal  trailer
//!         ^----------------------------'|
//!                                       `-- the segment before it
//! ```
//! A segment's head is small: where the segment before it stands, what its blocks amount to, and where the tables among
//! them stand. So a reader that opens a file goes from segment to segment and reads little. What is known of each block
//! follows the head, in a table of its own, and is read when somebody asks.

use std::sync::Arc;

use events::EventId;

use crate::bloom::Bloom;
use crate::compress::Decompressor;
use crate::index::BlockInfo;
use crate::mark_counts::MarkCount;
use crate::statistics::{EventCount, Numbers, Statistics, Texts};
use crate::table::{Table, TableBuilder};
use crate::trigrams::Trigrams;
use crate::{Error, Result, limits};

/// The head of a segment's frame, as archived.
#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct SegmentV5 {
    /// Offset of the frame of the segment before; 0 in the first.
    pub(crate) previous: u64,
    /// Of this segment, from 0.
    pub(crate) number: u32,
    /// Blocks and rows of all segments before this.
    pub(crate) first_block: u64,
    pub(crate) first_row: u64,
    /// Blocks of this segment.
    pub(crate) blocks: u32,
    pub(crate) rows: u64,
    pub(crate) first_ns: u64,
    pub(crate) last_ns: u64,
    /// Where this segment's stretch of the file begins; it ends where the segment's frame stands. Blocks and tables fill
    /// it, and nothing else.
    pub(crate) from: u64,
    /// Offsets and lengths of the frames of tables.
    pub(crate) tables: Vec<(u64, u32)>,
    /// How the table of statistics, behind this head, is stored.
    pub(crate) codec: u8,
    pub(crate) stored: u32,
    pub(crate) raw: u32,
    pub(crate) crc: u32,
}

const _: () = assert!(size_of::<ArchivedSegmentV5>() == 8 + 4 + 8 + 8 + 4 + 8 + 8 + 8 + 8 + 8 + 1 + 12);

/// A segment that is being filled.
#[derive(Debug, Default)]
pub(crate) struct SegmentBuilder {
    pub(crate) head: SegmentV5,
    pub(crate) blocks: Vec<BlockInfo>,
    /// Bytes of its blocks, and about what their statistics take in memory.
    bytes: u64,
    statistics_bytes: usize,
}

impl SegmentBuilder {
    /// A segment whose stretch begins at `from`.
    pub(crate) fn new(from: u64) -> SegmentBuilder {
        SegmentBuilder { head: SegmentV5 { from, ..SegmentV5::default() }, ..SegmentBuilder::default() }
    }

    /// The segment after this one, which stands at `offset` and whose seal ends at `from`.
    pub(crate) fn next(&self, offset: u64, from: u64) -> SegmentBuilder {
        let head = SegmentV5 {
            previous: offset,
            number: self.head.number + 1,
            first_block: self.head.first_block + u64::from(self.head.blocks),
            first_row: self.head.first_row + self.head.rows,
            from,
            ..SegmentV5::default()
        };
        SegmentBuilder { head, ..SegmentBuilder::default() }
    }

    pub(crate) fn block(&mut self, offset: u64, bytes: u64, statistics: &Statistics) {
        let head = &mut self.head;
        if statistics.rows > 0 {
            let is_first = head.rows == 0;
            head.first_ns =
                if is_first { statistics.first_ns } else { head.first_ns.min(statistics.first_ns) };
            head.last_ns = head.last_ns.max(statistics.last_ns);
        }
        head.blocks += 1;
        head.rows += statistics.rows;
        self.bytes += bytes;
        self.statistics_bytes += statistics.memory();
        self.blocks.push(BlockInfo { offset, bytes, statistics: statistics.clone() });
    }

    pub(crate) fn table(&mut self, offset: u64, bytes: u64) {
        self.head.tables.push((offset, bytes as u32));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty() && self.head.tables.is_empty()
    }

    /// Whether it should be written before anything else is.
    pub(crate) fn is_full(&self) -> bool {
        self.blocks.len() >= limits::SEGMENT_BLOCKS
            || self.bytes >= limits::SEGMENT_BYTES
            || self.statistics_bytes >= limits::SEGMENT_STATISTICS
            || self.head.tables.len() >= limits::SEGMENT_TABLES
    }

    /// About how many bytes it will take in the file, at most.
    pub(crate) fn bytes(&self) -> u64 {
        (self.statistics_bytes + self.head.tables.len() * 12 + 4096) as u64
    }

    /// The table of what is known of its blocks.
    pub(crate) fn statistics(&self) -> Result<rkyv::util::AlignedVec> {
        write(&self.blocks)
    }
}

/// What is known of the blocks of one segment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Segment {
    /// The number of the first of its blocks in the file.
    pub first_block: usize,
    pub blocks: Vec<BlockInfo>,
}

fn write(blocks: &[BlockInfo]) -> Result<rkyv::util::AlignedVec> {
    let mut table = TableBuilder::new("statistics", blocks.len());
    let all = || blocks.iter().map(|block| &block.statistics);
    // Blocks mostly follow each other, so differences are small.
    table.integers("offset", blocks.iter().map(|block| block.offset));
    table.integers("bytes", blocks.iter().map(|block| block.bytes));
    table.integers("rows", all().map(|it| it.rows));
    table.integers("first_ns", all().map(|it| it.first_ns));
    table.integers("duration_ns", all().map(|it| it.last_ns.wrapping_sub(it.first_ns)));
    table.integers("host", all().map(|it| it.hosts.first().copied().unwrap_or_default().into()));
    let events = || all().flat_map(|it| &it.events);
    table.integers("events", all().map(|it| it.events.len() as u64));
    table.integers("event_id", events().map(|count| count.event.0.into()));
    table.integers("event_rows", events().map(|count| count.rows.into()));
    // One more than there are; 0 where it is not known.
    let failed = || all().flat_map(|it| it.failed.iter().flatten());
    table.integers("failed", all().map(|it| it.failed.as_ref().map_or(0, |failed| failed.len() as u64 + 1)));
    table.integers("failed_id", failed().map(|count| count.event.0.into()));
    table.integers("failed_rows", failed().map(|count| count.rows.into()));
    // One more than it is: 0 where it is not known, as in files without these columns.
    table.integers(
        "returns_below_errors",
        all().map(|it| it.has_returns_below_errors.map_or(0, |is| u64::from(is) + 1)),
    );
    table.integers(
        "wall_offset_ns",
        all().map(|it| it.wall_offset_ns.map_or(0, |offset| offset.wrapping_add(1))),
    );
    let marked = || all().flat_map(|it| it.marks.iter().flatten());
    table.integers("marked", all().map(|it| it.marks.as_ref().map_or(0, |marks| marks.len() as u64 + 1)));
    table.integers("marked_id", marked().map(|count| count.event.0.into()));
    table.integers("marked_bit", marked().map(|count| count.bit.into()));
    table.integers("marked_rows", marked().map(|count| count.rows.into()));

    // Texts are kept once a segment.
    let mut texts: Vec<&Arc<[u8]>> =
        all().flat_map(|it| it.texts()).flat_map(|texts| texts.exact().unwrap_or_default()).collect();
    texts.sort_unstable();
    texts.dedup();
    table.integers("texts", [texts.len() as u64]);
    table.strings("text", texts.iter().map(|text| &text[..]));
    let code = |text: &Arc<[u8]>| texts.binary_search(&text).unwrap_or_default() as u64;
    for (at, name) in TEXTS.into_iter().enumerate() {
        let lists = || all().filter_map(move |it| it.texts().get(at).copied());
        table.integers(name, lists().map(|texts| texts.exact().map_or(0, |all| all.len() as u64 + 1)));
        let codes = lists().flat_map(|texts| texts.exact().unwrap_or_default()).map(code);
        table.integers(&format!("{name}_code"), codes);
    }

    let mut filters = Vec::new();
    for (at, name) in NUMBERS.into_iter().enumerate() {
        let (mut how, mut values) = (Vec::new(), Vec::new());
        for numbers in all().filter_map(|it| it.numbers().get(at).copied()) {
            match numbers {
                Numbers::Unknown => how.push(UNKNOWN),
                Numbers::Range { min, max } => {
                    how.push(RANGE);
                    values.extend([*min, *max]);
                }
                Numbers::Filter { min, max, filter } => {
                    how.push(FILTER);
                    values.extend([*min, *max, filter.bytes() as u64]);
                    filter.append_to(&mut filters);
                }
                Numbers::Exact(all) => {
                    how.push(EXACT + all.len() as u64);
                    let mut before = 0;
                    for number in all {
                        values.push(number.wrapping_sub(before));
                        before = *number;
                    }
                }
            }
        }
        table.integers(name, how);
        table.integers(&format!("{name}_value"), values);
    }
    table
        .integers("trigrams", all().map(|it| it.argument_texts.as_ref().map_or(0, |t| t.bytes() as u64 + 1)));
    all().filter_map(|it| it.argument_texts.as_ref()).for_each(|trigrams| trigrams.0.append_to(&mut filters));
    table.blob("filters", filters);
    table.to_bytes()
}

const TEXTS: [&str; 3] = ["comm", "exe", "uts"];
const NUMBERS: [&str; 7] = ["pid", "tid", "ppid", "uid", "mnt_ns", "pid_ns", "cgroup"];
/// What stands for a block's numbers: nothing is known; their range; their range and a filter; and otherwise as many
/// more than [`EXACT`] as there are.
const UNKNOWN: u64 = 0;
const RANGE: u64 = 1;
const FILTER: u64 = 2;
const EXACT: u64 = 3;

/// The table of statistics from what follows a segment's head.
pub(crate) fn body(head: &SegmentV5, rest: &[u8], at: u64) -> Result<Vec<u8>> {
    let damaged = |what| Error::Damaged { offset: at, what };
    let stored = rest.get(..head.stored as usize).ok_or(damaged("a segment ends inside its statistics"))?;
    if crc32fast::hash(stored) != head.crc || head.raw as usize > limits::HEAD_BYTES {
        return Err(damaged("a segment's statistics do not fit their checksum"));
    }
    let mut bytes = Vec::new();
    Decompressor::default()
        .read(head.codec, stored, head.raw as usize, &mut bytes)
        .ok_or(damaged("a segment's statistics cannot be decompressed"))?;
    Ok(bytes)
}

/// Reads what is known of the blocks of a segment. `event` gives the program's id for one of the file's; `at` is where
/// the segment stands.
pub(crate) fn read(
    head: &SegmentV5,
    bytes: &[u8],
    at: u64,
    event: impl Fn(u16) -> Option<EventId>,
) -> Result<Segment> {
    let blocks = read_blocks(bytes, at, limits::BLOCK_ROWS as u64, event)?;
    let segment = Segment { first_block: head.first_block as usize, blocks };
    check(head, &segment, at).map_err(|what| Error::Damaged { offset: at, what })?;
    Ok(segment)
}

/// Statistics of their own, as they stand in a segment.
pub(crate) fn to_bytes(statistics: &Statistics) -> Result<Vec<u8>> {
    let info = BlockInfo { offset: 0, bytes: 0, statistics: statistics.clone() };
    Ok(write(&[info])?.to_vec())
}

/// The same, read back.
pub(crate) fn from_bytes(bytes: &[u8], event: impl Fn(u16) -> Option<EventId>) -> Result<Statistics> {
    let torn = Error::Damaged { offset: 0, what: "statistics are not of one stretch of rows" };
    let mut blocks = read_blocks(bytes, 0, u64::MAX, event)?;
    match (blocks.pop(), blocks.pop()) {
        (Some(only), None) => Ok(only.statistics),
        _ => Err(torn),
    }
}

/// What the table of statistics says of blocks of at most so many rows each.
fn read_blocks(
    bytes: &[u8],
    at: u64,
    most_rows: u64,
    event: impl Fn(u16) -> Option<EventId>,
) -> Result<Vec<BlockInfo>> {
    let table = Table::read(bytes, at)?;
    let torn = || table.torn();
    let undeclared =
        || Error::Damaged { offset: at, what: "a segment has an event that the header does not declare" };
    let numbers = |name| table.numbers(name);
    let (offsets, lengths, rows) = (numbers("offset")?, numbers("bytes")?, numbers("rows")?);
    let (first, duration, host) = (numbers("first_ns")?, numbers("duration_ns")?, numbers("host")?);
    let mut blocks: Vec<BlockInfo> = Vec::with_capacity(table.rows());
    for row in 0..table.rows() {
        let of = |column: &[u64]| column.get(row).copied().unwrap_or_default();
        let statistics = Statistics {
            rows: of(&rows),
            first_ns: of(&first),
            last_ns: of(&first).wrapping_add(of(&duration)),
            hosts: vec![u16::try_from(of(&host)).map_err(|_| torn())?],
            ..Statistics::default()
        };
        if statistics.rows > most_rows || statistics.last_ns < statistics.first_ns {
            return Err(torn());
        }
        blocks.push(BlockInfo { offset: of(&offsets), bytes: of(&lengths), statistics });
    }

    let counts = |lengths: &str, ids: &str, rows: &str, bias: u64| -> Result<Vec<Option<Vec<EventCount>>>> {
        let lengths = table.numbers(lengths)?;
        let total = sum(lengths.iter().map(|length| length.saturating_sub(bias))).ok_or_else(torn)?;
        let (ids, rows) = (table.integers(ids, total)?, table.integers(rows, total)?);
        let mut all = ids.iter().zip(&rows);
        let mut lists = Vec::with_capacity(lengths.len());
        for length in &lengths {
            let Some(length) = length.checked_sub(bias) else {
                lists.push(None);
                continue;
            };
            let mut list = Vec::new();
            for (id, rows) in all.by_ref().take(length as usize) {
                let id = u16::try_from(*id).ok().and_then(&event).ok_or_else(undeclared)?;
                list.push(EventCount { event: id, rows: u32::try_from(*rows).map_err(|_| torn())? });
            }
            // Sorted by the file's ids; the program's may differ.
            list.sort_unstable_by_key(|count| count.event);
            lists.push(Some(list));
        }
        Ok(lists)
    };
    let events = counts("events", "event_id", "event_rows", 0)?;
    let failed = counts("failed", "failed_id", "failed_rows", 1)?;
    for ((block, events), failed) in blocks.iter_mut().zip(events).zip(failed) {
        block.statistics.events = events.unwrap_or_default();
        block.statistics.failed = failed;
    }
    let (below, offsets) = (numbers("returns_below_errors")?, numbers("wall_offset_ns")?);
    for ((block, below), offset) in blocks.iter_mut().zip(below).zip(offsets) {
        block.statistics.has_returns_below_errors = (below != 0).then_some(below > 1);
        block.statistics.wall_offset_ns = offset.checked_sub(1);
    }

    let lengths = numbers("marked")?;
    let total = sum(lengths.iter().map(|length| length.saturating_sub(1))).ok_or_else(torn)?;
    let list = |name| table.integers(name, total);
    let (ids, bits, counts) = (list("marked_id")?, list("marked_bit")?, list("marked_rows")?);
    let mut all = ids.iter().zip(&bits).zip(&counts);
    for (block, length) in blocks.iter_mut().zip(&lengths) {
        let Some(length) = length.checked_sub(1) else { continue };
        let mut list = Vec::new();
        for ((id, bit), rows) in all.by_ref().take(length as usize) {
            let event = u16::try_from(*id).ok().and_then(&event).ok_or_else(undeclared)?;
            let bit = u8::try_from(*bit).ok().filter(|bit| *bit < 32).ok_or_else(torn)?;
            list.push(MarkCount { event, bit, rows: u32::try_from(*rows).map_err(|_| torn())? });
        }
        list.sort_unstable();
        block.statistics.marks = Some(list);
    }

    let count = table.integers("texts", 1)?.first().copied().unwrap_or_default();
    let texts = table.strings("text", usize::try_from(count).map_err(|_| torn())?)?;
    let texts: Vec<Arc<[u8]>> = texts.iter().map(Arc::from).collect();
    for (at, name) in TEXTS.into_iter().enumerate() {
        let lengths = table.numbers(name)?;
        let total = sum(lengths.iter().map(|length| length.saturating_sub(1))).ok_or_else(torn)?;
        let codes = table.integers(&format!("{name}_code"), total)?;
        let mut codes = codes.iter();
        for (block, length) in blocks.iter_mut().zip(&lengths) {
            let Some(length) = length.checked_sub(1) else { continue };
            let list = codes.by_ref().take(length as usize).map(|code| texts.get(*code as usize).cloned());
            if let Some(place) = block.statistics.texts_mut().into_iter().nth(at) {
                *place = Texts::of(list.collect::<Option<_>>().ok_or_else(torn)?);
            }
        }
    }

    let mut filters = table.blob("filters");
    let mut filter = |bytes: u64| -> Result<Bloom> {
        let (filter, rest) = filters.split_at_checked(bytes as usize).ok_or_else(torn)?;
        filters = rest;
        Bloom::from_bytes(filter).ok_or_else(torn)
    };
    for (at, name) in NUMBERS.into_iter().enumerate() {
        let how = table.numbers(name)?;
        let needed = how.iter().map(|how| match *how {
            UNKNOWN => 0,
            RANGE => 2,
            FILTER => 3,
            how => how - EXACT,
        });
        let values = table.integers(&format!("{name}_value"), sum(needed).ok_or_else(torn)?)?;
        let mut values = values.iter().copied();
        for (block, how) in blocks.iter_mut().zip(&how) {
            let mut next = || values.next().unwrap_or_default();
            let numbers = match *how {
                UNKNOWN => Numbers::Unknown,
                RANGE => Numbers::Range { min: next(), max: next() },
                FILTER => Numbers::Filter { min: next(), max: next(), filter: filter(next())? },
                how => {
                    let mut number = 0u64;
                    let rising = (0..how - EXACT).map(|_| {
                        number = number.wrapping_add(next());
                        number
                    });
                    let all: Vec<u64> = rising.collect();
                    if !all.is_sorted_by(|a, b| a < b) {
                        return Err(torn());
                    }
                    Numbers::Exact(all)
                }
            };
            if let Some(place) = block.statistics.numbers_mut().into_iter().nth(at) {
                *place = numbers;
            }
        }
    }
    for (block, bytes) in blocks.iter_mut().zip(numbers("trigrams")?) {
        if let Some(bytes) = bytes.checked_sub(1) {
            block.statistics.argument_texts = Some(Trigrams(filter(bytes)?));
        }
    }
    Ok(blocks)
}

/// Whether what a segment says of its blocks fits what its head says: they and the tables fill its stretch of the file.
pub(crate) fn check(head: &SegmentV5, segment: &Segment, at: u64) -> Result<(), &'static str> {
    let rows: u64 = segment.blocks.iter().map(|block| block.statistics.rows).sum();
    if segment.blocks.len() as u64 != u64::from(head.blocks) || rows != head.rows {
        return Err("a segment's blocks are not as many as it says");
    }
    let blocks = segment.blocks.iter().map(|block| (block.offset, block.bytes));
    let mut frames: Vec<(u64, u64)> =
        blocks.chain(head.tables.iter().map(|(offset, bytes)| (*offset, u64::from(*bytes)))).collect();
    frames.sort_unstable();
    let end = frames.iter().try_fold(head.from, |end, (offset, bytes)| {
        (*offset == end && *bytes > 0).then(|| offset.checked_add(*bytes)).flatten()
    });
    if end != Some(at) {
        return Err("a segment lists a block or a table twice, or leaves one out");
    }
    if !segment.blocks.is_sorted_by(|a, b| a.offset < b.offset) {
        return Err("a segment's blocks are not in the order of the file");
    }
    let filled = || segment.blocks.iter().map(|block| &block.statistics).filter(|it| it.rows > 0);
    let (first_ns, last_ns) = (filled().map(|it| it.first_ns).min(), filled().map(|it| it.last_ns).max());
    if (first_ns.unwrap_or_default(), last_ns.unwrap_or_default()) != (head.first_ns, head.last_ns) {
        return Err("a segment says that its blocks are of another time");
    }
    let of_events =
        |statistics: &Statistics| statistics.events.iter().map(|count| u64::from(count.rows)).sum::<u64>();
    if segment.blocks.iter().any(|block| of_events(&block.statistics) != block.statistics.rows) {
        return Err("a segment says that a block has more or fewer rows than its events have");
    }
    Ok(())
}

fn sum(mut counts: impl Iterator<Item = u64>) -> Option<usize> {
    counts.try_fold(0usize, |sum, count| sum.checked_add(usize::try_from(count).ok()?))
}
