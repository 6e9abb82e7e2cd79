//! How the kernel programs capture a system call's arguments: the catalogue's kinds as a small table.
//!
//! One [`Capture`] per argument, eight bytes, so that a call's six fit one map value. The program runs one bounded loop:
//!
//! ```text
//! for each argument:
//!     op NUMBER: nothing (registers are recorded anyway)
//!     direction: skip when it does not fit the result (the argument is then missing)
//!     null pointer: missing
//!     count = by `len_from`; bytes = min(count * size, max or the recorder's buffer bound)
//!     read them, by `op`
//! ```

use crate::{
    args::{Arg, ArgKind, Dir, Len},
    layout32::{self, Layout32},
    structs::StructKind,
};

/// What to do with an argument: [`Capture::op`].
pub mod op {
    /// The register is all there is.
    pub const NUMBER: u8 = 0;
    /// A string up to its NUL; `max` 0: the recorder's string bound.
    pub const STRING: u8 = 1;
    /// A NULL-terminated array of string pointers, each string followed by a NUL.
    pub const STRINGS: u8 = 2;
    /// `count * size` bytes from the pointer on.
    pub const BYTES: u8 = 3;
    /// `count` pointers, each to `size` bytes.
    pub const INDIRECT: u8 = 4;
    /// `count` of `struct iovec`, at most `max` of them, and then their contents: see [`crate::vectors`].
    pub const IOVEC: u8 = 5;
    /// `count` messages of stride `size` (56: `msghdr`, 64: `mmsghdr`), at most `max` of them: see [`crate::vectors`].
    pub const MSGHDR: u8 = 6;
    /// The register's 8 bytes, then what the entry of the variants' map for (event, argument `len_arg`) says: see
    /// [`crate::variants`]. Without such an entry the 8 bytes are all.
    pub const ANY: u8 = 7;
}

/// Where the count stands: [`Capture::len_from`].
pub mod len {
    /// 1.
    pub const ONE: u8 = 0;
    /// Register `len_arg`.
    pub const ARG: u8 = 1;
    /// The u32 that register `len_arg` points to, at the call's exit.
    pub const POINTED: u8 = 2;
    /// The return value; at most register `len_arg` unless that is [`NO_ARG`].
    pub const RETURN: u8 = 3;
    /// Register `len_arg` counts bits: `(bits + 63) / 64 * 8`, and in 32-bit tasks `(bits + 31) / 32 * 4`.
    pub const BITS: u8 = 4;
    /// Register `len_arg` counts bytes of memory, of which each page has a byte: `(length + 4095) / 4096`.
    pub const PAGES: u8 = 5;
    /// The u32 at the start of the buffer, plus `len_arg`.
    pub const INSIDE: u8 = 6;
    /// The u32 at offset 4 of the buffer.
    pub const INSIDE_AT_4: u8 = 7;

    /// Register `len_arg`, plus 8; in 32-bit tasks plus 4.
    pub const ARG_PLUS_8: u8 = 8;
    /// The same of the return value.
    pub const RETURN_PLUS_8: u8 = 9;

    /// [`super::Capture::len_arg`] of what has none.
    pub const NO_ARG: u8 = 0xff;
}

/// How one argument is captured.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Capture {
    /// One of [`op`].
    pub op: u8,
    /// [`Dir`] in the low 7 bits; [`Capture::SAME_IN_COMPAT`]: what it points to is followed in a 32-bit task too, for it
    /// lies as the capture says there. The captures of a 32-bit call are others than those of the native one: see
    /// [`captures_in_compat`].
    pub dir: u8,
    /// One of [`len`].
    pub len_from: u8,
    /// A position, or an addend: see [`len`].
    pub len_arg: u8,
    /// Bytes of one element.
    pub size: u16,
    /// At most so many bytes (for IOVEC and MSGHDR: elements); 0: the recorder's bound for strings or buffers.
    pub max: u16,
}

const _: () = assert!(size_of::<Capture>() == 8 && align_of::<Capture>() == 2);

/// Arguments that a system call has at most.
pub const ARGUMENTS: usize = 6;

/// How a system call's arguments are captured, by position.
pub type Captures = [Capture; ARGUMENTS];

/// Bytes of an array of structures that are kept, whatever the recorder's buffer bound.
const ARRAY_BYTES: u16 = 512;
/// Bytes of the longest socket address (`struct sockaddr_storage`).
const SOCKADDR_BYTES: u16 = 128;
/// Vectors of a `readv` and messages of a `sendmmsg` that are kept.
pub const MAX_VECTORS: u16 = 8;
pub const MAX_MESSAGES: u16 = 4;

/// Bytes of a structure on the machine that this is built for.
const fn machine_size(of: StructKind) -> u16 {
    if cfg!(target_arch = "aarch64") { of.aarch64_size() } else { of.size() }
}

impl Capture {
    pub const SAME_IN_COMPAT: u8 = 0x80;

    /// The capture of an argument.
    pub const fn of(arg: &Arg) -> Capture {
        Capture::of_kind(arg.kind, arg.dir)
    }

