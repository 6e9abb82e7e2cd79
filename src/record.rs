//! `tracer record`: kernel to file.

use anyhow::{Result, bail};
use clap::Args;

use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {}

pub fn run(_options: Options) -> Result<Outcome> {
    bail!("this build cannot record yet")
}
