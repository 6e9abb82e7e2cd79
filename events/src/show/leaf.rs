//! The smallest parts of values.

use core::fmt::{self, Display, Formatter, Write};
use core::net::{Ipv4Addr, Ipv6Addr};

use super::escape::{Escaped, Out, Own};
use crate::consts::Named;

/// A value that has no parts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leaf<'a> {
    /// Not captured.
    Nothing,
    Signed(i64),
    Unsigned(u64),
    Bool(bool),
    Pointer(u64),
    /// A descriptor and what it stands for; raw output shows the number.
    Descriptor(i64, &'a [u8]),
    /// Text as the kernel has it: any bytes.
    Text(&'a [u8]),
    /// The name of an abstract unix socket, shown with `@` before it.
    Abstract(&'a [u8]),
    /// A word of ours, such as an address family.
    Word(&'static str),
    Bytes(&'a [u8]),
    /// A number that has names; raw output shows the number.
    Named(Named),
    Ipv4([u8; 4]),
    Ipv6([u8; 16]),
    /// A hardware address, `02:42:ac:11:00:02`.
    Hardware(&'a [u8]),
}

impl Leaf<'_> {
    /// The same part without names.
    pub fn raw(self) -> Self {
        match self {
            Leaf::Named(named) => Leaf::Signed(named.number as i64),
            Leaf::Descriptor(number, _) => Leaf::Signed(number),
            other => other,
        }
    }

    /// The number behind it, where there is one; signed ones sign-extended.
    pub fn number(&self) -> Option<u64> {
        match *self {
            Leaf::Signed(number) | Leaf::Descriptor(number, _) => Some(number as u64),
            Leaf::Unsigned(number) | Leaf::Pointer(number) => Some(number),
            Leaf::Named(named) => Some(named.number),
            Leaf::Bool(is) => Some(u64::from(is)),
            _ => None,
        }
    }
}

impl Leaf<'_> {
    /// Prints it as tables show it: numbers by their names, text of the capture as `out` takes it.
    pub fn write(&self, out: &mut impl Out) -> fmt::Result {
        match *self {
            Leaf::Nothing => out.own("<nil>"),
            Leaf::Signed(number) => write!(Own(out), "{number}"),
            Leaf::Unsigned(number) => write!(Own(out), "{number}"),
            Leaf::Bool(is) => write!(Own(out), "{is}"),
            Leaf::Pointer(address) => write!(Own(out), "{address:#x}"),
            Leaf::Descriptor(number, []) => write!(Own(out), "{number}"),
            Leaf::Descriptor(number, stands_for) => {
                write!(Own(out), "{number}=")?;
                out.foreign(stands_for)
            }
            Leaf::Text(bytes) => out.foreign(bytes),
            Leaf::Abstract(bytes) => {
                out.own("@")?;
                out.foreign(bytes)
            }
            Leaf::Word(word) => out.own(word),
            Leaf::Bytes(bytes) => self::bytes(bytes, &mut Own(out)),
            Leaf::Named(named) => write!(Own(out), "{named}"),
            Leaf::Ipv4(address) => write!(Own(out), "{}", Ipv4Addr::from(address)),
            Leaf::Ipv6(address) => write!(Own(out), "{}", Ipv6Addr::from(address)),
            Leaf::Hardware(bytes) => {
                for (at, byte) in bytes.iter().enumerate() {
                    let colon = if at == 0 { "" } else { ":" };
                    write!(Own(out), "{colon}{byte:02x}")?;
                }
                Ok(())
            }
        }
    }
}

/// As tables show it.
impl Display for Leaf<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        self.write(&mut Escaped(out))
    }
}

/// Numbers of bytes that are written at once.
const AT_ONCE: usize = 64;

/// Each byte's number behind a blank, and how long that is.
const NUMBERS: [([u8; 4], usize); 256] = {
    let mut numbers = [([b' '; 4], 0); 256];
    let mut byte = 0;
    while byte < numbers.len() {
        let digits = [byte / 100, byte / 10 % 10, byte % 10];
        let mut at = match byte {
            0..10 => 2,
            10..100 => 1,
            _ => 0,
        };
        let mut length = 1;
        while at < digits.len() {
            numbers[byte].0[length] = b'0' + digits[at] as u8;
            length += 1;
            at += 1;
        }
        numbers[byte].1 = length;
        byte += 1;
    }
    numbers
};

/// Bytes as a list of numbers. Buffers are long: the numbers are copied from a table rather than put together by the
/// machinery of `fmt`, four bytes each whatever their length, so that no number is waited for.
pub(super) fn bytes(bytes: &[u8], out: &mut impl Write) -> fmt::Result {
    out.write_char('[')?;
    // The blank before the first.
    let mut from = 1;
    for chunk in bytes.chunks(AT_ONCE) {
        let mut written = [0; AT_ONCE * 4];
        let mut end = 0;
        for byte in chunk {
            let Some((number, length)) = NUMBERS.get(usize::from(*byte)) else { continue };
            if let Some(place) = written.get_mut(end..end + number.len()) {
                place.copy_from_slice(number);
            }
            end += length;
        }
        // Digits and blanks.
        out.write_str(
            written.get(from..end).and_then(|it| core::str::from_utf8(it).ok()).unwrap_or_default(),
        )?;
        from = 0;
    }
    out.write_char(']')
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{format, string::String, string::ToString, vec::Vec};

    use super::*;

    #[test]
    fn bytes_are_a_list_of_numbers() {
        for length in [0, 1, 2, 63, 64, 65, 256, 1000] {
            let all: Vec<u8> = (0..length).map(|at: usize| (at * 7) as u8).collect();
            let numbers: Vec<String> = all.iter().map(ToString::to_string).collect();
            let mut shown = String::new();
            bytes(&all, &mut shown).expect("a text takes all");
            assert_eq!(shown, format!("[{}]", numbers.join(" ")));
        }
    }
}
