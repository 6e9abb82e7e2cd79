//! Reads a catalogue: a few hundred rows at a time, and of them the columns that are asked for.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::path::Path;

use bytes::Bytes;
use events::{EventId, catalogue};
use format::{PublicKey, Statistics};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::columns::{Asked, COLUMNS, Cell, Column, Kind};
use super::{EVENTS_KEY, Error, Row, VERSION, VERSION_KEY};
use super::{signature, unwound};

/// Rows that are in memory at once: the statistics of one take some 8 KiB.
const BATCH_ROWS: usize = 512;

/// Which columns of rows are read; the others are as in a row of which nothing is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Columns {
    All,
    /// What tells captures apart, and what is known of each beside its statistics.
    Known,
    Statistics,
}

impl Columns {
    fn have(self, column: &Column) -> bool {
        match self {
            Columns::All => true,
            Columns::Known => column.asked == Asked::Always,
            Columns::Statistics => column.asked == Asked::Judging,
        }
    }
}

/// A catalogue, open: its rows are read when they are asked for, and are those of one file, whatever comes to stand under its
/// name meanwhile.
pub struct Catalog {
    reader: Box<dyn FileReader>,
    rows: usize,
    /// Where the leaves of columns are, by the columns' names.
    places: HashMap<String, usize>,
    /// The program's events by the ids that stand in the statistics.
    events: HashMap<u16, EventId>,
}

impl fmt::Debug for Catalog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalog").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Catalog {
    /// Opens a catalogue. With a key, only what that key has signed is read.
    pub fn open(path: &Path, key: Option<&PublicKey>) -> Result<Catalog, Error> {
        let Some(key) = key else {
            let file = File::open(path)?;
            let bytes = file.metadata()?.len();
            return sound(|| Catalog::new(Box::new(SerializedFileReader::new(file)?), bytes));
        };
        // What is read is what was signed.
        let bytes = Bytes::from(std::fs::read(path)?);
        Catalog::of_bytes(bytes, signature::text(path)?.as_deref(), Some(key))
    }

    /// The same, of what was fetched from elsewhere.
    pub fn of_bytes(
        bytes: Bytes,
        signature: Option<&str>,
        key: Option<&PublicKey>,
    ) -> Result<Catalog, Error> {
        if let Some(key) = key {
            signature::check(signature, &bytes, key)?;
        }
        let length = bytes.len() as u64;
        sound(|| Catalog::new(Box::new(SerializedFileReader::new(bytes)?), length))
    }

    fn new(reader: Box<dyn FileReader>, bytes: u64) -> Result<Catalog, Error> {
        let file = reader.metadata().file_metadata();
        let fact = |key: &str| {
            let facts = file.key_value_metadata().into_iter().flatten();
            facts.filter(|fact| fact.key == key).find_map(|fact| fact.value.clone())
        };
        match fact(VERSION_KEY) {
            Some(version) if version == VERSION => {}
            found => return Err(Error::Version { found: found.unwrap_or_else(|| "none".to_owned()) }),
        }
        let names: serde_json::Map<String, serde_json::Value> =
            fact(EVENTS_KEY).and_then(|names| serde_json::from_str(&names).ok()).unwrap_or_default();
        let event = |(id, name): (&String, &serde_json::Value)| {
            Some((id.parse().ok()?, catalogue::by_name(name.as_str()?)?.id))
        };
        let events = names.iter().filter_map(event).collect();
        let leaves = (0..).zip(file.schema_descr().columns());
        let places =
            leaves.filter_map(|(at, leaf)| Some((leaf.path().parts().first()?.clone(), at))).collect();
        // Each row has a path of its own, and takes a byte at least.
        let most_rows = usize::try_from(bytes).unwrap_or(usize::MAX);
        let groups = reader.metadata().row_groups().iter();
        let mut rows = groups.map(|group| usize::try_from(group.num_rows()).ok());
        let rows =
            rows.try_fold(0usize, |sum, rows| sum.checked_add(rows?)).filter(|rows| *rows <= most_rows);
        let rows = rows.ok_or(Error::Torn { what: "how many rows it has" })?;
        Ok(Catalog { reader, rows, places, events })
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Its rows in their order.
    pub fn rows(&self, columns: Columns) -> Rows<'_> {
        Rows { catalog: self, columns, group: 0, readers: Vec::new(), left: 0, batch: Vec::new().into_iter() }
    }

    /// What statistics of a row say; `None` where they do not read, or are of events that this program does not know.
    pub fn statistics(&self, row: &Row) -> Option<Statistics> {
        let bytes = row.statistics.as_deref()?;
        let statistics = Statistics::from_bytes(bytes, |id| self.events.get(&id).copied()).ok()?;
        (statistics.rows > 0).then_some(statistics)
    }
}

