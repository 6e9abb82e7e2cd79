//! Argument values in tables and in JSON.

use events::{Value, value::strings};
use pipeline::EventView;

use super::{digits, json_text, text};

/// Appends a value as tables show it; `named`: numbers as names.
pub fn text(event: &EventView<'_>, position: usize, _named: bool, out: &mut Vec<u8>) {
    let Some(arg) = event.event.args.get(position) else { return };
    match Value::read(arg.kind, event.args.get(position)) {
        Value::Missing => out.extend_from_slice(b"<nil>"),
        Value::Signed(number) => digits::signed(number, out),
        Value::Unsigned(number) => digits::unsigned(number, out),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Pointer(address) => pointer(address, out),
        Value::Str(bytes) => text::shown(bytes, out),
        Value::StrArray(bytes) => {
            out.push(b'[');
            for (index, element) in strings(bytes).enumerate() {
                if index > 0 {
                    out.push(b' ');
                }
                text::shown(element, out);
            }
            out.push(b']');
        }
        Value::Bytes(bytes) => list(bytes, out),
        _ => match event.args.get(position) {
            events::Raw::Bytes(bytes) => list(bytes, out),
            _ => out.extend_from_slice(b"<nil>"),
        },
    }
}

/// Appends the `"type"` and `"value"` of an argument in JSON, from after `"type":`. With `parsed`, numbers that have
/// names become those, and the type `string`.
pub fn json(event: &EventView<'_>, position: usize, _parsed: bool, out: &mut Vec<u8>) {
    let Some(arg) = event.event.args.get(position) else { return };
    json_text::quoted(arg.ctype.as_bytes(), out);
    out.extend_from_slice(b",\"value\":");
    match Value::read(arg.kind, event.args.get(position)) {
        Value::Missing => out.extend_from_slice(b"null"),
        Value::Signed(number) => digits::signed(number, out),
        Value::Unsigned(number) | Value::Pointer(number) => digits::unsigned(number, out),
        Value::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Str(bytes) => json_text::quoted(bytes, out),
        Value::StrArray(bytes) => {
            out.push(b'[');
            for (index, element) in strings(bytes).enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                json_text::quoted(element, out);
            }
            out.push(b']');
        }
        _ => match event.args.get(position) {
            events::Raw::Bytes(bytes) => base64(bytes, out),
            _ => out.extend_from_slice(b"null"),
        },
    }
}

fn pointer(address: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0x");
    let digits = (64 - address.leading_zeros()).div_ceil(4).max(1);
    for shift in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(address >> (shift * 4)) as usize & 15]);
    }
}

/// Bytes as decimals in brackets.
fn list(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'[');
    for (index, byte) in bytes.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        digits::unsigned(u64::from(*byte), out);
    }
    out.push(b']');
}

/// Bytes as base64 in quotes.
fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push(b'"');
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= chunk.len() { letter } else { b'=' });
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded_as_the_standard_says() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xff\xfe\xfd\xfc", "//79/A=="),
        ] {
            let mut out = Vec::new();
            base64(bytes, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), format!("\"{text}\""));
        }
    }

    #[test]
    fn pointers_are_short_hex() {
        for (address, text) in
            [(0, "0x0"), (0x10, "0x10"), (u64::MAX, "0xffffffffffffffff"), (0x7ffd_0000, "0x7ffd0000")]
        {
            let mut out = Vec::new();
            pointer(address, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
    }
}
