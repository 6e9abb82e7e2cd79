//! The beginnings and the end of a file: frame headers, the header, the trailer. The first byte chooses.
#![no_main]

use format::fuzzing::Part;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let [part, rest @ ..] = bytes {
        let part = [Part::Frame, Part::Header, Part::Trailer][usize::from(part % 3)];
        format::fuzzing::part(part, 0, rest);
    }
});
