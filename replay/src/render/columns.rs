//! Tables of chosen columns, fitted to a terminal and coloured.

use pipeline::{EventView, Render};
use unicode_width::UnicodeWidthChar;
use views::cell::Cells;
use views::{Class, Column, Known, Look, clock};

use super::Style;

/// How a table of chosen columns looks.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub columns: Vec<Column>,
    /// Characters of a line at most; `None`: all of it.
    pub width: Option<usize>,
    pub is_coloured: bool,
}

/// The columns of Tracee's tables, in its order.
pub fn default(style: &Style, verbose: bool) -> Vec<Column> {
    let mut columns = vec![Column::Time];
    let mut add = |column, is_there| {
        if is_there {
            columns.push(column);
        }
    };
    add(Column::Scopes, verbose);
    add(Column::Host, verbose && style.hosts);
    add(Column::Uts, verbose);
    add(Column::Container, verbose || style.containers);
    add(Column::Image, style.containers && style.images);
    add(Column::MntNs, verbose);
    add(Column::PidNs, verbose);
    add(Column::Uid, true);
    add(Column::Comm, true);
    add(Column::Pid, true);
    add(Column::Tid, true);
    add(Column::Ppid, verbose);
    add(Column::Ret, true);
    add(Column::Event, true);
    add(Column::Args, true);
    columns
}

/// The line above the rows.
pub fn header(layout: &Layout, look: &Look) -> Vec<u8> {
    let mut line = Line::default();
    for (at, column) in layout.columns.iter().enumerate() {
        let shape = column.shape();
        let name = match column {
            Column::Argument { .. } => column.name().to_uppercase(),
            Column::Pid | Column::Tid | Column::Ppid if look.pairs => format!("{}/host", shape.header),
            _ => shape.header.to_owned(),
        };
        let is_last = at + 1 == layout.columns.len();
        line.cell(Class::Quiet, width(column, look, shape.header_width), shape.is_right, is_last, |out| {
            out.extend_from_slice(name.as_bytes());
        });
    }
    let mut out = Vec::new();
    line.print(layout, &mut out);
    out
}

fn width(column: &Column, look: &Look, width: usize) -> usize {
    match column {
        Column::Time if look.dates => width + clock::DATE,
        Column::Pid | Column::Tid | Column::Ppid if look.pairs => 15,
        _ => width,
    }
}

/// Rows of a table.
#[derive(Debug)]
pub struct Columns<'a> {
    layout: &'a Layout,
    look: &'a Look,
    cells: Cells<'a>,
    line: Line,
}

impl<'a> Columns<'a> {
    pub fn new(layout: &'a Layout, look: &'a Look, known: &'a Known) -> Columns<'a> {
        Columns { layout, look, cells: Cells::new(look, known), line: Line::default() }
    }
}

impl Render for Columns<'_> {
    fn block(&mut self) {}

    fn event(&mut self, event: &EventView<'_>, out: &mut Vec<u8>) {
        self.line.clear();
        for (at, column) in self.layout.columns.iter().enumerate() {
            let shape = column.shape();
            let is_last = at + 1 == self.layout.columns.len();
            let cells = &mut self.cells;
            let width = width(column, self.look, shape.width);
            self.line.cell(column.class(event), width, shape.is_right, is_last, |out| {
                cells.write(column, event, out);
            });
        }
        self.line.print(self.layout, out);
    }
}

/// A line of a table that is no event: a stretch in which events were lost, a finding of a rule.
pub fn aside(class: Class, layout: &Layout, words: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut line = Line::default();
    line.cell(class, 0, false, true, words);
    let mut out = Vec::new();
    line.print(layout, &mut out);
    out
}

/// A line under way: its text, and where cells begin.
#[derive(Debug, Default)]
struct Line {
    text: Vec<u8>,
    /// Where each cell begins and ends, and its class.
    cells: Vec<(usize, usize, Class)>,
}

impl Line {
    fn clear(&mut self) {
        self.text.clear();
        self.cells.clear();
    }

