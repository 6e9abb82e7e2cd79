//! One block on its way into another capture, row by row.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::io::Write;
use std::sync::Arc;

use events::context::{ContextFlags, Standing};
use events::{Context, Event, EventId, Marks, Raw};
use hashbrown::{DefaultHashBuilder, HashTable};

use super::{Change, Copied, Edit, Fate, Place, Text};
use crate::{Block, BlockBuilder, Capture, Clock, Encoder, Error, Result, Row, Writer, limits};

/// Values of so many bytes are taken once for all rows of the copy that have them, as the block itself has them once. Rows
/// may share a value of a megabyte, so that without this a file of a megabyte would become one of gigabytes: blocks are
/// full by the bytes of their values, and each would have the value again.
const SHARED_VALUE: usize = 32;

pub(super) struct BlockCopy<'a> {
    block: &'a Block,
    place: Place,
    /// By context code: its code in the builder, once a row has needed it; and the same of contexts without texts.
    codes: [Vec<Option<u32>>; 2],
    /// By event code.
    tables: Vec<Copying>,
    /// Long values that rows have as they stand in the block, by where they are there: where they are in the builder.
    shared: HashMap<(usize, usize), u64>,
    /// And those that an edit gave, by what they are.
    edited: Edited,
    encoder: &'a mut Encoder,
    builder: &'a mut BlockBuilder,
}

/// What is the same for all rows of an event.
struct Copying {
    event: &'static Event,
    /// Arguments that are times of the boot clock.
    times: Vec<usize>,
    /// Rows that went by.
    ordinal: usize,
}

impl<'a> BlockCopy<'a> {
    pub fn new(
        capture: &'a Capture,
        block: &'a Block,
        place: Place,
        encoder: &'a mut Encoder,
        builder: &'a mut BlockBuilder,
    ) -> Result<BlockCopy<'a>> {
        let contexts = block.contexts()?.len();
        let copying = |id: &EventId| {
            let event = capture.schema().event(*id).ok_or_else(damaged)?;
            let times = event.args.iter().enumerate().filter(|(_, arg)| is_time(arg.name)).map(|(at, _)| at);
            Ok(Copying { event, times: times.collect(), ordinal: 0 })
        };
        let tables = block.event_list().iter().map(copying).collect::<Result<_>>()?;
        let codes = [vec![None; contexts], vec![None; contexts]];
        let (shared, edited) = (HashMap::new(), Edited::default());
        Ok(BlockCopy { block, place, codes, tables, shared, edited, encoder, builder })
    }

    fn begin(&mut self) {
        let clock = self.block.clock();
        self.builder.clear();
        self.builder.set_clock(Clock { boot_ns: self.place.time(clock.boot_ns), ..clock });
        self.builder.set_host(self.block.host().wrapping_add(self.place.host));
        self.codes.iter_mut().for_each(|codes| codes.fill(None));
        self.shared.clear();
        self.edited.clear();
    }

    /// Copies the rows; without a writer the edit sees them and nothing is written.
    pub fn rows<W: Write>(&mut self, mut writer: Option<&mut Writer<W>>, edit: &mut dyn Edit) -> Result<u64> {
        self.begin();
        edit.block();
        let block = self.block;
        let (contexts, codes) = (block.contexts()?, block.event_codes()?);
        let (context_codes, times, rets) = (block.context_codes()?, block.times()?, block.rets()?);
        let (scopes, marks, cpus) = (block.scopes()?, block.marks()?, block.cpus()?);
        let durations = block.durations()?;
        let clock = block.clock();
        let mut copied = 0;
        let mut values: Vec<Raw<'_>> = Vec::new();
        let mut changed: Vec<Change> = Vec::new();
        for row in 0..block.rows() {
            let code = *codes.get(row).ok_or_else(damaged)?;
            let context_code = *context_codes.get(row).ok_or_else(damaged)?;
            let context = contexts.get(context_code).ok_or_else(damaged)?;
            let Copying { event, times: starts, ordinal: next } =
                self.tables.get_mut(code as usize).ok_or_else(damaged)?;
            let (event, ordinal) = (*event, std::mem::replace(next, *next + 1));
            let time_ns = times.get(row).copied().unwrap_or_default();
            let table = block.args(code);
            values.clear();
            for position in 0..event.args.len() {
                values.push(table.get(ordinal, position)?);
            }
            for position in starts {
                if let Some(Raw::Number(start)) = values.get_mut(*position) {
                    *start = self.place.start(*start);
                }
            }
            let wall_ns = clock.wall(time_ns);
            let this = Copied { event, context: &context, row, ordinal, time_ns, wall_ns, args: &values };
            let mut row_marks = marks.get(row).copied().unwrap_or_default();
            match edit.row(&this) {
                Fate::Keep => {}
                Fate::StateOnly => row_marks |= Marks::STATE_ONLY,
                Fate::Drop => continue,
            }
            changed.clear();
            let edited = values.iter().enumerate();
            changed.extend(edited.map(|(position, value)| edit.argument(&this, position, *value)));
            if self.builder.is_full() {
                self.flush(writer.as_deref_mut())?;
                self.begin();
            }
            let hides = edit.hides_context();
            let context = self.context(context_code, &context, hides, edit)?;
            copied += 1;
            if writer.is_none() {
                continue;
            }
            let mut args: Vec<Raw<'_>> = Vec::with_capacity(values.len());
            let mut taken: Vec<Option<u64>> = Vec::new();
            for (position, (value, change)) in values.iter().zip(&changed).enumerate() {
                args.push(match change {
                    Change::Keep => *value,
                    Change::Missing => Raw::Missing,
                    Change::Number(number) => Raw::Number(*number),
                    Change::Bytes(bytes) => Raw::Bytes(bytes),
                });
                let word = match (change, value) {
                    (Change::Keep, Raw::Bytes(bytes)) if bytes.len() >= SHARED_VALUE => {
                        self.shared_value(bytes)
                    }
                    (Change::Bytes(bytes), _) if bytes.len() >= SHARED_VALUE => {
                        self.edited.word(bytes, self.builder)
                    }
                    _ => None,
                };
                if word.is_some() {
                    taken.resize(position, None);
                    taken.push(word);
                }
            }
            let row = Row {
                time_ns: self.place.time(time_ns),
                event: event.id,
                cpu: cpus.get(row).copied().unwrap_or_default(),
                context,
                ret: rets.get(row).copied().unwrap_or_default(),
                scopes: scopes.get(row).copied().unwrap_or_default(),
                marks: Marks(row_marks),
                duration_ns: durations.get(row),
                args: &args,
            };
            self.builder.push_taken(&row, &taken)?;
        }
        self.flush(writer)?;
        Ok(copied)
    }

    /// Where a value of the block is in the builder, which takes it the first time; `None` when it has no room.
    fn shared_value(&mut self, value: &[u8]) -> Option<u64> {
        let at = (value.as_ptr() as usize, value.len());
        if let Some(known) = self.shared.get(&at) {
            return Some(*known);
        }
        let word = self.builder.take(value)?;
        self.shared.insert(at, word);
        Some(word)
    }

    fn context(&mut self, code: u16, context: &Context<'a>, hides: bool, edit: &mut dyn Edit) -> Result<u32> {
        let place = self.place;
        let [whole, bare] = &mut self.codes;
        let Some(known) = if hides { bare } else { whole }.get_mut(code as usize) else {
            let (value, limit) = (u64::from(code), limits::BLOCK_ROWS as u64);
            return Err(Error::TooLarge { what: "a context", value, limit });
        };
        if let Some(known) = known {
            return Ok(*known);
        }
        let context = &if hides { context.without_texts() } else { *context };
        let (comm, exe, uts) = (
            edit.text(Text::Comm, context.comm),
            edit.text(Text::Path, context.exe),
            edit.text(Text::Host, context.uts),
        );
        let directory = context.standing.cwd.and_then(|cwd| edit.text(Text::Directory, cwd));
        // One that was dropped is not known.
        let cwd = directory.as_deref().or(context.standing.cwd).filter(|cwd| !cwd.is_empty());
        let moved = Context {
            thread_start_ns: place.start(context.thread_start_ns),
            process_start_ns: place.start(context.process_start_ns),
            parent_start_ns: place.start(context.parent_start_ns),
            comm: comm.as_deref().unwrap_or(context.comm),
            exe: exe.as_deref().unwrap_or(context.exe),
            uts: uts.as_deref().unwrap_or(context.uts),
            flags: ContextFlags(context.flags.0),
            standing: Standing { cwd, ..context.standing },
            ..*context
        };
        let code = self.builder.intern(&moved);
        *known = Some(code);
        Ok(code)
    }

    fn flush<W: Write>(&mut self, writer: Option<&mut Writer<W>>) -> Result<()> {
        let Some(writer) = writer.filter(|_| !self.builder.is_empty()) else { return Ok(()) };
        writer.block(&self.encoder.encode(self.builder)?)
    }
}

