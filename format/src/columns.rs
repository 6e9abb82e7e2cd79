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

use crate::args::{ColumnView, Dictionary, MISSING, NUMBER};
use crate::builder::{ContextRow, ContextTable};
use crate::distinct::Distinct;
use crate::integers::{self, Torn, Work};
use crate::{bytestrings, entries, limits};

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

/// Gathers one argument's values for encoding.
#[derive(Debug, Default)]
pub(crate) struct ColumnBuilder {
    /// A code each, or [`MISSING`], or [`NUMBER`].
    codes: Vec<u32>,
    numbers: Vec<u64>,
    distinct: Distinct,
    missing: usize,
}

impl ColumnBuilder {
    pub(crate) fn clear(&mut self) {
        self.codes.clear();
        self.numbers.clear();
        self.distinct.clear();
        self.missing = 0;
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.codes.push(NUMBER);
        self.numbers.push(number);
    }

    pub(crate) fn missing(&mut self) {
        self.codes.push(MISSING);
        self.missing += 1;
    }

    pub(crate) fn code(&mut self, code: u32) {
        self.codes.push(code);
    }

    /// Takes `value`, which is `all[word >> 32..][..word as u32]`, and returns its code.
    pub(crate) fn bytes(&mut self, value: &[u8], word: u64, all: &[u8]) -> u32 {
        let code = self.distinct.code(value, word, all);
        self.codes.push(code);
        code
    }

    /// Appends the column; `false`, and nothing, when every row is missing. `texts` are those of the block.
    pub(crate) fn encode(
        &self,
        all: &[u8],
        sharing: Sharing,
        texts: &mut Distinct,
        out: &mut Vec<u8>,
        work: &mut Work,
    ) -> bool {
        let rows = self.codes.len();
        if self.missing == rows {
            return false;
        }
        if self.distinct.is_empty() {
            if self.missing == 0 {
                out.push(NUMBERS);
            } else {
                out.push(SPARSE);
                let present: Vec<u64> = self.codes.iter().map(|c| u64::from(*c == NUMBER)).collect();
                integers::encode(&present, out, work);
            }
            integers::encode(&self.numbers, out, work);
            return true;
        }
        let shares = match sharing {
            Sharing::Nothing => false,
            Sharing::Descriptors => self.put_descriptors(all, texts, out, work),
            Sharing::Texts => self.put_texts(all, texts, out, work),
            Sharing::Entries => self.put_entries(all, out, work),
        };
        if shares {
            self.put_codes(out, work);
            integers::encode(&self.numbers, out, work);
            return true;
        }
        out.push(if self.numbers.is_empty() { BYTES } else { MIXED });
        let strings: Vec<&[u8]> = self.distinct.values(all).collect();
        bytestrings::encode(&strings, out, work);
        self.put_codes(out, work);
        if !self.numbers.is_empty() {
            out.extend_from_slice(&(self.numbers.len() as u32).to_le_bytes());
            integers::encode(&self.numbers, out, work);
        }
        true
    }

    /// Appends the form, and how many values and how many numbers there are.
    fn put_form(&self, form: u8, out: &mut Vec<u8>) {
        out.push(form);
        out.extend_from_slice(&(self.distinct.len() as u32).to_le_bytes());
        out.extend_from_slice(&(self.numbers.len() as u32).to_le_bytes());
    }

    fn put_entries(&self, all: &[u8], out: &mut Vec<u8>, work: &mut Work) -> bool {
        let start = out.len();
        self.put_form(ENTRIES, out);
        let fits = entries::encode(self.distinct.values(all), out, work);
        if !fits {
            out.truncate(start);
        }
        fits
    }

    /// Appends what stands before the codes of a column whose texts the block keeps, with `numbers` if its values have some.
    fn put_shared(&self, form: u8, numbers: &[u64], codes: &[u64], out: &mut Vec<u8>, work: &mut Work) {
        self.put_form(form, out);
        if form == DESCRIPTORS {
            integers::encode(numbers, out, work);
        }
        integers::encode(codes, out, work);
    }

    fn put_descriptors(&self, all: &[u8], texts: &mut Distinct, out: &mut Vec<u8>, work: &mut Work) -> bool {
        let has_room = texts.len() + self.distinct.len() <= limits::BLOCK_TEXTS;
        if !has_room || self.distinct.values(all).any(|value| value.len() < DESCRIPTOR_NUMBER) {
            return false;
        }
        let (mut numbers, mut codes) = (Vec::new(), Vec::new());
        for (value, word) in self.distinct.values(all).zip(self.distinct.words()) {
            let Some((number, text)) = value.split_first_chunk() else { return false };
            numbers.push(u64::from_le_bytes(*number));
            // Further on by the number, and shorter by as much.
            let word = word + ((DESCRIPTOR_NUMBER as u64) << 32) - DESCRIPTOR_NUMBER as u64;
            codes.push(u64::from(texts.code(text, word, all)));
        }
        self.put_shared(DESCRIPTORS, &numbers, &codes, out, work);
        true
    }

