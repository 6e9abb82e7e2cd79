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
/// Fewer than the catalogue would take: the verifier follows them all.
const MESSAGES: u64 = 2;
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

/// Appends the contents of the vectors at `table`, at most `left` bytes of them, from `at` on. Returns where it ended.
#[inline(always)]
fn contents(writer: &Writer, mut at: u64, table: u64, vectors: u64, mut left: u64) -> u64 {
    // Another number than the caller's, of which nothing is left to follow after the loop.
    let vectors = writer.forget(vectors);
    for i in 0..VECTORS {
        if i >= vectors || left == 0 {
            break;
        }
        let address = user_or_zero::<u64>(table + i * VECTOR_BYTES);
        let kept = bounded(writer, user_or_zero::<u64>(table + i * VECTOR_BYTES + 8), left);
        if !copy(writer, at, address, kept) {
            break;
        }
        at = writer.forget(at + kept) & MASK;
        left = writer.forget(left - kept);
    }
    at
}

/// How many bytes of contents to keep: no more than the call moved, where it moved any.
#[inline(always)]
fn bound(writer: &Writer, ret: i64) -> u64 {
    let bound = config!(buffer_bound) as u64;
    bounded(writer, if ret >= 0 { ret as u64 } else { bound }, bound)
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
    writer.end_blob(arg, form::PLAIN, end as u32);
    if kept < count & 0xffff_ffff || ret > bound as i64 { Read::Cut } else { Read::Whole }
}

/// `struct msghdr`, or several `struct mmsghdr`, and what they point to.
#[inline(always)]
pub fn messages(writer: &mut Writer, arg: u8, capture: Capture, pointer: u64, count: u64, ret: i64) -> Read {
    // Of several, as many were moved as the call says.
    let is_many = capture.size as u64 > MSGHDR_BYTES;
    let count = count & 0xffff_ffff;
    let moved = if is_many && ret >= 0 { least(ret as u64, count) } else { count };
    let kept = bounded(writer, least(moved, capture.max as u64), MESSAGES);
    let mut at = writer.forget(0) & MASK;
    let messages = writer.forget(kept);
    for i in 0..MESSAGES {
        if i >= messages {
            break;
        }
        let header = pointer + i * capture.size as u64;
        let end = message(writer, at, header, is_many, ret);
        if end == 0 {
            if at == 0 {
                return Read::Lost;
            }
            break;
        }
        at = writer.forget(end) & MASK;
    }
    writer.end_blob(arg, form::PLAIN, writer.forget(at) as u32);
    if kept < moved { Read::Cut } else { Read::Whole }
}

/// One message, `start` bytes into the blob. Returns where it ended, 0 when it cannot be read.
#[inline(always)]
fn message(writer: &Writer, start: u64, header: u64, is_many: bool, ret: i64) -> u64 {
    if !copy(writer, start + HEAD_BYTES, header, MSGHDR_BYTES) {
        return 0;
    }
    let number = |offset: u64| user_or_zero::<u64>(header + offset);
    let length = user_or_zero::<u32>(header + MSGHDR_BYTES) * is_many as u32;
    let mut at = writer.forget(start + HEAD_BYTES + MSGHDR_BYTES) & MASK;

    // Null pointers do not read either.
    let part = |at: u64, address: u64, length: u64| {
        let is_read = copy(writer, at, address, length);
        writer.forget(if is_read { length } else { 0 }) & 0x1fff
    };
    let name_kept = part(at, number(0), bounded(writer, number(8) & 0xffff_ffff, NAME_BYTES));
    at = writer.forget(at + name_kept) & MASK;
    let (table, vectors) = (number(16), bounded(writer, number(24), VECTORS));
    let vectors_kept = part(at, table, vectors * VECTOR_BYTES) / VECTOR_BYTES;
    at = writer.forget(at + vectors_kept * VECTOR_BYTES) & MASK;
    let control_kept = part(at, number(32), bounded(writer, number(40), CONTROL_BYTES));
    at = writer.forget(at + control_kept) & MASK;

    let moved = if is_many { length as i64 } else { ret };
    let end = contents(writer, at, table, vectors_kept, bound(writer, moved));
    put_u32(writer, start, name_kept as u32 | (vectors_kept as u32) << 16);
    put_u32(writer, start + 4, control_kept as u32);
    put_u32(writer, start + 8, (end - at) as u32);
    put_u32(writer, start + 12, length);
    end
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
