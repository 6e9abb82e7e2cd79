//! Dictionaries of byte strings as bytes.
//!
//! ```text
//! u8 layout, u32 count, then
//!   CONCAT  column of lengths, the strings' bytes one after the other
//!   FRONT   column of lengths of what each shares with the start of the string before it, column of lengths of the
//!           rest, the rests' bytes
//!   LANES   u32 length that all have; for each eight bytes of it (fewer at the end) a column of `count` integers
//! ```

use crate::args::Dictionary;
use crate::integers::{self, Torn, Work};

pub(crate) const CONCAT: u8 = 0;
pub(crate) const FRONT: u8 = 1;
pub(crate) const LANES: u8 = 2;

/// Strings of one length, and long enough for structures, are stored in lanes.
const LANE_LENGTHS: std::ops::RangeInclusive<usize> = 4..=1024;

/// Appends a dictionary.
pub(crate) fn encode(strings: &[&[u8]], out: &mut Vec<u8>, work: &mut Work) {
    let count = (strings.len() as u32).to_le_bytes();
    let first = strings.first().map_or(0, |s| s.len());
    let same = strings.iter().all(|s| s.len() == first);
    if same && strings.len() >= 8 && LANE_LENGTHS.contains(&first) && is_binary(strings) {
        out.push(LANES);
        out.extend_from_slice(&count);
        out.extend_from_slice(&(first as u32).to_le_bytes());
        let mut lane = Vec::with_capacity(strings.len());
        for start in (0..first).step_by(8) {
            lane.clear();
            lane.extend(strings.iter().map(|s| little_endian(s.get(start..).unwrap_or_default())));
            integers::encode(&lane, out, work);
        }
        return;
    }
    let mut shared = Vec::with_capacity(strings.len());
    let mut last: &[u8] = &[];
    for &string in strings {
        shared.push(common_prefix(last, string) as u64);
        last = string;
    }
    let total: u64 = shared.iter().sum();
    if total > strings.len() as u64 * 3 {
        out.push(FRONT);
        out.extend_from_slice(&count);
        integers::encode(&shared, out, work);
        let rests: Vec<&[u8]> =
            strings.iter().zip(&shared).map(|(s, n)| s.get(*n as usize..).unwrap_or_default()).collect();
        put_lengths_and_bytes(&rests, out, work);
    } else {
        out.push(CONCAT);
        out.extend_from_slice(&count);
        put_lengths_and_bytes(strings, out, work);
    }
}

fn put_lengths_and_bytes(strings: &[&[u8]], out: &mut Vec<u8>, work: &mut Work) {
    let lengths: Vec<u64> = strings.iter().map(|s| s.len() as u64).collect();
    integers::encode(&lengths, out, work);
    for string in strings {
        out.extend_from_slice(string);
    }
}

/// Whether the strings look like structures rather than text.
fn is_binary(strings: &[&[u8]]) -> bool {
    let binary = |s: &&&[u8]| s.iter().any(|b| *b < 9 || (*b > 13 && *b < 32));
    let sample = strings.len().min(64);
    strings.iter().take(sample).filter(binary).count() * 2 > sample
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().take(8).enumerate().fold(0, |number, (at, byte)| number | u64::from(*byte) << (at * 8))
}

fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Reads a dictionary of at most `most` strings and `memory` bytes, and returns what follows it.
pub(crate) fn decode<'a>(
    bytes: &'a [u8],
    most: usize,
    memory: usize,
    dictionary: &mut Dictionary,
) -> Result<&'a [u8], Torn> {
    dictionary.bytes.clear();
    dictionary.ends.clear();
    let (layout, rest) = bytes.split_first().ok_or(Torn)?;
    let (count, rest) = rest.split_first_chunk().ok_or(Torn)?;
    let count = u32::from_le_bytes(*count) as usize;
    if count > most {
        return Err(Torn);
    }
    match *layout {
        CONCAT => {
            let (lengths, rest) = read_lengths(rest, count)?;
            let total = total(&lengths, memory)?;
            let (strings, rest) = rest.split_at_checked(total).ok_or(Torn)?;
            dictionary.bytes.extend_from_slice(strings);
            put_ends(&lengths, dictionary);
            Ok(rest)
        }
        FRONT => {
            let (shared, rest) = read_lengths(rest, count)?;
            let (lengths, rest) = read_lengths(rest, count)?;
            let suffix_bytes = total(&lengths, memory)?;
            let total = suffix_bytes + total(&shared, memory - suffix_bytes)?;
            let (suffixes, rest) = rest.split_at_checked(suffix_bytes).ok_or(Torn)?;
            dictionary.bytes.resize(total, 0);
            put_fronts(&shared, &lengths, suffixes, dictionary)?;
            Ok(rest)
        }
        LANES => {
            let (length, mut rest) = rest.split_first_chunk().ok_or(Torn)?;
            let length = u32::from_le_bytes(*length) as usize;
            let total = length.checked_mul(count).filter(|n| *n <= memory).ok_or(Torn)?;
            // A lane of constants is 10 bytes, so the declared length is backed by bytes of the file.
            if length.div_ceil(8) * 10 > rest.len() {
                return Err(Torn);
            }
            dictionary.bytes.resize(total, 0);
            let mut lane: Vec<u64> = Vec::new();
            for start in (0..length).step_by(8) {
                rest = integers::decode(rest, count, &mut lane)?;
                let width = (length - start).min(8);
                for (string, number) in dictionary.bytes.chunks_exact_mut(length).zip(&lane) {
                    let lane = string.get_mut(start..start + width).unwrap_or_default();
                    for (to, from) in lane.iter_mut().zip(number.to_le_bytes()) {
                        *to = from;
                    }
                }
            }
            dictionary.ends.extend((1..=count).map(|n| (n * length) as u32));
            Ok(rest)
        }
        _ => Err(Torn),
    }
}

