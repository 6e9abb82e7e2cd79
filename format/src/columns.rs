//! Columns of arguments and of contexts as bytes.
//!
//! ```text
//! argument := u8 form, then
//!   NUMBERS  column of integers, one a row
//!   SPARSE   column of 0 and 1 (1: the row has a number), column of the numbers there are
//!   BYTES    dictionary, column of codes; the code after the last one means missing
//!   MIXED    dictionary, column of codes (last + 1: missing, last + 2: a number), u32 count, column of the numbers
//!   DESCRIPTORS, TEXTS
//!            u32 values, u32 numbers; of DESCRIPTORS a column of the number of each value; a column of the code that each
//!            value's text has among the block's texts; a column of codes as of MIXED; column of the numbers
//!   ENTRIES  u32 values, u32 numbers; the values (see `entries`); codes and numbers as of DESCRIPTORS
//! contexts := dictionary of strings, then a column of integers for each field: see `FIELDS`
//! ```
//! A column that is not there is missing in every row.

pub(crate) mod acting;
mod builder;
mod contexts;

use crate::args::{ColumnView, Dictionary, MISSING, NUMBER};
use crate::integers::{self, Torn};
use crate::{bytestrings, entries, limits};
pub(crate) use builder::ColumnBuilder;
pub(crate) use contexts::{decode as decode_contexts, encode as encode_contexts};

const NUMBERS: u8 = 0;
const SPARSE: u8 = 1;
const BYTES: u8 = 2;
const MIXED: u8 = 3;
const DESCRIPTORS: u8 = 4;
const TEXTS: u8 = 5;
const ENTRIES: u8 = 6;

/// Bytes of a descriptor's number, before its text.
pub(crate) const DESCRIPTOR_NUMBER: usize = size_of::<u64>();

/// What is known of a column's values, and so which others may share theirs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sharing {
    Nothing,
    /// Its values are descriptors: a number, then the text that others of the block share.
    Descriptors,
    /// Its values are texts, most of which other columns have as well. A question about it reads the texts of all.
    Texts,
    /// Its values are entries of directories.
    Entries,
}

/// One argument, decoded.
#[derive(Debug, Default)]
pub(crate) struct Column {
    pub(crate) form: Form,
    /// One a row, except for bytes.
    pub(crate) numbers: Vec<u64>,
    /// One a row, or empty when no row is missing.
    pub(crate) missing: Vec<bool>,
    /// One a row, for bytes and mixed columns.
    pub(crate) codes: Vec<u32>,
    pub(crate) dictionary: Dictionary,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Form {
    #[default]
    Missing,
    Numbers,
    Bytes,
    Mixed,
}

impl Column {
    /// What a reader of the column sees of its `rows`.
    pub(crate) fn view(&self, rows: usize) -> ColumnView<'_> {
        match self.form {
            Form::Missing => ColumnView::Missing { rows },
            Form::Numbers => ColumnView::Numbers { values: &self.numbers, missing: &self.missing },
            Form::Bytes => ColumnView::Bytes { rows, dictionary: &self.dictionary, codes: &self.codes },
            Form::Mixed => {
                ColumnView::Mixed { values: &self.numbers, dictionary: &self.dictionary, codes: &self.codes }
            }
        }
    }

    /// Bytes that it holds on to.
    pub(crate) fn memory(&self) -> usize {
        self.numbers.capacity() * 8 + self.codes.capacity() * 4 + self.dictionary.bytes.capacity()
    }

    /// Decodes a bare column of integers.
    pub(crate) fn decode_numbers(&mut self, bytes: &[u8], rows: usize) -> Result<(), Torn> {
        self.clear();
        self.form = Form::Numbers;
        let rest = integers::decode(bytes, rows, &mut self.numbers)?;
        rest.is_empty().then_some(()).ok_or(Torn)
    }

    pub(crate) fn clear(&mut self) {
        self.form = Form::Missing;
        self.numbers.clear();
        self.missing.clear();
        self.codes.clear();
        self.dictionary.bytes.clear();
        self.dictionary.ends.clear();
    }

    /// Decodes the column of an argument with so many rows, into no more than about `memory` bytes. `texts` are those of
    /// the block, for a column that [`shares_texts`].
    pub(crate) fn decode(
        &mut self,
        bytes: &[u8],
        rows: usize,
        memory: usize,
        texts: &Dictionary,
    ) -> Result<(), Torn> {
        self.clear();
        let (form, rest) = bytes.split_first().ok_or(Torn)?;
        let rest = match *form {
            NUMBERS => {
                self.form = Form::Numbers;
                integers::decode(rest, rows, &mut self.numbers)?
            }
            SPARSE => {
                self.form = Form::Numbers;
                let mut present: Vec<u8> = Vec::new();
                let rest = integers::decode(rest, rows, &mut present)?;
                let count = present.iter().filter(|p| **p != 0).count();
                let mut dense: Vec<u64> = Vec::new();
                let rest = integers::decode(rest, count, &mut dense)?;
                let mut dense = dense.into_iter();
                self.missing.extend(present.iter().map(|p| *p == 0));
                self.numbers.extend(present.iter().map(|p| match p {
                    0 => 0,
                    _ => dense.next().unwrap_or_default(),
                }));
                rest
            }
            BYTES | MIXED => {
                let rest = bytestrings::decode(rest, rows, memory, &mut self.dictionary)?;
                let (rest, numbers) = self.decode_codes(rest, rows, *form == MIXED)?;
                if *form == MIXED {
                    let (count, rest) = rest.split_first_chunk().ok_or(Torn)?;
                    if u32::from_le_bytes(*count) as usize != numbers {
                        return Err(Torn);
                    }
                    self.decode_mixed(rest, numbers)?
                } else {
                    rest
                }
            }
            DESCRIPTORS | TEXTS | ENTRIES => {
                let (values, rest) = rest.split_first_chunk().ok_or(Torn)?;
                let (count, rest) = rest.split_first_chunk().ok_or(Torn)?;
                let (values, count) =
                    (u32::from_le_bytes(*values) as usize, u32::from_le_bytes(*count) as usize);
                if values > rows {
                    return Err(Torn);
                }
                let rest = match *form {
                    ENTRIES => entries::decode(values, rest, memory, &mut self.dictionary)?,
                    form => self.decode_values(form == DESCRIPTORS, values, rest, memory, texts)?,
                };
                let (rest, numbers) = self.decode_codes(rest, rows, count > 0)?;
                if numbers != count {
                    return Err(Torn);
                }
                self.decode_mixed(rest, numbers)?
            }
            _ => return Err(Torn),
        };
        let is_bounded = self.dictionary.iter().all(|value| value.len() <= limits::VALUE_BYTES);
        (rest.is_empty() && is_bounded).then_some(()).ok_or(Torn)
    }

