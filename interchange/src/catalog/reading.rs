//! Reads a catalogue.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use events::{EventId, catalogue};
use format::{PublicKey, Statistics};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::reader::{ChunkReader, FileReader, RowGroupReader, SerializedFileReader};
use pipeline::Outline;

use super::columns::{COLUMNS, Cell, Column, Kind};
use super::{EVENTS_KEY, Error, Row, VERSION, VERSION_KEY};
use super::{signature, unwound};

/// What a catalogue says.
#[derive(Debug, Default)]
pub struct Catalog {
    pub rows: Vec<Row>,
    /// The program's events by the ids that stand in the statistics.
    events: HashMap<u16, EventId>,
}

impl Catalog {
    /// What is known of a row's capture without opening it; `None` where it is to be opened.
    pub fn outline(&self, row: &Row, name: String) -> Option<Outline> {
        let bytes = row.statistics.as_deref()?;
        row.start_ns.zip(row.end_ns)?;
        // Statistics that do not read, or of events that this program does not know, rule nothing out.
        let statistics = Statistics::from_bytes(bytes, |id| self.events.get(&id).copied()).ok()?;
        (statistics.rows > 0).then(|| row.outline(name, statistics))
    }
}

/// Reads a catalogue. `is_whole`: with what is only shown to people. With a key, only what that key has signed is read.
pub fn read(path: &Path, is_whole: bool, key: Option<&PublicKey>) -> Result<Catalog, Error> {
    let torn = Err(Error::Torn { what: "its columns" });
    // A folder of captures may come from anyone, and the reader of Parquet panics at some numbers that cannot be.
    let Some(key) = key else {
        let file = File::open(path)?;
        let bytes = file.metadata()?.len();
        return unwound::quietly(|| read_file(file, bytes, is_whole)).unwrap_or(torn);
    };
    // What is read is what was signed, whatever comes to stand under the name meanwhile.
    let bytes = Bytes::from(std::fs::read(path)?);
    signature::check(path, &bytes, key)?;
    let length = bytes.len() as u64;
    unwound::quietly(|| read_file(bytes, length, is_whole)).unwrap_or(torn)
}

fn read_file<F: ChunkReader + 'static>(file: F, bytes: u64, is_whole: bool) -> Result<Catalog, Error> {
    // Each row has a path of its own, and takes a byte at least.
    let most_rows = usize::try_from(bytes).unwrap_or(usize::MAX);
    let reader = SerializedFileReader::new(file)?;
    let metadata = reader.metadata().file_metadata();
    let fact = |key: &str| {
        let facts = metadata.key_value_metadata().into_iter().flatten();
        facts.filter(|fact| fact.key == key).find_map(|fact| fact.value.clone())
    };
    match fact(VERSION_KEY) {
        Some(version) if version == VERSION => {}
        found => return Err(Error::Version { found: found.unwrap_or_else(|| "none".to_owned()) }),
    }
    let names: serde_json::Map<String, serde_json::Value> =
        fact(EVENTS_KEY).and_then(|names| serde_json::from_str(&names).ok()).unwrap_or_default();
    let events = names
        .iter()
        .filter_map(|(id, name)| Some((id.parse().ok()?, catalogue::by_name(name.as_str()?)?.id)));
    let mut catalog = Catalog { rows: Vec::new(), events: events.collect() };
    let places: HashMap<String, usize> = (0..)
        .zip(metadata.schema_descr().columns())
        .filter_map(|(at, leaf)| Some((leaf.path().parts().first()?.clone(), at)))
        .collect();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group)?;
        let count = usize::try_from(group.metadata().num_rows())
            .map_err(|_| Error::Torn { what: "how many rows a group has" })?;
        let first = catalog.rows.len();
        let rows = first.checked_add(count).filter(|rows| *rows <= most_rows);
        catalog.rows.resize_with(rows.ok_or(Error::Torn { what: "how many rows it has" })?, Row::default);
        let rows = catalog.rows.get_mut(first..).unwrap_or_default();
        for column in COLUMNS.iter().filter(|column| is_whole || !column.is_shown_only) {
            if let Some(at) = places.get(column.name) {
                let torn = Error::Torn { what: column.name };
                let cells = cells(column, &*group, *at, count)?;
                if cells.len() != count {
                    return Err(torn);
                }
                rows.iter_mut().zip(cells).for_each(|(row, cell)| (column.set)(row, cell));
            }
        }
    }
    Ok(catalog)
}

