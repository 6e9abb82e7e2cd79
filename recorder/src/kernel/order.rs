//! Time order over CPUs: each CPU's records come in order, and what is older than all that may still come is released.

/// What one CPU has given and nobody has taken yet.
#[derive(Debug, Default)]
pub struct Stream {
    pub bytes: Vec<u8>,
    /// Where the next record starts.
    at: usize,
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

    #[inline]
    pub fn skip(&mut self, bytes: usize) {
        self.at = self.at.saturating_add(bytes).min(self.bytes.len());
    }

    /// Gives up all that is there.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.at = 0;
    }

    /// Moves what is left to the front once enough lies behind.
    pub fn compact(&mut self) {
        if self.at == self.bytes.len() {
            self.clear();
        } else if self.at > self.bytes.len() / 2 {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
    }
}

/// The stream that has the earliest record, and until when it may be read before another has an earlier one.
/// `times` is the time of each stream's next record.
pub fn earliest(times: &[Option<u64>]) -> Option<(usize, u64)> {
    let mut first: Option<(usize, u64)> = None;
    let mut second = u64::MAX;
    for (stream, time) in times.iter().enumerate() {
        let Some(time) = *time else { continue };
        match first {
            Some((_, earliest)) if time >= earliest => second = second.min(time),
            Some((_, earliest)) => {
                second = second.min(earliest);
                first = Some((stream, time));
            }
            None => first = Some((stream, time)),
        }
    }
    first.map(|(stream, _)| (stream, second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_stream_is_read_until_another_has_its_turn() {
        assert_eq!(earliest(&[Some(5), None, Some(3), Some(9)]), Some((2, 5)));
        assert_eq!(earliest(&[None, Some(7)]), Some((1, u64::MAX)));
        assert_eq!(earliest(&[Some(4), Some(4)]), Some((0, 4)));
        assert_eq!(earliest(&[None, None]), None);
    }

    #[test]
    fn a_stream_keeps_what_has_not_been_taken() {
        let mut stream = Stream { bytes: vec![1, 2, 3, 4, 5], at: 0 };
        stream.skip(4);
        stream.compact();
        stream.bytes.push(6);
        assert_eq!(stream.rest(), [5, 6]);
        stream.skip(99);
        assert!(stream.rest().is_empty());
    }
}
