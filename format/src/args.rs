//! The arguments of one event's rows in a block.

use events::{EventId, Raw};

use crate::archive::key;
use crate::{Block, Result};

/// In codes of bytes: the row has no value.
pub const MISSING: u32 = u32::MAX;
/// In codes of a mixed column: the row's value is a number.
pub const NUMBER: u32 = u32::MAX - 1;

/// The arguments of all rows of one event in a block. Rows are counted from 0 among the rows of that event: the row's
/// `ordinal`.
#[derive(Clone, Copy, Debug)]
pub struct ArgTable<'a> {
    pub(crate) block: &'a Block,
    pub(crate) code: u16,
    pub(crate) rows: usize,
}

/// One argument over all rows of an event.
#[derive(Clone, Copy, Debug)]
pub enum ColumnView<'a> {
    /// No row has a value.
    Missing { rows: usize },
    /// Every row has the same number.
    Constant { rows: usize, number: u64 },
    /// A number each. `missing` is empty when every row has one, and otherwise has a `true` where there is none.
    Numbers { values: &'a [u64], missing: &'a [bool] },
    /// Bytes each: `dictionary[code]`, or [`MISSING`]. An empty `codes` stands for code 0 in all `rows`.
    Bytes { rows: usize, dictionary: &'a Dictionary, codes: &'a [u32] },
    /// Both: where the code is [`NUMBER`], the number stands in `values`.
    Mixed { values: &'a [u64], dictionary: &'a Dictionary, codes: &'a [u32] },
}

/// Distinct byte strings, each with a code from 0.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Dictionary {
    pub(crate) bytes: Vec<u8>,
    /// Where each ends in `bytes`.
    pub(crate) ends: Vec<u32>,
}

impl Dictionary {
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    pub fn get(&self, code: u32) -> Option<&[u8]> {
        let at = code as usize;
        let end = *self.ends.get(at)? as usize;
        let start = match at {
            0 => 0,
            _ => *self.ends.get(at - 1)? as usize,
        };
        self.bytes.get(start..end)
    }

    /// All of them, one after the other, and where each ends.
    pub fn parts(&self) -> (&[u8], &[u32]) {
        (&self.bytes, &self.ends)
    }

    /// By code.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len() as u32).filter_map(|code| self.get(code))
    }
}

impl<'a> ColumnView<'a> {
    pub fn rows(&self) -> usize {
        match self {
            ColumnView::Missing { rows }
            | ColumnView::Constant { rows, .. }
            | ColumnView::Bytes { rows, .. } => *rows,
            ColumnView::Numbers { values, .. } => values.len(),
            ColumnView::Mixed { codes, .. } => codes.len(),
        }
    }

    /// The value of a row; missing beyond the last.
    pub fn get(&self, ordinal: usize) -> Raw<'a> {
        match *self {
            ColumnView::Missing { .. } => Raw::Missing,
            ColumnView::Constant { rows, number } if ordinal < rows => Raw::Number(number),
            ColumnView::Constant { .. } => Raw::Missing,
            ColumnView::Numbers { values, missing } => match values.get(ordinal) {
                Some(number) if !missing.get(ordinal).copied().unwrap_or(false) => Raw::Number(*number),
                _ => Raw::Missing,
            },
            ColumnView::Bytes { rows, dictionary, codes } => {
                let code = match codes.get(ordinal) {
                    Some(code) => *code,
                    None if codes.is_empty() && ordinal < rows => 0,
                    None => return Raw::Missing,
                };
                dictionary.get(code).map_or(Raw::Missing, Raw::Bytes)
            }
            ColumnView::Mixed { values, dictionary, codes } => match codes.get(ordinal) {
                Some(&NUMBER) => values.get(ordinal).map_or(Raw::Missing, |n| Raw::Number(*n)),
                Some(&code) => dictionary.get(code).map_or(Raw::Missing, Raw::Bytes),
                None => Raw::Missing,
            },
        }
    }
}

impl<'a> ArgTable<'a> {
    /// By the program's catalogue, or its declaration of an event of the file that it does not know.
    pub fn event(&self) -> EventId {
        self.block.event_list().get(self.code as usize).copied().unwrap_or(EventId(u16::MAX))
    }

    /// Rows of this event in the block.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// An argument by its position in the program's declaration, decoded when first asked for. Missing when the file's
    /// event has no argument of that name.
    pub fn column(&self, position: usize) -> Result<ColumnView<'a>> {
        let file = self.block.file_event(self.code).and_then(|event| *event.positions.get(position)?);
        match file {
            Some(position) => self.block.event_column(self.code, u32::from(position)),
            None => Ok(ColumnView::Missing { rows: self.rows }),
        }
    }

    /// Return values, as 64 bits.
    pub fn rets(&self) -> Result<ColumnView<'a>> {
        self.block.event_column(self.code, key::RET)
    }

    /// Recorded scopes.
    pub fn scopes(&self) -> Result<ColumnView<'a>> {
        self.block.event_column(self.code, key::SCOPES)
    }

    /// [`events::Marks`].
    pub fn marks(&self) -> Result<ColumnView<'a>> {
        self.block.event_column(self.code, key::MARKS)
    }

    pub fn get(&self, ordinal: usize, position: usize) -> Result<Raw<'a>> {
        Ok(self.column(position)?.get(ordinal))
    }
}