/// The cells of a column in a group of so many rows.
fn cells(column: &Column, group: &dyn RowGroupReader, at: usize, count: usize) -> Result<Vec<Cell>, Error> {
    let torn = || Error::Torn { what: column.name };
    let bytes = |text: &ByteArray| text.data().to_vec();
    Ok(match (column.kind, group.get_column_reader(at)?) {
        (Kind::Int | Kind::Time, ColumnReader::Int64ColumnReader(reader)) => {
            let (values, defined, _) = all(reader, count)?;
            optional(values.iter().copied(), &defined).map(Cell::Int).collect()
        }
        (Kind::Bool, ColumnReader::BoolColumnReader(reader)) => {
            let (values, defined, _) = all(reader, count)?;
            optional(values.iter().copied(), &defined).map(Cell::Bool).collect()
        }
        (Kind::Text | Kind::Bytes, ColumnReader::ByteArrayColumnReader(reader)) => {
            let (values, defined, _) = all(reader, count)?;
            optional(values.iter().map(bytes), &defined).map(Cell::Bytes).collect()
        }
        (Kind::Texts, ColumnReader::ByteArrayColumnReader(reader)) => {
            let (values, defined, repeated) = all(reader, count)?;
            let mut lists: Vec<Vec<String>> = Vec::with_capacity(count);
            let mut values = values.iter();
            for (defined, repeated) in defined.iter().zip(&repeated) {
                if *repeated == 0 {
                    lists.push(Vec::new());
                }
                if *defined > 0 {
                    let text = values.next().ok_or_else(torn)?;
                    let list = lists.last_mut().ok_or_else(torn)?;
                    list.push(String::from_utf8_lossy(text.data()).into_owned());
                }
            }
            lists.into_iter().map(Cell::Texts).collect()
        }
        _ => return Err(torn()),
    })
}

type Levels = Vec<i16>;

/// All values of a column, and where each is there.
fn all<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    count: usize,
) -> Result<(Vec<T::T>, Levels, Levels), Error> {
    let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    let mut read = 0;
    while read < count {
        let (records, ..) =
            reader.read_records(count - read, Some(&mut defined), Some(&mut repeated), &mut values)?;
        if records == 0 {
            break;
        }
        read += records;
    }
    Ok((values, defined, repeated))
}

fn optional<'d, V: 'd>(
    values: impl Iterator<Item = V> + 'd,
    defined: &'d [i16],
) -> impl Iterator<Item = Option<V>> + 'd {
    let mut values = values;
    defined.iter().map(move |defined| if *defined > 0 { values.next() } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever byte is another, and wherever the file ends: rows, or an error.
    #[test]
    fn no_catalogue_makes_the_reader_panic() {
        let row = |number: i64| Row {
            path: format!("host{number}/capture.trz"),
            bytes: 4096 + number,
            host: format!("host{number}"),
            start_ns: Some(number),
            end_ns: None,
            comms: vec!["ls".into(), format!("program{number}")],
            statistics: Some(vec![7; 40]),
            ..Row::default()
        };
        let rows: Vec<Row> = (0..20).map(row).collect();
        let bytes = super::super::write(Vec::new(), &rows).expect("a catalogue");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("catalog.parquet");
        let mut refused = 0;
        let mut ask = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("a file");
            refused += usize::from(read(&path, true, None).is_err());
        };
        for at in (0..bytes.len()).step_by(7) {
            for mask in [0x41, 0x80] {
                let mut broken = bytes.clone();
                broken[at] ^= mask;
                ask(&broken);
            }
        }
        (0..bytes.len()).step_by(61).for_each(|end| ask(&bytes[..end]));
        assert!(refused > bytes.len() / 61, "{refused}");
    }
}
