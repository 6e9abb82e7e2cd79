//! What calls are given, compared: sums of their arguments at the entry of a call, and whether they are the same at its
//! exit. Only where the recorder asks for it: every call pays for it twice.
//!
//! ```text
//! sys_enter:  arguments are read as at an exit, into the head of the CPU's data, and their sums noted for the thread
//! sys_exit:   sums of what the record holds; another one: CHANGED; none to compare with: UNCOMPARED
//! ```
//! Nothing of the entry is sent. What another thread puts there and takes away again in time is not seen.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::{
    helpers::generated::{bpf_get_current_pid_tgid, bpf_get_current_task},
    macros::{btf_tracepoint, map},
    maps::Array,
    programs::BtfTracePointContext,
};
use events::{
    abi::{
        BLOB_HEADER_BYTES, Slot, bits, form,
        region::LIST_BYTES,
        tables::{SyscallEntry, compared},
    },
    capture::{ARGUMENTS, len, op},
    vectors::{MESSAGE_HEAD, MSGHDR_BYTES},
};

use crate::{
    capture::{self, Call, after_blob, capture_of, first_blob, needed, Tag},
    context::{current, is_excluded},
    hash::GOLDEN_RATIO,
    emit::{Started, Writer, config, preemption::Undisturbed},
    registers::Regs,
    probes::{
        multiplexed,
        syscalls::{Numbered, entry, flags, set_arguments, slot_of, words_of},
    },
};

/// Sums of a thread's call, by position; 0 is what could not be read. Two threads whose numbers are equal modulo the size
/// of the map share a place: `check` is the sum of all of it, so that what both have written is not believed.
#[repr(C)]
struct Given {
    task: u64,
    slot: u64,
    sums: [u64; 8],
    /// Addresses of the open files.
    files: [u64; 2],
    check: u64,
}

/// By thread. The recorder sets the size.
#[map]
static GIVEN: Array<Given> = Array::with_max_entries(1, 0);

/// Bytes that one call of [`strict_sum`] takes in.
const PIECE: u64 = 4096;
/// Pieces of the longest list of strings.
const PIECES: u64 = *LIST_BYTES.end() as u64 / PIECE + 2;

#[btf_tracepoint(function = "sys_enter")]
pub fn strict_sys_enter(ctx: BtfTracePointContext) -> i32 {
    if config!(strict) != 0 {
        let regs = Regs::<true>(ctx.arg(0));
        if config!(modern) != 0 { on_entry::<true>(regs) } else { on_entry::<false>(regs) };
    }
    0
}

#[inline(always)]
fn on_entry<const TYPED: bool>(regs: Regs<true>) -> Option<()> {
    let task = current::<TYPED>();
    let compat = task.compat();
    let Numbered { slot, is_narrow } = slot_of(regs.number(), compat, 0)?;
    let (mut slot, mut entry) = (slot, entry(slot));
    if flags(entry) & SyscallEntry::MULTIPLEXED != 0 {
        slot = multiplexed::meant(slot);
        entry = self::entry(slot);
    }
    let wanted = compared_of(entry);
    if wanted == 0 || is_excluded(task.tgid()) {
        return None;
    }
    let _undisturbed = Undisturbed::begin();
    let mut writer = Writer::reserve_to_discard()?;
    let started = writer.start(words_of(entry));
    set_arguments(&mut writer, started, regs, compat);
    let mut followed = wanted & compared::ARGUMENTS;
    if compat {
        let how = multiplexed::multiplexed_note(writer.room(), slot as u64);
        if how & multiplexed::IS_MEANT != 0 {
            multiplexed::multiplexed_set_arguments(writer.room(), started.0);
        }
        if how & multiplexed::IS_OLD != 0 {
            followed = 0;
        }
    }
    let (slot, how) = (writer.opaque(slot as u64) as u16, writer.opaque((compat || is_narrow) as u64));
    // As if the call had come to the most that it can.
    let call = Call { ret: i64::MAX, slot, compat: how != 0, started };
    capture::follow::<true>(&mut writer, &call, followed);
    strict_note(Tag::of(writer.room(), slot, call.compat, 0).0, writer.at, started.0);
    writer.discard();
    Some(())
}

