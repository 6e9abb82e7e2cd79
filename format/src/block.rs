//! One block, decoded column by column when asked.

mod contexts;
mod decode;
mod scratch;
mod statistics;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use contexts::ContextColumns;
pub use contexts::Contexts;
use events::EventId;
pub use scratch::Scratch;
use scratch::{Buffers, KEPT, KEPT_BYTES, keep, lock};

use crate::archive::{self, ArchivedBlockV1, column_key, key};
use crate::args::Dictionary;
use crate::columns::{self, Column};
use crate::directory::Directory;
use crate::encode::{BlockHead, HeadPlace};
use crate::integers::Torn;
use crate::schema::FileEvent;
use crate::source::Source;
use crate::{ArgTable, Clock, ColumnView, EncodedBlock, Error, Result, Schema, bytestrings, entries, limits};

/// A block of a capture. Columns are decompressed and decoded when they are first asked for; damage shows then, as an
/// error. Rows are in time order. Threads may share it: two that ask for the same column first may both decode it.
///
/// It holds on to all that it needs, so that it can outlive what it came from, and go to other threads.
#[derive(Debug)]
pub struct Block {
    number: usize,
    directory: Directory,
    /// Where the groups begin in `stored`.
    groups_at: u64,
    stored: Stored,
    head_bytes: u64,
    event_list: Vec<EventId>,
    events: Vec<Arc<FileEvent>>,
    /// Where the buffers go back to.
    home: Arc<Mutex<Buffers>>,
    buffers: Mutex<Buffers>,
    groups: Vec<OnceLock<Vec<u8>>>,
    columns: Vec<OnceLock<Box<Column>>>,
    event_codes: OnceLock<Vec<u16>>,
    context_codes: OnceLock<Vec<u16>>,
    times: OnceLock<Vec<u64>>,
    cpus: OnceLock<Vec<u16>>,
    rets: OnceLock<Vec<i64>>,
    scopes: OnceLock<Vec<u64>>,
    marks: OnceLock<Vec<u32>>,
    durations: OnceLock<Vec<u64>>,
    contexts: OnceLock<ContextColumns>,
    texts: OnceLock<Dictionary>,
    /// Bytes decompressed, and memory taken, up to now.
    decompressed: AtomicU64,
    memory: AtomicUsize,
}

/// How long the calls of a block's rows took.
#[derive(Clone, Copy, Debug, Default)]
pub struct Durations<'a>(&'a [u64]);

impl Durations<'_> {
    /// Of a row, ns; `None` where it is not known.
    #[inline]
    pub fn get(self, row: usize) -> Option<u64> {
        self.0.get(row).and_then(|stored| stored.checked_sub(1))
    }

    /// Whether none is known.
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// Where a block's bytes are.
#[derive(Debug)]
pub(crate) enum Stored {
    /// In a file, which is read when a column is asked for.
    File(Arc<Source>),
    /// Its payload, decrypted.
    Decrypted(Vec<u8>),
    /// Its payload, as it was just encoded.
    Encoded(Arc<EncodedBlock>),
}

impl Stored {
    /// `length` bytes from `start` on, in `buffer` when they have to be read; `None` when it has not so many.
    fn read<'a>(&'a self, start: u64, length: usize, buffer: &'a mut Vec<u8>) -> Result<Option<&'a [u8]>> {
        let payload = match self {
            Stored::File(source) => return source.read(start, length, buffer).map(Some),
            Stored::Decrypted(payload) => payload,
            Stored::Encoded(block) => &block.bytes,
        };
        Ok(payload.get(start as usize..start as usize + length))
    }
}

/// A block's parts, as whoever has its bytes hands them over.
pub(crate) struct Parts {
    pub(crate) directory: Directory,
    pub(crate) events: Vec<Arc<FileEvent>>,
    pub(crate) groups_at: u64,
    pub(crate) stored: Stored,
    pub(crate) head_bytes: u64,
}

