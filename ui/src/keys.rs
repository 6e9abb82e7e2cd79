//! What each key does, once: the model looks here, help and the documentation print it.

use crate::key::Key;

/// What a key does outside of lines that are typed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    Up,
    Down,
    PageUp,
    PageDown,
    First,
    Last,
    Left,
    Right,
    NextPane,
    PreviousPane,
    Zoom,
    Enter,
    Back,
    Filter,
    Filters,
    Include,
    Exclude,
    Context,
    ContextOf,
    RangeFrom,
    RangeTo,
    RangeAll,
    Search,
    NextHit,
    PreviousHit,
    Command,
    Views,
    Tree,
    Lineage,
    Parent,
    Story,
    State,
    Findings,
    Explain,
    PreviousSort,
    NextSort,
    Mark,
    GoToMark,
    Note,
    Marks,
    Queries,
    Copy,
    Save,
    Follow,
    Turn,
    Mouse,
    Redraw,
    Help,
    Suspend,
    Quit,
}

/// Keys that do one thing.
#[derive(Debug)]
pub struct Binding {
    pub keys: &'static [Key],
    pub action: Action,
    /// For help and the documentation.
    pub what: &'static str,
    /// In the last line of the screen, where there is room.
    pub short: &'static str,
}

const fn binding(keys: &'static [Key], action: Action, short: &'static str, what: &'static str) -> Binding {
    Binding { keys, action, what, short }
}

