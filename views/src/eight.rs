//! Bytes looked at eight at a time. A borrow between them may mark the byte above one that is marked rightly, and no other:
//! whether any is marked is always right.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// Whether none of the bytes is marked by `mark`, which gets eight of them and marks by the highest bit of each. Bytes above
/// 0x7f are marked without it; blanks fill the last eight up.
#[inline]
pub fn none(bytes: &[u8], mark: impl Fn(u64) -> u64) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut last = [b' '; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let marked = |bytes: [u8; 8]| {
        let word = u64::from_le_bytes(bytes);
        word | mark(word)
    };
    let all = words.iter().fold(marked(last), |all, word| all | marked(*word));
    all & HIGH == 0
}

/// Marks bytes below one of 1 to 0x80.
#[inline]
pub fn below(word: u64, least: u8) -> u64 {
    word.wrapping_sub(ONES * u64::from(least)) & !word
}

/// Marks bytes that are this one.
#[inline]
pub fn is(word: u64, byte: u8) -> u64 {
    below(word ^ (ONES * u64::from(byte)), 1)
}
