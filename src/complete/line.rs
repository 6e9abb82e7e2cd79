//! A command line up to the cursor, as bash has it: one text, whose last word is not finished.

/// Its words, without their quotes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    pub words: Vec<String>,
    /// The last word begins within quotes.
    is_quoted: bool,
}

impl Line {
    pub fn read(text: &str) -> Line {
        let (mut words, mut word, mut quote, mut is_quoted) = (Vec::new(), String::new(), None, false);
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '\'' | '"') => {
                    is_quoted |= word.is_empty();
                    quote = Some(c);
                }
                (None, c) if c.is_whitespace() => {
                    if !word.is_empty() || is_quoted {
                        words.push(std::mem::take(&mut word));
                    }
                    is_quoted = false;
                }
                (None, '\\') => word.extend(chars.next()),
                (_, c) => word.push(c),
            }
        }
        words.push(word);
        Line { words, is_quoted }
    }

    /// How many bytes of the last word bash takes for words of their own, which stay as they are.
    pub fn inserted(&self, breaks: &str) -> usize {
        let last = self.words.last().map_or("", String::as_str);
        if self.is_quoted {
            return 0;
        }
        last.rfind(|c: char| breaks.contains(c) && !c.is_whitespace()).map_or(0, |at| at + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_is_what_is_typed() {
        let read = |text: &str| Line::read(text).words;
        assert_eq!(read("tracer replay c.trz -f 1:co"), ["tracer", "replay", "c.trz", "-f", "1:co"]);
        assert_eq!(read("tracer replay "), ["tracer", "replay", ""]);
        assert_eq!(
            read("tracer replay -f 'openat.pathname=/etc/a b"),
            ["tracer", "replay", "-f", "openat.pathname=/etc/a b"]
        );
    }

    #[test]
    fn bash_inserts_behind_its_breaks() {
        let inserted = |text: &str| Line::read(text).inserted(" \t\n\"'><=;|&(:");
        assert_eq!(inserted("tracer -f 1:comm=l"), "1:comm=".len());
        assert_eq!(inserted("tracer -f '1:comm=l"), 0);
        assert_eq!(inserted("tracer rep"), 0);
    }
}
