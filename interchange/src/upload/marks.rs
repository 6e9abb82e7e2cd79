//! Marks of what a store has said that it has, beside the captures ([`format::acknowledged`]).

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use format::acknowledged::{self, UPLOADED, sealed_file};

use super::Part;

/// Held by the uploader that works in the folder.
const LOCK: &str = "lock";
/// The longest mark: a line for each store that has the part.
const MARK_BYTES: u64 = 64 << 10;

fn path(folder: &Path, head: &[u8; 32]) -> PathBuf {
    folder.join(UPLOADED).join(acknowledged::mark(head))
}

/// Where the part of this head is, by the words of the stores that have it.
pub(super) fn places(folder: &Path, head: &[u8; 32]) -> Vec<String> {
    let mark = path(folder, head);
    let is_mark = |found: fs::Metadata| found.is_file() && found.len() <= MARK_BYTES;
    if !fs::symlink_metadata(&mark).is_ok_and(is_mark) {
        return Vec::new();
    }
    let text = fs::read_to_string(mark).unwrap_or_default();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Where a capture is that stores have said that they have.
pub fn acknowledged_as(capture: &Path) -> Option<String> {
    let folder = capture.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Most folders have no marks, and their captures need not be looked at once more.
    if !folder.join(UPLOADED).is_dir() {
        return None;
    }
    let places = places(folder, &sealed_file(capture).ok()??.head);
    (!places.is_empty()).then(|| places.join(", "))
}

/// Opens the file that an uploader locks.
pub(super) fn lock(folder: &Path) -> io::Result<File> {
    let marks = folder.join(UPLOADED);
    fs::create_dir_all(&marks)?;
    File::options().write(true).create(true).truncate(false).open(marks.join(LOCK))
}

/// Writes down where a part is: on the disk, before anybody relies on it.
pub(super) fn mark(folder: &Path, part: &Part, place: &str) -> io::Result<()> {
    let mark = path(folder, &part.head);
    let mut all = places(folder, &part.head);
    all.push(place.to_owned());
    let mut fresh = OsString::from(&mark);
    fresh.push(".partial");
    let mut file = File::create(&fresh)?;
    all.iter().try_for_each(|place| writeln!(file, "{place}"))?;
    file.sync_all()?;
    fs::rename(&fresh, &mark)?;
    File::open(folder.join(UPLOADED))?.sync_all()
}

/// Removes marks of parts that are not in the folder any more, and what a mark that was not written to its end has left. Whether
/// a store still has such a part is its own business; put back into the folder, it gets the same name there.
pub(super) fn clean(folder: &Path, heads: &HashSet<[u8; 32]>) -> io::Result<u64> {
    let names: HashSet<String> = heads.iter().map(acknowledged::mark).collect();
    let mut removed = 0;
    for entry in fs::read_dir(folder.join(UPLOADED))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let head = name.strip_suffix(".partial").unwrap_or(&name);
        let is_mark = head.len() == 64 && head.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_mark && !names.contains(&name) {
            fs::remove_file(entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// How many files there are beside the marks' folder's lock.
pub(super) fn count(folder: &Path) -> usize {
    fs::read_dir(folder.join(UPLOADED)).map_or(0, |entries| entries.count().saturating_sub(1))
}
