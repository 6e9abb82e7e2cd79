//! The same table as arrays of Arrow: a stream of its IPC format, a batch a group of rows, for programs that read a pipe; and
//! columns of it for engines.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use arrow_array::TimestampNanosecondArray;
use arrow_array::{Array, ArrayRef, Int32Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc::writer::StreamWriter;
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};

use pipeline::EventView;

use super::cells::{Cells, Rows};
use super::row;
use super::schema::{COLUMNS, Column, Kind, Wanted};
use super::table::Error;
use super::{Parquet, Writes};

/// A stream, as it is written.
pub struct Stream<W: Write> {
    writer: StreamWriter<W>,
    schema: SchemaRef,
    rows: Rows,
}

impl<W: Write> std::fmt::Debug for Stream<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<W: Write> Stream<W> {
    /// `facts` stand in the schema's metadata by their keys.
    pub fn new(out: W, facts: &[(String, String)]) -> Result<Stream<W>, Error> {
        let facts: HashMap<String, String> = facts.iter().cloned().collect();
        let schema = Arc::new(arrow_schema().as_ref().clone().with_metadata(facts));
        Ok(Stream { writer: StreamWriter::try_new(out, &schema)?, schema, rows: Rows::default() })
    }

    /// Takes rows as [`super::row`] writes them; the last may go on in the next piece.
    pub fn rows(&mut self, piece: &[u8]) -> Result<(), Error> {
        let mut begun = std::mem::take(&mut self.rows.begun);
        row::each(&mut begun, piece, |row| if self.rows.push(row)? { self.batch() } else { Ok(()) })?;
        self.rows.begun = begun;
        Ok(())
    }

    fn batch(&mut self) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let cells = self.rows.take();
        let columns = COLUMNS.iter().zip(cells).map(|(column, cells)| array(column, cells));
        let columns = columns.collect::<Result<Vec<ArrayRef>, Error>>()?;
        self.writer.write(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)?;
        Ok(())
    }

    /// Writes what is left and the stream's end, and gives back what was written into.
    pub fn finish(mut self) -> Result<W, Error> {
        self.rows.is_whole()?;
        self.batch()?;
        self.writer.finish()?;
        Ok(self.writer.into_inner()?)
    }
}

/// The columns of the table.
pub fn arrow_schema() -> SchemaRef {
    Arc::new(Schema::new(COLUMNS.iter().map(field).collect::<Vec<_>>()))
}

/// Some columns of the table, of events that are handed over one by one: for engines that read captures themselves.
#[derive(Debug)]
pub struct Batches {
    columns: Vec<usize>,
    writer: Parquet,
    rows: Rows,
    row: Vec<u8>,
}

impl Batches {
    /// `columns`: positions in [`arrow_schema`], in the order in which arrays are wanted.
    pub fn new(columns: &[usize]) -> Batches {
        let wanted = Wanted::of(columns);
        let writer = Parquet { wanted, ..Parquet::default() };
        Batches { columns: columns.to_vec(), writer, rows: Rows::of(wanted), row: Vec::new() }
    }

    /// Adds a row. The event needs what [`super::projection`] says of the columns.
    pub fn event(&mut self, event: &EventView<'_>) -> Result<(), Error> {
        self.row.clear();
        self.writer.event(event, &mut self.row);
        // Its length stands before it.
        self.rows.push(self.row.get(4..).unwrap_or_default())?;
        Ok(())
    }

    /// The columns of the rows so far, of which none is left.
    pub fn take(&mut self) -> Result<Vec<ArrayRef>, Error> {
        let mut cells = self.rows.take();
        let of = |column: &usize| {
            let cells = cells.get_mut(*column).map(std::mem::take).ok_or(Error::Row)?;
            array(COLUMNS.get(*column).ok_or(Error::Row)?, cells)
        };
        self.columns.iter().map(of).collect()
    }
}

fn field(column: &Column) -> Field {
    let list = |kind| DataType::List(Arc::new(Field::new("element", kind, false)));
    let kind = match column.kind {
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        Kind::Int => DataType::Int64,
        Kind::Text => DataType::Utf8,
        Kind::Texts => list(DataType::Utf8),
        Kind::Ints => list(DataType::Int32),
    };
    Field::new(column.name, kind, !column.is_required)
}

fn array(column: &Column, cells: Cells) -> Result<ArrayRef, Error> {
    let is_there: Vec<bool> = cells.definition.iter().map(|level| column.is_required || *level > 0).collect();
    Ok(match column.kind {
        Kind::Time => Arc::new(TimestampNanosecondArray::from(cells.ints).with_timezone("UTC")),
        Kind::Int => {
            let mut ints = cells.ints.into_iter();
            Arc::new(
                is_there.into_iter().map(|is| if is { ints.next() } else { None }).collect::<Int64Array>(),
            )
        }
        Kind::Text => {
            let texts = texts(&cells)?;
            let mut texts = texts.into_iter();
            Arc::new(
                is_there.into_iter().map(|is| if is { texts.next() } else { None }).collect::<StringArray>(),
            )
        }
        Kind::Texts | Kind::Ints => list(column, &cells)?,
    })
}

/// The texts of a column; what stands between the threads is UTF-8.
fn texts(cells: &Cells) -> Result<Vec<&str>, Error> {
    let mut start = 0;
    let part = |end: &usize| {
        let text = cells.bytes.get(start..*end).and_then(|text| std::str::from_utf8(text).ok());
        start = *end;
        text.ok_or(Error::Row)
    };
    cells.ends.iter().map(part).collect()
}

fn list(column: &Column, cells: &Cells) -> Result<ArrayRef, Error> {
    // A list that is there and empty is one level below its first element.
    let element = if column.is_required { 1 } else { 2 };
    let (mut offsets, mut is_there, mut end) = (vec![0i32], Vec::new(), 0i32);
    for (definition, repetition) in cells.definition.iter().zip(&cells.repetition) {
        if *repetition == 0 {
            if !is_there.is_empty() {
                offsets.push(end);
            }
            is_there.push(column.is_required || *definition > 0);
        }
        end += i32::from(*definition == element);
    }
    if !is_there.is_empty() {
        offsets.push(end);
    }
    let (kind, values): (DataType, Arc<dyn Array>) = match column.kind {
        Kind::Texts => (DataType::Utf8, Arc::new(StringArray::from(texts(cells)?))),
        _ => {
            let numbers: Vec<i32> = cells.ints.iter().map(|number| *number as i32).collect();
            (DataType::Int32, Arc::new(Int32Array::from(numbers)))
        }
    };
    let nulls = (!column.is_required).then(|| NullBuffer::from(is_there));
    let element = Arc::new(Field::new("element", kind, false));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let list = ListArray::try_new(element, offsets, values, nulls)?;
    Ok(Arc::new(list))
}
