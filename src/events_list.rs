//! `tracer events`: the catalogue.

use std::io::{self, BufWriter, Write};

use anyhow::{Result, bail};
use clap::Args;
use events::{Set, catalogue};

use crate::outcome::Outcome;

#[derive(Args, Debug)]
pub struct Options {
    /// Only events of this set
    #[arg(long, short, value_name = "SET")]
    set: Option<String>,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let set = match options.set.as_deref() {
        None => None,
        Some(name) => match Set::by_name(name) {
            Some(set) => Some(set),
            None => {
                let known: Vec<_> = Set::ALL.iter().map(|set| set.name()).collect();
                bail!("no event set {name:?}; known are {}", known.join(", "))
            }
        },
    };
    let mut out = BufWriter::new(io::stdout().lock());
    for event in catalogue::events().filter(|event| set.is_none_or(|set| event.sets.has(set))) {
        let sets: Vec<_> = event.sets.iter().map(Set::name).collect();
        writeln!(out, "{:<30} {}", event.name, sets.join(","))?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}
