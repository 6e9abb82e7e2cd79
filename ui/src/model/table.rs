//! The rows that are at hand, and which of them is chosen. The cursor is on an event, whatever its number is by now.

use std::ops::Range;

use crate::answer::Anchor;
use crate::message::Rows;
use crate::row::Row;

#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Of the question that they answer.
    pub version: u64,
    pub rows: Vec<Row>,
    pub cursor: usize,
    pub top: usize,
    /// Which cell of the row.
    pub cell: usize,
    /// Numbers of the first and behind the last of the rows in the answer.
    pub numbers: Range<u64>,
    /// Where whoever looks has gone themselves: when a filter takes it away, the cursor is beside it until it comes back.
    pub home: Option<Anchor>,
}

impl Table {
    pub fn row(&self) -> Option<&Row> {
        self.rows.get(self.cursor)
    }

    /// The number of the chosen row in the answer, from 0; nearly, with context around.
    pub fn number(&self) -> u64 {
        let before = self.rows.iter().take(self.cursor).filter(|row| !row.is_context).count();
        self.numbers.start + before as u64
    }

    /// Takes what was read. The chosen row stays where it is on the screen.
    pub fn take(&mut self, rows: Rows, height: usize) {
        let offset = self.cursor.saturating_sub(self.top);
        self.version = rows.version;
        self.rows = rows.rows;
        self.cursor = rows.cursor;
        self.numbers = rows.numbers;
        self.top = self.cursor.saturating_sub(offset);
        self.show(height);
    }

    pub fn clear(&mut self, version: u64) {
        *self = Table { version, home: self.home, cell: self.cell, ..Table::default() };
    }

    /// Keeps the cursor on the screen, and the screen full.
    pub fn show(&mut self, height: usize) {
        let height = height.max(1);
        self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
        self.top = self.top.min(self.rows.len().saturating_sub(height));
        self.top = self.top.clamp((self.cursor + 1).saturating_sub(height), self.cursor);
        let cells = self.row().map_or(0, |row| row.cells.len());
        self.cell = self.cell.min(cells.saturating_sub(1));
    }

    /// Moves, as far as rows are at hand; returns what is left to go.
    pub fn go(&mut self, by: i64, height: usize) -> i64 {
        let wanted = (self.cursor as i64).saturating_add(by);
        let reached = wanted.clamp(0, self.rows.len().saturating_sub(1) as i64);
        self.cursor = reached as usize;
        // A whole screen turns like a page; a line moves the cursor alone.
        if by.unsigned_abs() as usize >= (height / 2).max(2) {
            self.top = (self.top as i64 + by).max(0) as usize;
        }
        self.show(height);
        wanted - reached
    }

    /// Whether rows beyond those at hand will be wanted soon.
    pub fn is_short(&self, found: u64, height: usize) -> bool {
        let before = self.cursor < height && self.numbers.start > 0;
        let after =
            self.rows.len() - self.cursor.min(self.rows.len()) < 2 * height && self.numbers.end < found;
        before || after
    }
}
