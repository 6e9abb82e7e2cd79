//! Pages beside the table: which are opened by which keys, and where their lines lead.

use std::sync::Arc;

use super::{Filters, Focus, List, Model, Overlay};
use crate::answer::Anchor;
use crate::keys::{self, Action};
use crate::message::{Effect, Place};
use crate::page::{Line, Page, Target};
use crate::study::{Group, Kind, Study};

/// What `v` offers.
const VIEWS: &[(&str, Group)] = &[
    ("processes", Group::Processes),
    ("files", Group::Files),
    ("directories", Group::Directories),
    ("peers", Group::Connections),
    ("DNS names", Group::Names),
    ("containers", Group::Containers),
    ("events", Group::Events),
    ("errors", Group::Errors),
    ("users", Group::Users),
    ("hosts", Group::Hosts),
];

impl Model {
    pub(super) fn close_overlays(&mut self) {
        self.overlays.clear();
    }

    pub(super) fn open_page(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let anchor = self.table.row().map(|row| row.anchor);
        match (action, anchor) {
            (Action::Help, _) => self.overlays.push(Overlay::Help(List::new(help()))),
            (Action::Views, _) => self.overlays.push(Overlay::Page(List::new(views()))),
            (Action::Marks, _) => self.open_marks(),
            (Action::Queries, _) => self.open_queries(),
            (Action::Copy, _) => self.open_copy(effects),
            (Action::Findings, _) => self.study("Findings", Study::Findings, effects),
            (Action::Tree, _) => {
                let of = self.table.row().map(|row| (row.pid, row.process_start_ns));
                self.study("Processes", Study::Tree(of), effects);
            }
            (Action::PreviousSort | Action::NextSort, _) => self.sort(action == Action::NextSort),
            (Action::State, _) => self.open_states(),
            (_, None) => self.fail("there is no event under the cursor"),
            (Action::Explain, Some(at)) => self.study("Explanation", Study::Explain(at), effects),
            (Action::Lineage, Some(at)) => self.study("Lineage", Study::Lineage(at), effects),
            (Action::Story, Some(at)) => self.study("Story", Study::Story(at), effects),
            (Action::Parent, Some(at)) => self.go_to_parent(at, effects),
            _ => {}
        }
    }

    fn go_to_parent(&mut self, of: Anchor, effects: &mut Vec<Effect>) {
        self.find_ticket = self.next_ticket();
        self.is_finding = true;
        self.say("looking for the exec of the parent");
        effects.push(Effect::Parent { ticket: self.find_ticket, of });
    }

    /// Has a page looked up, and shows that it is.
    pub(super) fn study(&mut self, title: &str, study: Study, effects: &mut Vec<Effect>) {
        self.page_ticket = self.next_ticket();
        self.overlays.push(Overlay::Page(List::waiting(title)));
        effects.push(Effect::Study { ticket: self.page_ticket, study, style: Arc::clone(&self.style) });
    }

    /// The process tree beside the table, once it is on the screen.
    pub(super) fn open_tree(&mut self, effects: &mut Vec<Effect>) {
        if self.tree.is_none() && self.regions().processes.is_some() {
            self.tree_ticket = self.next_ticket();
            self.tree = Some(List::waiting("Processes"));
            let study = Study::Tree(None);
            effects.push(Effect::Study { ticket: self.tree_ticket, study, style: Arc::clone(&self.style) });
        }
    }

    pub(super) fn page(&mut self, ticket: u64, page: Page) {
        if ticket == self.tree_ticket
            && let Some(tree) = &mut self.tree
        {
            return tree.replace(page);
        }
        if ticket == self.page_ticket
            && let Some(Overlay::Page(list)) = self.overlays.last_mut()
        {
            let chosen = page.chosen;
            list.replace(page);
            let height = usize::from(self.regions().overlay.height.saturating_sub(2));
            if let (Some(Overlay::Page(list)), Some(chosen)) = (self.overlays.last_mut(), chosen) {
                list.go(chosen as i64 - list.cursor as i64, height);
            }
        }
    }

    fn open_states(&mut self) {
        let Some(row) = self.table.row() else { return self.fail("there is no event under the cursor") };
        let mut page = Page { title: "The host at the time of the event".into(), ..Page::default() };
        for (kind, name) in Kind::ALL {
            let target = Target::Study(Study::State(kind, row.wall_ns));
            page.lines.push(Line { target, ..Line::new(name) });
        }
        self.overlays.push(Overlay::Page(List::new(page)));
    }

