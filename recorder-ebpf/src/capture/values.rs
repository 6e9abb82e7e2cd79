//! A string, a buffer, or whatever another argument says that it is.

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_user, bpf_probe_read_user_str},
    macros::map,
    maps::HashMap,
};
use events::{
    abi::{form, tables::VariantKey},
    capture::{Capture, len, op},
};

use super::{Call, Read};
use crate::{
    emit::Writer,
    user_memory::user_or_zero,
};

/// Most bytes of one read.
pub const LARGEST_READ: u64 = 4096;

#[map]
static VARIANTS: HashMap<VariantKey, Capture> = HashMap::with_max_entries(1024, 0);

/// A string; `before` bytes of the blob have been written already.
#[inline(always)]
pub fn string(writer: &mut Writer, arg: u8, pointer: u64, before: u64) -> Read {
    let bound = writer.string_bound();
    // SAFETY: the bound is at most 4,096, which the slack holds.
    let read = unsafe { bpf_probe_read_user_str(writer.blob_bytes().add(before as usize).cast(), bound, pointer as *const _) };
    if read <= 0 || read as u64 > LARGEST_READ {
        return Read::Lost;
    }
    writer.end_blob(arg, form::PLAIN, (before + read as u64 - 1) as u32);
    // A string that just fits looks like one that was cut: the byte in the NUL's place tells.
    if read as u32 == bound && user_or_zero::<u8>(pointer + read as u64 - 1) != 0 { Read::Cut } else { Read::Whole }
}

/// How many elements a buffer has.
#[inline(always)]
pub fn count(writer: &Writer, call: &Call, capture: Capture, pointer: u64) -> u64 {
    let register = writer.word(call.started, capture.len_arg as u64);
    let count = match capture.len_from {
        len::ARG => register,
        len::POINTED => user_or_zero::<u32>(register) as u64,
        len::RETURN => {
            let returned = if call.ret < 0 { 0 } else { call.ret as u64 };
            if capture.len_arg != len::NO_ARG && register < returned { register } else { returned }
        }
        // System V messages: their sizes leave out the type that they begin with, a word of the task's.
        len::ARG_PLUS_8 => register.wrapping_add(8 - (call.compat as u64) * 4),
        len::RETURN_PLUS_8 => if call.ret < 0 { 0 } else { call.ret as u64 + 8 - (call.compat as u64) * 4 },
        // Words of the machine, of which the lower halves come first.
        len::BITS if call.compat => (register.wrapping_add(31) / 32).wrapping_mul(4),
        len::BITS => (register.wrapping_add(63) / 64).wrapping_mul(8),
        len::PAGES => register.wrapping_add(4095) / 4096,
        len::INSIDE => user_or_zero::<u32>(pointer) as u64 + capture.len_arg as u64,
        len::INSIDE_AT_4 => user_or_zero::<u32>(pointer + 4) as u64,
        _ => 1,
    };
    // However it came out: one number to go on with.
    writer.opaque(count)
}

/// A buffer; `before` bytes of the blob have been written already.
#[inline(always)]
pub fn bytes(writer: &mut Writer, arg: u8, capture: Capture, pointer: u64, count: u64, before: u64) -> Read {
    let mut bound = if capture.max == 0 { writer.buffer_bound() } else { capture.max as u64 };
    if bound > LARGEST_READ {
        bound = LARGEST_READ;
    }
    // Lengths are signed in places: what is too large for a buffer is none.
    let count = if count as u32 as u64 == count { count } else { u32::MAX as u64 };
    let wanted = count * capture.size as u64;
    let is_cut = wanted > bound;
    let length = writer.opaque(if is_cut { bound } else { wanted }) & 0x1fff;
    let length = if length > LARGEST_READ { LARGEST_READ } else { length };
    // SAFETY: at most 4,096 bytes, which the slack holds.
    let failed = unsafe {
        bpf_probe_read_user(writer.blob_bytes().add(before as usize).cast(), length as u32, pointer as *const _) != 0
    };
    if failed {
        return Read::Lost;
    }
    writer.end_blob(arg, form::PLAIN, (before + length) as u32);
    if is_cut { Read::Cut } else { Read::Whole }
}

/// A number, and what it points to when another argument says that it points to something.
#[inline(always)]
pub fn any(writer: &mut Writer, call: &Call, capture: Capture, position: u32, value: u64) -> Read {
    // SAFETY: the caller has found room for a blob.
    unsafe { *writer.blob_bytes().cast::<u64>() = value };
    let key = VariantKey {
        slot: call.slot,
        position: position as u16,
        value: writer.word(call.started, capture.len_arg as u64) as u32,
    };
    // SAFETY: entries are written before the programs run.
    if let Some(variant) = unsafe { VARIANTS.get(&key) } {
        let variant = *variant;
        let direction = variant.dir & 0x7f;
        let fits = !(direction == 1 && call.ret < 0 || direction == 2 && call.ret >= 0);
        let same = !call.compat || variant.dir & Capture::SAME_IN_COMPAT != 0;
        if fits && same && value != 0 {
            let read = match variant.op {
                op::STRING => string(writer, position as u8, value, 8),
                op::BYTES => {
                    let count = count(writer, call, variant, value);
                    bytes(writer, position as u8, variant, value, count, 8)
                }
                _ => Read::Skipped,
            };
            match read {
                Read::Whole | Read::Cut => return read,
                Read::Lost => {
                    writer.end_blob(position as u8, form::PLAIN, 8);
                    return read;
                }
                Read::Skipped => {}
            }
        }
    }
    writer.end_blob(position as u8, form::PLAIN, 8);
    Read::Whole
}
