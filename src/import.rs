//! `tracer import`: logs of others as a capture.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use replay::import::{self, BadLines};

use crate::outcome::Outcome;
use crate::stderr;
use crate::target::Target;

#[derive(Args, Debug)]
pub struct Options {
    /// What the log is
    #[arg(long, value_name = "FORMAT", default_value = "tracee-json")]
    from: Format,
    /// The log, packed by gzip or not
    #[arg(value_name = "FILE")]
    log: PathBuf,
    #[command(flatten)]
    target: Target,
    /// Leave out lines that are no events, and say how many there were
    #[arg(long)]
    skip_bad: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// JSON lines of Tracee, or of `replay -o json`
    TraceeJson,
}

pub fn run(options: Options) -> Result<Outcome> {
    let Format::TraceeJson = options.from;
    let name = options.log.display().to_string();
    let open = || {
        let log = File::open(&options.log).map(BufReader::new);
        log.and_then(import::unpacked).with_context(|| name.clone())
    };
    let bad = if options.skip_bad { BadLines::Skip } else { BadLines::Refuse };
    let survey = import::survey(open()?, bad).with_context(|| name.clone())?;
    let writing = import::Writing {
        program: concat!("tracer ", env!("CARGO_PKG_VERSION")).to_owned(),
        writer: options.target.writer_options()?,
        encoder: options.target.encoder_options(),
    };
    let file = options.target.file(&[&options.log])?;
    let (file, finished, imported) =
        import::write(open()?, survey, writing, file).with_context(|| name.clone())?;
    options.target.close(file, &finished)?;
    stderr::note(format_args!("{} events imported", imported.events));
    if let Some(first) = &imported.first_skipped {
        stderr::warn(format_args!("{} lines skipped; the first: {first}", imported.skipped));
    }
    Ok(Outcome::Done)
}
