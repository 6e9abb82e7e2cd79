//! Signing and encrypting a capture while it is written.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context, Result};
use format::{Recipients, SigningKey, WriterOptions};

/// Reads the key, or makes one, and the recipients.
pub fn options(sign_key: Option<&Path>, encrypt_to: &[String]) -> Result<WriterOptions> {
    let sign = sign_key.map(key).transpose()?;
    let encrypt = match encrypt_to {
        [] => None,
        recipients => Some(Recipients::from_text(&recipients.join("\n")).context("--encrypt-to")?),
    };
    Ok(WriterOptions { sign, encrypt })
}

fn key(path: &Path) -> Result<SigningKey> {
    let name = || format!("--sign-key {}", path.display());
    match fs::read_to_string(path) {
        Ok(text) => SigningKey::from_text(&text).with_context(name),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = SigningKey::generate().with_context(name)?;
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(path)
                .with_context(name)?;
            file.write_all(key.to_text().as_bytes()).with_context(name)?;
            let _ = writeln!(
                io::stderr(),
                "made a new signing key, {}; captures are verified with its public key:\n{}",
                path.display(),
                key.public()
            );
            Ok(key)
        }
        Err(error) => Err(error).with_context(name),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone_and_then_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let public = |path| options(Some(path), &[]).unwrap().sign.unwrap().public().to_string();
        let made = public(&path);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(public(&path), made);
        fs::write(&path, "no key").unwrap();
        assert!(options(Some(&path), &[]).unwrap_err().to_string().contains("--sign-key"));
    }

    #[test]
    fn a_recipient_that_does_not_read_is_refused() {
        assert!(options(None, &["age1nonsense".to_owned()]).is_err());
        assert!(options(None, &[]).unwrap().encrypt.is_none());
    }
}
