//! Folders of captures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use format::Capture;

use crate::stderr;

/// The captures in a folder and in those below it, by name. Files that are none are passed over, and how many is said.
pub fn captures(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut captures, mut others) = (Vec::new(), Vec::new());
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let name = || format!("reading the folder {}", folder.display());
        for entry in fs::read_dir(&folder).with_context(name)? {
            let entry = entry.with_context(name)?;
            let path = entry.path();
            // Links are followed to files only, so that no folder is read twice.
            if entry.file_type().with_context(name)?.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                let is_one = Capture::is_one(&path).with_context(|| path.display().to_string())?;
                if is_one { &mut captures } else { &mut others }.push(path);
            }
        }
    }
    captures.sort();
    others.sort();
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
