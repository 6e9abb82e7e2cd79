//! Where each pane is, by the size of the terminal and by what has the focus.

use ratatui::layout::Rect;

use crate::model::{Focus, Model};

/// The smallest screen.
pub const LEAST: (u16, u16) = (80, 24);
/// From this on, panes stand beside each other.
const LARGE: (u16, u16) = (120, 40);
const TREE: u16 = 30;
const DETAIL: u16 = 12;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Regions {
    pub is_too_small: bool,
    pub title: Rect,
    pub filter: Rect,
    pub histogram: Rect,
    pub events: Option<Rect>,
    pub processes: Option<Rect>,
    pub detail: Option<Rect>,
    /// What lies over the panes.
    pub overlay: Rect,
    pub message: Rect,
    pub keys: Rect,
}

impl Regions {
    pub fn of(model: &Model) -> Regions {
        let (width, height) = model.size;
        if width < LEAST.0 || height < LEAST.1 {
            return Regions { is_too_small: true, ..Regions::default() };
        }
        let line = |y: u16, height: u16| Rect { x: 0, y, width, height };
        let body = line(5, height - 7);
        let mut regions = Regions {
            title: line(0, 1),
            filter: line(1, 1),
            histogram: line(2, 3),
            overlay: body,
            message: line(height - 2, 1),
            keys: line(height - 1, 1),
            ..Regions::default()
        };
        if model.is_zoomed || width < LARGE.0 || height < LARGE.1 {
            let body = Some(body);
            match model.focus {
                Focus::Events => regions.events = body,
                Focus::Processes => regions.processes = body,
                Focus::Detail => regions.detail = body,
            }
            return regions;
        }
        let right = Rect { x: TREE + 1, width: width - TREE - 1, ..body };
        regions.processes = Some(Rect { width: TREE, ..body });
        regions.events = Some(Rect { height: right.height - DETAIL, ..right });
        regions.detail = Some(Rect { y: right.y + right.height - DETAIL, height: DETAIL, ..right });
        regions
    }
}
