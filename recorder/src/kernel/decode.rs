//! Records as bytes to records as values. The bytes are judged before they are believed, though the kernel wrote them.

use std::ops::Range;

use events::{
    Arg, ArgKind, Marks, Names, Raw, Returns,
    abi::{
        BLOB_HEADER_BYTES, CONTEXT_BYTES, HEADER_BYTES, RecordHeader, WireContext, files, form,
        region::LARGEST_WRITE,
    },
    catalogue::Arch,
    dirents,
    marks::PARTIAL_PATH,
};

use self::{machine::Relayout, narrow::Narrow};
use super::{
    files::{File, Files},
    numbers,
    tables::SlotEvent,
};

mod machine;
mod narrow;
#[cfg(test)]
pub mod tests;

/// Arguments of an event at most.
pub const MAX_ARGS: usize = 32;

#[inline]
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[inline]
fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    number(bytes, at).map(u64::from_ne_bytes)
}

#[inline]
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    number(bytes, at).map(u32::from_ne_bytes)
}

#[inline]
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    number(bytes, at).map(u16::from_ne_bytes)
}

/// The header of the record that the bytes start with; `None` when they do not start with a whole record.
#[inline]
pub fn header(bytes: &[u8]) -> Option<RecordHeader> {
    let start: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    let header = RecordHeader {
        time_ns: u64_at(start, 0)?,
        length: u32_at(start, 8)?,
        slot: u16_at(start, 12)?,
        kind: start[14],
        words: start[15],
        context: u64_at(start, 16)?,
        ret: u64_at(start, 24)? as i64,
        marks: u32_at(start, 32)?,
        cpu: u16_at(start, 36)?,
        more: u16_at(start, 38)?,
    };
    let length = header.length as usize;
    let is_whole = length >= HEADER_BYTES + header.words as usize * 8
        && length.is_multiple_of(8)
        && length <= LARGEST_WRITE
        && length <= bytes.len();
    is_whole.then_some(header)
}

/// An argument word of a record.
pub fn word(record: &[u8], index: usize) -> Option<u64> {
    u64_at(record, HEADER_BYTES + index * 8)
}

/// The numbers of a context record.
pub fn context(record: &[u8]) -> Option<WireContext> {
    let bytes: &[u8; CONTEXT_BYTES] = record.get(HEADER_BYTES..)?.first_chunk()?;
    let word = |n: usize| u32_at(bytes, n * 4);
    let mut uts = [[0; 8]; 8];
    for (i, part) in uts.iter_mut().enumerate() {
        *part = number(bytes, 104 + i * 8)?;
    }
    Some(WireContext {
        pid: word(0)?,
        tid: word(1)?,
        ppid: word(2)?,
        ns_pid: word(3)?,
        ns_tid: word(4)?,
        ns_ppid: word(5)?,
        uid: word(6)?,
        gid: word(7)?,
        mnt_ns: word(8)?,
        pid_ns: word(9)?,
        net_ns: word(10)?,
        user_ns: word(11)?,
        cgroup_id: u64_at(bytes, 48)?,
        thread_start_ns: u64_at(bytes, 56)?,
        process_start_ns: u64_at(bytes, 64)?,
        parent_start_ns: u64_at(bytes, 72)?,
        flags: word(20)?,
        spare: 0,
        comm: number(bytes, 88)?,
        uts,
    })
}

/// Bytes up to the first NUL.
#[inline]
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

/// A blob: whose it is and where its bytes are. Small, so that it travels in registers: there is one in most records.
#[derive(Clone, Copy)]
pub struct Blob {
    pub arg: u8,
    pub form: u8,
    /// Of a [`form::FILE`]: where the programs keep the file.
    pub place: u16,
    start: u32,
    length: u32,
}

impl Blob {
    /// Where its bytes are in the record.
    pub fn bytes(self) -> Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }
}

