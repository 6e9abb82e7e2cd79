//! Arguments that point to pointers: vectors of buffers, messages, lists of structures. Their stored forms are those of
//! `events::vectors`.
//!
//! Pointers and lengths of a 32-bit task have four bytes: tables and headers are stored as they lie there, and the recorder
//! widens them.
//!
//! What has been written is read back from the task rather than from the record: the verifier then has no offsets to
//! follow but those that [`Writer::opaque`] has made plain.

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use events::{abi::form, capture::Capture};

use crate::{
    capture::Read,
    emit::Writer,
};

const VECTOR_BYTES: u64 = 16;
const VECTORS: u64 = events::capture::MAX_VECTORS as u64;
const MESSAGES: u64 = events::capture::MAX_MESSAGES as u64;
const MSGHDR_BYTES: u64 = 56;
const HEAD_BYTES: u64 = 16;
const NAME_BYTES: u64 = 128;
const CONTROL_BYTES: u64 = 256;
/// Lengths within a blob stay below this.
const MASK: u64 = 0x3fff;

#[inline(always)]
fn least(a: u64, b: u64) -> u64 {
    if a < b { a } else { b }
}

/// The smaller of both, of which the verifier knows no more than that it is at most 8,191.
#[inline(always)]
fn bounded(writer: &Writer, value: u64, bound: u64) -> u64 {
    writer.opaque(least(value, bound)) & 0x1fff
}

/// Copies a piece of the task's memory into the blob, `at` bytes from its start. False when it cannot be read.
#[inline(always)]
fn copy(writer: &Writer, at: u64, from: u64, length: u64) -> bool {
    let length = if length > 4096 { 4096 } else { length };
    let place = writer.pointer(writer.at + events::abi::BLOB_HEADER_BYTES as u64 + (at & MASK));
    // SAFETY: at most 4,096 bytes from a place within the write; the slack holds them.
    unsafe { bpf_probe_read_user(place.cast(), length as u32, from as *const _) == 0 }
}

#[inline(always)]
fn put_u32(writer: &Writer, at: u64, value: u32) {
    let place = writer.pointer(writer.at + events::abi::BLOB_HEADER_BYTES as u64 + (at & MASK));
    // SAFETY: as in `copy`.
    unsafe { *place.cast::<u32>() = value };
}

/// How wide the pointers and lengths of a task are.
#[derive(Clone, Copy)]
struct Width {
    is_narrow: bool,
}

impl Width {
    /// Bytes of what has so many in a 64-bit task, and is made of pointers and lengths.
    #[inline(always)]
    fn of(self, bytes: u64) -> u64 {
        bytes >> self.is_narrow as u64
    }

    /// A pointer or a length, so many bytes behind an address in a 64-bit task; 0 when it cannot be read. The callers have
    /// one place for all of them, for the stack is small.
    #[inline(always)]
    fn number(self, place: &mut u64, address: u64, offset: u64) -> u64 {
        *place = 0;
        // SAFETY: four or eight bytes of the number are written.
        unsafe {
            let from = address.wrapping_add(self.of(offset));
            // Not by a shift, of which the verifier knows no bounds.
            let bytes = 8 - (self.is_narrow as u32) * 4;
            bpf_probe_read_user((&raw mut *place).cast(), bytes, from as *const _);
        }
        *place
    }
}

/// In what [`contents`] and [`gather_message`] return, above where it ended.
const CUT: u64 = 1 << 32;
const LOST: u64 = 1 << 33;

/// Appends the contents of the vectors at `table`, at most `left` bytes of them, from `at` on. Returns where it ended, and
/// whether there was more than `left` or something could not be read.
#[inline(always)]
fn contents(
    writer: &Writer,
    width: Width,
    place: &mut u64,
    mut at: u64,
    table: u64,
    vectors: u64,
    mut left: u64,
) -> u64 {
    // Another number than the caller's, of which nothing is left to follow after the loop.
    let vectors = writer.opaque(vectors);
    let mut flags = writer.opaque(0);
    for i in 0..VECTORS {
        if i >= vectors {
            break;
        }
        let address = width.number(place, table, i * VECTOR_BYTES);
        let whole = width.number(place, table, i * VECTOR_BYTES + 8);
        let kept = bounded(writer, whole, left);
        if kept != whole {
            flags |= CUT;
        }
        if !copy(writer, at, address, kept) {
            flags |= LOST;
            break;
        }
        at = writer.opaque(at + kept) & MASK;
        left = writer.opaque(left - kept);
        flags = writer.opaque(flags);
    }
    at | writer.opaque(flags)
}

