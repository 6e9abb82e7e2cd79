//! Foreign strings in tables: a terminal must not obey them, and a row must stay a row.

use scopes::is_printable;

use super::eight;

/// Appends a string from the capture. Control characters and bytes that are not UTF-8 are shown as `\xNN`, so that
/// neither a file name nor an argument can move the cursor or begin a line.
pub fn shown(bytes: &[u8], out: &mut Vec<u8>) {
    if is_plain(bytes) {
        return out.extend_from_slice(bytes);
    }
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if !is_printable(character) {
                let mut buffer = [0; 4];
                character.encode_utf8(&mut buffer).bytes().for_each(|byte| escaped(byte, out));
            } else {
                let mut buffer = [0; 4];
                out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
            }
        }
        chunk.invalid().iter().for_each(|byte| escaped(*byte, out));
    }
}

/// ASCII without controls.
fn is_plain(bytes: &[u8]) -> bool {
    eight::none(bytes, |word| eight::below(word, 0x20) | eight::is(word, 0x7f))
}

fn escaped(byte: u8, out: &mut Vec<u8>) {
    let hex = b"0123456789abcdef";
    out.extend_from_slice(&[b'\\', b'x', hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]]);
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
                    let expected = (0x20..0x7f).contains(&byte);
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
