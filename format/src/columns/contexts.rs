//! The contexts of a block: a dictionary of strings, then a column of integers for each field.

use crate::args::Dictionary;
use crate::builder::{ContextRow, ContextTable};
use crate::bytestrings;
use crate::integers::{self, Torn, Work};

/// The 32-bit fields whose stored numbers are the difference to another field, which comes earlier: tid to pid, ns_pid to
/// pid, ns_tid to ns_pid, gid to uid.
const DIFFERENCES: [(usize, usize); 4] = [(1, 0), (3, 0), (4, 3), (7, 6)];
/// The same for the 64-bit fields: process_start_ns to thread_start_ns.
const WIDE_DIFFERENCE: (usize, usize) = (2, 1);

fn base_of(field: usize) -> Option<usize> {
    DIFFERENCES.iter().find(|(of, _)| *of == field).map(|(_, to)| *to)
}

/// Appends the contexts of a block.
pub(crate) fn encode(contexts: &ContextTable, out: &mut Vec<u8>, work: &mut Work) {
    let strings: Vec<&[u8]> = contexts.strings.texts().collect();
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
pub(crate) fn decode(
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
