//! Arguments: their names, their C types as Tracee shows them, and what is captured of them.

use crate::consts::Names;
use crate::structs::StructKind;
use crate::value::Raw;

/// One argument of an event.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Tracee's name for it, such as `pathname`.
    pub name: &'static str,
    /// The C type as Tracee shows it, such as `const char*`. For people and for JSON's `type`; never parsed.
    pub ctype: &'static str,
    pub kind: ArgKind,
    /// When what it points to can be read.
    pub dir: Dir,
    /// How its number is named when arguments are parsed.
    pub names: Names,
}

/// When what an argument points to holds what the call was about. Everything is read at the exit of the call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Dir {
    /// The task gives it; read whatever the result was. Also for what the call changes in place (`poll`): it is stored
    /// as the call left it.
    In = 0,
    /// The kernel fills it when the call succeeds; missing when it failed.
    Out = 1,
    /// The kernel fills it when the call was interrupted (the rest of a `nanosleep`); missing when it succeeded.
    OutOnError = 2,
}

/// What the recorder captures of an argument, and so how its bytes read.
///
/// Numbers are stored as 64 bits, sign- or zero-extended by kind. What an argument points to is stored as bytes, and is
/// missing ([`crate::Raw::Missing`]) where the pointer was null or could not be read (then [`crate::Marks`] says so).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ArgKind {
    I32,
    U32,
    I64,
    U64,
    U16,
    U8,
    Bool,
    /// A file descriptor of the calling process (i32); `AT_FDCWD` is -100.
    Fd,
    /// An address that is not followed.
    Pointer,
    /// Named by Tracee, but the kernel's call has no such argument (`faccessat`'s flags): always missing.
    Absent,
    /// A NUL-terminated string; stored without the NUL.
    Str,
    /// Text with a length instead of a NUL (`readlink`).
    Text(Len),
    /// A NULL-terminated array of strings (argv); stored as each string followed by a NUL.
    StrArray,
    /// Strings one after the other, each with its NUL (`listxattr`).
    StrList(Len),
    /// A buffer; stored as its first bytes, up to the recorder's bound.
    Bytes(Len),
    /// Entries of a directory; the length says how many bytes of them the kernel gave: see [`crate::dirents`].
    Dirents(Len),
    /// A `struct sockaddr`; stored as in the kernel, at most 128 bytes.
    Sockaddr(Len),
    /// A structure of a fixed layout; stored as in the kernel.
    Struct(StructKind),
    /// A structure that says its size elsewhere (`clone3`): as many bytes as that, at most as many as are known.
    Sized(StructKind, Len),
    /// An array of structures; the length counts elements.
    Array(StructKind, Len),
    /// An array of pointers to structures (`io_submit`); stored as the structures one after the other.
    Indirect(StructKind, Len),
    /// A set of small numbers, a bit each (`fd_set`, a CPU mask); the length says how many bytes or bits.
    Bits(Len),
    /// `struct iovec[]` and what it points to: see [`crate::vectors`].
    Iovec(Len),
    /// `struct msghdr` and what it points to: see [`crate::vectors`].
    Msghdr,
    /// `struct mmsghdr[]`: see [`crate::vectors`].
    Mmsghdr(Len),
    /// A number or a pointer, as the argument at this position says (`ioctl`, `fcntl`, `prctl`): stored as the 8 bytes
    /// of the number, then the bytes that it points to where [`crate::variants`] knows what they are.
    Any(u8),
    /// A value of members and lists that was put together by the recorder or by a derived event: see [`crate::tree`].
    Tree,
}

/// Where the length of a buffer or array stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Len {
    /// In the argument at this position.
    Arg(u8),
    /// In a 32-bit number that the argument at this position points to (`socklen_t *`).
    PointedBy(u8),
    /// The call's return value (`epoll_wait`).
    Return,
    /// The call's return value, but no more than the argument at this position (`getxattr` with size 0 only asks).
    ReturnWithin(u8),
    /// As [`Len::Arg`] and 8 more (`msgsnd`, whose size leaves out the message's type).
    ArgPlus8(u8),
    /// As [`Len::Return`] and 8 more (`msgrcv`).
    ReturnPlus8,
    /// What the event's own probe stored: no system call's argument.
    Probe,
    /// Always this many.
    Fixed(u16),
    /// As many bits as the argument at this position says, in whole 64-bit words (`select`).
    BitsOf(u8),
    /// A byte for each 4096-byte page of the length in the argument at this position (`mincore`).
    PagesOf(u8),
    /// In the buffer itself: the u32 at its start, and this many bytes more (`file_handle`: 8).
    Inside(u8),
    /// In the buffer itself: the u32 at offset 4 (`perf_event_attr`).
    InsideAt4,
}

impl ArgKind {
    /// Whether the file stores bytes for it, rather than 64 bits.
    pub const fn is_bytes(self) -> bool {
        !self.is_number()
    }

    /// Whether it can be cut or unreadable: what is stored as bytes, and what a descriptor stands for.
    pub const fn has_marks(self) -> bool {
        self.is_bytes() || matches!(self, ArgKind::Fd)
    }

    /// Whether it is stored as a number.
    pub const fn is_number(self) -> bool {
        matches!(
            self,
            ArgKind::I32
                | ArgKind::U32
                | ArgKind::I64
                | ArgKind::U64
                | ArgKind::U16
                | ArgKind::U8
                | ArgKind::Bool
                | ArgKind::Fd
                | ArgKind::Pointer
                | ArgKind::Absent
        )
    }

    pub const fn is_signed(self) -> bool {
        matches!(self, ArgKind::I32 | ArgKind::I64 | ArgKind::Fd)
    }

    /// A number kind's value from a system call's register: narrowed to the kind's width, then extended to 64 bits.
    /// Missing for [`ArgKind::Absent`] and for kinds that are stored as bytes.
    pub const fn read_register(self, register: u64) -> Raw<'static> {
        Raw::Number(match self {
            ArgKind::I32 | ArgKind::Fd => register as i32 as i64 as u64,
            ArgKind::U32 => register as u32 as u64,
            ArgKind::U16 => register as u16 as u64,
            ArgKind::U8 => register as u8 as u64,
            ArgKind::Bool => (register as u8 != 0) as u64,
            ArgKind::I64 | ArgKind::U64 | ArgKind::Pointer => register,
            _ => return Raw::Missing,
        })
    }
}

impl Arg {
    /// An argument that the task gives, with no names for its number.
    pub const fn new(name: &'static str, ctype: &'static str, kind: ArgKind) -> Arg {
        Arg { name, ctype, kind, dir: Dir::In, names: Names::None }
    }

    /// The same argument, filled by the kernel when the call succeeds.
    pub const fn out(self) -> Arg {
        Arg { dir: Dir::Out, ..self }
    }

    /// The same argument, filled by the kernel when the call fails.
    pub const fn on_error(self) -> Arg {
        Arg { dir: Dir::OutOnError, ..self }
    }

    /// The same argument, its number named.
    pub const fn named(self, names: Names) -> Arg {
        Arg { names, ..self }
    }

    /// The number that a text means for this argument, as it is stored: by its names or as digits.
    pub fn parse(&self, text: &str) -> Option<u64> {
        let number = self.names.parse(text)?;
        match self.kind.read_register(number) {
            Raw::Number(number) => Some(number),
            _ => Some(number),
        }
    }
}
