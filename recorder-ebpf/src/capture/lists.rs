//! Arrays of strings: arguments and environment of an exec.

use aya_ebpf::helpers::generated::{bpf_probe_read_user, bpf_probe_read_user_str};
use events::abi::{BLOB_HEADER_BYTES, form, region};

use super::{Read, values::LARGEST_READ};
use crate::{
    emit::{Writer, config},
    user_memory::user_or_zero,
};

/// Most strings of an array.
const STRINGS: u64 = *region::LIST_STRINGS.end() as u64;
/// Of them, as many as the verifier follows.
const STRINGS_AT_ONCE: u64 = 64;

/// What [`capture_some_strings`] returns above the bytes that were written: how the array ended, and that an element was cut.
const GOES_ON: u64 = 0;
const ENDED: u64 = 1;
const FULL: u64 = 2;
const UNREADABLE: u64 = 3;
const LENGTH_MASK: u64 = 0xf_ffff;
const ELEMENT_CUT: u64 = 1 << 20;
/// Beside the room, in the first argument: pointers have four bytes; and from this bit on how many strings may follow.
const NARROW: u64 = 1 << 8;
const LEFT_SHIFT: u32 = 16;

/// An array of strings, each with its NUL.
#[inline(always)]
pub fn strings(writer: &mut Writer, arg: u8, array: u64, compat: bool) -> Read {
    let start = writer.at + BLOB_HEADER_BYTES as u64;
    let room = writer.room() | if compat { NARROW } else { 0 };
    let size = if compat { 4u64 } else { 8 };
    let mut state = writer.opaque(0);
    let strings = config!(list_strings) as u64;
    // Once more than there are strings, for the end of as many as are kept.
    for i in 0..STRINGS / STRINGS_AT_ONCE + 1 {
        let array = writer.opaque(array.wrapping_add(i * STRINGS_AT_ONCE * size));
        let left = strings.saturating_sub(i * STRINGS_AT_ONCE) << LEFT_SHIFT;
        state = capture_some_strings(writer.opaque(room | left), writer.opaque(start), array, state & (LENGTH_MASK | ELEMENT_CUT));
        state = writer.opaque(state);
        if state >> 32 != GOES_ON {
            break;
        }
    }
    let length = state & LENGTH_MASK;
    let outcome = match state >> 32 {
        ENDED if state & ELEMENT_CUT == 0 => Read::Whole,
        UNREADABLE => Read::Lost,
        _ => Read::Cut,
    };
    if matches!(outcome, Read::Lost) && length == 0 {
        return Read::Lost;
    }
    writer.end_blob(arg, form::PLAIN, length as u32);
    outcome
}

/// Some more elements of an array of strings, behind what was written of it, `start` bytes into the write.
///
/// A global function, of numbers only: the verifier follows these few elements once, and of the array only that they are
/// repeated.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn capture_some_strings(room: u64, start: u64, array: u64, state: u64) -> u64 {
    let Some(writer) = Writer::resume(room & 0xff, start) else { return UNREADABLE << 32 };
    let size = if room & NARROW != 0 { 4u64 } else { 8 };
    let left = room >> LEFT_SHIFT;
    let bound = writer.string_bound();
    let mut length = writer.opaque(state & LENGTH_MASK) & LENGTH_MASK;
    let mut is_cut = writer.opaque(state & ELEMENT_CUT);
    for i in 0..STRINGS_AT_ONCE {
        let mut pointer = 0u64;
        // SAFETY: at most the eight bytes of the pointer are written.
        let failed = unsafe {
            bpf_probe_read_user((&raw mut pointer).cast(), size as u32, array.wrapping_add(i * size) as *const _) != 0
        };
        if failed {
            return UNREADABLE << 32 | is_cut | length;
        }
        if pointer == 0 {
            return ENDED << 32 | is_cut | length;
        }
        if i >= left || length >= config!(list_bytes) as u64 || start + length > config!(capture_limit) {
            return FULL << 32 | is_cut | length;
        }
        // SAFETY: as in `string`.
        let read = unsafe { bpf_probe_read_user_str(writer.pointer(start + length).cast(), bound, pointer as *const _) };
        if read <= 0 || read as u64 > LARGEST_READ {
            return UNREADABLE << 32 | is_cut | length;
        }
        // A string that just fits looks like one that was cut: the byte in the NUL's place tells.
        if read as u32 == bound && user_or_zero::<u8>(pointer + read as u64 - 1) != 0 {
            is_cut = ELEMENT_CUT;
        }
        is_cut = writer.opaque(is_cut) & ELEMENT_CUT;
        length = writer.opaque(length + read as u64) & LENGTH_MASK;
    }
    GOES_ON << 32 | is_cut | length
}
