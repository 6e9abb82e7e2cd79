//! Numbers as text, without the machinery of `fmt`.

/// The two digits of 0 to 99, one after the other.
const PAIRS: [u8; 200] = {
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[number * 2] = b'0' + (number / 10) as u8;
        pairs[number * 2 + 1] = b'0' + (number % 10) as u8;
        number += 1;
    }
    pairs
};

/// Digits of the largest number.
const MOST: usize = 20;

/// Appends a number in decimal.
#[inline]
pub fn unsigned(number: u64, out: &mut Vec<u8>) {
    if number < 10 {
        return out.push(b'0' + number as u8);
    }
    let start = room(digits_of(number), out);
    fill(number, &mut out[start..]);
}

/// Appends room for digits, and says where it begins. Digits are written there and nowhere else before: what is written two
/// bytes at a time and then copied by sixteen waits for the stores.
#[inline]
fn room(digits: usize, out: &mut Vec<u8>) -> usize {
    let start = out.len();
    // More than there may be, which is a copy of a known length, and then what belongs there.
    out.extend_from_slice(&[b'0'; MOST]);
    out.truncate(start + digits);
    start
}

/// The powers of ten, from 1 on.
const POWERS: [u64; MOST] = {
    let mut powers = [1; MOST];
    let mut at = 1;
    while at < MOST {
        powers[at] = powers[at - 1] * 10;
        at += 1;
    }
    powers
};

/// How many digits a number has: log2 says it nearly (1233 / 4096 is log10 of 2), and the power of ten between.
#[inline]
fn digits_of(number: u64) -> usize {
    let nearly = (((u64::BITS - (number | 1).leading_zeros()) * 1233) >> 12) as usize;
    nearly + usize::from(number >= POWERS[nearly])
}

/// Writes as many digits as there is room for.
#[inline]
fn fill(mut number: u64, text: &mut [u8]) {
    let mut pairs = text.rchunks_exact_mut(2);
    for pair in &mut pairs {
        let at = (number % 100) as usize * 2;
        number /= 100;
        pair.copy_from_slice(&PAIRS[at..at + 2]);
    }
    if let [first] = pairs.into_remainder() {
        *first = b'0' + (number % 10) as u8;
    }
}

#[inline]
pub fn signed(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    unsigned(number.unsigned_abs(), out);
}

/// Appends a number in decimal with zeros before it, `width` wide: at most 20.
#[inline]
pub fn padded(number: u64, width: usize, out: &mut Vec<u8>) {
    let start = room(width, out);
    fill(number, &mut out[start..]);
}

/// Appends a number in hex with zeros before it, 16 wide.
#[inline]
pub fn hex16(number: u64, out: &mut Vec<u8>) {
    for shift in (0..16).rev() {
        out.push(b"0123456789abcdef"[(number >> (shift * 4)) as usize & 15]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_the_standard_library_writes_them() {
        let powers = (0..20).map(|power| 10_u64.pow(power));
        for number in powers.flat_map(|it| [it - 1, it, it + 1]).chain([12345, 1 << 60, u64::MAX]) {
            let mut out = Vec::new();
            unsigned(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
        for number in [i64::MIN, -1, 0, i64::MAX] {
            let mut out = Vec::new();
            signed(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
        let mut out = Vec::new();
        padded(42, 6, &mut out);
        hex16(0x1_0000_0100, &mut out);
        assert_eq!(out, b"0000420000000100000100");
    }
}
