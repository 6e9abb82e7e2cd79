//! How long calls took, as people read it: like `strace -T`, seconds with six digits behind the point.

use pipeline::EventView;

use crate::digits;

const SECOND_NS: u64 = 1_000_000_000;
const MICROSECOND_NS: u64 = 1_000;

/// Appends `0.000123`. What is below a microsecond is cut off.
pub fn seconds(ns: u64, out: &mut Vec<u8>) {
    digits::unsigned(ns / SECOND_NS, out);
    out.push(b'.');
    digits::padded(ns % SECOND_NS / MICROSECOND_NS, 6, out);
}

/// Appends ` <0.000123>` to a row of a table, where it is known how long the call took.
pub fn of_row(event: &EventView<'_>, out: &mut Vec<u8>) {
    if let Some(ns) = event.duration_ns {
        out.extend_from_slice(b" <");
        seconds(ns, out);
        out.push(b'>');
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_is_written_as_strace_does() {
        for (ns, text) in [(0, "0.000000"), (123_999, "0.000123"), (12_500_000_000, "12.500000")] {
            let mut out = Vec::new();
            super::seconds(ns, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), text);
        }
    }
}
