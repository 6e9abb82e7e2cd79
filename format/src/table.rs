//! Named tables of named columns, for what stands in heads of frames and later versions add to.
//!
//! A reader takes the columns that it knows, by name, and passes over the others; a column that is not there is all
//! zeros or empty texts. So a table can gain columns, and a file can gain tables, without another version of the format.

use std::cell::Cell;

use crate::archive;
use crate::args::Dictionary;
use crate::integers::{self, Work};
use crate::{Error, Result, bytestrings, limits};

/// A table as it is archived.
#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct TableV5 {
    pub(crate) name: String,
    pub(crate) rows: u32,
    pub(crate) columns: Vec<ColumnV5>,
}

/// One column. How many values it has, the reader knows: mostly as many as the table has rows.
#[derive(rkyv::Archive, rkyv::Serialize, rkyv::Deserialize, Clone, PartialEq, Debug, Default)]
pub(crate) struct ColumnV5 {
    pub(crate) name: String,
    /// [`INTEGERS`] or [`STRINGS`]; others are passed over.
    pub(crate) form: u8,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) const INTEGERS: u8 = 0;
pub(crate) const STRINGS: u8 = 1;
/// Bytes as they are.
pub(crate) const BLOB: u8 = 2;

const _: () = assert!(size_of::<ArchivedTableV5>() == 8 + 4 + 8);
const _: () = assert!(size_of::<ArchivedColumnV5>() == 8 + 1 + 8);

/// A table that is being made.
#[derive(Debug)]
pub(crate) struct TableBuilder {
    table: TableV5,
    work: Work,
}

impl TableBuilder {
    pub(crate) fn new(name: &str, rows: usize) -> TableBuilder {
        let table = TableV5 { name: name.to_owned(), rows: rows as u32, columns: Vec::new() };
        TableBuilder { table, work: Work::default() }
    }

    /// Adds a column of numbers, unless all are 0.
    pub(crate) fn integers(&mut self, name: &str, values: impl IntoIterator<Item = u64>) {
        let values: Vec<u64> = values.into_iter().collect();
        if values.iter().any(|value| *value != 0) {
            let mut bytes = Vec::new();
            integers::encode(&values, &mut bytes, &mut self.work);
            self.put(name, INTEGERS, bytes);
        }
    }

    /// Adds a column of texts, unless all are empty.
    pub(crate) fn strings<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a [u8]>) {
        let values: Vec<&[u8]> = values.into_iter().collect();
        if values.iter().any(|value| !value.is_empty()) {
            let mut bytes = Vec::new();
            bytestrings::encode(&values, &mut bytes, &mut self.work);
            self.put(name, STRINGS, bytes);
        }
    }

    pub(crate) fn blob(&mut self, name: &str, bytes: Vec<u8>) {
        if !bytes.is_empty() {
            self.put(name, BLOB, bytes);
        }
    }

    fn put(&mut self, name: &str, form: u8, bytes: Vec<u8>) {
        self.table.columns.push(ColumnV5 { name: name.to_owned(), form, bytes });
    }

    pub(crate) fn to_bytes(&self) -> Result<rkyv::util::AlignedVec> {
        archive::to_bytes(&self.table)
    }
}

/// A table that is being read.
pub(crate) struct Table<'a> {
    archived: &'a ArchivedTableV5,
    /// Bytes that its columns may still decode to.
    memory: Cell<usize>,
    offset: u64,
}

impl<'a> Table<'a> {
    /// Reads a table; `offset` is where it came from, for the error.
    pub(crate) fn read(bytes: &'a [u8], offset: u64) -> Result<Table<'a>> {
        let archived = archive::access::<ArchivedTableV5>(bytes, offset)?;
        let table = Table { archived, memory: Cell::new(limits::TABLE_MEMORY), offset };
        // Each row takes some memory, whatever columns there are.
        table.take(table.rows())?;
        Ok(table)
    }

    pub(crate) fn name(&self) -> &'a str {
        &self.archived.name
    }

