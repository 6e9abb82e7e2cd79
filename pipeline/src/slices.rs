//! Batches that wait among many others, cut into slices: of each only the slice that comes next is decoded.
//!
//! Where the blocks of two hundred hosts overlap, two hundred batches wait for each other, and their decoded columns would take
//! gigabytes. So once those that wait take [`Question::waiting_bytes`], the selected rows of every further one are encoded anew, some
//! thousand to a block without a file, and the batch itself is let go.
//!
//! ```text
//! host 1   |== decoded ==|- encoded -|- encoded -|
//! host 2     |= decoded =|- encoded -|
//! host 3       |== decoded ===|- encoded -|            order takes rows from the decoded ones
//! ```
//! Encoded slices wait in a [`Spill`]: some bytes a row, in memory or on disk. The bound is written in docs/performance.md.

mod derived;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use derived::KeptDerived;
use events::EventId;
use format::{Block, BlockBuilder, BlockHead, Compression, Encoder, Options, Row, Schema, Scratch};

use crate::batch::{Batch, Rows, Selection};
use crate::matching::Matcher;
#[cfg(doc)]
use crate::question::Question;
use crate::selection::Candidate;
use crate::sink::Projection;
use crate::source::{BlockRef, File, Host};
use crate::spill::{Kept, Spill};
use crate::state::Taken;
use crate::{Error, Result};

/// Of the bytes that may wait decoded, the part that the slices that come next take, nearly.
const NEXT_SHARE: usize = 4;
/// Rows of a slice, at least and at most.
const ROWS: std::ops::RangeInclusive<usize> = 16..=8192;
/// Rows that came late make neighbours overlap.
const NEIGHBOURS: usize = 2;

/// How much memory a question took, whatever its answer was. A clone is the same meter.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<AtomicUsize>);

impl Meter {
    /// Bytes of decoded columns that were held at a time, at most: of blocks that were printed, and of those that waited for
    /// the rows of others.
    pub fn most_held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the batches of a question have in common for this.
#[derive(Debug)]
pub(crate) struct Slicing {
    /// Blocks of the question that overlap at some time, at most.
    overlap: usize,
    /// Bytes of decoded columns of whole batches, at most.
    most: usize,
    /// Bytes of decoded columns of whole batches.
    whole: AtomicUsize,
    /// Bytes of all that is decoded.
    waiting: AtomicUsize,
    meter: Meter,
    spill: Arc<Spill>,
    scratch: Mutex<Scratch>,
}

/// What one thread needs to cut batches.
#[derive(Debug)]
pub(crate) struct Slicer {
    builder: BlockBuilder,
    encoder: Encoder,
    /// By context code of the batch's block: the code in the slice.
    contexts: Vec<Option<u32>>,
    parts: Vec<Part>,
    rows: Vec<(u32, Candidate)>,
}

/// What is left of a batch that was cut.
#[derive(Debug)]
pub(crate) struct Rest<'q> {
    batch: Arc<Cut<'q>>,
    /// The slice that comes next.
    next: usize,
}

/// A batch that was cut.
#[derive(Debug)]
struct Cut<'q> {
    reference: BlockRef,
    file: &'q File,
    host: Arc<Host>,
    matcher: &'q Matcher<'q>,
    projection: Projection,
    is_end: bool,
    events: Vec<crate::matching::Present>,
    schema: Schema,
    parts: Vec<Mutex<Option<Part>>>,
    slicing: Arc<Slicing>,
}

#[derive(Debug)]
struct Part {
    head: BlockHead,
    block: Kept,
    /// Of each row, where it stood, and its scopes.
    rows: Kept,
    derived: KeptDerived,
    /// Time of the last row on the ordering clock.
    last: u64,
}

impl Slicing {
    pub fn new(overlap: usize, most: usize, meter: Meter) -> Slicing {
        let (spill, scratch) = (Arc::default(), Mutex::default());
        let (whole, waiting) = Default::default();
        Slicing { overlap, most, whole, waiting, meter, spill, scratch }
    }

    /// A batch waits, whole or as a slice.
    pub fn begin(&self, bytes: usize, is_whole: bool) {
        let before = self.waiting.fetch_add(bytes, Ordering::Relaxed);
        self.meter.0.fetch_max(before + bytes, Ordering::Relaxed);
        self.whole.fetch_add(if is_whole { bytes } else { 0 }, Ordering::Relaxed);
    }

    /// Its turn has come.
    pub fn end(&self, bytes: usize, is_whole: bool) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        self.whole.fetch_sub(if is_whole { bytes } else { 0 }, Ordering::Relaxed);
    }

    /// Whether a batch of so many bytes is not to wait whole.
    pub fn is_needed(&self, bytes: usize) -> bool {
        self.overlap > NEIGHBOURS && self.whole.load(Ordering::Relaxed) + bytes > self.most
    }

    fn rows(&self, batch: &Batch<'_>) -> usize {
        let a_row = (batch.block.memory() / batch.block.rows().max(1)).max(64);
        (self.most / NEXT_SHARE / self.overlap.max(1) / a_row).clamp(*ROWS.start(), *ROWS.end())
    }
}

