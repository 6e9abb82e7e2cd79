//! Who vouches for a case: a signature in a file of its own beside it, `CASE.toml.sig`, as minisign and `ssh-keygen -Y sign`
//! have them. The case stays text that anybody edits; then its signature is no longer good, and everybody sees that.
//!
//! ```text
//! # Signs CASE.toml as it was; `tracer case verify` says whether it still is.
//! tracer-case-signature-1:<64 bytes in hex>
//! tracer-public-key-1:<32 bytes in hex>
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use format::{PublicKey, SigningKey};

use crate::Error;

/// What is signed begins so, and so does the line of the signature.
const TITLE: &str = "tracer-case-signature-1";

/// The largest file that is one.
const MOST_BYTES: u64 = 64 << 10;

/// Where the signature of a case is.
pub fn beside(case: &Path) -> PathBuf {
    let mut name = case.as_os_str().to_owned();
    name.push(".sig");
    PathBuf::from(name)
}

/// What the signature of a case came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Nobody signed it.
    Unsigned,
    Good(PublicKey),
    /// It is another one than was signed by the key that the signature names.
    Changed(PublicKey),
}

/// Signs the case as it is now, in place of a signature that is there.
pub fn sign(case: &Path, key: &SigningKey) -> Result<PathBuf, Error> {
    let bytes = read(case)?;
    let signature: String = key.sign_bytes(TITLE, &bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = case.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = format!(
        "# Signs {} as it was; `tracer case verify` says whether it still is.\n{TITLE}:{signature}\n{}\n",
        name.escape_debug(),
        key.public()
    );
    let path = beside(case);
    crate::file::replace(&path, text.as_bytes())?;
    Ok(path)
}

/// Whether the case is what was signed. With a key, only what that one signed counts.
pub fn verify(case: &Path, expected: Option<&PublicKey>) -> Result<Verdict, Error> {
    let path = beside(case);
    let text = match read(&path) {
        Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(Verdict::Unsigned);
        }
        text => text?,
    };
    let wrong = |what: &str| Error::Wrong { path: path.clone(), what: what.to_owned() };
    let text = String::from_utf8(text).map_err(|_| wrong("it is no signature of a case"))?;
    let named = PublicKey::from_text(&text).map_err(|_| wrong("it names no public key"))?;
    let hex = text.lines().find_map(|line| line.trim().strip_prefix(TITLE)?.strip_prefix(':'));
    let signature = hex.and_then(bytes_of).ok_or_else(|| wrong("it holds no signature of a case"))?;
    let key = expected.copied().unwrap_or(named);
    Ok(match key.has_signed(TITLE, &read(case)?, &signature) {
        true => Verdict::Good(key),
        false => Verdict::Changed(named),
    })
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let hex = hex.trim();
    if hex.len() != 128 || !hex.is_ascii() {
        return None;
    }
    (0..64).map(|at| u8::from_str_radix(hex.get(at * 2..at * 2 + 2)?, 16).ok()).collect()
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io { path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(failed)?.len();
    let most =
        if path.extension().is_some_and(|it| it == "sig") { MOST_BYTES } else { crate::file::MOST_BYTES };
    if length > most {
        return Err(Error::Large { path: path.to_owned() });
    }
    fs::read(path).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Case, Query};

    #[test]
    fn a_case_is_what_was_signed_until_somebody_changes_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("CASE.toml");
        let mut case = Case::default();
        case.save(&path).expect("saved");
        assert_eq!(verify(&path, None).expect("a verdict"), Verdict::Unsigned);
        let (key, other) = (SigningKey::generate().expect("a key"), SigningKey::generate().expect("a key"));
        let written = sign(&path, &key).expect("signed");
        assert_eq!(written, folder.path().join("CASE.toml.sig"));
        assert_eq!(verify(&path, None).expect("a verdict"), Verdict::Good(key.public()));
        assert_eq!(verify(&path, Some(&key.public())).expect("a verdict"), Verdict::Good(key.public()));
        assert_eq!(verify(&path, Some(&other.public())).expect("a verdict"), Verdict::Changed(key.public()));
        case.queries.push(Query { name: "x".into(), filters: vec!["comm=x".into()] });
        case.save(&path).expect("saved");
        assert_eq!(verify(&path, None).expect("a verdict"), Verdict::Changed(key.public()));
        for text in ["", "no signature", "tracer-case-signature-1:zz\n", "\u{0}"] {
            std::fs::write(&written, text).expect("written");
            assert!(verify(&path, None).is_err(), "{text:?}");
        }
    }
}
