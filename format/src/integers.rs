//! Columns of integers: constants, offsets from a base, differences or dictionaries, as bytes that zstd then takes well.
//!
//! ```text
//! u8 scheme, u8 width, then
//!   PLAIN   u64 base                   rows     numbers: value - base
//!   DELTA   u64 first, u64 step        rows - 1 numbers: zigzag(difference - step)
//!   RISING  u64 first, u64 least       rows - 1 numbers: difference - least
//!   DICT    u32 count, u32 bytes, column of `count` values (`bytes` long), column of `rows` indices
//! ```
//! Numbers are `width` bytes each (0 to 8, little endian) and stand in planes: the lowest byte of all, then the next of
//! all, and so on. With [`WOVEN`] set in the scheme they stand one after the other instead.

use hashbrown::HashMap;

pub(crate) const PLAIN: u8 = 0;
pub(crate) const DELTA: u8 = 1;
pub(crate) const RISING: u8 = 2;
pub(crate) const DICT: u8 = 3;
pub(crate) const WOVEN: u8 = 0x80;

/// Most values that a dictionary has.
const DICT_VALUES: usize = 4096;
/// Values that are looked at to choose a scheme.
const SAMPLE: usize = 2048;

/// Reused while encoding.
#[derive(Debug, Default)]
pub(crate) struct Work {
    numbers: Vec<u64>,
    sample: Vec<u64>,
    seen: HashMap<u64, u32>,
}

/// Appends the column to `out`.
pub(crate) fn encode(values: &[u64], out: &mut Vec<u8>, work: &mut Work) {
    encode_at(values, out, work, true);
}

fn encode_at(values: &[u64], out: &mut Vec<u8>, work: &mut Work, dictionaries: bool) {
    let Some(&first) = values.first() else { return put_plain(&[], 0, 0, out) };
    let (min, max) = values.iter().fold((first, first), |(low, high), v| (low.min(*v), high.max(*v)));
    if min == max {
        return put_plain(&[], min, 0, out);
    }
    let steps = Steps::of(values);
    if steps.least == steps.most {
        out.extend_from_slice(&[DELTA, 0]);
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&(steps.least as u64).to_le_bytes());
        return;
    }
    let plain_width = width_of(max - min);
    let rising = steps.least >= 0;
    let delta_width =
        if rising { width_of((steps.most - steps.least) as u64) } else { width_of(steps.widest_zigzag) };
    let plain = sampled_bits(values, work, plain_width, |pair| pair[1].wrapping_sub(min));
    let delta = sampled_bits(values, work, delta_width, |pair| {
        let step = pair[1].wrapping_sub(pair[0]) as i64;
        if rising { step.wrapping_sub(steps.least) as u64 } else { zigzag(step) }
    });
    let best = plain.min(delta);
    if dictionaries && plain_width > 1 && best > 2.0 && put_dictionary(values, best, out, work) {
        return;
    }
    // Estimates from a sample err, so wider numbers must promise more.
    if delta < plain * if delta_width > plain_width { 0.8 } else { 0.97 } {
        out.extend_from_slice(&[if rising { RISING } else { DELTA }, delta_width]);
        out.extend_from_slice(&first.to_le_bytes());
        let base = if rising { steps.least as u64 } else { 0 };
        out.extend_from_slice(&base.to_le_bytes());
        let mut numbers = std::mem::take(&mut work.numbers);
        numbers.clear();
        numbers.extend(values.windows(2).map(|pair| {
            let step = pair[1].wrapping_sub(pair[0]);
            if rising { step.wrapping_sub(base) } else { zigzag(step as i64) }
        }));
        put_planes(&numbers, 0, delta_width, out);
        work.numbers = numbers;
    } else {
        put_plain(values, min, plain_width, out);
    }
}

/// Extremes of the differences between neighbours.
struct Steps {
    least: i64,
    most: i64,
    widest_zigzag: u64,
}

