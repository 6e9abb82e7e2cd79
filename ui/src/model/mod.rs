//! What is shown and what keys do, without a terminal and without a file: messages in, effects out.

mod commands;
mod edit;
mod filtering;
mod filters;
mod list;
mod moving;
mod pages;
mod prompt;
mod setup;
mod table;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use pipeline::Cancellation;

pub use edit::Edit;
pub use filters::{Filters, quoted, shell, words};
pub use list::List;
pub use prompt::{Kind, Prompt};
pub use setup::{Moment, Setup, Times};
pub use table::Table;

use crate::answer::Anchor;
use crate::engine::Style;
use crate::key::Key;
use crate::keys::{self, Action};
use crate::message::{Ask, Context, Effect, Message, Place, Progress};
use crate::screen::Regions;

/// Which pane keys go to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Focus {
    #[default]
    Events,
    Processes,
    Detail,
}

/// What lies over the panes.
#[derive(Clone, Debug)]
pub enum Overlay {
    Page(List),
    /// The list of filters, and which one is chosen.
    Filters(usize),
    Help(List),
}

/// A line at the bottom.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Said {
    pub text: String,
    pub is_error: bool,
}

/// What is wrong with the filter that is typed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wrong {
    pub text: String,
    /// Where in the line, in bytes.
    pub span: Range<usize>,
}

/// Where one step back leads.
#[derive(Clone, Debug)]
struct Step {
    filters: Filters,
    range: Option<Range<i64>>,
    home: Option<Anchor>,
}

/// The next key is a letter of a mark.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Letter {
    Set,
    Go,
}

pub struct Model {
    pub setup: Setup,
    pub size: (u16, u16),
    pub style: Arc<Style>,
    times: Times,
    pub title: String,
    pub filters: Filters,
    pub range: Option<Range<i64>>,
    pub prompt: Option<Prompt>,
    pub wrong: Option<Wrong>,
    pub table: Table,
    pub progress: Progress,
    /// Of the question that was put last.
    pub version: u64,
    pub said: Said,
    pub focus: Focus,
    pub is_zoomed: bool,
    pub detail: List,
    pub tree: Option<List>,
    pub overlays: Vec<Overlay>,
    pub context: Context,
    pub counts: BTreeMap<String, u64>,
    pub gaps: Option<(usize, u64)>,
    pub has_mouse: bool,
    pub is_following: bool,
    /// The cursor goes on with the end while following.
    pub is_at_end: bool,
    pub marks: crate::marks::Marks,
    pub search: String,
    history: Vec<String>,
    trail: Vec<Step>,
    letter: Option<Letter>,
    cancellation: Cancellation,
    ticket: u64,
    /// Rows that are being read, and how many more to go when they are here.
    reading: Option<(u64, i64)>,
    detail_ticket: u64,
    /// For which question and count rows were read once more.
    completed: (u64, u64),
    /// Pages that are being looked up: their tickets.
    page_ticket: u64,
    tree_ticket: u64,
    find_ticket: u64,
    /// An event is being looked for.
    is_finding: bool,
    /// What shows the event that is gone to, where the filters do not.
    fallback: Option<String>,
    /// Why the cursor is where it is, once the rows are there.
    arriving: Option<String>,
}

impl Model {
    pub fn new(setup: Setup, size: (u16, u16)) -> Model {
        let times = setup.times;
        let style = Arc::new(setup.style(times, false));
        Model {
            title: setup.title.clone(),
            filters: Filters::of(&setup.filters),
            range: setup.range.clone(),
            marks: setup.marks.clone(),
            is_following: setup.is_following,
            is_at_end: setup.is_following,
            has_mouse: setup.has_mouse,
            setup,
            size,
            style,
            times,
            prompt: None,
            wrong: None,
            table: Table::default(),
            progress: Progress::default(),
            version: 0,
            said: Said::default(),
            focus: Focus::Events,
            is_zoomed: false,
            detail: List::default(),
            tree: None,
            overlays: Vec::new(),
            context: Context::default(),
            counts: BTreeMap::new(),
            gaps: None,
            search: String::new(),
            history: Vec::new(),
            trail: Vec::new(),
            letter: None,
            cancellation: Cancellation::default(),
            ticket: 0,
            reading: None,
            detail_ticket: 0,
            completed: (0, 0),
            page_ticket: 0,
            tree_ticket: 0,
            find_ticket: 0,
            is_finding: false,
            fallback: None,
            arriving: None,
        }
    }

