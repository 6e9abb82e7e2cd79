//! Copying whatever of a file can be read: as it is, and with every rule of redaction. Each must come back, and what was
//! written must read and verify.
#![no_main]

use format::redact::{Glob, Redactor, Rule, Subject, Treatment};
use format::rewrite::{AsItIs, Copier, Edit, Place};
use format::{Capture, Options, Writer};
use libfuzzer_sys::fuzz_target;
use scopes::pattern::Pattern;

#[derive(Debug)]
struct Wildcard(Pattern, Pattern);

impl Glob for Wildcard {
    fn fits(&self, value: &[u8]) -> bool {
        self.0.matches(value)
    }

    fn is_inside(&self, value: &[u8]) -> bool {
        self.1.matches(value)
    }
}

fn glob(text: &str) -> Box<dyn Glob> {
    Box::new(Wildcard(Pattern::parse(text), Pattern::parse(&format!("*{text}*"))))
}

fn copied(capture: &Capture, edit: &mut dyn Edit) -> Option<Vec<u8>> {
    let mut header = capture.header().clone();
    header.schema = capture.schema().declarations();
    let mut writer = Writer::create(Vec::new(), &header).ok()?;
    let mut copier = Copier::new(Options::default());
    copier.sides(capture, &mut writer, edit, Place::default()).ok()?;
    for block in 0..capture.blocks().len() {
        copier.block(capture, block, &mut writer, edit, Place { host: 1, shift_ns: 7 }).ok()?;
    }
    Some(writer.finish().ok()?.0)
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(capture) = Capture::from_bytes(bytes.to_vec()) else { return };
    if let Some(copy) = copied(&capture, &mut AsItIs) {
        let verdict = format::verify_bytes(copy, format::Expected::default()).expect("a copy reads");
        assert_eq!(verdict.fault, None);
    }
    for subject in Subject::ALL {
        for (value, treatment) in [("", Treatment::Drop), ("", Treatment::Hash), ("=*a*", Treatment::Hash)] {
            let rule = Rule::parse(&format!("{}{value}", subject.name()), treatment, &glob).expect("a rule");
            let mut redactor = Redactor::new(vec![rule], b"secret of the fuzzer");
            redactor.header(&mut capture.header().clone());
            let _ = Copier::new(Options::default()).survey(&capture, &mut redactor);
            redactor.begin_checking();
            let _ = copied(&capture, &mut redactor);
        }
    }
});