impl Block {
    /// A block that was just encoded, read without a file. `schema` declares its events: [`Schema::current`] where this
    /// program made their ids.
    pub fn from_encoded(block: Arc<EncodedBlock>, schema: &Schema, scratch: &mut Scratch) -> Result<Block> {
        let place = block.head;
        Block::from_payload(Stored::Encoded(block), place, schema, scratch)
    }

    /// A block of which somebody kept the bytes: see [`EncodedBlock::into_parts`].
    pub fn from_bytes(
        bytes: Vec<u8>,
        head: BlockHead,
        schema: &Schema,
        scratch: &mut Scratch,
    ) -> Result<Block> {
        Block::from_payload(Stored::Decrypted(bytes), head.0, schema, scratch)
    }

    /// A block whose payload is at hand.
    pub(crate) fn from_payload(
        stored: Stored,
        place: HeadPlace,
        schema: &Schema,
        scratch: &mut Scratch,
    ) -> Result<Block> {
        let damaged = |what| Error::Block { block: 0, what };
        let payload = match &stored {
            Stored::Encoded(block) => block.bytes.as_slice(),
            Stored::Decrypted(payload) => payload,
            Stored::File(_) => &[],
        };
        let (head, groups) = payload.split_at_checked(place.stored as usize).unwrap_or_default();
        let mut raw = Vec::new();
        scratch
            .decompress(|zstd| zstd.read(place.codec, head, place.raw as usize, &mut raw))
            .ok_or(damaged("its head cannot be decompressed"))?;
        let archived = archive::access::<ArchivedBlockV1>(&raw, 0)?;
        let directory = Directory::read(archived, groups.len() as u64).map_err(damaged)?;
        let event = |id: &u16| schema.by_file_id(*id).cloned();
        let events = directory.event_ids.iter().map(event).collect::<Option<_>>();
        let events = events.ok_or(damaged("it has an event that the header does not declare"))?;
        let head_bytes = u64::from(place.stored);
        Ok(Block::new(0, Parts { directory, events, groups_at: head_bytes, stored, head_bytes }, scratch))
    }

    pub(crate) fn new(number: usize, parts: Parts, home: &mut Scratch) -> Block {
        let buffers = std::mem::take(&mut *lock(&home.buffers));
        let Parts { directory, events, groups_at, stored, head_bytes } = parts;
        Block {
            number,
            groups: directory.groups.iter().map(|_| OnceLock::new()).collect(),
            columns: directory.columns.iter().map(|_| OnceLock::new()).collect(),
            event_list: events.iter().map(|file| file.event.id).collect(),
            directory,
            groups_at,
            stored,
            head_bytes,
            events,
            home: Arc::clone(&home.buffers),
            buffers: Mutex::new(buffers),
            event_codes: OnceLock::new(),
            context_codes: OnceLock::new(),
            times: OnceLock::new(),
            cpus: OnceLock::new(),
            rets: OnceLock::new(),
            scopes: OnceLock::new(),
            marks: OnceLock::new(),
            durations: OnceLock::new(),
            contexts: OnceLock::new(),
            texts: OnceLock::new(),
            decompressed: AtomicU64::new(0),
            memory: AtomicUsize::new(0),
        }
    }

    pub fn rows(&self) -> usize {
        self.directory.rows
    }

    /// Times of the first and the last row, boot clock ns.
    pub fn extent(&self) -> (u64, u64) {
        (self.directory.first_ns, self.directory.last_ns)
    }

    pub fn clock(&self) -> Clock {
        self.directory.clock
    }

    /// Index of the host: 0 unless the capture was merged.
    pub fn host(&self) -> u16 {
        self.directory.host
    }

    /// The block's distinct events; event codes index it.
    pub fn event_list(&self) -> &[EventId] {
        &self.event_list
    }

    /// Rows of the event with this code.
    pub fn rows_of(&self, event_code: u16) -> usize {
        self.directory.event_rows.get(event_code as usize).map_or(0, |rows| *rows as usize)
    }

    /// How many distinct contexts the block says it has.
    pub fn context_count(&self) -> usize {
        self.directory.contexts
    }

