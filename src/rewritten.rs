//! Captures that are made from captures: what `cut`, `merge`, `redact` and `recover` share.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use format::rewrite::Copier;
use format::{Capture, Header, Writer};

use crate::compression::Compression;
use crate::seal;

/// Where the new capture goes.
#[derive(Args, Debug)]
pub struct Target {
    /// The capture to write
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Overwrite it when it is there
    #[arg(long)]
    pub force: bool,
    /// Sign it with this key
    #[arg(long, value_name = "KEY")]
    pub sign_key: Option<PathBuf>,
    /// Encrypt it to this age recipient (age1...); repeatable
    #[arg(long, value_name = "RECIPIENT")]
    pub encrypt_to: Vec<String>,
    /// How hard to compress
    #[arg(long, value_enum, default_value_t = Compression::Default)]
    pub compression: Compression,
}

impl Target {
    /// Begins the new capture. It must be none of those that it is made from.
    pub fn create(&self, header: &Header, sources: &[&Path]) -> Result<Writer<File>> {
        let name = self.output.display();
        let same = |source: &&Path| match (source.canonicalize(), self.output.canonicalize()) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        };
        if sources.iter().any(same) {
            bail!("{name}: the new capture cannot take the place of what it is made from");
        }
        let options = seal::options(self.sign_key.as_deref(), &self.encrypt_to)?;
        let mut open = OpenOptions::new();
        open.write(true).mode(0o600);
        if self.force {
            open.create(true).truncate(true)
        } else {
            open.create_new(true)
        };
        let file =
            open.open(&self.output).with_context(|| format!("creating {name} (--force overwrites)"))?;
        Ok(Writer::create_with(file, header, options)?)
    }

    pub fn copier(&self) -> Copier {
        Copier::new(format::Options::new(self.compression.into()))
    }

    /// Ends it, and says on stderr what it amounts to.
    pub fn finish(&self, writer: Writer<File>) -> Result<()> {
        let (file, finished) = writer.finish().with_context(|| self.output.display().to_string())?;
        file.sync_all().with_context(|| self.output.display().to_string())?;
        let _ = writeln!(
            std::io::stderr().lock(),
            "{}: {} events in {} blocks, {} bytes",
            self.output.display(),
            finished.rows,
            finished.blocks,
            finished.bytes
        );
        Ok(())
    }
}

/// The header of a capture that is made from this one.
pub fn header(capture: &Capture, made_by: &str) -> Header {
    let mut header = capture.header().clone();
    header.schema = capture.schema().declarations();
    let before = std::mem::take(&mut header.recording.made_from);
    header.recording.made_from =
        if before.is_empty() { made_by.to_owned() } else { format!("{made_by}, {before}") };
    // What follows a part of a rotated set is not this.
    header.recording.previous_head = None;
    header
}
