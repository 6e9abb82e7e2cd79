//! Foreign strings in tables: a terminal must not obey them, and a row must stay a row.

use std::fmt;

use events::show::escape;

use crate::eight;

/// Appends a string from the capture, escaped: see [`events::show::escape`].
#[inline]
pub fn shown(bytes: &[u8], out: &mut Vec<u8>) {
    if is_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    // Memory takes everything.
    let _ = escape::escape(bytes, &mut Bytes(out));
}

struct Bytes<'a>(&'a mut Vec<u8>);

impl fmt::Write for Bytes<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// ASCII of which nothing is ever escaped.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let odd = |word| {
        eight::below(word, 0x20) | eight::is(word, 0x7f) | eight::is(word, b'\\') | eight::is(word, b',')
    };
    // A parenthesis at the end may make it look like a value that was cut.
    bytes.last() != Some(&b')') && eight::none(bytes, odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        shown(bytes, &mut out);
        String::from_utf8(out).expect("escapes leave UTF-8")
    }

    #[test]
    fn plain_and_foreign_letters_stay_as_they_are() {
        assert_eq!(show(b"/etc/ld.so.cache"), "/etc/ld.so.cache");
        assert_eq!(show("/tmp/Grüße 日本".as_bytes()), "/tmp/Grüße 日本");
    }

    #[test]
    fn every_byte_is_known_for_what_it_is_wherever_it_stands() {
        for byte in 0..=255 {
            for length in 1..=17 {
                for at in 0..length {
                    let mut text = vec![b'~'; length];
                    text[at] = byte;
                    let is_last = at + 1 == length;
                    let is_odd = matches!(byte, b'\\' | b',') || (byte == b')' && is_last);
                    let expected = (0x20..0x7f).contains(&byte) && !is_odd;
                    assert_eq!(is_plain(&text), expected, "{byte} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out() {
        assert_eq!(show(b"a\x1b[2Jb\n"), "a\\x1b[2Jb\\x0a");
        assert_eq!(show("\u{202e}fdp".as_bytes()), "\\xe2\\x80\\xaefdp");
        assert_eq!(show("a\u{61c}b\u{200b}c".as_bytes()), "a\\xd8\\x9cb\\xe2\\x80\\x8bc");
        assert_eq!(show(b"\xff\xfe.txt"), "\\xff\\xfe.txt");
    }
}
