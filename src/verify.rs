//! `tracer verify`: whether a capture is what was written, and `tracer keygen` for the keys that say who wrote it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use format::SigningKey;

use crate::inputs::{self, IdentityOption, public_key};
use crate::outcome::Outcome;
use crate::output;
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
    identity: IdentityOption,
}

/// Exit code 1 when a file is not what was written, or the parts of a rotated set do not follow each other.
pub fn run(options: &Options) -> Result<Outcome> {
    let key = options.key.as_deref().map(public_key).transpose()?;
    let files = inputs::verdicts(&options.files, key.as_ref(), &options.identity)?;
    let standings = rotated::standings(&files);
    let mut out = std::io::stdout().lock();
    let mut outcome = Outcome::Done;
    for (at, ((name, verdict), standing)) in files.iter().zip(standings).enumerate() {
        if let Some(fault) = &verdict.fault {
            outcome = Outcome::Found;
            writeln!(out, "{name}: BAD at byte {}: {}", fault.offset, fault.what)?;
            writeln!(out, "  {} whole blocks before it, {} events", verdict.blocks, verdict.rows)?;
            if let Some(sealed) = verdict.sealed {
                let by =
                    sealed.signed_by.map_or("not signed".to_owned(), |signer| format!("signed by {signer}"));
                let (bytes, blocks) = (sealed.offset, sealed.blocks);
                writeln!(out, "  sealed up to byte {bytes}: {blocks} blocks, {by}")?;
            }
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
        if rotated::lacks_successor(&files, at) {
            writeln!(out, "  the parts after it are not among these files")?;
        }
        match verdict.signed_by {
            Some(signer) if key.is_some() => writeln!(out, "  signed by {signer}")?,
            Some(signer) => writeln!(out, "  signed by {signer}, which nobody vouches for without --key")?,
            None => writeln!(out, "  not signed: whoever can write the file could have made it anew")?,
        }
    }
    Ok(outcome)
}

#[derive(Args, Debug)]
pub struct KeyOptions {
    /// Where to write the secret key; FILE.pub gets the public one
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn generate(options: &KeyOptions) -> Result<Outcome> {
    let key = SigningKey::generate()?;
    let public = PathBuf::from(format!("{}.pub", options.file.display()));
    // Both or none: a key whose public half is another's is worse than no key.
    let mut files = Vec::new();
    for (path, text) in [(&options.file, key.to_text()), (&public, format!("{}\n", key.public()))] {
        let name = || format!("writing {}", path.display());
        let mut file = output::create(path, false, &[])?;
        file.write_all(text.as_bytes()).with_context(name)?;
        files.push((file, name()));
    }
    for (file, name) in files {
        file.finish().context(name)?;
    }
    writeln!(std::io::stdout().lock(), "{}", key.public())?;
    Ok(Outcome::Done)
}