/// The blob whose header is there; `None` when it is torn.
#[inline]
fn blob_at(record: &[u8], at: usize) -> Option<Blob> {
    let header = u64_at(record, at)?;
    let [a, b, c, d, arg, form, low, high] = header.to_ne_bytes();
    let length = u32::from_ne_bytes([a, b, c, d]);
    let start = at + BLOB_HEADER_BYTES;
    let is_whole = record.len() - start >= length as usize && record.len() <= LARGEST_WRITE;
    let place = u16::from_ne_bytes([low, high]);
    is_whole.then_some(Blob { arg, form, place, start: start as u32, length })
}

/// The blobs of a record, up to the first torn one.
pub fn blobs(record: &[u8], words: u8) -> impl Iterator<Item = Blob> {
    let mut at = HEADER_BYTES + words as usize * 8;
    std::iter::from_fn(move || {
        let blob = blob_at(record, at)?;
        at = blob.bytes().end.next_multiple_of(8);
        Some(blob)
    })
}

/// Appends the path whose components stand last first, each with a NUL. One whose front is missing begins with
/// [`PARTIAL_PATH`], so that it does not pass for the absolute path of something else.
pub fn append_path(components: &[u8], form: u8, out: &mut Vec<u8>) {
    let components = components.strip_suffix(&[0]).unwrap_or(components);
    match form {
        form::PARTIAL_PATH => out.extend_from_slice(PARTIAL_PATH),
        form::PSEUDO_PATH if !components.is_empty() => {}
        _ => out.push(b'/'),
    }
    if components.is_empty() {
        return;
    }
    for (i, component) in components.rsplit(|b| *b == 0).enumerate() {
        if i > 0 {
            out.push(b'/');
        }
        out.extend_from_slice(component);
    }
}

/// The path in a context record; empty when it has none.
pub fn context_path(record: &[u8], words: u8, out: &mut Vec<u8>) {
    for blob in blobs(record, words).take(1) {
        if let Some(bytes) = record.get(blob.bytes()) {
            append_path(bytes, blob.form, out);
        }
    }
}

/// What a word of a record is read as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Word {
    /// The event has no such argument, or a blob has its value.
    Nothing,
    Number(ArgKind),
    /// 64 bits that a 32-bit task gave 32 of.
    Widened,
    /// Flags of `open` as aarch64 numbers them.
    OpenFlags(ArgKind),
    /// Where nothing was read (the call failed, or the memory was gone), the address is what is known.
    Address,
}

impl Word {
    fn read(self, register: u64) -> Raw<'static> {
        match self {
            Word::Number(kind) => kind.read_register(register),
            Word::OpenFlags(kind) => kind.read_register(machine::open_flags(register)),
            Word::Widened => Raw::Number(register as i32 as i64 as u64),
            Word::Address if register != 0 => Raw::Number(register),
            Word::Address | Word::Nothing => Raw::Missing,
        }
    }
}

/// How the records of a slot are read, worked out once.
#[derive(Debug)]
pub struct SlotReader {
    pub slot: SlotEvent,
    /// For each word, how it is read and its argument's position.
    words: Box<[(Word, u8)]>,
    /// How the structures of its arguments are laid out anew, by position; empty where none is.
    relayouts: Box<[Option<Relayout>]>,
    /// How its directories' entries are laid out, if it has some.
    dirents: Option<dirents::Layout>,
    /// The argument that says which call the record's first word is the number of.
    call: Option<usize>,
    /// The argument that names the call that it happened in.
    caller: Option<usize>,
    /// Of a 32-bit task's call, how its structures lie.
    narrow: Option<Narrow>,
}

