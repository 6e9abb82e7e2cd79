//! What is typed behind a colon, searches, marks and notes, copies, and files to write.

use super::{Filters, Letter, Model, Overlay, shell};
use crate::key::Key;
use crate::message::{Effect, Place};
use crate::page::{Line, Page, Target};
use crate::study::Study;

impl Model {
    pub(super) fn command(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if text == "q" {
            return effects.push(Effect::Quit);
        }
        if let Some(path) = text.strip_prefix("w ") {
            return self.save(path, effects);
        }
        if let Some(name) = text.strip_prefix("query") {
            return self.keep_query(name.trim());
        }
        if let Some(number) = text.strip_prefix('#') {
            return match number.parse::<u64>() {
                Ok(number) if number > 0 => {
                    self.arriving = Some(format!("event {number}"));
                    self.leave_for(Place::Event(number), effects);
                }
                _ => self.fail(format!(":#{number} is no event, such as :#1204")),
            };
        }
        if let Some(part) = text.strip_suffix('%') {
            return match part.parse::<f64>() {
                Ok(part) if (0.0..=100.0).contains(&part) => {
                    self.leave_for(Place::Part(part / 100.0), effects)
                }
                _ => self.fail(format!(":{text} is no part of what is shown, such as :50%")),
            };
        }
        match (self.setup.moment)(text, self.setup.extent) {
            Ok(wall_ns) => self.leave_for(Place::Time(wall_ns), effects),
            Err(why) => self.fail(format!("{why}; or #1204, 50%, w FILE, query NAME, q")),
        }
    }

    /// Goes to a place that is no row at hand.
    pub(super) fn leave_for(&mut self, place: Place, effects: &mut Vec<Effect>) {
        self.close_overlays();
        self.focus = super::Focus::Events;
        self.table.home = None;
        self.is_at_end = false;
        self.read(place, 0, effects);
    }

    pub(super) fn save(&mut self, path: &str, effects: &mut Vec<Effect>) {
        let path = path.trim();
        if path.is_empty() {
            return self.fail(
                "name a file: x.trz is a capture; x.json, x.csv, x.pcapng, x.parquet and others are exports",
            );
        }
        self.say(format!("writing {}", scopes::spelled_out(path)));
        effects.push(Effect::Save { path: path.to_owned() });
    }

    /// Searches on from the chosen row.
    pub(super) fn find(&mut self, is_backward: bool, effects: &mut Vec<Effect>) {
        if self.search.is_empty() {
            return self.say("nothing to search for: Ctrl+F takes it");
        }
        let Some(from) = self.table.row().map(|row| row.anchor) else { return };
        self.say(format!("searching for {}", scopes::spelled_out(&self.search)));
        self.find_ticket = self.next_ticket();
        self.is_finding = true;
        effects.push(Effect::Find {
            ticket: self.find_ticket,
            text: self.search.clone(),
            from,
            is_backward,
            style: std::sync::Arc::clone(&self.style),
        });
    }

    pub(super) fn letter(&mut self, letter: Letter, key: Key, effects: &mut Vec<Effect>) {
        let Key::Char(name) = key else { return self.say("marks are letters") };
        if !name.is_alphanumeric() {
            return self.fail("marks are letters and digits");
        }
        match letter {
            Letter::Set => {
                let Some(row) = self.table.row().cloned() else { return };
                let said = self.marks.set(&row, name);
                self.tell_marks(said);
            }
            Letter::Go => match self.marks.of_letter(name) {
                Some(anchor) => {
                    self.arriving = Some(format!("mark {name}"));
                    self.leave_for(Place::Row(anchor), effects);
                    self.table.home = Some(anchor);
                }
                None => self.fail(format!("there is no mark {name}: B lists them")),
            },
        }
    }

    pub(super) fn note(&mut self, text: &str) {
        let Some(row) = self.table.row().cloned() else { return };
        let said = self.marks.write(&row, text);
        self.tell_marks(said);
    }

