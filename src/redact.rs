//! `tracer redact`: a capture that can be given away.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use format::redact::{Redactor, Rule, Treatment};
use format::rewrite::Place;

use crate::inputs::Input;
use crate::outcome::Outcome;
use crate::target::{self, Target};

/// WHAT is argv, env, paths, addresses, hosts, comm, data, users, containers, any (every text and buffer), or
/// EVENT.ARGUMENT (openat.pathname, *.buf); WHAT=GLOB means only the values that fit (paths=/home/*, any=*alice*). The
/// first rule that fits decides, drops before hashes. What cannot be hashed part by part (packets, messages, listings of
/// directories) is left out as a whole. Ids of containers, cgroups, processes and users stay.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    target: Target,
    /// Replace values by hashes: equal values stay equal, paths keep their shape
    #[arg(long, value_name = "WHAT[=GLOB]", value_delimiter = ',')]
    hash: Vec<String>,
    /// Leave values out
    #[arg(long, value_name = "WHAT[=GLOB]", value_delimiter = ',')]
    drop: Vec<String>,
    /// Hash with what this file holds, so that several captures get equal hashes; otherwise with a secret nobody keeps
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let drops = options.drop.iter().map(|text| Rule::parse(text, Treatment::Drop));
    let hashes = options.hash.iter().map(|text| Rule::parse(text, Treatment::Hash));
    let rules: Vec<Rule> = drops.chain(hashes).collect::<Result<_, _>>()?;
    if rules.is_empty() {
        bail!("nothing to redact: give --hash or --drop, such as --hash paths,argv,addresses,hosts");
    }
    let secret = match &options.secret {
        Some(path) => std::fs::read(path).with_context(|| format!("reading {}", path.display()))?,
        None => format::SigningKey::generate()?.to_text().into_bytes(),
    };
    let capture = options.input.open()?;
    let mut redactor = Redactor::new(rules, &secret);
    let mut header = target::header(&capture, "redact");
    redactor.header(&mut header);
    let mut inputs = options.input.paths();
    inputs.extend(options.secret.as_deref());
    let mut writer = options.target.create(&header, &inputs)?;
    let mut copier = options.target.copier();
    copier.sides(&capture, &mut writer, &mut redactor, Place::default())?;
    for block in 0..capture.blocks().len() {
        copier
            .block(&capture, block, &mut writer, &mut redactor, Place::default())
            .with_context(|| options.input.file.display().to_string())?;
    }
    options.target.finish(writer)?;
    Ok(Outcome::Done)
}
