//! Calls that wrote over what they were given: an output that lies among the bytes of an input, by one comparison of
//! places that is exact.

use core::ptr::read_volatile;

use events::{
    abi::{BLOB_HEADER_BYTES, HEADER_BYTES, bits},
    capture::{ARGUMENTS, op},
};

use super::{Call, capture_of, needed, Tag, values::count};
use crate::{
    emit::{Started, Writer},
    probes::syscalls::entry,
};

/// The mark of a call that wrote over what it was given: the bytes of an argument that it filled lie among those of one
/// that it read. By the blobs that have been captured, which say how far each was read.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn capture_overlaps(tag: u64, at: u64, ret: u64, started: u64) -> u64 {
    needed(ret);
    let Some(writer) = Writer::resume(Tag(tag).room(), at) else { return 0 };
    let writer = &writer;
    let mut filled = writer.opaque(first_blob(Tag(tag).slot(), started));
    for _ in 0..ARGUMENTS {
        if filled >= at {
            break;
        }
        let blob = writer.blob_at(filled);
        if writer.opaque(overlaps_given(tag, at, ret, started, filled)) != 0 {
            return bits::OVERLAP as u64;
        }
        filled = writer.opaque(after_blob(filled, blob.length));
    }
    0
}

/// Whether the blob at `filled` is of an argument that the call wrote, over one that it read.
///
/// A global function, of numbers only: the verifier looks at it once, not for each blob.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn overlaps_given(tag: u64, at: u64, ret: u64, started: u64, filled: u64) -> u64 {
    needed(ret);
    let Some(writer) = Writer::resume(Tag(tag).room(), at) else { return 0 };
    let writer = &writer;
    let call = &Call { ret: ret as i64, slot: Tag(tag).slot(), compat: Tag(tag).is_compat(), started: Started(started) };
    let blob = writer.blob_at(filled);
    let capture = capture_of(call.slot, blob.arg as u32);
    if capture.dir & 0x7f == 0 || capture.op != op::BYTES {
        return 0;
    }
    let start = writer.opaque(writer.word(call.started, blob.arg as u64));
    let end = writer.opaque(start.wrapping_add(writer.opaque(count(writer, call, capture, start)) * capture.size as u64));
    let mut given = writer.opaque(first_blob(call.slot, started));
    for _ in 0..ARGUMENTS {
        if given >= at {
            break;
        }
        let other = writer.blob_at(given);
        let capture = capture_of(call.slot, other.arg as u32);
        let other_start = writer.word(call.started, other.arg as u64);
        // Of a string its NUL as well.
        let other_end = other_start.wrapping_add(other.length as u64 + (capture.op == op::STRING) as u64);
        let is_given = capture.dir & 0x7f == 0 && (capture.op == op::STRING || capture.op == op::BYTES);
        if is_given && other_start < end && start < other_end {
            return 1;
        }
        given = writer.opaque(after_blob(given, other.length));
    }
    0
}

/// Where the first blob of a call stands in its write.
#[inline(always)]
pub fn first_blob(slot: u16, started: u64) -> u64 {
    // SAFETY: an entry of a static table.
    let words = unsafe { read_volatile(&raw const (*entry(slot as u32)).words) & 7 } as u64;
    started + (HEADER_BYTES as u64) + words * 8
}

/// Where the blob that follows begins.
#[inline(always)]
pub fn after_blob(at: u64, length: u32) -> u64 {
    at + BLOB_HEADER_BYTES as u64 + (length as u64 + 7 & !7)
}
