//! Any change to a capture is found, and the block named.

use events::{Context, EventId, Marks};
use format::{
    BlockBuilder, Capture, Encoder, Header, Options, Row, SigningKey, Writer, WriterOptions, verify_bytes,
};

fn capture(key: Option<&SigningKey>) -> Vec<u8> {
    let schema = format::current_schema().into_iter().take(3).collect::<Vec<_>>();
    let event = EventId(schema[0].id);
    let header = Header { program: "test".into(), schema, ..Header::default() };
    let options = WriterOptions { sign: key.cloned(), ..WriterOptions::default() };
    let mut writer = Writer::create_with(Vec::new(), &header, options).unwrap();
    let mut builder = BlockBuilder::new();
    for block in 0..3 {
        let context = builder.intern(&Context { pid: block, ..Context::default() });
        for n in 0..10 {
            let row = Row {
                time_ns: u64::from(block) * 100 + n,
                event,
                cpu: 0,
                context,
                ret: n as i64,
                scopes: 0,
                marks: Marks(0),
                args: &[],
            };
            builder.push(&row).unwrap();
        }
        writer.block(&Encoder::new(Options::default()).encode(&mut builder).unwrap()).unwrap();
    }
    writer.finish().unwrap().0
}

#[test]
fn what_was_written_verifies() {
    let verdict = verify_bytes(capture(None), None).unwrap();
    assert_eq!((verdict.fault, verdict.blocks, verdict.rows, verdict.signed_by), (None, 3, 30, None));
    let key = SigningKey::generate().unwrap();
    let bytes = capture(Some(&key));
    let verdict = verify_bytes(bytes.clone(), Some(&key.public())).unwrap();
    assert_eq!((verdict.fault, verdict.signed_by), (None, Some(key.public())));
    let other = SigningKey::generate().unwrap();
    let fault = verify_bytes(bytes, Some(&other.public())).unwrap().fault.unwrap();
    assert!(fault.what.starts_with("the capture is signed with another key"), "{}", fault.what);
    let fault = verify_bytes(capture(None), Some(&other.public())).unwrap().fault.unwrap();
    assert_eq!(fault.what, "the capture is not signed");
}

#[test]
fn every_changed_byte_is_found_and_its_block_named() {
    let bytes = capture(Some(&SigningKey::generate().unwrap()));
    let blocks = Capture::from_bytes(bytes.clone()).unwrap().blocks().to_vec();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        let at = at as u64;
        let block = blocks.iter().position(|b| (b.offset..b.offset + b.bytes).contains(&at));
        match verify_bytes(changed, None) {
            Ok(verdict) => {
                let fault = verdict.fault.unwrap_or_else(|| panic!("byte {at} can be changed unseen"));
                if let Some(block) = block {
                    assert_eq!(fault.block, Some(block as u64), "byte {at}: {}", fault.what);
                }
            }
            Err(error) => assert!(at < 16, "byte {at}: {error}"),
        }
    }
}

#[test]
fn cuts_additions_and_swapped_blocks_are_found() {
    let bytes = capture(None);
    for end in 16..bytes.len() {
        assert!(verify_bytes(bytes[..end].to_vec(), None).unwrap().fault.is_some(), "cut at {end}");
    }
    let longer = [&bytes[..], b"more"].concat();
    assert!(verify_bytes(longer, None).unwrap().fault.is_some());
    let blocks = Capture::from_bytes(bytes.clone()).unwrap().blocks().to_vec();
    let slice = |at: usize| bytes[blocks[at].offset as usize..][..blocks[at].bytes as usize].to_vec();
    let (start, end) = (blocks[0].offset as usize, (blocks[2].offset + blocks[2].bytes) as usize);
    let swapped = [&bytes[..start], &slice(1), &slice(0), &slice(2), &bytes[end..]].concat();
    let fault = verify_bytes(swapped, None).unwrap().fault.unwrap();
    assert!(fault.what.contains("the chain of hashes breaks"), "{}", fault.what);
    let removed = [&bytes[..start], &slice(0), &slice(2), &bytes[end..]].concat();
    let fault = verify_bytes(removed, None).unwrap().fault.unwrap();
    assert_eq!(fault.block, Some(0), "{}", fault.what);
}
