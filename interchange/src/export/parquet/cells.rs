//! Rows that are gathered column by column, until there are enough for a group.

use parquet::data_type::ByteArray;

use super::Error;
use super::row::{self, Cell};
use super::schema::{COLUMNS, Column, Kind, Wanted};

/// Rows of a group: what engines read at once.
const GROUP_ROWS: usize = 131_072;
/// A group of long rows ends before that: what the writer holds is bounded by it, and one column of it once more.
const GROUP_BYTES: usize = 64 << 20;

/// The cells of one column in a group.
#[derive(Debug, Default)]
pub struct Cells {
    pub ints: Vec<i64>,
    /// Texts, one behind the other, and where each ends.
    pub bytes: Vec<u8>,
    pub ends: Vec<usize>,
    /// How much of each there is: see [`Column`]; a list has one for each of its elements, at least one.
    pub definition: Vec<i16>,
    /// 0 where a list begins.
    pub repetition: Vec<i16>,
}

impl Cells {
    fn push(&mut self, column: &Column, cell: Cell<'_>) -> Result<(), Error> {
        let present = i16::from(!column.is_required);
        match (column.kind, cell) {
            (_, Cell::Nothing) if !column.is_required => {
                self.definition.push(0);
                self.repetition.push(0);
            }
            (Kind::Time | Kind::Int, Cell::Int(number)) => {
                self.ints.push(number);
                self.definition.push(present);
            }
            (Kind::Text, Cell::Text(text)) => {
                self.text(text);
                self.definition.push(present);
            }
            // A list that is there and empty is one level below its first element.
            (Kind::Texts | Kind::Ints, Cell::List(0, _)) => {
                self.definition.push(present);
                self.repetition.push(0);
            }
            (Kind::Texts, Cell::List(_, list)) => {
                for (at, text) in row::strings(list).enumerate() {
                    self.text(text);
                    self.element(present, at);
                }
            }
            (Kind::Ints, Cell::List(_, list)) => {
                for (at, number) in row::numbers(list).enumerate() {
                    self.ints.push(number.into());
                    self.element(present, at);
                }
            }
            _ => return Err(Error::Row),
        }
        Ok(())
    }

    fn element(&mut self, present: i16, at: usize) {
        self.definition.push(present + 1);
        self.repetition.push(i16::from(at > 0));
    }

    fn text(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    /// The texts as the writer takes them: parts of one piece of memory.
    pub fn texts(&mut self) -> Vec<ByteArray> {
        let all = ByteArray::from(std::mem::take(&mut self.bytes));
        let mut start = 0;
        let ends = std::mem::take(&mut self.ends);
        let part = |end: usize| {
            let text = all.slice(start, end - start);
            start = end;
            text
        };
        ends.into_iter().map(part).collect()
    }
}

/// The rows of a group that is not written yet.
#[derive(Debug)]
pub struct Rows {
    columns: Vec<Cells>,
    rows: usize,
    bytes: usize,
    /// Rows of the groups before.
    written: i64,
    /// A row whose end has not come yet.
    pub begun: Vec<u8>,
    wanted: Wanted,
}

impl Default for Rows {
    fn default() -> Rows {
        let columns = COLUMNS.iter().map(|_| Cells::default()).collect();
        Rows { columns, rows: 0, bytes: 0, written: 0, begun: Vec::new(), wanted: Wanted::ALL }
    }
}

impl Rows {
    /// Rows of which these columns alone are gathered.
    pub fn of(wanted: Wanted) -> Rows {
        Rows { wanted, ..Rows::default() }
    }

    /// Takes one row, without its length; whether the group is large enough.
    pub fn push(&mut self, mut row: &[u8]) -> Result<bool, Error> {
        self.bytes += row.len();
        for (at, (column, cells)) in COLUMNS.iter().zip(&mut self.columns).enumerate() {
            let cell = row::cell(at, &mut row).ok_or(Error::Row)?;
            if !self.wanted.has(at) {
                continue;
            }
            let cell =
                if column.name == "seq" { Cell::Int(self.written + self.rows as i64 + 1) } else { cell };
            cells.push(column, cell)?;
        }
        self.rows += 1;
        Ok(self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES)
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The columns of the group; the next one begins.
    pub fn take(&mut self) -> Vec<Cells> {
        self.written += self.rows as i64;
        (self.rows, self.bytes) = (0, 0);
        std::mem::replace(&mut self.columns, COLUMNS.iter().map(|_| Cells::default()).collect())
    }

    /// An error where a row began and did not end.
    pub fn is_whole(&self) -> Result<(), Error> {
        if self.begun.is_empty() { Ok(()) } else { Err(Error::Row) }
    }
}
