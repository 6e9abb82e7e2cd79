//! `tracer info`: what a capture holds.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn run(options: Options) -> Result<Outcome> {
    bail!("{}: this build cannot read captures yet", options.file.display())
}