    /// Whether most of its texts, as far as a sample tells, are among others.
    pub(crate) fn is_mostly_among(&self, others: &Distinct, all: &[u8]) -> bool {
        const LOOKED_AT: usize = 64;
        let step = self.distinct.len().div_ceil(LOOKED_AT).max(1);
        let (mut looked_at, mut shared) = (0, 0);
        for value in self.distinct.values(all).step_by(step) {
            looked_at += 1;
            shared += usize::from(others.has(value, all));
        }
        shared > 0 && shared * 4 >= looked_at * 3
    }

    pub(crate) fn distinct(&self) -> &Distinct {
        &self.distinct
    }

    fn put_texts(&self, all: &[u8], texts: &mut Distinct, out: &mut Vec<u8>, work: &mut Work) -> bool {
        if texts.len() + self.distinct.len() > limits::BLOCK_TEXTS {
            return false;
        }
        let values = self.distinct.values(all).zip(self.distinct.words());
        let codes: Vec<u64> = values.map(|(value, word)| u64::from(texts.code(value, *word, all))).collect();
        self.put_shared(TEXTS, &[], &codes, out, work);
        true
    }

    fn put_codes(&self, out: &mut Vec<u8>, work: &mut Work) {
        let last = self.distinct.len() as u64;
        let code = |code: &u32| match *code {
            MISSING => last,
            NUMBER => last + 1,
            code => u64::from(code),
        };
        let codes: Vec<u64> = self.codes.iter().map(code).collect();
        integers::encode(&codes, out, work);
    }
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

/// The 32-bit fields whose stored numbers are the difference to another field, which comes earlier: tid to pid, ns_pid to
/// pid, ns_tid to ns_pid, gid to uid.
const DIFFERENCES: [(usize, usize); 4] = [(1, 0), (3, 0), (4, 3), (7, 6)];
/// The same for the 64-bit fields: process_start_ns to thread_start_ns.
const WIDE_DIFFERENCE: (usize, usize) = (2, 1);

fn base_of(field: usize) -> Option<usize> {
    DIFFERENCES.iter().find(|(of, _)| *of == field).map(|(_, to)| *to)
}

/// Appends the contexts of a block.
pub(crate) fn encode_contexts(contexts: &ContextTable, out: &mut Vec<u8>, work: &mut Work) {
    let strings: Vec<&[u8]> = contexts.strings.iter().map(Vec::as_slice).collect();
    bytestrings::encode(&strings, out, work);
    let mut words = Vec::with_capacity(contexts.rows.len());
    for field in 0..ContextRow::default().numbers.len() {
        words.clear();
        words.extend(contexts.rows.iter().map(|row| {
            let number = |field: usize| row.numbers.get(field).copied().unwrap_or_default();
            u64::from(number(field).wrapping_sub(base_of(field).map_or(0, number)))
        }));
        integers::encode(&words, out, work);
    }
    for field in 0..ContextRow::default().wide.len() {
        words.clear();
        words.extend(contexts.rows.iter().map(|row| {
            let base = if field == WIDE_DIFFERENCE.0 { row.wide[WIDE_DIFFERENCE.1] } else { 0 };
            row.wide.get(field).copied().unwrap_or_default().wrapping_sub(base)
        }));
        integers::encode(&words, out, work);
    }
}

/// Reads the contexts of a block, of which there are `count`.
pub(crate) fn decode_contexts(
    bytes: &[u8],
    count: usize,
    memory: usize,
    rows: &mut Vec<ContextRow>,
    strings: &mut Dictionary,
) -> Result<(), Torn> {
    let mut rest = bytestrings::decode(bytes, count.saturating_mul(3), memory, strings)?;
    rows.clear();
    rows.resize(count, ContextRow::default());
    let mut numbers: Vec<u32> = Vec::new();
    for field in 0..ContextRow::default().numbers.len() {
        rest = integers::decode(rest, count, &mut numbers)?;
        for (row, number) in rows.iter_mut().zip(&numbers) {
            let base = base_of(field).and_then(|base| row.numbers.get(base)).copied().unwrap_or_default();
            if let Some(place) = row.numbers.get_mut(field) {
                *place = number.wrapping_add(base);
            }
        }
    }
    let mut wide: Vec<u64> = Vec::new();
    for field in 0..ContextRow::default().wide.len() {
        rest = integers::decode(rest, count, &mut wide)?;
        for (row, number) in rows.iter_mut().zip(&wide) {
            let base = if field == WIDE_DIFFERENCE.0 { row.wide[WIDE_DIFFERENCE.1] } else { 0 };
            if let Some(place) = row.wide.get_mut(field) {
                *place = number.wrapping_add(base);
            }
        }
    }
    let known = rows.iter().all(|row| row.numbers[13..].iter().all(|code| (*code as usize) < strings.len()));
    (rest.is_empty() && known).then_some(()).ok_or(Torn)
}
