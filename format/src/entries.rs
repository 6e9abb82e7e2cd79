//! Entries of directories in columns of their own: inodes, types and names.
//!
//! ```text
//! column of how many entries each value has, u32 entries in all, column of their inodes, column of their types,
//! u32 bytes of all names, their names, each with a NUL
//! ```

use events::dirents::{self, Dirent, FIXED_BYTES, Layout, TAG};

use crate::args::Dictionary;
use crate::integers::{self, Torn, Work};

/// Appends values; `false`, and nothing, when one of them is not whole entries and nothing else.
pub(crate) fn encode<'a>(values: impl Iterator<Item = &'a [u8]>, out: &mut Vec<u8>, work: &mut Work) -> bool {
    let (mut counts, mut inodes, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    let mut names: Vec<u8> = Vec::new();
    for value in values {
        let (before, mut bytes) = (inodes.len(), 1);
        for entry in dirents::stored(value) {
            bytes += FIXED_BYTES + entry.name.len();
            inodes.push(entry.inode);
            kinds.push(u64::from(entry.kind));
            names.extend_from_slice(entry.name);
            names.push(0);
        }
        if value.first() != Some(&TAG) || value.len() != bytes {
            return false;
        }
        counts.push((inodes.len() - before) as u64);
    }
    integers::encode(&counts, out, work);
    out.extend_from_slice(&(inodes.len() as u32).to_le_bytes());
    integers::encode(&inodes, out, work);
    integers::encode(&kinds, out, work);
    out.extend_from_slice(&(names.len() as u32).to_le_bytes());
    out.extend_from_slice(&names);
    true
}

/// Reads so many values of at most `memory` bytes, and returns what follows them.
pub(crate) fn decode<'a>(
    values: usize,
    bytes: &'a [u8],
    memory: usize,
    dictionary: &mut Dictionary,
) -> Result<&'a [u8], Torn> {
    let (mut counts, mut inodes, mut kinds): (Vec<u32>, Vec<u64>, Vec<u8>) = Default::default();
    let rest = integers::decode(bytes, values, &mut counts)?;
    let (count, rest) = rest.split_first_chunk().ok_or(Torn)?;
    let count = u32::from_le_bytes(*count) as usize;
    // Inodes and types are decoded on the way to the entries.
    if count.checked_mul(FIXED_BYTES + 9).is_none_or(|fixed| fixed > memory) {
        return Err(Torn);
    }
    let rest = integers::decode(rest, count, &mut inodes)?;
    let rest = integers::decode(rest, count, &mut kinds)?;
    let (length, rest) = rest.split_first_chunk().ok_or(Torn)?;
    let (names, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(Torn)?;
    let total = values + count * (FIXED_BYTES - 1) + names.len();
    if total + count * 9 > memory || counts.iter().map(|count| u64::from(*count)).sum::<u64>() != count as u64
    {
        return Err(Torn);
    }
    dictionary.bytes.reserve(total);
    let mut entries = inodes.iter().zip(&kinds);
    let mut names = names.split_inclusive(|byte| *byte == 0);
    for count in counts {
        dictionary.bytes.push(TAG);
        for (inode, kind) in entries.by_ref().take(count as usize) {
            let name = names.next().and_then(|name| name.strip_suffix(&[0])).ok_or(Torn)?;
            put(&Dirent { inode: *inode, kind: *kind, name }, &mut dictionary.bytes);
        }
        dictionary.ends.push(dictionary.bytes.len() as u32);
    }
    names.next().is_none().then_some(rest).ok_or(Torn)
}

/// Bytes that [`lift`] makes of a dictionary at most: entries are shorter than the kernel's, but for the tag.
pub(crate) fn lifted_bytes(dictionary: &Dictionary) -> usize {
    dictionary.bytes.len() + dictionary.len()
}

/// Makes values that are as the kernel laid them out what is stored today.
pub(crate) fn lift(dictionary: &mut Dictionary, layout: Layout) {
    let kernel = std::mem::take(dictionary);
    dictionary.bytes.reserve_exact(lifted_bytes(&kernel));
    dictionary.ends.reserve_exact(kernel.len());
    for value in kernel.iter() {
        dictionary.bytes.push(TAG);
        layout.of_value(value).entries(value).for_each(|entry| put(&entry, &mut dictionary.bytes));
        dictionary.ends.push(dictionary.bytes.len() as u32);
    }
}

fn put(entry: &Dirent<'_>, out: &mut Vec<u8>) {
    entry.store(|part| out.extend_from_slice(part));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(entries: &[(u64, u8, &[u8])]) -> Vec<u8> {
        let mut bytes = vec![TAG];
        entries
            .iter()
            .for_each(|(inode, kind, name)| put(&Dirent { inode: *inode, kind: *kind, name }, &mut bytes));
        bytes
    }

    fn encoded(values: &[Vec<u8>]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        encode(values.iter().map(Vec::as_slice), &mut out, &mut Work::default()).then_some(out)
    }

    #[test]
    fn values_read_back_and_no_cut_of_them_does() {
        let values = [
            stored(&[(2, 4, b"."), (2, 4, b".."), (11, 4, b"lost+found"), (u64::MAX, 8, b"lost")]),
            stored(&[]),
            stored(&[(12, 10, b"bin")]),
        ];
        let bytes = encoded(&values).unwrap();
        let mut dictionary = Dictionary::default();
        let rest = decode(values.len(), &bytes, 1 << 20, &mut dictionary);
        assert_eq!(rest.map_err(|_| ()), Ok(&[][..]));
        assert_eq!(dictionary.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), values);
        for cut in 0..bytes.len() {
            assert!(
                decode(values.len(), &bytes[..cut], 1 << 20, &mut Dictionary::default()).is_err(),
                "{cut}"
            );
        }
        // Five entries, with what is decoded on the way.
        let all = values.iter().map(Vec::len).sum::<usize>() + 5 * 9;
        assert!(decode(values.len(), &bytes, all, &mut Dictionary::default()).is_ok());
        assert!(decode(values.len(), &bytes, all - 1, &mut Dictionary::default()).is_err());
    }

    #[test]
    fn values_of_another_kind_are_left_to_other_forms() {
        for value in [&b""[..], b"x", b"text", &stored(&[(1, 2, b"name")])[..8], &[TAG, 0]] {
            assert_eq!(encoded(&[value.to_vec()]), None, "{value:?}");
        }
    }

    #[test]
    fn what_the_kernel_laid_out_becomes_stored_entries() {
        let mut kernel = [0; 24];
        (kernel[0], kernel[8], kernel[16], kernel[18]) = (9, 0xee, 24, 8);
        kernel[19..23].copy_from_slice(b"note");
        let mut dictionary =
            Dictionary { ends: vec![0, 24, 40], bytes: [&kernel[..], &kernel[..16]].concat() };
        lift(&mut dictionary, Layout::Linux64);
        let values: Vec<&[u8]> = dictionary.iter().collect();
        assert_eq!(values, [stored(&[]), stored(&[(9, 8, b"note")]), stored(&[])]);
    }
}