    pub fn contexts(&self) -> Result<Contexts<'_>> {
        let columns = get_or_try(&self.contexts, || self.decode_contexts())?;
        Ok(Contexts { columns })
    }

    /// Each is an index of [`Block::event_list`].
    pub fn event_codes(&self) -> Result<&[u16]> {
        get_or_try(&self.event_codes, || {
            let codes: Vec<u16> = self.fixed(key::EVENTS, |b| &mut b.shorts)?;
            let mut counts = vec![0u32; self.event_list.len()];
            for code in &codes {
                match counts.get_mut(*code as usize) {
                    Some(count) => *count += 1,
                    None => return Err(self.damaged("a row is of an event that the block does not have")),
                }
            }
            // Tables of arguments have as many rows as the directory says.
            if counts != self.directory.event_rows {
                return Err(self.damaged("its events are not as many as it says"));
            }
            Ok(codes)
        })
        .map(Vec::as_slice)
    }

    /// Each is an index of [`Block::contexts`].
    pub fn context_codes(&self) -> Result<&[u16]> {
        get_or_try(&self.context_codes, || {
            let codes: Vec<u16> = self.fixed(key::CONTEXT_CODES, |b| &mut b.shorts)?;
            match codes.iter().max() {
                Some(most) if *most as usize >= self.directory.contexts => {
                    Err(self.damaged("a row is of a context that the block does not have"))
                }
                _ => Ok(codes),
            }
        })
        .map(Vec::as_slice)
    }

    /// Boot clock, ns.
    pub fn times(&self) -> Result<&[u64]> {
        get_or_try(&self.times, || self.fixed(key::TIMES, |b| &mut b.longs)).map(Vec::as_slice)
    }

    pub fn cpus(&self) -> Result<&[u16]> {
        get_or_try(&self.cpus, || self.fixed(key::CPUS, |b| &mut b.shorts)).map(Vec::as_slice)
    }

    pub fn rets(&self) -> Result<&[i64]> {
        get_or_try(&self.rets, || self.gather(key::RET, |b| &mut b.rets)).map(Vec::as_slice)
    }

    /// Recorded scopes: bit N-1 for scope N.
    pub fn scopes(&self) -> Result<&[u64]> {
        get_or_try(&self.scopes, || self.gather(key::SCOPES, |b| &mut b.longs)).map(Vec::as_slice)
    }

    /// [`events::Marks`].
    pub fn marks(&self) -> Result<&[u32]> {
        get_or_try(&self.marks, || self.gather(key::MARKS, |b| &mut b.marks)).map(Vec::as_slice)
    }

    /// How long calls took.
    pub fn durations(&self) -> Result<Durations<'_>> {
        let has_some = |code| self.directory.find(column_key(code, key::DURATIONS)).is_some();
        if !(0..self.event_list.len()).any(|code| has_some(code as u16)) {
            return Ok(Durations(&[]));
        }
        let durations = get_or_try(&self.durations, || self.gather(key::DURATIONS, |b| &mut b.longs))?;
        Ok(Durations(durations))
    }

    /// Whether any row of the event with this code has one of these marks.
    pub fn has_marked(&self, event_code: u16, marks: u32) -> Result<bool> {
        Ok(match self.event_column(event_code, key::MARKS)? {
            ColumnView::Constant { number, .. } => number as u32 & marks != 0,
            ColumnView::Numbers { values, .. } => values.iter().any(|value| *value as u32 & marks != 0),
            _ => false,
        })
    }

    /// The arguments of the event with this code.
    pub fn args(&self, event_code: u16) -> ArgTable<'_> {
        ArgTable { block: self, code: event_code, rows: self.rows_of(event_code) }
    }

    /// Bytes that were decompressed for this block up to now.
    pub fn decompressed(&self) -> u64 {
        self.decompressed.load(Ordering::Relaxed)
    }

    /// Bytes that what was decoded takes in memory, about.
    pub fn memory(&self) -> usize {
        self.memory.load(Ordering::Relaxed)
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn head_bytes(&self) -> u64 {
        self.head_bytes
    }

    pub(crate) fn file_event(&self, code: u16) -> Option<&FileEvent> {
        self.events.get(code as usize).map(Arc::as_ref)
    }

    /// A column of an event, by position in the file or one of [`key::RET`] and its kin.
    pub(crate) fn event_column(&self, code: u16, position: u32) -> Result<ColumnView<'_>> {
        let rows = self.rows_of(code);
        let wanted = column_key(code, position);
        let is_argument = position < key::RET;
        let Some(at) = self.directory.find(wanted) else {
            return Ok(if is_argument {
                ColumnView::Missing { rows }
            } else {
                ColumnView::Constant { rows, number: 0 }
            });
        };
        let Some(cell) = self.columns.get(at) else { return Ok(ColumnView::Missing { rows }) };
        if cell.get().is_none() {
            let bytes = self.bytes_at(at)?;
            if let Some(number) = columns::constant(bytes, is_argument) {
                return Ok(ColumnView::Constant { rows, number });
            }
        }
        let column = get_or_try(cell, || {
            let mut column = lock(&self.buffers).columns.pop().unwrap_or_default();
            // Decoded numbers take eight bytes and codes four; dictionaries are counted when their size is known.
            self.take(rows * 13)?;
            let bytes = self.bytes_at(at)?;
            let torn = |Torn| self.damaged("a column of arguments is torn");
            if is_argument {
                let none = Dictionary::default();
                let texts = if columns::shares_texts(bytes) { self.texts()? } else { &none };
                column.decode(bytes, rows, self.memory_left(), texts).map_err(torn)?;
                if let Some((lifted, layout)) = self.file_event(code).and_then(|event| event.kernel_entries)
                    && u32::from(lifted) == position
                {
                    self.take(entries::lifted_bytes(&column.dictionary))?;
                    entries::lift(&mut column.dictionary, layout);
                }
                self.take(column.dictionary.bytes.len())?;
            } else {
                column.decode_numbers(bytes, rows).map_err(torn)?;
            }
            Ok(column)
        })?;
        Ok(column.view(rows))
    }

    /// The texts that columns of arguments share.
    fn texts(&self) -> Result<&Dictionary> {
        get_or_try(&self.texts, || {
            let mut texts = lock(&self.buffers).texts.take().unwrap_or_default();
            let bytes =
                self.column_bytes(key::TEXTS)?.ok_or(self.damaged("it lacks texts that it refers to"))?;
            match bytestrings::decode(bytes, limits::BLOCK_TEXTS, self.memory_left(), &mut texts) {
                Ok([]) => {}
                _ => return Err(self.damaged("its texts are torn")),
            }
            self.take(texts.bytes.len() + texts.ends.len() * size_of::<u32>())?;
            Ok(texts)
        })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut buffers = std::mem::take(&mut *lock(&self.buffers));
        for group in self.groups.drain(..) {
            group.into_inner().into_iter().for_each(|group| keep(&mut buffers.bytes, group));
        }
        for cell in [&mut self.event_codes, &mut self.context_codes, &mut self.cpus] {
            cell.take().into_iter().for_each(|codes| keep(&mut buffers.shorts, codes));
        }
        for cell in [&mut self.times, &mut self.scopes, &mut self.durations] {
            cell.take().into_iter().for_each(|longs| keep(&mut buffers.longs, longs));
        }
        self.rets.take().into_iter().for_each(|rets| keep(&mut buffers.rets, rets));
        self.marks.take().into_iter().for_each(|marks| keep(&mut buffers.marks, marks));
        for column in self.columns.drain(..).filter_map(OnceLock::into_inner) {
            let kept: usize = buffers.columns.iter().map(|column| column.memory()).sum();
            if buffers.columns.len() < KEPT && kept + column.memory() <= KEPT_BYTES {
                buffers.columns.push(column);
            }
        }
        buffers.contexts.extend(self.contexts.take());
        buffers.texts =
            self.texts.take().filter(|texts| texts.bytes.capacity() <= KEPT_BYTES).or(buffers.texts);
        *lock(&self.home) = buffers;
    }
}

fn get_or_try<T>(cell: &OnceLock<T>, value: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = value()?;
    Ok(cell.get_or_init(|| value))
}
