//! How filters change: typed, included and excluded, toggled, taken back.

use scopes::Diagnostic;

use super::{Filters, Focus, Model, Overlay, Step, Wrong, words};
use crate::key::Key;
use crate::message::Effect;
use crate::page::Field;

/// Steps back that are remembered.
const MOST_STEPS: usize = 256;

impl Model {
    /// Takes the filters of a line that is typed. Where it is wrong, what was valid last stays.
    pub(super) fn try_line(&mut self, line: &str, effects: &mut Vec<Effect>) -> bool {
        let words = words(line);
        let texts: Vec<String> = words.iter().map(|word| word.text.clone()).collect();
        match (self.setup.check)(&texts) {
            Ok(_) => {
                self.wrong = None;
                let before = self.filters.active();
                self.filters.set(texts);
                if self.filters.active() != before {
                    effects.push(self.ask());
                }
                true
            }
            Err(wrong) => {
                let first = wrong.iter().find(|it| it.is_error()).or(wrong.first());
                let word = first.and_then(|it| words.iter().find(|word| word.text == it.text));
                let span = match (word, first) {
                    (Some(word), Some(first)) => word.span(first.span.clone()),
                    _ => line.len()..line.len(),
                };
                self.wrong = Some(Wrong { text: first.map(told).unwrap_or_default(), span });
                false
            }
        }
    }

    /// A question could not be put after all: of a user whom the capture does not know.
    pub(super) fn refused(&mut self, wrong: &[Diagnostic]) {
        let text = wrong.first().map(told).unwrap_or_default();
        match &self.prompt {
            Some(_) => self.wrong = Some(Wrong { text, span: 0..0 }),
            None => self.fail(text),
        }
    }

    /// Remembers where one step back leads.
    pub(super) fn step(&mut self) {
        if self.trail.len() >= MOST_STEPS {
            self.trail.remove(0);
        }
        let home = self.table.home.or(self.table.row().map(|row| row.anchor));
        self.trail.push(Step { filters: self.filters.clone(), range: self.range.clone(), home });
    }

    /// One step back: out of what lies over the panes, out of a pane, out of a filter that was added.
    pub(super) fn back(&mut self, effects: &mut Vec<Effect>) {
        if self.overlays.pop().is_some() {
            effects.push(Effect::Cancel);
        } else if std::mem::take(&mut self.is_finding) {
            self.find_ticket = 0;
            effects.push(Effect::Cancel);
            self.say("given up");
        } else if self.focus != Focus::Events {
            self.focus = Focus::Events;
            self.look(effects);
        } else if let Some(Step { filters, range, home }) = self.trail.pop() {
            self.filters = filters;
            self.range = range;
            self.table.home = home;
            effects.push(self.ask());
        } else {
            self.say("there is nothing to go back to: q leaves");
        }
    }

    /// Leaves only events with the value under the cursor, or only those without it.
    pub(super) fn narrow(&mut self, is_excluded: bool, effects: &mut Vec<Effect>) {
        let field: Option<Field> = match (self.overlays.last(), self.focus) {
            (Some(Overlay::Page(list)), _) => list.line().and_then(|line| line.field.clone()),
            (Some(_), _) => None,
            (None, Focus::Detail) => self.detail.line().and_then(|line| line.field.clone()),
            (None, Focus::Processes) => {
                self.tree.as_ref().and_then(|tree| tree.line()).and_then(|line| line.field.clone())
            }
            (None, Focus::Events) => {
                let cell = self.table.row().and_then(|row| row.cells.get(self.table.cell));
                cell.and_then(|cell| cell.field.clone())
            }
        };
        let Some(field) = field else {
            return self.fail(
                "filters cannot ask for this value: Left and Right choose another one, [ and ] a time",
            );
        };
        let filter = field.filter(is_excluded);
        self.narrow_by(&filter, effects);
    }

    /// Adds a filter to every scope, as far as it means something.
    pub(super) fn narrow_by(&mut self, filter: &str, effects: &mut Vec<Effect>) {
        let narrowed = self.filters.narrowed(filter);
        self.take(narrowed, effects);
    }

    /// Asks by these filters, unless they are wrong.
    pub(super) fn take(&mut self, filters: Filters, effects: &mut Vec<Effect>) {
        match (self.setup.check)(&filters.active()) {
            Ok(_) => {
                self.step();
                self.filters = filters;
                self.close_overlays();
                effects.push(self.ask());
            }
            Err(wrong) => self.fail(wrong.first().map(told).unwrap_or_default()),
        }
    }

    pub(super) fn limit_range(&mut self, is_from: bool, effects: &mut Vec<Effect>) {
        let Some(wall_ns) = self.table.row().map(|row| row.wall_ns) else {
            return self.fail("there is no event under the cursor");
        };
        self.step();
        let range = self.range.clone().unwrap_or(i64::MIN..i64::MAX);
        self.range = Some(if is_from {
            wall_ns..range.end.max(wall_ns.saturating_add(1))
        } else {
            range.start.min(wall_ns)..wall_ns.saturating_add(1)
        });
        effects.push(self.ask());
    }

    pub(super) fn open_filters(&mut self, effects: &mut Vec<Effect>) {
        self.close_overlays();
        self.overlays.push(Overlay::Filters(0));
        self.count(effects);
    }

    /// Has every filter counted by itself that was not yet.
    pub(super) fn count(&mut self, effects: &mut Vec<Effect>) {
        let unknown = self.filters.0.iter().map(|it| it.text.clone());
        let unknown: Vec<String> = unknown.filter(|text| !self.counts.contains_key(text)).collect();
        if !unknown.is_empty() {
            effects.push(Effect::Count(unknown));
        }
    }

    /// Keys of the list of filters; false: a key that means the same everywhere.
    pub(super) fn filters_key(&mut self, at: usize, key: Key, effects: &mut Vec<Effect>) -> bool {
        let mut filters = self.filters.clone();
        match key {
            Key::Char(' ') => {
                if let Some(entry) = filters.0.get_mut(at) {
                    entry.is_on = !entry.is_on;
                }
            }
            Key::Char('a') => {
                let all_on = filters.0.iter().all(|it| it.is_on);
                filters.0.iter_mut().for_each(|it| it.is_on = !all_on);
            }
            Key::Char('d') if at < filters.0.len() => {
                filters.0.remove(at);
            }
            Key::Char('e') | Key::Enter => {
                self.close_overlays();
                self.open_prompt(super::Kind::Filter);
                return true;
            }
            _ => return false,
        }
        match (self.setup.check)(&filters.active()) {
            Ok(_) => {
                let has_changed = filters.active() != self.filters.active();
                self.filters = filters;
                let last = self.filters.0.len().saturating_sub(1);
                if let Some(Overlay::Filters(at)) = self.overlays.last_mut() {
                    *at = (*at).min(last);
                }
                if has_changed {
                    effects.push(self.ask());
                }
            }
            Err(wrong) => self.fail(wrong.first().map(told).unwrap_or_default()),
        }
        true
    }
}

/// A diagnostic in one line: the caret stands in the line that is typed.
pub(super) fn told(wrong: &Diagnostic) -> String {
    let mut text = wrong.message.clone();
    if let Some(name) = &wrong.suggestion {
        text.push_str(&format!("; did you mean {name:?}?"));
    }
    if let Some(allowed) = &wrong.allowed {
        text.push_str(&format!(" (allowed: {allowed})"));
    }
    scopes::spelled_out(&text)
}