/// Everything that keys do, by what people want to do.
pub const GROUPS: &[(&str, &[Binding])] = &[
    (
        "Moving",
        &[
            binding(&[Key::Up, Key::Char('k')], Action::Up, "", "the line before"),
            binding(&[Key::Down, Key::Char('j')], Action::Down, "", "the next line"),
            binding(&[Key::PageUp, Key::Ctrl('b')], Action::PageUp, "", "a screen back"),
            binding(&[Key::PageDown, Key::Char(' '), Key::Ctrl('d')], Action::PageDown, "", "a screen on"),
            binding(&[Key::Home, Key::Char('g')], Action::First, "", "the first line"),
            binding(&[Key::End, Key::Char('G')], Action::Last, "", "the last line"),
            binding(&[Key::Left, Key::Char('h')], Action::Left, "", "the cell to the left"),
            binding(&[Key::Right, Key::Char('l')], Action::Right, "", "the cell to the right"),
            binding(&[Key::Char(':')], Action::Command, ":", "go to a place or write a file: see below"),
            binding(&[Key::Tab], Action::NextPane, "Tab", "the next of events, processes, detail"),
            binding(&[Key::BackTab], Action::PreviousPane, "", "the one before"),
            binding(&[Key::Char('z')], Action::Zoom, "", "the pane in focus over the whole screen, and back"),
            binding(
                &[Key::Enter],
                Action::Enter,
                "Enter",
                "in: the detail of an event; on other lines the event, the process or the page that they are about",
            ),
            binding(&[Key::Backspace, Key::Esc], Action::Back, "", "one step back, to where the cursor was"),
        ],
    ),
    (
        "Filtering",
        &[
            binding(&[Key::Char('/')], Action::Filter, "/filter", "edit the filter"),
            binding(
                &[Key::Char('F')],
                Action::Filters,
                "F list",
                "the filters with the events that each has alone: Space on and off, a all, d deletes, e edits",
            ),
            binding(&[Key::Char('+')], Action::Include, "+", "only events with the value under the cursor"),
            binding(
                &[Key::Char('-')],
                Action::Exclude,
                "-",
                "only events without the value under the cursor",
            ),
            binding(
                &[Key::Char('c')],
                Action::Context,
                "",
                "0, 3 or 10 events around each that matches, dimmed",
            ),
            binding(&[Key::Char('C')], Action::ContextOf, "", "those events: of all, or of the same process"),
            binding(&[Key::Char('[')], Action::RangeFrom, "[", "nothing before the event under the cursor"),
            binding(&[Key::Char(']')], Action::RangeTo, "]", "nothing after the event under the cursor"),
            binding(&[Key::Char('\\')], Action::RangeAll, "", "the whole time again"),
            binding(
                &[Key::Ctrl('f')],
                Action::Search,
                "",
                "search in the lines as they are shown, without filtering",
            ),
            binding(&[Key::Char('n')], Action::NextHit, "", "the next line that was searched for"),
            binding(&[Key::Char('N')], Action::PreviousHit, "", "the one before"),
        ],
    ),
    (
        "Looking into it",
        &[
            binding(
                &[Key::Char('e')],
                Action::Explain,
                "e",
                "which filter of each scope let the event pass or stopped it",
            ),
            binding(&[Key::Char('u')], Action::Parent, "u", "go to the exec of the process's parent"),
            binding(&[Key::Char('t')], Action::Lineage, "t", "the lineage of the process"),
            binding(&[Key::Char('T')], Action::Tree, "T", "the process tree, with the process chosen"),
            binding(
                &[Key::Char('S')],
                Action::Story,
                "S",
                "the story of the event: what led to it, what came of it",
            ),
            binding(
                &[Key::Char('@')],
                Action::State,
                "@",
                "the host at the time of the event: processes, open files, sockets, mounts, containers",
            ),
            binding(&[Key::Char('D')], Action::Findings, "D", "what rules find in the capture, as scan does"),
            binding(
                &[Key::Char('v'), Key::F(2)],
                Action::Views,
                "v views",
                "sums of what is shown by process, file, peer and others; losses",
            ),
            binding(&[Key::Char('<')], Action::PreviousSort, "", "sort a view by the column before"),
            binding(
                &[Key::Char('>'), Key::Char('s')],
                Action::NextSort,
                "",
                "sort a view by the next column",
            ),
        ],
    ),
    (
        "Keeping it",
        &[
            binding(&[Key::Char('m')], Action::Mark, "", "mark the event with the letter that is typed next"),
            binding(
                &[Key::Char('\'')],
                Action::GoToMark,
                "",
                "go to the mark with the letter that is typed next",
            ),
            binding(&[Key::Char('b')], Action::Note, "b", "write a note on the event"),
            binding(&[Key::Char('B')], Action::Marks, "", "all marks and notes"),
            binding(
                &[Key::Char('Q')],
                Action::Queries,
                "",
                "the queries that the case keeps, to ask one; :query NAME keeps the present filters",
            ),
            binding(
                &[Key::Char('y')],
                Action::Copy,
                "y",
                "copy the line, the value, JSON, the path, the command line, or the replay command that shows the same",
            ),
            binding(&[Key::Char('w')], Action::Save, "w", "write what is shown into a file"),
        ],
    ),
    (
        "The screen",
        &[
            binding(
                &[Key::Char('f')],
                Action::Follow,
                "",
                "go on with a capture that is still being written",
            ),
            binding(
                &[Key::Char('i')],
                Action::Turn,
                "",
                "local time, UTC, time since the beginning; then numbers instead of names",
            ),
            binding(&[Key::Char('M')], Action::Mouse, "", "take the mouse, and give it back"),
            binding(&[Key::Ctrl('l')], Action::Redraw, "", "draw the screen anew"),
            binding(&[Key::Char('?'), Key::F(1)], Action::Help, "?", "this help"),
            binding(&[Key::Ctrl('z')], Action::Suspend, "", "stop, until the shell goes on with it"),
            binding(&[Key::Char('q'), Key::Ctrl('c')], Action::Quit, "q quit", "leave"),
        ],
    ),
];

pub fn bindings() -> impl Iterator<Item = &'static Binding> {
    GROUPS.iter().flat_map(|(_, bindings)| bindings.iter())
}

/// What a key does.
pub fn action(key: Key) -> Option<Action> {
    bindings().find(|it| it.keys.contains(&key)).map(|it| it.action)
}

impl Binding {
    /// `PgDn, Space, Ctrl+D`
    pub fn names(&self) -> String {
        self.keys.iter().map(Key::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// The tables of the documentation.
pub fn markdown() -> String {
    let mut text = String::new();
    for (title, bindings) in GROUPS {
        text.push_str(&format!("### {title}\n\n| key | does |\n|---|---|\n"));
        for binding in *bindings {
            let names: Vec<String> =
                binding.keys.iter().map(|key| format!("`{}`", key.to_string().replace('|', "\\|"))).collect();
            text.push_str(&format!("| {} | {} |\n", names.join(" "), binding.what));
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_means_one_thing() {
        let mut known = Vec::new();
        for key in bindings().flat_map(|it| it.keys) {
            assert!(!known.contains(key), "{key} is there twice");
            known.push(*key);
        }
    }

    #[test]
    fn the_documentation_has_the_keys_that_there_are() {
        let docs = include_str!("../../docs/ui.md");
        assert!(docs.contains(&markdown()), "docs/ui.md has other tables of keys; they are:\n{}", markdown());
    }
}
