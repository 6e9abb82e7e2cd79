//! Folders of captures.

use std::path::{Path, PathBuf};

use anyhow::Result;
use interchange::catalog::folder::{Contents, Sorted};

use crate::stderr;

/// The captures in a folder and in those below it, by name. Files that are none are passed over, and how many is said.
pub fn captures(folder: &Path) -> Result<Vec<PathBuf>> {
    let sorted = Sorted::of(folder, Contents::of(folder)?.files, &|_| false)?;
    sorted.passed_over(folder).iter().for_each(stderr::note);
    Ok(sorted.captures)
}
