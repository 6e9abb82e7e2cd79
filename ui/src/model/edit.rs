//! A line that is typed.

use crate::key::Key;

#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edit {
    text: String,
    /// In bytes, between characters.
    cursor: usize,
}

/// Characters of a line: nobody types more, and what is pasted has an end.
const MOST: usize = 16 << 10;

impl Edit {
    pub fn new(text: impl Into<String>) -> Edit {
        let text = text.into();
        Edit { cursor: text.len(), text }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    #[cfg(test)]
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    pub fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// Replaces the `bytes` before the cursor.
    pub fn replace_before(&mut self, bytes: usize, with: &str) {
        let from = self.cursor.saturating_sub(bytes);
        if self.text.is_char_boundary(from) {
            self.text.replace_range(from..self.cursor, with);
            self.cursor = from + with.len();
        }
    }

    /// What was pasted: one line, without what is no text.
    pub fn insert(&mut self, text: &str) {
        let text: String = text.chars().map(|c| if c == '\n' || c == '\t' { ' ' } else { c }).collect();
        let text: String = text.chars().filter(|c| scopes::is_printable(*c)).collect();
        if self.text.len() + text.len() <= MOST {
            self.text.insert_str(self.cursor, &text);
            self.cursor += text.len();
        }
    }

    /// Returns whether the key is one of editing.
    pub fn key(&mut self, key: Key) -> bool {
        match key {
            Key::Char(c) => self.insert(c.encode_utf8(&mut [0; 4])),
            Key::Backspace => {
                let bytes = self.before().chars().next_back().map_or(0, char::len_utf8);
                self.replace_before(bytes, "");
            }
            Key::Delete | Key::Ctrl('d') => {
                if let Some(c) = self.text.get(self.cursor..).and_then(|rest| rest.chars().next()) {
                    self.text.replace_range(self.cursor..self.cursor + c.len_utf8(), "");
                }
            }
            Key::Left | Key::Ctrl('b') => {
                self.cursor -= self.before().chars().next_back().map_or(0, char::len_utf8);
            }
            Key::Right => {
                let next = self.text.get(self.cursor..).and_then(|rest| rest.chars().next());
                self.cursor += next.map_or(0, char::len_utf8);
            }
            Key::Home | Key::Ctrl('a') => self.cursor = 0,
            Key::End | Key::Ctrl('e') => self.cursor = self.text.len(),
            Key::Ctrl('u') => self.replace_before(self.cursor, ""),
            Key::Ctrl('k') => self.text.truncate(self.cursor),
            Key::Ctrl('w') => {
                let kept = self.before().trim_end().rfind(' ').map_or(0, |at| at + 1);
                self.replace_before(self.cursor - kept, "");
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_edited_where_the_cursor_is() {
        let mut edit = Edit::new("comm=ls");
        for key in [Key::Left, Key::Left, Key::Char('ä'), Key::Left, Key::Delete, Key::End, Key::Backspace] {
            assert!(edit.key(key));
        }
        assert_eq!((edit.text(), edit.cursor()), ("comm=l", 6));
        edit.insert(" uid=0\nx\x1b[2J");
        assert_eq!(edit.text(), "comm=l uid=0 x[2J");
        edit.key(Key::Ctrl('w'));
        assert_eq!(edit.text(), "comm=l uid=0 ");
        edit.key(Key::Ctrl('u'));
        assert_eq!(edit.text(), "");
        assert!(!edit.key(Key::Enter));
    }
}
