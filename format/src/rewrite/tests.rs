//! What a copy of a capture may come to.

use std::time::Instant;

use events::{EventId, Marks};

use super::*;
use crate::{Row, current_schema, verify_bytes};

/// A capture of one block: rows that share a value of a megabyte that does not compress, or take two such in turn.
pub(crate) fn amplifying(rows: u64, values: usize) -> Vec<u8> {
    let schema: Vec<_> = current_schema().into_iter().filter(|event| event.name == "openat").collect();
    let event = EventId(schema[0].id);
    let mut writer = Writer::create(Vec::new(), &Header { schema, ..Header::default() }).unwrap();
    let mut builder = BlockBuilder::new();
    let mut seed = 7u64;
    let mut noise = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        // No NUL, and a slash now and then: what it is hashed to is as long.
        (seed >> 32) as u8 | 1
    };
    let texts: Vec<Vec<u8>> = (0..values).map(|_| (0..1 << 20).map(|_| noise()).collect()).collect();
    let words: Vec<_> = texts.iter().map(|text| builder.take(text)).collect();
    let context = builder.intern(&Context::default());
    for time_ns in 0..rows {
        let which = time_ns as usize % values;
        let args = [Raw::Number(3), Raw::Bytes(&texts[which])];
        let (cpu, ret, scopes, marks) = (0, 0, 1, Marks(0));
        let row = Row { time_ns, event, cpu, context, ret, scopes, marks, duration_ns: None, args: &args };
        builder.push_taken(&row, &[None, words[which]]).unwrap();
    }
    writer.block(&Encoder::new(Options::default()).encode(&mut builder).unwrap()).unwrap();
    writer.finish().unwrap().0
}

fn copied(bytes: &[u8], edit: &mut dyn Edit) -> Vec<u8> {
    let capture = Capture::from_bytes(bytes.to_vec()).unwrap();
    let header = Header { schema: capture.schema().declarations(), ..capture.header().clone() };
    let mut writer = Writer::create(Vec::new(), &header).unwrap();
    let mut copier = Copier::new(Options::default());
    copier.block(&capture, 0, &mut writer, edit, Place { host: 0, shift_ns: 7 }).unwrap();
    writer.finish().unwrap().0
}

/// Gives every value another, as long.
struct Turned;

impl Edit for Turned {
    fn argument(&mut self, _: &Copied<'_>, _: usize, value: Raw<'_>) -> Change {
        match value {
            Raw::Bytes(bytes) => Change::Bytes(bytes.iter().map(|byte| !byte).collect()),
            _ => Change::Keep,
        }
    }
}

/// Without sharing, a block of these would be full after 32 rows, and each of two thousand would have the values again.
#[test]
fn rows_that_share_a_large_value_share_it_in_a_copy() {
    for (rows, values) in [(60_000, 1), (60_000, 2)] {
        let bytes = amplifying(rows, values);
        let began = Instant::now();
        let copy = copied(&bytes, &mut AsItIs);
        assert!(copy.len() <= bytes.len() + 4096, "{} bytes became {}", bytes.len(), copy.len());
        assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
        let verdict = verify_bytes(copy, crate::Expected::default()).unwrap();
        assert_eq!((verdict.fault, verdict.rows, verdict.blocks), (None, rows, 1));
    }
    let bytes = amplifying(300, 2);
    let copy = copied(&bytes, &mut Turned);
    assert!(copy.len() <= bytes.len() + 4096, "{} bytes became {}", bytes.len(), copy.len());
}
