//! `tracer info`: what a capture holds.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, ValueEnum};
use interchange::upload;

use crate::inputs::{Inputs, Reading};
use crate::outcome::Outcome;
use crate::rotated::{self, Said};
use crate::spool;
use crate::stderr;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    inputs: Inputs,
    /// How to print it
    #[arg(long, short, value_name = "FORMAT", default_value = "text")]
    output: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// One JSON object for each file
    Json,
}

/// What is kept of a file for what is said of its set.
type OfSet = (String, format::Header, Option<format::SetEnding>);

pub fn run(options: Options) -> Result<Outcome> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut files: Vec<OfSet> = Vec::new();
    let paths = options.inputs.files()?;
    options.inputs.reading.verify(paths)?;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for batch in paths.chunks(threads * FILES_PER_THREAD) {
        for told in tell(&options.inputs.reading, options.output, batch, threads) {
            let (text, of_set) = told?;
            if !files.is_empty() && options.output == Format::Text {
                writeln!(out)?;
            }
            out.write_all(&text)?;
            files.push(of_set);
        }
    }
    out.flush()?;
    let said = files.iter().map(|(name, header, _)| Said::of(name, header));
    let more = files.iter().flat_map(|(_, header, _)| &header.recording.more);
    for warning in rotated::warnings(said, more, &|at| files.get(at)?.2) {
        stderr::warn(warning);
    }
    Ok(Outcome::Done)
}

/// Files that a thread tells of at once: their texts wait for each other.
const FILES_PER_THREAD: usize = 32;

/// Tells of files on several threads, in their order.
fn tell(
    reading: &Reading,
    output: Format,
    paths: &[PathBuf],
    threads: usize,
) -> Vec<Result<(Vec<u8>, OfSet)>> {
    let tell_all = |paths: &[PathBuf]| {
        paths.iter().map(|path| tell_of(reading, output, path)).collect::<Vec<Result<_>>>()
    };
    if threads <= 1 || paths.len() == 1 {
        return tell_all(paths);
    }
    std::thread::scope(|scope| {
        let parts = paths.chunks(paths.len().div_ceil(threads));
        let started: Vec<_> = parts.map(|paths| (scope.spawn(|| tell_all(paths)), paths)).collect();
        // A thread that ended early leaves its files to this one.
        let told =
            started.into_iter().map(|(thread, paths)| thread.join().unwrap_or_else(|_| tell_all(paths)));
        told.flatten().collect()
    })
}

fn tell_of(reading: &Reading, output: Format, path: &Path) -> Result<(Vec<u8>, OfSet)> {
    let name = spool::name(path);
    let capture = reading.open_verified(path)?;
    let mut info = replay::Info::of(name.clone(), &capture);
    info.uploaded_as = upload::acknowledged_as(path);
    let format::Header { host, recording, provenance, .. } = capture.header().clone();
    // Without the schema, which is most of it.
    let header = format::Header { host, recording, provenance, ..format::Header::default() };
    let mut text = Vec::new();
    match output {
        Format::Json => {
            serde_json::to_writer_pretty(&mut text, &info).map_err(io::Error::from)?;
            text.push(b'\n');
        }
        Format::Text => text.extend_from_slice(info.text().as_bytes()),
    }
    Ok((text, (name, header, capture.set_ending())))
}