    fn tell_marks(&mut self, said: Result<String, String>) {
        match said {
            Ok(text) => self.say(text),
            Err(why) => self.fail(why),
        }
    }

    pub(super) fn open_marks(&mut self) {
        let mut page = Page { title: "Marks and notes".into(), ..Page::default() };
        page.note = self.marks.where_kept();
        for (anchor, text) in self.marks.all() {
            page.lines.push(Line { target: anchor.map_or(Target::None, Target::Row), ..Line::new(text) });
        }
        if page.lines.is_empty() {
            page.lines.push(Line::quiet("none yet: m and a letter marks an event, b writes a note on it"));
        }
        self.overlays.push(Overlay::Page(super::List::new(page)));
    }

    fn keep_query(&mut self, name: &str) {
        let filters = self.filters.active();
        if name.is_empty() {
            return self.fail("a query has a name: :query what it opened");
        }
        if filters.is_empty() {
            return self.fail("there is no filter to keep: / takes some");
        }
        let said = self.marks.keep_query(name, filters);
        self.tell_marks(said);
    }

    /// The queries of the case.
    pub(super) fn open_queries(&mut self) {
        let mut page = Page { title: "Queries of the case".into(), ..Page::default() };
        page.note = self.marks.where_kept();
        for query in self.marks.queries() {
            let text = format!("{:<24} {}", query.name, Filters::of(&query.filters).line());
            let target = Target::Query(query.filters.clone());
            page.lines.push(Line { target, ..Line::new(scopes::spelled_out(&text)) });
        }
        if page.lines.is_empty() {
            page.lines.push(Line::quiet("none yet: :query NAME keeps the present filters under a name"));
        }
        self.overlays.push(Overlay::Page(super::List::new(page)));
    }

    /// What can be copied from here.
    pub(super) fn open_copy(&mut self, effects: &mut Vec<Effect>) {
        let mut page = Page { title: "Copy".into(), ..Page::default() };
        let mut add = |what: &'static str, text: String| {
            if !text.is_empty() {
                let line = Line::new(format!("{what:<18} {}", scopes::spelled_out(&text)));
                page.lines.push(Line { target: Target::Copy(what, text), ..line });
            }
        };
        if let Some(row) = self.table.row() {
            add("line", row.line());
            if let Some(cell) = row.cells.get(self.table.cell) {
                add("value", cell.field.as_ref().map_or_else(|| cell.text.clone(), |it| it.value.clone()));
                add("filter", cell.field.as_ref().map(|it| it.filter(false)).unwrap_or_default());
            }
            let path =
                row.cells.iter().filter_map(|cell| cell.field.as_ref()).find(|it| it.value.starts_with('/'));
            add("path", path.map(|it| it.value.clone()).unwrap_or_default());
            add("process", format!("{}@{}", row.pid, row.process_start_ns));
        }
        add("replay command", self.replay(""));
        match self.table.row().map(|row| row.anchor) {
            // What is not at hand is looked up.
            Some(at) => self.study("Copy", Study::Copy(at, Box::new(page)), effects),
            None => self.overlays.push(Overlay::Page(super::List::new(page))),
        }
    }

    /// The command that shows the same.
    pub fn replay(&self, range: &str) -> String {
        let mut command = "tracer replay".to_owned();
        for file in &self.setup.files {
            command.push_str(&format!(" {}", shell(file)));
        }
        for filter in self.filters.active() {
            command.push_str(&format!(" -f {}", shell(&filter)));
        }
        match (&self.range, range) {
            (Some(range), "") => {
                if range.start > i64::MIN {
                    command.push_str(&format!(" --from {}", range.start));
                }
                if range.end < i64::MAX {
                    command.push_str(&format!(" --to {}", range.end));
                }
            }
            (_, range) => command.push_str(range),
        }
        command
    }
}
