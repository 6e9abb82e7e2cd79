//! The rows of an event that pass a sieve: each distinct value of its column is judged once.

use events::Raw;
use format::{Block, ColumnView, MISSING, NUMBER};

use super::Sieve;

/// By the row's number among those of its event; empty where none passes.
#[derive(Clone, Debug, Default)]
pub struct Passing(Vec<bool>);

impl Passing {
    pub fn of(block: &Block, code: u16, sieve: Sieve) -> format::Result<Passing> {
        let table = block.args(code);
        let passes = sieve.passes;
        let rows = match table.column(sieve.position)? {
            ColumnView::Missing { rows } => vec![passes(Raw::Missing); rows],
            ColumnView::Constant { number, rows } => vec![passes(Raw::Number(number)); rows],
            ColumnView::Numbers { values, missing } => {
                let is_missing = |row: usize| missing.get(row).copied().unwrap_or(false);
                let raw = |(row, number): (usize, &u64)| {
                    if is_missing(row) { Raw::Missing } else { Raw::Number(*number) }
                };
                values.iter().enumerate().map(raw).map(passes).collect()
            }
            ColumnView::Bytes { rows, dictionary, codes } => {
                let texts: Vec<bool> = dictionary.iter().map(|text| passes(Raw::Bytes(text))).collect();
                let missing = passes(Raw::Missing);
                if !missing && !texts.contains(&true) {
                    return Ok(Passing::default());
                }
                let of_code = |code: &u32| texts.get(*code as usize).copied().unwrap_or(missing);
                // Without codes all rows have the one text.
                if codes.is_empty() { vec![of_code(&0); rows] } else { codes.iter().map(of_code).collect() }
            }
            ColumnView::Mixed { values, dictionary, codes } => {
                let texts: Vec<bool> = dictionary.iter().map(|text| passes(Raw::Bytes(text))).collect();
                let of_row = |(row, code): (usize, &u32)| match *code {
                    MISSING => passes(Raw::Missing),
                    NUMBER => passes(values.get(row).map_or(Raw::Missing, |number| Raw::Number(*number))),
                    code => texts.get(code as usize).copied().unwrap_or_default(),
                };
                codes.iter().enumerate().map(of_row).collect()
            }
        };
        Ok(if rows.contains(&true) { Passing(rows) } else { Passing::default() })
    }

    pub fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    pub fn has(&self, ordinal: usize) -> bool {
        self.0.get(ordinal).copied().unwrap_or_default()
    }

    /// Rows that pass one of two sieves.
    pub fn or(self, other: Passing) -> Passing {
        if self.0.is_empty() {
            return other;
        }
        let is_other = |row: usize| other.0.get(row).copied().unwrap_or_default();
        Passing(self.0.iter().enumerate().map(|(row, passes)| *passes || is_other(row)).collect())
    }
}