/// How many bytes of contents to keep: no more than the call moved, where it moved any.
#[inline(always)]
fn bound(writer: &Writer, ret: i64) -> u64 {
    let bound = writer.buffer_bound();
    bounded(writer, if ret >= 0 { ret as u64 } else { bound }, bound)
}

/// Whether contents were cut: of what the call moved, where it moved any.
#[inline(always)]
fn is_cut(writer: &Writer, flags: u64, ret: i64) -> bool {
    if ret >= 0 { ret > writer.buffer_bound() as i64 } else { flags & CUT != 0 }
}

/// `struct iovec[]` and what it points to.
#[inline(always)]
pub fn vectors(
    writer: &mut Writer,
    arg: u8,
    capture: Capture,
    pointer: u64,
    count: u64,
    ret: i64,
    is_narrow: bool,
) -> Read {
    let width = Width { is_narrow };
    let kept = bounded(writer, least(count & 0xffff_ffff, capture.max as u64), VECTORS);
    let table_bytes = writer.opaque(width.of(kept * VECTOR_BYTES)) & 0xff;
    if !copy(writer, 4, pointer, table_bytes) {
        return Read::Lost;
    }
    put_u32(writer, 0, kept as u32);
    let bound = bound(writer, ret);
    let start = writer.opaque(4 + table_bytes) & MASK;
    let end = contents(writer, width, &mut 0, start, pointer, kept, bound);
    writer.end_blob(arg, form::PLAIN, (end & MASK) as u32);
    if end & LOST != 0 {
        Read::Lost
    } else if kept < count & 0xffff_ffff || is_cut(writer, end, ret) {
        Read::Cut
    } else {
        Read::Whole
    }
}

/// `struct msghdr`, or several `struct mmsghdr`, and what they point to.
#[inline(always)]
pub fn messages(
    writer: &mut Writer,
    arg: u8,
    capture: Capture,
    pointer: u64,
    count: u64,
    ret: i64,
    is_narrow: bool,
) -> Read {
    // With this much of the blob written no message more is taken: the largest fits behind it.
    const FULL: u64 = 0x2000;
    // Of several, as many were moved as the call says.
    let is_many = capture.size as u64 > MSGHDR_BYTES;
    let count = count & 0xffff_ffff;
    let moved = if is_many && ret >= 0 { least(ret as u64, count) } else { count };
    let kept = bounded(writer, least(moved, capture.max as u64), MESSAGES);
    let mut at = writer.opaque(0) & MASK;
    let mut flags = writer.opaque(if kept < moved { CUT } else { 0 });
    let messages = writer.opaque(kept);
    for i in 0..MESSAGES {
        if i >= messages {
            break;
        }
        if at > FULL {
            flags |= CUT;
            break;
        }
        let header = pointer.wrapping_add(i * Width { is_narrow }.of(capture.size as u64));
        let (room, ret) = (writer.room() | if is_many { MANY } else { 0 }, ret as u64);
        let end = if is_narrow {
            gather_narrow_message(room, writer.at, at, header, ret)
        } else {
            gather_message(room, writer.at, at, header, ret)
        };
        let end = writer.opaque(end);
        if end & MASK == 0 {
            if at == 0 {
                return Read::Lost;
            }
            flags |= LOST;
            break;
        }
        flags = writer.opaque(flags | end & (CUT | LOST));
        at = writer.opaque(end) & MASK;
    }
    let flags = writer.opaque(flags);
    writer.end_blob(arg, form::PLAIN, writer.opaque(at) as u32);
    if flags & LOST != 0 {
        Read::Lost
    } else if flags & CUT != 0 {
        Read::Cut
    } else {
        Read::Whole
    }
}

/// In the first argument of [`gather_message`], beside the room.
const MANY: u64 = 1 << 8;

