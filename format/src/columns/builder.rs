//! Columns of arguments on their way into bytes.

use super::{BYTES, DESCRIPTOR_NUMBER, DESCRIPTORS, ENTRIES, MIXED, NUMBERS, SPARSE, Sharing, TEXTS};
use crate::args::{MISSING, NUMBER};
use crate::distinct::Distinct;
use crate::integers::{self, Work};
use crate::{bytestrings, entries, limits};

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
