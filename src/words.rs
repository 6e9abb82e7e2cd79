//! Command lines as one text, and back.

use anyhow::{Result, bail};

/// Words as a shell would make them: blanks part them, but not within quotes; a backslash outside of quotes makes a quote
/// or blank ordinary, and is itself one before anything else (filters escape with it too).
pub fn split(text: &str) -> Result<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, '\\') => {
                let next = chars.next_if(|next| next.is_whitespace() || matches!(next, '\'' | '"'));
                word.get_or_insert_default().push(next.unwrap_or(c));
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        bail!("a quote is not closed");
    }
    words.extend(word);
    Ok(words)
}

/// The words as one line, of which [`split`] makes the same words again.
pub fn join(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=*,+@%!<>".contains(c);
        match word.chars().all(is_plain) && !word.is_empty() {
            true => word.clone(),
            // Within one kind of quotes, nothing but it is special.
            false => word
                .replace(['\n', '\r'], " ")
                .split('\'')
                .map(|part| if part.is_empty() { String::new() } else { format!("'{part}'") })
                .collect::<Vec<_>>()
                .join("\"'\""),
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_as_they_were() {
        let words =
            ["cut", "-f", "comm=a b", "it's", r"a\,b", "\"", "9:uid>0", "x=$HOME;rm"].map(str::to_owned);
        assert_eq!(split(&join(&words)).unwrap(), words, "{}", join(&words));
    }
}
