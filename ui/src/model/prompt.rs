//! Lines that are typed: the filter, a search, a place, a note, a file's name.

use super::{Edit, Filters, Model};
use crate::key::Key;
use crate::message::Effect;

/// What a line is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Filter,
    Search,
    Command,
    Note,
    Save,
}

#[derive(Clone, Debug)]
pub struct Prompt {
    pub kind: Kind,
    pub edit: Edit,
    /// What stood there before: `Esc` puts it back.
    before: Filters,
    /// Which line of the history is shown; `None`: what is typed.
    at: Option<usize>,
    typed: String,
    pub candidates: Option<Candidates>,
}

/// What the line may go on with.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// Whole words, each with the events that have it; 0: not known.
    pub found: Vec<(String, u64)>,
    pub chosen: Option<usize>,
    /// Bytes before the cursor that the words stand for.
    replaces: usize,
    is_waiting: bool,
}

impl Kind {
    pub fn label(self) -> &'static str {
        match self {
            Kind::Filter => "Filter: ",
            Kind::Search => "Search: ",
            Kind::Command => ":",
            Kind::Note => "Note: ",
            Kind::Save => "Write to: ",
        }
    }
}

impl Model {
    pub(super) fn open_prompt(&mut self, kind: Kind) {
        let text = match kind {
            Kind::Filter => match self.filters.line() {
                line if line.is_empty() => line,
                line => line + " ",
            },
            Kind::Search => self.search.clone(),
            Kind::Note => {
                let anchor = self.table.row().map(|row| row.anchor.at);
                anchor.and_then(|at| self.marks.note(at)).unwrap_or_default().to_owned()
            }
            Kind::Command | Kind::Save => String::new(),
        };
        self.wrong = None;
        self.prompt = Some(Prompt {
            kind,
            edit: Edit::new(text),
            before: self.filters.clone(),
            at: None,
            typed: String::new(),
            candidates: None,
        });
    }

    pub(super) fn paste(&mut self, text: &str, effects: &mut Vec<Effect>) {
        let Some(prompt) = &mut self.prompt else {
            return self.say("what was pasted is taken where something is typed: / edits the filter");
        };
        prompt.edit.insert(text);
        prompt.candidates = None;
        self.typed(effects);
    }

    /// What is typed has changed.
    fn typed(&mut self, effects: &mut Vec<Effect>) {
        if let Some(prompt) = self.prompt.as_ref().filter(|it| it.kind == Kind::Filter) {
            let line = prompt.edit.text().to_owned();
            self.try_line(&line, effects);
        }
    }

    pub(super) fn prompt_key(&mut self, key: Key, effects: &mut Vec<Effect>) {
        let Some(prompt) = &mut self.prompt else { return };
        match key {
            Key::Enter => return self.accept(effects),
            Key::Esc | Key::Ctrl('c') => return self.dismiss(effects),
            Key::Tab | Key::BackTab if prompt.kind == Kind::Filter => {
                return self.complete(key == Key::BackTab, effects);
            }
            Key::Up | Key::Down if prompt.candidates.is_some() => {
                return self.complete(key == Key::Up, effects);
            }
            Key::Up | Key::Down if prompt.kind == Kind::Filter => self.remember(key == Key::Up),
            key => {
                prompt.candidates = None;
                prompt.at = None;
                if !prompt.edit.key(key) {
                    return;
                }
            }
        }
        self.typed(effects);
    }

    /// Shows an older or a newer line of the history.
    fn remember(&mut self, is_older: bool) {
        let Some(prompt) = &mut self.prompt else { return };
        let at = match (prompt.at, is_older) {
            (None, true) => self.history.len().checked_sub(1),
            (Some(at), true) => Some(at.saturating_sub(1)),
            (Some(at), false) => Some(at + 1).filter(|at| *at < self.history.len()),
            (None, false) => return,
        };
        if prompt.at.is_none() {
            prompt.typed = prompt.edit.text().to_owned();
        }
        let text = at.and_then(|at| self.history.get(at)).unwrap_or(&prompt.typed).clone();
        (prompt.at, prompt.edit) = (at, Edit::new(text));
    }

