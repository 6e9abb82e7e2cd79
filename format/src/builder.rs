//! Rows on their way into a block: columns from the start, so that pushing is appending.

use events::{Context, EventId, Raw};
use hashbrown::HashMap;

use crate::columns::acting::Acting;
use crate::{Clock, Error, HighWater, Result, Row, limits};

/// Collects the rows of one block. It is emptied by [`crate::Encoder::encode`] and then takes the next block's.
#[derive(Debug)]
pub struct BlockBuilder {
    pub(crate) clock: Clock,
    pub(crate) host: u16,
    pub(crate) times: Vec<u64>,
    pub(crate) events: Vec<u16>,
    pub(crate) context_codes: Vec<u16>,
    pub(crate) cpus: Vec<u16>,
    pub(crate) rets: Vec<i64>,
    pub(crate) scopes: Vec<u64>,
    pub(crate) marks: Vec<u32>,
    /// How long each call took and 1, or 0 where that is not known. Rows beyond its end have none.
    pub(crate) durations: Vec<u64>,
    /// In the order in which they came first.
    pub(crate) tables: Vec<Table>,
    pub(crate) contexts: ContextTable,
    /// All bytes of arguments, one value after the other.
    pub(crate) bytes: Vec<u8>,
    /// By event id: its place in `tables`, or [`NO_TABLE`].
    table_of: Box<[u16]>,
    high_water: HighWater,
}

/// Blocks after which the memory is looked at.
const WINDOW: u32 = 16;

/// What a context takes about, its texts included.
const CONTEXT_BYTES: usize = 400;

const NO_TABLE: u16 = u16::MAX;

/// The arguments of the rows of one event.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) event: EventId,
    pub(crate) rows: usize,
    pub(crate) columns: Vec<RawColumn>,
}

/// One argument: a tag and a word for each row.
#[derive(Debug, Default)]
pub(crate) struct RawColumn {
    pub(crate) tags: Vec<u8>,
    /// The number; or for bytes, `offset << 32 | length` in the builder's bytes.
    pub(crate) words: Vec<u64>,
}

pub(crate) const TAG_MISSING: u8 = 0;
pub(crate) const TAG_NUMBER: u8 = 1;
pub(crate) const TAG_BYTES: u8 = 2;

/// The distinct contexts of a block, their strings interned as well.
#[derive(Debug, Default)]
pub(crate) struct ContextTable {
    pub(crate) rows: Vec<ContextRow>,
    codes: HashMap<ContextRow, u32>,
    pub(crate) strings: Interned,
    /// Working directories: they stand in a column of their own.
    pub(crate) directories: Interned,
}

/// Texts, each with a code from 0.
#[derive(Debug, Default)]
pub(crate) struct Interned {
    texts: Vec<Vec<u8>>,
    codes: HashMap<Vec<u8>, u32>,
}

impl Interned {
    fn code(&mut self, text: &[u8]) -> u32 {
        if let Some(code) = self.codes.get(text) {
            return *code;
        }
        let code = self.texts.len() as u32;
        self.texts.push(text.to_vec());
        self.codes.insert(text.to_vec(), code);
        code
    }

    pub(crate) fn get(&self, code: u32) -> Option<&[u8]> {
        self.texts.get(code as usize).map(Vec::as_slice)
    }

    pub(crate) fn texts(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().map(Vec::as_slice)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    fn clear(&mut self) {
        self.texts.clear();
        self.codes.clear();
    }
}

/// A [`Context`] with its strings as codes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct ContextRow {
    /// pid, tid, ppid, ns_pid, ns_tid, ns_ppid, uid, gid, mnt_ns, pid_ns, net_ns, user_ns, flags, comm, exe, uts.
    pub(crate) numbers: [u32; 16],
    /// cgroup_id, thread_start_ns, process_start_ns, parent_start_ns.
    pub(crate) wide: [u64; 4],
    pub(crate) acting: Acting,
}

impl ContextTable {
    fn intern(&mut self, context: &Context<'_>) -> u32 {
        let comm = self.strings.code(context.comm);
        let exe = self.strings.code(context.exe);
        let uts = self.strings.code(context.uts);
        let c = context;
        let acting = Acting::new(c.credentials, &c.standing, |cwd| self.directories.code(cwd));
        let row = ContextRow {
            numbers: [
                c.pid, c.tid, c.ppid, c.ns_pid, c.ns_tid, c.ns_ppid, c.uid, c.gid, c.mnt_ns, c.pid_ns,
                c.net_ns, c.user_ns, c.flags.0, comm, exe, uts,
            ],
            wide: [c.cgroup_id, c.thread_start_ns, c.process_start_ns, c.parent_start_ns],
            acting,
        };
        let next = self.rows.len() as u32;
        let code = *self.codes.entry(row).or_insert(next);
        if code == next {
            self.rows.push(row);
        }
        code
    }

