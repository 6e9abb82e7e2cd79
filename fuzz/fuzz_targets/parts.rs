//! The parts of a file without the checksums around them. The first byte chooses the part, the second how many rows.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let [part, rows, rest @ ..] = bytes {
        format::fuzzing::part(*part, usize::from(*rows), rest);
    }
});
