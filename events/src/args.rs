//! Arguments: their names, their C types as Tracee shows them, and what is captured of them.

/// One argument of an event.
#[derive(Debug)]
pub struct Arg {
    /// Tracee's name for it, such as `pathname`.
    pub name: &'static str,
    /// The C type as Tracee shows it, such as `const char*`. For people and for JSON's `type`; never parsed.
    pub ctype: &'static str,
    pub kind: ArgKind,
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
    /// A NUL-terminated string; stored without the NUL.
    Str,
    /// A NULL-terminated array of strings (argv); stored as each string followed by a NUL.
    StrArray,
    /// A buffer; stored as its first bytes, up to the recorder's bound.
    Bytes(Len),
    /// A `struct sockaddr`; stored as in the kernel.
    Sockaddr(Len),
    /// A structure of a fixed layout; stored as in the kernel.
    Struct(StructKind),
}

/// Where the length of a buffer stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Len {
    /// In the argument at this position.
    Arg(u8),
    /// In an `int` that the argument at this position points to (`socklen_t *`).
    PointedBy(u8),
    /// The call's return value (`read`).
    Return,
    /// Always this many bytes.
    Fixed(u16),
}

/// Structures whose bytes are captured and that printing knows how to read.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum StructKind {
    Timespec,
    Timeval,
    Int,
    Long,
    Pipe,
}

impl ArgKind {
    /// Whether the file stores bytes for it, rather than 64 bits.
    pub const fn is_bytes(self) -> bool {
        matches!(
            self,
            ArgKind::Str | ArgKind::StrArray | ArgKind::Bytes(_) | ArgKind::Sockaddr(_) | ArgKind::Struct(_)
        )
    }

    pub const fn is_signed(self) -> bool {
        matches!(self, ArgKind::I32 | ArgKind::I64 | ArgKind::Fd)
    }
}
