//! Which characters of a foreign text a terminal may see.

/// Whether a character shows as itself and does nothing else: it moves no cursor, begins no line, turns no text around and
/// is not invisible. A file name, an argument or a policy's name is chosen by whoever is watched.
pub const fn is_printable(character: char) -> bool {
    !matches!(character,
        // C0 and C1 controls; line and paragraph separators.
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}'
        // Marks that turn the direction of text around.
        | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        // Characters of no width: soft hyphen, joiners, fillers, variation selectors, tags, annotations.
        | '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

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
