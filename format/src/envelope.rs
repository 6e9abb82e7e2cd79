//! What stands around a payload that is encrypted: how its head is stored, which is nobody's business, and zeros that
//! hide how long it is.
//!
//! ```text
//! header of the frame, with zeros for the head | nonce | how the head is stored, payload, zeros | tag
//! ```

use crate::encode::HeadPlace;
use crate::encrypt::{FileKey, KEY_BYTES, SEAL_BYTES};
use crate::frame::{FrameHeader, Kind, Preamble, SEGMENTS};
use crate::{Error, Identity, Recipients, Result};

/// Before the payload: codec, three zeros, then the head's lengths as stored and decompressed, and the payload's.
const PREFIX: usize = 16;

/// A file's key, and whom it is for.
#[derive(Debug)]
pub(crate) struct Protection {
    recipients: Recipients,
    key: FileKey,
    key_bytes: [u8; KEY_BYTES],
}

/// What reads the frames of a file.
#[derive(Debug, Default)]
pub(crate) struct Opener {
    pub(crate) identity: Option<Identity>,
    /// Known once the header's frame was opened.
    pub(crate) key: Option<FileKey>,
}

/// A frame that was opened: its header with what it says of the head, and the payload.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) frame: FrameHeader,
    pub(crate) payload: Vec<u8>,
    /// In the header's frame: the file's key.
    pub(crate) key: Option<FileKey>,
}

impl Protection {
    pub(crate) fn new(recipients: Recipients) -> Result<Protection> {
        let (key, key_bytes) = FileKey::generate()?;
        Ok(Protection { recipients, key, key_bytes })
    }

    /// The payload of the header's frame, which holds the key.
    pub(crate) fn header(&self, head: HeadPlace, payload: &[u8]) -> Result<Vec<u8>> {
        let mut plain = self.key_bytes.to_vec();
        plain.extend_from_slice(&wrap(head, payload));
        self.recipients.encrypt(&plain)
    }

    /// The payload of another frame. `header` is the frame's, with the length that [`sealed_bytes`] says.
    pub(crate) fn seal(
        &self,
        header: FrameHeader,
        preamble: Preamble,
        head: HeadPlace,
        payload: &[u8],
    ) -> Result<Vec<u8>> {
        self.key.seal(&associated(header, preamble), &wrap(head, payload))
    }
}

/// How long a payload of so many bytes is once it is encrypted.
pub(crate) fn sealed_bytes(payload: usize) -> usize {
    padded(PREFIX + payload) + SEAL_BYTES
}

impl Opener {
    /// Opens the payload of an encrypted frame.
    pub(crate) fn open(
        &self,
        header: &FrameHeader,
        preamble: Preamble,
        stored: &[u8],
        offset: u64,
    ) -> Result<Opened> {
        let identity = self.identity.as_ref().ok_or(Error::Encrypted)?;
        if preamble.version < SEGMENTS {
            return Ok(Opened { frame: *header, payload: identity.decrypt(stored, offset)?, key: None });
        }
        let damaged = || Error::Damaged { offset, what: "a frame does not decrypt" };
        if header.kind == Kind::Header {
            let plain = identity.decrypt(stored, offset)?;
            let (key, plain) = plain.split_first_chunk().ok_or_else(damaged)?;
            let (frame, payload) = unwrap(header, plain).ok_or_else(damaged)?;
            return Ok(Opened { frame, payload, key: Some(FileKey::from_bytes(key)?) });
        }
        let key = self.key.as_ref().ok_or(Error::Encrypted)?;
        let plain = key.open(&associated(*header, preamble), stored, offset)?;
        let (frame, payload) = unwrap(header, &plain).ok_or_else(damaged)?;
        Ok(Opened { frame, payload, key: None })
    }
}

/// What a frame's tag is of, beside what is encrypted: its header without the checksum.
fn associated(header: FrameHeader, preamble: Preamble) -> Vec<u8> {
    let bytes = header.to_bytes(preamble);
    [&bytes[..28], &bytes[32..]].concat()
}

fn wrap(head: HeadPlace, payload: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(padded(PREFIX + payload.len()));
    plain.extend_from_slice(&[head.codec, 0, 0, 0]);
    for number in [head.stored, head.raw, payload.len() as u32] {
        plain.extend_from_slice(&number.to_le_bytes());
    }
    plain.extend_from_slice(payload);
    plain.resize(padded(plain.len()), 0);
    plain
}

/// The frame's header with what the payload says of its head, and the payload; `None` when it contradicts itself.
fn unwrap(header: &FrameHeader, plain: &[u8]) -> Option<(FrameHeader, Vec<u8>)> {
    let (prefix, rest) = plain.split_first_chunk::<PREFIX>()?;
    let number = |at: usize| Some(u32::from_le_bytes(*prefix.get(at..)?.first_chunk()?));
    let payload = rest.get(..number(12)? as usize)?;
    let (head_stored, head_raw) = (number(4)?, number(8)?);
    let head = payload.get(..head_stored as usize)?;
    if head_raw as usize > crate::limits::HEAD_BYTES {
        return None;
    }
    let head_crc = crc32fast::hash(head);
    let frame = FrameHeader { head_codec: *prefix.first()?, head_stored, head_raw, head_crc, ..*header };
    Some((frame, payload.to_vec()))
}

/// The length that hides a length: at most an eighth more, and few different ones. (Padmé: of a length of E + 1 bits, the
/// lowest E - log2 E are rounded up.)
fn padded(length: usize) -> usize {
    const LEAST: usize = 256;
    if length <= LEAST {
        return LEAST;
    }
    let bits = length.ilog2();
    let kept = bits.ilog2() + 1;
    length.next_multiple_of(1 << bits.saturating_sub(kept))
}

#[cfg(all(test, feature = "encrypt"))]
mod claims;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_rounded_up_by_an_eighth_at_most_and_few_are_left() {
        let mut lengths = std::collections::BTreeSet::new();
        for length in 1..100_000 {
            let padded = padded(length);
            assert!(
                padded >= length && (padded <= 256 || padded <= length + length / 8),
                "{length}: {padded}"
            );
            lengths.insert(padded);
        }
        assert!(lengths.len() < 200, "{}", lengths.len());
    }
}