impl SlotReader {
    pub fn new(slot: SlotEvent) -> SlotReader {
        let is_aarch64 = numbers::NATIVE == Arch::Aarch64;
        // Where the kernel is built with CONFIG_CLONE_BACKWARDS.
        let is_backwards = slot.event.name == "clone" && (slot.is_compat || is_aarch64);
        let words = (0..MAX_ARGS).map(|word| {
            let word = if is_backwards { machine::clone_backwards(word) } else { word };
            let position = slot.position(word).filter(|position| *position < MAX_ARGS);
            let Some((position, arg)) = position.and_then(|at| Some((at, slot.event.args.get(at)?))) else {
                return (Word::Nothing, 0);
            };
            let read = match arg.kind {
                ArgKind::I64 if slot.is_compat => Word::Widened,
                kind if is_aarch64 && machine::are_open_flags(arg) => Word::OpenFlags(kind),
                kind if kind.is_number() => Word::Number(kind),
                _ if slot.event.is_syscall() => Word::Address,
                _ => Word::Nothing,
            };
            (read, position as u8)
        });
        let dirents = dirents::Layout::of(slot.event.name, slot.is_compat);
        let names_call = |arg: &Arg| arg.names == Names::Syscall;
        let call = slot.event.args.iter().position(names_call).filter(|_| !slot.event.is_syscall());
        let relayouts = slot.event.args.iter().map(Relayout::of).filter(|_| is_aarch64).collect();
        let narrow = Narrow::of(&slot);
        SlotReader {
            words: words.collect(),
            relayouts,
            dirents,
            call,
            caller: slot.event.caller(),
            narrow,
            slot,
        }
    }

    /// What a record came to: of a hook's, the header says something else in its place.
    pub fn result(&self, header: &RecordHeader) -> i64 {
        let has_result = self.slot.positions.is_none() || self.slot.event.returns != Returns::Nothing;
        if has_result { header.ret } else { 0 }
    }
}

/// Where the value of an argument is.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: u8,
    holder: Holder,
    /// Of a descriptor's file: its place; and where its id is in the record.
    file: u16,
    start: u32,
    end: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Holder {
    /// The record has it as it is.
    Record,
    /// It was put together.
    Made,
    /// A descriptor's file has it.
    File,
}

/// Arguments being put together; reused from record to record.
#[derive(Debug, Default)]
pub struct Arguments {
    /// Values that stand nowhere as they are to be handed over.
    made: Vec<u8>,
    places: Vec<Place>,
    directory: Vec<u8>,
}

/// Most events have no more arguments: room for [`MAX_ARGS`] would have to be emptied for each of them.
const FEW_ARGS: usize = 8;

