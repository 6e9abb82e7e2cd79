//! One block, decoded column by column when asked.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use events::context::ContextFlags;
use events::{ArgKind, Context, EventId};

use crate::archive::{self, ArchivedBlockV1, INLINE, column_key, key};
use crate::args::Dictionary;
use crate::builder::ContextRow;
use crate::columns::{self, Column};
use crate::compress::Decompressor;
use crate::directory::Directory;
use crate::encode::HeadPlace;
use crate::integers::{self, Integer, Torn};
use crate::schema::FileEvent;
use crate::source::Source;
use crate::statistics::{EventCount, Numbers, Statistics, Texts};
use crate::trigrams::{Trigrams, TrigramsBuilder};
use crate::{ArgTable, Clock, ColumnView, EncodedBlock, Error, Result, Schema, bytestrings, entries, limits};

/// Buffers that blocks decode into, reused from block to block: a block takes them and gives them back at its end. One
/// for each thread; of several blocks that one thread holds at once, the later ones begin without.
#[derive(Debug, Default)]
pub struct Scratch {
    buffers: Arc<Mutex<Buffers>>,
}

#[derive(Debug, Default)]
struct Buffers {
    decompressor: Decompressor,
    bytes: Vec<Vec<u8>>,
    shorts: Vec<Vec<u16>>,
    marks: Vec<Vec<u32>>,
    longs: Vec<Vec<u64>>,
    rets: Vec<Vec<i64>>,
    #[allow(clippy::vec_box)] // cells hold boxes, and get them back from here
    columns: Vec<Box<Column>>,
    contexts: Vec<(Vec<ContextRow>, Dictionary)>,
    texts: Option<Dictionary>,
}

/// Buffers of one kind that are kept between blocks; more than a block usually takes only hold memory.
const KEPT: usize = 64;
/// Bytes of a kind that are kept: buffers go from column to column, and in time each would be as large as the largest.
const KEPT_BYTES: usize = 16 << 20;

impl Scratch {
    pub fn new() -> Scratch {
        Scratch::default()
    }
}

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
    contexts: OnceLock<(Vec<ContextRow>, Dictionary)>,
    texts: OnceLock<Dictionary>,
    /// Bytes decompressed, and memory taken, up to now.
    decompressed: AtomicU64,
    memory: AtomicUsize,
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

/// The distinct contexts of a block; [`Block::context_codes`] index it.
#[derive(Clone, Copy, Debug)]
pub struct Contexts<'a> {
    rows: &'a [ContextRow],
    strings: &'a Dictionary,
}

impl<'a> Contexts<'a> {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn get(&self, code: u16) -> Option<Context<'a>> {
        let row = self.rows.get(code as usize)?;
        let [
            pid,
            tid,
            ppid,
            ns_pid,
            ns_tid,
            ns_ppid,
            uid,
            gid,
            mnt_ns,
            pid_ns,
            net_ns,
            user_ns,
            flags,
            comm,
            exe,
            uts,
        ] = row.numbers;
        let [cgroup_id, thread_start_ns, process_start_ns, parent_start_ns] = row.wide;
        let string = |code| self.strings.get(code).unwrap_or_default();
        Some(Context {
            pid,
            tid,
            ppid,
            ns_pid,
            ns_tid,
            ns_ppid,
            uid,
            gid,
            mnt_ns,
            pid_ns,
            net_ns,
            user_ns,
            cgroup_id,
            thread_start_ns,
            process_start_ns,
            parent_start_ns,
            comm: string(comm),
            exe: string(exe),
            uts: string(uts),
            flags: ContextFlags(flags),
        })
    }

    /// By code.
    pub fn iter(&self) -> impl Iterator<Item = Context<'a>> + use<'a> {
        let contexts = *self;
        (0..self.len()).filter_map(move |code| contexts.get(code as u16))
    }
}

