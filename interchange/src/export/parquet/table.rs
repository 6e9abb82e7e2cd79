//! The writer of the table: takes rows, gathers them column by column, and writes a row group when there are enough.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::row::{self, Cell};
use super::schema::{COLUMNS, Column, Kind, leaf, message};

/// Rows of a group: what engines read at once.
const GROUP_ROWS: usize = 131_072;
/// A group of long rows ends before that: what the writer holds is bounded by it, and one column of it once more.
const GROUP_BYTES: usize = 64 << 20;
/// The level that sizes were measured with.
const ZSTD_LEVEL: i32 = 3;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("the table's schema or options: {0}")]
    Format(#[from] parquet::errors::ParquetError),
    #[error("a row of the table does not read")]
    Row,
}

impl Error {
    /// What went wrong outside of the table: opening or closing a file.
    pub fn from_external(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Format(parquet::errors::ParquetError::External(error.into()))
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        match error {
            // A full disk is told as one.
            Error::Format(parquet::errors::ParquetError::External(inner)) => {
                match inner.downcast::<io::Error>() {
                    Ok(error) => *error,
                    Err(other) => io::Error::other(other),
                }
            }
            other => io::Error::other(other),
        }
    }
}

/// The cells of one column in a group.
#[derive(Debug, Default)]
struct Cells {
    ints: Vec<i64>,
    /// Texts, one behind the other, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
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
    fn texts(&mut self) -> Vec<ByteArray> {
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

/// A table in one file.
pub struct Table<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Cells>,
    rows: usize,
    bytes: usize,
    /// Rows of the groups before.
    written: i64,
    /// A row whose end has not come yet.
    begun: Vec<u8>,
}

impl<W: Write + Send> std::fmt::Debug for Table<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table")
            .field("rows", &self.rows)
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> Table<W> {
    /// `facts` stand in the file's own metadata by their keys.
    pub fn new(out: W, facts: &[(String, String)]) -> Result<Table<W>, Error> {
        let schema = Arc::new(parse_message_type(&message())?);
        let facts = facts.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_created_by(concat!("tracer ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_sorting_columns(Some(vec![SortingColumn {
                column_idx: 0,
                descending: false,
                nulls_first: false,
            }]))
            .set_key_value_metadata(Some(facts));
        for column in COLUMNS.iter().filter(|column| column.has_bloom) {
            properties = properties.set_column_bloom_filter_enabled(ColumnPath::new(leaf(column)), true);
        }
        Ok(Table {
            writer: SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?,
            columns: COLUMNS.iter().map(|_| Cells::default()).collect(),
            rows: 0,
            bytes: 0,
            written: 0,
            begun: Vec::new(),
        })
    }

    /// Takes rows as [`row`] writes them; the last may go on in the next piece.
    pub fn rows(&mut self, piece: &[u8]) -> Result<(), Error> {
        let mut begun = std::mem::take(&mut self.begun);
        row::each(&mut begun, piece, |row| self.row(row))?;
        self.begun = begun;
        Ok(())
    }

    /// Takes one row, without its length.
    pub(super) fn row(&mut self, mut row: &[u8]) -> Result<(), Error> {
        self.bytes += row.len();
        for (at, (column, cells)) in COLUMNS.iter().zip(&mut self.columns).enumerate() {
            let cell = row::cell(at, &mut row).ok_or(Error::Row)?;
            let cell =
                if column.name == "seq" { Cell::Int(self.written + self.rows as i64 + 1) } else { cell };
            cells.push(column, cell)?;
        }
        self.rows += 1;
        if self.rows >= GROUP_ROWS || self.bytes >= GROUP_BYTES {
            self.group()?;
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), Error> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let mut columns = COLUMNS.iter().zip(&mut self.columns);
        while let Some(mut writer) = group.next_column()? {
            let Some((column, cells)) = columns.next() else { break };
            let mut cells = std::mem::take(cells);
            let texts = cells.texts();
            let is_list = matches!(column.kind, Kind::Texts | Kind::Ints);
            let definition = (is_list || !column.is_required).then_some(&cells.definition[..]);
            let repetition = is_list.then_some(&cells.repetition[..]);
            match column.kind {
                Kind::Time | Kind::Int => {
                    writer.typed::<Int64Type>().write_batch(&cells.ints, definition, None)?;
                }
                Kind::Ints => {
                    let numbers: Vec<i32> = cells.ints.iter().map(|number| *number as i32).collect();
                    writer.typed::<Int32Type>().write_batch(&numbers, definition, repetition)?;
                }
                Kind::Text | Kind::Texts => {
                    writer.typed::<ByteArrayType>().write_batch(&texts, definition, repetition)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
        self.written += self.rows as i64;
        (self.rows, self.bytes) = (0, 0);
        Ok(())
    }

    /// Writes what is left and the footer, and gives back what was written into.
    pub fn finish(mut self) -> Result<W, Error> {
        if !self.begun.is_empty() {
            return Err(Error::Row);
        }
        self.group()?;
        Ok(self.writer.into_inner()?)
    }
}
