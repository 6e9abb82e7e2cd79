//! Moving, and reading what is moved to: the cursor goes at once, rows that are not at hand follow.

use std::sync::Arc;

use super::{Focus, List, Model, Overlay};
use crate::message::{Effect, Place, Progress, Read, Rows};

impl Model {
    pub(super) fn progressed(&mut self, progress: Progress, effects: &mut Vec<Effect>) {
        if progress.version != self.version {
            return;
        }
        let is_new = self.table.version != progress.version;
        let is_final = progress.is_final;
        let found = progress.found;
        self.progress = progress;
        if found == 0 {
            if is_final {
                self.table.clear(self.version);
                self.reading = None;
                self.detail = List::default();
            }
            return;
        }
        let is_short = self.table.is_short(found, self.height()) || self.table.rows.is_empty();
        if is_new || is_short || is_final {
            // A question that goes on must not make the rows jump at each block that it reads.
            if self.reading.is_none() || is_new {
                self.reread(effects);
            }
        }
    }

    /// Reads the rows around the cursor anew.
    pub(super) fn reread(&mut self, effects: &mut Vec<Effect>) {
        let place = match (self.table.home, self.table.row()) {
            _ if self.is_at_end => Place::Last,
            (Some(home), _) => Place::Row(home),
            (None, Some(row)) => Place::Row(row.anchor),
            (None, None) => Place::Number(0),
        };
        self.read(place, 0, effects);
    }

    pub(super) fn read(&mut self, place: Place, shift: i64, effects: &mut Vec<Effect>) {
        let ticket = self.next_ticket();
        self.reading = Some((ticket, 0));
        effects.push(Effect::Read(Read::Rows {
            version: self.version,
            ticket,
            place,
            shift,
            reach: (self.height() * 3).max(60),
            context: self.context,
            style: Arc::clone(&self.style),
        }));
    }

    pub(super) fn arrived(&mut self, rows: Rows, effects: &mut Vec<Effect>) {
        let Some((ticket, more)) = self.reading else { return };
        if rows.version != self.version || rows.ticket != ticket {
            return;
        }
        self.reading = None;
        let is_beside = rows.is_beside;
        let height = self.height();
        self.table.take(rows, height);
        let fallback = self.fallback.take();
        if let Some(filter) = fallback.filter(|_| is_beside) {
            // What the filters hide is shown by one of its own; one step back they are there again.
            let what = self.arriving.take().unwrap_or_default();
            let home = self.table.home;
            self.take(super::Filters::of(&[filter]), effects);
            self.table.home = home;
            return self.say(format!("{what}, which the filters hid: Backspace goes back to them"));
        }
        if let Some(what) = self.arriving.take() {
            match is_beside {
                true => self.say(format!("{what} is hidden by the filter: this is what comes next")),
                false => self.say(what),
            }
        }
        if more != 0 {
            self.go(more, effects);
        } else if self.table.is_short(self.progress.found, height)
            && let Some(row) = self.table.row()
            && is_more(&mut self.completed, self.version, self.progress.found)
        {
            // More was found while these were read.
            let anchor = row.anchor;
            self.read(Place::Row(anchor), 0, effects);
        }
        self.look(effects);
    }

    /// Moves within whatever has the focus.
    pub(super) fn go(&mut self, by: i64, effects: &mut Vec<Effect>) {
        let height = self.height_of_focus();
        match self.overlays.last_mut() {
            Some(Overlay::Page(list) | Overlay::Help(list)) => return list.go(by, height),
            Some(Overlay::Filters(at)) => {
                let last = self.filters.0.len().saturating_sub(1) as i64;
                *at = (*at as i64).saturating_add(by).clamp(0, last) as usize;
                return;
            }
            None => {}
        }
        match self.focus {
            Focus::Detail => self.detail.go(by, height),
            Focus::Processes => {
                if let Some(tree) = &mut self.tree {
                    tree.go(by, height);
                }
            }
            Focus::Events => {
                self.is_at_end &= by >= 0;
                if let Some((_, more)) = &mut self.reading
                    && self.table.version == self.version
                    && self.table.is_short(self.progress.found, height)
                {
                    let left = self.table.go(by, height);
                    *more = more.saturating_add(left);
                } else {
                    let left = self.table.go(by, height);
                    let is_more = if left < 0 {
                        self.table.numbers.start > 0
                    } else {
                        self.table.numbers.end < self.progress.found
                    };
                    if left != 0
                        && is_more
                        && let Some(row) = self.table.row()
                    {
                        let anchor = row.anchor;
                        self.read(Place::Row(anchor), left, effects);
                    } else if self.table.is_short(self.progress.found, height)
                        && self.table.version == self.version
                        && let Some(row) = self.table.row()
                    {
                        let anchor = row.anchor;
                        self.read(Place::Row(anchor), 0, effects);
                    }
                }
                self.table.home = self.table.row().map(|row| row.anchor);
                self.look(effects);
            }
        }
    }