/// One message, `start` bytes into the blob. Returns where it ended, 0 when it cannot be read, and above that [`CUT`] and
/// [`LOST`].
///
/// A global function, of numbers only: the verifier looks at it once for all messages of a call.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn gather_message(room: u64, at: u64, start: u64, header: u64, ret: u64) -> u64 {
    message_from(Width { is_narrow: false }, room, at, start, header, ret)
}

/// The same of a 32-bit task. A function of its own, which needs less stack than one for both.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn gather_narrow_message(room: u64, at: u64, start: u64, header: u64, ret: u64) -> u64 {
    message_from(Width { is_narrow: true }, room, at, start, header, ret)
}

#[inline(always)]
fn message_from(width: Width, room: u64, at: u64, start: u64, header: u64, ret: u64) -> u64 {
    let is_many = room & MANY != 0;
    let Some(resumed) = Writer::resume(room & 0xff, at) else { return 0 };
    message(&resumed, width, start & MASK, header, is_many, ret as i64)
}

#[inline(always)]
fn message(writer: &Writer, width: Width, start: u64, header: u64, is_many: bool, ret: i64) -> u64 {
    let header_bytes = writer.opaque(width.of(MSGHDR_BYTES)) & 0x3f;
    if !copy(writer, start + HEAD_BYTES, header, header_bytes) {
        return 0;
    }
    let mut place = 0;
    let mut number = |offset: u64| width.number(&mut place, header, offset);
    let length = number(MSGHDR_BYTES) as u32 * is_many as u32;
    let mut at = writer.opaque(start + HEAD_BYTES + header_bytes) & MASK;
    let is_more = |whole: u64, bound: u64| if whole > bound { CUT } else { 0 };

    // Null pointers do not read either.
    let part = |at: u64, address: u64, length: u64| {
        let is_read = copy(writer, at, address, length);
        writer.opaque(if is_read { length } else { 0 }) & 0x1fff
    };
    let (name, vectors, control) = (number(8) & 0xffff_ffff, number(24), number(40));
    let mut flags = is_more(name, NAME_BYTES) | is_more(vectors, VECTORS) | is_more(control, CONTROL_BYTES);
    flags = writer.opaque(flags);
    let name_kept = part(at, number(0), bounded(writer, name, NAME_BYTES));
    at = writer.opaque(at + name_kept) & MASK;
    let (table, vectors) = (number(16), bounded(writer, vectors, VECTORS));
    let table_kept = part(at, table, writer.opaque(width.of(vectors * VECTOR_BYTES)) & 0xff);
    let vectors_kept = if table_kept == 0 { 0 } else { vectors };
    at = writer.opaque(at + table_kept) & MASK;
    let control_kept = part(at, number(32), bounded(writer, control, CONTROL_BYTES));
    at = writer.opaque(at + control_kept) & MASK;

    let moved = if is_many { length as i64 } else { ret };
    let end = contents(writer, width, &mut place, at, table, vectors_kept, bound(writer, moved));
    if is_cut(writer, end, moved) {
        flags |= CUT;
    }
    flags = writer.opaque(flags | end & LOST);
    let end = end & MASK;
    put_u32(writer, start, name_kept as u32 | (vectors_kept as u32) << 16);
    put_u32(writer, start + 4, control_kept as u32);
    put_u32(writer, start + 8, (end - at) as u32);
    put_u32(writer, start + 12, length);
    end | flags
}

/// An array of pointers, each to a structure: the structures one after the other.
#[inline(always)]
pub fn indirect(writer: &mut Writer, arg: u8, capture: Capture, pointer: u64, count: u64, is_narrow: bool) -> Read {
    const MOST: u64 = 8;
    let count = count & 0xffff_ffff;
    let size = bounded(writer, capture.size as u64, 512);
    let mut at = writer.opaque(0) & MASK;
    let mut is_whole = count <= MOST;
    let structures = writer.opaque(count);
    for i in 0..MOST {
        if i >= structures {
            break;
        }
        if at + size > capture.max as u64 {
            is_whole = false;
            break;
        }
        let address = Width { is_narrow }.number(&mut 0, pointer, i * 8);
        if !copy(writer, at, address, size) {
            return Read::Lost;
        }
        at = writer.opaque(at + size) & MASK;
    }
    writer.end_blob(arg, form::PLAIN, at as u32);
    if is_whole { Read::Whole } else { Read::Cut }
}