    pub(crate) fn rows(&self) -> usize {
        self.archived.rows.to_native() as usize
    }

    /// The numbers of a column that has `count` of them.
    pub(crate) fn integers(&self, name: &str, count: usize) -> Result<Vec<u64>> {
        self.take(count.saturating_mul(size_of::<u64>()))?;
        let Some(bytes) = self.column(name, INTEGERS) else { return Ok(vec![0; count]) };
        let mut values = Vec::new();
        match integers::decode(bytes, count, &mut values) {
            Ok([]) => Ok(values),
            _ => Err(self.torn()),
        }
    }

    /// The numbers of a column that has one for each row.
    pub(crate) fn numbers(&self, name: &str) -> Result<Vec<u64>> {
        self.integers(name, self.rows())
    }

    /// The texts of a column that has `count` of them.
    pub(crate) fn strings(&self, name: &str, count: usize) -> Result<Dictionary> {
        self.take(count.saturating_mul(size_of::<u32>()))?;
        let mut texts = Dictionary::default();
        let Some(bytes) = self.column(name, STRINGS) else {
            texts.ends = vec![0; count];
            return Ok(texts);
        };
        match bytestrings::decode(bytes, count, self.memory.get(), &mut texts) {
            Ok([]) if texts.len() == count => {}
            _ => return Err(self.torn()),
        }
        self.take(texts.bytes.len())?;
        Ok(texts)
    }

    /// The texts of a column that has one for each row.
    pub(crate) fn texts(&self, name: &str) -> Result<Dictionary> {
        self.strings(name, self.rows())
    }

    pub(crate) fn blob(&self, name: &str) -> &'a [u8] {
        self.column(name, BLOB).unwrap_or_default()
    }

    fn column(&self, name: &str, form: u8) -> Option<&'a [u8]> {
        let column = self.archived.columns.iter().find(|column| column.name.as_str() == name)?;
        (column.form == form).then_some(column.bytes.as_slice())
    }

    pub(crate) fn torn(&self) -> Error {
        Error::Damaged { offset: self.offset, what: "a table contradicts itself" }
    }

    fn take(&self, bytes: usize) -> Result<()> {
        match self.memory.get().checked_sub(bytes) {
            Some(left) => {
                self.memory.set(left);
                Ok(())
            }
            None => {
                Err(Error::Damaged { offset: self.offset, what: "a table says it is larger than any may be" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_missing_ones_are_zero_or_empty() {
        let mut builder = TableBuilder::new("t", 3);
        builder.integers("a", [9, 1, 500]);
        builder.integers("zeros", [0, 0, 0]);
        builder.strings("s", [&b"x"[..], b"", b"yy"]);
        builder.integers("from a later version", [9, 9, 9]);
        let bytes = builder.to_bytes().unwrap();
        let table = Table::read(&bytes, 0).unwrap();
        assert_eq!((table.name(), table.rows()), ("t", 3));
        assert_eq!(table.numbers("a").unwrap(), [9, 1, 500]);
        assert_eq!(table.numbers("zeros").unwrap(), [0, 0, 0]);
        assert_eq!(table.numbers("unknown").unwrap(), [0, 0, 0]);
        assert_eq!(table.texts("s").unwrap().iter().collect::<Vec<_>>(), [&b"x"[..], b"", b"yy"]);
        assert_eq!(table.texts("unknown").unwrap().iter().collect::<Vec<_>>(), [b""; 3]);
        assert!(table.integers("a", 4).is_err() && table.strings("s", 2).is_err());
    }

    #[test]
    fn a_table_that_says_it_is_huge_takes_no_memory() {
        let huge = TableV5 { name: "t".into(), rows: u32::MAX, columns: Vec::new() };
        let bytes = archive::to_bytes(&huge).unwrap();
        assert!(Table::read(&bytes, 0).is_err());
        let table = TableV5 { rows: 1, ..huge };
        let bytes = archive::to_bytes(&table).unwrap();
        assert!(Table::read(&bytes, 0).unwrap().integers("a", usize::MAX).is_err());
    }
}