    /// Puts the values together of which the block has the texts.
    fn decode_values<'a>(
        &mut self,
        has_numbers: bool,
        values: usize,
        mut rest: &'a [u8],
        memory: usize,
        texts: &Dictionary,
    ) -> Result<&'a [u8], Torn> {
        let (mut numbers, mut codes): (Vec<u64>, Vec<u32>) = (Vec::new(), Vec::new());
        if has_numbers {
            rest = integers::decode(rest, values, &mut numbers)?;
        }
        rest = integers::decode(rest, values, &mut codes)?;
        if !has_numbers {
            self.take_texts(&codes, memory, texts)?;
            return Ok(rest);
        }
        let mut numbers = numbers.iter();
        for code in codes {
            let text = texts.get(code).ok_or(Torn)?;
            if self.dictionary.bytes.len() + DESCRIPTOR_NUMBER + text.len() > memory {
                return Err(Torn);
            }
            if let Some(number) = numbers.next() {
                self.dictionary.bytes.extend_from_slice(&number.to_le_bytes());
            }
            self.dictionary.bytes.extend_from_slice(text);
            self.dictionary.ends.push(self.dictionary.bytes.len() as u32);
        }
        Ok(rest)
    }

    /// Takes texts of the block, those that follow each other there in one piece: most were first met in this column.
    fn take_texts(&mut self, codes: &[u32], memory: usize, texts: &Dictionary) -> Result<(), Torn> {
        let mut left = codes;
        while let Some(&first) = left.first() {
            let first = first as usize;
            let run = left.iter().zip(first..).take_while(|(code, next)| **code as usize == *next).count();
            let ends = texts.ends.get(first..first + run).ok_or(Torn)?;
            let start = first.checked_sub(1).and_then(|before| texts.ends.get(before)).map_or(0, |end| *end);
            let end = ends.last().copied().unwrap_or(start);
            let bytes = texts.bytes.get(start as usize..end as usize).ok_or(Torn)?;
            let before = self.dictionary.bytes.len();
            if before + bytes.len() > memory {
                return Err(Torn);
            }
            self.dictionary.bytes.extend_from_slice(bytes);
            self.dictionary.ends.extend(ends.iter().map(|end| before as u32 + (end - start)));
            left = left.get(run..).unwrap_or_default();
        }
        Ok(())
    }

    /// Decodes the codes of the dictionary's values, and returns how many rows are numbers.
    fn decode_codes<'a>(
        &mut self,
        rest: &'a [u8],
        rows: usize,
        mixed: bool,
    ) -> Result<(&'a [u8], usize), Torn> {
        self.form = if mixed { Form::Mixed } else { Form::Bytes };
        let rest = match integers::constant(rest) {
            // Code 0 in every row goes without saying.
            Some((0, rest)) if !mixed && self.dictionary.len() == 1 => rest,
            _ => integers::decode(rest, rows, &mut self.codes)?,
        };
        let last = self.dictionary.len() as u32;
        let mut numbers = 0;
        for code in &mut self.codes {
            if *code >= last {
                *code = match *code - last {
                    0 => MISSING,
                    1 if mixed => NUMBER,
                    _ => return Err(Torn),
                };
                numbers += usize::from(*code == NUMBER);
            }
        }
        Ok((rest, numbers))
    }

    /// Decodes the numbers that stand among bytes.
    fn decode_mixed<'a>(&mut self, rest: &'a [u8], numbers: usize) -> Result<&'a [u8], Torn> {
        let mut dense: Vec<u64> = Vec::new();
        let rest = integers::decode(rest, numbers, &mut dense)?;
        if self.form == Form::Mixed {
            let mut dense = dense.into_iter();
            self.numbers.extend(self.codes.iter().map(|code| match *code {
                NUMBER => dense.next().unwrap_or_default(),
                _ => 0,
            }));
        }
        Ok(rest)
    }
}

/// Whether an argument's column refers to the texts of its block.
pub(crate) fn shares_texts(bytes: &[u8]) -> bool {
    matches!(bytes.first(), Some(&(DESCRIPTORS | TEXTS)))
}

/// The number that an argument (or with `is_argument` false, a bare column of integers) has in every row.
pub(crate) fn constant(bytes: &[u8], is_argument: bool) -> Option<u64> {
    let bytes = if is_argument { bytes.strip_prefix(&[NUMBERS])? } else { bytes };
    match integers::constant(bytes) {
        Some((number, [])) => Some(number),
        _ => None,
    }
}
