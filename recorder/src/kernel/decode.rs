//! Records as bytes to records as values. The bytes are judged before they are believed, though the kernel wrote them.

use std::ops::Range;

use events::{
    abi::{
        BLOB_HEADER_BYTES, CONTEXT_BYTES, HEADER_BYTES, RecordHeader, WireContext, form,
        region::LARGEST_WRITE,
    },
    marks::PARTIAL_PATH,
};

mod arguments;
mod machine;
mod narrow;
mod slot_reader;
#[cfg(test)]
pub mod tests;

pub use arguments::Arguments;
pub use slot_reader::SlotReader;

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

/// A record that no program has made: the numbers of a call.
#[derive(Debug)]
pub struct Unread {
    pub header: RecordHeader,
    pub record: Vec<u8>,
}

impl Unread {
    pub fn new(header: RecordHeader, words: &[u64]) -> Unread {
        let mut record = vec![0; HEADER_BYTES];
        record.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
        Unread { header: RecordHeader { length: record.len() as u32, ..header }, record }
    }
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
    let mut capabilities = [0; 5];
    for (i, set) in capabilities.iter_mut().enumerate() {
        *set = u64_at(bytes, 192 + i * 8)?;
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
        euid: word(42)?,
        egid: word(43)?,
        suid: word(44)?,
        sgid: word(45)?,
        fsuid: word(46)?,
        fsgid: word(47)?,
        capabilities,
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
