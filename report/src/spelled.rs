//! Bytes of a capture as the page's texts: one form for each, so that what is asked for can be compared as it is shown.

use scopes::is_printable;

/// Between a value and what is said of it, ` (cut)`: no shown text has it.
pub const REMARK: char = '\u{1}';
/// Behind a value that is longer in the capture.
pub const SHORTENED: &str = "\u{1}\u{2}…";

/// Characters of a value that are kept.
pub const MOST_CHARACTERS: usize = 400;

/// The text with unprintable characters and backslashes spelled out.
pub fn spelled(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let byte = |byte: u8, out: &mut String| out.push_str(&format!("\\x{byte:02x}"));
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                other if is_printable(other) => out.push(other),
                other => other.encode_utf8(&mut [0; 4]).bytes().for_each(|it| byte(it, &mut out)),
            }
        }
        chunk.invalid().iter().for_each(|it| byte(*it, &mut out));
    }
    out
}

/// No more of a text than the page keeps.
pub fn shortened(text: String) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        None => text,
        Some((end, _)) => {
            let mut short = text.get(..end).unwrap_or_default().to_owned();
            short.push_str(SHORTENED);
            short
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_has_a_form_of_its_own() {
        assert_eq!(spelled(b"/tmp/a b"), "/tmp/a b");
        assert_eq!(spelled(b"a\\x0a"), "a\\\\x0a");
        assert_eq!(spelled(b"a\n\xff"), "a\\x0a\\xff");
        assert_eq!(spelled("\u{202e}x".as_bytes()), "\\xe2\\x80\\xaex");
    }

    #[test]
    fn a_long_text_says_that_it_was_longer() {
        assert_eq!(shortened("abc".into()), "abc");
        let long = shortened("ü".repeat(1000));
        assert!(long.ends_with(SHORTENED) && long.chars().count() == MOST_CHARACTERS + 3);
    }
}
