//! `tracer recover`: what is left of a damaged or unfinished capture, as a clean one.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use format::Completeness;
use format::rewrite::{AsItIs, Place};

use crate::outcome::Outcome;
use crate::reading::Reading;
use crate::rewritten::{self, Target};

#[derive(Args, Debug)]
pub struct Options {
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    reading: Reading,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let name = options.file.display();
    let capture = options.reading.open(&options.file)?;
    let mut err = std::io::stderr().lock();
    match capture.completeness() {
        Completeness::Finished => {
            let _ = writeln!(err, "{name}: was finished");
        }
        Completeness::Salvaged { lost_bytes, what } => {
            let _ = writeln!(err, "{name}: {what}; {lost_bytes} bytes are lost");
        }
    }
    let header = rewritten::header(&capture, "recover");
    let mut writer = options.target.create(&header, &[&options.file])?;
    let mut copier = options.target.copier();
    copier.sides(&capture, &mut writer, &mut AsItIs, Place::default()).context("writing")?;
    for (block, info) in capture.blocks().iter().enumerate() {
        // A block that does not decode is left out, with what came of it so far written as losses nobody can count.
        if let Err(error) = copier.block(&capture, block, &mut writer, &mut AsItIs, Place::default()) {
            if matches!(error, format::Error::Io { .. }) {
                return Err(error.into());
            }
            let _ = writeln!(err, "{name}: left out {} events: {error}", info.rows);
            let loss = format::Loss {
                host: info.host,
                from_ns: info.first_ns,
                to_ns: info.last_ns,
                cpu: None,
                event: None,
                count: u64::from(info.rows),
                cause: "damaged block".into(),
            };
            writer.side(&format::Side::Losses(vec![loss]))?;
        }
    }
    drop(err);
    options.target.finish(writer)?;
    Ok(Outcome::Done)
}
