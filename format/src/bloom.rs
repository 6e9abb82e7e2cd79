//! Bloom filters: sets that may say "perhaps" of what they do not hold, and never "no" of what they do.
//!
//! A filter is a power of two of bits, at most [`MAX_BITS`]. An item has two places, and both are set for each item that
//! is in it. Places are taken modulo the filter's size, so a filter becomes half as large by laying its upper half over
//! its lower one. Filters are therefore filled at full size and folded until they are dense.

/// As many bits as a filter is filled with before it is folded.
pub(crate) const MAX_BITS: usize = 1 << 16;
/// The smallest filter.
const MIN_BITS: usize = 1 << 9;

/// A Bloom filter. `Default` is one that holds nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bloom {
    /// A power of two of them, or none when nothing was ever put in.
    words: Vec<u64>,
}

impl Bloom {
    /// An empty filter of full size.
    pub(crate) fn full_size() -> Bloom {
        Bloom { words: vec![0; MAX_BITS / 64] }
    }

    /// Reads a filter; `None` when these bytes are none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Bloom> {
        if bytes.is_empty() {
            return Some(Bloom::default());
        }
        let bits = bytes.len() * 8;
        if !bits.is_power_of_two() || !(MIN_BITS..=MAX_BITS).contains(&bits) {
            return None;
        }
        let (words, _) = bytes.as_chunks();
        Some(Bloom { words: words.iter().map(|word| u64::from_le_bytes(*word)).collect() })
    }

    pub(crate) fn append_to(&self, out: &mut Vec<u8>) {
        self.words.iter().for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        self.words.len() * 8
    }

    /// Whether an item with this hash may be in it; `false` is certain.
    pub(crate) fn may_contain(&self, hash: u64) -> bool {
        places(hash).into_iter().all(|place| self.bit(place))
    }

    pub(crate) fn insert(&mut self, hash: u64) {
        let mask = self.words.len().wrapping_sub(1);
        for place in places(hash) {
            if let Some(word) = self.words.get_mut((place / 64) & mask) {
                *word |= 1 << (place % 64);
            }
        }
    }

    fn bit(&self, place: usize) -> bool {
        let mask = self.words.len().wrapping_sub(1);
        self.words.get((place / 64) & mask).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    fn ones(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The share of bits that are set, in 256ths: how often a place that nobody set looks as if somebody had.
    pub(crate) fn density(&self) -> usize {
        if self.words.is_empty() { 0 } else { self.ones() * 4 / self.words.len() }
    }

    fn folded(&self) -> Bloom {
        let (low, high) = self.words.split_at(self.words.len() / 2);
        Bloom { words: low.iter().zip(high).map(|(low, high)| low | high).collect() }
    }

    /// Makes it smaller while it stays sparse, and in any case as small as `most_bytes` or the smallest there is.
    pub(crate) fn fold(&mut self, most_bytes: usize) {
        if self.ones() == 0 {
            self.words.clear();
            return;
        }
        /// Of 256: beyond it, two places say too little.
        const DENSE: usize = 96;
        while self.words.len() * 64 > MIN_BITS {
            let folded = self.folded();
            if folded.density() > DENSE && self.bytes() <= most_bytes {
                break;
            }
            *self = folded;
        }
    }

    /// Whether `smaller`, made of at least these items, may be that: each place that is set here is set there.
    pub(crate) fn fits_into(&self, smaller: &Bloom) -> bool {
        if smaller.words.is_empty() || self.words.len() < smaller.words.len() {
            return self.ones() == 0;
        }
        let mut folded = self.clone();
        while folded.words.len() > smaller.words.len() {
            folded = folded.folded();
        }
        folded.words.iter().zip(&smaller.words).all(|(own, other)| own & !other == 0)
    }

    /// Adds what another filter holds.
    pub(crate) fn add(&mut self, other: &Bloom) {
        match (self.words.is_empty(), other.words.is_empty()) {
            (_, true) => {}
            (true, false) => *self = other.clone(),
            (false, false) => {
                while self.words.len() > other.words.len() {
                    *self = self.folded();
                }
                let mask = self.words.len().wrapping_sub(1);
                for (at, word) in other.words.iter().enumerate() {
                    if let Some(own) = self.words.get_mut(at & mask) {
                        *own |= word;
                    }
                }
            }
        }
    }
}

/// Where an item's two bits are in a filter of full size.
fn places(hash: u64) -> [usize; 2] {
    [(hash >> 48) as usize, (hash >> 32) as usize % MAX_BITS]
}

/// The hash of a number: splitmix64's last step.
pub(crate) fn hash(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_found_at_every_size_and_little_else() {
        for count in [0, 1, 10, 100, 1000, 10_000] {
            let mut bloom = Bloom::full_size();
            (0..count).for_each(|n| bloom.insert(hash(n)));
            bloom.fold(usize::MAX);
            assert!((0..count).all(|n| bloom.may_contain(hash(n))), "{count}");
            let wrong = (1 << 40..(1 << 40) + 1000).filter(|n| bloom.may_contain(hash(*n))).count();
            assert!(wrong < 250, "{count}: {wrong} of 1000 are taken for members");
            let mut bytes = Vec::new();
            bloom.append_to(&mut bytes);
            assert_eq!(Bloom::from_bytes(&bytes), Some(bloom.clone()));
            bloom.fold(64);
            assert!(bloom.bytes() <= 64 && (0..count).all(|n| bloom.may_contain(hash(n))), "{count}");
        }
        assert_eq!(Bloom::from_bytes(&[0; 63]), None);
        assert_eq!(Bloom::from_bytes(&[0; 1 << 14]), None);
    }

    #[test]
    fn a_union_holds_what_both_hold() {
        let filter = |range: std::ops::Range<u64>| {
            let mut bloom = Bloom::full_size();
            range.for_each(|n| bloom.insert(hash(n)));
            bloom.fold(usize::MAX);
            bloom
        };
        let (small, large) = (filter(0..30), filter(1000..3000));
        assert!(small.bytes() < large.bytes());
        for (mut into, from) in [(small.clone(), &large), (large.clone(), &small)] {
            into.add(from);
            assert!((0..30).chain(1000..3000).all(|n| into.may_contain(hash(n))));
        }
        let mut whole = Bloom::full_size();
        (0..30).for_each(|n| whole.insert(hash(n)));
        assert!(whole.fits_into(&small) && !whole.fits_into(&large) && !whole.fits_into(&Bloom::default()));
        assert!(Bloom::full_size().fits_into(&Bloom::default()));
        let mut empty = Bloom::default();
        empty.add(&small);
        assert_eq!(empty, small);
    }
}
