//! A table a host and day, in folders as Hive and what came after it lay them out: `host=web1/date=2026-11-28/part-0.parquet`.

use std::collections::BTreeMap;
use std::io::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::row::{self, Cell};
use super::schema::COLUMNS;
use super::{Error, Table};

/// Tables that are written at once. A host's day that comes back after others gets another part.
const OPEN: usize = 4;
const DAY_NS: i64 = 86_400_000_000_000;

/// The host and the day of a row, in days since the epoch.
type Key = (Vec<u8>, i64);

struct Open<W: Write + Send> {
    table: Table<W>,
    /// When it was last written into, in rows.
    used: u64,
}

/// Makes the file of a path and of a part's number.
type Begin<'a, W> = Box<dyn FnMut(&str, u32) -> Result<W, Error> + 'a>;

/// Tables by host and day. `begin` makes a file of a path below the folder that all of them are in, and gets the number of
/// the part; `end` takes it when it is whole.
pub struct Partitions<'a, W: Write + Send> {
    begin: Begin<'a, W>,
    end: Box<dyn FnMut(W) -> Result<(), Error> + 'a>,
    facts: Vec<(String, String)>,
    open: BTreeMap<Key, Open<W>>,
    parts: BTreeMap<Key, u32>,
    begun: Vec<u8>,
    rows: u64,
}

impl<W: Write + Send> std::fmt::Debug for Partitions<'_, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partitions")
            .field("open", &self.open.len())
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl<'a, W: Write + Send> Partitions<'a, W> {
    pub fn new(
        facts: Vec<(String, String)>,
        begin: impl FnMut(&str, u32) -> Result<W, Error> + 'a,
        end: impl FnMut(W) -> Result<(), Error> + 'a,
    ) -> Partitions<'a, W> {
        Partitions {
            begin: Box::new(begin),
            end: Box::new(end),
            facts,
            open: BTreeMap::new(),
            parts: BTreeMap::new(),
            begun: Vec::new(),
            rows: 0,
        }
    }

    /// Takes rows as the exporter writes them; the last may go on in the next piece.
    pub fn rows(&mut self, piece: &[u8]) -> Result<(), Error> {
        let mut begun = std::mem::take(&mut self.begun);
        row::each(&mut begun, piece, |row| self.row(row))?;
        self.begun = begun;
        Ok(())
    }

    fn row(&mut self, row: &[u8]) -> Result<(), Error> {
        let (host, time_ns) = place(row).ok_or(Error::Row)?;
        let key = (host.to_vec(), time_ns.div_euclid(DAY_NS));
        self.rows += 1;
        if !self.open.contains_key(&key) {
            if self.open.len() >= OPEN {
                let oldest = self.open.iter().min_by_key(|(_, open)| open.used).map(|(key, _)| key.clone());
                if let Some(open) = oldest.and_then(|key| self.open.remove(&key)) {
                    (self.end)(open.table.finish()?)?;
                }
            }
            let part = self.parts.entry(key.clone()).or_default();
            let out = (self.begin)(&folder(&key), *part)?;
            *part += 1;
            self.open.insert(key.clone(), Open { table: Table::new(out, &self.facts)?, used: 0 });
        }
        if let Some(open) = self.open.get_mut(&key) {
            open.used = self.rows;
            open.table.row(row)?;
        }
        Ok(())
    }

    /// Ends all tables.
    pub fn finish(mut self) -> Result<(), Error> {
        if !self.begun.is_empty() {
            return Err(Error::Row);
        }
        for (_, open) in std::mem::take(&mut self.open) {
            (self.end)(open.table.finish()?)?;
        }
        Ok(())
    }
}

/// Host and time of a row.
fn place(mut row: &[u8]) -> Option<(&[u8], i64)> {
    let mut time = None;
    for (at, column) in COLUMNS.iter().enumerate() {
        match (column.name, row::cell(at, &mut row)?) {
            ("time", Cell::Int(ns)) => time = Some(ns),
            ("host", Cell::Text(host)) => return Some((host, time?)),
            _ => {}
        }
    }
    None
}

/// What a name may have in a path; everything else, and so what would lead out of the folder, is written as `%2F`.
fn folder((host, day): &Key) -> String {
    let mut name = String::new();
    for byte in host {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(*byte)),
            b'.' if !name.is_empty() => name.push('.'),
            byte => name += &format!("%{byte:02X}"),
        }
    }
    let date =
        Timestamp::from_second(day * 86_400).map(|midnight| TimeZone::UTC.to_datetime(midnight).date());
    let date = date.map_or_else(|_| format!("day{day}"), |date| date.to_string());
    format!("host={}/date={date}", if name.is_empty() { "__HIVE_DEFAULT_PARTITION__" } else { &name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_named_by_host_and_day_and_lead_nowhere_else() {
        assert_eq!(folder(&(b"web1.lan".to_vec(), 20_785)), "host=web1.lan/date=2026-11-28");
        assert_eq!(folder(&(b"../x y".to_vec(), 0)), "host=%2E.%2Fx%20y/date=1970-01-01");
        assert_eq!(folder(&(Vec::new(), 0)), "host=__HIVE_DEFAULT_PARTITION__/date=1970-01-01");
    }
}
