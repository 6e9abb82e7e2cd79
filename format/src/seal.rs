//! The chain of hashes that makes a capture evidence, and the keys that sign it.
//!
//! ```text
//! chain 0     = BLAKE3(the file's first 16 bytes)
//! chain n + 1 = BLAKE3(frame n, header and padding included)
//! ```
//! Each frame's header holds the chain over all frames before it, so a changed, removed, added or moved frame breaks the
//! chain there. The seal, last of all, holds the chain over everything, and a signature of it when a key was given.

use std::io::Read;

use ed25519_dalek::Signer;

use crate::archive::SealV1;
use crate::{Error, Result};

/// The chain up to some frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Chain(pub(crate) [u8; 32]);

impl Chain {
    pub(crate) fn start(preamble: &[u8]) -> Chain {
        Chain(*blake3::hash(preamble).as_bytes())
    }

    /// The chain over one frame more; its header holds `self`.
    pub(crate) fn next(frame_header: &[u8], payload: &[u8], padding: &[u8]) -> Chain {
        let mut hasher = blake3::Hasher::new();
        hasher.update(frame_header);
        hasher.update(payload);
        hasher.update(padding);
        Chain(*hasher.finalize().as_bytes())
    }
}

/// An ed25519 key that signs captures.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey of {}", self.public())
    }
}

/// The public part of a [`SigningKey`]: prints and parses as 64 hex digits behind a prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey(pub(crate) [u8; 32]);

const SECRET_PREFIX: &str = "tracer-secret-key-1:";
const PUBLIC_PREFIX: &str = "tracer-public-key-1:";

impl SigningKey {
    /// A new key, from the kernel's random numbers.
    pub fn generate() -> Result<SigningKey> {
        let mut seed = [0; 32];
        let mut random = std::fs::File::open("/dev/urandom").map_err(Error::io("making a key"))?;
        random.read_exact(&mut seed).map_err(Error::io("making a key"))?;
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// Reads the text of a key file: the key's line, among blank ones and those that begin with `#`.
    pub fn from_text(text: &str) -> Result<SigningKey> {
        let seed = key_line(text, SECRET_PREFIX, "a signing key")?;
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&seed)))
    }

    /// The text of a key file.
    pub fn to_text(&self) -> String {
        let secret = blake3::Hash::from_bytes(self.0.to_bytes()).to_hex();
        format!(
            "# Signs captures; keep it secret. Its public key:\n# {}\n{SECRET_PREFIX}{secret}\n",
            self.public()
        )
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, seal: &mut SealV1) {
        let signature = self.0.sign(&signed_bytes(seal));
        seal.signature = Some((self.public().0, signature.to_bytes().to_vec()));
    }
}

impl PublicKey {
    /// Reads a public key's line, or the text of a file that has one.
    pub fn from_text(text: &str) -> Result<PublicKey> {
        key_line(text, PUBLIC_PREFIX, "a public key").map(PublicKey)
    }

    /// Whether the seal was signed with this key's secret part.
    pub(crate) fn has_signed(&self, seal: &SealV1, signature: &[u8]) -> bool {
        let key = ed25519_dalek::VerifyingKey::from_bytes(&self.0);
        let signature = ed25519_dalek::Signature::from_slice(signature);
        match (key, signature) {
            (Ok(key), Ok(signature)) => key.verify_strict(&signed_bytes(seal), &signature).is_ok(),
            _ => false,
        }
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", blake3::Hash::from_bytes(self.0).to_hex())
    }
}

/// What a signature is of.
fn signed_bytes(seal: &SealV1) -> Vec<u8> {
    [b"tracer capture seal 1\0".as_slice(), &seal.head, &seal.blocks.to_le_bytes(), &seal.rows.to_le_bytes()]
        .concat()
}

fn key_line(text: &str, prefix: &str, what: &str) -> Result<[u8; 32]> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let found = lines.clone().find_map(|line| line.strip_prefix(prefix));
    let key = found.and_then(|hex| blake3::Hash::from_hex(hex).ok()).map(|hash| *hash.as_bytes());
    key.ok_or_else(|| Error::Key {
        what: format!("this is not {what}: it should read `{prefix}` and 64 hex digits"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back_and_sign() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_text(&key.to_text()).unwrap();
        assert_eq!(again.public(), PublicKey::from_text(&key.public().to_string()).unwrap());
        let mut seal = SealV1 { head: [7; 32], blocks: 1, rows: 2, signature: None };
        again.sign(&mut seal);
        let (public, signature) = seal.signature.clone().unwrap();
        assert!(PublicKey(public).has_signed(&seal, &signature));
        assert!(!PublicKey(public).has_signed(&SealV1 { rows: 3, ..seal.clone() }, &signature));
        assert!(!SigningKey::generate().unwrap().public().has_signed(&seal, &signature));
        assert!(!format!("{key:?}").contains("secret"));
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in ["", "tracer-public-key-1:", "tracer-public-key-1:xyz", "ssh-ed25519 AAAA"] {
            let error = PublicKey::from_text(text).unwrap_err().to_string();
            assert!(error.contains("not a public key"), "{error}");
        }
    }
}
