//! `tracer verify`: whether a capture is what was written, and `tracer keygen` for the keys that say who wrote it.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use format::{ForwardKey, SigningKey};

use crate::inputs::{self, IdentityOption, heads, public_key};
use crate::outcome::Outcome;
use crate::output;
use crate::progress::Progress;
use crate::rotated::{self, Standing};

/// Give all parts of a rotated set together: then a part that is missing at its ends or between, or was exchanged, is found too.
#[derive(Args, Debug)]
pub struct Options {
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The public key that must have signed: a file, or the key's line itself
    #[arg(long, value_name = "PUB")]
    key: Option<String>,
    /// The heads that a witness holds, as `tracer record --heads` sent them: the files must have them, and none may be missing
    #[arg(long, value_name = "FILE")]
    heads: Option<PathBuf>,
    /// Not all parts of a rotated set are given, on purpose: say which are missing, and let that be no fault
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    identity: IdentityOption,
}

/// Exit code 1 when a file is not what was written, or the parts of a rotated set do not follow each other or lack one.
pub fn run(options: &Options) -> Result<Outcome> {
    let key = options.key.as_deref().map(public_key).transpose()?;
    let heads = options.heads.as_deref().map(heads).transpose()?;
    let progress = Progress::of(&options.files);
    let files = inputs::verdicts(&options.files, key.as_ref(), heads.as_ref(), &options.identity)?;
    drop(progress);
    let standings = rotated::standings(&files);
    let mut out = std::io::stdout().lock();
    let mut outcome = Outcome::Done;
    for ((name, verdict), standing) in files.iter().zip(standings) {
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
        if let Some(number) = verdict.key_file {
            let before = match number {
                0 => String::new(),
                _ => format!("; what it signed before, file 0 to {}, is other files", number - 1),
            };
            writeln!(out, "  file {number} of a key that evolves{before}")?;
        }
        if heads.is_some() {
            let (witnessed, seals) = (verdict.witnessed_seals, verdict.seals);
            writeln!(out, "  the witness holds the heads of {witnessed} of its {seals} seals")?;
        }
        match verdict.signed_by {
            Some(signer) if key.is_some() => writeln!(out, "  signed by {signer}")?,
            Some(signer) => writeln!(out, "  signed by {signer}, which nobody vouches for without --key")?,
            None => writeln!(out, "  not signed: whoever can write the file could have made it anew")?,
        }
    }
    if let Some(heads) = &heads
        && heads.contradictions > 0
    {
        outcome = Outcome::Found;
        writeln!(
            out,
            "--heads: {} lines say another head than an earlier line of the same seal",
            heads.contradictions
        )?;
    }
    for sentence in rotated::missing(&files, heads.as_ref()) {
        if options.partial {
            writeln!(out, "{sentence}")?;
        } else {
            outcome = Outcome::Found;
            writeln!(out, "INCOMPLETE: {sentence}")?;
        }
    }
    Ok(outcome)
}

#[derive(Args, Debug)]
pub struct KeyOptions {
    /// Where to write the secret key; FILE.pub gets the public one
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A key that evolves: each seal of a capture has a key of its own, which is then erased, so that nobody who takes the host
    /// over can sign again what was recorded before. It signs so many files [default: 4096]
    #[arg(long, value_name = "FILES", num_args = 0..=1, require_equals = true, default_missing_value = "4096",
          value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    forward: Option<u32>,
}

pub fn generate(options: &KeyOptions) -> Result<Outcome> {
    let (secret, key) = match options.forward {
        None => {
            let key = SigningKey::generate()?;
            (key.to_text(), key.public())
        }
        Some(files) => {
            let (text, public) = ForwardKey::generate(files)?;
            (text.to_string(), public)
        }
    };
    let public = PathBuf::from(format!("{}.pub", options.file.display()));
    // Both or none: a key whose public half is another's is worse than no key.
    let mut files = Vec::new();
    for (path, text) in [(&options.file, secret), (&public, format!("{key}\n"))] {
        let name = || format!("writing {}", path.display());
        let mut file = output::create(path, false, &[])?;
        file.write_all(text.as_bytes()).with_context(name)?;
        files.push((file, name()));
    }
    for (file, name) in files {
        file.finish().context(name)?;
    }
    writeln!(std::io::stdout().lock(), "{key}")?;
    Ok(Outcome::Done)
}
