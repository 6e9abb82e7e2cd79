//! Parts that an older, longer set has left under the name of the new one: read together they would mix two recordings.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use format::{Capture, SetId};
use recorder::amount::Stretch;
use recorder::file::output::is_fresh_name;
use recorder::file::retention::{EarlierPart, Retention};
use recorder::file::rotate::part_path;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::Keeping;
use crate::amounts::{bytes, plural};
use crate::stderr;

/// Files of the set of this name behind its first part, which is checked as every output is.
pub fn find(path: &Path) -> io::Result<Vec<PathBuf>> {
    let parts = numbered(path)?.into_iter().filter(|(number, _)| *number > 0);
    Ok(parts.map(|(_, path)| path).collect())
}

/// The folder that a set is in.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// All files of the set of this name, by their numbers.
fn numbered(path: &Path) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder(path))? {
        let name = entry?.file_name();
        let words = name.to_string_lossy();
        let numbers = words.split('.').filter_map(|word| word.parse::<u32>().ok());
        let mut paths = numbers.map(|part| (part, part_path(path, part)));
        parts.extend(paths.find(|(_, path)| path.file_name() == Some(&name)));
    }
    parts.sort();
    Ok(parts)
}

/// Which files of the set stay. A recording with limits goes on behind what earlier ones have left, unless it replaces them.
pub fn retention(keeping: &Keeping, path: &Path, is_forced: bool) -> Result<Retention> {
    let Keeping { max_disk, keep_for, .. } = keeping;
    let mut retention = match (max_disk, keep_for) {
        (None, None) => Retention::default(),
        _ if is_forced => Retention::default(),
        _ => earlier(path)?,
    };
    (retention.max_disk_bytes, retention.keep_for) = (*max_disk, *keep_for);
    retention.is_uploaded = keeping.upload.is_some();
    if let [first, .., last] | [first @ last] = retention.earlier.as_slice() {
        let (first, last) = (first.file.path.display(), last.file.path.display());
        let count = plural(retention.earlier.len() as u64, "file");
        stderr::note(format_args!("goes on behind {count} of earlier recordings, {first} to {last}"));
    }
    if let (Some(part), Some(Stretch::Bytes(every))) = (retention.part_bytes(), keeping.rotate)
        && every > part
    {
        let part = bytes(part);
        stderr::note(format_args!("a part ends at {part} already, which is a quarter of --max-disk"));
    }
    Ok(retention)
}

/// What earlier recordings have left under the name, for one that goes on behind them: retention counts it, and removes it
/// first, and says of which sets they were. Files that never became parts (the recorder was killed before their headers stood)
/// are removed here.
pub fn earlier(path: &Path) -> Result<Retention> {
    let mut retention = Retention::default();
    for fresh in unnamed(path)? {
        if is_written(&fresh) {
            bail!("another recorder is writing {}: choose another name with -o", fresh.display());
        }
        fs::remove_file(&fresh)
            .with_context(|| format!("removing {}, which was left behind", fresh.display()))?;
    }
    for (number, part) in numbered(path)? {
        if is_written(&part) {
            bail!("another recorder is writing {}: choose another name with -o", part.display());
        }
        retention.first_number = number.checked_add(1).with_context(|| {
            format!("{} has the largest number that there is: choose another name with -o", part.display())
        })?;
        let mut earlier =
            EarlierPart::at(&part).with_context(|| format!("{}, of this set's name", part.display()))?;
        // An encrypted one hides which it is, and so does one that is damaged.
        let capture = Capture::open(&part).ok();
        earlier.of = capture.map(|it| (SetId::of(it.header()), it.header().recording.part));
        retention.earlier.push(earlier);
    }
    Ok(retention)
}

/// Files that were to become parts of the set, and have no name of their own yet.
fn unnamed(path: &Path) -> Result<Vec<PathBuf>> {
    let folder = folder(path);
    let mut unnamed = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("reading the folder {}", folder.display()))?;
    for entry in entries {
        let name = entry.with_context(|| folder.display().to_string())?.file_name();
        let words = name.to_string_lossy();
        let numbers = words.split('.').filter_map(|word| word.parse::<u32>().ok());
        let is_ours = |number| {
            let part = part_path(path, number);
            part.file_name().is_some_and(|part| is_fresh_name(&name, part))
        };
        if numbers.into_iter().any(is_ours) {
            unnamed.push(folder.join(&name));
        }
    }
    unnamed.sort();
    Ok(unnamed)
}

/// Whether a recorder has the file open.
fn is_written(path: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else { return false };
    matches!(flock(&file, FlockOperation::NonBlockingLockShared), Err(Errno::WOULDBLOCK))
}

/// The old parts that the recording takes the place of; an error without `force`.
pub fn check(path: &Path, force: bool) -> Result<Vec<PathBuf>> {
    // A folder that cannot be listed cannot be written to either, and that says so.
    let old = find(path).unwrap_or_default();
    if let (Some(first), false) = (old.first(), force) {
        bail!(
            "{} is there already, a part of an older set of this name: choose another name with -o, or replace the set \
             with --force",
            first.display()
        );
    }
    Ok(old)
}

/// Removes them. Comes before the first part ends.
pub fn remove(old: &[PathBuf]) -> Result<()> {
    for part in old {
        match fs::remove_file(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                bail!("{}, a part of an older set of this name, cannot be removed: {error}", part.display())
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_the_same_name_are_found_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.trz");
        for name in
            ["c.0000.trz", "c.0001.trz", "c.0012.trz", "c.10000.trz", "c.1.trz", "c.0002.json", "d.0003.trz"]
        {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let names = |parts: &[PathBuf]| -> Vec<String> {
            parts.iter().map(|part| part.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        let found = ["c.0001.trz", "c.0012.trz", "c.10000.trz"];
        assert_eq!(names(&find(&path).unwrap()), found);
        assert!(check(&path, false).unwrap_err().to_string().contains("c.0001.trz is there already"));
        let old = check(&path, true).unwrap();
        remove(&old).unwrap();
        assert_eq!(names(&find(&path).unwrap()), [""; 0]);
        assert!(folder.path().join("c.0000.trz").exists() && folder.path().join("d.0003.trz").exists());
        remove(&old).unwrap();
    }

    #[test]
    fn a_recording_goes_on_behind_what_earlier_ones_have_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.trz");
        assert_eq!(earlier(&path).unwrap().first_number, 0);
        for name in ["c.0009.trz", "c.10000.trz", "d.20000.trz", "c.10001.trz.0123abcd.partial"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let retention = earlier(&path).unwrap();
        assert_eq!((retention.first_number, retention.earlier.len()), (10001, 2));
        assert!(!folder.path().join("c.10001.trz.0123abcd.partial").exists(), "what was left behind is gone");
        let open = fs::File::open(folder.path().join("c.10000.trz")).unwrap();
        flock(&open, FlockOperation::NonBlockingLockExclusive).unwrap();
        let refused = earlier(&path).unwrap_err().to_string();
        assert!(
            refused.contains("another recorder is writing") && refused.contains("c.10000.trz"),
            "{refused}"
        );
    }
}
