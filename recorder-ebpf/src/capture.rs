//! What the arguments of a system call point to, by the captures that the catalogue gives them.

use core::ptr::read_volatile;

use events::{
    abi::{
        bits,
        tables::SyscallEntry,
    },
    capture::{Capture, len, op},
};

use crate::{
    emit::{Started, Writer, config},
    gather,
    probes::syscalls::entry,
    strict::strict_compare,
};

mod lists;
mod overlap;
mod values;

pub use lists::strings;
pub use overlap::{after_blob, first_blob};
use overlap::capture_overlaps;
use values::{any, bytes, count, string};

/// The call whose arguments are followed.
#[derive(Clone, Copy)]
pub struct Call {
    pub ret: i64,
    pub slot: u16,
    pub compat: bool,
    pub started: Started,
}

/// A call but for its result and its record, an argument's position, and a write's room, in one number: global functions
/// take five numbers at most. From the lowest bit on: the room (8 bits), whether the task has 32 bits (1), the position (from
/// bit 16 on, 3), the slot (from bit 32 on, 16).
#[derive(Clone, Copy)]
pub struct Tag(pub u64);

impl Tag {
    const COMPAT: u64 = 1 << 8;

    #[inline(always)]
    pub fn of(room: u64, slot: u16, compat: bool, position: u32) -> Tag {
        Tag(room | if compat { Tag::COMPAT } else { 0 } | (position as u64) << 16 | (slot as u64) << 32)
    }

    #[inline(always)]
    pub fn room(self) -> u64 {
        self.0 & 0xff
    }

    #[inline(always)]
    pub fn is_compat(self) -> bool {
        self.0 & Tag::COMPAT != 0
    }

    #[inline(always)]
    pub fn position(self) -> u32 {
        (self.0 >> 16) as u32 & 7
    }

    #[inline(always)]
    pub fn slot(self) -> u16 {
        (self.0 >> 32) as u16
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

/// Follows arguments, a blob for each: those whose bit is set. Without `ALL`, only what an exec has. Returns marks.
///
/// By global functions of numbers only, that the verifier looks at once. None of them calls another one, for the stack of
/// all that are under way is small.
#[inline(always)]
pub fn follow<const ALL: bool>(writer: &mut Writer, call: &Call, followed: u8) -> u32 {
    let followed = followed as u32;
    let (ret, started) = (call.ret as u64, call.started.0);
    let mut marks = writer.opaque(0) as u32;
    for position in 0..6u32 {
        let left = followed >> position;
        if left == 0 {
            break;
        }
        if left & 1 == 0 {
            continue;
        }
        let tag = Tag::of(writer.room(), call.slot, call.compat, position).0;
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
        marks = writer.opaque(marks as u64) as u32;
    }
    marks
}

/// What is to be said of all that has been captured of a call. Returns marks.
#[inline(always)]
pub fn judge<const ALL: bool>(writer: &Writer, call: &Call, flags: u8, compared: u8) -> u32 {
    let tag = Tag::of(writer.room(), call.slot, call.compat, 0).0;
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
            let Some(mut resumed) = Writer::resume(Tag(tag).room(), at) else { return Read::Skipped.with(at) };
            let $writer = &mut resumed;
            let $call =
                &Call { ret: ret as i64, slot: Tag(tag).slot(), compat: Tag(tag).is_compat(), started: Started(started) };
            let $position = Tag(tag).position();
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