#[inline(always)]
fn compared_of(entry: *const SyscallEntry) -> u8 {
    // SAFETY: an entry of a static table.
    unsafe { read_volatile(&raw const (*entry).compared) }
}

#[inline(always)]
fn given() -> Option<*mut Given> {
    // SAFETY: a helper without arguments.
    let tid = unsafe { bpf_get_current_pid_tgid() } as u32;
    GIVEN.get_ptr_mut(tid & (compared::THREADS - 1))
}

macro_rules! field {
    ($given:ident.$field:ident) => {
        // SAFETY: a map value.
        unsafe { read_volatile(&raw const (*$given).$field) }
    };
}

/// The sum of what an entry says.
#[inline(always)]
fn check(given: *const Given) -> u64 {
    let ([a, b, c, d, e, f, _, _], [first, second]) = (field!(given.sums), field!(given.files));
    field!(given.task) ^ field!(given.slot) ^ a ^ b ^ c ^ d ^ e ^ f ^ first ^ second
}

/// Notes what the call of the current thread was given, by the blobs that have been captured.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn strict_note(tag: u64, at: u64, started: u64) -> u64 {
    let (Some(writer), Some(given)) = (Writer::resume(Tag(tag).room(), at), given()) else { return 0 };
    let slot = Tag(tag).slot();
    // SAFETY: a map value, and a helper without arguments. What makes it valid is written last.
    unsafe {
        write_volatile(&raw mut (*given).check, 0);
        write_volatile(&raw mut (*given).task, bpf_get_current_task());
        write_volatile(&raw mut (*given).slot, slot as u64);
        write_volatile(&raw mut (*given).sums, [0; 8]);
        write_volatile(&raw mut (*given).files, files(&writer, slot, started));
    }
    let mut blob_at = writer.opaque(first_blob(slot, started));
    for _ in 0..ARGUMENTS {
        if blob_at >= at {
            break;
        }
        let blob = writer.blob_at(blob_at);
        let sum = writer.opaque(sum_of(&writer, slot, blob_at));
        // SAFETY: as above; the index is within.
        unsafe { write_volatile((&raw mut (*given).sums).cast::<u64>().add((blob.arg & 7) as usize), sum) };
        blob_at = writer.opaque(after_blob(blob_at, blob.length));
    }
    // SAFETY: as above.
    unsafe { write_volatile(&raw mut (*given).check, check(given)) };
    0
}

/// Marks of a call by what it was given and what its record holds.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn strict_compare(tag: u64, at: u64, ret: u64, started: u64) -> u64 {
    const UNCOMPARED: u64 = bits::UNCOMPARED as u64;
    const CHANGED: u64 = bits::CHANGED as u64;
    needed(ret);
    let (Some(writer), Some(given)) = (Writer::resume(Tag(tag).room(), at), given()) else { return UNCOMPARED };
    let slot = Tag(tag).slot();
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() };
    if field!(given.task) != task || field!(given.slot) != slot as u64 || field!(given.check) != check(given) {
        return UNCOMPARED;
    }
    // Used once: a later call whose entry is not seen has nothing to be compared with.
    // SAFETY: a map value.
    unsafe { write_volatile(&raw mut (*given).task, 0) };
    let mut marks = writer.opaque(0);
    let [first, second] = files(&writer, slot, started);
    let [was_first, was_second] = field!(given.files);
    if first != was_first || second != was_second {
        marks = CHANGED;
    }
    let wanted = compared_of(entry(slot as u32)) & compared::ARGUMENTS;
    // What was read at the entry, and has not been seen again.
    let mut left = writer.opaque(0);
    for position in 0..ARGUMENTS {
        // SAFETY: the index is within.
        let sum = unsafe { read_volatile((&raw const (*given).sums).cast::<u64>().add(position)) };
        left |= ((sum != 0) as u64) << position;
    }
    left = writer.opaque(left & wanted as u64);
    let mut blob_at = writer.opaque(first_blob(slot, started));
    for _ in 0..ARGUMENTS {
        if blob_at >= at {
            break;
        }
        let blob = writer.blob_at(blob_at);
        let position = (blob.arg & 7) as usize;
        if wanted >> position & 1 != 0 {
            // SAFETY: the index is within.
            let was = unsafe { read_volatile((&raw const (*given).sums).cast::<u64>().add(position)) };
            let sum = sum_of(&writer, slot, blob_at);
            left &= !(1 << position);
            let capture = capture_of(slot, position as u32);
            // How much of it is read may depend on what the call came to.
            let is_shortened = (capture.len_from == len::RETURN || capture.op == op::IOVEC || capture.op == op::MSGHDR)
                && (was ^ sum) & LENGTH != 0;
            marks |= if was == sum {
                0
            } else if was == 0 || is_shortened {
                UNCOMPARED
            } else {
                CHANGED
            };
        }
        marks = writer.opaque(marks);
        left = writer.opaque(left);
        blob_at = writer.opaque(after_blob(blob_at, blob.length));
    }
    marks | if left != 0 { UNCOMPARED } else { 0 }
}

