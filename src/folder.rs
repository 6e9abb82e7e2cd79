//! Folders of captures.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use format::Capture;
use interchange::catalog;

use crate::stderr;

/// A file below a folder.
#[derive(Debug)]
pub struct Found {
    pub path: PathBuf,
    pub metadata: Metadata,
}

/// What lies in a folder and in those below it.
#[derive(Debug, Default)]
pub struct Contents {
    /// By name.
    pub files: Vec<Found>,
    /// Folders that have a catalogue.
    pub cataloged: Vec<PathBuf>,
}

/// The captures in a folder and in those below it, by name. Files that are none are passed over, and how many is said.
pub fn captures(folder: &Path) -> Result<Vec<PathBuf>> {
    captures_among(folder, contents(folder)?.files, &|_| false)
}

/// The same of files that were found; those that `is_known` says yes to are captures without a look at them.
pub fn captures_among(
    folder: &Path,
    files: Vec<Found>,
    is_known: &dyn Fn(&Found) -> bool,
) -> Result<Vec<PathBuf>> {
    let (mut captures, mut others) = (Vec::new(), Vec::new());
    for found in files {
        let is_one = is_known(&found) || is_capture(&found.path)?;
        if is_one { &mut captures } else { &mut others }.push(found.path);
    }
    if captures.is_empty() {
        bail!("{}: there is no capture in this folder ({} other files)", folder.display(), others.len());
    }
    if let Some(first) = others.first() {
        let (noun, such) = if others.len() == 1 { ("file is", "") } else { ("files are", "such as ") };
        stderr::note(format_args!(
            "{}: {} {noun} no capture and not read: {such}{}",
            folder.display(),
            others.len(),
            first.display()
        ));
    }
    Ok(captures)
}

pub fn is_capture(path: &Path) -> Result<bool> {
    Capture::is_one(path).with_context(|| path.display().to_string())
}

/// All files in a folder and in those below it, without catalogues.
pub fn contents(folder: &Path) -> Result<Contents> {
    let mut contents = Contents::default();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let name = || format!("reading the folder {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(name)? {
            let entry = entry.with_context(name)?;
            let path = entry.path();
            // Links are followed to files only, so that no folder is read twice.
            if entry.file_type().with_context(name)?.is_dir() {
                folders.push(path);
                continue;
            }
            // What is gone by now, or leads nowhere, is no file.
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if !metadata.is_file() {
                continue;
            }
            if entry.file_name() == catalog::FILE {
                contents.cataloged.push(folder.clone());
            } else {
                contents.files.push(Found { path, metadata });
            }
        }
    }
    contents.files.sort_by(|a, b| a.path.cmp(&b.path));
    contents.cataloged.sort();
    Ok(contents)
}
