//! Whole files: opening, salvage, verifying, and every column of every block.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| format::fuzzing::capture(bytes));