impl Steps {
    fn of(values: &[u64]) -> Steps {
        let mut steps = Steps { least: i64::MAX, most: i64::MIN, widest_zigzag: 0 };
        for pair in values.windows(2) {
            let step = pair[1].wrapping_sub(pair[0]) as i64;
            steps.least = steps.least.min(step);
            steps.most = steps.most.max(step);
            steps.widest_zigzag = steps.widest_zigzag.max(zigzag(step));
        }
        steps
    }
}

const fn zigzag(step: i64) -> u64 {
    ((step << 1) ^ (step >> 63)) as u64
}

const fn unzigzag(number: u64) -> u64 {
    (number >> 1) ^ (number & 1).wrapping_neg()
}

fn width_of(number: u64) -> u8 {
    (64 - number.leading_zeros()).div_ceil(8) as u8
}

fn put_plain(values: &[u64], base: u64, width: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(&[PLAIN, width]);
    out.extend_from_slice(&base.to_le_bytes());
    put_planes(values, base, width, out);
}

fn put_planes(values: &[u64], base: u64, width: u8, out: &mut Vec<u8>) {
    for plane in 0..width {
        let shift = u32::from(plane) * 8;
        out.extend(values.iter().map(|v| (v.wrapping_sub(base) >> shift) as u8));
    }
}

/// About how many bits a number takes once its planes are entropy-coded, from a sample of neighbours.
fn sampled_bits(values: &[u64], work: &mut Work, width: u8, number: impl Fn(&[u64]) -> u64) -> f64 {
    work.sample.clear();
    let pairs = values.len() - 1;
    let window = SAMPLE / 4;
    if pairs <= SAMPLE {
        work.sample.extend(values.windows(2).map(number));
    } else {
        for at in 0..4 {
            let start = (pairs - window) / 3 * at;
            let stretch = values.get(start..start + window + 1).unwrap_or_default();
            work.sample.extend(stretch.windows(2).map(&number));
        }
    }
    let total = work.sample.len() as f64;
    let mut bits = 0.0;
    for plane in 0..width {
        let mut counts = [0u32; 256];
        for n in &work.sample {
            counts[(n >> (u32::from(plane) * 8)) as usize & 0xff] += 1;
        }
        let mut distinct = 0;
        for count in counts.iter().filter(|c| **c > 0) {
            let count = f64::from(*count);
            bits += count * (total / count).log2();
            distinct += 1;
        }
        // What describing the code costs.
        bits += f64::from(distinct) * 4.0;
    }
    bits / total
}

/// Writes the column as a dictionary when that is estimated to take less than `bits` a value.
fn put_dictionary(values: &[u64], bits: f64, out: &mut Vec<u8>, work: &mut Work) -> bool {
    let sample = values.len().min(SAMPLE);
    work.seen.clear();
    for value in values.iter().step_by((values.len() / sample).max(1)) {
        let next = work.seen.len() as u32;
        work.seen.entry(*value).or_insert(next);
    }
    if work.seen.len() > sample / 4 {
        return false;
    }
    work.seen.clear();
    let mut distinct = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    let mut last = (values.first().map_or(0, |v| !*v), 0);
    for value in values {
        if *value != last.0 {
            let next = distinct.len() as u32;
            let code = *work.seen.entry(*value).or_insert(next);
            if code == next {
                if distinct.len() == DICT_VALUES {
                    return false;
                }
                distinct.push(*value);
            }
            last = (*value, code);
        }
        codes.push(u64::from(last.1));
    }
    let rows = values.len() as f64;
    let code_bits = sampled_bits(&codes, work, width_of(distinct.len() as u64 - 1), |pair| pair[1]);
    if code_bits * rows + distinct.len() as f64 * 40.0 > bits * rows * 0.95 {
        return false;
    }
    out.extend_from_slice(&[DICT, 0]);
    out.extend_from_slice(&(distinct.len() as u32).to_le_bytes());
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    encode_at(&distinct, out, work, false);
    let length = (out.len() - length_at - 4) as u32;
    if let Some(place) = out.get_mut(length_at..length_at + 4) {
        place.copy_from_slice(&length.to_le_bytes());
    }
    encode_at(&codes, out, work, false);
    true
}

/// The bytes are no column of so many rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Torn;

