//! From the model to characters. Nothing is asked here and nothing is remembered: the same model gives the same screen.
//!
//! ```text
//! title            files, time range, losses                       shown / total
//! Filter: ...      as it stands, or as it is typed
//! histogram        three lines
//! processes | events
//!           | detail         from 120 by 40 on
//! message          what was said, what is wrong, what is looked up
//! keys             of what has the focus
//! ```

mod events;
mod frame;
mod histogram;
mod lists;
mod regions;
mod theme;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use crate::model::{Model, Overlay};
pub use frame::grouped;
pub use regions::Regions;
pub use theme::Theme;

/// Draws all of it.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let regions = model.regions();
    let theme = Theme::of(model);
    if regions.is_too_small {
        let (width, height) = regions::LEAST;
        let text =
            format!("{width}x{height} is needed, this is {}x{}", frame.area().width, frame.area().height);
        return theme::line(frame, frame.area(), &text, theme.plain());
    }
    frame::title(model, &theme, frame, regions.title);
    frame::filter(model, &theme, frame, regions.filter);
    histogram::draw(model, &theme, frame, regions.histogram);
    if let Some(area) = regions.events {
        events::draw(model, &theme, frame, area);
    }
    if let Some(area) = regions.processes {
        let is_focus = model.focus == crate::model::Focus::Processes;
        match &model.tree {
            Some(tree) => lists::draw(tree, &theme, frame, area, is_focus),
            None => lists::draw(&crate::model::List::waiting("Processes"), &theme, frame, area, is_focus),
        }
    }
    if let Some(area) = regions.detail {
        lists::draw(&model.detail, &theme, frame, area, model.focus == crate::model::Focus::Detail);
    }
    match model.overlays.last() {
        Some(Overlay::Page(list) | Overlay::Help(list)) => lists::over(list, &theme, frame, regions.overlay),
        Some(Overlay::Filters(at)) => lists::filters(model, *at, &theme, frame, regions.overlay),
        None => {}
    }
    frame::candidates(model, &theme, frame, regions);
    frame::message(model, &theme, frame, regions.message);
    frame::keys(model, &theme, frame, regions.keys);
    if let Some(prompt) = &model.prompt {
        let area = if prompt.kind == crate::model::Kind::Filter { regions.filter } else { regions.message };
        let cells = prompt.kind.label().len() + theme::width(prompt.edit.before());
        let scrolled = frame::scrolled(prompt, area);
        let x =
            area.x + (cells.saturating_sub(scrolled)).min(usize::from(area.width.saturating_sub(1))) as u16;
        frame.set_cursor_position(Position { x, y: area.y });
    }
}

/// A stretch of lines of an area.
fn rows(area: Rect, from: u16, count: u16) -> Rect {
    let from = from.min(area.height);
    Rect { y: area.y + from, height: count.min(area.height - from), ..area }
}
