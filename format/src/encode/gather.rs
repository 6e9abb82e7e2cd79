//! Arguments' values of a builder in the order of rows, and which columns of them share their texts.

use hashbrown::HashMap;

use crate::builder::{RawColumn, TAG_BYTES, TAG_MISSING, TAG_NUMBER};
use crate::columns::ColumnBuilder;
use crate::distinct::Distinct;

/// Gathers an argument's values in the order of rows.
pub(super) fn fill(values: &mut ColumnBuilder, column: &RawColumn, order: Option<&[u32]>, bytes: &[u8]) {
    /// Rows may share the bytes of a value in the builder, and one that is this long is compared and hashed once.
    const LONG: usize = 1024;
    values.clear();
    let mut last_value: &[u8] = &[];
    let (mut last_word, mut last_code) = (None, None);
    let mut long: HashMap<u64, u32> = HashMap::new();
    for row in 0..column.tags.len() {
        let row = order.map_or(row, |o| o.get(row).map_or(row, |r| *r as usize));
        let (Some(tag), Some(word)) = (column.tags.get(row), column.words.get(row)) else { continue };
        match *tag {
            TAG_NUMBER => values.number(*word),
            TAG_BYTES => {
                let start = (*word >> 32) as usize;
                let value = bytes.get(start..start + (*word as u32) as usize).unwrap_or_default();
                let known = match last_code {
                    Some(code) if last_word == Some(*word) || value == last_value => Some(code),
                    _ if value.len() >= LONG => long.get(word).copied(),
                    _ => None,
                };
                let code = match known {
                    Some(code) => {
                        values.code(code);
                        code
                    }
                    None => values.bytes(value, *word, bytes),
                };
                if value.len() >= LONG && known.is_none() {
                    long.insert(*word, code);
                }
                (last_word, last_code, last_value) = (Some(*word), Some(code), value);
            }
            _ => {
                debug_assert_eq!(*tag, TAG_MISSING);
                values.missing();
            }
        }
    }
}

/// Which columns of texts share theirs: those whose texts mostly stand for descriptors as well, and any two of which one
/// has most of the other's (the path that a call names, and the one that its hook saw).
pub(super) fn sharing(columns: &[(u32, ColumnBuilder)], texts: &Distinct, bytes: &[u8]) -> Vec<bool> {
    /// Shorter columns are not worth the looking.
    const LEAST: usize = 32;
    let mut shares: Vec<bool> =
        columns.iter().map(|(_, column)| column.is_mostly_among(texts, bytes)).collect();
    let long = || columns.iter().enumerate().filter(|(_, (_, column))| column.distinct().len() >= LEAST);
    for (at, (_, column)) in long() {
        for (other_at, (_, other)) in long().filter(|(other_at, _)| *other_at != at) {
            // Not for a few of them: the others' readers would have all the block's texts to read.
            let is_alike = column.distinct().len() * 2 >= other.distinct().len();
            if is_alike && column.is_mostly_among(other.distinct(), bytes) {
                for place in [at, other_at] {
                    if let Some(shares) = shares.get_mut(place) {
                        *shares = true;
                    }
                }
            }
        }
    }
    shares
}

/// Rows by time, when they are not already.
pub(super) fn time_order(times: &[u64]) -> Option<Vec<u32>> {
    if times.is_sorted() {
        return None;
    }
    let mut order: Vec<u32> = (0..times.len() as u32).collect();
    order.sort_by_key(|row| times.get(*row as usize));
    Some(order)
}
