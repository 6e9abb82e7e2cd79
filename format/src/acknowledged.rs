//! What a store elsewhere has said that it has: a mark for each capture, in a folder beside the captures.
//!
//! ```text
//! s.0041.trz   s.0042.trz   _uploaded/9c1e...   (the head of the chain that the last seal of s.0041.trz holds)
//! ```
//! Whoever uploads writes the marks; whoever removes captures, such as a recorder that keeps to a limit, looks at them.

use std::path::Path;

use crate::frame::{self, FrameHeader, HEADER_BYTES, Kind, PREAMBLE_BYTES, Preamble, TRAILER_BYTES, Trailer};
use crate::source::Source;
use crate::{Result, hex};

/// The folder of the marks, beside the captures. Those who look for captures in a folder and below it leave it out.
pub const UPLOADED: &str = "_uploaded";

/// The name of a mark.
pub fn mark(head: &[u8; 32]) -> String {
    hex(head)
}

/// A capture that is sealed to its end, as its last frames say: they are read without a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SealedFile {
    /// The head of the chain that the last seal holds. Whether the file comes to that head, only `verify` knows.
    pub head: [u8; 32],
    pub bytes: u64,
    pub is_encrypted: bool,
}

/// `None` of a capture that is not finished, and of versions before 5.
pub fn sealed_file(path: &Path) -> Result<Option<SealedFile>> {
    let source = Source::open(path, false)?;
    let mut buffer = Vec::new();
    let first = source.read(0, PREAMBLE_BYTES, &mut buffer).map_err(|_| crate::Error::NotACapture)?;
    let preamble = Preamble::read(first)?;
    let Some(at) = source.len().checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
    if preamble.version < frame::SEGMENTS {
        return Ok(None);
    }
    let Some(trailer) = Trailer::read(source.read(at, TRAILER_BYTES, &mut buffer)?) else { return Ok(None) };
    let mut header = |offset| -> Result<FrameHeader> {
        FrameHeader::read(source.read(offset, HEADER_BYTES, &mut buffer)?, offset, preamble)
    };
    let is_encrypted = header(PREAMBLE_BYTES as u64)?.is_encrypted();
    let seal = header(trailer.seal)?;
    // The chain over all frames before the seal stands in the header of its frame, too.
    Ok((seal.kind == Kind::Seal).then_some(SealedFile {
        head: seal.chain,
        bytes: source.len(),
        is_encrypted,
    }))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::{Capture, Header, Recipients, Writer, WriterOptions, current_schema};

    const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    fn written(path: &Path, encrypt: bool, is_finished: bool) -> [u8; 32] {
        let header = Header { schema: current_schema(), ..Header::default() };
        let encrypt = encrypt.then(|| Recipients::from_text(RECIPIENT).unwrap());
        let options = WriterOptions { encrypt, ..WriterOptions::default() };
        let mut writer = Writer::create_with(File::create(path).unwrap(), &header, options).unwrap();
        if is_finished {
            return writer.finish().unwrap().1.head;
        }
        writer.flush().unwrap();
        [0; 32]
    }

    #[test]
    fn the_head_is_read_without_a_key_and_only_of_what_is_sealed_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.trz");
        let head = written(&path, false, true);
        let file = sealed_file(&path).unwrap().unwrap();
        assert_eq!((file.head, file.is_encrypted), (head, false));
        assert_eq!(Capture::open(&path).unwrap().sealed_head().unwrap().0, head);
        #[cfg(feature = "encrypt")]
        {
            let head = written(&path, true, true);
            let file = sealed_file(&path).unwrap().unwrap();
            assert_eq!((file.head, file.is_encrypted), (head, true));
            assert!(Capture::open(&path).is_err(), "it needs an identity");
        }
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 8]).unwrap();
        assert_eq!(sealed_file(&path).unwrap(), None);
        written(&path, false, false);
        assert_eq!(sealed_file(&path).unwrap(), None);
        std::fs::write(&path, b"no capture").unwrap();
        assert!(sealed_file(&path).is_err());
    }
}
