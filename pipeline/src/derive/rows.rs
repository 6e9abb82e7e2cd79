//! What was derived from the rows of a batch and matches: columns, as a block's rows are.
//!
//! ```text
//! derived row   base (a selected row)   scopes   marks   event               arguments
//! 0             17                      1        0       net_packet_tcp  --> columns of net_packet_tcp, row 0
//! 1             17                      1        0       net_packet_http --> columns of net_packet_http, row 0
//! 2             40                      3        0       net_packet_tcp  --> columns of net_packet_tcp, row 1
//! ```

use std::ops::Range;

use events::{Event, Marks, Raw};

use super::{Derived, Stored};
use crate::Args;

/// Derived rows, in order of the selected rows that they were derived from.
#[derive(Debug, Default)]
pub struct DerivedRows {
    /// Place of the base among the selected rows; rising.
    bases: Vec<u32>,
    scopes: Vec<u64>,
    marks: Vec<u32>,
    /// Which of `tables`, and which row of it.
    places: Vec<(u16, u32)>,
    tables: Vec<Table>,
    /// Of all values that are bytes.
    bytes: Vec<u8>,
}

/// The arguments of one derived event.
#[derive(Debug)]
struct Table {
    event: &'static Event,
    rows: u32,
    /// By position of the argument.
    columns: Vec<Vec<Stored>>,
}

/// One derived row.
#[derive(Clone, Copy, Debug)]
pub struct DerivedRow<'a> {
    /// Place of its base among the selected rows of the batch.
    pub base: usize,
    pub event: &'static Event,
    /// Scopes that see it.
    pub scopes: u64,
    pub marks: Marks,
    pub args: Args<'a>,
}

impl DerivedRows {
    pub fn len(&self) -> usize {
        self.bases.len()
    }

    pub fn is_empty(&self) -> bool {
        self.bases.is_empty()
    }

    /// The derived row with this number.
    pub fn get(&self, at: usize) -> Option<DerivedRow<'_>> {
        let (table, row) = *self.places.get(at)?;
        Some(DerivedRow {
            base: *self.bases.get(at)? as usize,
            event: self.tables.get(usize::from(table))?.event,
            scopes: *self.scopes.get(at)?,
            marks: Marks(*self.marks.get(at)?),
            args: Args::Derived { rows: self, table, row },
        })
    }

    /// The numbers of the rows that were derived from some of the selected rows.
    pub fn of(&self, bases: Range<usize>) -> Range<usize> {
        let before = |end: usize| self.bases.partition_point(|base| (*base as usize) < end);
        before(bases.start)..before(bases.end)
    }

    /// What was derived from a stretch of the selected rows, as if there were no others.
    pub(crate) fn part(&self, bases: Range<usize>) -> DerivedRows {
        let mut part = DerivedRows::default();
        for at in self.of(bases.clone()) {
            let (Some((table, row)), Some(base)) = (self.places.get(at).copied(), self.bases.get(at)) else {
                continue;
            };
            let Some(of) = self.tables.get(usize::from(table)) else { continue };
            let values = of.columns.iter().map(|column| column.get(row as usize).copied());
            let values = values.map(|stored| stored.unwrap_or(Stored::Missing));
            part.add(*base as usize - bases.start, of.event, values, &self.bytes);
            part.scopes.extend(self.scopes.get(at));
            part.marks.extend(self.marks.get(at));
        }
        part
    }

    /// The events of which there are rows, each once.
    pub fn events(&self) -> impl Iterator<Item = &'static Event> {
        self.tables.iter().map(|table| table.event)
    }

    /// The column of an argument, of all derived rows of an event; `None` of an event that is not there.
    pub fn column(&self, event: &Event, position: usize) -> Option<impl ExactSizeIterator<Item = Raw<'_>>> {
        let table = self.tables.iter().find(|table| table.event.id == event.id)?;
        Some(table.columns.get(position)?.iter().map(|stored| stored.raw(&self.bytes)))
    }

    pub(crate) fn value(&self, table: u16, row: u32, position: usize) -> Raw<'_> {
        let table = self.tables.get(usize::from(table));
        let stored = table.and_then(|table| table.columns.get(position)?.get(row as usize));
        stored.map_or(Raw::Missing, |stored| stored.raw(&self.bytes))
    }

    /// About how many bytes it takes.
    pub(crate) fn memory(&self) -> usize {
        let values = self.tables.iter().map(|table| table.rows as usize * table.columns.len());
        self.bytes.len() + self.bases.len() * 24 + values.sum::<usize>() * size_of::<Stored>()
    }

    /// Adds what was computed from a base, by its index there. `base`: its place among the selected rows.
    pub(crate) fn push(&mut self, base: usize, computed: &Derived, index: usize, scopes: u64, marks: Marks) {
        let Some(slot) = computed.events.get(index) else { return };
        self.add(base, slot.event, slot.values.iter().copied(), &computed.bytes);
        self.scopes.push(scopes);
        self.marks.push(marks.0);
    }

    /// Adds a row by its values.
    pub(crate) fn push_values(
        &mut self,
        base: usize,
        event: &'static Event,
        scopes: u64,
        marks: Marks,
        values: &[Raw<'_>],
    ) {
        let mut bytes = Vec::new();
        let stored: Vec<Stored> = values
            .iter()
            .map(|value| match value {
                Raw::Missing => Stored::Missing,
                Raw::Number(number) => Stored::Number(*number),
                Raw::Bytes(value) => {
                    let start = bytes.len();
                    bytes.extend_from_slice(value);
                    Stored::Bytes { start, end: bytes.len() }
                }
            })
            .collect();
        self.add(base, event, stored.into_iter(), &bytes);
        self.scopes.push(scopes);
        self.marks.push(marks.0);
    }

    /// `bytes`: what values that are bytes point into.
    fn add(
        &mut self,
        base: usize,
        event: &'static Event,
        values: impl Iterator<Item = Stored>,
        bytes: &[u8],
    ) {
        let known = self.tables.iter().position(|table| table.event.id == event.id);
        let at = known.unwrap_or(self.tables.len());
        if known.is_none() {
            let columns = event.args.iter().map(|_| Vec::new()).collect();
            self.tables.push(Table { event, rows: 0, columns });
        }
        let Some(table) = self.tables.get_mut(at) else { return };
        for (column, stored) in table.columns.iter_mut().zip(values) {
            column.push(match stored {
                Stored::Bytes { start, end } => {
                    let from = self.bytes.len();
                    self.bytes.extend_from_slice(bytes.get(start..end).unwrap_or_default());
                    Stored::Bytes { start: from, end: self.bytes.len() }
                }
                stored => stored,
            });
        }
        self.bases.push(base as u32);
        self.places.push((at as u16, table.rows));
        table.rows += 1;
    }
}
