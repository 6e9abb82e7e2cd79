//! From rows to the bytes of a block.

mod gather;
mod statistics;

use events::ArgKind;
use gather::{fill, sharing, time_order};

use crate::archive::{self, BlockV1, GroupV1, INLINE, column_key, key};
use crate::columns::{self, ColumnBuilder, DESCRIPTOR_NUMBER, Sharing, acting};
use crate::compress::Compressor;
use crate::distinct::Distinct;
use crate::integers::{self, Work};
use crate::statistics::{EventCount, Statistics};
use crate::trigrams::TrigramsBuilder;
use crate::{BlockBuilder, Error, HighWater, Result, bytestrings, limits, schema};

/// How hard to compress.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Compression {
    Fast,
    #[default]
    Default,
    Max,
}

/// How blocks are encoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    pub compression: Compression,
    /// Statistics without the texts of arguments: of blocks that no file will have.
    pub leaves_out_texts: bool,
}

impl Options {
    pub fn new(compression: Compression) -> Options {
        Options { compression, ..Options::default() }
    }
}

/// Blocks with fewer rows have all their columns in one group: they are read whole anyway.
const GROUPED_ROWS: usize = 4096;
/// A column this long has a group of its own.
const OWN_GROUP: usize = 2048;
/// Shorter ones share groups of about this size.
const SHARED_GROUP: usize = 16 << 10;
/// Builders of columns that are kept for the next one: each may have been that of the longest column.
const SPARE_COLUMNS: usize = 4;
/// The filter of a block's texts takes at most this part of the block, or this many bytes.
const TRIGRAMS_SHARE: usize = 32;
const TRIGRAMS_LEAST: usize = 128;
/// A column this short stands in the head.
const INLINE_BYTES: usize = 32;

/// Turns builders into blocks. Keep one for each thread: it holds buffers and a compressor.
#[derive(Debug)]
pub struct Encoder {
    work: Work,
    compressor: Compressor,
    /// For the columns to come.
    spare: Vec<ColumnBuilder>,
    /// Those that columns of the block share.
    texts: Distinct,
    words: Vec<u64>,
    /// All columns as they are before compression, and where each is.
    raw: Vec<u8>,
    places: Vec<Place>,
    trigrams: TrigramsBuilder,
    leaves_out_texts: bool,
    high_water: HighWater,
}

/// Blocks after which the buffers are looked at.
const WINDOW: u32 = 64;

/// A column in `raw`.
#[derive(Clone, Copy, Debug)]
struct Place {
    key: u32,
    start: usize,
    length: usize,
}

/// A column group that is being filled, and the columns that wait for its number.
#[derive(Debug, Default)]
struct Filling {
    bytes: Vec<u8>,
    waiting: Vec<usize>,
}

/// A block, ready to be appended to a file.
#[derive(Clone, Debug)]
pub struct EncodedBlock {
    /// The payload of its frame.
    pub(crate) bytes: Vec<u8>,
    pub(crate) head: HeadPlace,
    pub(crate) statistics: Statistics,
}

/// Where the head stands in the bytes of a block that is kept outside of a capture.
#[derive(Clone, Copy, Debug)]
pub struct BlockHead(pub(crate) HeadPlace);

/// The head at the start of a payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadPlace {
    pub(crate) codec: u8,
    pub(crate) stored: u32,
    pub(crate) raw: u32,
    pub(crate) crc: u32,
}

impl EncodedBlock {
    /// What is known of its rows without reading them.
    pub fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub fn rows(&self) -> u32 {
        self.statistics.rows as u32
    }

    /// Boot clock, ns.
    pub fn first_ns(&self) -> u64 {
        self.statistics.first_ns
    }

    pub fn last_ns(&self) -> u64 {
        self.statistics.last_ns
    }

    /// About how many bytes its statistics take in the index, at most.
    pub fn statistics_bytes(&self) -> u64 {
        self.statistics.memory() as u64
    }

    /// Its bytes without what is known of its rows, for [`crate::Block::from_bytes`].
    pub fn into_parts(self) -> (Vec<u8>, BlockHead) {
        (self.bytes, BlockHead(self.head))
    }

