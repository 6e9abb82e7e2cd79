//! `tracer verify`: whether a capture is what was written, and `tracer keygen` for the keys that say who wrote it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use format::{Expected, PublicKey, SigningKey};

use crate::outcome::Outcome;
use crate::reading::Reading;
use crate::rotated::{self, Standing};

/// Give all parts of a rotated set together: then a part that is missing between them, or was exchanged, is found too.
#[derive(Args, Debug)]
pub struct Options {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The public key that must have signed: a file, or the key's line itself
    #[arg(long, value_name = "PUB")]
    key: Option<String>,
    #[command(flatten)]
    reading: Reading,
}

/// Exit code 1 when a file is not what was written, or the parts of a rotated set do not follow each other.
pub fn run(options: &Options) -> Result<Outcome> {
    let key = options.key.as_deref().map(public_key).transpose()?;
    let reading = options.reading.options()?;
    let expected = Expected { key: key.as_ref(), identity: reading.identity.as_ref() };
    let mut files = Vec::new();
    for file in &options.files {
        let name = file.display().to_string();
        let verdict = format::verify(file, expected).with_context(|| name.clone())?;
        files.push((name, verdict));
    }
    let standings = rotated::standings(&files);
    let mut out = std::io::stdout().lock();
    let mut outcome = Outcome::Done;
    for ((name, verdict), standing) in files.iter().zip(standings) {
        if let Some(fault) = &verdict.fault {
            outcome = Outcome::Found;
            writeln!(out, "{name}: BAD at byte {}: {}", fault.offset, fault.what)?;
            writeln!(out, "  {} whole blocks before it, {} events", verdict.blocks, verdict.rows)?;
            continue;
        }
        match &standing {
            Standing::Broken(what) => {
                outcome = Outcome::Found;
                writeln!(out, "{name}: BAD among its set: {what}")?;
                writeln!(
                    out,
                    "  the file by itself is whole, {} blocks, {} events",
                    verdict.blocks, verdict.rows
                )?;
            }
            _ => writeln!(out, "{name}: good, {} blocks, {} events", verdict.blocks, verdict.rows)?,
        }
        let head = verdict.head.map(|byte| format!("{byte:02x}")).concat();
        writeln!(out, "  chain head {head}")?;
        match standing {
            Standing::Follows { part, before } => {
                let before = files.get(before).map_or("", |(name, _)| name);
                writeln!(out, "  part {part} of its set, written after {before}")?;
            }
            Standing::Oldest { part } => {
                writeln!(out, "  part {part} of its set; the parts before it are not among these files")?;
            }
            Standing::Alone | Standing::First | Standing::Broken(_) => {}
        }
        match verdict.signed_by {
            Some(signer) if key.is_some() => writeln!(out, "  signed by {signer}")?,
            Some(signer) => writeln!(out, "  signed by {signer}, which nobody vouches for without --key")?,
            None => writeln!(out, "  not signed: whoever can write the file could have made it anew")?,
        }
    }
    Ok(outcome)
}

fn public_key(given: &str) -> Result<PublicKey> {
    match PublicKey::from_text(given) {
        Ok(key) => Ok(key),
        Err(_) => {
            let text = std::fs::read_to_string(given).with_context(|| format!("reading the key {given}"))?;
            PublicKey::from_text(&text).with_context(|| given.to_owned())
        }
    }
}

#[derive(Args, Debug)]
pub struct KeyOptions {
    /// Where to write the secret key; FILE.pub gets the public one
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn generate(options: &KeyOptions) -> Result<Outcome> {
    use std::os::unix::fs::OpenOptionsExt;
    let key = SigningKey::generate()?;
    let name = options.file.display();
    let mut open = std::fs::OpenOptions::new();
    let mut file = open
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&options.file)
        .with_context(|| format!("creating {name}"))?;
    file.write_all(key.to_text().as_bytes()).with_context(|| format!("writing {name}"))?;
    let public = format!("{name}.pub");
    std::fs::write(&public, format!("{}\n", key.public())).with_context(|| format!("writing {public}"))?;
    writeln!(std::io::stdout().lock(), "{}", key.public())?;
    Ok(Outcome::Done)
}
