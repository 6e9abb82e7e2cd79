//! Documents in Markdown as manual pages: headings, paragraphs, lists, code, and tables as lists of their rows.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// Text as roff takes it: nothing in it is a command.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\e"),
            '-' => out.push_str("\\-"),
            '\'' => out.push_str("\\(aq"),
            '`' => out.push_str("\\(ga"),
            '^' => out.push_str("\\(ha"),
            '~' => out.push_str("\\(ti"),
            character => out.push(character),
        }
    }
    // A point at the beginning of a line would be a command.
    if out.starts_with('.') { format!("\\&{out}") } else { out }
}

/// The document's body, without its first heading.
pub fn roff(markdown: &str) -> String {
    let mut page = Page::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        page.take(event);
    }
    page.flush();
    page.out
}

#[derive(Default)]
struct Page {
    out: String,
    /// The text of what was begun.
    text: String,
    is_code: bool,
    has_title: bool,
    /// Cells of the row that was begun.
    cells: Option<Vec<String>>,
    /// Lists within each other.
    depth: usize,
}

impl Page {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => {
                self.paragraph();
                self.is_code = true;
                self.out.push_str(".PP\n.EX\n");
            }
            Event::End(TagEnd::CodeBlock) => {
                self.is_code = false;
                self.out.push_str(".EE\n");
            }
            Event::Start(Tag::List(_)) => {
                self.paragraph();
                self.depth += 1;
            }
            Event::End(TagEnd::List(_)) => self.depth = self.depth.saturating_sub(1),
            Event::End(TagEnd::Item) => {
                let text = self.taken();
                if !text.is_empty() {
                    self.out.push_str(&format!(".IP \\(bu 2\n{text}\n"));
                }
            }
            Event::End(TagEnd::Paragraph) if self.depth == 0 => self.paragraph(),
            Event::End(TagEnd::Heading(level)) => self.heading(level as usize),
            Event::Start(Tag::TableRow | Tag::TableHead) => {
                self.paragraph();
                self.cells = Some(Vec::new());
            }
            Event::End(TagEnd::TableCell) => {
                let text = self.taken();
                self.cells.get_or_insert_default().push(text);
            }
            Event::End(TagEnd::TableRow) => {
                let cells = self.cells.take().unwrap_or_default();
                if let Some((first, others)) = cells.split_first() {
                    let others: Vec<&str> =
                        others.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
                    let others = if others.is_empty() { "\\ ".to_owned() } else { others.join("; ") };
                    self.out.push_str(&format!(
                        ".TP\n{}\n{others}\n",
                        if first.is_empty() { "\\ " } else { first }
                    ));
                }
            }
            Event::End(TagEnd::TableHead) => self.cells = None,
            Event::Start(Tag::Strong | Tag::Emphasis) => self.text.push_str("\\fB"),
            Event::End(TagEnd::Strong | TagEnd::Emphasis) => self.text.push_str("\\fR"),
            Event::Code(code) => self.text.push_str(&format!("\\fB{}\\fR", inline(&code))),
            Event::Text(text) if self.is_code => {
                for line in text.lines() {
                    self.out.push_str(&format!("{}\n", escaped(line)));
                }
            }
            Event::Text(text) => self.text.push_str(&inline(&text)),
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            _ => {}
        }
    }

    fn heading(&mut self, level: usize) {
        let text = self.taken();
        // The first is the page's own name.
        if !std::mem::replace(&mut self.has_title, true) {
            self.out.push_str(".SH DESCRIPTION\n");
            return;
        }
        let command = if level <= 2 { "SH" } else { "SS" };
        self.out.push_str(&format!(".{command} \"{}\"\n", text.replace('"', "\\(dq")));
    }

    fn paragraph(&mut self) {
        let text = self.taken();
        if !text.is_empty() {
            self.out.push_str(&format!(".PP\n{text}\n"));
        }
    }

    fn flush(&mut self) {
        self.paragraph();
    }

    fn taken(&mut self) -> String {
        let text = std::mem::take(&mut self.text).trim().to_owned();
        if text.starts_with('.') { format!("\\&{text}") } else { text }
    }
}

/// The same within a line.
fn inline(text: &str) -> String {
    let text = escaped(text);
    text.strip_prefix("\\&").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_becomes_a_page() {
        let text = "# Title\nSome `code-x` and\ntext.\n\n## Part\n\n    .TH x\n\n| a | b |\n|---|---|\n| `k` | what\\|it |\n\n- one\n- two\n";
        assert_eq!(
            roff(text),
            ".SH DESCRIPTION\n.PP\nSome \\fBcode\\-x\\fR and text.\n.SH \"Part\"\n.PP\n.EX\n\\&.TH x\n.EE\n.TP\n\\fBk\\fR\n\
             what|it\n.IP \\(bu 2\none\n.IP \\(bu 2\ntwo\n"
        );
    }
}