    /// Bytes in the file, without the frame's header.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl Encoder {
    pub fn new(options: Options) -> Encoder {
        Encoder {
            work: Work::default(),
            compressor: Compressor::new(options.compression),
            spare: Vec::new(),
            texts: Distinct::default(),
            words: Vec::new(),
            raw: Vec::new(),
            places: Vec::new(),
            trigrams: TrigramsBuilder::default(),
            leaves_out_texts: options.leaves_out_texts,
            high_water: HighWater::over(WINDOW),
        }
    }

    /// Encodes the builder's rows in time order (rows of one time stay in the order in which they came), and leaves the
    /// builder empty. A builder without rows gives a block without rows.
    pub fn encode(&mut self, builder: &mut BlockBuilder) -> Result<EncodedBlock> {
        let block = self.encode_rows(builder);
        builder.clear();
        // The other buffers are as large as the columns were long.
        if self.high_water.note(self.raw.len(), self.kept_bytes()).is_some() {
            self.give_back();
        }
        block
    }

    /// Bytes that are kept for the next block, those of the longest buffer, which has all columns.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.raw.capacity()
    }

    /// Gives back what all buffers hold, the compressor's apart, which is the same for every block.
    fn give_back(&mut self) {
        self.work = Work::default();
        self.spare = Vec::new();
        self.texts = Distinct::default();
        self.words = Vec::new();
        self.raw = Vec::new();
        self.places = Vec::new();
        self.trigrams = TrigramsBuilder::default();
    }

    fn encode_rows(&mut self, b: &BlockBuilder) -> Result<EncodedBlock> {
        self.raw.clear();
        self.places.clear();
        let order = time_order(&b.times);
        let at = |row: usize| order.as_ref().map_or(row, |o| o.get(row).map_or(row, |r| *r as usize));
        let rows = b.times.len();
        let pick = |row: usize, from: &[u16]| u64::from(from.get(at(row)).copied().unwrap_or_default());

        self.put(key::EVENTS, (0..rows).map(|row| pick(row, &b.events)));
        self.put(key::CONTEXT_CODES, (0..rows).map(|row| pick(row, &b.context_codes)));
        self.put(key::TIMES, (0..rows).map(|row| b.times.get(at(row)).copied().unwrap_or_default()));
        self.put(key::CPUS, (0..rows).map(|row| pick(row, &b.cpus)));
        let start = self.raw.len();
        columns::encode_contexts(&b.contexts, &mut self.raw, &mut self.work);
        self.place(key::CONTEXTS, start);
        self.put_acting(b);
        self.texts.clear();
        self.trigrams.clear();
        self.put_tables(b, order.as_deref());
        if !self.texts.is_empty() {
            let start = self.raw.len();
            let texts: Vec<&[u8]> = self.texts.values(&b.bytes).collect();
            bytestrings::encode(&texts, &mut self.raw, &mut self.work);
            self.place(key::TEXTS, start);
        }

        let first_ns = b.times.get(at(0)).copied().unwrap_or_default();
        let last_ns = b.times.get(at(rows.saturating_sub(1))).copied().unwrap_or_default();
        let events: Vec<EventCount> =
            b.tables.iter().map(|t| EventCount { event: t.event, rows: t.rows as u32 }).collect();
        let mut block = BlockV1 {
            rows: rows as u32,
            host: b.host,
            clock: b.clock,
            first_ns,
            last_ns,
            contexts: b.contexts.rows.len() as u32,
            event_ids: events.iter().map(|e| e.event.0).collect(),
            event_rows: events.iter().map(|e| e.rows).collect(),
            ..BlockV1::default()
        };
        let groups = self.group(rows, &mut block)?;
        let head = archive::to_bytes(&block)?;
        if head.len() > limits::HEAD_BYTES {
            return Err(too_large("a block's directory", head.len(), limits::HEAD_BYTES));
        }
        let mut bytes = Vec::with_capacity(groups.len() + head.len() / 2);
        let codec = self.compressor.append(&head, &mut bytes)?;
        let head = HeadPlace {
            codec,
            stored: bytes.len() as u32,
            raw: head.len() as u32,
            crc: crc32fast::hash(&bytes),
        };
        bytes.extend_from_slice(&groups);
        if bytes.len() > limits::PAYLOAD_BYTES {
            return Err(too_large("a block", bytes.len(), limits::PAYLOAD_BYTES));
        }
        let statistics = Statistics {
            rows: rows as u64,
            first_ns,
            last_ns,
            argument_texts: if self.leaves_out_texts {
                None
            } else {
                self.trigrams.finish((bytes.len() / TRIGRAMS_SHARE).max(TRIGRAMS_LEAST))
            },
            ..statistics::of_builder(b, events)
        };
        Ok(EncodedBlock { bytes, head, statistics })
    }

    /// The columns of each event: its return values, scopes, marks and arguments, in the order of its rows.
    fn put_tables(&mut self, b: &BlockBuilder, order: Option<&[u32]>) {
        // Rows by event: `starts[code]..` of each flat vector.
        let mut next = Vec::with_capacity(b.tables.len());
        let mut total = 0;
        for table in &b.tables {
            next.push(total);
            total += table.rows;
        }
        let starts = next.clone();
        let mut rets = vec![0; total];
        let mut scopes = vec![0; total];
        let mut marks = vec![0; total];
        let mut durations = vec![0; if b.durations.is_empty() { 0 } else { total }];
        let mut ordinals = vec![0u32; if order.is_some() { total } else { 0 }];
        let mut ordinal_of = vec![0u32; ordinals.len()];
        if order.is_some() {
            let mut counts = vec![0u32; b.tables.len()];
            for (row, code) in b.events.iter().enumerate() {
                if let (Some(count), Some(place)) = (counts.get_mut(*code as usize), ordinal_of.get_mut(row))
                {
                    *place = *count;
                    *count += 1;
                }
            }
        }
        for row in 0..b.events.len() {
            let from = order.map_or(row, |o| o.get(row).map_or(row, |r| *r as usize));
            let (Some(code), Some(ret), Some(scope), Some(mark)) =
                (b.events.get(from), b.rets.get(from), b.scopes.get(from), b.marks.get(from))
            else {
                continue;
            };
            let Some(place) = next.get_mut(*code as usize) else { continue };
            if let (Some(r), Some(s), Some(m)) =
                (rets.get_mut(*place), scopes.get_mut(*place), marks.get_mut(*place))
            {
                *r = *ret as u64;
                *s = *scope;
                *m = u64::from(*mark);
            }
            if let (Some(to), Some(duration)) = (durations.get_mut(*place), b.durations.get(from)) {
                *to = *duration;
            }
            if let (Some(to), Some(ordinal)) = (ordinals.get_mut(*place), ordinal_of.get(from)) {
                *to = *ordinal;
            }
            *place += 1;
        }
        // Columns of texts wait until all are there: which of them share theirs shows only then.
        let mut waiting: Vec<(u32, ColumnBuilder)> = Vec::new();
        for (code, (table, start)) in b.tables.iter().zip(&starts).enumerate() {
            let order = order.and_then(|_| ordinals.get(*start..*start + table.rows));
            let args = schema::declared(table.event).map_or(&[][..], |event| event.args);
            for (position, column) in table.columns.iter().enumerate() {
                let key = column_key(code as u16, position as u32);
                let sharing = match args.get(position).map(|arg| arg.kind) {
                    Some(ArgKind::Fd) => Sharing::Descriptors,
                    Some(ArgKind::Str) => Sharing::Texts,
                    Some(ArgKind::Dirents(_)) => Sharing::Entries,
                    _ => Sharing::Nothing,
                };
                let mut values = self.spare.pop().unwrap_or_default();
                fill(&mut values, column, order, &b.bytes);
                match sharing {
                    _ if self.leaves_out_texts => {}
                    Sharing::Texts => values.distinct().values(&b.bytes).for_each(|t| self.trigrams.text(t)),
                    Sharing::Descriptors => values
                        .distinct()
                        .values(&b.bytes)
                        .filter_map(|value| value.get(DESCRIPTOR_NUMBER..))
                        .for_each(|text| self.trigrams.text(text)),
                    _ => {}
                }
                if sharing == Sharing::Texts {
                    waiting.push((key, values));
                } else {
                    self.put_column(key, values, &b.bytes, sharing);
                }
            }
        }
        let shares = sharing(&waiting, &self.texts, &b.bytes);
        for ((key, values), shares) in waiting.into_iter().zip(shares) {
            let sharing = if shares { Sharing::Texts } else { Sharing::Nothing };
            self.put_column(key, values, &b.bytes, sharing);
        }
        for (code, (table, start)) in b.tables.iter().zip(starts).enumerate() {
            let code = code as u16;
            let range = start..start + table.rows;
            let columns = [
                (key::RET, &rets),
                (key::SCOPES, &scopes),
                (key::MARKS, &marks),
                (key::DURATIONS, &durations),
            ];
            for (position, numbers) in columns {
                let numbers = numbers.get(range.clone()).unwrap_or_default();
                // An absent column is all zeros.
                if numbers.iter().any(|n| *n != 0) {
                    self.put(column_key(code, position), numbers.iter().copied());
                }
            }
        }
    }

    /// What is known of contexts beside what every block says of them.
    fn put_acting(&mut self, b: &BlockBuilder) {
        for (at, key) in acting::KEYS.into_iter().enumerate() {
            let start = self.raw.len();
            if acting::encode(&b.contexts, at, &mut self.raw, &mut self.work) {
                self.place(key, start);
            }
        }
        let start = self.raw.len();
        if acting::encode_directories(&b.contexts, &mut self.raw, &mut self.work) {
            self.place(key::DIRECTORIES, start);
        }
    }

    fn put_column(&mut self, key: u32, values: ColumnBuilder, bytes: &[u8], sharing: Sharing) {
        let start = self.raw.len();
        if values.encode(bytes, sharing, &mut self.texts, &mut self.raw, &mut self.work) {
            self.place(key, start);
        }
        if self.spare.len() < SPARE_COLUMNS {
            self.spare.push(values);
        }
    }

    fn put(&mut self, key: u32, values: impl Iterator<Item = u64>) {
        self.words.clear();
        self.words.extend(values);
        let start = self.raw.len();
        integers::encode(&self.words, &mut self.raw, &mut self.work);
        self.place(key, start);
    }

    fn place(&mut self, key: u32, start: usize) {
        self.places.push(Place { key, start, length: self.raw.len() - start });
    }

    /// Puts columns into groups and compresses them; the block's directory says where each is.
    fn group(&mut self, rows: usize, block: &mut BlockV1) -> Result<Vec<u8>> {
        let grouped = rows >= GROUPED_ROWS;
        self.places.sort_by_key(|place| place.key);
        let mut out = Vec::new();
        // The group that short columns go to.
        let mut shared = Filling::default();
        for place in &self.places {
            let column = self.raw.get(place.start..place.start + place.length).unwrap_or_default();
            block.keys.push(place.key);
            block.lengths.push(place.length as u32);
            if place.length <= INLINE_BYTES {
                block.in_group.push(INLINE);
                block.offsets.push(block.inline.len() as u32);
                block.inline.extend_from_slice(column);
            } else if grouped && place.length >= OWN_GROUP {
                block.in_group.push(block.groups.len() as u16);
                block.offsets.push(0);
                block.groups.push(self.compressor.group(column, &mut out)?);
            } else {
                if grouped && shared.bytes.len() + column.len() > SHARED_GROUP {
                    seal(&mut self.compressor, &mut shared, block, &mut out)?;
                }
                shared.waiting.push(block.in_group.len());
                block.in_group.push(0);
                block.offsets.push(shared.bytes.len() as u32);
                shared.bytes.extend_from_slice(column);
            }
        }
        seal(&mut self.compressor, &mut shared, block, &mut out)?;
        if block.groups.len() > limits::BLOCK_GROUPS {
            return Err(too_large("column groups of a block", block.groups.len(), limits::BLOCK_GROUPS));
        }
        if block.keys.len() > limits::BLOCK_COLUMNS {
            return Err(too_large("columns of a block", block.keys.len(), limits::BLOCK_COLUMNS));
        }
        Ok(out)
    }
}

fn seal(
    compressor: &mut Compressor,
    filling: &mut Filling,
    block: &mut BlockV1,
    out: &mut Vec<u8>,
) -> Result<()> {
    if filling.bytes.is_empty() {
        return Ok(());
    }
    let group: GroupV1 = compressor.group(&filling.bytes, out)?;
    for column in filling.waiting.drain(..) {
        if let Some(place) = block.in_group.get_mut(column) {
            *place = block.groups.len() as u16;
        }
    }
    block.groups.push(group);
    filling.bytes.clear();
    Ok(())
}

fn too_large(what: &'static str, value: usize, limit: usize) -> Error {
    Error::TooLarge { what, value: value as u64, limit: limit as u64 }
}
