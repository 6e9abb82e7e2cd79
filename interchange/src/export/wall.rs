//! Times of the wall clock as other programs write them.

use jiff::Timestamp;
use jiff::tz::Offset;

const SECOND: i64 = 1_000_000_000;

/// Writes times; the text of a second is kept, for most events share theirs with the one before.
#[derive(Debug)]
pub struct Wall {
    second: i64,
    text: Vec<u8>,
}

impl Default for Wall {
    fn default() -> Wall {
        Wall { second: i64::MIN, text: Vec::new() }
    }
}

impl Wall {
    /// Appends `2026-07-01T12:00:00.123456789Z`.
    pub fn iso(&mut self, wall_ns: i64, out: &mut Vec<u8>) {
        let second = wall_ns.div_euclid(SECOND);
        if second != self.second {
            let time = Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH);
            self.text = Offset::UTC.to_datetime(time).to_string().into_bytes();
            self.second = second;
        }
        out.extend_from_slice(&self.text);
        out.extend_from_slice(format!(".{:09}Z", wall_ns.rem_euclid(SECOND)).as_bytes());
    }
}

/// Appends seconds since the epoch with microseconds, as `strace -ttt` does: `1782907200.123456`.
pub fn epoch_micros(wall_ns: i64, out: &mut Vec<u8>) {
    let (second, ns) = (wall_ns.div_euclid(SECOND), wall_ns.rem_euclid(SECOND));
    out.extend_from_slice(format!("{second}.{:06}", ns / 1000).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(wall_ns: i64) -> String {
        let mut out = Vec::new();
        Wall::default().iso(wall_ns, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn times_keep_their_nanoseconds_before_and_after_the_epoch() {
        assert_eq!(iso(1_782_907_200_123_456_789), "2026-07-01T12:00:00.123456789Z");
        assert_eq!(iso(-1), "1969-12-31T23:59:59.999999999Z");
        let mut out = Vec::new();
        epoch_micros(1_782_907_200_000_999_999, &mut out);
        assert_eq!(out, b"1782907200.000999");
    }
}