/// The one number that a column has in every row, and what follows the column.
pub(crate) fn constant(bytes: &[u8]) -> Option<(u64, &[u8])> {
    word(bytes.strip_prefix(&[PLAIN, 0])?).ok()
}

/// What columns decode to.
pub(crate) trait Integer: Copy + Default {
    fn from_word(word: u64) -> Self;
}

macro_rules! integers {
    ($($t:ty),*) => { $(impl Integer for $t {
        #[inline(always)]
        fn from_word(word: u64) -> $t { word as $t }
    })* };
}
integers!(u8, u16, u32, u64, i64);

/// Replaces `out` with the column's `rows` values, cut to the type's width, and returns what follows the column.
pub(crate) fn decode<'a, T: Integer>(
    bytes: &'a [u8],
    rows: usize,
    out: &mut Vec<T>,
) -> Result<&'a [u8], Torn> {
    out.clear();
    decode_at(bytes, rows, out, true)
}

fn decode_at<'a, T: Integer>(
    bytes: &'a [u8],
    rows: usize,
    out: &mut Vec<T>,
    dictionaries: bool,
) -> Result<&'a [u8], Torn> {
    let ([scheme, width], rest) = bytes.split_first_chunk::<2>().ok_or(Torn)?;
    let (woven, width) = (scheme & WOVEN != 0, *width as usize);
    if width > 8 {
        return Err(Torn);
    }
    match scheme & !WOVEN {
        PLAIN => {
            let (base, rest) = word(rest)?;
            let (numbers, rest) = rest.split_at_checked(rows.checked_mul(width).ok_or(Torn)?).ok_or(Torn)?;
            read_numbers(numbers, rows, width, woven, out, |number| base.wrapping_add(number));
            Ok(rest)
        }
        DELTA | RISING => {
            let zigzags = scheme & !WOVEN == DELTA;
            let (first, rest) = word(rest)?;
            let (step, rest) = word(rest)?;
            let Some(steps) = rows.checked_sub(1) else { return Ok(rest) };
            let (numbers, rest) = rest.split_at_checked(steps.checked_mul(width).ok_or(Torn)?).ok_or(Torn)?;
            let mut value = first;
            out.reserve(rows);
            out.push(T::from_word(first));
            read_numbers(numbers, steps, width, woven, out, |number| {
                let number = if zigzags { unzigzag(number) } else { number };
                value = value.wrapping_add(step).wrapping_add(number);
                value
            });
            Ok(rest)
        }
        DICT if dictionaries => {
            let (count, rest) = rest.split_first_chunk().ok_or(Torn)?;
            let (length, rest) = rest.split_first_chunk().ok_or(Torn)?;
            let count = u32::from_le_bytes(*count) as usize;
            if count > DICT_VALUES {
                return Err(Torn);
            }
            let (inner, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(Torn)?;
            let mut distinct: Vec<T> = Vec::new();
            decode_at(inner, count, &mut distinct, false)?;
            let mut codes: Vec<u16> = Vec::new();
            let rest = decode_at(rest, rows, &mut codes, false)?;
            if codes.iter().any(|code| *code as usize >= distinct.len()) {
                return Err(Torn);
            }
            out.extend(codes.iter().map(|code| distinct.get(*code as usize).copied().unwrap_or_default()));
            Ok(rest)
        }
        _ => Err(Torn),
    }
}

fn word(bytes: &[u8]) -> Result<(u64, &[u8]), Torn> {
    let (word, rest) = bytes.split_first_chunk().ok_or(Torn)?;
    Ok((u64::from_le_bytes(*word), rest))
}

