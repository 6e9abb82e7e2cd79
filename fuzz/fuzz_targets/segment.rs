//! An index segment: its head, and behind it what is known of its blocks.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| format::fuzzing::part(format::fuzzing::Part::Segment, 0, bytes));
