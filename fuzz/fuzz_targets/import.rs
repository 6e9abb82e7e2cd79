//! A log of JSON lines, packed or not. What was imported reads and verifies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use replay::import::{self, BadLines, Writing};

fuzz_target!(|bytes: &[u8]| {
    let log = || import::unpacked(bytes).expect("bytes are read");
    let Ok(survey) = import::survey(log(), BadLines::Skip) else { return };
    let writing = Writing {
        program: "fuzz".into(),
        writer: format::WriterOptions::default(),
        encoder: format::Options::default(),
    };
    if let Ok((capture, _, _)) = import::write(log(), survey, writing, Vec::new()) {
        let verdict = format::verify_bytes(capture, format::Expected::default()).expect("it reads");
        assert_eq!(verdict.fault, None);
    }
});
