//! The arguments of a record, put together from its words and its blobs.

use events::{
    ArgKind, Event, Marks, Raw,
    abi::{HEADER_BYTES, RecordHeader, files, form},
    dirents,
};

use super::{
    super::{
        files::{File, Known},
        numbers,
    },
    Blob, MAX_ARGS, append_path, blob_at,
    slot_reader::{SlotReader, Word},
    u64_at, until_nul, word,
};

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
        files: Known<'_>,
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
        mut files: Known<'_>,
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
        if marks.has(Marks::AT_ENTRY) {
            // What a call comes to is not known at its entry, where the word is what happened to be in a register.
            let told = reader.words.iter().filter(|(read, _)| *read == Word::Told);
            for (_, position) in told {
                if let Some(place) = args.get_mut(usize::from(*position)) {
                    *place = Raw::Missing;
                }
            }
        }
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
                marks = slot.event.with_unreadable(marks, position);
                continue;
            }
            if matches!(arg.kind, ArgKind::Fd) && blob.form == form::FILE {
                if let Some(Raw::Number(number)) = args.get(position) {
                    self.descriptor(position, *number, &mut files, record, (slot.event, blob), &mut marks);
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
                self.value(position, &files, record, (slot.event, blob), &mut marks);
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
        files: &mut Known<'_>,
        record: &[u8],
        (event, blob): (&Event, Blob),
        marks: &mut Marks,
    ) {
        let id = u64_at(record, blob.start as usize).unwrap_or(0);
        // Two descriptors of one call may stand for one file, which remembers one number; and what others read remembers none.
        let has_file = self.places.iter().any(|place| place.holder == Holder::File);
        let (file, is_copied) = match files {
            Known::Own(files) if !has_file => (files.number(blob.place, id, number), false),
            files => (files.get(blob.place, id), true),
        };
        let Some(file) = file else { return };
        if file.is_cut {
            *marks = event.with_partial(*marks, position);
        }
        if file.text().is_empty() {
            return;
        }
        let start = self.made.len();
        if is_copied {
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
    fn value(
        &mut self,
        position: usize,
        files: &Known<'_>,
        record: &[u8],
        (event, blob): (&Event, Blob),
        marks: &mut Marks,
    ) {
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
                    *marks = event.with_partial(*marks, position);
                }
                if file.text().is_empty() {
                    *marks = event.with_unreadable(*marks, position);
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
