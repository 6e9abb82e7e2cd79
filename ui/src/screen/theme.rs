//! Colours and signs. Whatever a colour says, a sign or a weight says too; without colours there are bold, dim, reversed and
//! underlined text, and without UTF-8 there is ASCII.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use views::Class;

use crate::model::Model;

#[derive(Clone, Copy, Debug)]
pub struct Theme {
    is_coloured: bool,
    is_ascii: bool,
}

impl Theme {
    pub fn of(model: &Model) -> Theme {
        Theme { is_coloured: model.setup.is_coloured, is_ascii: model.setup.is_ascii }
    }

    fn colour(self, style: Style, colour: Color) -> Style {
        if self.is_coloured { style.fg(colour) } else { style }
    }

    pub fn plain(self) -> Style {
        Style::new()
    }

    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    pub fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub fn error(self) -> Style {
        self.colour(self.bold(), Color::Red)
    }

    pub fn title(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    pub fn chosen(self, is_focus: bool) -> Style {
        if is_focus { Style::new().add_modifier(Modifier::REVERSED) } else { self.bold() }
    }

    /// The cell under the cursor.
    pub fn cell(self) -> Style {
        Style::new().add_modifier(Modifier::UNDERLINED | Modifier::BOLD)
    }

    pub fn bar(self) -> Style {
        self.colour(Style::new(), Color::Cyan)
    }

    pub fn class(self, class: Class) -> Style {
        let style = Style::new();
        match class {
            Class::Plain => style,
            Class::Quiet => self.dim(),
            Class::Who => self.colour(self.bold(), Color::Green),
            Class::Process => self.colour(style, Color::Yellow),
            Class::Network => self.colour(style, Color::Cyan),
            Class::Failure => self.colour(style, Color::Red),
            Class::Alert => self.colour(self.bold(), Color::Magenta),
            Class::Loss => self.colour(self.bold(), Color::Red),
        }
    }

    /// A bar of so many eighths, from below.
    pub fn block(self, eighths: u64) -> char {
        if self.is_ascii {
            return if eighths == 0 { ' ' } else { '#' };
        }
        const BLOCKS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        BLOCKS.get(eighths.min(8) as usize).copied().unwrap_or('█')
    }

    /// What is there and does not match.
    pub fn shade(self) -> char {
        if self.is_ascii { '.' } else { '░' }
    }

    pub fn vertical(self) -> char {
        if self.is_ascii { '|' } else { '│' }
    }

    pub fn horizontal(self) -> char {
        if self.is_ascii { '-' } else { '─' }
    }

    pub fn more(self) -> &'static str {
        if self.is_ascii { ">" } else { "»" }
    }

    pub fn thumb(self) -> char {
        if self.is_ascii { '#' } else { '█' }
    }
}

/// Cells that a text takes.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Whatever comes here was made harmless before; should something not have been, it ends here. A terminal in ASCII gets no
/// other letters.
pub fn harmless(text: &str, is_ascii: bool) -> String {
    let is_fine = |c: char| scopes::is_printable(c) && (!is_ascii || c.is_ascii());
    text.chars()
        .map(|c| {
            if is_fine(c) {
                c
            } else if is_ascii {
                '?'
            } else {
                '\u{fffd}'
            }
        })
        .collect()
}

/// As much of a text as so many cells have room for, from so many cells on.
pub fn part(text: &str, from: usize, cells: usize) -> String {
    let (mut at, mut out, mut used) = (0, String::new(), 0);
    for c in text.chars() {
        let width = c.width().unwrap_or(0);
        if at >= from {
            if used + width > cells {
                break;
            }
            out.push(c);
            used += width;
        }
        at += width;
    }
    out
}

/// A text that fills so many cells.
pub fn padded(text: &str, cells: usize, is_right: bool) -> String {
    let text = part(text, 0, cells);
    let blanks = " ".repeat(cells.saturating_sub(width(&text)));
    if is_right { blanks + &text } else { text + &blanks }
}

/// One line of one style over all of an area's width.
pub fn line(frame: &mut Frame<'_>, area: Rect, text: &str, style: Style) {
    let area = Rect { height: area.height.min(1), ..area };
    let text = padded(&harmless(text, false), usize::from(area.width), false);
    frame.render_widget(Line::styled(text, style), area);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_cells_and_not_by_letters() {
        assert_eq!(padded("日本語", 5, false), "日本 ");
        assert_eq!(padded("ab", 4, true), "  ab");
        assert_eq!(part("abcdef", 2, 3), "cde");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_passes() {
        assert_eq!(harmless("a\x1b[2J\u{202e}b", false), "a\u{fffd}[2J\u{fffd}b");
        assert_eq!(harmless("日a", true), "?a");
    }
}
