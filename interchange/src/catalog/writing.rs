//! Writes a catalogue, a group of rows at a time.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use events::catalogue;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use parquet::schema::types::ColumnPath;

use super::columns::{COLUMNS, Cell, Kind, message};
use super::{EVENTS_KEY, Error, Row, VERSION, VERSION_KEY};

/// Rows of a group.
const GROUP_ROWS: usize = 8192;
/// A group with so many bytes of statistics ends before that: what a writer holds is bounded by it.
const GROUP_BYTES: usize = 16 << 20;
const ZSTD_LEVEL: i32 = 3;

/// A catalogue that is being written. The same rows give the same bytes.
pub struct Writer<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    /// Of the group that is not written yet.
    rows: Vec<Row>,
    bytes: usize,
}

impl<W: Write + Send> fmt::Debug for Writer<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

/// Writes these rows.
pub fn write<W: Write + Send>(out: W, rows: &[Row]) -> Result<W, Error> {
    let mut writer = Writer::new(out)?;
    rows.iter().try_for_each(|row| writer.push(row.clone()))?;
    writer.finish()
}

impl<W: Write + Send> Writer<W> {
    pub fn new(out: W) -> Result<Writer<W>, Error> {
        let names: serde_json::Map<String, serde_json::Value> =
            catalogue::events().map(|event| (event.id.0.to_string(), event.name.into())).collect();
        let facts = vec![
            KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_owned()),
            KeyValue::new(EVENTS_KEY.to_owned(), serde_json::Value::Object(names).to_string()),
        ];
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_created_by(concat!("tracer ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(facts));
        for name in ["comms", "exes"] {
            let leaf = [name, "list", "element"].map(str::to_owned).to_vec();
            properties = properties.set_column_bloom_filter_enabled(ColumnPath::new(leaf), true);
        }
        let schema = Arc::new(parse_message_type(&message())?);
        let writer = SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?;
        Ok(Writer { writer, rows: Vec::new(), bytes: 0 })
    }

    pub fn push(&mut self, row: Row) -> Result<(), Error> {
        self.bytes += row.statistics.as_ref().map_or(0, Vec::len);
        self.rows.push(row);
        if self.rows.len() >= GROUP_ROWS || self.bytes >= GROUP_BYTES { self.group() } else { Ok(()) }
    }

    pub fn finish(mut self) -> Result<W, Error> {
        if !self.rows.is_empty() {
            self.group()?;
        }
        Ok(self.writer.into_inner()?)
    }

    fn group(&mut self) -> Result<(), Error> {
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        let mut group = self.writer.next_row_group()?;
        let mut columns = COLUMNS.iter();
        while let Some(mut leaf) = group.next_column()? {
            let Some(column) = columns.next() else { break };
            let cells = rows.iter().map(column.get);
            let (mut definition, mut repetition) = (Vec::new(), Vec::new());
            let (mut ints, mut bools, mut texts) = (Vec::new(), Vec::new(), Vec::<ByteArray>::new());
            for cell in cells {
                let is_there = match cell {
                    Cell::Int(cell) => cell.map(|it| ints.push(it)).is_some(),
                    Cell::Bool(cell) => cell.map(|it| bools.push(it)).is_some(),
                    Cell::Bytes(cell) => cell.map(|it| texts.push(it.into())).is_some(),
                    Cell::Texts(list) => {
                        if list.is_empty() {
                            definition.push(0);
                            repetition.push(0);
                        }
                        for (at, text) in list.into_iter().enumerate() {
                            texts.push(text.into_bytes().into());
                            definition.push(1);
                            repetition.push(i16::from(at > 0));
                        }
                        continue;
                    }
                };
                definition.push(i16::from(is_there));
            }
            let repeated = (column.kind == Kind::Texts).then_some(&repetition[..]);
            let defined = Some(&definition[..]);
            match column.kind {
                Kind::Int | Kind::Time => leaf.typed::<Int64Type>().write_batch(&ints, defined, None)?,
                Kind::Bool => leaf.typed::<BoolType>().write_batch(&bools, defined, None)?,
                Kind::Text | Kind::Bytes | Kind::Texts => {
                    leaf.typed::<ByteArrayType>().write_batch(&texts, defined, repeated)?
                }
            };
            leaf.close()?;
        }
        group.close()?;
        Ok(())
    }
}
