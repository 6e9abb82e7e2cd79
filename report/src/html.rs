//! Markup with texts in it. Markup is ours and known when the program is built; whatever comes at run time goes in as text,
//! with nothing in it that a browser would obey, and nothing that changes the direction of what stands beside it.

use std::fmt::Write;

use scopes::is_printable;

#[derive(Debug, Default)]
pub struct Html(String);

impl Html {
    /// Appends markup of ours.
    pub fn markup(&mut self, markup: &'static str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Appends a text, also inside of an attribute's quotes.
    pub fn text(&mut self, text: &str) -> &mut Html {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other if is_printable(other) => self.0.push(other),
                other => {
                    for byte in other.encode_utf8(&mut [0; 4]).bytes() {
                        // Memory takes everything.
                        let _ = write!(self.0, "\\x{byte:02x}");
                    }
                }
            }
        }
        self
    }

    /// Appends bytes of a capture, as tables show them.
    pub fn shown(&mut self, bytes: &[u8]) -> &mut Html {
        let mut shown = Vec::new();
        views::text::shown(bytes, &mut shown);
        self.text(&String::from_utf8_lossy(&shown))
    }

    pub fn number(&mut self, number: impl Into<i128>) -> &mut Html {
        let number: i128 = number.into();
        let digits = number.unsigned_abs().to_string();
        if number < 0 {
            self.0.push('-');
        }
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                self.0.push(',');
            }
            self.0.push(digit);
        }
        self
    }

    /// Appends what is known to need no escape: base64, digits and names of ours.
    pub(crate) fn plain(&mut self, text: &str) -> &mut Html {
        debug_assert!(!text.contains(['<', '>', '&', '"', '\'']));
        self.0.push_str(text);
        self
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let mut html = Html::default();
        html.text("</script><img src=x onerror='a'>\" & \u{202e}gnp\u{1b}[31m Grüße");
        assert_eq!(
            html.into_string(),
            "&lt;/script&gt;&lt;img src=x onerror=&#39;a&#39;&gt;&quot; &amp; \\xe2\\x80\\xaegnp\\x1b[31m Grüße"
        );
    }

    #[test]
    fn bytes_are_shown_as_tables_show_them() {
        let mut html = Html::default();
        html.shown(b"a\xff<b>\n").number(-1_234_567i64).number(12u32);
        assert_eq!(html.into_string(), "a\\xff&lt;b&gt;\\x0a-1,234,56712");
    }
}
