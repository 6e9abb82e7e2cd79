//! Values of arguments: as stored, and as read by their kind.

use crate::{ArgKind, StructKind};

/// A value as the file stores it. Which kind of number or bytes it is, only the event's declaration knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Raw<'a> {
    /// Not captured: a null pointer, memory that could not be read, or a field that this event did not have.
    Missing,
    /// A number: signed ones are sign-extended to 64 bits, unsigned ones zero-extended.
    Number(u64),
    Bytes(&'a [u8]),
}

impl<'a> Raw<'a> {
    /// A descriptor's number, and what it stands for where that is known: stored as the 8 bytes of the number, then that.
    pub fn descriptor(self) -> Option<(u64, &'a [u8])> {
        match self {
            Raw::Missing => None,
            Raw::Number(number) => Some((number, &[])),
            Raw::Bytes(bytes) => {
                bytes.split_first_chunk().map(|(number, rest)| (u64::from_le_bytes(*number), rest))
            }
        }
    }
}

/// A value read by its kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value<'a> {
    Missing,
    Signed(i64),
    Unsigned(u64),
    Bool(bool),
    Pointer(u64),
    /// A descriptor, and what it stands for: `/etc/passwd`, `tcp 10.0.0.1:4242->10.0.0.2:443`, `pipe:[4711]`.
    Descriptor(i64, &'a [u8]),
    Str(&'a [u8]),
    /// Strings, each followed by a NUL; see [`strings`].
    StrArray(&'a [u8]),
    Bytes(&'a [u8]),
    /// See [`crate::dirents`].
    Dirents(&'a [u8]),
    Sockaddr(&'a [u8]),
    Struct(StructKind, &'a [u8]),
    /// Structures one after the other.
    Array(StructKind, &'a [u8]),
    /// A bit for each member, little endian.
    Bits(&'a [u8]),
    /// See [`crate::vectors`].
    Iovec(&'a [u8]),
    /// One message, or with `many` a sequence of them: see [`crate::vectors`].
    Messages {
        bytes: &'a [u8],
        many: bool,
    },
    /// A number that may have been a pointer, and what it pointed to: see [`crate::variants`].
    Any(u64, &'a [u8]),
    /// See [`crate::tree`].
    Tree(&'a [u8]),
}

impl<'a> Value<'a> {
    /// Reads a stored value by its kind. A stored form that does not fit the kind reads as missing: files are foreign.
    pub fn read(kind: ArgKind, raw: Raw<'a>) -> Value<'a> {
        match (kind, raw) {
            (_, Raw::Missing) => Value::Missing,
            (ArgKind::I32 | ArgKind::I64 | ArgKind::Fd, Raw::Number(n)) => Value::Signed(n as i64),
            (ArgKind::U8 | ArgKind::U16 | ArgKind::U32 | ArgKind::U64, Raw::Number(n)) => Value::Unsigned(n),
            (ArgKind::Bool, Raw::Number(n)) => Value::Bool(n != 0),
            (ArgKind::Pointer, Raw::Number(n)) => Value::Pointer(n),
            (ArgKind::Fd, Raw::Bytes(_)) => match raw.descriptor() {
                Some((number, stands_for)) => Value::Descriptor(number as i64, stands_for),
                None => Value::Missing,
            },
            (ArgKind::Str | ArgKind::Text(_), Raw::Bytes(b)) => Value::Str(b),
            (ArgKind::StrArray | ArgKind::StrList(_), Raw::Bytes(b)) => Value::StrArray(b),
            (ArgKind::Bytes(_), Raw::Bytes(b)) => Value::Bytes(b),
            (ArgKind::Dirents(_), Raw::Bytes(b)) => Value::Dirents(b),
            (ArgKind::Sockaddr(_), Raw::Bytes(b)) => Value::Sockaddr(b),
            (ArgKind::Struct(s) | ArgKind::Sized(s, _), Raw::Bytes(b)) => Value::Struct(s, b),
            (ArgKind::Array(s, _) | ArgKind::Indirect(s, _), Raw::Bytes(b)) => Value::Array(s, b),
            (ArgKind::Bits(_), Raw::Bytes(b)) => Value::Bits(b),
            (ArgKind::Iovec(_), Raw::Bytes(b)) => Value::Iovec(b),
            (ArgKind::Msghdr, Raw::Bytes(bytes)) => Value::Messages { bytes, many: false },
            (ArgKind::Mmsghdr(_), Raw::Bytes(bytes)) => Value::Messages { bytes, many: true },
            (ArgKind::Any(_), Raw::Bytes(b)) => match b.split_first_chunk() {
                Some((number, pointed)) => Value::Any(u64::from_le_bytes(*number), pointed),
                None => Value::Missing,
            },
            (ArgKind::Any(_), Raw::Number(n)) => Value::Any(n, &[]),
            (ArgKind::Absent, _) => Value::Missing,
            (ArgKind::Tree, Raw::Bytes(b)) => Value::Tree(b),
            // A pointer that was not followed (its memory could not be read) is still known as an address.
            (_, Raw::Number(n)) => Value::Pointer(n),
            (_, Raw::Bytes(_)) => Value::Missing,
        }
    }
}

/// The elements of a stored string array.
pub fn strings(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let body = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    let empty = bytes.is_empty();
    body.split(|b| *b == 0).filter(move |_| !empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn string_arrays_keep_empty_elements() {
        let read = |b| strings(b).first::<4>();
        assert_eq!(read(b"ls\0--color\0"), [Some(&b"ls"[..]), Some(b"--color"), None, None]);
        assert_eq!(read(b"sh\0\0x\0"), [Some(&b"sh"[..]), Some(b""), Some(b"x"), None]);
        assert_eq!(read(b""), [None; 4]);
        assert_eq!(read(b"\0"), [Some(&b""[..]), None, None, None]);
    }

    #[test]
    fn a_descriptor_is_its_number_and_what_it_stands_for() {
        let mut stored = [0; 19];
        stored[0] = 3;
        stored[8..].copy_from_slice(b"/etc/passwd");
        let read = |raw| Value::read(ArgKind::Fd, raw);
        assert_eq!(read(Raw::Bytes(&stored)), Value::Descriptor(3, b"/etc/passwd"));
        assert_eq!(read(Raw::Number(-100_i64 as u64)), Value::Signed(-100));
        assert_eq!(read(Raw::Bytes(&stored[..8])), Value::Descriptor(3, b""));
        assert_eq!(read(Raw::Bytes(&stored[..7])), Value::Missing);
    }

    trait First<'a> {
        fn first<const N: usize>(self) -> [Option<&'a [u8]>; N];
    }
    impl<'a, I: Iterator<Item = &'a [u8]>> First<'a> for I {
        fn first<const N: usize>(mut self) -> [Option<&'a [u8]>; N] {
            core::array::from_fn(|_| self.next())
        }
    }
}