    /// What is done first.
    pub fn begin(&mut self) -> Vec<Effect> {
        let mut effects = vec![self.ask()];
        if self.is_following {
            effects.push(Effect::Follow(true));
        }
        if self.has_mouse {
            effects.push(Effect::Mouse(true));
        }
        self.open_tree(&mut effects);
        effects
    }

    /// What happened, and what is to be done about it.
    pub fn update(&mut self, message: Message) -> Vec<Effect> {
        let mut effects = Vec::new();
        match message {
            Message::Key(key) => self.key(key, &mut effects),
            Message::Paste(text) => self.paste(&text, &mut effects),
            Message::Scroll(lines) => self.go(lines, &mut effects),
            Message::Click(x, y) => self.click(x, y, &mut effects),
            Message::Resize(width, height) => {
                self.size = (width, height);
                let height = self.height();
                self.table.show(height);
                self.open_tree(&mut effects);
                self.look(&mut effects);
            }
            Message::Progress(progress) => self.progressed(*progress, &mut effects),
            Message::Rows(rows) => self.arrived(rows, &mut effects),
            Message::Refused { version, wrong } if version == self.version => self.refused(&wrong),
            Message::Refused { .. } => {}
            Message::Detail { ticket, page } if ticket == self.detail_ticket => {
                let (is_same, cursor) = (self.detail.page.title == page.title, self.detail.cursor);
                self.detail.replace(page);
                self.detail.cursor = if is_same { cursor } else { 0 };
                self.detail.go(0, self.regions().detail.map_or(1, |it| it.height.into()));
            }
            Message::Detail { .. } => {}
            Message::Page { ticket, page } => self.page(ticket, page),
            Message::Candidates { text, found } => self.candidates(&text, found, &mut effects),
            Message::Count { filter, count } => {
                self.counts.insert(filter, count);
            }
            Message::Found { ticket, at, what, filter } if ticket == self.find_ticket => match at {
                Some(anchor) => {
                    self.is_finding = false;
                    self.fallback = filter;
                    self.arriving = Some(what);
                    self.table.home = Some(anchor);
                    self.close_overlays();
                    self.read(Place::Row(anchor), 0, &mut effects);
                }
                None => {
                    self.is_finding = false;
                    self.say(what);
                }
            },
            Message::Found { .. } => {}
            Message::Gaps { version, blocks, rows } if version == self.version => {
                self.gaps = Some((blocks, rows))
            }
            Message::Gaps { .. } => {}
            Message::Grown => {
                self.counts.clear();
                effects.push(self.ask());
            }
            Message::Said(text) => self.say(text),
            Message::Failed(text) => {
                self.reading = None;
                self.fail(text);
            }
        }
        effects
    }

