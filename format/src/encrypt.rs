//! Encryption, in builds that have the feature `encrypt`.
//!
//! A file has a key of its own. The header's frame is an age file that holds the key and the header, so whoever is a
//! recipient reads both. All other frames are encrypted under the key (XChaCha20-Poly1305, a random nonce each), with the
//! frame's header, and so its number and the chain of all frames before it, as associated data: no frame can be moved to
//! another place or another file. Each frame is whole by itself, so a capture that ends early decrypts up to there.
//!
//! Before version 5 each frame is an age file.

use crate::{Error, Result};

/// Who can read an encrypted capture.
#[derive(Clone, Debug)]
pub struct Recipients {
    /// age's public keys, such as `age1...`.
    #[cfg(feature = "encrypt")]
    keys: Vec<age::x25519::Recipient>,
    #[cfg(not(feature = "encrypt"))]
    never: std::convert::Infallible,
}

/// What reads an encrypted capture.
#[derive(Clone)]
pub struct Identity {
    #[cfg(feature = "encrypt")]
    keys: Vec<age::x25519::Identity>,
    #[cfg(not(feature = "encrypt"))]
    never: std::convert::Infallible,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

/// The key of one file.
#[derive(Clone)]
pub(crate) struct FileKey {
    #[cfg(feature = "encrypt")]
    cipher: chacha20poly1305::XChaCha20Poly1305,
    #[cfg(not(feature = "encrypt"))]
    never: std::convert::Infallible,
}

impl std::fmt::Debug for FileKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FileKey")
    }
}

pub(crate) const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
/// What a frame under the file's key takes beside what is in it.
pub(crate) const SEAL_BYTES: usize = NONCE_BYTES + TAG_BYTES;

#[cfg(feature = "encrypt")]
impl FileKey {
    /// A new key, and its bytes for the recipients.
    pub(crate) fn generate() -> Result<(FileKey, [u8; KEY_BYTES])> {
        let bytes = random()?;
        Ok((FileKey::from_bytes(&bytes)?, bytes))
    }

    pub(crate) fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<FileKey> {
        use chacha20poly1305::KeyInit;
        Ok(FileKey { cipher: chacha20poly1305::XChaCha20Poly1305::new(bytes.into()) })
    }

    /// Encrypts: the nonce, the bytes, and a tag of them and of `header`.
    pub(crate) fn seal(&self, header: &[u8], plain: &[u8]) -> Result<Vec<u8>> {
        use chacha20poly1305::AeadInPlace;
        let nonce: [u8; NONCE_BYTES] = random()?;
        let mut out = Vec::with_capacity(plain.len() + SEAL_BYTES);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let body = out.get_mut(NONCE_BYTES..).unwrap_or_default();
        let tag = self
            .cipher
            .encrypt_in_place_detached(&nonce.into(), header, body)
            .map_err(|_| Error::Key { what: "encrypting: the frame is too large".into() })?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    pub(crate) fn open(&self, header: &[u8], stored: &[u8], offset: u64) -> Result<Vec<u8>> {
        use chacha20poly1305::AeadInPlace;
        let damaged = Error::Damaged { offset, what: "a frame does not decrypt" };
        let parts = stored
            .split_first_chunk::<NONCE_BYTES>()
            .and_then(|(nonce, rest)| Some((nonce, rest.split_last_chunk::<TAG_BYTES>()?)));
        let Some((nonce, (body, tag))) = parts else { return Err(damaged) };
        let mut plain = body.to_vec();
        match self.cipher.decrypt_in_place_detached(nonce.into(), header, &mut plain, tag.into()) {
            Ok(()) => Ok(plain),
            Err(_) => Err(damaged),
        }
    }
}

#[cfg(feature = "encrypt")]
fn random<const N: usize>() -> Result<[u8; N]> {
    use std::io::Read;
    let mut bytes = [0; N];
    let mut random = std::fs::File::open("/dev/urandom").map_err(Error::io("encrypting"))?;
    random.read_exact(&mut bytes).map_err(Error::io("encrypting"))?;
    Ok(bytes)
}

#[cfg(not(feature = "encrypt"))]
impl FileKey {
    pub(crate) fn generate() -> Result<(FileKey, [u8; KEY_BYTES])> {
        Err(not_built())
    }

    pub(crate) fn from_bytes(_bytes: &[u8; KEY_BYTES]) -> Result<FileKey> {
        Err(not_built())
    }

    pub(crate) fn seal(&self, _header: &[u8], _plain: &[u8]) -> Result<Vec<u8>> {
        match self.never {}
    }

    pub(crate) fn open(&self, _header: &[u8], _stored: &[u8], _offset: u64) -> Result<Vec<u8>> {
        match self.never {}
    }
}

#[cfg(not(feature = "encrypt"))]
fn not_built() -> Error {
    Error::Key { what: "this build cannot encrypt or decrypt: it lacks the feature `encrypt`".into() }
}

#[cfg(not(feature = "encrypt"))]
impl Recipients {
    /// Reads recipients, one a word.
    pub fn from_text(_text: &str) -> Result<Recipients> {
        Err(not_built())
    }

    pub(crate) fn encrypt(&self, _payload: &[u8]) -> Result<Vec<u8>> {
        match self.never {}
    }
}

#[cfg(not(feature = "encrypt"))]
impl Identity {
    /// Reads the text of an age identity file.
    pub fn from_text(_text: &str) -> Result<Identity> {
        Err(not_built())
    }