/// The low bits of a sum are those of the length.
const LENGTH: u64 = 0xf_ffff;

/// The sum of a blob's bytes, which is not 0.
#[inline(always)]
fn sum_of(writer: &Writer, slot: u16, blob_at: u64) -> u64 {
    let blob = writer.blob_at(blob_at);
    let capture = capture_of(slot, blob.arg as u32);
    let start = blob_at + BLOB_HEADER_BYTES as u64;
    let mut from = start;
    let mut length = blob.length as u64;
    if blob.form != form::PLAIN {
        return 1;
    }
    // The kernel writes into each of several messages: of them the first one's header and address are the caller's.
    if capture.op == op::MSGHDR && capture.size as usize > MSGHDR_BYTES {
        let name = writer.word_at(start) & 0xff;
        from = start + MESSAGE_HEAD as u64;
        let is_narrow = slot as usize >= Slot::COMPAT_BASE;
        length = (MSGHDR_BYTES as u64 >> is_narrow as u64) + name;
    }
    let length = writer.opaque(length) & LENGTH;
    let mut sum = writer.opaque(length + 1);
    let mut done = writer.opaque(0);
    for _ in 0..PIECES {
        if done >= length {
            break;
        }
        sum = strict_sum(writer.room(), from + done, length - done, sum);
        done = writer.opaque(done + PIECE);
    }
    sum & !LENGTH | length | 1 << 63
}

/// Goes on with a sum by some bytes of the write, at most [`PIECE`] of them.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn strict_sum(room: u64, from: u64, length: u64, sum: u64) -> u64 {
    let Some(writer) = Writer::resume(room, from) else { return sum };
    let mix = |sum: u64, word: u64| {
        let mixed = (sum ^ word).wrapping_mul(GOLDEN_RATIO);
        mixed ^ mixed >> 29
    };
    let words = if length > PIECE { PIECE / 8 } else { length / 8 };
    let words = writer.opaque(words);
    let mut sum = sum;
    for word in 0..PIECE / 8 {
        if word >= words {
            break;
        }
        sum = mix(sum, writer.word_at(from + word * 8));
    }
    let rest = if length > PIECE { 0 } else { length & 7 };
    // Beyond its end stands what was there before.
    mix(sum, writer.word_at(from + words * 8) & (1u64 << (rest * 8)).wrapping_sub(1))
}

/// Addresses of the files that the call's descriptors stand for, where they are to be compared.
#[inline(always)]
fn files(writer: &Writer, slot: u16, started: u64) -> [u64; 2] {
    let entry = entry(slot as u32);
    let wanted = compared_of(entry);
    // SAFETY: an entry of a static table.
    let (first, second) =
        unsafe { (read_volatile(&raw const (*entry).first), read_volatile(&raw const (*entry).second)) };
    let table = current::<false>().files().fdt();
    let file = |bit: u8, position: u8| {
        if wanted & bit == 0 {
            return 0;
        }
        let fd = writer.word(Started(started), position.wrapping_sub(1) as u64) as u32;
        writer.opaque(table.file(fd).0 as u64)
    };
    [file(compared::FIRST, first), file(compared::SECOND, second)]
}