    /// Inserts the next candidate, or asks which there are.
    fn complete(&mut self, is_backward: bool, effects: &mut Vec<Effect>) {
        let Some(prompt) = &mut self.prompt else { return };
        let Some(candidates) = &mut prompt.candidates else {
            let word = last_word(prompt.edit.before());
            prompt.candidates =
                Some(Candidates { replaces: word.len(), is_waiting: true, ..Candidates::default() });
            effects.push(Effect::Complete(word.trim_start_matches(['\'', '"']).to_owned()));
            return;
        };
        let count = candidates.found.len();
        if count == 0 {
            return;
        }
        let next = match (candidates.chosen, is_backward) {
            (None, false) => 0,
            (None, true) => count - 1,
            (Some(at), false) => (at + 1) % count,
            (Some(at), true) => (at + count - 1) % count,
        };
        candidates.chosen = Some(next);
        let Some((text, _)) = candidates.found.get(next) else { return };
        let text = super::quoted(text);
        let replaces = std::mem::replace(&mut candidates.replaces, text.len());
        prompt.edit.replace_before(replaces, &text);
        self.typed(effects);
    }

    pub(super) fn candidates(&mut self, text: &str, found: Vec<(String, u64)>, effects: &mut Vec<Effect>) {
        let Some(prompt) = &mut self.prompt else { return };
        let is_it = last_word(prompt.edit.before()).trim_start_matches(['\'', '"']) == text;
        let Some(candidates) = prompt.candidates.as_mut().filter(|it| it.is_waiting && is_it) else { return };
        candidates.is_waiting = false;
        match found.as_slice() {
            [] => {
                prompt.candidates = None;
                self.say(format!("nothing in this capture begins with {:?}", scopes::spelled_out(text)));
            }
            [(only, _)] => {
                let replaces = candidates.replaces;
                prompt.candidates = None;
                prompt.edit.replace_before(replaces, &super::quoted(only));
                self.typed(effects);
            }
            _ => candidates.found = found,
        }
    }

    fn accept(&mut self, effects: &mut Vec<Effect>) {
        let Some(prompt) = &self.prompt else { return };
        let text = prompt.edit.text().to_owned();
        match prompt.kind {
            Kind::Filter => {
                if !self.try_line(&text, effects) {
                    return;
                }
                let Some(prompt) = self.prompt.take() else { return };
                if prompt.before != self.filters {
                    let now = std::mem::replace(&mut self.filters, prompt.before);
                    self.step();
                    self.filters = now;
                }
                let line = text.trim().to_owned();
                self.history.retain(|known| *known != line);
                if !line.is_empty() {
                    self.history.push(line);
                }
            }
            Kind::Search => {
                self.prompt = None;
                self.search = text;
                self.find(false, effects);
            }
            Kind::Command => {
                self.prompt = None;
                self.command(&text, effects);
            }
            Kind::Save => {
                self.prompt = None;
                self.save(&text, effects);
            }
            Kind::Note => {
                self.prompt = None;
                self.note(&text);
            }
        }
    }

    fn dismiss(&mut self, effects: &mut Vec<Effect>) {
        let Some(prompt) = self.prompt.take() else { return };
        self.wrong = None;
        if prompt.kind == Kind::Filter && self.filters != prompt.before {
            let has_changed = self.filters.active() != prompt.before.active();
            self.filters = prompt.before;
            if has_changed {
                effects.push(self.ask());
            }
        }
    }
}

/// The word before the cursor, with the quote that it may begin with.
fn last_word(before: &str) -> &str {
    let mut start = 0;
    let mut quote = None;
    for (at, c) in before.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, c) if c.is_whitespace() => start = at + c.len_utf8(),
            _ => {}
        }
    }
    before.get(start..).unwrap_or_default()
}
