//! Spreading numbers over tables: the best bits of a product with the golden ratio.

pub const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where a key goes in a table of so many entries, a power of two.
#[inline(always)]
pub fn bucket(key: u64, entries: u32) -> u32 {
    (key.wrapping_mul(GOLDEN_RATIO) >> (64 - entries.ilog2())) as u32
}