    pub(crate) fn decrypt(&self, _stored: &[u8], _offset: u64) -> Result<Vec<u8>> {
        match self.never {}
    }
}

#[cfg(feature = "encrypt")]
impl Recipients {
    /// Reads recipients, one a word.
    pub fn from_text(text: &str) -> Result<Recipients> {
        let key = |word: &str| {
            word.parse()
                .map_err(|error| Error::Key { what: format!("`{word}` is no age recipient: {error}") })
        };
        let keys: Vec<_> = text.split_whitespace().map(key).collect::<Result<_>>()?;
        match keys.is_empty() {
            true => Err(Error::Key { what: "no recipient to encrypt to".into() }),
            false => Ok(Recipients { keys }),
        }
    }

    pub(crate) fn encrypt(&self, payload: &[u8]) -> Result<Vec<u8>> {
        use std::io::Write;
        let keys = self.keys.iter().map(|key| key as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(keys)
            .map_err(|error| Error::Key { what: format!("encrypting: {error}") })?;
        let mut out = Vec::with_capacity(payload.len() + 512);
        let mut writer = encryptor.wrap_output(&mut out).map_err(Error::io("encrypting"))?;
        writer.write_all(payload).map_err(Error::io("encrypting"))?;
        writer.finish().map_err(Error::io("encrypting"))?;
        Ok(out)
    }
}

#[cfg(feature = "encrypt")]
impl Identity {
    /// Reads the text of an age identity file.
    pub fn from_text(text: &str) -> Result<Identity> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let key = |line: &str| {
            line.parse()
                .map_err(|error| Error::Key { what: format!("the identity file has no age key: {error}") })
        };
        let keys: Vec<_> = lines.map(key).collect::<Result<_>>()?;
        match keys.is_empty() {
            true => Err(Error::Key { what: "the identity file has no key".into() }),
            false => Ok(Identity { keys }),
        }
    }

    pub(crate) fn decrypt(&self, stored: &[u8], offset: u64) -> Result<Vec<u8>> {
        use std::io::Read;
        let refused = |error: age::DecryptError| match error {
            age::DecryptError::NoMatchingKeys => {
                Error::Key { what: "the capture is encrypted to other keys than this identity's".into() }
            }
            _ => Error::Damaged { offset, what: "a frame does not decrypt" },
        };
        let decryptor = age::Decryptor::new_buffered(stored).map_err(refused)?;
        let keys = self.keys.iter().map(|key| key as &dyn age::Identity);
        let mut out = Vec::with_capacity(stored.len());
        decryptor
            .decrypt(keys)
            .map_err(refused)?
            .read_to_end(&mut out)
            .map_err(|_| Error::Damaged { offset, what: "a frame does not decrypt" })?;
        Ok(out)
    }
}

#[cfg(all(test, feature = "encrypt"))]
mod tests {
    use super::*;

    // age's own example of a key pair.
    const RECIPIENT: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";
    const IDENTITY: &str = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";

    #[test]
    fn what_is_encrypted_reads_with_its_identity_alone() {
        let other = age::x25519::Identity::generate();
        let recipients = Recipients::from_text(RECIPIENT).unwrap();
        let stored = recipients.encrypt(b"what was recorded").unwrap();
        assert!(!stored.windows(8).any(|part| part == b"recorded"));
        let identity = Identity::from_text(&format!("# mine\n\n{IDENTITY}\n")).unwrap();
        assert_eq!(identity.decrypt(&stored, 0).unwrap(), b"what was recorded");
        let error = Identity { keys: vec![other.clone()] }.decrypt(&stored, 0).unwrap_err();
        assert!(error.to_string().contains("other keys"), "{error}");
        let both = Recipients::from_text(&format!("{RECIPIENT} {}", other.to_public())).unwrap();
        let stored = both.encrypt(b"for two").unwrap();
        assert_eq!(Identity { keys: vec![other] }.decrypt(&stored, 0).unwrap(), b"for two");
        assert_eq!(identity.decrypt(&stored, 0).unwrap(), b"for two");
    }

    #[test]
    fn a_changed_or_cut_frame_does_not_decrypt() {
        let stored = Recipients::from_text(RECIPIENT).unwrap().encrypt(b"what was recorded").unwrap();
        let identity = Identity::from_text(IDENTITY).unwrap();
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 0x10;
            assert!(identity.decrypt(&changed, 0).is_err(), "byte {at}");
            assert!(identity.decrypt(&stored[..at], 0).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn what_is_under_a_files_key_opens_unchanged_and_in_its_place_alone() {
        let (key, bytes) = FileKey::generate().unwrap();
        let stored = key.seal(b"frame 7", b"what was recorded").unwrap();
        assert_eq!(stored.len(), b"what was recorded".len() + SEAL_BYTES);
        let again = FileKey::from_bytes(&bytes).unwrap();
        assert_eq!(again.open(b"frame 7", &stored, 0).unwrap(), b"what was recorded");
        assert!(again.open(b"frame 8", &stored, 0).is_err());
        assert!(FileKey::generate().unwrap().0.open(b"frame 7", &stored, 0).is_err());
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            assert!(
                again.open(b"frame 7", &changed, 0).is_err()
                    && again.open(b"frame 7", &stored[..at], 0).is_err()
            );
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in ["", "age1nonsense", IDENTITY] {
            assert!(Recipients::from_text(text).is_err(), "{text}");
        }
        for text in ["", "# only a comment", RECIPIENT] {
            assert!(Identity::from_text(text).is_err(), "{text}");
        }
    }
}
