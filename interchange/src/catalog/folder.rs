//! What lies in a folder of captures and in those below it.

use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use format::Capture;
use format::acknowledged::UPLOADED;

use super::{Error, FILE, SIGNATURE};

/// A file below a folder, or an object below a path of a store.
#[derive(Clone, Debug)]
pub struct Found {
    pub path: PathBuf,
    pub stamp: Stamp,
}

/// What tells a file from what it was before.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    pub bytes: i64,
    /// When it was modified last, ns since the epoch.
    pub modified_ns: i64,
    /// What a store says of an object's content (its entity tag); files have none.
    pub tag: Option<String>,
}

impl Stamp {
    pub fn of(file: &Metadata) -> Stamp {
        Stamp {
            bytes: i64::try_from(file.len()).unwrap_or(i64::MAX),
            modified_ns: file.modified().map(ns).unwrap_or_default(),
            tag: None,
        }
    }
}

/// A time of the file system, ns since the epoch.
pub(super) fn ns(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).map(|since| since.as_nanos());
    since.ok().and_then(|ns| i64::try_from(ns).ok()).unwrap_or_default()
}

/// What lies in a folder and in those below it.
#[derive(Debug, Default)]
pub struct Contents {
    /// By name. Catalogues, and marks of what was uploaded, are none of them.
    pub files: Vec<Found>,
    /// Folders that have a catalogue.
    pub cataloged: Vec<PathBuf>,
}

/// Files of a folder, told apart.
#[derive(Debug, Default)]
pub struct Sorted {
    pub captures: Vec<PathBuf>,
    /// Files that are none.
    pub others: Vec<PathBuf>,
}

impl Contents {
    /// Looks into a folder.
    pub fn of(folder: &Path) -> Result<Contents, Error> {
        let mut contents = Contents::default();
        let mut folders = vec![folder.to_owned()];
        while let Some(folder) = folders.pop() {
            let failed = |source| Error::Folder { folder: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let (path, name) = (entry.path(), entry.file_name());
                // Links are followed to files only, so that no folder is read twice.
                if entry.file_type().map_err(failed)?.is_dir() {
                    if name != OsStr::new(UPLOADED) {
                        folders.push(path);
                    }
                    continue;
                }
                // What is gone by now, or leads nowhere, is no file.
                let Ok(metadata) = fs::metadata(&path) else { continue };
                if !metadata.is_file() || name == OsStr::new(SIGNATURE) {
                    continue;
                }
                if name == OsStr::new(FILE) {
                    contents.cataloged.push(folder.clone());
                } else {
                    contents.files.push(Found { path, stamp: Stamp::of(&metadata) });
                }
            }
        }
        contents.files.sort_by(|a, b| a.path.cmp(&b.path));
        contents.cataloged.sort();
        Ok(contents)
    }
}

impl Sorted {
    /// Tells captures apart from other files; those that `is_known` says yes to are captures without a look at them. A folder
    /// without any is an error.
    pub fn of(folder: &Path, files: Vec<Found>, is_known: &dyn Fn(&Found) -> bool) -> Result<Sorted, Error> {
        let mut sorted = Sorted::default();
        for found in files {
            let is_one = is_known(&found) || is_capture(&found.path)?;
            if is_one { &mut sorted.captures } else { &mut sorted.others }.push(found.path);
        }
        if sorted.captures.is_empty() {
            let (folder, others) = (folder.to_owned(), sorted.others.len());
            return Err(Error::NoCapture { folder, others });
        }
        Ok(sorted)
    }

    /// What is not read, in a sentence.
    pub fn passed_over(&self, folder: &Path) -> Option<String> {
        let first = self.others.first()?;
        let (noun, such) = if self.others.len() == 1 { ("file is", "") } else { ("files are", "such as ") };
        Some(format!(
            "{}: {} {noun} no capture and not read: {such}{}",
            folder.display(),
            self.others.len(),
            first.display()
        ))
    }
}

/// Whether a file begins as captures do.
pub fn is_capture(path: &Path) -> Result<bool, Error> {
    Capture::is_one(path).map_err(|source| Error::Capture { path: path.to_owned(), source })
}