    fn clear(&mut self) {
        self.rows.clear();
        self.codes.clear();
        self.strings.clear();
        self.directories.clear();
    }
}

impl Default for BlockBuilder {
    fn default() -> BlockBuilder {
        BlockBuilder::new()
    }
}

impl BlockBuilder {
    pub fn new() -> BlockBuilder {
        BlockBuilder {
            clock: Clock::default(),
            host: 0,
            times: Vec::new(),
            events: Vec::new(),
            context_codes: Vec::new(),
            cpus: Vec::new(),
            rets: Vec::new(),
            scopes: Vec::new(),
            marks: Vec::new(),
            durations: Vec::new(),
            tables: Vec::new(),
            contexts: ContextTable::default(),
            bytes: Vec::new(),
            table_of: vec![NO_TABLE; 1 << 16].into_boxed_slice(),
            high_water: HighWater::over(WINDOW),
        }
    }

    /// The code of a context in this block, for [`Row::context`]. Codes end with the block: intern anew after it.
    pub fn intern(&mut self, context: &Context<'_>) -> u32 {
        self.contexts.intern(context)
    }

    /// The clocks at about the time of the block's rows. Without it, wall times of the block are not known.
    pub fn set_clock(&mut self, clock: Clock) {
        self.clock = clock;
    }

    /// Index of the host that the rows are of: 0 unless captures are merged.
    pub fn set_host(&mut self, host: u16) {
        self.host = host;
    }

    /// Takes a row. Rows may come out of time order; encoding sorts them.
    pub fn push(&mut self, row: &Row<'_>) -> Result<()> {
        self.push_taken(row, &[])
    }

    /// Takes a value for rows to come; `None` when there is no room for it.
    pub(crate) fn take(&mut self, value: &[u8]) -> Option<u64> {
        if value.len() > limits::VALUE_BYTES || self.bytes.len() + value.len() > limits::BLOCK_BYTES {
            return None;
        }
        Some(append(value, &mut self.bytes))
    }

    /// A value that was taken.
    pub(crate) fn taken(&self, word: u64) -> &[u8] {
        let start = (word >> 32) as usize;
        self.bytes.get(start..start + (word as u32) as usize).unwrap_or_default()
    }

    /// Takes a row of which some arguments, by their positions, are values that [`BlockBuilder::take`] took.
    pub(crate) fn push_taken(&mut self, row: &Row<'_>, taken: &[Option<u64>]) -> Result<()> {
        let is_taken = |position: usize| matches!(taken.get(position), Some(Some(_)));
        let refuse = |what| Err(Error::Row { event: row.event.0, what });
        if self.times.len() >= limits::BLOCK_ROWS {
            return refuse("the block is full");
        }
        if row.context as usize >= self.contexts.rows.len() || row.context > u32::from(u16::MAX) {
            return refuse("its context was not interned in this block");
        }
        if row.args.len() > limits::EVENT_ARGS {
            return refuse("it has too many arguments");
        }
        let mut bytes = 0;
        for (position, arg) in row.args.iter().enumerate() {
            if let Raw::Bytes(b) = arg
                && !is_taken(position)
            {
                if b.len() > limits::VALUE_BYTES {
                    return refuse("an argument is too long");
                }
                bytes += b.len();
            }
        }
        if self.bytes.len() + bytes > limits::BLOCK_BYTES {
            return refuse("the block has no room for its arguments");
        }
        let code = self.table(row.event);
        self.times.push(row.time_ns);
        self.events.push(code);
        self.context_codes.push(row.context as u16);
        self.cpus.push(row.cpu);
        self.rets.push(row.ret);
        self.scopes.push(row.scopes);
        self.marks.push(row.marks.0);
        if let Some(duration_ns) = row.duration_ns {
            self.durations.resize(self.times.len() - 1, 0);
            self.durations.push(duration_ns.saturating_add(1));
        }
        if let Some(table) = self.tables.get_mut(code as usize) {
            table.push(row.args, taken, &mut self.bytes);
        }
        Ok(())
    }

    fn table(&mut self, event: EventId) -> u16 {
        let Some(code) = self.table_of.get_mut(event.0 as usize) else { return 0 };
        if *code == NO_TABLE {
            // At most as many events as rows, and the block's last row has number 65,535.
            *code = self.tables.len() as u16;
            self.tables.push(Table { event, rows: 0, columns: Vec::new() });
        }
        *code
    }

    pub fn len(&self) -> usize {
        self.times.len()
    }

    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// About how much memory the rows take.
    pub fn bytes(&self) -> usize {
        let columns: usize = self.tables.iter().map(|t| t.rows * t.columns.len() * 9).sum();
        self.len() * 34
            + self.durations.len() * 8
            + columns
            + self.bytes.len()
            + self.contexts.rows.len() * CONTEXT_BYTES
    }