    /// The capture of a kind.
    pub const fn of_kind(kind: ArgKind, dir: Dir) -> Capture {
        match kind {
            ArgKind::Struct(of) | ArgKind::Array(of, _) | ArgKind::Sized(of, _) => {
                Capture::with_size(kind, dir, machine_size(of), of.same_in_compat())
            }
            _ => Capture::with_size(kind, dir, 1, false),
        }
    }

    /// The capture of a kind in a 32-bit task, by how its structures lie there where that differs.
    pub fn in_compat(kind: ArgKind, dir: Dir, layout: impl Fn(StructKind) -> Option<Layout32>) -> Capture {
        match kind {
            ArgKind::Struct(of) | ArgKind::Array(of, _) | ArgKind::Sized(of, _) => {
                Capture::with_size(kind, dir, layout(of).map_or(of.size(), |layout| layout.size), true)
            }
            _ => Capture::with_size(kind, dir, 1, true),
        }
    }

    /// The capture of a kind whose structure, if it has one, is so large.
    const fn with_size(kind: ArgKind, dir: Dir, size: u16, is_same: bool) -> Capture {
        let plain = Capture {
            op: op::NUMBER,
            dir: dir as u8,
            len_from: len::ONE,
            len_arg: len::NO_ARG,
            size: 1,
            max: 0,
        };
        let same = Capture { dir: dir as u8 | Capture::SAME_IN_COMPAT, ..plain };
        let base = if is_same { same } else { plain };
        match kind {
            ArgKind::Str => Capture { op: op::STRING, ..same },
            ArgKind::StrArray => Capture { op: op::STRINGS, ..same },
            ArgKind::Bytes(length)
            | ArgKind::Text(length)
            | ArgKind::StrList(length)
            | ArgKind::Dirents(length) => Capture { op: op::BYTES, ..same }.counted(length),
            ArgKind::Sockaddr(length) => {
                Capture { op: op::BYTES, max: SOCKADDR_BYTES, ..same }.counted(length)
            }
            ArgKind::Bits(length) => Capture { op: op::BYTES, max: SOCKADDR_BYTES, ..base }.counted(length),
            ArgKind::Struct(_) => Capture { op: op::BYTES, size, max: size, ..base },
            ArgKind::Array(_, length) => {
                // Whole elements only.
                Capture { op: op::BYTES, size, max: ARRAY_BYTES - ARRAY_BYTES % size, ..base }.counted(length)
            }
            ArgKind::Sized(_, length) => Capture { op: op::BYTES, max: size, ..base }.counted(length),
            // Of what points to pointers the programs know how wide those are; of what may point to anything, the variant.
            // x32's calls have the captures of the native ones, with structures of 32-bit tasks: these are not followed there.
            ArgKind::Indirect(of, length) => {
                Capture { op: op::INDIRECT, size: machine_size(of), max: ARRAY_BYTES, ..base }.counted(length)
            }
            ArgKind::Iovec(length) => {
                Capture { op: op::IOVEC, size: 16, max: MAX_VECTORS, ..base }.counted(length)
            }
            ArgKind::Msghdr => Capture { op: op::MSGHDR, size: 56, max: 1, ..base },
            ArgKind::Mmsghdr(length) => {
                Capture { op: op::MSGHDR, size: 64, max: MAX_MESSAGES, ..base }.counted(length)
            }
            ArgKind::Any(selector) => Capture { op: op::ANY, len_arg: selector, ..base },
            _ => same,
        }
    }

    const fn counted(self, length: Len) -> Capture {
        let (len_from, len_arg) = match length {
            Len::Arg(position) => (len::ARG, position),
            Len::PointedBy(position) => (len::POINTED, position),
            Len::Return => (len::RETURN, len::NO_ARG),
            Len::ReturnWithin(position) => (len::RETURN, position),
            Len::BitsOf(position) => (len::BITS, position),
            Len::PagesOf(position) => (len::PAGES, position),
            Len::Inside(more) => (len::INSIDE, more),
            Len::InsideAt4 => (len::INSIDE_AT_4, len::NO_ARG),
            Len::ArgPlus8(position) => (len::ARG_PLUS_8, position),
            Len::ReturnPlus8 => (len::RETURN_PLUS_8, len::NO_ARG),
            // Not a system call's: nothing for the loop to do.
            Len::Probe => return Capture { op: op::NUMBER, ..self },
            Len::Fixed(count) => return Capture { size: self.size * count, len_from: len::ONE, ..self },
        };
        Capture { len_from, len_arg, ..self }
    }
}

/// The captures of a call's arguments.
pub const fn captures(args: &[Arg]) -> Captures {
    let number =
        Capture { op: op::NUMBER, dir: 0, len_from: len::ONE, len_arg: len::NO_ARG, size: 1, max: 0 };
    let mut captures = [number; ARGUMENTS];
    let mut i = 0;
    while i < args.len() && i < ARGUMENTS {
        captures[i] = Capture::of(&args[i]);
        i += 1;
    }
    captures
}

/// The captures of a call's arguments where a 32-bit task makes it by this number.
pub fn captures_in_compat(args: &[Arg], number: u16) -> Captures {
    let mut captures = captures(args);
    for (capture, arg) in captures.iter_mut().zip(args) {
        *capture = Capture::in_compat(arg.kind, arg.dir, |of| layout32::layout(of, number));
    }
    captures
}
