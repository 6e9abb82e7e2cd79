//! The text of `scopes()`: the values of `-f`, with blanks between them.

/// Splits at blanks that are outside of double quotes: `9:comm=ls 3:openat.pathname="/a b"`.
pub fn split(text: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut has_word) = (Vec::new(), String::new(), false, false);
    for c in text.chars() {
        match c {
            '"' => {
                is_quoted = !is_quoted;
                has_word = true;
            }
            c if c.is_whitespace() && !is_quoted => {
                if has_word {
                    words.push(std::mem::take(&mut word));
                }
                has_word = false;
            }
            c => {
                word.push(c);
                has_word = true;
            }
        }
    }
    if has_word {
        words.push(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn filters_are_parted_by_blanks_and_kept_together_by_quotes() {
        assert_eq!(split(" 9:comm=ls  3:uid=0 "), ["9:comm=ls", "3:uid=0"]);
        assert_eq!(split(r#"openat.pathname="/a b" uid=0"#), ["openat.pathname=/a b", "uid=0"]);
        assert_eq!(split(""), Vec::<String>::new());
    }
}