    /// Whether the next row belongs into another block.
    pub fn is_full(&self) -> bool {
        self.len() >= limits::BLOCK_ROWS
            || self.contexts.rows.len() >= limits::BLOCK_ROWS
            || self.bytes.len() >= limits::BLOCK_BYTES / 2
    }

    /// Bytes that are kept for the next block.
    fn kept_bytes(&self) -> usize {
        self.times.capacity() * 34
            + self.durations.capacity() * 8
            + self.bytes.capacity()
            + self.contexts.rows.capacity() * CONTEXT_BYTES
    }

    /// Forgets all rows and contexts, and keeps the memory as long as blocks need it.
    pub fn clear(&mut self) {
        if self.high_water.note(self.bytes(), self.kept_bytes()).is_some() {
            *self = BlockBuilder::new();
            return;
        }
        self.clock = Clock::default();
        self.host = 0;
        self.times.clear();
        self.events.clear();
        self.context_codes.clear();
        self.cpus.clear();
        self.rets.clear();
        self.scopes.clear();
        self.marks.clear();
        self.durations.clear();
        self.bytes.clear();
        self.contexts.clear();
        for table in self.tables.drain(..) {
            if let Some(code) = self.table_of.get_mut(table.event.0 as usize) {
                *code = NO_TABLE;
            }
        }
    }
}

impl Table {
    fn push(&mut self, args: &[Raw<'_>], taken: &[Option<u64>], bytes: &mut Vec<u8>) {
        while self.columns.len() < args.len() {
            // Rows before this one had no such argument.
            let rows = self.rows;
            self.columns.push(RawColumn { tags: vec![TAG_MISSING; rows], words: vec![0; rows] });
        }
        let (mut args, mut taken) = (args.iter(), taken.iter());
        for column in &mut self.columns {
            let (tag, word) = match (args.next(), taken.next()) {
                (None | Some(Raw::Missing), _) => (TAG_MISSING, 0),
                (Some(Raw::Number(n)), _) => (TAG_NUMBER, *n),
                (Some(Raw::Bytes(_)), Some(Some(word))) => (TAG_BYTES, *word),
                (Some(Raw::Bytes(b)), _) => (TAG_BYTES, append(b, bytes)),
            };
            column.tags.push(tag);
            column.words.push(word);
        }
        self.rows += 1;
    }
}

/// Appends a value; where it is, as a word of a column.
fn append(value: &[u8], bytes: &mut Vec<u8>) -> u64 {
    let start = bytes.len() as u64;
    bytes.extend_from_slice(value);
    start << 32 | value.len() as u64
}

#[cfg(test)]
mod tests {
    use events::Marks;

    use super::*;

    /// A block of rows with a path of so many bytes each.
    fn fill(builder: &mut BlockBuilder, rows: u64, bytes: usize) {
        let context = builder.intern(&Context::default());
        let path = vec![b'x'; bytes];
        for time_ns in 0..rows {
            // Numbers that do not compress.
            let args =
                [Raw::Number((time_ns * time_ns).wrapping_mul(0x9e37_79b9_7f4a_7c15)), Raw::Bytes(&path)];
            let (event, scopes, marks) = (EventId(257), 1, Marks(0));
            let row = Row {
                time_ns,
                event,
                cpu: 0,
                context,
                ret: 0,
                scopes,
                marks,
                duration_ns: None,
                args: &args,
            };
            builder.push(&row).unwrap();
        }
    }

    #[test]
    fn what_a_large_block_took_is_given_back_after_some_small_ones() {
        let (mut builder, mut encoder) =
            (BlockBuilder::new(), crate::Encoder::new(crate::Options::default()));
        fill(&mut builder, 20_000, 200);
        encoder.encode(&mut builder).unwrap();
        let (large, large_buffers) = (builder.kept_bytes(), encoder.kept_bytes());
        assert!(large > 4 << 20 && large_buffers > 100_000, "{large} {large_buffers}");
        for _ in 0..200 {
            fill(&mut builder, 100, 20);
            encoder.encode(&mut builder).unwrap();
        }
        let (small, small_buffers) = (builder.kept_bytes(), encoder.kept_bytes());
        assert!(small < 100_000 && small_buffers < 100_000, "{small} {small_buffers}");
    }

    #[test]
    fn blocks_alike_keep_their_memory() {
        let mut builder = BlockBuilder::new();
        let mut kept = Vec::new();
        for _ in 0..40 {
            fill(&mut builder, 1_000, 200);
            builder.clear();
            kept.push(builder.kept_bytes());
        }
        assert!(kept.iter().all(|bytes| *bytes == kept[0]), "{kept:?}");
    }
}
