use std::path::Path;

use super::*;
use crate::{
    BlockBuilder, EncodedBlock, Encoder, Ending, Expected, Header, Options, Row, SigningKey, Verdict, Writer,
    WriterOptions, current_schema, verify_bytes,
};

fn key_file(path: &Path, files: u32) -> PublicKey {
    let (text, public) = ForwardKey::generate(files).unwrap();
    assert!(ForwardKey::is_text(&text));
    std::fs::write(path, text.as_bytes()).unwrap();
    public
}

fn open(path: &Path) -> Result<ForwardKey> {
    ForwardKey::open(File::options().read(true).write(true).open(path).unwrap())
}

fn signer(path: &Path) -> Signer {
    Signer::Forward(Arc::new(Mutex::new(open(path).unwrap())))
}

fn block(number: u64) -> EncodedBlock {
    let mut builder = BlockBuilder::new();
    let context = builder.intern(&events::Context { pid: 7, comm: b"ls", ..Default::default() });
    let event = events::catalogue::by_name("close").unwrap().id;
    let args = [events::Raw::Number(3)];
    let (time_ns, marks) = (number, events::Marks(0));
    builder
        .push(&Row {
            time_ns,
            event,
            cpu: 0,
            context,
            ret: 0,
            scopes: 0,
            marks,
            duration_ns: None,
            args: &args,
        })
        .unwrap();
    Encoder::new(Options::default()).encode(&mut builder).unwrap()
}

fn writer(signer: Option<Signer>) -> Writer<Vec<u8>> {
    let schema = current_schema().into_iter().filter(|event| event.name == "close").collect();
    let header = Header { program: "test".into(), schema, ..Header::default() };
    let options = WriterOptions { sign: signer, ..WriterOptions::default() };
    Writer::create_with(Vec::new(), &header, options).unwrap()
}

/// A capture of so many segments, with another block in the one that is `changed`.
fn write(mut writer: Writer<Vec<u8>>, segments: u64, changed: Option<u64>) -> Vec<u8> {
    for number in 0..segments {
        writer.block(&block(if changed == Some(number) { 1000 } else { number })).unwrap();
        if number + 1 < segments {
            writer.checkpoint().unwrap();
        }
    }
    writer.finish_as(Ending::Recording).unwrap().0
}

fn verdict(bytes: &[u8], key: &PublicKey) -> Verdict {
    verify_bytes(bytes.to_vec(), Expected { key: Some(key), ..Expected::default() }).unwrap()
}

fn fault(bytes: &[u8], key: &PublicKey) -> String {
    verdict(bytes, key).fault.map_or("good".into(), |fault| fault.what)
}

#[test]
fn one_public_key_vouches_for_all_segments_of_all_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let public = key_file(&path, 3);
    let signer = signer(&path);
    for file in 0..3 {
        let bytes = write(writer(Some(signer.clone())), 4, None);
        let verdict = verdict(&bytes, &public);
        assert_eq!((verdict.fault, verdict.signed_by, verdict.key_file), (None, Some(public), Some(file)));
    }
    let error = signer.begin().unwrap_err().to_string();
    assert!(error.contains("3 files") && error.contains("keygen --forward"), "{error}");
    let other = SigningKey::generate().unwrap().public();
    drop(signer);
    assert!(
        fault(&write(writer(Some(self::signer(&key(dir.path())))), 1, None), &other).contains("another key")
    );
}

fn key(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("key2");
    key_file(&path, 1);
    path
}

