//! Argument values in JSON: a listener to the walk over values.

use std::fmt::{self, Write};

use events::show::{Leaf, Parts, Shape};
use events::{ArgKind, Raw};
use pipeline::EventView;
use views::digits;
pub use views::values::text;
use views::values::walk;

use super::json_text;

/// Appends the value of an argument in JSON.
pub fn json(event: &EventView<'_>, position: usize, kind: ArgKind, out: &mut Vec<u8>) {
    if !plain(kind, event.args.get(position), out) {
        walk(event, position, &mut Json::new(false, out));
    }
}

/// The same with numbers that have names, and pointers, as text; `true` when the whole value became text.
pub fn parsed_json(event: &EventView<'_>, position: usize, out: &mut Vec<u8>) -> bool {
    let mut listener = Json::new(true, out);
    walk(event, position, &mut listener);
    listener.is_word
}

/// Most arguments are numbers and strings, which need no walk; `false`: it is something else.
fn plain(kind: ArgKind, raw: Raw<'_>, out: &mut Vec<u8>) -> bool {
    match (kind, raw) {
        (_, Raw::Missing) => out.extend_from_slice(b"null"),
        (ArgKind::I32 | ArgKind::I64 | ArgKind::Fd, Raw::Number(number)) => {
            digits::signed(number as i64, out)
        }
        (
            ArgKind::U8 | ArgKind::U16 | ArgKind::U32 | ArgKind::U64 | ArgKind::Pointer,
            Raw::Number(number),
        ) => {
            digits::unsigned(number, out);
        }
        (ArgKind::Fd, raw) => match raw.descriptor() {
            Some((number, _)) => digits::signed(number as i64, out),
            None => out.extend_from_slice(b"null"),
        },
        (ArgKind::Str, Raw::Bytes(bytes)) => json_text::quoted(bytes, out),
        _ => return false,
    }
    true
}

/// Writes a walk as JSON.
struct Json<'a> {
    out: &'a mut Vec<u8>,
    parsed: bool,
    /// Something stands before the next part.
    follows: bool,
    depth: u32,
    /// Open socket addresses, whose members are all text as in Tracee.
    maps: u32,
    /// The whole value is a number that became text.
    is_word: bool,
}

impl<'a> Json<'a> {
    fn new(parsed: bool, out: &'a mut Vec<u8>) -> Json<'a> {
        Json { out, parsed, follows: false, depth: 0, maps: 0, is_word: false }
    }

    fn separate(&mut self) {
        if self.follows {
            self.out.push(b',');
        }
    }

    /// A leaf as text in quotes.
    fn shown(&mut self, leaf: &Leaf<'_>) {
        self.out.push(b'"');
        // Names, numbers and addresses: nothing of them needs escaping.
        let _ = write!(Plain(self.out), "{leaf}");
        self.out.push(b'"');
    }
}

/// Takes text that is ASCII without quotes.
struct Plain<'a>(&'a mut Vec<u8>);

impl Write for Plain<'_> {
    fn write_str(&mut self, written: &str) -> fmt::Result {
        json_text::inner(written.as_bytes(), self.0);
        Ok(())
    }
}

impl Parts for Json<'_> {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        self.separate();
        self.follows = true;
        let leaf = if self.parsed || self.maps > 0 { leaf } else { leaf.raw() };
        match leaf {
            Leaf::Nothing => self.out.extend_from_slice(b"null"),
            Leaf::Text(bytes) => json_text::quoted(bytes, self.out),
            Leaf::Abstract(bytes) => {
                self.out.extend_from_slice(b"\"@");
                json_text::inner(bytes, self.out);
                self.out.push(b'"');
            }
            Leaf::Bytes(bytes) => base64(bytes, self.out),
            Leaf::Descriptor(number, stands_for) if !stands_for.is_empty() => {
                self.is_word |= self.depth == 0;
                self.out.push(b'"');
                digits::signed(number, self.out);
                self.out.push(b'=');
                json_text::inner(stands_for, self.out);
                self.out.push(b'"');
            }
            Leaf::Descriptor(number, _) => digits::signed(number, self.out),
            Leaf::Signed(number) if self.maps == 0 => digits::signed(number, self.out),
            Leaf::Unsigned(number) if self.maps == 0 => digits::unsigned(number, self.out),
            Leaf::Bool(is) if self.maps == 0 => {
                self.out.extend_from_slice(if is { b"true" } else { b"false" })
            }
            Leaf::Pointer(address) if self.maps == 0 && !self.parsed => digits::unsigned(address, self.out),
            leaf => {
                self.is_word |= self.depth == 0 && matches!(leaf, Leaf::Named(_) | Leaf::Pointer(_));
                self.shown(&leaf);
            }
        }
    }

    fn open(&mut self, shape: Shape) {
        self.separate();
        self.out.push(if shape == Shape::List { b'[' } else { b'{' });
        self.follows = false;
        self.depth += 1;
        self.maps += u32::from(shape == Shape::Map);
    }

    fn member(&mut self, name: &str) {
        self.separate();
        json_text::quoted(name.as_bytes(), self.out);
        self.out.push(b':');
        self.follows = false;
    }

    fn close(&mut self, shape: Shape) {
        self.out.push(if shape == Shape::List { b']' } else { b'}' });
        self.follows = true;
        self.depth = self.depth.saturating_sub(1);
        self.maps = self.maps.saturating_sub(u32::from(shape == Shape::Map));
    }
}

/// Bytes as base64 in quotes.
pub fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let four = |[a, b, c]: [u8; 3]| {
        let word = u32::from_be_bytes([0, a, b, c]);
        [18, 12, 6, 0].map(|shift| LETTERS[(word >> shift) as usize & 63])
    };
    let (whole, rest) = bytes.as_chunks::<3>();
    out.push(b'"');
    let start = out.len();
    out.resize(start + whole.len() * 4, 0);
    for (to, three) in out[start..].as_chunks_mut::<4>().0.iter_mut().zip(whole) {
        *to = four(*three);
    }
    if !rest.is_empty() {
        let mut three = [0; 3];
        three.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        out.extend_from_slice(&four(three)[..=rest.len()]);
        out.extend_from_slice(&b"=="[rest.len() - 1..]);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded_as_the_standard_says() {
        let cases: [(&[u8], &str); 6] = [
            (b"", ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xff\xfe\xfd\xfc", "//79/A=="),
            (b"\x00\x10\x83foobar", "ABCDZm9vYmFy"),
        ];
        for (bytes, text) in cases {
            let mut out = Vec::new();
            base64(bytes, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("\"{text}\""));
        }
    }
}
