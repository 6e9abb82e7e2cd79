//! The filters as one line of words, and as a list of which some are off.

use std::ops::Range;

/// Filters in order; those that are off stay in the list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filters(pub Vec<Entry>);

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub text: String,
    pub is_on: bool,
}

/// A word of a line.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Word {
    pub text: String,
    /// By byte of the text, and one behind it: where it stands in the line.
    places: Vec<usize>,
}

impl Word {
    /// Where a stretch of the word stands in the line.
    pub fn span(&self, span: Range<usize>) -> Range<usize> {
        let at = |byte: usize| self.places.get(byte).or(self.places.last()).copied().unwrap_or_default();
        at(span.start)..at(span.end)
    }
}

/// Blanks part words, but for those in quotes. A backslash is the filters' own.
pub fn words(line: &str) -> Vec<Word> {
    let (mut words, mut word, mut quote, mut is_word) = (Vec::new(), Word::default(), None, false);
    let mut end = |word: &mut Word, at: usize, is_word: &mut bool| {
        if *is_word {
            word.places.push(at);
            words.push(std::mem::take(word));
        }
        *is_word = false;
    };
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let push = |word: &mut Word, at: usize, c: char| {
            word.places.extend(std::iter::repeat_n(at, c.len_utf8()));
            word.text.push(c);
        };
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => push(&mut word, at, c),
            (None, '\'' | '"') => (quote, is_word) = (Some(c), true),
            (None, c) if c.is_whitespace() => end(&mut word, at, &mut is_word),
            (None, '\\') => {
                is_word = true;
                push(&mut word, at, c);
                if let Some((at, c)) = chars.next() {
                    push(&mut word, at, c);
                }
            }
            (None, c) => {
                is_word = true;
                push(&mut word, at, c);
            }
        }
    }
    end(&mut word, line.len(), &mut is_word);
    words
}

/// A filter as a word of the line.
pub fn quoted(filter: &str) -> String {
    let needs = |c: char| c.is_whitespace() || matches!(c, '\'' | '"');
    if !filter.is_empty() && !filter.contains(needs) {
        return filter.to_owned();
    }
    // Filters read the byte back.
    format!("'{}'", filter.replace('\'', "\\x27"))
}

/// A word of a shell's command line.
pub fn shell(text: &str) -> String {
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '=' | ':' | ',' | '@' | '+')
    };
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

impl Filters {
    pub fn of<S: AsRef<str>>(texts: &[S]) -> Filters {
        Filters(texts.iter().map(|text| Entry { text: text.as_ref().to_owned(), is_on: true }).collect())
    }

    pub fn active(&self) -> Vec<String> {
        self.0.iter().filter(|it| it.is_on).map(|it| it.text.clone()).collect()
    }

    pub fn off(&self) -> usize {
        self.0.iter().filter(|it| !it.is_on).count()
    }

    /// Those that are on, as they are typed.
    pub fn line(&self) -> String {
        let on = self.0.iter().filter(|it| it.is_on).map(|it| quoted(&it.text));
        on.collect::<Vec<_>>().join(" ")
    }

    /// Puts these in place of those that are on.
    pub fn set(&mut self, texts: Vec<String>) {
        self.0.retain(|entry| !entry.is_on && !texts.contains(&entry.text));
        let on = texts.into_iter().map(|text| Entry { text, is_on: true });
        self.0.splice(0..0, on);
    }

    /// The scopes that there are; scope 1 where there is none.
    pub fn scopes(&self) -> Vec<String> {
        let mut scopes: Vec<String> = Vec::new();
        for entry in self.0.iter().filter(|it| it.is_on) {
            let digits: String = entry.text.chars().take_while(char::is_ascii_digit).collect();
            let is_scope =
                !digits.is_empty() && entry.text.get(digits.len()..).is_some_and(|it| it.starts_with(':'));
            let scope = if is_scope { digits } else { "1".to_owned() };
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        scopes
    }

    /// Narrows every scope by this filter.
    pub fn narrowed(&self, filter: &str) -> Filters {
        let mut filters = self.clone();
        let scopes = self.scopes();
        let mut add = |text: String| match filters.0.iter_mut().find(|it| it.text == text) {
            Some(known) => known.is_on = true,
            None => filters.0.push(Entry { text, is_on: true }),
        };
        match scopes.as_slice() {
            [] => add(filter.to_owned()),
            [one] if one == "1" => add(filter.to_owned()),
            several => several.iter().for_each(|scope| add(format!("{scope}:{filter}"))),
        }
        filters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_part_filters_and_quotes_hold_them_together() {
        let texts = |line: &str| words(line).into_iter().map(|word| word.text).collect::<Vec<_>>();
        assert_eq!(texts("  comm=ls 2:uid=0 "), ["comm=ls", "2:uid=0"]);
        assert_eq!(texts("'openat.pathname=/a b' \"comm=x y\""), ["openat.pathname=/a b", "comm=x y"]);
        assert_eq!(texts(r"comm=a\*b"), [r"comm=a\*b"]);
        for filter in ["comm=ls", "comm=a b", "comm=it's", "x=\"y\""] {
            let read = texts(&quoted(filter));
            assert_eq!(read, [filter.replace('\'', "\\x27")]);
        }
    }

    #[test]
    fn what_is_wrong_with_a_word_stands_where_the_word_does() {
        let line = "comm=ls 'com=a b'";
        let all = words(line);
        assert_eq!(&line[all[1].span(0..3)], "com");
        assert_eq!(all[1].span(7..7), 17..17);
    }

    #[test]
    fn a_value_narrows_every_scope() {
        let filters = Filters::of(&["2:comm=ls", "3:uid=0"]);
        assert_eq!(filters.narrowed("pid=7").active(), ["2:comm=ls", "3:uid=0", "2:pid=7", "3:pid=7"]);
        assert_eq!(Filters::default().narrowed("pid=7").line(), "pid=7");
        let mut off = Filters::of(&["pid=7"]);
        off.0[0].is_on = false;
        assert_eq!(off.narrowed("pid=7"), Filters::of(&["pid=7"]));
    }
}
