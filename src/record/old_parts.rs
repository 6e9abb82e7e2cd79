//! Parts that an older, longer set has left under the name of the new one: read together they would mix two recordings.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use recorder::file::rotate::part_path;

/// Files of the set of this name behind its first part, which is checked as every output is.
pub fn find(path: &Path) -> io::Result<Vec<PathBuf>> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let words = name.to_string_lossy();
        let numbers = words.split('.').filter_map(|word| word.parse::<u32>().ok());
        let mut paths = numbers.filter(|part| *part > 0).map(|part| part_path(path, part));
        parts.extend(paths.find(|path| path.file_name() == Some(&name)));
    }
    parts.sort();
    Ok(parts)
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
}
