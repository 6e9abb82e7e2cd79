//! Where records go on behind bytes that do not read as one: a bug, or memory that went bad, costs the records that it
//! lies on, and not what stands behind them.

use events::abi::{HEADER_BYTES, RecordHeader, Slot, kind};

use super::decode::{self, MAX_ARGS};

/// What a stream's records have in common.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    pub cpu: u16,
    /// None of its records is from later than this (monotonic clock).
    pub until_ns: u64,
}

impl Expected {
    /// The record that begins there, if all of its header is what a program would write.
    fn record(self, bytes: &[u8]) -> Option<RecordHeader> {
        let header = decode::header(bytes)?;
        let has_slot = match header.kind {
            // There it is the place of the file.
            kind::FILE => true,
            kind::EVENT | kind::CONTEXT | kind::ENTRY | kind::EXECED => {
                usize::from(header.slot) < Slot::COUNT
            }
            _ => false,
        };
        let is_one = has_slot
            && header.cpu == self.cpu
            && header.more <= 1
            && usize::from(header.words) <= MAX_ARGS
            && header.time_ns != 0
            && header.time_ns <= self.until_ns;
        is_one.then_some(header)
    }

    /// Bytes up to the next record: one that is followed by another or ends the bytes. All of them where there is none.
    pub fn next(self, bytes: &[u8]) -> usize {
        // Records begin at multiples of 8. At the first place there is none.
        let places = (8..bytes.len().saturating_sub(HEADER_BYTES - 1)).step_by(8);
        let goes_on = |at: &usize| {
            let rest = bytes.get(*at..).unwrap_or_default();
            self.record(rest).is_some_and(|header| {
                let behind = rest.get(header.length as usize..).unwrap_or_default();
                behind.is_empty() || self.record(behind).is_some()
            })
        };
        places.into_iter().find(goes_on).unwrap_or(bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{super::decode::tests::record, *};

    const EXPECTED: Expected = Expected { cpu: 0, until_ns: 1_000 };

    /// A record of an event, at a time.
    fn at(time_ns: u64) -> Vec<u8> {
        let mut bytes = record(&[1, 2, 3], &[(1, 0, b"text")], 0);
        bytes[..8].copy_from_slice(&time_ns.to_ne_bytes());
        bytes[14] = kind::EVENT;
        bytes
    }

    #[test]
    fn records_go_on_behind_bytes_that_are_none() {
        let (first, second) = (at(5), at(6));
        for garbage in
            [vec![0; 8], vec![0xff; 40], vec![0x55; 4096], first[8..].to_vec(), first[..40].to_vec()]
        {
            let bytes = [&garbage[..], &first, &second].concat();
            assert_eq!(EXPECTED.next(&bytes), garbage.len(), "{} bytes", garbage.len());
        }
        assert_eq!(EXPECTED.next(&[&[0; 16][..], &first].concat()), 16, "the last one");
        assert_eq!(EXPECTED.next(&[1; 64]), 64);
        assert_eq!(EXPECTED.next(&[]), 0);
    }

    #[test]
    fn what_no_program_of_this_cpu_writes_is_no_record() {
        let broken = |change: fn(&mut Vec<u8>)| {
            let mut bytes = at(5);
            change(&mut bytes);
            [&[0; 8][..], &bytes].concat()
        };
        for bytes in [
            broken(|bytes| bytes[36] = 1),
            broken(|bytes| bytes[38] = 2),
            broken(|bytes| bytes[14] = 9),
            broken(|bytes| bytes[13] = 0xff),
            broken(|bytes| bytes[6] = 1),
        ] {
            assert_eq!(EXPECTED.next(&bytes), bytes.len());
        }
    }
}
