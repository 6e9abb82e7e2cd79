//! The index, and the records beside the events. The first byte chooses.
#![no_main]

use format::fuzzing::Part;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let [part, rest @ ..] = bytes {
        let part = [Part::Index, Part::Side][usize::from(part % 2)];
        format::fuzzing::part(part, 0, rest);
    }
});
