//! Which characters of a foreign text a terminal may see.

pub use events::show::escape::is_printable;

/// The text with its unprintable characters spelled out as tables spell them: ESC is `\x1b`.
pub fn spelled_out(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if is_printable(character) {
            out.push(character);
        } else {
            for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("\\x{byte:02x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_all_scripts_show_and_what_acts_or_hides_does_not() {
        for character in "aZ0 ~\\üßЖ日本語한🙂é\u{301}".chars() {
            assert!(is_printable(character), "{character:?}");
        }
        for character in
            ['\0', '\n', '\r', '\t', '\x1b', '\x7f', '\u{9b}', '\u{ad}', '\u{61c}', '\u{200b}', '\u{202e}']
        {
            assert!(!is_printable(character), "{character:?}");
        }
        for character in ['\u{2066}', '\u{feff}', '\u{3164}', '\u{e0041}', '\u{2028}', '\u{fe0f}'] {
            assert!(!is_printable(character), "{character:?}");
        }
        assert_eq!(spelled_out("a\x1b[31m\nü"), "a\\x1b[31m\\x0aü");
        assert!(('\0'..=char::MAX).all(|character| !(character.is_control() && is_printable(character))));
    }
}