/// Bytes that are copied at once where there is room for it, needed or not: pieces of paths are short, and a copy of a
/// fixed length needs no call.
const CHUNK: usize = 64;

/// Puts strings together from what each shares with the one before and from their rests, into bytes that are as many as
/// that takes.
fn put_fronts(
    shared: &[u32],
    lengths: &[u32],
    suffixes: &[u8],
    dictionary: &mut Dictionary,
) -> Result<(), Torn> {
    let bytes = dictionary.bytes.as_mut_slice();
    let (mut start, mut end, mut suffix) = (0, 0, 0);
    for (shared, length) in shared.iter().zip(lengths) {
        let (shared, length) = (*shared as usize, *length as usize);
        if shared > end - start {
            return Err(Torn);
        }
        // Whatever such copies write beyond their end is written again by what follows.
        let short = shared <= CHUNK && length <= CHUNK;
        let front = bytes.get(start..).and_then(|front| front.first_chunk::<CHUNK>()).copied();
        let rest = suffixes.get(suffix..).and_then(|rest| rest.first_chunk::<CHUNK>());
        let to = bytes.get_mut(end..).filter(|to| to.len() >= shared + CHUNK);
        if let (true, Some(front), Some(rest), Some(to)) = (short, front, rest, to) {
            if let Some(to) = to.first_chunk_mut() {
                *to = front;
            }
            if let Some(to) = to.get_mut(shared..).and_then(|to| to.first_chunk_mut()) {
                *to = *rest;
            }
        } else {
            let room = end + shared..end + shared + length;
            if room.end > bytes.len() {
                return Err(Torn);
            }
            bytes.copy_within(start..start + shared, end);
            let rest = suffixes.get(suffix..suffix + length).ok_or(Torn)?;
            bytes.get_mut(room).ok_or(Torn)?.copy_from_slice(rest);
        }
        (start, end) = (end, end + shared + length);
        suffix += length;
        dictionary.ends.push(end as u32);
    }
    Ok(())
}

fn read_lengths(bytes: &[u8], count: usize) -> Result<(Vec<u32>, &[u8]), Torn> {
    let mut lengths = Vec::new();
    let rest = integers::decode(bytes, count, &mut lengths)?;
    Ok((lengths, rest))
}

fn total(lengths: &[u32], memory: usize) -> Result<usize, Torn> {
    let total: u64 = lengths.iter().map(|n| u64::from(*n)).sum();
    usize::try_from(total).ok().filter(|n| *n <= memory).ok_or(Torn)
}

fn put_ends(lengths: &[u32], dictionary: &mut Dictionary) {
    let mut end = 0;
    dictionary.ends.extend(lengths.iter().map(|length| {
        end += length;
        end
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(strings: &[&[u8]]) -> u8 {
        let mut bytes = Vec::new();
        encode(strings, &mut bytes, &mut Work::default());
        let mut read = Dictionary::default();
        assert_eq!(decode(&bytes, strings.len(), 1 << 20, &mut read), Ok(&[][..]));
        assert_eq!(read.iter().collect::<Vec<_>>(), strings);
        for end in 0..bytes.len() {
            assert_eq!(decode(&bytes[..end], strings.len(), 1 << 20, &mut read), Err(Torn), "cut at {end}");
        }
        if !strings.is_empty() {
            assert_eq!(decode(&bytes, strings.len() - 1, 1 << 20, &mut read), Err(Torn));
        }
        bytes[0]
    }

    #[test]
    fn unlike_strings_stand_one_after_the_other() {
        assert_eq!(round_trip(&[b"one", b"", b"three", &[0xff; 300]]), CONCAT);
        assert_eq!(round_trip(&[]), CONCAT);
    }

    #[test]
    fn paths_share_their_beginnings() {
        assert_eq!(round_trip(&[b"/usr/lib/a.so", b"/usr/lib/b.so", b"/usr/lib", b"/usr/share"]), FRONT);
    }

    #[test]
    fn paths_of_any_length_come_back() {
        let text = |n: usize| format!("{}{}", "/usr/lib/".repeat(n * 7 % 17), "x".repeat(n * n % 131));
        let texts: Vec<String> = (0..300).map(text).collect();
        let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        assert_eq!(round_trip(&texts), FRONT);
    }

    #[test]
    fn changed_bytes_give_an_error_or_other_strings_within_the_bound() {
        let texts: Vec<String> = (0..40).map(|n| format!("/usr/lib/{}", "y".repeat(n * 5 % 97))).collect();
        let texts: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let mut bytes = Vec::new();
        encode(&texts, &mut bytes, &mut Work::default());
        let mut read = Dictionary::default();
        for at in 0..bytes.len() {
            for change in [1, 0x20, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= change;
                if decode(&changed, 1000, 1 << 16, &mut read).is_ok() {
                    assert!(read.bytes.len() <= 1 << 16 && read.len() <= 1000);
                    assert!(read.ends.is_sorted() && read.iter().count() == read.len());
                    assert_eq!(read.ends.last().map_or(0, |end| *end as usize), read.bytes.len());
                }
            }
        }
    }

    #[test]
    fn structures_are_stored_field_by_field() {
        let structs: Vec<Vec<u8>> = (0..20u64)
            .map(|n| [n.to_le_bytes(), 7u64.to_le_bytes(), (n * n).to_le_bytes()].concat()[..20].to_vec())
            .collect();
        let structs: Vec<&[u8]> = structs.iter().map(Vec::as_slice).collect();
        assert_eq!(round_trip(&structs), LANES);
    }
}
