//! When a buffer that is used again and again should give back what a peak left in it.
//!
//! A buffer that keeps its memory grows to the largest use that there ever was: the longer something runs, the rarer the
//! peak that it still pays for. This one remembers the largest use of a window only.

/// What holds less is not worth giving back.
const WORTH_BYTES: usize = 64 << 10;

/// The largest of the latest uses of a buffer.
#[derive(Clone, Copy, Debug)]
pub struct HighWater {
    window: u32,
    uses: u32,
    most_bytes: usize,
}

impl HighWater {
    /// Looks at what is held after each `window` uses.
    pub const fn over(window: u32) -> HighWater {
        HighWater { window, uses: 0, most_bytes: 0 }
    }

    /// Notes that a use took so many bytes of the `held_bytes` that the buffer has. At the end of a window, the most that a
    /// use of it took, if more than twice that is held.
    pub fn note(&mut self, bytes: usize, held_bytes: usize) -> Option<usize> {
        self.most_bytes = self.most_bytes.max(bytes);
        self.uses += 1;
        if self.uses < self.window {
            return None;
        }
        let most_bytes = self.most_bytes;
        *self = HighWater::over(self.window);
        (held_bytes > WORTH_BYTES.max(most_bytes.saturating_mul(2))).then_some(most_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peak_left_is_given_back_after_a_window_without_another() {
        let mut high = HighWater::over(3);
        let peak = 1 << 20;
        let said: Vec<_> = [peak, 10, 10, 10, 20, 10].map(|bytes| high.note(bytes, peak)).into();
        assert_eq!(said, [None, None, None, None, None, Some(20)]);
    }

    #[test]
    fn what_is_needed_now_and_then_stays() {
        let mut high = HighWater::over(3);
        for bytes in [0, 600 << 10, 0].repeat(5) {
            assert_eq!(high.note(bytes, 1 << 20), None);
        }
        assert_eq!(HighWater::over(1).note(0, 1000), None);
    }
}
