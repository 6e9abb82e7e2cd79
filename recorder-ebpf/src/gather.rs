//! Arguments that point to pointers: vectors of buffers, messages, lists of structures. Their stored forms are those of
//! `events::vectors`.
//!
//! What has been written is read back from the task rather than from the record: the verifier then has no offsets to
//! follow but those that [`Writer::forget`] has made plain.

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use events::{abi::form, capture::Capture};

use crate::{
    capture::{Read, user_or_zero},
    emit::{Writer, config},
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
    writer.forget(least(value, bound)) & 0x1fff
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

/// In what [`contents`] and [`gather_message`] return, above where it ended.
const CUT: u64 = 1 << 32;
const LOST: u64 = 1 << 33;

/// Appends the contents of the vectors at `table`, at most `left` bytes of them, from `at` on. Returns where it ended, and
/// whether there was more than `left` or something could not be read.
#[inline(always)]
fn contents(writer: &Writer, mut at: u64, table: u64, vectors: u64, mut left: u64) -> u64 {
    // Another number than the caller's, of which nothing is left to follow after the loop.
    let vectors = writer.forget(vectors);
    let mut flags = writer.forget(0);
    for i in 0..VECTORS {
        if i >= vectors {
            break;
        }
        let address = user_or_zero::<u64>(table + i * VECTOR_BYTES);
        let whole = user_or_zero::<u64>(table + i * VECTOR_BYTES + 8);
        let kept = bounded(writer, whole, left);
        if kept != whole {
            flags |= CUT;
        }
        if !copy(writer, at, address, kept) {
            flags |= LOST;
            break;
        }
        at = writer.forget(at + kept) & MASK;
        left = writer.forget(left - kept);
        flags = writer.forget(flags);
    }
    at | writer.forget(flags)
}

/// How many bytes of contents to keep: no more than the call moved, where it moved any.
#[inline(always)]
fn bound(writer: &Writer, ret: i64) -> u64 {
    let bound = config!(buffer_bound) as u64;
    bounded(writer, if ret >= 0 { ret as u64 } else { bound }, bound)
}

/// Whether contents were cut: of what the call moved, where it moved any.
#[inline(always)]
fn is_cut(flags: u64, ret: i64) -> bool {
    if ret >= 0 { ret > config!(buffer_bound) as i64 } else { flags & CUT != 0 }
}

/// `struct iovec[]` and what it points to.
#[inline(always)]
pub fn vectors(writer: &mut Writer, arg: u8, capture: Capture, pointer: u64, count: u64, ret: i64) -> Read {
    let kept = bounded(writer, least(count & 0xffff_ffff, capture.max as u64), VECTORS);
    if !copy(writer, 4, pointer, kept * VECTOR_BYTES) {
        return Read::Lost;
    }
    put_u32(writer, 0, kept as u32);
    let bound = bound(writer, ret);
    let start = writer.forget(4 + kept * VECTOR_BYTES) & MASK;
    let end = contents(writer, start, pointer, kept, bound);
    writer.end_blob(arg, form::PLAIN, (end & MASK) as u32);
    if end & LOST != 0 {
        Read::Lost
    } else if kept < count & 0xffff_ffff || is_cut(end, ret) {
        Read::Cut
    } else {
        Read::Whole
    }
}

/// `struct msghdr`, or several `struct mmsghdr`, and what they point to.
#[inline(always)]
pub fn messages(writer: &mut Writer, arg: u8, capture: Capture, pointer: u64, count: u64, ret: i64) -> Read {
    // With this much of the blob written no message more is taken: the largest fits behind it.
    const FULL: u64 = 0x2000;
    // Of several, as many were moved as the call says.
    let is_many = capture.size as u64 > MSGHDR_BYTES;
    let count = count & 0xffff_ffff;
    let moved = if is_many && ret >= 0 { least(ret as u64, count) } else { count };
    let kept = bounded(writer, least(moved, capture.max as u64), MESSAGES);
    let mut at = writer.forget(0) & MASK;
    let mut flags = writer.forget(if kept < moved { CUT } else { 0 });
    let messages = writer.forget(kept);
    for i in 0..MESSAGES {
        if i >= messages {
            break;
        }
        if at > FULL {
            flags |= CUT;
            break;
        }
        let header = pointer + i * capture.size as u64;
        let end = gather_message(writer.room() | if is_many { MANY } else { 0 }, writer.at, at, header, ret as u64);
        if end & MASK == 0 {
            if at == 0 {
                return Read::Lost;
            }
            flags |= LOST;
            break;
        }
        flags = writer.forget(flags | end & (CUT | LOST));
        at = writer.forget(end) & MASK;
    }
    let flags = writer.forget(flags);
    writer.end_blob(arg, form::PLAIN, writer.forget(at) as u32);
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
    let is_many = room & MANY != 0;
    let Some(resumed) = Writer::resume(room & 0xff, at) else { return 0 };
    message(&resumed, start & MASK, header, is_many, ret as i64)
}

#[inline(always)]
fn message(writer: &Writer, start: u64, header: u64, is_many: bool, ret: i64) -> u64 {
    if !copy(writer, start + HEAD_BYTES, header, MSGHDR_BYTES) {
        return 0;
    }
    let number = |offset: u64| user_or_zero::<u64>(header + offset);
    let length = user_or_zero::<u32>(header + MSGHDR_BYTES) * is_many as u32;
    let mut at = writer.forget(start + HEAD_BYTES + MSGHDR_BYTES) & MASK;
    let is_more = |whole: u64, bound: u64| if whole > bound { CUT } else { 0 };

    // Null pointers do not read either.
    let part = |at: u64, address: u64, length: u64| {
        let is_read = copy(writer, at, address, length);
        writer.forget(if is_read { length } else { 0 }) & 0x1fff
    };
    let (name, vectors, control) = (number(8) & 0xffff_ffff, number(24), number(40));
    let mut flags = is_more(name, NAME_BYTES) | is_more(vectors, VECTORS) | is_more(control, CONTROL_BYTES);
    flags = writer.forget(flags);
    let name_kept = part(at, number(0), bounded(writer, name, NAME_BYTES));
    at = writer.forget(at + name_kept) & MASK;
    let (table, vectors) = (number(16), bounded(writer, vectors, VECTORS));
    let vectors_kept = part(at, table, vectors * VECTOR_BYTES) / VECTOR_BYTES;
    at = writer.forget(at + vectors_kept * VECTOR_BYTES) & MASK;
    let control_kept = part(at, number(32), bounded(writer, control, CONTROL_BYTES));
    at = writer.forget(at + control_kept) & MASK;

    let moved = if is_many { length as i64 } else { ret };
    let end = contents(writer, at, table, vectors_kept, bound(writer, moved));
    if is_cut(end, moved) {
        flags |= CUT;
    }
    flags = writer.forget(flags | end & LOST);
    let end = end & MASK;
    put_u32(writer, start, name_kept as u32 | (vectors_kept as u32) << 16);
    put_u32(writer, start + 4, control_kept as u32);
    put_u32(writer, start + 8, (end - at) as u32);
    put_u32(writer, start + 12, length);
    end | flags
}

/// An array of pointers, each to a structure: the structures one after the other.
#[inline(always)]
pub fn indirect(writer: &mut Writer, arg: u8, capture: Capture, pointer: u64, count: u64) -> Read {
    const MOST: u64 = 8;
    let count = count & 0xffff_ffff;
    let size = bounded(writer, capture.size as u64, 512);
    let mut at = writer.forget(0) & MASK;
    let mut is_whole = count <= MOST;
    let structures = writer.forget(count);
    for i in 0..MOST {
        if i >= structures {
            break;
        }
        if at + size > capture.max as u64 {
            is_whole = false;
            break;
        }
        let address = user_or_zero::<u64>(pointer + i * 8);
        if !copy(writer, at, address, size) {
            return Read::Lost;
        }
        at = writer.forget(at + size) & MASK;
    }
    writer.end_blob(arg, form::PLAIN, at as u32);
    if is_whole { Read::Whole } else { Read::Cut }
}