/// Whether an argument is a time of the boot clock.
fn is_time(name: &str) -> bool {
    matches!(name, "start_time" | "parent_start_time")
}

/// Values that stand in a builder, each once.
#[derive(Default)]
struct Edited {
    words: HashTable<u64>,
    hasher: DefaultHashBuilder,
    /// Those that an edit gave for many rows, by where they are.
    known: HashMap<*const u8, (Arc<[u8]>, u64)>,
}

impl Edited {
    fn clear(&mut self) {
        self.words.clear();
        self.known.clear();
    }

    fn word(&mut self, value: &Arc<[u8]>, builder: &mut BlockBuilder) -> Option<u64> {
        if let Some((known, word)) = self.known.get(&value.as_ptr())
            && known.len() == value.len()
        {
            return Some(*word);
        }
        let word = self.taken(value, builder)?;
        if Arc::strong_count(value) > 1 {
            self.known.insert(value.as_ptr(), (Arc::clone(value), word));
        }
        Some(word)
    }

    fn taken(&mut self, value: &[u8], builder: &mut BlockBuilder) -> Option<u64> {
        let Edited { words, hasher, known: _ } = self;
        let hash = hasher.hash_one(value);
        if let Some(known) = words.find(hash, |word| builder.taken(*word) == value) {
            return Some(*known);
        }
        let word = builder.take(value)?;
        words.insert_unique(hash, word, |word| hasher.hash_one(builder.taken(*word)));
        Some(word)
    }
}

fn damaged() -> Error {
    Error::Damaged { offset: 0, what: "a block contradicts itself" }
}
