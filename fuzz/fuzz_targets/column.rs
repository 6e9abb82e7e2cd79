//! Each kind of column, which the first byte chooses; the second says how many rows it has.
#![no_main]

use format::fuzzing::Part;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let [part, rows, rest @ ..] = bytes {
        let kinds = [Part::Integers, Part::Strings, Part::Argument, Part::Contexts];
        format::fuzzing::part(kinds[usize::from(part % 4)], usize::from(*rows), rest);
    }
});
