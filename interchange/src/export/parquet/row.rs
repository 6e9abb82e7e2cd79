//! A row between the threads that read events and the one that writes the table: its cells in the order of the columns.

use super::schema::{COLUMNS, Kind, Wanted};

/// Appends a row: its length, then each cell.
///
/// ```text
/// cell      0                       nothing
///           1  i64                  a number or time
///           1  u32  bytes           a text
///           1  u32  (u32 bytes)...  texts: how many, then each
///           1  u32  (i32)...        numbers
/// ```
#[derive(Debug)]
pub struct Row<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    wanted: Wanted,
    /// The column that comes next.
    at: usize,
}

impl<'a> Row<'a> {
    /// Columns that are not wanted are nothing, whatever they are given.
    pub fn begin(out: &'a mut Vec<u8>, wanted: Wanted) -> Row<'a> {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        Row { out, start, wanted, at: 0 }
    }

    /// Goes on to the next column; where that is not wanted, nothing stands there.
    fn is_next_wanted(&mut self) -> bool {
        let is_wanted = self.wanted.has(self.at);
        self.at += 1;
        if !is_wanted {
            self.out.push(0);
        }
        is_wanted
    }

    /// Passes over the next columns where none of them is wanted: what they are need not be found out.
    pub fn passes(&mut self, columns: usize) -> bool {
        let is_unwanted = (self.at..self.at + columns).all(|column| !self.wanted.has(column));
        if is_unwanted {
            self.at += columns;
            self.out.extend(std::iter::repeat_n(0, columns));
        }
        is_unwanted
    }

    pub fn end(self) {
        let length = (self.out.len() - self.start - 4) as u32;
        if let Some(place) = self.out.get_mut(self.start..self.start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }

    pub fn nothing(&mut self) {
        self.at += 1;
        self.out.push(0);
    }

    pub fn int(&mut self, number: i64) {
        if !self.is_next_wanted() {
            return;
        }
        self.out.push(1);
        self.out.extend_from_slice(&number.to_le_bytes());
    }

    pub fn some_int(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.int(number),
            None => self.nothing(),
        }
    }

    /// A text that `write` appends.
    pub fn text_by(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        if !self.is_next_wanted() {
            return;
        }
        self.out.push(1);
        sized(self.out, write);
    }

    pub fn text(&mut self, text: &[u8]) {
        self.text_by(|out| valid(text, out));
    }

    /// A text, nothing where it is empty: unknown is not the same as an empty name.
    pub fn some_text(&mut self, text: &[u8]) {
        match text {
            [] => self.nothing(),
            text => self.text(text),
        }
    }

    pub fn texts<'t>(&mut self, texts: impl Iterator<Item = &'t [u8]>) {
        if !self.is_next_wanted() {
            return;
        }
        self.out.push(1);
        let at = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        let mut count = 0u32;
        for text in texts {
            sized(self.out, |out| valid(text, out));
            count += 1;
        }
        if let Some(place) = self.out.get_mut(at..at + 4) {
            place.copy_from_slice(&count.to_le_bytes());
        }
    }

    /// The scopes of a mask by their numbers.
    pub fn scopes(&mut self, mask: u64) {
        if !self.is_next_wanted() {
            return;
        }
        self.out.push(1);
        self.out.extend_from_slice(&mask.count_ones().to_le_bytes());
        for scope in (1..=64i32).filter(|scope| mask >> (scope - 1) & 1 == 1) {
            self.out.extend_from_slice(&scope.to_le_bytes());
        }
    }
}

fn sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    let length = (out.len() - start - 4) as u32;
    if let Some(place) = out.get_mut(start..start + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
}

/// Text as the format's strings must be: bytes that are no UTF-8 stand as they do in our JSON.
fn valid(text: &[u8], out: &mut Vec<u8>) {
    match std::str::from_utf8(text) {
        Ok(_) => out.extend_from_slice(text),
        Err(_) => {
            let escaped = crate::import::text_of(text);
            out.extend_from_slice(escaped.as_str().unwrap_or_default().as_bytes());
        }
    }
}

/// Calls `take` with each whole row of `begun` and `piece` behind it; what is left of a row stays in `begun`.
pub fn each<E>(
    begun: &mut Vec<u8>,
    piece: &[u8],
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let joined;
    let mut rest = match begun.is_empty() {
        true => piece,
        false => {
            begun.extend_from_slice(piece);
            joined = std::mem::take(begun);
            &joined[..]
        }
    };
    while let Some((length, behind)) = rest.split_first_chunk() {
        let length = u32::from_le_bytes(*length) as usize;
        let Some(row) = behind.get(..length) else { break };
        take(row)?;
        rest = behind.get(length..).unwrap_or_default();
    }
    begun.extend_from_slice(rest);
    Ok(())
}

/// A cell as it is read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cell<'a> {
    Nothing,
    Int(i64),
    Text(&'a [u8]),
    /// How many there are, and their bytes: see [`strings`] and [`numbers`].
    List(u32, &'a [u8]),
}

/// Takes one cell from the front of a row. What is written here reads.
pub fn cell<'a>(column: usize, row: &mut &'a [u8]) -> Option<Cell<'a>> {
    let (has, rest) = row.split_first()?;
    *row = rest;
    if *has == 0 {
        return Some(Cell::Nothing);
    }
    Some(match COLUMNS.get(column)?.kind {
        Kind::Time | Kind::Int => {
            let (number, rest) = row.split_first_chunk()?;
            *row = rest;
            Cell::Int(i64::from_le_bytes(*number))
        }
        Kind::Text => Cell::Text(text(row)?),
        kind => {
            let (count, rest) = row.split_first_chunk()?;
            let count = u32::from_le_bytes(*count);
            *row = rest;
            let all = *row;
            for _ in 0..count {
                match kind {
                    Kind::Ints => *row = row.get(4..)?,
                    _ => drop(text(row)?),
                }
            }
            Cell::List(count, all.get(..all.len() - row.len())?)
        }
    })
}

fn text<'a>(row: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = row.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let text = rest.get(..length)?;
    *row = rest.get(length..)?;
    Some(text)
}

/// The texts of a list.
pub fn strings(mut list: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || text(&mut list))
}

/// The numbers of a list.
pub fn numbers(list: &[u8]) -> impl Iterator<Item = i32> {
    list.chunks_exact(4).filter_map(|number| number.first_chunk()).map(|number| i32::from_le_bytes(*number))
}