    pub(super) fn go_to_end(&mut self, is_first: bool, effects: &mut Vec<Effect>) {
        if self.focus != Focus::Events || !self.overlays.is_empty() {
            return self.go(if is_first { i64::MIN / 2 } else { i64::MAX / 2 }, effects);
        }
        self.table.home = None;
        self.is_at_end = self.is_following && !is_first;
        self.read(if is_first { Place::Number(0) } else { Place::Last }, 0, effects);
    }

    /// Lines that the pane in focus shows.
    pub(super) fn height_of_focus(&self) -> usize {
        let regions = self.regions();
        if !self.overlays.is_empty() {
            return usize::from(regions.overlay.height.saturating_sub(2)).max(1);
        }
        let height = match self.focus {
            Focus::Events => return self.height(),
            Focus::Processes => regions.processes.map(|it| it.height),
            Focus::Detail => regions.detail.map(|it| it.height),
        };
        usize::from(height.unwrap_or(1).saturating_sub(1)).max(1)
    }

    pub(super) fn turn_cell(&mut self, by: i64) {
        let cells = self.table.row().map_or(0, |row| row.cells.len()) as i64;
        self.table.cell = (self.table.cell as i64 + by).clamp(0, (cells - 1).max(0)) as usize;
    }

    pub(super) fn turn_focus(&mut self, by: usize, effects: &mut Vec<Effect>) {
        const ALL: [Focus; 3] = [Focus::Events, Focus::Processes, Focus::Detail];
        self.close_overlays();
        let at = ALL.iter().position(|it| *it == self.focus).unwrap_or_default();
        self.focus = ALL.get((at + by) % ALL.len()).copied().unwrap_or_default();
        self.open_tree(effects);
        self.look(effects);
    }

    /// Has the detail of the chosen event looked up, where it is on the screen.
    pub(super) fn look(&mut self, effects: &mut Vec<Effect>) {
        if self.regions().detail.is_none() || self.table.version != self.version {
            return;
        }
        let Some(anchor) = self.table.row().map(|row| row.anchor) else { return };
        self.detail_ticket = self.next_ticket();
        effects.push(Effect::Read(Read::Detail {
            version: self.version,
            ticket: self.detail_ticket,
            at: anchor,
            style: Arc::clone(&self.style),
        }));
    }

    pub(super) fn click(&mut self, x: u16, y: u16, effects: &mut Vec<Effect>) {
        let regions = self.regions();
        let within = |it: &ratatui::layout::Rect| it.contains((x, y).into());
        if !self.overlays.is_empty() {
            let line = y.saturating_sub(regions.overlay.y + 1);
            if let Some(Overlay::Page(list) | Overlay::Help(list)) = self.overlays.last_mut() {
                let by = list.top as i64 + i64::from(line) - list.cursor as i64;
                list.go(by, usize::from(regions.overlay.height.saturating_sub(2)));
            }
            return;
        }
        let line = |it: ratatui::layout::Rect| i64::from(y.saturating_sub(it.y + 1));
        if let Some(events) = regions.events.filter(within) {
            self.focus = Focus::Events;
            self.go(self.table.top as i64 + line(events) - self.table.cursor as i64, effects);
        } else if let Some(detail) = regions.detail.filter(within) {
            self.focus = Focus::Detail;
            self.go(self.detail.top as i64 + line(detail) - self.detail.cursor as i64, effects);
        } else if let Some(processes) = regions.processes.filter(within) {
            self.focus = Focus::Processes;
            let at = self.tree.as_ref().map_or(0, |it| it.top as i64 - it.cursor as i64);
            self.go(at + line(processes), effects);
        }
    }
}

/// Whether rows are read anew for what was found since: once for each count.
fn is_more(completed: &mut (u64, u64), version: u64, found: u64) -> bool {
    let is_new = *completed != (version, found);
    *completed = (version, found);
    is_new
}
