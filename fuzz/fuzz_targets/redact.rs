//! A word that stands anywhere in a value of any event, redacted by a rule for everything, is nowhere in what is written.
#![no_main]

use events::{ArgKind, Context, Marks, Raw, catalogue};
use format::redact::{Glob, Redactor, Rule, Treatment};
use format::rewrite::{Copier, Place};
use format::{BlockBuilder, Capture, Encoder, Header, Options, Row, Scratch, Writer};
use libfuzzer_sys::fuzz_target;

const WORD: &[u8] = b"canary";

/// The word with anything around it.
#[derive(Debug)]
struct HasWord;

impl Glob for HasWord {
    fn fits(&self, value: &[u8]) -> bool {
        has_word(value)
    }

    fn is_inside(&self, value: &[u8]) -> bool {
        has_word(value)
    }
}

fn has_word(value: &[u8]) -> bool {
    value.to_ascii_lowercase().windows(WORD.len()).any(|part| part == WORD)
}

/// One row of an event of which every argument that is stored as bytes has this value.
fn capture(event: usize, number: u64, value: &[u8]) -> Option<Vec<u8>> {
    let events: Vec<_> = catalogue::events().filter(|event| !event.is_derived()).collect();
    let event = events[event % events.len()];
    let raw = |kind: ArgKind| match kind {
        ArgKind::Fd => Raw::Bytes(value),
        kind if kind.is_bytes() => Raw::Bytes(value),
        _ => Raw::Number(number),
    };
    let args: Vec<Raw<'_>> = event.args.iter().map(|arg| raw(arg.kind)).collect();
    let mut builder = BlockBuilder::new();
    let context = builder.intern(&Context { comm: b"x", exe: b"/x", ..Context::default() });
    let marks = Marks(0);
    let row = Row { time_ns: 1, event: event.id, cpu: 0, context, ret: 0, scopes: 1, marks, duration_ns: None, args: &args };
    builder.push(&row).ok()?;
    let header = Header { schema: format::current_schema(), ..Header::default() };
    let mut writer = Writer::create(Vec::new(), &header).ok()?;
    writer.block(&Encoder::new(Options::default()).encode(&mut builder).ok()?).ok()?;
    Some(writer.finish().ok()?.0)
}

/// Every value that is stored as bytes.
fn values(capture: &Capture) -> Vec<Vec<u8>> {
    let (mut values, mut scratch) = (Vec::new(), Scratch::new());
    for number in 0..capture.blocks().len() {
        let block = capture.block(number, &mut scratch).expect("a block that was just written");
        for code in 0..block.event_list().len() as u16 {
            let event = capture.schema().event(block.event_list()[usize::from(code)]).expect("declared");
            for position in 0..event.args.len() {
                if let Ok(Raw::Bytes(bytes)) = block.args(code).get(0, position) {
                    values.push(bytes.to_vec());
                }
            }
        }
    }
    values
}

fuzz_target!(|bytes: &[u8]| {
    let [low, high, selector, at, how, value @ ..] = bytes else { return };
    let mut value = value.to_vec();
    let at = usize::from(*at).min(value.len());
    value.splice(at..at, WORD.iter().copied());
    let Some(made) = capture(usize::from(u16::from_le_bytes([*low, *high])), u64::from(*selector), &value) else {
        return;
    };
    let capture = Capture::from_bytes(made).expect("a capture that was just written");
    let treatment = if how & 1 == 0 { Treatment::Drop } else { Treatment::Hash };
    let rule = Rule::parse("any=*canary*", treatment, &|_| Box::new(HasWord)).expect("a rule");
    let mut redactor = Redactor::new(vec![rule], b"secret of the fuzzer");
    let mut header = format::Header { schema: capture.schema().declarations(), ..capture.header().clone() };
    redactor.header(&mut header.clone());
    let mut copier = Copier::new(Options::default());
    copier.survey(&capture, &mut redactor).expect("it reads");
    redactor.begin_checking();
    redactor.header(&mut header);
    let mut writer = Writer::create(Vec::new(), &header).expect("memory");
    copier.sides(&capture, &mut writer, &mut redactor, Place::default()).expect("it reads");
    copier.block(&capture, 0, &mut writer, &mut redactor, Place::default()).expect("it reads");
    let redacted = Capture::from_bytes(writer.finish().expect("memory").0).expect("a capture");
    assert_eq!(redacted.blocks().len(), 1);
    for value in values(&redacted) {
        assert!(!has_word(&value), "{:?}", value.escape_ascii().to_string());
    }
});
