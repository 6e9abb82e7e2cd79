//! Any change to a capture is found, and the block named.

use events::{Context, EventId, Marks};
use format::{
    BlockBuilder, Capture, Encoder, Expected, Header, Options, PublicKey, Row, SigningKey, Writer,
    WriterOptions, verify_bytes,
};

fn capture(key: Option<&SigningKey>) -> Vec<u8> {
    capture_with(WriterOptions { sign: key.cloned().map(Into::into), ..WriterOptions::default() })
}

fn capture_with(options: WriterOptions) -> Vec<u8> {
    let schema = format::current_schema().into_iter().take(3).collect::<Vec<_>>();
    let event = EventId(schema[0].id);
    let header = Header { program: "test".into(), schema, ..Header::default() };
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
                duration_ns: None,
                args: &[],
            };
            builder.push(&row).unwrap();
        }
        writer.block(&Encoder::new(Options::default()).encode(&mut builder).unwrap()).unwrap();
    }
    writer.finish().unwrap().0
}

fn signed_by(key: &PublicKey) -> Expected<'_> {
    Expected { key: Some(key), ..Expected::default() }
}

#[test]
fn what_was_written_verifies() {
    let verdict = verify_bytes(capture(None), Expected::default()).unwrap();
    assert_eq!((verdict.fault, verdict.blocks, verdict.rows, verdict.signed_by), (None, 3, 30, None));
    let key = SigningKey::generate().unwrap();
    let bytes = capture(Some(&key));
    let verdict = verify_bytes(bytes.clone(), signed_by(&key.public())).unwrap();
    assert_eq!((verdict.fault, verdict.signed_by), (None, Some(key.public())));
    let other = SigningKey::generate().unwrap();
    let fault = verify_bytes(bytes, signed_by(&other.public())).unwrap().fault.unwrap();
    assert!(fault.what.starts_with("the capture is signed with another key"), "{}", fault.what);
    let fault = verify_bytes(capture(None), signed_by(&other.public())).unwrap().fault.unwrap();
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
        match verify_bytes(changed, Expected::default()) {
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
        assert!(
            verify_bytes(bytes[..end].to_vec(), Expected::default()).unwrap().fault.is_some(),
            "cut at {end}"
        );
    }
    let longer = [&bytes[..], b"more"].concat();
    assert!(verify_bytes(longer, Expected::default()).unwrap().fault.is_some());
    let blocks = Capture::from_bytes(bytes.clone()).unwrap().blocks().to_vec();
    let slice = |at: usize| bytes[blocks[at].offset as usize..][..blocks[at].bytes as usize].to_vec();
    let (start, end) = (blocks[0].offset as usize, (blocks[2].offset + blocks[2].bytes) as usize);
    let swapped = [&bytes[..start], &slice(1), &slice(0), &slice(2), &bytes[end..]].concat();
    let fault = verify_bytes(swapped, Expected::default()).unwrap().fault.unwrap();
    assert!(fault.what.contains("the chain of hashes breaks"), "{}", fault.what);
    let removed = [&bytes[..start], &slice(0), &slice(2), &bytes[end..]].concat();
    let fault = verify_bytes(removed, Expected::default()).unwrap().fault.unwrap();
    assert_eq!(fault.block, Some(0), "{}", fault.what);
}

/// The seal without its signature, as somebody without the key would write it.
#[test]
fn a_stripped_or_foreign_signature_is_found() {
    let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
    let expected = || Expected { key: None, ..Expected::default() };
    let (plain, foreign) = (capture(None), capture(Some(&other)));
    assert_eq!(verify_bytes(plain.clone(), expected()).unwrap().fault, None);
    let public = key.public();
    let fault = verify_bytes(plain, signed_by(&public)).unwrap().fault.unwrap();
    assert_eq!(fault.what, "the capture is not signed");
    let fault = verify_bytes(foreign, signed_by(&public)).unwrap().fault.unwrap();
    assert!(fault.what.contains("another key"), "{}", fault.what);
}

#[test]
fn a_block_of_another_capture_does_not_fit() {
    let bytes = capture(None);
    let blocks = Capture::from_bytes(bytes.clone()).unwrap().blocks().to_vec();
    let slice = |at: usize| &bytes[blocks[at].offset as usize..][..blocks[at].bytes as usize];
    let (start, end) = (blocks[0].offset as usize, (blocks[2].offset + blocks[2].bytes) as usize);
    let added = [&bytes[..end], slice(2), &bytes[end..]].concat();
    let fault = verify_bytes(added, Expected::default()).unwrap().fault.unwrap();
    assert!(fault.what.contains("the chain of hashes breaks"), "{}", fault.what);
    let put_before = [&bytes[..start], slice(2), &bytes[start..]].concat();
    assert!(verify_bytes(put_before, Expected::default()).unwrap().fault.is_some());
}

/// Of somebody else.
#[cfg(feature = "encrypt")]
const OTHER_IDENTITY: &str = "AGE-SECRET-KEY-1GQ9778VQXMMJVE8SK7J6VT8UJ4HDQAJUVSFCWCM02D8GEWQ72PVQ2Y5J33";

#[cfg(feature = "encrypt")]
#[test]
fn an_encrypted_capture_verifies_with_and_without_its_identity() {
    let recipients =
        format::Recipients::from_text("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj");
    let identity = format::Identity::from_text(
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX",
    )
    .unwrap();
    let key = SigningKey::generate().unwrap();
    let public = key.public();
    let options = WriterOptions { sign: Some(key.into()), encrypt: Some(recipients.unwrap()), heads: None };
    let bytes = capture_with(options);
    let opened = Expected { key: Some(&public), identity: Some(&identity), ..Default::default() };
    for expected in [signed_by(&public), opened] {
        let verdict = verify_bytes(bytes.clone(), expected).unwrap();
        // How many rows there are is told to those alone who may read them.
        let rows = if expected.identity.is_some() { 30 } else { 0 };
        assert_eq!((verdict.fault, verdict.blocks, verdict.rows), (None, 3, rows));
        assert_eq!(verdict.header.is_some(), expected.identity.is_some());
    }
    let other = format::Identity::from_text(OTHER_IDENTITY).unwrap();
    let stranger = Expected { key: Some(&public), identity: Some(&other), ..Default::default() };
    let refused = verify_bytes(bytes.clone(), stranger).unwrap_err().to_string();
    assert!(refused.contains("other keys"), "{refused}");
    for at in (16..bytes.len()).step_by(7) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        assert!(verify_bytes(changed.clone(), stranger).unwrap().fault.is_some(), "byte {at}");
        assert!(verify_bytes(changed.clone(), signed_by(&public)).unwrap().fault.is_some(), "byte {at}");
        assert!(verify_bytes(changed, opened).unwrap().fault.is_some(), "byte {at}");
    }
    assert!(matches!(Capture::from_bytes(bytes), Err(format::Error::Encrypted)));
}
