//! What stands around the panes: title, filter, message, keys, and what the filter may go on with.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use super::regions::Regions;
use super::theme::{self, Theme};
use crate::keys;
use crate::model::{Focus, Kind, Model, Overlay, Prompt};

/// `1,204`
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub fn title(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let progress = &model.progress;
    let is_known = progress.version == model.version && model.version > 0;
    let (found, more) = match (is_known, progress.is_final) {
        (false, _) => ("...".to_owned(), ""),
        (true, false) => (grouped(progress.found), "+"),
        (true, true) => (grouped(progress.found), ""),
    };
    let mut right = format!(" {found}{more} / {} ", grouped(progress.total));
    if is_known && !progress.is_final && progress.part > 0.0 {
        right = format!(" {:.0}%{right}", (progress.part * 100.0).min(99.0));
    }
    if model.is_following {
        right = format!(" following {right}");
    }
    if let Some((blocks, rows)) = model.gaps {
        right = format!(" {blocks} blocks with {} rows unreadable {right}", grouped(rows));
    }
    if model.setup.lost > 0 {
        right = format!(" {} lost!{right}", grouped(model.setup.lost));
    }
    let mut left = format!(" {}", model.title);
    if !model.setup.warning.is_empty() {
        left.push_str(&format!("  ! {}", model.setup.warning));
    }
    let cells = usize::from(area.width).saturating_sub(theme::width(&right));
    let text = theme::padded(&theme::harmless(&left, false), cells, false) + &right;
    theme::line(frame, area, &text, theme.title());
}

/// Cells of a line that is typed which are out of sight to the left.
pub fn scrolled(prompt: &Prompt, area: Rect) -> usize {
    let cursor = prompt.kind.label().len() + theme::width(prompt.edit.before());
    cursor.saturating_sub(usize::from(area.width).saturating_sub(2))
}

fn typed(prompt: &Prompt, area: Rect) -> String {
    let text = format!("{}{}", prompt.kind.label(), theme::harmless(prompt.edit.text(), false));
    theme::part(&text, scrolled(prompt, area), area.width.into())
}

pub fn filter(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    if let Some(prompt) = model.prompt.as_ref().filter(|it| it.kind == Kind::Filter) {
        let style = if model.wrong.is_some() { theme.error() } else { theme.bold() };
        let mut text = typed(prompt, area);
        if model.wrong.is_some() {
            // Red and a sign.
            text = text.replacen("Filter: ", "Filter! ", 1);
        }
        return theme::line(frame, area, &text, style);
    }
    let off = model.filters.off();
    let line = model.filters.line();
    let off = match off {
        0 => String::new(),
        off => format!("  ({off} off: F)"),
    };
    let text = match line.is_empty() {
        true => format!("Filter: none, all that was recorded is shown{off}"),
        false => format!("Filter: {}{off}", theme::harmless(&line, false)),
    };
    theme::line(frame, area, &text, if line.is_empty() { theme.dim() } else { theme.plain() });
}

pub fn message(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    match &model.prompt {
        Some(prompt) if prompt.kind != Kind::Filter => {
            return theme::line(frame, area, &typed(prompt, area), theme.bold());
        }
        Some(prompt) if let Some(wrong) = &model.wrong => {
            // The caret stands below what is wrong, as far as the words leave room.
            let before = prompt.edit.text().get(..wrong.span.start).unwrap_or_default();
            let column = prompt.kind.label().len() + theme::width(before);
            let column = column.saturating_sub(scrolled(prompt, area));
            let cells = prompt.edit.text().get(wrong.span.clone()).map_or(1, theme::width).max(1);
            let carets = "^".repeat(cells.min(12));
            let words = theme::harmless(&wrong.text, false);
            let room = usize::from(area.width);
            let text = if column + carets.len() + 1 + theme::width(&words) <= room {
                format!("{}{carets} {words}", " ".repeat(column))
            } else if theme::width(&words) < column {
                format!("{}{carets}", theme::padded(&words, column, false))
            } else {
                format!("! {words}")
            };
            return theme::line(frame, area, &text, theme.error());
        }
        _ => {}
    }
    let said = &model.said;
    let text = if said.is_error { format!("! {}", said.text) } else { format!(" {}", said.text) };
    let style = if said.is_error { theme.error() } else { theme.plain() };
    theme::line(frame, area, &text, style);
}

pub fn keys(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let fixed = match (&model.prompt, model.overlays.last()) {
        (Some(prompt), _) if prompt.kind == Kind::Filter => {
            Some("Enter keep  Esc as before  Tab complete  Up Down history")
        }
        (Some(_), _) => Some("Enter do it  Esc leave it"),
        (None, Some(Overlay::Filters(_))) => Some("Space on/off  a all  d delete  e edit  Esc back  ? keys"),
        (None, Some(_)) => Some("Up Down line  Enter go there  + - take its value  > sort  Esc back  q quit"),
        (None, None) => None,
    };
    let text = fixed.map_or_else(
        || {
            let pane = match model.focus {
                Focus::Events => "EVENTS",
                Focus::Processes => "PROCESSES",
                Focus::Detail => "DETAIL",
            };
            let shorts = keys::bindings().map(|it| it.short).filter(|it| !it.is_empty());
            let mut text = format!("{pane}  ?");
            for short in shorts.filter(|it| *it != "?") {
                if theme::width(&text) + short.len() + 1 < usize::from(area.width) {
                    text.push(' ');
                    text.push_str(short);
                }
            }
            text
        },
        str::to_owned,
    );
    theme::line(frame, area, &text, theme.title());
}

/// What the filter may go on with, below the line.
pub fn candidates(model: &Model, theme: &Theme, frame: &mut Frame<'_>, regions: Regions) {
    let Some(candidates) = model.prompt.as_ref().and_then(|it| it.candidates.as_ref()) else { return };
    if candidates.found.is_empty() {
        return;
    }
    let height = (regions.overlay.height).min(12).min(candidates.found.len() as u16);
    let area = Rect { y: regions.filter.y + 1, height, width: regions.filter.width.min(64), x: 8 };
    frame.render_widget(Clear, area);
    let chosen = candidates.chosen.unwrap_or_default();
    let top = (chosen + 1).saturating_sub(usize::from(height));
    for (at, (text, count)) in candidates.found.iter().enumerate().skip(top).take(height.into()) {
        let is_chosen = candidates.chosen == Some(at);
        let style = if is_chosen { theme.chosen(true) } else { theme.bold() };
        let count = if *count > 0 { grouped(*count) } else { String::new() };
        let width = usize::from(area.width);
        let text = theme::harmless(text, model.setup.is_ascii);
        let text = theme::padded(&format!("{} {text}", if is_chosen { '>' } else { ' ' }), width - 14, false);
        let line = Line::from(vec![Span::styled(format!("{text}{count:>14}"), style)]);
        frame.render_widget(line, Rect { y: area.y + (at - top) as u16, height: 1, ..area });
    }
}
