//! Writes a catalogue.

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

/// Rows that are read at once: their statistics are in memory together.
const GROUP_ROWS: usize = 8192;
const ZSTD_LEVEL: i32 = 3;

/// Writes these rows. The same rows give the same bytes.
pub fn write<W: Write + Send>(out: W, rows: &[Row]) -> Result<W, Error> {
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
    let mut writer = SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?;
    for rows in rows.chunks(GROUP_ROWS) {
        let mut group = writer.next_row_group()?;
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
    }
    Ok(writer.into_inner()?)
}
