//! The directory of a block: where its columns are.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| format::fuzzing::part(format::fuzzing::Part::Block, 0, bytes));
