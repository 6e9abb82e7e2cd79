//! Signing, encrypting and compressing the captures that are written: one option group for all that write them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result, anyhow, bail};
use clap::Args;
use format::{ForwardKey, Recipients, Signer, SigningKey, WriterOptions};

use crate::compression::Compression;
use crate::private;

const SIGN_KEY: &str = "--sign-key";

#[derive(Args, Debug)]
pub struct Sealing {
    /// Sign the capture with the key of this file (ed25519, made by `tracer keygen`); of a key that evolves, what has signed is
    /// erased in it
    #[arg(long, value_name = "FILE")]
    pub sign_key: Option<PathBuf>,
    /// Encrypt the capture to this age recipient (age1...); repeatable
    #[arg(long, value_name = "RECIPIENT")]
    pub encrypt_to: Vec<String>,
    /// How hard to compress [default: default, and blocks that a tool copies whole stay as they are]
    #[arg(long, value_enum)]
    pub compression: Option<Compression>,
}

impl Sealing {
    /// Reads the key and the recipients.
    pub fn options(&self) -> Result<WriterOptions> {
        options(self.sign_key.as_deref(), &self.encrypt_to)
    }

    /// Every file that is read.
    pub fn paths(&self) -> Vec<&Path> {
        self.sign_key.as_deref().into_iter().collect()
    }
}

fn options(sign_key: Option<&Path>, encrypt_to: &[String]) -> Result<WriterOptions> {
    let sign = sign_key.map(key).transpose()?;
    let encrypt = match encrypt_to {
        [] => None,
        recipients => Some(Recipients::from_text(&recipients.join("\n")).context("--encrypt-to")?),
    };
    Ok(WriterOptions { sign, encrypt, heads: None })
}

/// A key that signs what is no capture. One that evolves signs captures alone.
pub fn signing_key(path: &Path) -> Result<SigningKey> {
    let name = || format!("{SIGN_KEY} {}", path.display());
    let text = private::read(SIGN_KEY, path)?;
    if ForwardKey::is_text(&text) {
        bail!(
            "{}: this key evolves, and signs captures alone: `tracer keygen` without --forward makes another",
            name()
        );
    }
    SigningKey::from_text(&text).with_context(name)
}

fn key(path: &Path) -> Result<Signer> {
    let name = || format!("{SIGN_KEY} {}", path.display());
    let text = private::read(SIGN_KEY, path).map_err(|error| match private::is_missing(&error) {
        true => anyhow!("{}: there is no such file; `tracer keygen` makes a key", name()),
        false => error,
    })?;
    if ForwardKey::is_text(&text) {
        let file = File::options().read(true).write(true).open(path).with_context(name)?;
        let key = ForwardKey::open(file).with_context(name)?;
        return Ok(Signer::Forward(Arc::new(Mutex::new(key))));
    }
    Ok(SigningKey::from_text(&text).with_context(name)?.into())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn write(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        #[cfg(unix)]
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }

    #[test]
    fn a_key_is_read_and_what_is_none_is_refused_with_the_way_to_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let fail = |path| options(Some(path), &[]).unwrap_err().to_string();
        assert!(fail(&path).contains("tracer keygen"));
        let key = SigningKey::generate().unwrap();
        write(&path, &key.to_text());
        let read = options(Some(&path), &[]).unwrap().sign.unwrap();
        assert_eq!(read.public().to_string(), key.public().to_string());
        write(&path, "no key");
        assert!(fail(&path).contains("--sign-key"));
    }

    #[test]
    fn a_recipient_that_does_not_read_is_refused() {
        assert!(options(None, &["age1nonsense".to_owned()]).is_err());
        assert!(options(None, &[]).unwrap().encrypt.is_none());
    }
}
