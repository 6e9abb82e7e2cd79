//! Who vouches for a catalogue: a signature in a file beside it.
//!
//! ```text
//! tracer-catalog-1 tracer-public-key-1:5be3... 8f0c...
//! ```
//! What is signed is the catalogue as it is, byte for byte: each row with its capture's size, time, head and statistics. So who
//! trusts the key knows that no row was made by somebody else. That a capture is still what it was then, its size and its time
//! say, and `verify` once it is opened.

use std::fs;
use std::path::{Path, PathBuf};

use format::{PublicKey, SigningKey};

use super::{Error, SIGNATURE};

const BEGINNING: &str = "tracer-catalog-1";
/// What the signature is of, so that it is one of nothing else.
const TITLE: &str = "tracer catalog 1";

/// Where the signature of a catalogue is.
fn beside(catalog: &Path) -> PathBuf {
    catalog.with_file_name(SIGNATURE)
}

/// The text of the signature's file.
pub fn sign(key: &SigningKey, catalog: &[u8]) -> String {
    let signature: String = key.sign_bytes(TITLE, catalog).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{BEGINNING} {} {signature}\n", key.public())
}

/// The text of a catalogue's signature; `None` of one that nobody has signed.
pub fn text(catalog: &Path) -> Result<Option<String>, Error> {
    match fs::read_to_string(beside(catalog)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Who has signed a catalogue, and that the signature is good; `None` where there is none.
pub fn signer(text: Option<&str>, bytes: &[u8]) -> Result<Option<PublicKey>, Error> {
    let Some(text) = text else { return Ok(None) };
    let not_good = || Error::Signature { what: "its signature is not of this catalogue" };
    let mut words = text.split_whitespace();
    let (Some(BEGINNING), Some(key), Some(signature), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Error::Signature { what: "its signature does not read" });
    };
    let key = PublicKey::from_text(key).map_err(|_| not_good())?;
    let signature = bytes_of(signature).ok_or_else(not_good)?;
    key.has_signed(TITLE, bytes, &signature).then_some(Some(key)).ok_or_else(not_good)
}

/// Whether this key has signed it.
pub fn check(text: Option<&str>, bytes: &[u8], key: &PublicKey) -> Result<(), Error> {
    match signer(text, bytes)? {
        Some(signer) if signer == *key => Ok(()),
        Some(_) => Err(Error::Signature { what: "another key has signed it" }),
        None => Err(Error::Signature { what: "nobody has signed it" }),
    }
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok()).collect()
}
