//! Records as bytes to records as values. The bytes are judged before they are believed, though the kernel wrote them.

use std::ops::Range;

use events::{
    ArgKind, Marks, Raw,
    abi::{
        BLOB_HEADER_BYTES, CONTEXT_BYTES, HEADER_BYTES, RecordHeader, WireContext, files, form,
        region::LARGEST_WRITE,
    },
};

use super::{files::Files, tables::SlotEvent};

/// Arguments of an event at most.
pub const MAX_ARGS: usize = 32;

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    number(bytes, at).map(u64::from_ne_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    number(bytes, at).map(u32::from_ne_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    number(bytes, at).map(u16::from_ne_bytes)
}

/// The header of the record that the bytes start with; `None` when they do not start with a whole record.
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
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

/// A blob: whose it is and where its bytes are.
pub struct Blob {
    pub arg: u8,
    pub form: u8,
    /// Of a [`form::FILE`]: where the programs keep the file.
    pub place: u16,
    pub bytes: Range<usize>,
}

/// The blobs of a record, up to the first torn one.
pub fn blobs(record: &[u8], words: u8) -> impl Iterator<Item = Blob> {
    let mut at = HEADER_BYTES + words as usize * 8;
    std::iter::from_fn(move || {
        let length = u32_at(record, at)? as usize;
        let (arg, form, place) = (*record.get(at + 4)?, *record.get(at + 5)?, u16_at(record, at + 6)?);
        let start = at + BLOB_HEADER_BYTES;
        let bytes = start..start.checked_add(length)?;
        record.get(bytes.clone())?;
        at = bytes.end.next_multiple_of(8);
        Some(Blob { arg, form, place, bytes })
    })
}

/// Appends the path whose components stand last first, each with a NUL.
pub fn append_path(components: &[u8], is_pseudo: bool, out: &mut Vec<u8>) {
    let components = components.strip_suffix(&[0]).unwrap_or(components);
    if components.is_empty() {
        out.push(b'/');
        return;
    }
    for (i, component) in components.rsplit(|b| *b == 0).enumerate() {
        if i > 0 || !is_pseudo {
            out.push(b'/');
        }
        out.extend_from_slice(component);
    }
}

/// The path in a context record; empty when it has none.
pub fn context_path(record: &[u8], words: u8, out: &mut Vec<u8>) {
    for blob in blobs(record, words).take(1) {
        if let Some(bytes) = record.get(blob.bytes) {
            append_path(bytes, blob.form == form::PSEUDO_PATH, out);
        }
    }
}

/// Arguments being put together; reused from record to record.
#[derive(Debug, Default)]
pub struct Arguments {
    /// Values that stand nowhere as they are to be handed over.
    made: Vec<u8>,
    /// Where those of the record's blobs are; `None` for what is as it stands in the record.
    places: Vec<Option<Range<usize>>>,
    directory: Vec<u8>,
}

impl Arguments {
    /// Reads a record's arguments and hands them over, with the marks that their absence gives and the directory that
    /// relative paths begin at, empty when it was not told.
    pub fn read<R>(
        &mut self,
        slot: &SlotEvent,
        header: &RecordHeader,
        record: &[u8],
        files: &Files,
        then: impl FnOnce(&[Raw<'_>], Marks, &[u8]) -> R,
    ) -> R {
        let declared = slot.event.args.get(..slot.event.args.len().min(MAX_ARGS)).unwrap_or_default();
        let mut args = [Raw::Missing; MAX_ARGS];
        for word in 0..header.words as usize {
            let Some(position) = slot.position(word) else { continue };
            let (Some(arg), Some(place)) = (declared.get(position), args.get_mut(position)) else { continue };
            let register = u64_at(record, HEADER_BYTES + word * 8).unwrap_or(0);
            if arg.kind.is_number() {
                *place = number_of(arg.kind, register, slot.is_compat);
            } else if slot.event.is_syscall() && register != 0 {
                // Where nothing was read (the call failed, or the memory was gone), the address is what is known.
                *place = Raw::Number(register);
            }
        }
        if record.len() == HEADER_BYTES + header.words as usize * 8 {
            return then(args.get(..declared.len()).unwrap_or_default(), slot.marks(header.marks), &[]);
        }
        // First what is put together elsewhere, since the values are borrowed from there.
        self.made.clear();
        self.places.clear();
        self.directory.clear();
        let mut marks = slot.marks(header.marks);
        for blob in blobs(record, header.words) {
            let place = self.make(slot, &args, files, record, &blob, &mut marks);
            self.places.push(place);
        }
        let mut places = self.places.iter();
        for blob in blobs(record, header.words) {
            let place = places.next().cloned().flatten();
            let bytes = match blob.form {
                form::PLAIN => record.get(blob.bytes),
                _ => place.and_then(|range| self.made.get(range)),
            };
            let Some(position) = slot.position(blob.arg as usize) else { continue };
            let (Some(arg), Some(place), Some(bytes)) =
                (declared.get(position), args.get_mut(position), bytes)
            else {
                continue;
            };
            if arg.kind == ArgKind::Fd && blob.form == form::FILE {
                *place = Raw::Bytes(bytes);
            } else if !arg.kind.is_number() {
                *place = Raw::Bytes(if arg.kind == ArgKind::Str { until_nul(bytes) } else { bytes });
            }
        }
        then(args.get(..declared.len()).unwrap_or_default(), marks, &self.directory)
    }

    /// Puts a blob's value together where it is not one by itself.
    fn make(
        &mut self,
        slot: &SlotEvent,
        args: &[Raw<'_>],
        files: &Files,
        record: &[u8],
        blob: &Blob,
        marks: &mut Marks,
    ) -> Option<Range<usize>> {
        let start = self.made.len();
        let bytes = record.get(blob.bytes.clone())?;
        match blob.form {
            form::PATH | form::PSEUDO_PATH => {
                append_path(bytes, blob.form == form::PSEUDO_PATH, &mut self.made);
            }
            form::FILE => {
                let file = files.get(blob.place, u64_at(bytes, 0)?)?;
                if blob.arg == files::position::WORKING_DIRECTORY {
                    self.directory.extend_from_slice(&file.text);
                    return None;
                }
                let position = slot.position(blob.arg as usize)?;
                let is_descriptor = slot.event.args.get(position)?.kind == ArgKind::Fd;
                if file.is_cut {
                    *marks = marks.cut_arg(position);
                }
                if file.text.is_empty() {
                    // A descriptor still has its number.
                    if !is_descriptor {
                        *marks = marks.lost_arg(position);
                    }
                    return None;
                }
                if is_descriptor {
                    let Some(Raw::Number(number)) = args.get(position) else { return None };
                    self.made.extend_from_slice(&number.to_le_bytes());
                }
                self.made.extend_from_slice(&file.text);
            }
            _ => return None,
        }
        Some(start..self.made.len())
    }
}

/// A register by its kind. A 32-bit task's numbers are as wide as it says, and signed where they are.
fn number_of(kind: ArgKind, register: u64, is_compat: bool) -> Raw<'static> {
    if is_compat && kind == ArgKind::I64 {
        return Raw::Number(register as i32 as i64 as u64);
    }
    kind.read_register(register)
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

#[cfg(test)]
pub mod tests {
    use events::catalogue;

    use super::*;

    fn slot(name: &str) -> SlotEvent {
        SlotEvent {
            event: catalogue::by_name(name).expect("an event of the catalogue"),
            is_compat: false,
            is_exec: false,
            is_state_only: false,
            is_hidden: false,
            stand_ins: Vec::new(),
            positions: None,
        }
    }

    /// A record of so many words, and blobs of (argument, form, bytes).
    pub fn record(words: &[u64], blobs: &[(u8, u8, &[u8])], marks: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes[15] = words.len() as u8;
        bytes[32..36].copy_from_slice(&marks.to_ne_bytes());
        bytes.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        for (arg, form, blob) in blobs {
            bytes.extend((blob.len() as u32).to_ne_bytes());
            bytes.extend([*arg, *form, 0, 0]);
            bytes.extend_from_slice(blob);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        let length = bytes.len() as u32;
        bytes[8..12].copy_from_slice(&length.to_ne_bytes());
        bytes
    }

    fn read(slot: &SlotEvent, record: &[u8]) -> (Vec<String>, Marks) {
        let header = header(record).expect("a whole record");
        Arguments::default().read(slot, &header, record, &Files::default(), |args, marks, _| {
            (args.iter().map(|arg| format!("{arg:?}")).collect(), marks)
        })
    }

    #[test]
    fn numbers_are_read_by_their_kind_and_strings_from_their_blob() {
        let at_fdcwd = u64::from((-100_i32) as u32);
        let bytes = record(&[at_fdcwd, 0x7ffc_0000, 0o102, 0o644], &[(1, form::PLAIN, b"/etc/passwd")], 0);
        let (args, _) = read(&slot("openat"), &bytes);
        assert_eq!(args[0], format!("Number({})", -100_i64 as u64));
        assert_eq!(args[1], format!("Bytes({:?})", b"/etc/passwd"));
        assert_eq!(args[2], "Number(66)");
    }

    #[test]
    fn what_could_not_be_read_is_an_address_and_a_null_pointer_is_missing() {
        let (args, marks) = read(&slot("openat"), &record(&[3, 0x10, 0, 0], &[], Marks(0).lost_arg(1).0));
        assert_eq!(args[1], "Number(16)");
        assert_eq!(read(&slot("openat"), &record(&[3, 0, 0, 0], &[], 0)).0[1], "Missing");
        assert!(marks.is_lost(1) && marks.has(Marks::FAULT));
    }

    #[test]
    fn a_path_comes_last_component_first() {
        let bytes = record(&[0; 4], &[(1, form::PATH, b"passwd\0etc\0"), (0, form::PLAIN, b"")], 0);
        assert_eq!(read(&slot("openat"), &bytes).0[1], format!("Bytes({:?})", b"/etc/passwd"));
        let root = record(&[0; 4], &[(1, form::PATH, b"")], 0);
        assert_eq!(read(&slot("openat"), &root).0[1], format!("Bytes({:?})", b"/"));
        let memfd = record(&[0; 4], &[(1, form::PSEUDO_PATH, b"memfd:x\0")], 0);
        assert_eq!(read(&slot("openat"), &memfd).0[1], format!("Bytes({:?})", b"memfd:x"));
    }

    #[test]
    fn a_descriptor_has_its_number_and_what_it_stands_for() {
        let mut files = Files::default();
        let mut tell = |id: u64, marks: u32, blobs: &[(u8, u8, &[u8])]| {
            let told = record(&[0o100_644, 9, 0], blobs, marks);
            files.add(&RecordHeader { context: id, ..header(&told).expect("a whole record") }, &told);
        };
        tell(77, Marks(0).cut_arg(0).0, &[(files::part::PATH, form::PATH, b"passwd\0etc\0")]);
        tell(78, Marks(0).lost_arg(0).0, &[]);
        let read = |name: &str, words: &[u64], blobs: &[(u8, u8, &[u8])]| {
            let bytes = record(words, blobs, 0);
            let header = header(&bytes).expect("a whole record");
            Arguments::default().read(&slot(name), &header, &bytes, &files, |args, marks, directory| {
                let shown: Vec<String> = args.iter().map(|arg| format!("{arg:?}")).collect();
                (shown, marks, directory.to_vec())
            })
        };
        let (known, lost, unknown) = (77_u64.to_ne_bytes(), 78_u64.to_ne_bytes(), 5_u64.to_ne_bytes());
        let (args, marks, _) = read("read", &[3, 0, 1], &[(0, form::FILE, &known)]);
        assert_eq!(args[0], format!("Bytes({:?})", [&3_u64.to_le_bytes()[..], b"/etc/passwd"].concat()));
        assert!(marks.is_cut(0));
        for id in [lost, unknown] {
            let (args, marks, _) = read("read", &[3, 0, 1], &[(0, form::FILE, &id)]);
            assert_eq!((args[0].as_str(), marks), ("Number(3)", Marks(0)));
        }
        // A text argument is the file's path, or lost with it.
        assert_eq!(
            read("openat", &[3, 0, 0, 0], &[(1, form::FILE, &known)]).0[1],
            format!("Bytes({:?})", b"/etc/passwd")
        );
        assert!(read("openat", &[3, 0, 0, 0], &[(1, form::FILE, &lost)]).1.is_lost(1));
        let directory = files::position::WORKING_DIRECTORY;
        assert_eq!(read("read", &[3, 0, 1], &[(directory, form::FILE, &known)]).2, b"/etc/passwd");
    }

    #[test]
    fn a_hooks_words_and_marks_go_where_the_catalogue_has_them() {
        let mut slot = slot("openat");
        slot.positions = Some(vec![Some(2), None, Some(1)]);
        let bytes = record(&[7, 8, 0], &[(2, form::PLAIN, b"name\0rest")], Marks(0).cut_arg(2).0);
        let (args, marks) = read(&slot, &bytes);
        assert_eq!(
            args,
            ["Missing".into(), format!("Bytes({:?})", b"name"), "Number(7)".into(), "Missing".to_owned()]
        );
        assert!(marks.is_cut(1) && !marks.is_cut(2));
    }

    #[test]
    fn a_torn_record_is_none_and_a_torn_blob_ends_the_blobs() {
        let whole = record(&[1, 2, 3, 4], &[(1, form::PLAIN, b"/a/path/that/is/cut")], 0);
        for end in 0..whole.len() {
            assert!(header(&whole[..end]).is_none(), "{end}");
        }
        for at in 8..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                if header(&bytes).is_some() {
                    read(&slot("openat"), &bytes);
                }
            }
        }
    }

    #[test]
    fn a_32_bit_tasks_numbers_are_signed_as_it_means_them() {
        assert_eq!(number_of(ArgKind::I64, 0xffff_ffff, true), Raw::Number(u64::MAX));
        assert_eq!(number_of(ArgKind::I64, 0xffff_ffff, false), Raw::Number(0xffff_ffff));
    }
}