    fn key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        if let Some(letter) = self.letter.take() {
            return self.letter(letter, key, effects);
        }
        if self.prompt.is_some() {
            return self.prompt_key(key, effects);
        }
        self.said = Said::default();
        if let Some(Overlay::Filters(at)) = self.overlays.last().cloned()
            && self.filters_key(at, key, effects)
        {
            return;
        }
        match keys::action(key) {
            Some(action) => self.act(action, effects),
            None => self.say(format!("{key} does nothing here: ? shows the keys")),
        }
    }

    fn act(&mut self, action: Action, effects: &mut Vec<Effect>) {
        let page = self.height_of_focus().saturating_sub(1).max(1) as i64;
        match action {
            Action::Up => self.go(-1, effects),
            Action::Down => self.go(1, effects),
            Action::PageUp => self.go(-page, effects),
            Action::PageDown => self.go(page, effects),
            Action::First => self.go_to_end(true, effects),
            Action::Last => self.go_to_end(false, effects),
            Action::Left => self.turn_cell(-1),
            Action::Right => self.turn_cell(1),
            Action::NextPane => self.turn_focus(1, effects),
            Action::PreviousPane => self.turn_focus(2, effects),
            Action::Zoom => {
                self.is_zoomed = !self.is_zoomed;
                let height = self.height();
                self.table.show(height);
                self.look(effects);
            }
            Action::Enter => self.enter(effects),
            Action::Back => self.back(effects),
            Action::Filter => self.open_prompt(Kind::Filter),
            Action::Filters => self.open_filters(effects),
            Action::Include => self.narrow(false, effects),
            Action::Exclude => self.narrow(true, effects),
            Action::Context => {
                self.context.rows = match self.context.rows {
                    0 => 3,
                    3 => 10,
                    _ => 0,
                };
                self.say_context();
                self.reread(effects);
            }
            Action::ContextOf => {
                self.context.same_process = !self.context.same_process;
                self.say_context();
                self.reread(effects);
            }
            Action::RangeFrom | Action::RangeTo => self.limit_range(action == Action::RangeFrom, effects),
            Action::RangeAll => {
                self.step();
                self.range = None;
                effects.push(self.ask());
            }
            Action::Search => self.open_prompt(Kind::Search),
            Action::NextHit => self.find(false, effects),
            Action::PreviousHit => self.find(true, effects),
            Action::Command => self.open_prompt(Kind::Command),
            Action::Save => self.open_prompt(Kind::Save),
            Action::Note => self.open_prompt(Kind::Note),
            Action::Mark => self.letter = Some(Letter::Set),
            Action::GoToMark => self.letter = Some(Letter::Go),
            Action::Follow => {
                self.is_following = !self.is_following;
                self.is_at_end = self.is_following;
                self.say(if self.is_following { "following" } else { "no longer following" });
                effects.push(Effect::Follow(self.is_following));
            }
            Action::Turn => self.turn_times(effects),
            Action::Mouse => {
                self.has_mouse = !self.has_mouse;
                self.say(if self.has_mouse {
                    "the mouse is taken: Shift selects text, M gives it back"
                } else {
                    "the mouse is the terminal's again"
                });
                effects.push(Effect::Mouse(self.has_mouse));
            }
            Action::Redraw => effects.push(Effect::Redraw),
            Action::Suspend => effects.push(Effect::Suspend),
            Action::Quit => effects.push(Effect::Quit),
            other => self.open_page(other, effects),
        }
    }

    pub fn say(&mut self, text: impl Into<String>) {
        self.said = Said { text: text.into(), is_error: false };
    }

    pub fn fail(&mut self, text: impl Into<String>) {
        self.said = Said { text: text.into(), is_error: true };
    }

    fn say_context(&mut self) {
        let of = if self.context.same_process { "of the same process" } else { "of all" };
        match self.context.rows {
            0 => self.say("only what matches"),
            rows => self.say(format!("{rows} events {of} around each that matches")),
        }
    }

    /// Puts the question as it is now.
    fn ask(&mut self) -> Effect {
        self.version += 1;
        self.cancellation = Cancellation::default();
        self.gaps = None;
        // What is looked for in what was shown before is not wanted any more.
        self.is_finding = false;
        self.find_ticket = 0;
        let near_wall_ns = self.table.row().map(|row| row.wall_ns);
        Effect::Ask(Ask {
            version: self.version,
            filters: self.filters.active(),
            range: self.range.clone(),
            near_wall_ns,
            cancellation: self.cancellation.clone(),
        })
    }

    /// Whether all that was asked for is there.
    #[cfg(test)]
    pub fn is_at_rest(&self) -> bool {
        let is_waiting = |list: &List| list.is_waiting;
        let page = match self.overlays.last() {
            Some(Overlay::Page(list)) => is_waiting(list),
            Some(Overlay::Filters(_)) => self.filters.0.iter().any(|it| !self.counts.contains_key(&it.text)),
            _ => false,
        };
        let is_busy = page || self.reading.is_some() || self.tree.as_ref().is_some_and(is_waiting);
        let is_busy = is_busy || self.is_finding || self.said.text.starts_with("writing");
        !is_busy && self.progress.version == self.version && self.progress.is_final
    }

    fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    /// Rows of the events on the screen.
    pub fn height(&self) -> usize {
        usize::from(self.regions().events.map_or(1, |it| it.height).saturating_sub(1)).max(1)
    }

    pub fn regions(&self) -> Regions {
        Regions::of(self)
    }

    fn turn_times(&mut self, effects: &mut Vec<Effect>) {
        let (times, is_raw) = self.times.next(self.style.look.raw_arguments);
        self.times = times;
        self.style = Arc::new(self.setup.style(times, is_raw));
        let values = if is_raw { ", numbers instead of names" } else { "" };
        self.say(format!("{}{values}", times.what()));
        self.reread(effects);
    }
}
