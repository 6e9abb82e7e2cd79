//! A log of any kind that is read; its first byte says which. What was imported reads and verifies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use interchange::import::{Auditd, Dialect, Objects, Scap, Strace, Sysmon};
use replay::import::{self, BadLines, JsonLines, Log, Writing};

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b's', text)) => through(|| Strace::new(text, 0)),
        Some((b'a', text)) => through(|| Auditd::new(text)),
        Some((b'x', text)) => through(|| Sysmon::new(text)),
        Some((b't', text)) => through(|| Objects::new(text, Dialect::Tetragon)),
        Some((b'k', text)) => through(|| Objects::new(text, Dialect::Kunai)),
        Some((b'f', text)) => through(|| Objects::new(text, Dialect::Falco)),
        Some((b'c', file)) => through(|| Scap::new(file)),
        _ => through(|| JsonLines::new(import::unpacked(bytes).expect("bytes are read"))),
    }
});

fn through<L: Log>(log: impl Fn() -> L) {
    let Ok(survey) = import::survey(log(), BadLines::Skip) else { return };
    let writing = Writing {
        program: "fuzz".into(),
        writer: format::WriterOptions::default(),
        encoder: format::Options::default(),
        log: Default::default(),
    };
    if let Ok((capture, _, _)) = import::write(log(), survey, writing, Vec::new()) {
        let verdict = format::verify_bytes(capture, format::Expected::default()).expect("it reads");
        assert_eq!(verdict.fault, None);
    }
}
