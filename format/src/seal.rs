//! The chain of hashes that makes a capture evidence, and the keys that sign it.
//!
//! ```text
//! chain 0     = BLAKE3(the file's first 16 bytes)
//! chain n + 1 = BLAKE3(frame n, header and padding included)
//! ```
//! Each frame's header holds the chain over all frames before it, so a changed, removed, added or moved frame breaks the
//! chain there. A seal holds the chain over everything before it, and a signature of it when a key was given. There is
//! one behind each index segment: what is before the last of them is vouched for, however the recording ended.

use std::io::Read;

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use crate::archive::{self, SealV1, SealV5, seal_flags};
use crate::frame::SEGMENTS;
use crate::{Error, Result, forward};

/// A seal, whatever version it is of.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Seal {
    pub(crate) version: u16,
    pub(crate) it: SealV5,
}

impl Seal {
    pub(crate) fn read(version: u16, bytes: &[u8], offset: u64) -> Result<Seal> {
        if version >= SEGMENTS {
            return Ok(Seal { version, it: archive::read(bytes, offset)? });
        }
        let SealV1 { head, blocks, rows, signature } = archive::read(bytes, offset)?;
        let flags = seal_flags::LAST;
        Ok(Seal { version, it: SealV5 { head, blocks, rows, flags, signature, ..SealV5::default() } })
    }

    pub(crate) fn is_last(&self) -> bool {
        self.it.flags & seal_flags::LAST != 0
    }

    pub(crate) fn is_last_part(&self) -> bool {
        self.it.flags & seal_flags::LAST_PART != 0
    }

    /// Who vouches for it: the key that signed it, or the one that certified that key. `None` when nobody has signed; an
    /// error when a signature is not good.
    pub(crate) fn signer(&self) -> std::result::Result<Option<PublicKey>, &'static str> {
        let Some((key, signature)) = &self.it.signature else {
            return match self.it.forward {
                None => Ok(None),
                Some(_) => Err("the signature is not good"),
            };
        };
        if !is_signed(key, &self.signed_bytes(), signature) {
            return Err("the signature is not good");
        }
        match &self.it.forward {
            None => Ok(Some(PublicKey(*key))),
            Some(forward) if forward::is_certified(forward) => Ok(Some(PublicKey(forward.signer))),
            Some(_) => Err("the key of the file is not certified by the key that it names"),
        }
    }

    /// What a signature is of.
    pub(crate) fn signed_bytes(&self) -> Vec<u8> {
        let SealV5 { head, blocks, rows, flags, oldest_part, more, forward, signature: _ } = &self.it;
        let is_old = self.version < SEGMENTS;
        let title: &[u8] = if is_old { b"tracer capture seal 1\0" } else { b"tracer capture seal 2\0" };
        let mut bytes = [title, head, &blocks.to_le_bytes(), &rows.to_le_bytes()].concat();
        if !is_old {
            bytes.extend_from_slice(&flags.to_le_bytes());
            bytes.extend_from_slice(&oldest_part.to_le_bytes());
            match forward {
                None => bytes.push(0),
                Some(it) => {
                    bytes.push(1);
                    bytes.extend_from_slice(&[&it.signer[..], &it.file.to_le_bytes(), &it.first].concat());
                    bytes.extend_from_slice(&it.next);
                }
            }
            for part in more.iter().flat_map(|(name, value)| [name.as_bytes(), value]) {
                bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
                bytes.extend_from_slice(part);
            }
        }
        bytes
    }
}

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
pub(crate) const PUBLIC_PREFIX: &str = "tracer-public-key-1:";

impl SigningKey {
    /// A new key, from the kernel's random numbers.
    pub fn generate() -> Result<SigningKey> {
        Ok(SigningKey(ed25519_dalek::SigningKey::from_bytes(&*random()?)))
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

    /// Signs bytes that are no capture. `title` says what they are, so that nobody takes a signature of one thing for one of
    /// another.
    pub fn sign_bytes(&self, title: &str, bytes: &[u8]) -> [u8; 64] {
        self.0.sign(&titled(title, bytes)).to_bytes()
    }

    pub(crate) fn sign(&self, seal: &mut Seal) {
        let signature = self.0.sign(&seal.signed_bytes());
        seal.it.signature = Some((self.public().0, signature.to_bytes().to_vec()));
    }
}

impl PublicKey {
    /// Reads a public key's line, or the text of a file that has one.
    pub fn from_text(text: &str) -> Result<PublicKey> {
        key_line(text, PUBLIC_PREFIX, "a public key").map(PublicKey)
    }

    /// Whether [`SigningKey::sign_bytes`] of the secret part made this signature.
    pub fn has_signed(&self, title: &str, bytes: &[u8], signature: &[u8]) -> bool {
        is_signed(&self.0, &titled(title, bytes), signature)
    }
}

/// What a signature of bytes is of: what they are, and their hash.
fn titled(title: &str, bytes: &[u8]) -> Vec<u8> {
    [title.as_bytes(), b"\0", blake3::hash(bytes).as_bytes()].concat()
}

/// 32 bytes from the kernel.
pub(crate) fn random() -> Result<Zeroizing<[u8; 32]>> {
    let mut seed = Zeroizing::new([0; 32]);
    let mut random = std::fs::File::open("/dev/urandom").map_err(Error::io("making a key"))?;
    random.read_exact(seed.as_mut_slice()).map_err(Error::io("making a key"))?;
    Ok(seed)
}

/// Whether the bytes were signed with this key's secret part.
pub(crate) fn is_signed(key: &[u8; 32], bytes: &[u8], signature: &[u8]) -> bool {
    let key = ed25519_dalek::VerifyingKey::from_bytes(key);
    let signature = ed25519_dalek::Signature::from_slice(signature);
    match (key, signature) {
        (Ok(key), Ok(signature)) => key.verify_strict(bytes, &signature).is_ok(),
        _ => false,
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{PUBLIC_PREFIX}{}", blake3::Hash::from_bytes(self.0).to_hex())
    }
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
        for version in [4, 5] {
            let it = SealV5 { head: [7; 32], blocks: 1, rows: 2, ..SealV5::default() };
            let mut seal = Seal { version, it };
            again.sign(&mut seal);
            assert_eq!(seal.signer(), Ok(Some(key.public())));
            let mut other = seal.clone();
            other.it.rows = 3;
            assert!(other.signer().is_err());
            seal.it.signature.as_mut().unwrap().0 = SigningKey::generate().unwrap().public().0;
            assert!(seal.signer().is_err());
        }
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
