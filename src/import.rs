//! `tracer import`: logs of others as a capture.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use replay::import::{self, BadLines};

use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {
    /// What the log is
    #[arg(long, value_name = "FORMAT", default_value = "tracee-json")]
    from: Format,
    /// The log
    #[arg(value_name = "FILE")]
    log: PathBuf,
    /// The capture to write
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
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
    let open = || File::open(&options.log).map(BufReader::new).with_context(|| name.clone());
    let bad = if options.skip_bad { BadLines::Skip } else { BadLines::Refuse };
    let survey = import::survey(open()?, bad).with_context(|| name.clone())?;
    let target = options.output.display().to_string();
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(options.force)
        .create_new(!options.force)
        .mode(0o600)
        .open(&options.output);
    let file = match file {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{target} is there already; --force writes over it")
        }
        file => file.with_context(|| format!("creating {target}"))?,
    };
    let program = concat!("tracer ", env!("CARGO_PKG_VERSION"));
    let (mut out, imported) = import::write(open()?, survey, program, file).context(target)?;
    out.flush()?;
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "tracer: {} events imported", imported.events);
    if let Some(first) = &imported.first_skipped {
        let _ = writeln!(err, "tracer: warning: {} lines skipped; the first: {first}", imported.skipped);
    }
    Ok(Outcome::Done)
}
