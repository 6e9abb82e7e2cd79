//! Files of rules, in words that other processes can read too.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rules::{Corpus, Readers};

/// A file of rules that is larger is none.
const FILE_BYTES: u64 = 16 << 20;
/// Folders within each other.
const DEPTH: usize = 32;

/// A file of rules: its name, its text, and whether it was named itself rather than found in a folder.
pub type RuleFile = (String, String, bool);

/// Reads files, and folders with all below them.
pub fn read(paths: &[impl AsRef<Path>]) -> Result<Vec<RuleFile>> {
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        let kind = fs::metadata(path).with_context(|| format!("--rules {}", path.display()))?;
        match kind.is_dir() {
            true => below(path, 0, &mut files)?,
            false => files.extend(file(path, true)?),
        }
    }
    Ok(files)
}

/// The rules of files, behind those that are part of the program.
pub fn corpus(files: &[RuleFile]) -> Result<Corpus> {
    let mut readers = Readers::default();
    rules::behaviours::add(&mut readers);
    files.iter().for_each(|(name, text, is_named)| readers.add(name, text, *is_named));
    Ok(readers.finish())
}

fn below(folder: &Path, depth: usize, files: &mut Vec<RuleFile>) -> Result<()> {
    let name = || format!("--rules {}", folder.display());
    let mut entries = fs::read_dir(folder).with_context(name)?.collect::<std::io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().with_context(name)?);
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if kind.is_dir() {
            if depth >= DEPTH {
                bail!("{}: folders are more than {DEPTH} deep", path.display());
            }
            below(&path, depth + 1, files)?;
        } else if path.is_file() {
            files.extend(file(&path, false)?);
        }
    }
    Ok(())
}

/// `None` of a file that is no text, where nobody named it.
fn file(path: &Path, is_named: bool) -> Result<Option<RuleFile>> {
    let name = path.display().to_string();
    let size = fs::metadata(path).with_context(|| name.clone())?.len();
    if size > FILE_BYTES {
        bail!("{name} has {size} bytes, and a file of rules at most {FILE_BYTES}");
    }
    match String::from_utf8(fs::read(path).with_context(|| name.clone())?) {
        Ok(text) => Ok(Some((name, text, is_named))),
        Err(_) if is_named => bail!("{name} is no text in UTF-8"),
        Err(_) => Ok(None),
    }
}