    /// A value, blanks up to the width in characters, and the blank between columns.
    fn cell(
        &mut self,
        class: Class,
        width: usize,
        is_right: bool,
        is_last: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) {
        let start = self.text.len();
        write(&mut self.text);
        let written = self.text.get(start..).unwrap_or_default();
        // Bytes that continue a character take no place.
        let shown = written.iter().filter(|byte| (**byte & 0xc0) != 0x80).count();
        let blanks = width.saturating_sub(shown);
        if is_right {
            self.text.splice(start..start, std::iter::repeat_n(b' ', blanks));
        }
        self.cells.push((start, self.text.len(), class));
        if !is_last {
            let blanks = if is_right { 1 } else { blanks + 1 };
            self.text.resize(self.text.len() + blanks, b' ');
        }
    }

    /// Appends the line, cut where the terminal ends.
    fn print(&self, layout: &Layout, out: &mut Vec<u8>) {
        let (end, is_cut) = match layout.width {
            Some(width) => fitting(&self.text, width),
            None => (self.text.len(), false),
        };
        if layout.is_coloured {
            let mut at = 0;
            for (start, cell_end, class) in &self.cells {
                let (start, cell_end) = ((*start).min(end), (*cell_end).min(end));
                out.extend_from_slice(self.text.get(at..start).unwrap_or_default());
                if let Some(text) = self.text.get(start..cell_end).filter(|text| !text.is_empty()) {
                    painted(*class, text, out);
                }
                at = at.max(cell_end);
            }
            out.extend_from_slice(self.text.get(at..end).unwrap_or_default());
        } else {
            out.extend_from_slice(self.text.get(..end).unwrap_or_default());
        }
        if is_cut {
            out.extend_from_slice("…".as_bytes());
        }
        out.push(b'\n');
    }
}

/// Cuts a line where the terminal ends, with a sign that says so.
pub fn cut(line: &mut Vec<u8>, width: Option<usize>) {
    if let Some(width) = width
        && let (end, true) = fitting(line, width)
    {
        line.truncate(end);
        line.extend_from_slice("…".as_bytes());
    }
}

/// How many bytes of a line fit into so many columns of a terminal, and whether that is not all of it: then one column is
/// left for a sign that says so.
fn fitting(text: &[u8], width: usize) -> (usize, bool) {
    if text.len() <= width {
        return (text.len(), false);
    }
    let (mut columns, mut end) = (0, 0);
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            columns += character.width().unwrap_or(0);
            if columns > width {
                return (end, true);
            }
            if columns < width {
                end += character.len_utf8();
            }
        }
    }
    if columns <= width { (text.len(), false) } else { (end, true) }
}

/// Appends text in the colour of its class.
fn painted(class: Class, text: &[u8], out: &mut Vec<u8>) {
    let code = match class {
        Class::Plain => return out.extend_from_slice(text),
        Class::Quiet => "2",
        Class::Who => "36",
        Class::Process => "32",
        Class::Network => "34",
        Class::Failure => "31",
        Class::Alert => "1;33",
        Class::Loss => "1;31",
    };
    out.extend_from_slice(b"\x1b[");
    out.extend_from_slice(code.as_bytes());
    out.push(b'm');
    out.extend_from_slice(text);
    out.extend_from_slice(b"\x1b[0m");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_what_a_terminal_shows() {
        let cut = |text: &str, width| {
            let (end, is_cut) = fitting(text.as_bytes(), width);
            format!("{}{}", &text[..end], if is_cut { "…" } else { "" })
        };
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdefg", 6), "abcde…");
        // Two columns each, and a letter whose accent takes none.
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("e\u{301}e\u{301}e", 3), "e\u{301}e\u{301}e");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn colours_take_no_place_and_end_with_their_cell() {
        let layout = Layout { width: Some(9), is_coloured: true, ..Layout::default() };
        let mut line = Line::default();
        line.cell(Class::Who, 6, false, false, |out| out.extend_from_slice(b"ls"));
        line.cell(Class::Failure, 0, false, true, |out| out.extend_from_slice(b"-13 EACCES"));
        let mut out = Vec::new();
        line.print(&layout, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), "\x1b[36mls\x1b[0m     \x1b[31m-\x1b[0m…\n");
    }
}
