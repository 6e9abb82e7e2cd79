//! `tracer redact`: a capture that can be given away.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use format::SourceCapture;
use format::redact::{Redactor, Rule, Treatment};
use format::rewrite::Place;

use crate::inputs::Input;
use crate::outcome::Outcome;
use crate::progress::Progress;
use crate::target::Target;
use crate::{glob, provenance, stderr};

/// WHAT is argv, env, paths, addresses, hosts, comm, data, users, containers, any (every text and buffer), or
/// EVENT.ARGUMENT (openat.pathname, *.buf); WHAT=GLOB means only the values that fit (paths=/home/*, any=*alice*), in
/// small or capital letters. The first rule that fits decides, drops before hashes. What cannot be hashed part by part
/// (packets, messages, listings of directories) is left out as a whole. Ids of containers, cgroups, processes and users
/// stay; the bytes of artifacts do not, unless --keep-artifacts says so. Nothing is written when a rule changes nothing, or when something that was taken out of one place still stands in
/// another.
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
    /// Hash with what this file holds (16 bytes or more), so that several captures get equal hashes; otherwise with a
    /// secret nobody keeps
    #[arg(long, value_name = "FILE")]
    secret: Option<PathBuf>,
    /// Let the bytes of artifacts of these kinds stay (exec, memfd, module, bpf, write); those of others are left out, as all
    /// are without this, for they may hold anything
    #[arg(long, value_name = "KINDS", value_delimiter = ',', value_parser = clap::builder::PossibleValuesParser::new(format::Artifact::KINDS))]
    keep_artifacts: Vec<String>,
    /// Go on when a rule changes nothing
    #[arg(long)]
    allow_unused: bool,
    /// Go on when something that was taken out of one place still stands in another
    #[arg(long)]
    allow_leftovers: bool,
}

/// A secret that is shorter can be tried.
const SECRET_BYTES: usize = 16;

pub fn run(options: &Options) -> Result<Outcome> {
    let read = |text: &String, treatment| Rule::parse(text, treatment, &glob::read);
    let drops = options.drop.iter().map(|text| read(text, Treatment::Drop));
    let hashes = options.hash.iter().map(|text| read(text, Treatment::Hash));
    let rules: Vec<Rule> = drops.chain(hashes).collect::<Result<_, _>>()?;
    if rules.is_empty() {
        bail!("nothing to redact: give --hash or --drop, such as --hash paths,argv,addresses,hosts");
    }
    let secret = match &options.secret {
        Some(path) => secret(path)?,
        None => format::SigningKey::generate()?.to_text().into_bytes(),
    };
    let name = || options.input.name();
    let progress = Progress::of(&options.input.paths());
    let capture = options.input.open()?;
    let mut redactor = Redactor::new(rules, &secret);
    redactor.check(capture.schema())?;
    redactor.keep_artifacts(&options.keep_artifacts);
    // Neither the rules nor the file are told: their names say what is hidden.
    let source = SourceCapture { name: String::new(), ..options.input.provenance()? };
    let mut header = provenance::header(&[&capture], vec!["tracer".into(), "redact".into()], vec![source]);
    redactor.header(&mut header.clone());
    let mut copier = options.target.copier();
    copier.survey(&capture, &mut redactor).with_context(name)?;
    tell_counts(&redactor, options.allow_unused)?;

    redactor.begin_checking();
    redactor.header(&mut header);
    let mut inputs = options.input.paths();
    inputs.extend(options.secret.as_deref());
    let mut writer = options.target.create(&header, &inputs)?;
    copier.sides(&capture, &mut writer, &mut redactor, Place::default())?;
    for block in 0..capture.blocks().len() {
        copier.block(&capture, block, &mut writer, &mut redactor, Place::default()).with_context(name)?;
    }
    copier.artifacts(&capture, &mut writer, &mut redactor, Place::default()).with_context(name)?;
    tell_leftovers(&redactor, options.allow_leftovers)?;
    let (file, finished) = writer.finish()?;
    match file.partial() {
        Some(path) => search(&redactor, path, options)?,
        None => stderr::warn("what goes into a stream is not read back and searched again"),
    }
    drop(progress);
    options.target.close(file, &finished)?;
    Ok(Outcome::Done)
}

/// Reads back what was written, and searches it for what was taken out.
fn search(redactor: &Redactor, path: &Path, options: &Options) -> Result<()> {
    let before = redactor.leftovers();
    redactor.search_bytes(std::fs::File::open(path).context("reading back what was written")?)?;
    if options.target.is_encrypted() {
        stderr::note(
            "the capture is encrypted: its bytes were searched, and its values while they were written",
        );
    } else {
        let written = format::Capture::open(path).context("reading back what was written")?;
        redactor.search_capture(&written).context("reading back what was written")?;
    }
    // What was known before it was written was told then.
    let is_new = redactor.leftovers().keys().any(|place| !before.contains_key(place));
    if is_new { tell_leftovers(redactor, options.allow_leftovers) } else { Ok(()) }
}

fn secret(path: &Path) -> Result<Vec<u8>> {
    let name = path.display();
    let is_file = path.metadata().with_context(|| format!("--secret {name}"))?.is_file();
    if !is_file {
        bail!("--secret {name} is no file: everybody has what a device holds");
    }
    let secret = std::fs::read(path).with_context(|| format!("--secret {name}"))?;
    if secret.len() < SECRET_BYTES {
        bail!("--secret {name} holds {} bytes: {SECRET_BYTES} and more cannot be tried", secret.len());
    }
    Ok(secret)
}

/// How many values each rule changes; one that changes none is most often misspelt.
fn tell_counts(redactor: &Redactor, allow_unused: bool) -> Result<()> {
    for (rule, count) in redactor.counts() {
        let noun = if count == 1 { "value" } else { "values" };
        stderr::note(format_args!("{rule}: {count} {noun}"));
    }
    let unused: Vec<&str> =
        redactor.counts().filter(|(_, count)| *count == 0).map(|(rule, _)| rule).collect();
    if !unused.is_empty() && !allow_unused {
        bail!(
            "{}: changed nothing, or all that it is about was decided by rules before it; nothing is written \
             (--allow-unused goes on)",
            unused.join(", ")
        );
    }
    Ok(())
}

fn tell_leftovers(redactor: &Redactor, allow_leftovers: bool) -> Result<()> {
    if redactor.is_search_partial() {
        stderr::warn("more values were taken out than are remembered: not all of them were searched for");
    }
    let leftovers = redactor.leftovers();
    if leftovers.is_empty() {
        return Ok(());
    }
    let places: Vec<String> = leftovers.iter().map(|(place, count)| format!("{place} ({count})")).collect();
    let said = format!("what was taken out still stands in {}", places.join(", "));
    if !allow_leftovers {
        bail!(
            "{said}; nothing is written: add rules for these (argv, data, paths, EVENT.ARGUMENT), or \
             --allow-leftovers"
        );
    }
    stderr::warn(said);
    Ok(())
}
