//! The writer of the table: takes rows, gathers them column by column, and writes a row group when there are enough.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArrayType, Int32Type, Int64Type};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::cells::Rows;
use super::row;
use super::schema::{COLUMNS, Kind, leaf, message};

/// The level that sizes were measured with.
const ZSTD_LEVEL: i32 = 3;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("the table's schema or options: {0}")]
    Format(#[from] parquet::errors::ParquetError),
    #[error("the stream: {0}")]
    Stream(#[from] arrow_schema::ArrowError),
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
            Error::Stream(arrow_schema::ArrowError::IoError(_, error)) => error,
            other => io::Error::other(other),
        }
    }
}

/// A table in one file.
pub struct Table<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    rows: Rows,
}

impl<W: Write + Send> std::fmt::Debug for Table<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("rows", &self.rows).finish_non_exhaustive()
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
            rows: Rows::default(),
        })
    }

    /// Takes rows as [`super::row`] writes them; the last may go on in the next piece.
    pub fn rows(&mut self, piece: &[u8]) -> Result<(), Error> {
        let mut begun = std::mem::take(&mut self.rows.begun);
        row::each(&mut begun, piece, |row| self.row(row))?;
        self.rows.begun = begun;
        Ok(())
    }

    /// Takes one row, without its length.
    pub(super) fn row(&mut self, row: &[u8]) -> Result<(), Error> {
        if self.rows.push(row)? { self.group() } else { Ok(()) }
    }

    fn group(&mut self) -> Result<(), Error> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let mut columns = COLUMNS.iter().zip(self.rows.take());
        while let Some(mut writer) = group.next_column()? {
            let Some((column, mut cells)) = columns.next() else { break };
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
        Ok(())
    }

    /// Writes what is left and the footer, and gives back what was written into.
    pub fn finish(mut self) -> Result<W, Error> {
        self.rows.is_whole()?;
        self.group()?;
        Ok(self.writer.into_inner()?)
    }
}