impl Default for Slicer {
    fn default() -> Slicer {
        let mut options = Options::new(Compression::Fast);
        options.leaves_out_texts = true;
        Slicer {
            builder: BlockBuilder::new(),
            encoder: Encoder::new(options),
            contexts: Vec::new(),
            parts: Vec::new(),
            rows: Vec::new(),
        }
    }
}

/// Why a batch is not cut.
enum Refused {
    /// It can only wait whole: its rows are not in order of time, or are of an event that nobody declared.
    Whole,
    Error(Error),
}

impl From<format::Error> for Refused {
    fn from(_: format::Error) -> Refused {
        Refused::Whole
    }
}

impl Slicer {
    /// Cuts a batch; gives it back where that cannot be.
    pub fn cut<'q>(
        &mut self,
        batch: Batch<'q>,
        slicing: &Arc<Slicing>,
    ) -> Result<std::result::Result<Rest<'q>, Batch<'q>>> {
        self.parts.clear();
        self.rows.clear();
        self.builder.clear();
        match self.encode_all(&batch, slicing) {
            Ok(()) => {}
            Err(Refused::Whole) => return Ok(Err(batch)),
            Err(Refused::Error(error)) => return Err(error),
        }
        let Batch { reference, file, host, matcher, projection, selection, taken, .. } = batch;
        let schema = Schema::declaring(selection.events.iter().map(|it| it.event));
        let cut = Cut {
            reference,
            file,
            host,
            matcher,
            projection,
            is_end: taken.is_end,
            events: selection.events,
            schema,
            parts: self.parts.drain(..).map(|part| Mutex::new(Some(part))).collect(),
            slicing: Arc::clone(slicing),
        };
        Ok(Ok(Rest { batch: Arc::new(cut), next: 0 }))
    }

    fn encode_all(&mut self, batch: &Batch<'_>, slicing: &Slicing) -> Result<(), Refused> {
        let all = Rows::new(batch)?;
        let most = slicing.rows(batch);
        self.contexts.clear();
        self.contexts.resize(batch.block.context_count(), None);
        let (mut begin, mut before) = (0, 0);
        for (at, candidate) in batch.selection.rows.iter().enumerate() {
            let mut pushed = Ok(());
            all.with(candidate, |view| {
                let args: Vec<_> =
                    (0..view.event.args.len()).map(|position| view.args.get(position)).collect();
                if view.time_ns < before || view.event.id == EventId(u16::MAX) {
                    pushed = Err(Refused::Whole);
                    return;
                }
                before = view.time_ns;
                let place = self.contexts.get_mut(view.context_index as usize);
                let context = match place {
                    Some(Some(known)) => *known,
                    Some(place) => *place.insert(self.builder.intern(view.context)),
                    None => self.builder.intern(view.context),
                };
                let row = Row {
                    time_ns: view.time_ns,
                    event: view.event.id,
                    cpu: view.cpu,
                    context,
                    ret: view.ret,
                    scopes: view.recorded,
                    marks: view.marks,
                    duration_ns: view.duration_ns,
                    args: &args,
                };
                pushed = self.builder.push(&row).map_err(Refused::from);
                self.rows.push((view.at.row, *candidate));
            })?;
            pushed?;
            // A row of which nothing can be said is left out, as it is where nothing is cut.
            let is_last = at + 1 == batch.selection.rows.len();
            if self.rows.len() >= most || self.builder.is_full() || (is_last && !self.rows.is_empty()) {
                let part = self.part(batch, begin..at + 1, slicing)?;
                self.parts.push(part);
                begin = at + 1;
            }
        }
        Ok(())
    }

    fn part(
        &mut self,
        batch: &Batch<'_>,
        selected: std::ops::Range<usize>,
        slicing: &Slicing,
    ) -> Result<Part, Refused> {
        self.contexts.iter_mut().for_each(|code| *code = None);
        self.builder.set_clock(batch.block.clock());
        self.builder.set_host(batch.block.host());
        let last = batch.key(selected.end.saturating_sub(1)).unwrap_or_default();
        let (bytes, head) = self.encoder.encode(&mut self.builder)?.into_parts();
        let mut rows = Vec::new();
        write_rows(&self.rows, &mut rows);
        self.rows.clear();
        let keep = |bytes| {
            let kept = slicing.spill.keep(bytes);
            kept.map_err(|source| Refused::Error(Error::Spill { source }))
        };
        let derived = batch.derived.part(selected);
        let derived = KeptDerived::encode(&derived, &mut self.builder, &mut self.encoder, &slicing.spill)?;
        Ok(Part { head, block: keep(bytes)?, rows: keep(rows)?, derived, last })
    }
}

