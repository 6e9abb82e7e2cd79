//! Encryption of frames with age, in builds that have the feature `encrypt`.
//!
//! Each frame is an age file of its own, so a capture that ends early still decrypts up to there.

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
    fn what_is_no_key_is_refused() {
        for text in ["", "age1nonsense", IDENTITY] {
            assert!(Recipients::from_text(text).is_err(), "{text}");
        }
        for text in ["", "# only a comment", RECIPIENT] {
            assert!(Identity::from_text(text).is_err(), "{text}");
        }
    }
}
