//! What the arguments of a system call point to, by the captures that the catalogue gives them.

use core::{mem::MaybeUninit, ptr::read_volatile};

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_user, bpf_probe_read_user_str},
    macros::map,
    maps::HashMap,
};
use events::{
    abi::{
        BLOB_HEADER_BYTES, HEADER_BYTES, bits, form, region,
        tables::{SyscallEntry, VariantKey},
    },
    capture::{ARGUMENTS, Capture, len, op},
};

use crate::{
    emit::{Started, Writer, config},
    gather,
    probes::syscalls::entry,
    strict::strict_compare,
};

/// Most bytes of one read.
const LARGEST_READ: u64 = 4096;
/// Most strings of an array.
const STRINGS: u64 = *region::LIST_STRINGS.end() as u64;
/// Of them, as many as the verifier follows.
const STRINGS_AT_ONCE: u64 = 64;

#[map]
static VARIANTS: HashMap<VariantKey, Capture> = HashMap::with_max_entries(1024, 0);

/// The call whose arguments are followed.
#[derive(Clone, Copy)]
pub struct Call {
    pub ret: i64,
    pub slot: u16,
    pub compat: bool,
    pub started: Started,
}

/// A call but for its result and its record, an argument's position, and a write's room, in one number: global functions
/// take five numbers at most.
pub mod tag {
    const COMPAT: u64 = 1 << 8;

    #[inline(always)]
    pub fn of(room: u64, slot: u16, compat: bool, position: u32) -> u64 {
        room | if compat { COMPAT } else { 0 } | (position as u64) << 16 | (slot as u64) << 32
    }

    #[inline(always)]
    pub fn room(tag: u64) -> u64 {
        tag & 0xff
    }

    #[inline(always)]
    pub fn is_compat(tag: u64) -> bool {
        tag & COMPAT != 0
    }

    #[inline(always)]
    pub fn position(tag: u64) -> u32 {
        (tag >> 16) as u32 & 7
    }

    #[inline(always)]
    pub fn slot(tag: u64) -> u16 {
        (tag >> 32) as u16
    }
}

/// What a read came to.
pub enum Read {
    Whole,
    Cut,
    Lost,
    Skipped,
}

impl Read {
    /// With where the write has come to, as global functions return them.
    #[inline(always)]
    fn with(self, at: u64) -> u64 {
        (self as u64) << 32 | at & 0xffff_ffff
    }
}

/// Reads a value of user space; `None` when it cannot be read.
#[inline(always)]
pub fn user<T: Copy>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the helper writes all of the value; T is a number.
    unsafe {
        (bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _) == 0)
            .then(|| value.assume_init())
    }
}

/// A value of the task's memory; zero when it cannot be read. Without a branch, of which the verifier would follow both.
#[inline(always)]
pub fn user_or_zero<T: Copy>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the helper writes all of the value, zeroes where the address is bad; T is a number.
    unsafe {
        bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        value.assume_init()
    }
}

/// Follows arguments, a blob for each: those whose bit is set. Without `ALL`, only what an exec has. Returns marks.
///
/// By global functions of numbers only, that the verifier looks at once. None of them calls another one, for the stack of
/// all that are under way is small.
#[inline(always)]
pub fn follow<const ALL: bool>(writer: &mut Writer, call: &Call, followed: u8) -> u32 {
    let followed = followed as u32;
    let (ret, started) = (call.ret as u64, call.started.0);
    let mut marks = writer.forget(0) as u32;
    for position in 0..6u32 {
        let left = followed >> position;
        if left == 0 {
            break;
        }
        if left & 1 == 0 {
            continue;
        }
        let tag = tag::of(writer.room(), call.slot, call.compat, position);
        let mut returned = if ALL {
            capture_argument(tag, writer.at, ret, started)
        } else {
            capture_string(tag, writer.at, ret, started)
        };
        returned = match returned >> 32 {
            LIST => capture_strings(tag, writer.at, ret, started),
            ANYTHING if ALL => capture_any(tag, writer.at, ret, started),
            GATHERED if ALL => capture_gathered(tag, writer.at, ret, started),
            _ => returned,
        };
        writer.at = returned & 0xffff_ffff;
        let read = (returned >> 32) as u32;
        if read == Read::Cut as u32 {
            marks |= bits::TRUNCATED | 1 << (bits::CUT_ARG_SHIFT + position);
        } else if read == Read::Lost as u32 {
            marks |= bits::FAULT | 1 << (bits::LOST_ARG_SHIFT + position);
        }
        // The same for all ways that the reads can have gone.
        marks = writer.forget(marks as u64) as u32;
    }
    marks
}