impl Scratch {
    /// Calls `read` with the decompressor.
    pub(crate) fn decompress<T>(&mut self, read: impl FnOnce(&mut Decompressor) -> T) -> T {
        read(&mut lock(&self.buffers).decompressor)
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
            contexts: OnceLock::new(),
            texts: OnceLock::new(),
            decompressed: AtomicU64::new(0),
            memory: AtomicUsize::new(0),
        }
    }

    pub fn rows(&self) -> usize {
        self.directory.rows
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
        let (rows, strings) = get_or_try(&self.contexts, || {
            let (mut rows, mut strings) = lock(&self.buffers).contexts.pop().unwrap_or_default();
            let count = self.directory.contexts;
            self.take(count * size_of::<ContextRow>())?;
            let bytes = self.column_bytes(key::CONTEXTS)?.ok_or(self.damaged("it has no contexts"))?;
            columns::decode_contexts(bytes, count, self.memory_left(), &mut rows, &mut strings)
                .map_err(|Torn| self.damaged("its contexts are torn"))?;
            self.take(strings.bytes.len())?;
            Ok((rows, strings))
        })?;
        Ok(Contexts { rows, strings })
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

    /// The arguments of the event with this code.
    pub fn args(&self, event_code: u16) -> ArgTable<'_> {
        ArgTable { block: self, code: event_code, rows: self.rows_of(event_code) }
    }

    /// Bytes that were decompressed for this block up to now.
    pub fn decompressed(&self) -> u64 {
        self.decompressed.load(Ordering::Relaxed)
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

    /// Puts what every event's table has back into the order of the block's rows.
    fn gather<T: Integer>(
        &self,
        position: u32,
        pool: fn(&mut Buffers) -> &mut Vec<Vec<T>>,
    ) -> Result<Vec<T>> {
        let rows = self.rows();
        self.take(rows * size_of::<T>())?;
        let mut out = pool(&mut lock(&self.buffers)).pop().unwrap_or_default();
        out.clear();
        let mut views = Vec::with_capacity(self.event_list.len());
        for code in 0..self.event_list.len() {
            views.push(self.event_column(code as u16, position)?);
        }
        let constant = |view: &ColumnView<'_>| match view {
            ColumnView::Constant { number, .. } => Some(*number),
            _ => None,
        };
        let first = views.first().and_then(constant);
        if let Some(number) = first.filter(|_| views.iter().all(|view| constant(view) == first)) {
            out.resize(rows, T::from_word(number));
            return Ok(out);
        }
        let mut next: Vec<(&[u64], T)> = views
            .iter()
            .map(|view| match view {
                ColumnView::Numbers { values, .. } => (*values, T::default()),
                view => (&[][..], T::from_word(constant(view).unwrap_or_default())),
            })
            .collect();
        out.extend(self.event_codes()?.iter().map(|code| match next.get_mut(*code as usize) {
            Some((values, constant)) => match values.split_first() {
                Some((value, rest)) => {
                    *values = rest;
                    T::from_word(*value)
                }
                None => *constant,
            },
            None => T::default(),
        }));
        Ok(out)
    }

    /// A column of the whole block.
    fn fixed<T: Integer>(&self, wanted: u32, pool: fn(&mut Buffers) -> &mut Vec<Vec<T>>) -> Result<Vec<T>> {
        self.take(self.rows() * size_of::<T>())?;
        let bytes = self.column_bytes(wanted)?.ok_or(self.damaged("a column of all rows is not there"))?;
        let mut out = pool(&mut lock(&self.buffers)).pop().unwrap_or_default();
        match integers::decode(bytes, self.rows(), &mut out) {
            Ok([]) => Ok(out),
            _ => Err(self.damaged("a column of all rows is torn")),
        }
    }

    fn column_bytes(&self, wanted: u32) -> Result<Option<&[u8]>> {
        self.directory.find(wanted).map(|at| self.bytes_at(at)).transpose()
    }

    /// The bytes of the column at a place of the directory, decompressed.
    fn bytes_at(&self, at: usize) -> Result<&[u8]> {
        let torn = || self.damaged("its directory contradicts itself");
        let column = self.directory.columns.get(at).ok_or_else(torn)?;
        let whole = match column.group {
            INLINE => self.directory.inline.as_slice(),
            group => self.group(group as usize)?,
        };
        let start = column.offset as usize;
        whole.get(start..start + column.length as usize).ok_or_else(torn)
    }

    fn group(&self, at: usize) -> Result<&[u8]> {
        let cell = self.groups.get(at).ok_or(self.damaged("a column is in a group that is not there"))?;
        get_or_try(cell, || {
            let group = self.directory.groups.get(at).copied().unwrap_or_default();
            self.take(group.raw as usize)?;
            let mut buffers = lock(&self.buffers);
            let mut read = buffers.bytes.pop().unwrap_or_default();
            let mut out = buffers.bytes.pop().unwrap_or_default();
            let (start, length) = (self.groups_at + u64::from(group.offset), group.stored as usize);
            let stored = self.stored.read(start, length, &mut read)?;
            let stored = stored.ok_or(self.damaged("a column group ends outside of the block"))?;
            if crc32fast::hash(stored) != group.crc {
                return Err(self.damaged("a column group does not fit its checksum"));
            }
            buffers
                .decompressor
                .read(group.codec, stored, group.raw as usize, &mut out)
                .ok_or(self.damaged("a column group cannot be decompressed"))?;
            self.decompressed.fetch_add(u64::from(group.raw), Ordering::Relaxed);
            keep(&mut buffers.bytes, read);
            Ok(out)
        })
        .map(Vec::as_slice)
    }

    fn damaged(&self, what: &'static str) -> Error {
        Error::Block { block: self.number, what }
    }

    /// Counts memory before it is taken.
    fn take(&self, bytes: usize) -> Result<()> {
        if bytes > self.memory_left() {
            return Err(self.damaged("it needs more memory than a block may take"));
        }
        self.memory.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn memory_left(&self) -> usize {
        limits::BLOCK_MEMORY.saturating_sub(self.memory.load(Ordering::Relaxed))
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
        for cell in [&mut self.times, &mut self.scopes] {
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

fn keep<T>(pool: &mut Vec<Vec<T>>, buffer: Vec<T>) {
    let bytes = |buffer: &Vec<T>| buffer.capacity() * size_of::<T>();
    if pool.len() < KEPT && pool.iter().map(bytes).sum::<usize>() + bytes(&buffer) <= KEPT_BYTES {
        pool.push(buffer);
    }
}

/// A thread that panicked leaves buffers, and what is in them does not matter.
fn lock(buffers: &Mutex<Buffers>) -> MutexGuard<'_, Buffers> {
    buffers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn get_or_try<T>(cell: &OnceLock<T>, value: impl FnOnce() -> Result<T>) -> Result<&T> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = value()?;
    Ok(cell.get_or_init(|| value))
}

impl Block {
    /// What is known of the rows once all of them are read, everything listed. An error when they contradict what the
    /// block says of itself.
    pub(crate) fn actual_statistics(&self) -> Result<Statistics> {
        let (times, codes, contexts) = (self.times()?, self.event_codes()?, self.contexts()?);
        if !times.is_sorted() {
            return Err(self.damaged("its rows are not in order of time"));
        }
        if times.len() != codes.len()
            || self.context_codes()?.len() != codes.len()
            || self.cpus()?.len() != codes.len()
        {
            return Err(self.damaged("its columns are not of one length"));
        }
        let (first_ns, last_ns) = (self.directory.first_ns, self.directory.last_ns);
        let ends = (times.first().copied(), times.last().copied());
        if !times.is_empty() && ends != (Some(first_ns), Some(last_ns)) {
            return Err(self.damaged("its first or last row is of another time than it says"));
        }
        let count = |rows: &dyn Fn(u16) -> u32| {
            let counts = (0u16..).zip(&self.event_list);
            let mut counts: Vec<EventCount> =
                counts.map(|(code, event)| EventCount { event: *event, rows: rows(code) }).collect();
            counts.sort_unstable_by_key(|count| count.event);
            counts
        };
        let events = count(&|code| self.rows_of(code) as u32);
        let mut of_code = vec![0u32; self.event_list.len()];
        for (code, ret) in codes.iter().zip(self.rets()?) {
            if let (true, Some(count)) = ((-4095..0).contains(ret), of_code.get_mut(usize::from(*code))) {
                *count += 1;
            }
        }
        let mut failed = count(&|code| of_code.get(usize::from(code)).copied().unwrap_or_default());
        failed.retain(|count| count.rows > 0);
        // Nobody skips by these, but they are read.
        self.scopes()?;
        self.marks()?;
        let numbers = |of: &dyn Fn(&Context<'_>) -> u64| {
            let mut all: Vec<u64> = contexts.iter().map(|context| of(&context)).collect();
            all.sort_unstable();
            all.dedup();
            Numbers::Exact(all)
        };
        let texts = |of: fn(&Context<'_>) -> Arc<[u8]>| {
            let mut all: Vec<Arc<[u8]>> = contexts.iter().map(|context| of(&context)).collect();
            all.sort_unstable();
            all.dedup();
            Texts::Exact(all)
        };
        Ok(Statistics {
            rows: codes.len() as u64,
            first_ns,
            last_ns,
            hosts: vec![self.host()],
            events,
            failed: Some(failed),
            comms: texts(|context| Arc::from(context.comm)),
            exes: texts(|context| Arc::from(context.exe)),
            utses: texts(|context| Arc::from(context.uts)),
            pids: numbers(&|context| context.pid.into()),
            tids: numbers(&|context| context.tid.into()),
            ppids: numbers(&|context| context.ppid.into()),
            uids: numbers(&|context| context.uid.into()),
            mnt_nss: numbers(&|context| context.mnt_ns.into()),
            pid_nss: numbers(&|context| context.pid_ns.into()),
            cgroups: numbers(&|context| context.cgroup_id),
            argument_texts: Some(self.argument_texts()?),
        })
    }

    /// Parts of the texts of arguments, as [`Statistics::argument_texts`] has them.
    fn argument_texts(&self) -> Result<Trigrams> {
        let mut trigrams = TrigramsBuilder::default();
        trigrams.clear();
        for (code, file) in (0u16..).zip(&self.events) {
            for (position, arg) in file.event.args.iter().enumerate() {
                let view = self.args(code).column(position)?;
                let skipped = match arg.kind {
                    ArgKind::Str => 0,
                    ArgKind::Fd => columns::DESCRIPTOR_NUMBER,
                    _ => continue,
                };
                if let ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. } = view {
                    let texts = dictionary.iter().filter_map(|value| value.get(skipped..));
                    texts.for_each(|text| trigrams.text(text));
                }
            }
        }
        Ok(trigrams.whole())
    }
}
