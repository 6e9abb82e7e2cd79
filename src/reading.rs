//! How captures are read, for all subcommands that read them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use format::{Capture, Identity, OpenOptions};

#[derive(Args, Debug, Default)]
pub struct Reading {
    /// File with the age identity that encrypted captures were encrypted to
    #[arg(long, value_name = "FILE", env = "TRACER_IDENTITY")]
    identity: Option<PathBuf>,
}

impl Reading {
    pub fn options(&self) -> Result<OpenOptions> {
        let mut options = OpenOptions::default();
        if let Some(path) = &self.identity {
            let name = || format!("--identity {}", path.display());
            let text = std::fs::read_to_string(path).with_context(name)?;
            options.identity = Some(Identity::from_text(&text).with_context(name)?);
        }
        Ok(options)
    }

    pub fn open(&self, path: &Path) -> Result<Capture> {
        Capture::open_with(path, &self.options()?).with_context(|| path.display().to_string())
    }
}