/// What is to be said of all that has been captured of a call. Returns marks.
#[inline(always)]
pub fn judge<const ALL: bool>(writer: &Writer, call: &Call, flags: u8, compared: u8) -> u32 {
    let tag = tag::of(writer.room(), call.slot, call.compat, 0);
    let mut marks = 0;
    if ALL && flags & SyscallEntry::OVERLAPS != 0 {
        marks |= capture_overlaps(tag, writer.at, call.ret as u64, call.started.0) as u32;
    }
    if config!(strict) != 0 && compared != 0 {
        // An exec whose arguments are taken at its entry has them from there alone.
        if !ALL && config!(exec_at_entry) != 0 {
            return marks | bits::UNCOMPARED;
        }
        marks |= strict_compare(tag, writer.at, call.ret as u64, call.started.0) as u32;
    }
    marks
}

/// The mark of a call that wrote over what it was given: the bytes of an argument that it filled lie among those of one
/// that it read. By the blobs that have been captured, which say how far each was read.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn capture_overlaps(tag: u64, at: u64, ret: u64, started: u64) -> u64 {
    needed(ret);
    let Some(writer) = Writer::resume(tag::room(tag), at) else { return 0 };
    let writer = &writer;
    let mut filled = writer.forget(first_blob(tag::slot(tag), started));
    for _ in 0..ARGUMENTS {
        if filled >= at {
            break;
        }
        let blob = writer.blob_at(filled);
        if writer.forget(overlaps_given(tag, at, ret, started, filled)) != 0 {
            return bits::OVERLAP as u64;
        }
        filled = writer.forget(after_blob(filled, blob.length));
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
    let Some(writer) = Writer::resume(tag::room(tag), at) else { return 0 };
    let writer = &writer;
    let call = &Call { ret: ret as i64, slot: tag::slot(tag), compat: tag::is_compat(tag), started: Started(started) };
    let blob = writer.blob_at(filled);
    let capture = capture_of(call.slot, blob.arg as u32);
    if capture.dir & 0x7f == 0 || capture.op != op::BYTES {
        return 0;
    }
    let start = writer.forget(writer.word(call.started, blob.arg as u64));
    let end = writer.forget(start.wrapping_add(writer.forget(count(writer, call, capture, start)) * capture.size as u64));
    let mut given = writer.forget(first_blob(call.slot, started));
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
        given = writer.forget(after_blob(given, other.length));
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

/// What is returned for arguments that another function follows; beyond the values of [`Read`].
const LIST: u64 = 4;
const ANYTHING: u64 = 5;
const GATHERED: u64 = 6;

/// How an argument is followed.
#[inline(always)]
pub fn capture_of(slot: u16, position: u32) -> Capture {
    // SAFETY: an entry of a static table; the position is at most 7, which is within it.
    unsafe {
        read_volatile((&raw const (*entry(slot as u32)).captures).cast::<Capture>().add((position & 7) as usize))
    }
}

#[inline(always)]
fn argument<const ALL: bool>(writer: &mut Writer, call: &Call, capture: Capture, position: u32, pointer: u64) -> u64 {
    let direction = capture.dir & 0x7f;
    if direction == 1 && call.ret < 0
        || direction == 2 && call.ret >= 0
        || call.compat && capture.dir & Capture::SAME_IN_COMPAT == 0
        || pointer == 0 && capture.op != op::ANY
    {
        return Read::Skipped.with(writer.at);
    }
    if !writer.has_room() {
        return Read::Cut.with(writer.at);
    }
    let read = match capture.op {
        op::STRING => string(writer, position as u8, pointer, 0),
        op::BYTES if ALL => {
            let count = count(writer, call, capture, pointer);
            bytes(writer, position as u8, capture, pointer, count, 0)
        }
        op::STRINGS => return LIST << 32,
        op::ANY if ALL => return ANYTHING << 32,
        op::INDIRECT | op::IOVEC | op::MSGHDR if ALL => return GATHERED << 32,
        _ => Read::Skipped,
    };
    read.with(writer.at)
}

/// Appends an address of user space, a `struct sockaddr` of so many bytes. False when it cannot be read.
#[inline(always)]
pub fn user_address(writer: &mut Writer, arg: u8, address: u64, length: u64) -> bool {
    const LARGEST: u64 = 128;
    let length = writer.forget(if length > LARGEST { LARGEST } else { length }) & 0xff;
    let length = if length > LARGEST { LARGEST } else { length };
    // SAFETY: at most 128 bytes, which the slack holds.
    let failed = unsafe {
        bpf_probe_read_user(writer.blob_bytes().cast(), length as u32, address as *const _) != 0
    };
    if !failed {
        writer.end_blob(arg, form::PLAIN, length as u32);
    }
    !failed
}

/// Uses a number: callers may leave undefined what a function does not use, and the verifier wants it defined.
#[inline(always)]
pub fn needed(number: u64) {
    // SAFETY: does nothing.
    unsafe { core::arch::asm!("{0} = {0}", in(reg) number, options(nomem, nostack)) };
}

/// What the functions of single arguments begin with.
macro_rules! single {
    ($(#[$doc:meta])* $name:ident($writer:ident, $call:ident, $capture:ident, $position:ident, $pointer:ident) $body:block) => {
        $(#[$doc])*
        #[unsafe(no_mangle)]
        #[inline(never)]
        pub extern "C" fn $name(tag: u64, at: u64, ret: u64, started: u64) -> u64 {
            needed(ret);
            let Some(mut resumed) = Writer::resume(tag::room(tag), at) else { return Read::Skipped.with(at) };
            let $writer = &mut resumed;
            let $call =
                &Call { ret: ret as i64, slot: tag::slot(tag), compat: tag::is_compat(tag), started: Started(started) };
            let $position = tag::position(tag);
            let $capture = capture_of($call.slot, $position);
            let $pointer = $writer.word($call.started, $position as u64);
            $body
        }
    };
}

single! {
    /// Most arguments; of others it returns which function follows them.
    capture_argument(writer, call, capture, position, pointer) {
        argument::<true>(writer, call, capture, position, pointer)
    }
}

single! {
    /// The same of an exec's.
    capture_string(writer, call, capture, position, pointer) {
        argument::<false>(writer, call, capture, position, pointer)
    }
}

single! {
    capture_strings(writer, call, _capture, position, pointer) {
        strings(writer, position as u8, pointer, call.compat).with(writer.at)
    }
}

single! {
    capture_any(writer, call, capture, position, value) {
        any(writer, call, capture, position, value).with(writer.at)
    }
}

single! {
    /// Of what points to pointers.
    capture_gathered(writer, call, capture, position, pointer) {
        let count = if capture.op == op::MSGHDR && capture.len_from == len::ONE {
            1
        } else {
            count(writer, call, capture, pointer)
        };
        let read = match capture.op {
            op::INDIRECT => gather::indirect(writer, position as u8, capture, pointer, count, call.compat),
            op::IOVEC => gather::vectors(writer, position as u8, capture, pointer, count, call.ret, call.compat),
            _ => gather::messages(writer, position as u8, capture, pointer, count, call.ret, call.compat),
        };
        read.with(writer.at)
    }
}

/// A string; `before` bytes of the blob have been written already.
#[inline(always)]
fn string(writer: &mut Writer, arg: u8, pointer: u64, before: u64) -> Read {
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
    let mut state = writer.forget(0);
    let strings = config!(list_strings) as u64;
    // Once more than there are strings, for the end of as many as are kept.
    for i in 0..STRINGS / STRINGS_AT_ONCE + 1 {
        let array = writer.forget(array.wrapping_add(i * STRINGS_AT_ONCE * size));
        let left = strings.saturating_sub(i * STRINGS_AT_ONCE) << LEFT_SHIFT;
        state = capture_some_strings(writer.forget(room | left), writer.forget(start), array, state & (LENGTH_MASK | ELEMENT_CUT));
        state = writer.forget(state);
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
    let mut length = writer.forget(state & LENGTH_MASK) & LENGTH_MASK;
    let mut is_cut = writer.forget(state & ELEMENT_CUT);
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
        is_cut = writer.forget(is_cut) & ELEMENT_CUT;
        length = writer.forget(length + read as u64) & LENGTH_MASK;
    }
    GOES_ON << 32 | is_cut | length
}

/// How many elements a buffer has.
#[inline(always)]
fn count(writer: &Writer, call: &Call, capture: Capture, pointer: u64) -> u64 {
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
    writer.forget(count)
}

/// A buffer; `before` bytes of the blob have been written already.
#[inline(always)]
fn bytes(writer: &mut Writer, arg: u8, capture: Capture, pointer: u64, count: u64, before: u64) -> Read {
    let mut bound = if capture.max == 0 { config!(buffer_bound) as u64 } else { capture.max as u64 };
    if bound > LARGEST_READ {
        bound = LARGEST_READ;
    }
    // Lengths are signed in places: what is too large for a buffer is none.
    let count = if count as u32 as u64 == count { count } else { u32::MAX as u64 };
    let wanted = count * capture.size as u64;
    let is_cut = wanted > bound;
    let length = writer.forget(if is_cut { bound } else { wanted }) & 0x1fff;
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
fn any(writer: &mut Writer, call: &Call, capture: Capture, position: u32, value: u64) -> Read {
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
