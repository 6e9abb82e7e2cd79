//! `tracer info`: what a capture holds.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::inputs::Inputs;
use crate::outcome::Outcome;
use crate::rotated;
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

pub fn run(options: Options) -> Result<Outcome> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut files = Vec::new();
    let paths = options.inputs.files()?;
    options.inputs.reading.verify(paths)?;
    for (number, path) in paths.iter().enumerate() {
        let name = spool::name(path);
        let capture = options.inputs.reading.open_verified(path)?;
        let info = replay::Info::of(name.clone(), &capture);
        let format::Header { host, recording, provenance, .. } = capture.header().clone();
        // Without the schema, which is most of it.
        let header = format::Header { host, recording, provenance, ..format::Header::default() };
        files.push((name, header, capture.set_ending()));
        match options.output {
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &info).map_err(io::Error::from)?;
                writeln!(out)?;
            }
            Format::Text => {
                if number > 0 {
                    writeln!(out)?;
                }
                write!(out, "{}", info.text())?;
            }
        }
    }
    out.flush()?;
    let headers = files.iter().map(|(name, header, _)| (name.as_str(), header));
    for warning in rotated::warnings(headers, &|at| files.get(at)?.2) {
        stderr::warn(warning);
    }
    Ok(Outcome::Done)
}
