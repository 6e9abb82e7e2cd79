//! What a witness elsewhere holds, against whoever rewrites a capture on its host with everything that is there.

use std::sync::{Arc, Mutex};

use events::{Context, Marks, catalogue};
use format::{
    BlockBuilder, Encoder, Expected, HeadSink, Header, Heads, Options, Recording, Row, SigningKey, Verdict,
    Writer, WriterOptions, current_schema, verify_bytes,
};

/// A capture of `segments`, one block each, and the lines that its witness got. `changed` is a segment with another row.
fn capture(key: &SigningKey, segments: u64, changed: Option<u64>, start_ns: u64) -> (Vec<u8>, String) {
    let lines = Arc::new(Mutex::new(String::new()));
    let into = Arc::clone(&lines);
    let heads = HeadSink::new(move |head| into.lock().unwrap().push_str(&format!("{head}\n")));
    let schema = current_schema().into_iter().filter(|event| event.name == "getpid").collect();
    let recording = Recording { start_ns, ..Recording::default() };
    let header = Header { program: "test".into(), schema, recording, ..Header::default() };
    let options =
        WriterOptions { sign: Some(key.clone().into()), heads: Some(heads), ..WriterOptions::default() };
    let mut writer = Writer::create_with(Vec::new(), &header, options).unwrap();
    let event = catalogue::by_name("getpid").unwrap().id;
    for segment in 0..segments {
        let mut builder = BlockBuilder::new();
        let context = builder.intern(&Context { pid: 7, ..Context::default() });
        let ret = if changed == Some(segment) { 666 } else { 7 };
        let (time_ns, marks) = (segment * 100, Marks(0));
        builder
            .push(&Row {
                time_ns,
                event,
                cpu: 0,
                context,
                ret,
                scopes: 0,
                marks,
                duration_ns: None,
                args: &[],
            })
            .unwrap();
        writer.block(&Encoder::new(Options::default()).encode(&mut builder).unwrap()).unwrap();
        if segment + 1 < segments {
            writer.checkpoint().unwrap();
        }
    }
    let bytes = writer.finish().unwrap().0;
    let lines = lines.lock().unwrap().clone();
    (bytes, lines)
}

fn verify(bytes: &[u8], key: &SigningKey, lines: &str) -> Verdict {
    let heads: Heads = lines.parse().unwrap();
    let key = key.public();
    let expected = Expected { key: Some(&key), heads: Some(&heads), ..Expected::default() };
    verify_bytes(bytes.to_vec(), expected).unwrap()
}

fn fault(bytes: &[u8], key: &SigningKey, lines: &str) -> String {
    verify(bytes, key, lines).fault.map_or("good".into(), |fault| fault.what)
}

#[test]
fn an_honest_capture_has_the_heads_that_its_witness_holds() {
    let key = SigningKey::generate().unwrap();
    let (bytes, lines) = capture(&key, 5, None, 9);
    assert_eq!(lines.lines().count(), 5);
    let verdict = verify(&bytes, &key, &lines);
    assert_eq!((verdict.fault, verdict.witnessed_seals, verdict.seals), (None, 5, 5));
    // A witness that missed some, or heard nothing of the end, vouches for what is before its last.
    let some: String = lines.lines().filter(|line| line.contains("seal=2 ")).collect();
    let verdict = verify(&bytes, &key, &some);
    assert_eq!((verdict.fault, verdict.witnessed_seals, verdict.seals), (None, 3, 5));
}

/// All of these are signed with the right key, and whole by themselves.
#[test]
fn rewritten_cut_and_exchanged_histories_are_found() {
    let key = SigningKey::generate().unwrap();
    let (honest, lines) = capture(&key, 5, None, 9);
    for changed in 0..5 {
        let (bytes, _) = capture(&key, 5, Some(changed), 9);
        assert!(verify_bytes(bytes.clone(), Expected::default()).unwrap().fault.is_none());
        assert_eq!(fault(&bytes, &key, &lines), format!("the witness holds another head of seal {changed}"));
    }
    // Cut: the first three segments, ended anew.
    let (cut, _) = capture(&key, 3, None, 9);
    assert_eq!(fault(&cut, &key, &lines), "the witness holds another head of seal 2");
    let without: String =
        lines.lines().filter(|line| !line.contains("seal=2 ")).map(|l| l.to_owned() + "\n").collect();
    assert!(fault(&cut, &key, &without).contains("the witness holds the head of seal 4"));
    // Cut without an end, as if the recorder had been killed.
    let killed = fault(&honest[..honest.len() - 40], &key, &lines);
    assert!(killed.contains("the witness holds the head of seal 4"), "{killed}");
    // Longer than it was: the witness knows that it ended.
    let (longer, _) = capture(&key, 6, None, 9);
    assert_eq!(fault(&longer, &key, &lines), "the witness holds another head of seal 4");
    // Another beginning is another file, which the witness never heard of.
    let (other, _) = capture(&key, 5, None, 10);
    assert_eq!(fault(&other, &key, &lines), "the witness holds no head of this file");
}
