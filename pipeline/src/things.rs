//! What rows of one event in one block name, wherever they name it: `file` and `peer`. Each distinct value is judged once,
//! and so is each distinct pair where two arguments say one thing (a path and its directory, an address and its port).

use events::{EventId, Raw};
use format::{Block, ColumnView, MISSING, NUMBER};
use hashbrown::HashMap;
use scopes::words::Words;
use scopes::{Place, Plan, ThingKey};

/// One key over the columns of one block.
#[derive(Debug)]
pub(crate) struct ThingPredicate<'a> {
    key: &'a ThingKey,
    places: Vec<PlacePredicate<'a>>,
}

#[derive(Debug)]
struct PlacePredicate<'a> {
    place: Place,
    column: ColumnView<'a>,
    other: Option<ColumnView<'a>>,
    last: Option<((Cell, Cell), Words)>,
    known: HashMap<(Cell, Cell), Words>,
}

/// A value of a column: equal cells are equal values.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Cell {
    Missing,
    Number(u64),
    Code(u32),
}

/// Distinct values that are remembered: numbers may all be different.
const MOST_KNOWN: usize = 1 << 16;

impl<'a> ThingPredicate<'a> {
    /// Those of an event, by its code in the block.
    pub fn all(
        plan: &'a Plan,
        block: &'a Block,
        code: u16,
        event: EventId,
    ) -> format::Result<Vec<ThingPredicate<'a>>> {
        let keys = plan.things(event);
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let table = block.args(code);
        let of_place = |place: &Place| {
            let (position, other) = place.positions();
            let other = other.map(|position| table.column(position)).transpose()?;
            let column = table.column(position)?;
            Ok(PlacePredicate { place: *place, column, other, last: None, known: HashMap::new() })
        };
        let of_key = |key: &'a ThingKey| {
            let places = key.places().iter().map(of_place).collect::<format::Result<_>>()?;
            Ok(ThingPredicate { key, places })
        };
        keys.iter().map(of_key).collect()
    }

    /// The scopes that a row lets pass. `ordinal`: its number among the rows of its event.
    pub fn mask(&mut self, ordinal: usize) -> u64 {
        let mut words = Words::default();
        for place in &mut self.places {
            words.add(place.words(self.key, ordinal));
        }
        self.key.close(words)
    }
}

impl PlacePredicate<'_> {
    fn words(&mut self, key: &ThingKey, ordinal: usize) -> Words {
        let cells =
            (cell(&self.column, ordinal), self.other.map_or(Cell::Missing, |other| cell(&other, ordinal)));
        if let Some((last, words)) = self.last
            && last == cells
        {
            return words;
        }
        let words = match self.known.get(&cells) {
            Some(words) => *words,
            None => {
                let other = self.other.map_or(Raw::Missing, |other| raw(&other, cells.1));
                let words = key.words(self.place, raw(&self.column, cells.0), other);
                if self.known.len() < MOST_KNOWN {
                    self.known.insert(cells, words);
                }
                words
            }
        };
        self.last = Some((cells, words));
        words
    }
}

fn cell(column: &ColumnView<'_>, ordinal: usize) -> Cell {
    match column {
        ColumnView::Missing { .. } => Cell::Missing,
        ColumnView::Constant { rows, number } if ordinal < *rows => Cell::Number(*number),
        ColumnView::Constant { .. } => Cell::Missing,
        ColumnView::Numbers { values, missing } => match values.get(ordinal) {
            Some(number) if !missing.get(ordinal).copied().unwrap_or(false) => Cell::Number(*number),
            _ => Cell::Missing,
        },
        ColumnView::Bytes { rows, codes, .. } => match codes.get(ordinal) {
            Some(&MISSING) => Cell::Missing,
            Some(code) => Cell::Code(*code),
            None if codes.is_empty() && ordinal < *rows => Cell::Code(0),
            None => Cell::Missing,
        },
        ColumnView::Mixed { values, codes, .. } => match codes.get(ordinal) {
            Some(&NUMBER) => values.get(ordinal).map_or(Cell::Missing, |number| Cell::Number(*number)),
            Some(&MISSING) | None => Cell::Missing,
            Some(code) => Cell::Code(*code),
        },
    }
}

fn raw<'c>(column: &ColumnView<'c>, cell: Cell) -> Raw<'c> {
    match (cell, column) {
        (Cell::Missing, _) => Raw::Missing,
        (Cell::Number(number), _) => Raw::Number(number),
        (Cell::Code(code), ColumnView::Bytes { dictionary, .. } | ColumnView::Mixed { dictionary, .. }) => {
            dictionary.get(code).map_or(Raw::Missing, Raw::Bytes)
        }
        (Cell::Code(_), _) => Raw::Missing,
    }
}
