//! The table of events: the rows that are visible, and no others.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use views::{Class, Column};

use super::rows;
use super::theme::{self, Theme};
use crate::model::{Focus, Model};
use crate::row::{Cell, Row};

/// Before the columns: the cursor, and the mark.
const GUTTER: usize = 2;
/// Behind them: where in the answer this is.
const SCROLL: u16 = 1;
/// Letters that are left of the end of a name that is cut.
const ENDING: usize = 5;
/// A screen that is narrower has narrower columns.
const WIDE: u16 = 110;

/// Characters of a column.
fn width(column: &Column, model: &Model, is_wide: bool) -> usize {
    let dates = if model.style.look.dates { views::clock::DATE } else { 0 };
    let pairs = model.style.look.pairs;
    match (column, is_wide) {
        (Column::Time, _) => 15 + dates,
        (Column::Pid | Column::Tid | Column::Ppid, _) if pairs => 15,
        (Column::Pid | Column::Tid | Column::Ppid, _) => 7,
        (Column::Uid, _) => 5,
        (Column::Comm, true) => 15,
        (Column::Comm, false) => 10,
        (Column::Event, true) => 22,
        (Column::Event, false) => 14,
        (Column::Ret, _) => 6,
        (column, _) => column.shape().width.min(24),
    }
}

pub fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let is_wide = area.width >= WIDE;
    let inner = Rect { width: area.width - SCROLL, ..area };
    let mut header = " ".repeat(GUTTER);
    for column in &model.style.columns {
        let name = match column {
            Column::Argument { .. } => column.name().to_uppercase(),
            column => column.shape().header.to_owned(),
        };
        if *column == Column::Args {
            header.push_str(&name);
        } else {
            let is_right = matches!(column, Column::Ret);
            header.push_str(&theme::padded(&name, width(column, model, is_wide), is_right));
            header.push(' ');
        }
    }
    theme::line(frame, rows(inner, 0, 1), &header, theme.bold());
    let body = rows(inner, 1, inner.height.saturating_sub(1));
    // While a filter is wrong, what was valid last stays and is dimmed.
    let is_stale = model.wrong.is_some() || model.table.version != model.version;
    if model.table.rows.is_empty() {
        let text =
            match (model.progress.version == model.version, model.progress.is_final, model.range.is_some()) {
                (true, true, false) => "no event matches: / changes the filter, Backspace goes one step back",
                (true, true, true) => {
                    "no event of this time matches: \\ takes all of the time, / changes the filter"
                }
                _ => "",
            };
        theme::line(frame, body, text, theme.dim());
    }
    for (at, row) in model.table.rows.iter().enumerate().skip(model.table.top).take(body.height.into()) {
        let place = rows(body, (at - model.table.top) as u16, 1);
        let is_chosen = at == model.table.cursor;
        line(model, theme, frame, place, row, is_chosen, is_wide, is_stale);
    }
    scroll(model, theme, frame, Rect { x: inner.x + inner.width, width: SCROLL, ..area });
}

#[expect(clippy::too_many_arguments, reason = "one call, all of it needed")]
fn line(
    model: &Model,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
    row: &Row,
    is_chosen: bool,
    is_wide: bool,
    is_stale: bool,
) {
    let is_focus = model.focus == Focus::Events && model.overlays.is_empty();
    let base = match (is_chosen, row.is_context || is_stale) {
        (true, _) => theme.chosen(is_focus),
        (false, true) => theme.dim(),
        (false, false) => Style::new(),
    };
    let sign = model.marks.sign(row.anchor.at).unwrap_or(if row.is_context { '.' } else { ' ' });
    let mut spans = vec![Span::styled(format!("{}{sign}", if is_chosen { '>' } else { ' ' }), base)];
    let mut left = usize::from(area.width).saturating_sub(GUTTER);
    let mut push = |text: String, style: Style| {
        let text = theme::part(&theme::harmless(&text, model.setup.is_ascii), 0, left);
        left -= theme::width(&text);
        spans.push(Span::styled(text, style));
    };
    let style = |cell: &Cell, number: usize| {
        let style = if row.is_context || is_stale || is_chosen { base } else { theme.class(cell.class) };
        if is_chosen && is_focus && number == model.table.cell { style.patch(theme.cell()) } else { style }
    };
    // The chosen cell is never out of sight: arguments before it make room.
    let args: Vec<(usize, &Cell)> = row
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| model.style.columns.get(cell.column) == Some(&Column::Args))
        .collect();
    for (number, cell) in row.cells.iter().enumerate() {
        let Some(column) = model.style.columns.get(cell.column) else { continue };
        if *column == Column::Args {
            continue;
        }
        let cells = width(column, model, is_wide);
        let is_right = matches!(column, Column::Ret);
        let is_cut = theme::width(&cell.text) > cells;
        let mut text = theme::padded(&cell.text, cells, is_right);
        if is_cut && *column == Column::Event {
            // Names of events begin alike: `sched_pr»_exec`.
            let behind: String = cell.text.chars().rev().take(ENDING).collect();
            let behind: String = behind.chars().rev().collect();
            text = theme::part(&cell.text, 0, cells.saturating_sub(ENDING + 1)) + theme.more() + &behind;
        } else if is_cut && *column != Column::Time {
            text = theme::padded(&text, cells.saturating_sub(1), false) + theme.more();
        }
        if cell.class == Class::Alert && *column == Column::Event && !is_cut {
            // Colour alone would say it otherwise.
            text = theme::padded(&format!("!{}", cell.text), cells, false);
        }
        push(text, style(cell, number));
        push(" ".to_owned(), base);
    }
    let first = if is_chosen { first_visible(&args, model.table.cell, area, row, model, is_wide) } else { 0 };
    for (at, (number, cell)) in args.iter().enumerate().skip(first) {
        if at > first {
            push(", ".to_owned(), base);
        } else if first > 0 {
            push("...".to_owned(), base);
        }
        push(cell.text.clone(), style(cell, *number));
    }
    push(" ".repeat(usize::from(area.width)), base);
    frame.render_widget(Line::from(spans), area);
}

/// Which argument is the first one on the screen, so that the chosen one is there.
fn first_visible(
    args: &[(usize, &Cell)],
    chosen: usize,
    area: Rect,
    row: &Row,
    model: &Model,
    is_wide: bool,
) -> usize {
    let Some(at) = args.iter().position(|(number, _)| *number == chosen) else { return 0 };
    let fixed = row.cells.iter().filter_map(|cell| model.style.columns.get(cell.column));
    let fixed: usize = fixed.filter(|it| **it != Column::Args).map(|it| width(it, model, is_wide) + 1).sum();
    let room = usize::from(area.width).saturating_sub(GUTTER + fixed);
    let end: usize = args.iter().take(at + 1).map(|(_, cell)| theme::width(&cell.text) + 2).sum();
    if end <= room { 0 } else { at }
}

/// Where the rows on the screen are among all.
fn scroll(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let height = u64::from(area.height.saturating_sub(1)).max(1);
    let found = model.progress.found.max(1);
    let at = (model.table.number().saturating_mul(height) / found).min(height - 1) as u16;
    for y in 0..height as u16 {
        let (sign, style) =
            if y == at { (theme.thumb(), theme.bold()) } else { (theme.vertical(), theme.dim()) };
        theme::line(frame, rows(area, y + 1, 1), &sign.to_string(), style);
    }
}
