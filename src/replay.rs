//! `tracer replay`: file to answers.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {
    /// Captures; several are read as one, by time
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub fn run(options: Options) -> Result<Outcome> {
    bail!("{}: this build cannot replay yet", options.files[0].display())
}