/// A folder of captures may come from anyone, and the reader of Parquet panics at some numbers that cannot be.
fn sound<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    unwound::quietly(read).unwrap_or(Err(Error::Torn { what: "its columns" }))
}

/// Reads a catalogue, with all that it says.
pub fn read(path: &Path, key: Option<&PublicKey>) -> Result<Vec<Row>, Error> {
    Catalog::open(path, key)?.rows(Columns::All).collect()
}

/// The rows of a catalogue. Behind an error there are none.
pub struct Rows<'a> {
    catalog: &'a Catalog,
    columns: Columns,
    /// The group that comes next.
    group: usize,
    /// Of the group that is read.
    readers: Vec<(&'static Column, ColumnReader)>,
    /// How many of its rows are left.
    left: usize,
    batch: std::vec::IntoIter<Row>,
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("group", &self.group).field("left", &self.left).finish_non_exhaustive()
    }
}

impl Iterator for Rows<'_> {
    type Item = Result<Row, Error>;

    fn next(&mut self) -> Option<Result<Row, Error>> {
        loop {
            if let Some(row) = self.batch.next() {
                return Some(Ok(row));
            }
            match sound(|| self.read()) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    (self.left, self.group) = (0, usize::MAX);
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Rows<'_> {
    /// Reads the next batch; false when there is none.
    fn read(&mut self) -> Result<bool, Error> {
        let Catalog { reader, places, .. } = self.catalog;
        if self.left == 0 {
            if self.group >= reader.num_row_groups() {
                return Ok(false);
            }
            let group = reader.get_row_group(self.group)?;
            self.group += 1;
            self.left = usize::try_from(group.metadata().num_rows())
                .map_err(|_| Error::Torn { what: "how many rows a group has" })?;
            let wanted = COLUMNS.iter().filter(|column| self.columns.have(column));
            let leaf = wanted.filter_map(|column| Some((column, *places.get(column.name)?)));
            let readers = leaf.map(|(column, at)| Ok((column, group.get_column_reader(at)?)));
            self.readers = readers.collect::<Result<_, Error>>()?;
        }
        let count = self.left.min(BATCH_ROWS);
        let mut rows = vec![Row::default(); count];
        for (column, reader) in &mut self.readers {
            let cells = cells(column, reader, count)?;
            if cells.len() != count {
                return Err(Error::Torn { what: column.name });
            }
            rows.iter_mut().zip(cells).for_each(|(row, cell)| (column.set)(row, cell));
        }
        self.left -= count;
        self.batch = rows.into_iter();
        Ok(true)
    }
}

/// The next cells of a column.
fn cells(column: &Column, reader: &mut ColumnReader, count: usize) -> Result<Vec<Cell>, Error> {
    let torn = || Error::Torn { what: column.name };
    let bytes = |text: &ByteArray| text.data().to_vec();
    Ok(match (column.kind, reader) {
        (Kind::Int | Kind::Time, ColumnReader::Int64ColumnReader(reader)) => {
            let (values, defined, _) = next(reader, count)?;
            optional(values.iter().copied(), &defined).map(Cell::Int).collect()
        }
        (Kind::Bool, ColumnReader::BoolColumnReader(reader)) => {
            let (values, defined, _) = next(reader, count)?;
            optional(values.iter().copied(), &defined).map(Cell::Bool).collect()
        }
        (Kind::Text | Kind::Bytes, ColumnReader::ByteArrayColumnReader(reader)) => {
            let (values, defined, _) = next(reader, count)?;
            optional(values.iter().map(bytes), &defined).map(Cell::Bytes).collect()
        }
        (Kind::Texts, ColumnReader::ByteArrayColumnReader(reader)) => {
            let (values, defined, repeated) = next(reader, count)?;
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

/// The next values of a column, and where each is there.
fn next<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
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
            refused += usize::from(read(&path, None).is_err());
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
