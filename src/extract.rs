//! `tracer extract`: the bytes of artifacts, out of captures and into a folder.

mod events;
mod folder;
mod list;
mod manifest;

use std::collections::HashMap;
use std::io::Write as _;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use format::{ContentInfo, Sha256};
use pipeline::Source;

use crate::filters::FilterOptions;
use crate::inputs::{Damage, Inputs};
use crate::outcome::{self, Outcome};
use crate::progress::Progress;
use crate::stderr;
use crate::threads::Threads;
use events::Chosen;
use folder::Folder;
use manifest::Manifest;

/// Each file is named by its SHA-256 and the last part of the path that it had, as far as that is letters and digits; it is
/// for its owner alone, and cannot be executed. Nothing that is in the folder is written over. manifest.json says of each
/// where it came from, and what was left out and why.
#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    inputs: Inputs,
    #[command(flatten)]
    scopes: FilterOptions,
    /// Folder to write into; it is made if it is not there
    #[arg(long, short, value_name = "DIR", required_unless_present = "list")]
    output: Option<PathBuf>,
    /// Print what there is, and write nothing
    #[arg(long, conflicts_with = "output")]
    list: bool,
    /// With --list: print what manifest.json would say
    #[arg(long, requires = "list")]
    json: bool,
    /// Write no more than this: captures of others may hold few bytes that become many
    #[arg(long, value_name = "SIZE", default_value = "4G", value_parser = crate::amounts::size)]
    max_size: u64,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    damage: Damage,
}

/// Where bytes stand: number of the file, and what that says of them.
type Places = HashMap<Sha256, (usize, ContentInfo)>;

pub fn run(options: Options) -> Result<Outcome> {
    let progress = Progress::of(options.inputs.files()?);
    let source = options.inputs.source()?;
    let places = places(&source)?;
    let (chosen, gaps) = Chosen::of(&source, &places, &options.scopes, &options.threads, options.damage)?;
    drop(progress);
    let mut manifest = Manifest::of(&source, &places, &chosen);
    let mut outcome = Outcome::Done;
    if let Some(path) = &options.output {
        let mut folder = Folder::open(path)?;
        let written = write(&source, &places, &mut manifest, &mut folder, options.max_size);
        // What was written until something went wrong is there, and told.
        if manifest.is_partial() {
            outcome = Outcome::Partial;
        }
        let said = folder.write_manifest(&manifest);
        written?;
        said?;
        stderr::say(format_args!("{}: {}", path.display(), manifest.sum()));
    } else {
        let mut out = std::io::BufWriter::new(std::io::stdout().lock());
        match options.json {
            true => out.write_all(&manifest.to_json())?,
            false => list::print(&manifest, &mut out)?,
        }
        out.flush()?;
    }
    outcome::with_gaps(outcome, &gaps, &source)
}

fn places(source: &Source) -> Result<Places> {
    let mut places = Places::new();
    for (number, file) in source.files().iter().enumerate() {
        for info in file.capture.contents().with_context(|| file.name.clone())? {
            places.entry(info.sha256).or_insert((number, info));
        }
    }
    Ok(places)
}

/// Writes the bytes of all that the manifest lists, one after the other: of one, no more than it takes in its capture is held.
fn write(
    source: &Source,
    places: &Places,
    manifest: &mut Manifest,
    folder: &mut Folder,
    max_size: u64,
) -> Result<()> {
    let mut left = max_size;
    for entry in manifest.entries_mut() {
        let Some((number, info)) = places.get(&entry.sha256) else { continue };
        let Some(file) = source.files().get(*number) else { bail!("a capture is gone") };
        if info.size > left {
            entry.fail(format!("not written: it is beyond --max-size {max_size}"));
            continue;
        }
        let content = match file.capture.content(info) {
            Ok(content) => content,
            Err(error @ format::Error::Io { .. }) => return Err(error).with_context(|| file.name.clone()),
            Err(error) => {
                entry.fail(error.to_string());
                continue;
            }
        };
        left -= info.size;
        match folder.write(&entry.name, &content)? {
            Ok(()) => {}
            Err(what) => entry.fail(what),
        }
    }
    for (name, what) in manifest.failures() {
        stderr::warn(format_args!("{name}: {what}"));
    }
    Ok(())
}
