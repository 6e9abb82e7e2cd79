//! Where answers go that are text: files, pipes, terminals, a pager.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;

use anyhow::Result;
use replay::render::Destination;

use crate::output::{self, OutputFile};
use crate::pager::Pager;

/// Opens a destination, and gives it a name for messages. `inputs` are all files that the run reads.
pub fn open(
    destination: &Destination,
    force: bool,
    inputs: &[&Path],
    no_pager: bool,
) -> Result<(String, Sink)> {
    Ok(match &destination.file {
        Some(path) => {
            let file = output::create(path, force, inputs)?;
            (path.display().to_string(), Sink::File(BufWriter::with_capacity(1 << 18, file)))
        }
        None => ("stdout".to_owned(), stdout(inputs, no_pager)?),
    })
}

fn stdout(inputs: &[&Path], no_pager: bool) -> Result<Sink> {
    if !io::stdout().is_terminal() {
        return Ok(Sink::Pipe(BufWriter::with_capacity(1 << 16, output::stdout(inputs)?)));
    }
    let pager = if no_pager { None } else { Pager::start() };
    Ok(match pager {
        Some(pager) => Sink::Pager(BufWriter::with_capacity(1 << 12, pager)),
        None => Sink::Terminal(io::stdout()),
    })
}

/// Where one of the answers goes.
#[derive(Debug)]
pub enum Sink {
    /// A terminal sees lines as they come.
    Terminal(io::Stdout),
    /// A person who reads a screen at a time.
    Pager(BufWriter<Pager>),
    /// A pipe gets whole pieces, past the standard library's line buffer.
    Pipe(BufWriter<File>),
    File(BufWriter<OutputFile>),
}

impl Sink {
    pub fn finish(self) -> io::Result<()> {
        match self {
            Sink::Terminal(mut terminal) => terminal.flush(),
            Sink::Pager(mut pager) => pager.flush(),
            Sink::Pipe(mut pipe) => pipe.flush(),
            Sink::File(file) => file.into_inner().map_err(io::IntoInnerError::into_error)?.finish(),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Terminal(terminal) => terminal.write(bytes),
            Sink::Pager(pager) => pager.write(bytes),
            Sink::Pipe(pipe) => pipe.write(bytes),
            Sink::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Terminal(terminal) => terminal.flush(),
            Sink::Pager(pager) => pager.flush(),
            Sink::Pipe(pipe) => pipe.flush(),
            Sink::File(file) => file.flush(),
        }
    }
}
