//! `tracer recover`: what is left of a damaged or unfinished capture, as a clean one.

use anyhow::{Context, Result, bail};
use clap::Args;
use format::Completeness;
use format::rewrite::{AsItIs, Place};
use pipeline::Source;

use crate::inputs::Input;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::provenance;
use crate::stderr;
use crate::target::Target;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    target: Target,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let name = options.input.name();
    let progress = Progress::of(&options.input.paths());
    let capture = options.input.open()?;
    match capture.completeness() {
        Completeness::Finished => {
            stderr::say(format_args!("{name}: was finished"));
        }
        Completeness::Growing => {
            stderr::say(format_args!("{name}: is still being written"));
        }
        Completeness::Salvaged { lost_bytes, what } => {
            stderr::say(format_args!("{name}: {what}; {lost_bytes} bytes are lost"));
        }
    }
    let verified = options.input.provenance()?;
    let takes_stored_blocks = verified.is_good() && options.target.takes_stored_blocks();
    let mut header = provenance::header(&[&capture], vec!["tracer".into(), "recover".into()], vec![verified]);
    let source = Source::new(vec![(name.clone(), capture)]);
    let Some(file) = source.files().first() else { bail!("{name}: it cannot be read") };
    provenance::tell_ends(&mut header, file, i64::MAX);
    let capture = &file.capture;
    let mut writer = options.target.create(&header, &options.input.paths())?;
    let mut copier = options.target.copier();
    copier.sides(capture, &mut writer, &mut AsItIs, Place::default()).context("writing")?;
    for (block, info) in capture.blocks().iter().enumerate() {
        if takes_stored_blocks && copier.stored_block(capture, block, &mut writer)? {
            continue;
        }
        // A block that does not decode is left out, with what came of it so far written as losses nobody can count.
        if let Err(error) = copier.block(capture, block, &mut writer, &mut AsItIs, Place::default()) {
            if matches!(error, format::Error::Io { .. }) {
                return Err(error.into());
            }
            stderr::say(format_args!("{name}: left out {} events: {error}", info.statistics.rows));
            let loss = format::Loss {
                host: info.host(),
                from_ns: info.statistics.first_ns,
                to_ns: info.statistics.last_ns,
                cpu: None,
                event: None,
                count: info.statistics.rows,
                cause: "damaged block".into(),
            };
            writer.side(&format::Side::Losses(vec![loss]))?;
        }
    }
    copier.artifacts(capture, &mut writer, &mut AsItIs, Place::default()).context("writing")?;
    drop(progress);
    options.target.finish(writer)?;
    Ok(Outcome::Done)
}