/// Reads `rows` numbers of `width` bytes, whose length the caller has checked.
fn read_numbers<T: Integer>(
    bytes: &[u8],
    rows: usize,
    width: usize,
    woven: bool,
    out: &mut Vec<T>,
    mut value: impl FnMut(u64) -> u64,
) {
    let plane = |at: usize| bytes.get(at * rows..(at + 1) * rows).unwrap_or_default();
    match width {
        0 => out.extend((0..rows).map(|_| T::from_word(value(0)))),
        1 => out.extend(bytes.iter().map(|b| T::from_word(value(u64::from(*b))))),
        _ if woven => out.extend(bytes.chunks_exact(width).map(|chunk| {
            let mut bytes = [0; 8];
            for (to, from) in bytes.iter_mut().zip(chunk) {
                *to = *from;
            }
            T::from_word(value(u64::from_le_bytes(bytes)))
        })),
        2 => {
            let pairs = plane(0).iter().zip(plane(1));
            out.extend(pairs.map(|(a, b)| T::from_word(value(u64::from(*a) | u64::from(*b) << 8))));
        }
        3 => {
            let triples = plane(0).iter().zip(plane(1)).zip(plane(2));
            out.extend(triples.map(|((a, b), c)| {
                T::from_word(value(u64::from(*a) | u64::from(*b) << 8 | u64::from(*c) << 16))
            }));
        }
        4 => {
            let quads = plane(0).iter().zip(plane(1)).zip(plane(2).iter().zip(plane(3)));
            out.extend(quads.map(|((a, b), (c, d))| {
                T::from_word(value(u64::from(u32::from_le_bytes([*a, *b, *c, *d]))))
            }));
        }
        _ => {
            // Wide numbers come in strips, so that each plane's bytes stay in the cache.
            const STRIP: usize = 512;
            let mut strip = [0u64; STRIP];
            let mut start = 0;
            while start < rows {
                let length = STRIP.min(rows - start);
                strip.fill(0);
                for at in 0..width {
                    let bytes = plane(at).get(start..start + length).unwrap_or_default();
                    for (number, byte) in strip.iter_mut().zip(bytes) {
                        *number |= u64::from(*byte) << (at * 8);
                    }
                }
                out.extend(strip.iter().take(length).map(|number| T::from_word(value(*number))));
                start += length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(values: &[u64]) -> usize {
        let mut bytes = Vec::new();
        encode(values, &mut bytes, &mut Work::default());
        bytes.extend_from_slice(b"rest");
        let mut read: Vec<u64> = vec![9];
        assert_eq!(decode(&bytes, values.len(), &mut read), Ok(&b"rest"[..]), "{values:?}");
        assert_eq!(read, values);
        for end in 0..bytes.len() - 4 {
            assert_eq!(decode(&bytes[..end], values.len(), &mut read), Err(Torn), "{values:?} cut at {end}");
        }
        bytes.len() - 4
    }

    #[test]
    fn constants_and_progressions_take_no_bytes_per_row() {
        assert_eq!(round_trip(&[7; 100]), 10);
        assert_eq!(round_trip(&(0..100).map(|n| n * 3 + 5).collect::<Vec<_>>()), 18);
        assert_eq!(round_trip(&(0..100).map(|n| 900 - n * 3).collect::<Vec<_>>()), 18);
        assert_eq!(round_trip(&[]), 10);
    }

    #[test]
    fn numbers_of_every_width_come_back() {
        for width in 1..=8 {
            let top = u64::MAX >> (64 - width * 8);
            let scramble = |n: u64| (n ^ n >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let noise = |n: u64| scramble(scramble(scramble(n + 1))) & top;
            let bytes = round_trip(&(0..300).map(noise).chain([0, top]).collect::<Vec<_>>());
            assert!(bytes <= 302 * width as usize + 20, "{bytes} bytes at width {width}");
        }
    }

    #[test]
    fn rising_and_jumping_numbers_are_stored_as_differences() {
        let rising: Vec<u64> = (0..1000).map(|n: u64| (1 << 50) + n * 900 + n * n % 17).collect();
        assert!(round_trip(&rising) < 1100);
        let jumping: Vec<u64> = (0..1000).map(|n: u64| (n % 90) * 70_000 + n).collect();
        round_trip(&jumping);
        round_trip(&[0, u64::MAX, 1, u64::MAX / 2, 0]);
    }

    #[test]
    fn few_distinct_wide_numbers_become_a_dictionary() {
        let values: Vec<u64> =
            (0..5000).map(|n: u64| 0x7f00_0000_0000 + (n * n % 13) * 0x0012_3456_789a).collect();
        assert!(round_trip(&values) < 5200);
    }
}
