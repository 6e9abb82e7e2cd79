//! Time order over CPUs: each CPU's records come in order, and what is older than all that may still come is released.

use format::HighWater;

/// Looks after which the memory of a stream is looked at: a few seconds.
const WINDOW: u32 = 256;

/// What one CPU has given and nobody has taken yet.
#[derive(Debug)]
pub struct Stream {
    pub bytes: Vec<u8>,
    /// Where the next record starts.
    at: usize,
    high_water: HighWater,
}

impl Default for Stream {
    fn default() -> Stream {
        Stream { bytes: Vec::new(), at: 0, high_water: HighWater::over(WINDOW) }
    }
}

impl Stream {
    /// Asks for the memory that is read soon. The records waited in it for the hold-back: long enough to leave the nearer
    /// caches.
    #[inline]
    pub fn prefetch(&self) {
        #[cfg(target_arch = "x86_64")]
        const AHEAD: usize = 512;
        #[cfg(target_arch = "x86_64")]
        if let Some(soon) = self.bytes.get(self.at + AHEAD) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a hint, which has no effect beyond the caches.
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(soon).cast());
                _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(soon).wrapping_add(64).cast());
            }
        }
    }

    /// The bytes from the next record on.
    #[inline]
    pub fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Where the next record stands among the bytes.
    #[inline]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The bytes from such a place on.
    #[inline]
    pub fn bytes_from(&self, at: usize) -> &[u8] {
        self.bytes.get(at..).unwrap_or_default()
    }

    #[inline]
    pub fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.bytes.len());
    }

    /// Gives up all that is there.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.at = 0;
    }

    /// Moves what is left to the front once enough lies behind, and gives back what only a peak needed.
    pub fn compact(&mut self) {
        let most_bytes = self.high_water.note(self.bytes.len(), self.bytes.capacity());
        if self.at == self.bytes.len() {
            self.clear();
        } else if self.at > self.bytes.len() / 2 {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        if let Some(most_bytes) = most_bytes {
            self.bytes.shrink_to(most_bytes);
        }
    }
}

/// The streams that have a record, by the time of their next one. Streams without one cost nothing.
///
/// They are sorted, the earliest last: finding a place among a few dozen and moving what is behind it takes less than keeping a
/// heap, and among two or four hardly anything.
#[derive(Debug, Default)]
pub struct Merge {
    next: Vec<(u64, usize)>,
}

impl Merge {
    pub fn clear(&mut self) {
        self.next.clear();
    }

    /// A stream's next record is from this time.
    #[inline]
    pub fn add(&mut self, time_ns: u64, stream: usize) {
        let place = self.next.partition_point(|other| *other > (time_ns, stream));
        self.next.insert(place, (time_ns, stream));
    }

    /// Takes out the stream that has the earliest record, and until when it may be read before another has an earlier one.
    /// `None` when that is later than `last_ns`.
    #[inline]
    pub fn take_earliest(&mut self, last_ns: u64) -> Option<(usize, u64)> {
        let (_, stream) = self.next.pop_if(|(time_ns, _)| *time_ns <= last_ns)?;
        let second_ns = self.next.last().map_or(u64::MAX, |(time_ns, _)| *time_ns);
        Some((stream, second_ns.min(last_ns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_peak_needed_is_given_back() {
        let mut stream = Stream::default();
        stream.bytes.resize(8 << 20, 1);
        stream.skip(8 << 20);
        stream.compact();
        for _ in 0..2 * WINDOW {
            stream.bytes.resize(1000, 1);
            stream.skip(900);
            stream.compact();
        }
        assert!(stream.bytes.capacity() < 100_000, "{}", stream.bytes.capacity());
        assert_eq!(stream.rest().len(), 100);
    }

    #[test]
    fn the_earliest_stream_is_read_until_another_has_its_turn() {
        let of = |times: &[(u64, usize)], last_ns| {
            let mut merge = Merge::default();
            times.iter().for_each(|(time, stream)| merge.add(*time, *stream));
            merge.take_earliest(last_ns)
        };
        assert_eq!(of(&[(5, 0), (3, 2), (9, 3)], 100), Some((2, 5)));
        assert_eq!(of(&[(5, 0), (3, 2), (9, 3)], 4), Some((2, 4)));
        assert_eq!(of(&[(5, 0), (3, 2), (9, 3)], 2), None);
        assert_eq!(of(&[(7, 1)], u64::MAX), Some((1, u64::MAX)));
        assert_eq!(of(&[(4, 1), (4, 0)], 9), Some((0, 4)));
        assert_eq!(of(&[], 9), None);
    }

    #[test]
    fn a_stream_keeps_what_has_not_been_taken() {
        let mut stream = Stream { bytes: vec![1, 2, 3, 4, 5], ..Stream::default() };
        stream.skip(4);
        stream.compact();
        stream.bytes.push(6);
        assert_eq!(stream.rest(), [5, 6]);
        stream.skip(99);
        assert!(stream.rest().is_empty());
    }
}
