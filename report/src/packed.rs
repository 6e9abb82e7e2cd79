//! Numbers and texts as the page's script reads them: in planes of bytes, deflated, in base64.
//!
//! ```text
//! numbers   mode  planes  count (u32)  then what the mode says
//!   0       the numbers, a plane for each byte, the low one first
//!   1       the differences to the number before, zigzag, the same way
//!   2       a list of the distinct numbers (numbers of mode 0 or 1), then which of them each is (the same)
//! ```
//! Planes of equal bytes deflate to nothing, and those that change little to little.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::DeflateEncoder;
use hashbrown::HashMap;

const PLAIN: u8 = 0;
const DIFFERENCES: u8 = 1;
const LISTED: u8 = 2;

/// Small for small numbers of either sign.
pub fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

pub fn deflated(bytes: &[u8], is_last: bool) -> Vec<u8> {
    let level = if is_last { Compression::best() } else { Compression::new(4) };
    let mut encoder = DeflateEncoder::new(Vec::with_capacity(bytes.len() / 4), level);
    // Memory takes everything.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Appends numbers in the form that is the smallest when it is deflated.
pub fn numbers(all: &[u64], out: &mut Vec<u8>) {
    let mut forms = vec![planes(PLAIN, all), planes(DIFFERENCES, &differences(all))];
    if let Some((list, codes)) = listed(all) {
        let mut form = vec![LISTED, 0];
        form.extend_from_slice(&(all.len() as u32).to_le_bytes());
        flat(&list, &mut form);
        flat(&codes, &mut form);
        forms.push(form);
    }
    if let Some(form) = smallest(forms) {
        out.extend_from_slice(&form);
    }
}

/// The same, without a list.
fn flat(all: &[u64], out: &mut Vec<u8>) {
    if let Some(form) = smallest(vec![planes(PLAIN, all), planes(DIFFERENCES, &differences(all))]) {
        out.extend_from_slice(&form);
    }
}

fn smallest(forms: Vec<Vec<u8>>) -> Option<Vec<u8>> {
    // What is short needs no trial.
    forms
        .into_iter()
        .min_by_key(|form| if form.len() < 64 { form.len() } else { deflated(form, false).len() })
}

fn differences(all: &[u64]) -> Vec<u64> {
    let mut before = 0;
    let difference = |number: &u64| {
        let difference = zigzag(number.wrapping_sub(before) as i64);
        before = *number;
        difference
    };
    all.iter().map(difference).collect()
}

/// The distinct numbers in the order in which they come, and which of them each is; `None` where that is no saving.
fn listed(all: &[u64]) -> Option<(Vec<u64>, Vec<u64>)> {
    let (mut known, mut list) = (HashMap::new(), Vec::new());
    let mut codes = Vec::with_capacity(all.len());
    for number in all {
        let code = *known.entry(*number).or_insert_with(|| {
            list.push(*number);
            list.len() as u64 - 1
        });
        if list.len() > all.len() / 4 + 16 {
            return None;
        }
        codes.push(code);
    }
    Some((list, codes))
}

fn planes(mode: u8, all: &[u64]) -> Vec<u8> {
    let most = all.iter().copied().max().unwrap_or(0);
    let count = (64 - most.leading_zeros()).div_ceil(8) as usize;
    let mut form = Vec::with_capacity(6 + all.len() * count);
    form.extend_from_slice(&[mode, count as u8]);
    form.extend_from_slice(&(all.len() as u32).to_le_bytes());
    for plane in 0..count {
        form.extend(all.iter().map(|number| (number >> (8 * plane)) as u8));
    }
    form
}

/// The parts of a page's data: each deflated, one behind the other, with a list of where they are.
#[derive(Debug, Default)]
pub struct Parts {
    bytes: Vec<u8>,
    /// Name, length as it is deflated, length as it is.
    list: Vec<(String, usize, usize)>,
}

impl Parts {
    pub fn add(&mut self, name: impl Into<String>, bytes: &[u8]) {
        let deflated = deflated(bytes, true);
        self.list.push((name.into(), deflated.len(), bytes.len()));
        self.bytes.extend_from_slice(&deflated);
    }

    /// Names are ours, and the rest is digits: nothing in it needs to be escaped.
    pub fn list(&self) -> String {
        let parts = self.list.iter().map(|(name, deflated, bytes)| format!("{name} {deflated} {bytes}"));
        parts.collect::<Vec<_>>().join("\n")
    }

    pub fn base64(&self) -> String {
        base64(&self.bytes)
    }
}

#[cfg(test)]
impl Parts {
    /// All parts, as the page's script has them.
    pub fn inflated(&self) -> Vec<(String, Vec<u8>)> {
        let mut rest = self.bytes.as_slice();
        let part = |(name, length, _): &(String, usize, usize)| {
            let (own, behind) = rest.split_at(*length);
            rest = behind;
            (name.clone(), unpacked::inflated(own))
        };
        self.list.iter().map(part).collect()
    }
}

/// What the page's script does, for tests.
#[cfg(test)]
pub mod unpacked {
    use super::*;

    pub fn inflated(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::DeflateDecoder::new(Vec::new());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    pub fn numbers(bytes: &mut &[u8]) -> Vec<u64> {
        let (mode, planes) = (bytes[0], usize::from(bytes[1]));
        let count = u32::from_le_bytes(bytes[2..6].try_into().unwrap()) as usize;
        *bytes = &bytes[6..];
        if mode == LISTED {
            let (list, codes) = (numbers(bytes), numbers(bytes));
            return codes.into_iter().map(|code| list[code as usize]).collect();
        }
        let (mut all, mut before) = (Vec::new(), 0u64);
        for at in 0..count {
            let mut number =
                (0..planes).fold(0, |sum, plane| sum | u64::from(bytes[plane * count + at]) << (8 * plane));
            if mode == DIFFERENCES {
                number = before.wrapping_add(((number >> 1) as i64 ^ -((number & 1) as i64)) as u64);
                before = number;
            }
            all.push(number);
        }
        *bytes = &bytes[planes * count..];
        all
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(
            all in proptest::collection::vec(prop_oneof![any::<u64>(), 0..20u64, Just(u64::MAX)], 0..300)
        ) {
            let mut bytes = Vec::new();
            numbers(&all, &mut bytes);
            let mut rest = bytes.as_slice();
            prop_assert_eq!(unpacked::numbers(&mut rest), all);
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn what_rises_and_what_repeats_takes_little() {
        let size = |all: &[u64]| {
            let mut bytes = Vec::new();
            numbers(all, &mut bytes);
            deflated(&bytes, true).len()
        };
        assert!(size(&(0..100_000).map(|at| at * 1000).collect::<Vec<_>>()) < 1000);
        assert!(size(&vec![u64::MAX - 1; 100_000]) < 1000);
    }

    #[test]
    fn parts_are_found_by_their_lengths() {
        let mut parts = Parts::default();
        parts.add("a", b"aaaa");
        parts.add("b:1", &[7; 100]);
        let lengths: Vec<usize> =
            parts.list().lines().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
        let (first, second) = parts.bytes.split_at(lengths[0]);
        assert_eq!((unpacked::inflated(first), unpacked::inflated(second)), (b"aaaa".to_vec(), vec![7; 100]));
    }
}