impl Arguments {
    /// Reads a record's arguments and hands them over, with the marks that their absence gives and the directory that
    /// relative paths begin at, empty when it was not told.
    pub fn read<R>(
        &mut self,
        reader: &SlotReader,
        header: &RecordHeader,
        record: &[u8],
        files: &mut Files,
        then: impl FnOnce(&[Raw<'_>], Marks, &[u8]) -> R,
    ) -> R {
        if reader.slot.event.args.len() <= FEW_ARGS {
            self.read_up_to::<FEW_ARGS, R>(reader, header, record, files, then)
        } else {
            self.read_up_to::<MAX_ARGS, R>(reader, header, record, files, then)
        }
    }

    fn read_up_to<const N: usize, R>(
        &mut self,
        reader: &SlotReader,
        header: &RecordHeader,
        record: &[u8],
        files: &mut Files,
        then: impl FnOnce(&[Raw<'_>], Marks, &[u8]) -> R,
    ) -> R {
        let slot = &reader.slot;
        let declared = slot.event.args.get(..slot.event.args.len().min(N)).unwrap_or_default();
        let mut args = [Raw::Missing; N];
        let words = record.get(HEADER_BYTES..).unwrap_or_default().chunks_exact(8);
        for (bytes, (read, position)) in words.take(header.words as usize).zip(&reader.words) {
            if let (Some(bytes), Some(place)) = (bytes.first_chunk(), args.get_mut(usize::from(*position)))
                && *read != Word::Nothing
            {
                *place = read.read(u64::from_ne_bytes(*bytes));
            }
        }
        let mut marks = slot.marks(header.marks);
        if let Some(place) = reader.call.and_then(|position| args.get_mut(position)) {
            let number = word(record, 0).map_or(-1, |word| word as i32);
            let call = numbers::call(number, marks.has(Marks::COMPAT));
            *place = call.map_or(Raw::Missing, |call| Raw::Number(call.id.0.into()));
        }
        if let Some(place) = reader.caller.and_then(|position| args.get_mut(position)) {
            let slot = usize::try_from(header.ret).ok().and_then(|slot| slot.checked_sub(1));
            if let Some(call) = slot.and_then(numbers::of_slot) {
                *place = Raw::Bytes(call.name.as_bytes());
            }
        }
        if record.len() == HEADER_BYTES + header.words as usize * 8 {
            return then(args.get(..declared.len()).unwrap_or_default(), marks, &[]);
        }
        // First what is put together elsewhere, since the values are borrowed from there.
        self.made.clear();
        self.places.clear();
        self.directory.clear();
        let mut at = HEADER_BYTES + header.words as usize * 8;
        while let Some(blob) = blob_at(record, at) {
            at = blob.bytes().end.next_multiple_of(8);
            if blob.arg == files::position::WORKING_DIRECTORY {
                if blob.form == form::FILE {
                    let id = u64_at(record, blob.start as usize).unwrap_or(0);
                    self.directory.extend_from_slice(files.get(blob.place, id).map_or(&[], File::text));
                } else if blob.form == form::PATH {
                    append_path(record.get(blob.bytes()).unwrap_or_default(), blob.form, &mut self.directory);
                }
                continue;
            }
            let Some(position) = slot.position(blob.arg as usize) else { continue };
            let Some(arg) = declared.get(position) else { continue };
            if slot.is_fork && header.ret == 0 && !arg.kind.is_number() {
                // The child's return. What its parent gave may be something else by now: they can share the memory, and
                // the parent went on.
                marks = marks.lost_arg(position);
                continue;
            }
            if matches!(arg.kind, ArgKind::Fd) && blob.form == form::FILE {
                if let Some(Raw::Number(number)) = args.get(position) {
                    self.descriptor(position, *number, files, record, blob, &mut marks);
                }
            } else if matches!(arg.kind, ArgKind::Fd) && matches!(blob.form, form::PATH | form::PSEUDO_PATH) {
                if let Some(Raw::Number(number)) = args.get(position) {
                    let start = self.made.len();
                    self.made.extend_from_slice(&number.to_le_bytes());
                    let bytes = record.get(blob.bytes()).unwrap_or_default();
                    append_path(bytes, blob.form, &mut self.made);
                    self.put_made(position, start);
                }
            } else if let (ArgKind::Dirents(_), Some(layout)) = (arg.kind, reader.dirents) {
                self.dirents(position, layout, record.get(blob.bytes()).unwrap_or_default());
            } else if let Some(Some(relayout)) = reader.relayouts.get(position) {
                let start = self.made.len();
                relayout.append(record.get(blob.bytes()).unwrap_or_default(), &mut self.made);
                self.put_made(position, start);
            } else if let Some(narrow) = &reader.narrow
                && blob.form == form::PLAIN
                && let Some(wide) = narrow.widen(
                    position,
                    &args,
                    record.get(blob.bytes()).unwrap_or_default(),
                    &mut self.made,
                )
            {
                self.put_made(position, wide);
            } else if !arg.kind.is_number() {
                self.value(position, files, record, blob, &mut marks);
            }
        }
        for place in &self.places {
            let position = usize::from(place.position);
            let (Some(arg), Some(value)) = (declared.get(position), args.get_mut(position)) else { continue };
            let range = place.start as usize..place.end as usize;
            let bytes = match (place.holder, *value) {
                (Holder::Record, _) => record.get(range),
                (Holder::Made, _) => self.made.get(range),
                (Holder::File, Raw::Number(number)) => {
                    u64_at(record, range.start).and_then(|id| files.value(place.file, id, number))
                }
                (Holder::File, _) => None,
            };
            if let Some(bytes) = bytes {
                *value = Raw::Bytes(if matches!(arg.kind, ArgKind::Str) { until_nul(bytes) } else { bytes });
            }
        }
        then(args.get(..declared.len()).unwrap_or_default(), marks, &self.directory)
    }

    /// Finds the value of a descriptor: its number, and what it stands for. Where that is not known, the number stays.
    fn descriptor(
        &mut self,
        position: usize,
        number: u64,
        files: &mut Files,
        record: &[u8],
        blob: Blob,
        marks: &mut Marks,
    ) {
        let id = u64_at(record, blob.start as usize).unwrap_or(0);
        // Two descriptors of one call may stand for one file, which remembers one number.
        let has_file = self.places.iter().any(|place| place.holder == Holder::File);
        let file = if has_file { files.get(blob.place, id) } else { files.number(blob.place, id, number) };
        let Some(file) = file else { return };
        if file.is_cut {
            *marks = marks.partial_arg(position);
        }
        if file.text().is_empty() {
            return;
        }
        let start = self.made.len();
        if has_file {
            self.made.extend_from_slice(&number.to_le_bytes());
            self.made.extend_from_slice(file.text());
            self.put_made(position, start);
        } else {
            self.put(position, Holder::File, blob);
        }
    }

    /// Puts the entries of a directory together: the last one may be cut off, and is left out.
    fn dirents(&mut self, position: usize, layout: dirents::Layout, kernel: &[u8]) {
        let start = self.made.len();
        self.made.push(dirents::TAG);
        for entry in layout.entries(kernel) {
            entry.store(|part| self.made.extend_from_slice(part));
        }
        self.put_made(position, start);
    }

    /// Finds any other value that is bytes, and puts it together where it is not one by itself.
    fn value(&mut self, position: usize, files: &Files, record: &[u8], blob: Blob, marks: &mut Marks) {
        let start = self.made.len();
        match blob.form {
            form::PLAIN => self.put(position, Holder::Record, blob),
            form::PATH | form::PSEUDO_PATH | form::PARTIAL_PATH => {
                let bytes = record.get(blob.bytes()).unwrap_or_default();
                append_path(bytes, blob.form, &mut self.made);
                self.put_made(position, start);
            }
            form::FILE => {
                let id = u64_at(record, blob.start as usize).unwrap_or(0);
                let Some(file) = files.get(blob.place, id) else { return };
                if file.is_cut {
                    *marks = marks.partial_arg(position);
                }
                if file.text().is_empty() {
                    *marks = marks.lost_arg(position);
                    return;
                }
                self.made.extend_from_slice(file.text());
                self.put_made(position, start);
            }
            _ => {}
        }
    }

    fn put(&mut self, position: usize, holder: Holder, blob: Blob) {
        let end = blob.start + blob.length;
        let place = Place { position: position as u8, holder, file: blob.place, start: blob.start, end };
        self.places.push(place);
    }

    fn put_made(&mut self, position: usize, start: usize) {
        let (start, end) = (start as u32, self.made.len() as u32);
        self.places.push(Place { position: position as u8, holder: Holder::Made, file: 0, start, end });
    }
}

impl SlotEvent {
    /// The marks with their bits of arguments where the event has those arguments.
    fn marks(&self, wire: u32) -> Marks {
        const OF_ARGUMENTS: u32 = 0x00ff_ff00;
        if self.positions.is_none() || wire & OF_ARGUMENTS == 0 {
            return Marks(wire);
        }
        let mut marks = Marks(wire & !OF_ARGUMENTS);
        for word in 0..8 {
            let Some(position) = self.position(word).filter(|position| *position < 8) else { continue };
            if Marks(wire).is_lost(word) {
                marks = marks.lost_arg(position);
            }
            if Marks(wire).is_cut(word) {
                marks = marks.cut_arg(position);
            }
        }
        marks
    }

    /// The position of a word or blob among the event's arguments.
    fn position(&self, word: usize) -> Option<usize> {
        match &self.positions {
            None => Some(word),
            Some(positions) => positions.get(word).copied().flatten().map(usize::from),
        }
    }
}
