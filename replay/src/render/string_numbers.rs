//! JSON for readers that keep numbers as doubles, such as JavaScript and jq: what does not fit becomes a string.

use pipeline::{EventView, Render};

/// The first number that a double may not hold: 2^53 and less are exact.
const MOST: u64 = 1 << 53;

/// JSON lines of another renderer, with large numbers in quotes.
pub struct StringNumbers<'a> {
    inner: Box<dyn Render + 'a>,
    line: Vec<u8>,
}

impl<'a> StringNumbers<'a> {
    pub fn new(inner: Box<dyn Render + 'a>) -> StringNumbers<'a> {
        StringNumbers { inner, line: Vec::new() }
    }
}

impl Render for StringNumbers<'_> {
    fn block(&mut self) {
        self.inner.block();
    }

    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        self.line.clear();
        self.inner.event(event, &mut self.line);
        quote(&self.line, out);
    }
}

/// Appends JSON with its large numbers in quotes. Numbers are integers: nothing else is ever written.
pub fn quote(json: &[u8], out: &mut Vec<u8>) {
    let mut rest = json;
    let mut in_string = false;
    while let Some(byte) = rest.first().copied() {
        if in_string {
            let length = match byte {
                b'\\' => 2.min(rest.len()),
                _ => 1,
            };
            in_string = byte != b'"';
            let (piece, behind) = rest.split_at(length);
            out.extend_from_slice(piece);
            rest = behind;
            continue;
        }
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
        if digits == 0 {
            in_string = byte == b'"';
            out.push(byte);
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let (number, behind) = rest.split_at(digits);
        if is_large(number) {
            out.push(b'"');
            out.extend_from_slice(number);
            out.push(b'"');
        } else {
            out.extend_from_slice(number);
        }
        rest = behind;
    }
}

fn is_large(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let value = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u64>().ok());
    value.is_none_or(|value| value > MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_a_double_cannot_hold_are_quoted() {
        let quoted = |json: &str| {
            let mut out = Vec::new();
            quote(json.as_bytes(), &mut out);
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(
            quoted(
                r#"{"a":9007199254740992,"b":9007199254740993,"c":-9007199254740993,"d":[0,18446744073709551615]}"#
            ),
            r#"{"a":9007199254740992,"b":"9007199254740993","c":"-9007199254740993","d":[0,"18446744073709551615"]}"#
        );
        let text = r#"{"a":"9007199254740993 \" 9007199254740993 \\","b":null}"#;
        assert_eq!(quoted(text), text);
    }
}
