//! The index of a file before version 5: what is known of all its blocks, in one frame at the end.

use std::sync::Arc;

use events::EventId;

use crate::archive::{ABSENT, ArchivedIndexV1};
use crate::statistics::{EventCount, Numbers, Statistics, Texts};
use crate::{Error, Result, limits};

/// One block, as the index tells of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct BlockInfo {
    /// Of its frame in the file.
    pub offset: u64,
    /// Of its frame, header included.
    pub bytes: u64,
    pub statistics: Statistics,
}

impl BlockInfo {
    /// Index of the host that the rows are of: 0 unless the capture was merged.
    pub fn host(&self) -> u16 {
        self.statistics.hosts.first().copied().unwrap_or_default()
    }
}

/// An index that was read.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) blocks: Vec<BlockInfo>,
    pub(crate) sides: Vec<u64>,
}

impl Index {
    /// Reads an archived index. `event` gives the program's id for one of the file's; `file_bytes` bounds offsets.
    pub(crate) fn read(
        index: &ArchivedIndexV1,
        file_bytes: u64,
        event: impl Fn(u16) -> Option<EventId>,
    ) -> Result<Index> {
        read_index(index, file_bytes, event)
            .ok_or(Error::Damaged { offset: file_bytes, what: "the index contradicts itself" })
    }
}

fn read_index(
    index: &ArchivedIndexV1,
    file_bytes: u64,
    event: impl Fn(u16) -> Option<EventId>,
) -> Option<Index> {
    let count = index.offsets.len();
    if count > limits::FILE_BLOCKS {
        return None;
    }
    let mut strings: Vec<Arc<[u8]>> = Vec::with_capacity(index.string_ends.len());
    let mut start = 0;
    for end in index.string_ends.iter() {
        let end = end.to_native() as usize;
        strings.push(Arc::from(index.string_bytes.get(start..end)?));
        start = end;
    }
    let mut blocks: Vec<BlockInfo> = Vec::with_capacity(count);
    let mut string_lists = Lists::of(&index.strings_ends);
    let mut number_lists = Lists::of(&index.numbers_ends);
    let mut event_lists = Lists::of(&index.event_ends);
    let mut how = index.numbers_how.iter();
    for at in 0..count {
        let mut block = BlockInfo {
            offset: index.offsets.get(at)?.to_native(),
            bytes: u64::from(index.bytes.get(at)?.to_native()),
            statistics: Statistics {
                rows: u64::from(index.rows.get(at)?.to_native()),
                first_ns: index.first_ns.get(at)?.to_native(),
                last_ns: index.last_ns.get(at)?.to_native(),
                hosts: vec![index.hosts.get(at)?.to_native()],
                ..Statistics::default()
            },
        };
        let statistics = &mut block.statistics;
        if block.offset.checked_add(block.bytes)? > file_bytes || statistics.rows > limits::BLOCK_ROWS as u64
        {
            return None;
        }
        let range = event_lists.next()?;
        let ids = index.event_ids.get(range.clone())?;
        let rows = index.event_rows.get(range)?;
        for (id, rows) in ids.iter().zip(rows) {
            statistics.events.push(EventCount { event: event(id.to_native())?, rows: rows.to_native() });
        }
        // Sorted by the file's ids; the program's may differ.
        statistics.events.sort_unstable_by_key(|e| e.event);
        for texts in statistics.texts_mut() {
            let codes = index.strings.get(string_lists.next()?)?;
            if !codes.iter().map(|code| code.to_native()).eq([ABSENT]) {
                let text =
                    |code: &rkyv::rend::unaligned::u32_ule| strings.get(code.to_native() as usize).cloned();
                *texts = Texts::of(codes.iter().map(text).collect::<Option<_>>()?);
            }
        }
        for list in statistics.numbers_mut() {
            let numbers = index.numbers.get(number_lists.next()?)?;
            *list = match (how.next()?, numbers) {
                (0, []) => Numbers::Unknown,
                (1, all) if all.is_sorted_by_key(|n| n.to_native()) => {
                    Numbers::Exact(all.iter().map(|n| n.to_native()).collect())
                }
                (2, [min, max]) => Numbers::Range { min: min.to_native(), max: max.to_native() },
                _ => return None,
            };
        }
        blocks.push(block);
    }
    let sides = index.sides.iter().map(|offset| offset.to_native()).collect();
    Some(Index { blocks, sides })
}

/// Walks ranges that are told by where each ends.
struct Lists<'a> {
    ends: std::slice::Iter<'a, rkyv::rend::unaligned::u32_ule>,
    start: usize,
}

impl<'a> Lists<'a> {
    fn of(ends: &'a [rkyv::rend::unaligned::u32_ule]) -> Lists<'a> {
        Lists { ends: ends.iter(), start: 0 }
    }

    fn next(&mut self) -> Option<std::ops::Range<usize>> {
        let end = self.ends.next()?.to_native() as usize;
        let range = self.start..end;
        self.start = end;
        (range.start <= range.end).then_some(range)
    }
}
