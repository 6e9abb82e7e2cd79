//! What is known of each block without reading it.

use events::EventId;
use hashbrown::HashMap;

use crate::archive::{ABSENT, ArchivedIndexV1, INDEX_NUMBER_LISTS, INDEX_STRING_LISTS, IndexV1};
use crate::{EncodedBlock, Error, Result, limits};

/// One block, as the index tells of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BlockInfo {
    /// Of its frame in the file.
    pub offset: u64,
    /// Of its frame, header included.
    pub bytes: u64,
    pub rows: u32,
    /// Boot clock, ns; rows of a block are in time order.
    pub first_ns: u64,
    pub last_ns: u64,
    /// Index of the host that the rows are of: 0 unless the capture was merged.
    pub host: u16,
    /// By event id, each once.
    pub events: Vec<EventCount>,
    /// Indices into [`crate::Capture::strings`] of all distinct command names, sorted. `None`: not known.
    pub comms: Option<Vec<u32>>,
    /// The same for paths of executables.
    pub exes: Option<Vec<u32>>,
    /// The same for node names of uts namespaces.
    pub utses: Option<Vec<u32>>,
    pub pids: Numbers,
    pub tids: Numbers,
    pub ppids: Numbers,
    pub uids: Numbers,
    pub mnt_nss: Numbers,
    pub pid_nss: Numbers,
    pub cgroups: Numbers,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EventCount {
    pub event: EventId,
    pub rows: u32,
}

/// The distinct numbers of a column of a block's contexts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Numbers {
    /// Nothing is known: any number may be there.
    #[default]
    Unknown,
    /// All of them, sorted.
    Exact(Vec<u64>),
    /// Too many to list: all lie in this range.
    Range { min: u64, max: u64 },
}

impl Numbers {
    /// Whether the block may have this number; `false` is certain.
    pub fn may_contain(&self, number: u64) -> bool {
        match self {
            Numbers::Unknown => true,
            Numbers::Exact(all) => all.binary_search(&number).is_ok(),
            Numbers::Range { min, max } => (*min..=*max).contains(&number),
        }
    }

    /// Whether the block may have a number of this inclusive range.
    pub fn may_overlap(&self, low: u64, high: u64) -> bool {
        match self {
            Numbers::Unknown => true,
            Numbers::Exact(all) => {
                let at = all.partition_point(|n| *n < low);
                all.get(at).is_some_and(|n| *n <= high)
            }
            Numbers::Range { min, max } => low <= *max && high >= *min,
        }
    }
}

impl BlockInfo {
    /// How many rows are of this event.
    pub fn rows_of(&self, event: EventId) -> u32 {
        match self.events.binary_search_by_key(&event, |e| e.event) {
            Ok(at) => self.events.get(at).map_or(0, |e| e.rows),
            Err(_) => 0,
        }
    }

    fn string_lists(&mut self) -> [&mut Option<Vec<u32>>; INDEX_STRING_LISTS] {
        [&mut self.comms, &mut self.exes, &mut self.utses]
    }

    fn number_lists(&mut self) -> [&mut Numbers; INDEX_NUMBER_LISTS] {
        [
            &mut self.pids,
            &mut self.tids,
            &mut self.ppids,
            &mut self.uids,
            &mut self.mnt_nss,
            &mut self.pid_nss,
            &mut self.cgroups,
        ]
    }
}

/// The index of a file that is being written.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    pub(crate) index: IndexV1,
    codes: HashMap<Vec<u8>, u32>,
}

impl IndexBuilder {
    pub(crate) fn block(&mut self, offset: u64, bytes: u64, block: &EncodedBlock) {
        let mut lists = Vec::with_capacity(INDEX_STRING_LISTS);
        for list in &block.summary.strings {
            let mut codes: Vec<u32> = match list {
                Some(strings) => strings.iter().map(|s| self.string(s)).collect(),
                None => vec![ABSENT],
            };
            codes.sort_unstable();
            lists.push(codes);
        }
        let index = &mut self.index;
        index.offsets.push(offset);
        index.bytes.push(bytes as u32);
        index.rows.push(block.rows);
        index.first_ns.push(block.first_ns);
        index.last_ns.push(block.last_ns);
        index.hosts.push(block.host);
        index.event_ids.extend(block.events.iter().map(|e| e.event.0));
        index.event_rows.extend(block.events.iter().map(|e| e.rows));
        index.event_ends.push(index.event_ids.len() as u32);
        for list in lists {
            index.strings.extend(list);
            index.strings_ends.push(index.strings.len() as u32);
        }
        for numbers in &block.summary.numbers {
            let how = match numbers {
                Numbers::Unknown => 0,
                Numbers::Exact(all) => {
                    index.numbers.extend(all);
                    1
                }
                Numbers::Range { min, max } => {
                    index.numbers.extend([min, max]);
                    2
                }
            };
            index.numbers_ends.push(index.numbers.len() as u32);
            index.numbers_how.push(how);
        }
    }

    fn string(&mut self, string: &[u8]) -> u32 {
        if let Some(code) = self.codes.get(string) {
            return *code;
        }
        let code = self.index.string_ends.len() as u32;
        self.index.string_bytes.extend_from_slice(string);
        self.index.string_ends.push(self.index.string_bytes.len() as u32);
        self.codes.insert(string.to_vec(), code);
        code
    }
}

/// An index that was read.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) strings: Vec<Vec<u8>>,
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
    let mut strings = Vec::with_capacity(index.string_ends.len());
    let mut start = 0;
    for end in index.string_ends.iter() {
        let end = end.to_native() as usize;
        strings.push(index.string_bytes.get(start..end)?.to_vec());
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
            rows: index.rows.get(at)?.to_native(),
            first_ns: index.first_ns.get(at)?.to_native(),
            last_ns: index.last_ns.get(at)?.to_native(),
            host: index.hosts.get(at)?.to_native(),
            ..BlockInfo::default()
        };
        if block.offset.checked_add(block.bytes)? > file_bytes || block.rows as usize > limits::BLOCK_ROWS {
            return None;
        }
        let range = event_lists.next()?;
        let ids = index.event_ids.get(range.clone())?;
        let rows = index.event_rows.get(range)?;
        for (id, rows) in ids.iter().zip(rows) {
            block.events.push(EventCount { event: event(id.to_native())?, rows: rows.to_native() });
        }
        // Sorted by the file's ids; the program's may differ.
        block.events.sort_unstable_by_key(|e| e.event);
        for list in block.string_lists() {
            let codes = index.strings.get(string_lists.next()?)?;
            let codes: Vec<u32> = codes.iter().map(|c| c.to_native()).collect();
            if codes != [ABSENT] {
                codes.iter().all(|c| (*c as usize) < strings.len()).then_some(())?;
                *list = Some(codes);
            }
        }
        for list in block.number_lists() {
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
    Some(Index { strings, blocks, sides })
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
