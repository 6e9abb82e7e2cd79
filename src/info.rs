//! `tracer info`: what a capture holds.

use std::io::{self, BufWriter, Write};

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::inputs::Inputs;
use crate::outcome::Outcome;

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
    for (number, path) in options.inputs.files.iter().enumerate() {
        let name = path.display().to_string();
        let capture = options.inputs.reading.open(path)?;
        let info = replay::Info::of(name, &capture);
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
    Ok(Outcome::Done)
}
