//! Strings in JSON, without losing a byte.
//!
//! Names in a kernel are bytes; JSON's strings are Unicode. A byte that is no part of valid UTF-8 is written as the
//! private-use character U+10FF00 + byte, so `a\xffb` becomes `a\u{10FFFF}b`, which every JSON reader accepts. To keep
//! that reversible, a character of the range U+10FF80 to U+10FFFF that was really there is written byte by byte in the
//! same way. [`bytes_of`] turns the text back.

use views::eight;

/// The first of the characters that stand for bytes; those below 0x80 are always valid by themselves.
const FIRST: u32 = 0x10_ff80;
const BASE: u32 = 0x10_ff00;

/// Appends a string in quotes.
pub fn quoted(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    inner(bytes, out);
    out.push(b'"');
}

/// Appends a string without its quotes.
pub fn inner(bytes: &[u8], out: &mut Vec<u8>) {
    if is_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let encoded = character.encode_utf8(&mut buffer).as_bytes();
            match character {
                '"' => out.extend_from_slice(b"\\\""),
                '\\' => out.extend_from_slice(b"\\\\"),
                '\n' => out.extend_from_slice(b"\\n"),
                '\r' => out.extend_from_slice(b"\\r"),
                '\t' => out.extend_from_slice(b"\\t"),
                '\u{8}' => out.extend_from_slice(b"\\b"),
                '\u{c}' => out.extend_from_slice(b"\\f"),
                '\0'..='\u{1f}' => {
                    let hex = b"0123456789abcdef";
                    let low = character as usize;
                    out.extend_from_slice(b"\\u00");
                    out.extend_from_slice(&[hex[low >> 4], hex[low & 15]]);
                }
                _ if character as u32 >= FIRST => encoded.iter().for_each(|byte| stand_in(*byte, out)),
                _ => out.extend_from_slice(encoded),
            }
        }
        chunk.invalid().iter().for_each(|byte| stand_in(*byte, out));
    }
}

fn stand_in(byte: u8, out: &mut Vec<u8>) {
    if let Some(character) = char::from_u32(BASE + u32::from(byte)) {
        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// The bytes that a string of our JSON stands for, its JSON escapes already read.
pub fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match (character as u32).checked_sub(BASE) {
            Some(byte @ 0x80..=0xff) => bytes.push(byte as u8),
            _ => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Whether all bytes stand for themselves: none is a control character, a quote, a backslash, or not ASCII.
fn is_plain(bytes: &[u8]) -> bool {
    eight::none(bytes, |word| eight::below(word, 0x20) | eight::is(word, b'"') | eight::is(word, b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        quoted(bytes, &mut out);
        let read: String = serde_json::from_slice(&out).expect("our strings are JSON");
        bytes_of(&read)
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(there_and_back(&all), all);
        for byte in 0..=255 {
            assert_eq!(there_and_back(&[b'a', byte, b'b']), [b'a', byte, b'b']);
        }
    }

    #[test]
    fn characters_of_the_reserved_range_come_back_too() {
        for text in ["\u{10ffff}", "\u{10ff80}x", "\u{10ff7f}", "\u{10ff00}", "Grüße \u{1f980}"] {
            assert_eq!(there_and_back(text.as_bytes()), text.as_bytes());
        }
        // Cut in the middle of a character.
        assert_eq!(there_and_back(&"日本".as_bytes()[..4]), &"日本".as_bytes()[..4]);
    }

    #[test]
    fn no_byte_is_taken_for_plain_that_is_not() {
        for byte in 0..=255 {
            let is_odd = byte < 0x20 || byte == b'"' || byte == b'\\' || byte >= 0x80;
            for length in 1..=17 {
                for at in 0..length {
                    let mut text = vec![b'~'; length];
                    text[at] = byte;
                    assert_eq!(is_plain(&text), !is_odd, "{byte} at {at} of {length}");
                }
            }
        }
    }

    #[test]
    fn escapes_are_those_of_the_standard_writer() {
        for text in ["plain", "quote \" and \\", "\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}", "ü"] {
            let mut out = Vec::new();
            quoted(text.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), serde_json::to_string(text).expect("a string"));
        }
    }
}