    /// In: what the chosen line is about.
    pub(super) fn enter(&mut self, effects: &mut Vec<Effect>) {
        let target = match (self.overlays.last(), self.focus) {
            (Some(Overlay::Page(list)), _) => list.line().map(|line| line.target.clone()),
            (Some(_), _) => None,
            (None, Focus::Events) => {
                self.focus = Focus::Detail;
                return self.look(effects);
            }
            (None, Focus::Processes) => {
                self.tree.as_ref().and_then(|tree| tree.line()).map(|line| line.target.clone())
            }
            (None, Focus::Detail) => self.detail.line().map(|line| line.target.clone()),
        };
        match target.unwrap_or_default() {
            Target::None => self.say("this line leads nowhere: + and - take its value, Backspace goes back"),
            Target::Row(anchor) => {
                self.leave_for(Place::Row(anchor), effects);
                self.table.home = Some(anchor);
                self.arriving = Some("the event".to_owned());
            }
            Target::Filter(filter) => {
                self.focus = Focus::Events;
                self.narrow_by(&filter, effects);
            }
            Target::Query(filters) => {
                self.focus = Focus::Events;
                self.take(Filters::of(&filters), effects);
            }
            Target::Event(number) => {
                self.leave_for(Place::Event(number), effects);
                self.arriving = Some(format!("event {number}"));
            }
            Target::Time(wall_ns) => self.leave_for(Place::Time(wall_ns), effects),
            Target::Study(study) => {
                self.study("Looking it up", study, effects);
            }
            Target::Copy(what, text) => {
                self.overlays.pop();
                self.say(format!("copied: {what}"));
                effects.push(Effect::Copy(text));
            }
        }
    }

    /// Sorts a view by another column; the cursor stays on its line.
    fn sort(&mut self, is_next: bool) {
        let Some(Overlay::Page(list)) = self.overlays.last_mut() else {
            return self.fail("events stand in order of time: views (v) can be sorted");
        };
        match list.page.sort(is_next) {
            Some((column, cursor)) => {
                list.cursor = cursor(list.cursor);
                let text = format!("sorted by {column}");
                let height = usize::from(self.regions().overlay.height.saturating_sub(2));
                if let Some(Overlay::Page(list)) = self.overlays.last_mut() {
                    list.show(height);
                }
                self.say(text);
            }
            None => self.fail("this page has an order of its own"),
        }
    }
}

fn views() -> Page {
    let mut page = Page { title: "Sums of what is shown, by".into(), ..Page::default() };
    for (name, group) in VIEWS {
        page.lines.push(Line { target: Target::Study(Study::Sums(*group)), ..Line::new(*name) });
    }
    let mut add =
        |name: &str, study| page.lines.push(Line { target: Target::Study(study), ..Line::new(name) });
    add("findings of rules", Study::Findings);
    add("losses", Study::Losses);
    add("process tree", Study::Tree(None));
    page
}

fn help() -> Page {
    let mut page = Page { title: "Keys".into(), ..Page::default() };
    for (title, bindings) in keys::GROUPS {
        page.lines.push(Line { class: views::Class::Who, ..Line::new(*title) });
        for binding in *bindings {
            page.lines.push(Line::new(format!("  {:<18} {}", binding.names(), binding.what)));
        }
    }
    page.lines.push(Line { class: views::Class::Who, ..Line::new("Behind a colon") });
    for (what, does) in COMMANDS {
        page.lines.push(Line::new(format!("  :{what:<17} {does}")));
    }
    page.lines.push(Line { class: views::Class::Who, ..Line::new("While a filter is typed") });
    for (what, does) in TYPING {
        page.lines.push(Line::new(format!("  {what:<18} {does}")));
    }
    page
}

/// What can be typed behind a colon.
pub const COMMANDS: &[(&str, &str)] = &[
    ("14:03:09", "go to this time of the first event's day; any time that --from takes"),
    ("+5s", "so long after the first event; -5s before the last"),
    ("50%", "half way through what is shown"),
    ("#12345", "the event of this number among all events"),
    ("w FILE", "write what is shown: FILE.trz is a capture; FILE.json, .csv, .pcapng and others are exports"),
    ("q", "leave"),
];

const TYPING: &[(&str, &str)] = &[
    ("Tab", "what this capture has that begins so, with counts; again: the next of it"),
    ("Up, Down", "lines that were typed before"),
    ("Enter", "keep it"),
    ("Esc", "what stood there before"),
];