impl<'q> Rest<'q> {
    /// Decodes the slice that comes next; `None` when there is none. What is behind it is its rest.
    pub fn open(&self) -> Result<Option<(Batch<'q>, Rest<'q>)>> {
        let cut = &self.batch;
        let Some(place) = cut.parts.get(self.next) else { return Ok(None) };
        let part = place.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Part { head, block, rows, derived, last }) = part else { return Ok(None) };
        let spilled = |source| Error::Spill { source };
        let (bytes, rows) = (block.read().map_err(spilled)?, rows.read().map_err(spilled)?);
        let damaged = |source| Error::Capture { file: cut.file.name.clone(), source };
        let mut scratch = cut.slicing.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let block = Block::from_bytes(bytes, head, &cut.schema, &mut scratch).map_err(damaged)?;
        let derived = derived.decode(&cut.file.name, &mut scratch)?;
        drop(scratch);
        block.times().map_err(damaged)?;
        let codes = block.event_codes().map_err(damaged)?;
        let ordinals = crate::selection::ordinals(codes, block.event_list().len());
        let (mut origins, mut candidates) = (Vec::new(), Vec::new());
        read_rows(&rows, &mut |row, visible, base| {
            let at = candidates.len();
            let ordinal = ordinals.get(at).copied().unwrap_or_default();
            candidates.push(Candidate { row: at as u32, ordinal, visible, base });
            origins.push(row);
        });
        let of = |id: &EventId| cut.events.iter().find(|it| it.event.id == *id).copied();
        let events = block.event_list().iter().filter_map(of).collect();
        let batch = Batch {
            block: Arc::new(block),
            reference: BlockRef { last, ..cut.reference },
            file: cut.file,
            host: Arc::clone(&cut.host),
            matcher: cut.matcher,
            taken: Taken { is_end: cut.is_end, ..Taken::default() },
            selection: Selection { counted: 0, events, rows: candidates },
            derived,
            origins,
            projection: cut.projection,
        };
        Ok(Some((batch, Rest { batch: Arc::clone(cut), next: self.next + 1 })))
    }
}

/// Runs of rows that follow each other and are in the same scopes: a gap before them and a length, each in groups of seven bits,
/// and two masks.
fn write_rows(rows: &[(u32, Candidate)], out: &mut Vec<u8>) {
    let mut next = 0;
    let is_run = |a: &(u32, Candidate), b: &(u32, Candidate)| {
        b.0 == a.0.wrapping_add(1) && (a.1.visible, a.1.base) == (b.1.visible, b.1.base)
    };
    for run in rows.chunk_by(is_run) {
        let Some((row, candidate)) = run.first() else { continue };
        number(row.wrapping_sub(next), out);
        number(run.len() as u32, out);
        out.extend_from_slice(&candidate.visible.to_le_bytes());
        out.extend_from_slice(&candidate.base.to_le_bytes());
        next = row.wrapping_add(run.len() as u32);
    }
}

fn number(mut number: u32, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_rows(mut bytes: &[u8], see: &mut dyn FnMut(u32, u64, u64)) {
    let mut next = 0u32;
    while !bytes.is_empty() {
        let (gap, length) = (take_number(&mut bytes), take_number(&mut bytes));
        let mut mask = || {
            let (mask, rest) = bytes.split_first_chunk().unwrap_or((&[0; 8], &[]));
            bytes = rest;
            u64::from_le_bytes(*mask)
        };
        let (visible, base) = (mask(), mask());
        next = next.wrapping_add(gap);
        for _ in 0..length {
            see(next, visible, base);
            next = next.wrapping_add(1);
        }
    }
}

fn take_number(bytes: &mut &[u8]) -> u32 {
    let (mut number, mut shift) = (0, 0);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u32::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 || shift > 28 {
            break;
        }
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_their_scopes_are_read_back() {
        let mut rows = Vec::new();
        for at in 0..3000u32 {
            let row = if at % 7 == 0 { at * 5 } else { at * 5 / 7 * 7 + at };
            let candidate =
                Candidate { row, ordinal: 0, visible: u64::from(at / 40 % 3), base: u64::from(at % 50 == 0) };
            rows.push((row, candidate));
        }
        rows.push((u32::MAX, Candidate { row: 0, ordinal: 0, visible: u64::MAX, base: 0 }));
        let (mut bytes, mut read) = (Vec::new(), Vec::new());
        write_rows(&rows, &mut bytes);
        read_rows(&bytes, &mut |row, visible, base| read.push((row, visible, base)));
        let expected: Vec<_> = rows.iter().map(|(row, it)| (*row, it.visible, it.base)).collect();
        assert_eq!(read, expected);
    }
}
