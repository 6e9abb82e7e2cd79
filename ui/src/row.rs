//! A row of the table of events: cells that the cursor can stand on.

use views::Class;

use crate::answer::Anchor;
use crate::page::Field;

/// One event, as text.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Row {
    pub anchor: Anchor,
    /// Wall clock, ns since the epoch.
    pub wall_ns: i64,
    pub pid: u32,
    pub process_start_ns: u64,
    /// For notes: `openat` of `bash 510`.
    pub event: String,
    pub process: String,
    pub cells: Vec<Cell>,
    /// It stands beside what matches, and does not match itself.
    pub is_context: bool,
}

/// A value, with what filters call it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    /// Which column it stands in.
    pub column: usize,
    pub text: String,
    pub class: Class,
    pub field: Option<Field>,
}

impl Row {
    /// The line as it would be read aloud: cells with blanks between.
    pub fn line(&self) -> String {
        let texts: Vec<&str> = self.cells.iter().map(|cell| cell.text.as_str()).collect();
        texts.join(" ")
    }
}