/// Whoever takes the host over has the capture as it is, the key's file, and even the memory of the recorder.
#[test]
fn what_was_signed_cannot_be_signed_again_by_whoever_takes_the_key_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let public = key_file(&path, 8);
    let honest = write(writer(Some(signer(&path))), 3, None);
    assert_eq!(fault(&honest, &public), "good");

    // With the key's file: another history is another file of the key, and says so.
    let again = write(writer(Some(signer(&path))), 3, Some(1));
    assert_eq!(verdict(&again, &public).key_file, Some(1));
    // It cannot be said to be the first, whose certificate is for another key.
    let mut lie = writer(Some(signer(&path)));
    if let Some(SealSigner::Forward(key)) = &mut lie.sign {
        key.number = 0;
    }
    assert!(fault(&write(lie, 3, Some(1)), &public).contains("not certified"));

    // With the memory of the recorder after two of three seals: neither of them can be made anew.
    let mut half = writer(Some(signer(&path)));
    let before = half.sign_state();
    half.block(&block(0)).unwrap();
    half.checkpoint().unwrap();
    half.block(&block(1)).unwrap();
    half.checkpoint().unwrap();
    let stolen = half.sign_state();
    assert_ne!(before, stolen);
    let mut anew = writer(None);
    anew.sign = half.sign.take();
    assert!(fault(&write(anew, 3, Some(0)), &public).contains("first key"));

    // Nor can one be left out in the middle, moved from elsewhere, or signed by a key of one's own.
    let mut other = writer(Some(signer(&path)));
    other.block(&block(0)).unwrap();
    other.checkpoint().unwrap();
    if let Some(key) = &mut other.sign {
        key.advance();
    }
    assert!(fault(&write(other, 2, None), &public).contains("announced"));
    let mut own = writer(Some(SigningKey::generate().unwrap().into()));
    own.block(&block(0)).unwrap();
    assert!(fault(&own.finish().unwrap().0, &public).contains("another key"));
}

#[test]
fn a_seal_that_could_not_be_written_uses_no_key_up() {
    /// Refuses one write in the middle.
    struct Full {
        bytes: Vec<u8>,
        refuses: bool,
    }
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            if std::mem::take(&mut self.refuses) {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.bytes.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    let public = key_file(&path, 2);
    let schema = current_schema().into_iter().filter(|event| event.name == "close").collect();
    let header = Header { schema, ..Header::default() };
    let options = WriterOptions { sign: Some(signer(&path)), ..WriterOptions::default() };
    let out = Full { bytes: Vec::new(), refuses: false };
    let mut writer = Writer::create_with(out, &header, options).unwrap();
    writer.block(&block(0)).unwrap();
    writer.out.refuses = true;
    assert!(writer.checkpoint().is_err());
    writer.block(&block(1)).unwrap();
    assert_eq!(fault(&writer.finish().unwrap().0.bytes, &public), "good");
}

#[test]
fn the_file_of_a_key_holds_no_seed_that_was_used() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    key_file(&path, 4);
    let seed = |text: &str| {
        text.lines().filter_map(read_slot).map(|(number, seed)| (number, *seed)).collect::<Vec<_>>()
    };
    let read = || std::fs::read_to_string(&path).unwrap();
    let first = read();
    let signer = signer(&path);
    let mut before = seed(&first);
    assert_eq!(before.len(), 1);
    for number in 1..=4 {
        signer.begin().unwrap();
        let now = read();
        let left = seed(&now);
        assert_eq!((left.len(), left[0].0, now.len()), (1, number, first.len()));
        assert!(!now.contains(&hex(&before[0].1)), "the seed of file {} is still there", number - 1);
        before = left;
    }
    // Two at once would sign two files with one key.
    assert!(open(&path).unwrap_err().to_string().contains("another run"));
    drop(signer);
    assert_eq!(open(&path).unwrap().number, 4);
}

#[test]
fn a_crash_between_the_new_seed_and_the_erasing_leaves_the_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    key_file(&path, 4);
    let mut key = open(&path).unwrap();
    let next = derive(NEXT_FILE, &key.seed);
    let old = hex(key.seed.as_slice());
    key.write(1, &slot(1, Some(&next))).unwrap();
    drop(key);
    let key = open(&path).unwrap();
    assert_eq!((key.number, *key.seed == *next), (1, true));
    assert!(!std::fs::read_to_string(&path).unwrap().contains(&old));
    drop(key);
    // Half a line of the new seed: the old one counts, which has signed nothing yet.
    key_file(&path, 4);
    let text = std::fs::read_to_string(&path).unwrap();
    let half = text.replacen(&*slot(0, None), &slot(1, None).replacen("----", "0000", 1), 1);
    std::fs::write(&path, half).unwrap();
    assert_eq!(open(&path).unwrap().number, 0);
    for torn in ["", TITLE, &text[..text.len() / 2]] {
        std::fs::write(&path, torn).unwrap();
        assert!(open(&path).is_err());
    }
}

impl Writer<Vec<u8>> {
    fn sign_state(&self) -> [u8; 32] {
        match &self.sign {
            Some(SealSigner::Forward(key)) => *key.seed,
            _ => [0; 32],
        }
    }
}
