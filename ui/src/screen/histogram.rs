//! Events over time: those that match as full bars over all that there are.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use views::clock::Hand;

use super::rows;
use super::theme::{self, Theme};
use crate::model::Model;

pub fn draw(model: &Model, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let columns = usize::from(area.width);
    let sum = |of: &[u64]| -> Vec<u64> {
        // Each column has the stretches that lie in it; a stretch that lies in several is in the first.
        let mut sums = vec![0; columns];
        for (at, count) in of.iter().enumerate() {
            if let Some(sum) = sums.get_mut(at * columns / of.len().max(1)) {
                *sum += count;
            }
        }
        sums
    };
    let (all, matched) = (sum(&model.progress.all), sum(&model.progress.matched));
    // The square root: a burst must not hide that there was something elsewhere.
    let height = |count: u64, of: u64| match (count, of) {
        (0, _) | (_, 0) => 0,
        (count, of) => ((count as f64 / of as f64).sqrt() * 16.0).ceil() as u64,
    };
    let most = all.iter().copied().max().unwrap_or_default();
    let cursor = cursor(model, columns);
    for line in 0..2u16 {
        let floor = u64::from(1 - line) * 8;
        let spans: Vec<Span<'_>> = (0..columns)
            .map(|at| {
                let of = |counts: &[u64]| counts.get(at).copied().unwrap_or_default();
                let full = height(of(&matched), most).saturating_sub(floor);
                let light = height(of(&all), most).saturating_sub(floor);
                let (sign, style) = match (full, light) {
                    (0, 0) => (' ', theme.plain()),
                    (0, _) => (theme.shade(), theme.dim()),
                    (full, _) => (theme.block(full), theme.bar()),
                };
                let style = if cursor == Some(at) { style.patch(theme.title()) } else { style };
                Span::styled(sign.to_string(), style)
            })
            .collect();
        frame.render_widget(Line::from(spans), rows(area, line, 1));
    }
    theme::line(frame, rows(area, 2, 1), &range(model, theme, columns), theme.dim());
}

/// The column that the chosen event is in.
fn cursor(model: &Model, columns: usize) -> Option<usize> {
    let progress = &model.progress;
    let wall_ns = model.table.row()?.wall_ns;
    let length = progress.to_ns.saturating_sub(progress.from_ns).max(1) as f64;
    let part = wall_ns.saturating_sub(progress.from_ns) as f64 / length;
    Some(((part * columns as f64) as usize).min(columns.saturating_sub(1)))
}

/// Beginning and end, as text.
fn range(model: &Model, theme: &Theme, columns: usize) -> String {
    let clock = &model.style.look.clock;
    let shown = |wall_ns: i64| {
        let mut out = Vec::new();
        Hand::new(clock, model.style.look.dates).write(wall_ns, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    };
    let progress = &model.progress;
    if progress.all.is_empty() {
        return String::new();
    }
    let (from, to) = (shown(progress.from_ns), shown(progress.to_ns));
    let limited = if model.range.is_some() { " [range: \\ takes all] " } else { " " };
    let used = theme::width(&from) + theme::width(&to) + limited.len() + 1;
    let rule = theme.horizontal().to_string().repeat(columns.saturating_sub(used));
    format!("{from} {rule}{limited}{to}")
}
