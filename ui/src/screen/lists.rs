//! Pages: lines, one of which is chosen; and the list of filters.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

use super::rows;
use super::theme::{self, Theme};
use crate::model::{List, Model};

/// A page in a pane: its title, and the lines that there is room for.
pub fn draw(list: &List, theme: &Theme, frame: &mut Frame<'_>, area: Rect, is_focus: bool) {
    let count = list.page.lines.len();
    let mut title = list.page.title.clone();
    if list.is_waiting {
        title.push_str(" ... (Esc gives it up)");
    }
    if count > usize::from(area.height.saturating_sub(1)) {
        title.push_str(&format!("  {}/{count}", list.cursor + 1));
    }
    if !list.page.note.is_empty() {
        title.push_str(&format!("  ({})", list.page.note));
    }
    let rule = theme.horizontal();
    let text = format!("{rule} {title} ");
    let missing = usize::from(area.width).saturating_sub(theme::width(&text));
    theme::line(frame, rows(area, 0, 1), &(text + &rule.to_string().repeat(missing)), theme.bold());
    let has_header = !list.page.header.is_empty();
    if has_header {
        theme::line(frame, rows(area, 1, 1), &format!("  {}", list.page.header), theme.bold());
    }
    let from = 1 + u16::from(has_header);
    let body = rows(area, from, area.height.saturating_sub(from));
    for (at, line) in list.page.lines.iter().enumerate().skip(list.top).take(body.height.into()) {
        let is_chosen = at == list.cursor;
        let style = if is_chosen { theme.chosen(is_focus) } else { theme.class(line.class) };
        let text = format!("{} {}", if is_chosen { '>' } else { ' ' }, line.text);
        theme::line(frame, rows(body, (at - list.top) as u16, 1), &text, style);
    }
    let shown = count.saturating_sub(list.top).min(body.height.into()) as u16;
    for y in shown..body.height {
        theme::line(frame, rows(body, y, 1), "", theme.plain());
    }
}

/// The same over everything that is there.
pub fn over(list: &List, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    frame.render_widget(Clear, area);
    draw(list, theme, frame, area, true);
}

pub fn filters(model: &Model, chosen: usize, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    frame.render_widget(Clear, area);
    let rule = theme.horizontal();
    let title = format!("{rule} Filters: Space on and off, a all, d deletes, e edits, Esc back ");
    let missing = usize::from(area.width).saturating_sub(theme::width(&title));
    theme::line(frame, rows(area, 0, 1), &(title + &rule.to_string().repeat(missing)), theme.bold());
    theme::line(frame, rows(area, 1, 1), "  ON    EVENTS ALONE  FILTER", theme.bold());
    let height = usize::from(area.height.saturating_sub(2)).max(1);
    let top = (chosen + 1).saturating_sub(height);
    for (at, entry) in model.filters.0.iter().enumerate().skip(top).take(height) {
        let count =
            model.counts.get(&entry.text).map_or_else(|| "...".to_owned(), |it| super::frame::grouped(*it));
        let sign = if at == chosen { '>' } else { ' ' };
        let on = if entry.is_on { "[x]" } else { "[ ]" };
        let text = format!("{sign} {on} {count:>14}  {}", scopes::spelled_out(&entry.text));
        let style = if at == chosen { theme.chosen(true) } else { theme.plain() };
        theme::line(frame, rows(area, 2 + (at - top) as u16, 1), &text, style);
    }
    if model.filters.0.is_empty() {
        let text = "  none: / types one, + takes the value under the cursor";
        theme::line(frame, rows(area, 2, 1), text, theme.dim());
    }
}
