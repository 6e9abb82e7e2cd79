//! Bytes of a capture among words of ours: a terminal must not obey them, a row must stay a row, and no value may look like
//! another one.
//!
//! ```text
//! a file called                     is shown as
//! a, flags: O_RDWR                  a\, flags: O_RDWR
//! a\x0ab   (a backslash)            a\\x0ab
//! a<newline>b                       a\x0ab
//! a<zero width space>b              a\xe2\x80\x8bb
//! ```
//! What is shown can be asked for: filters read `\\`, `\,` and `\xNN` as the bytes that they stand for.

use core::fmt::{self, Formatter, Write};

/// Takes what a walk prints.
pub trait Out {
    /// Words of ours: numbers, names of constants, brackets.
    fn own(&mut self, text: &str) -> fmt::Result;
    /// Text of the capture: any bytes.
    fn foreign(&mut self, bytes: &[u8]) -> fmt::Result;
    /// Whether what it takes is told apart from words of ours: where text of the capture stays as it is, nothing else may
    /// be put into it.
    fn escapes(&self) -> bool {
        true
    }
}

/// Prints text of the capture escaped.
#[derive(Debug)]
pub struct Escaped<'a, W>(pub &'a mut W);

impl<W: Write> Out for Escaped<'_, W> {
    fn own(&mut self, text: &str) -> fmt::Result {
        self.0.write_str(text)
    }

    fn foreign(&mut self, bytes: &[u8]) -> fmt::Result {
        escape(bytes, self.0)
    }
}

/// Lets `write!` print words of ours.
pub(super) struct Own<'a, O>(pub &'a mut O);

impl<O: Out> Write for Own<'_, O> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.own(text)
    }
}

/// Text of the capture that is to be printed by the machinery of `fmt`.
#[derive(Clone, Copy, Debug)]
pub struct Foreign<'a>(pub &'a [u8]);

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        escape(self.0, out)
    }
}

/// What stands behind an argument that was not captured whole. A value that ends so is no such argument.
pub const CUT: &str = " (cut)";
pub const UNREADABLE: &str = " (unreadable)";

/// Writes text of the capture so that it is known for what it is.
pub fn escape(bytes: &[u8], out: &mut (impl Write + ?Sized)) -> fmt::Result {
    let forged = [CUT, UNREADABLE].into_iter().find(|mark| bytes.ends_with(mark.as_bytes()));
    let (bytes, end) = match forged {
        Some(mark) => bytes.split_at(bytes.len() - mark.len()),
        None => (bytes, &[][..]),
    };
    let mut rest = bytes;
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
            match c {
                '\\' => out.write_str("\\\\")?,
                ',' if begins_argument(rest) => out.write_str("\\,")?,
                c if !is_printable(c) => {
                    c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(out, "\\x{byte:02x}"))?;
                }
                c => out.write_char(c)?,
            }
        }
        rest = rest.get(chunk.invalid().len()..).unwrap_or_default();
        chunk.invalid().iter().try_for_each(|byte| write!(out, "\\x{byte:02x}"))?;
    }
    if let Some((_, word)) = end.split_first() {
        out.write_str("\\x20")?;
        // One of the marks above, which are ASCII.
        out.write_str(core::str::from_utf8(word).unwrap_or_default())?;
    }
    Ok(())
}

/// Writes text of the capture that is a member's value: nothing in it may look like a further member.
pub(super) fn member_text<O: Out>(mut bytes: &[u8], out: &mut O) -> fmt::Result {
    while let Some(at) =
        bytes.windows(2).position(|two| matches!(two[0], b' ' | b'{' | b'[') && is_name(two[1]))
    {
        let (before, rest) = bytes.split_at(at);
        let (opening, behind) = rest.split_at(1);
        let name = behind.iter().take_while(|byte| is_name(**byte)).count();
        if behind.get(name) == Some(&b':') {
            out.foreign(before)?;
            write!(Own(out), "\\x{:02x}", opening[0])?;
        } else {
            out.foreign(&bytes[..at + 1])?;
        }
        bytes = behind;
    }
    out.foreign(bytes)
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether what follows a comma looks like another argument: ` flags:`.
fn begins_argument(rest: &[u8]) -> bool {
    let Some(name) = rest.strip_prefix(b" ") else { return false };
    let length = name.iter().take_while(|byte| is_name(**byte)).count();
    length > 0 && name.get(length) == Some(&b':')
}

/// Whether a character shows as itself and does nothing else: it moves no cursor, begins no line, turns no text around, is
/// not invisible and is no blank but the usual one. A file name, an argument or a policy's name is chosen by whoever is
/// watched.
pub const fn is_printable(c: char) -> bool {
    !matches!(c,
        // C0 and C1 controls; line and paragraph separators.
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}'
        // Marks that turn the direction of text around.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Blanks that pass for the usual one.
        | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{2800}'
        // Characters of no width: soft hyphen, joiners, fillers, variation selectors, tags, annotations.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::{String, ToString};

    use super::*;

    fn shown(bytes: &[u8]) -> String {
        Foreign(bytes).to_string()
    }

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for text in [
            "/etc/ld.so.cache",
            "/tmp/Grüße 日本",
            "a, b: c",
            "x,flags: 1",
            "a,  b: c",
            "{a:b} [c]",
            "\u{1f980}",
        ] {
            assert_eq!(shown(text.as_bytes()).replace("\\,", ","), text);
        }
        assert_eq!(shown(b"a,b c, d"), "a,b c, d");
        assert_eq!(shown(b"/tmp/x (deleted)"), "/tmp/x (deleted)");
    }

    #[test]
    fn no_name_looks_like_a_further_argument_or_like_a_mark() {
        assert_eq!(shown(b"x, flags: O_RDONLY, mode: 0"), "x\\, flags: O_RDONLY\\, mode: 0");
        assert_eq!(shown(b"a\\x0ab"), "a\\\\x0ab");
        assert_eq!(shown(b"a\nb"), "a\\x0ab");
        assert_eq!(shown(b"true AAAA (cut)"), "true AAAA\\x20(cut)");
        assert_eq!(shown(b" (unreadable)"), "\\x20(unreadable)");
        assert_eq!(shown(b"\xff, x:"), "\\xff\\, x:");
    }

    #[test]
    fn what_nobody_sees_is_spelled_out() {
        for hidden in
            ['\u{61c}', '\u{200b}', '\u{feff}', '\u{ad}', '\u{e0041}', '\u{202e}', '\u{2066}', '\u{a0}']
        {
            let mut text = String::from("a");
            text.push(hidden);
            assert!(shown(text.as_bytes()).starts_with("a\\x"), "{hidden:?}");
        }
    }

    #[test]
    fn no_value_of_a_member_looks_like_a_further_member() {
        let shown = |bytes: &[u8]| {
            let mut text = String::new();
            member_text(bytes, &mut Escaped(&mut text)).expect("a string");
            text
        };
        assert_eq!(shown(b"/run/x sin_port:80"), "/run/x\\x20sin_port:80");
        assert_eq!(shown(b"x} {d_ino:7"), "x} \\x7bd_ino:7");
        assert_eq!(shown(b"a b c"), "a b c");
        assert_eq!(shown(b" a  b:"), " a \\x20b:");
    }
}
