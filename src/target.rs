//! Captures that are made from other files: what `cut`, `merge`, `redact`, `recover` and `import` share.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use format::rewrite::Copier;
use format::{Finished, Header, Writer};

use crate::output::{self, OutputFile};
use crate::seal::Sealing;
use crate::stderr;

/// Where the new capture goes.
#[derive(Args, Debug)]
pub struct Target {
    /// The capture to write; - is standard output
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    sealing: Sealing,
}

impl Target {
    /// Begins the new capture. It is none of the files that it is made from.
    pub fn create(&self, header: &Header, inputs: &[&Path]) -> Result<Writer<OutputFile>> {
        let options = self.sealing.options()?;
        Ok(Writer::create_with(self.file(inputs)?, header, options)?)
    }

    /// The file alone, for what writes a capture by itself.
    pub fn file(&self, inputs: &[&Path]) -> Result<OutputFile> {
        let inputs: Vec<&Path> = [inputs, &self.sealing.paths()].concat();
        match self.output.to_str() {
            Some(output::STDOUT) => output::capture_to_stdout(&inputs),
            _ => output::create(&self.output, self.force, &inputs),
        }
    }

    pub fn writer_options(&self) -> Result<format::WriterOptions> {
        self.sealing.options()
    }

    pub fn encoder_options(&self) -> format::Options {
        format::Options::new(self.sealing.compression.unwrap_or_default().into())
    }

    /// Whether blocks that nothing changes may stay as they are: nobody said how hard to compress.
    pub fn takes_stored_blocks(&self) -> bool {
        self.sealing.compression.is_none()
    }

    pub fn copier(&self) -> Copier {
        Copier::new(self.encoder_options())
    }

    /// Ends it, and says on stderr what it amounts to.
    pub fn finish(&self, writer: Writer<OutputFile>) -> Result<()> {
        let (file, finished) = writer.finish().with_context(|| self.name())?;
        self.close(file, &finished)
    }

    /// The same for a capture that was written elsewhere.
    pub fn close(&self, file: OutputFile, finished: &Finished) -> Result<()> {
        file.finish().with_context(|| self.name())?;
        let Finished { rows, blocks, bytes, .. } = finished;
        stderr::say(format_args!("{}: {rows} events in {blocks} blocks, {bytes} bytes", self.name()));
        Ok(())
    }

    pub fn is_encrypted(&self) -> bool {
        !self.sealing.encrypt_to.is_empty()
    }

    fn name(&self) -> String {
        match self.output.to_str() {
            Some(output::STDOUT) => "stdout".to_owned(),
            _ => self.output.display().to_string(),
        }
    }
}
