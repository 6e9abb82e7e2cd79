//! What is known of blocks, and the records beside the events, of this version and before. The first byte chooses.
#![no_main]

use format::fuzzing::Part;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let [part, rest @ ..] = bytes {
        let part = [Part::Index, Part::Side, Part::Statistics, Part::Table][usize::from(part % 4)];
        format::fuzzing::part(part, 3, rest);
    }
});
