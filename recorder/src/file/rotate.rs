//! Rotation: one recording in several files, the oldest of which may go.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::amount::Stretch;

/// When the next file begins, and how many are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rotation {
    pub every: Stretch,
    /// `None` keeps all.
    pub keep: Option<usize>,
}

impl Rotation {
    /// Whether a file that would have this many bytes, or span this much time, with its next block has enough without it.
    pub fn is_due(&self, bytes: u64, time: Duration) -> bool {
        match self.every {
            Stretch::Bytes(limit) => bytes > limit,
            Stretch::Time(limit) => time > limit,
        }
    }
}

/// The path of one part: `c.trz` becomes `c.0000.trz`, `c.0001.trz` and so on, which sort in order of time.
pub fn part_path(path: &Path, part: u32) -> PathBuf {
    let number = format!("{part:04}");
    match path.extension() {
        Some(extension) => {
            let mut name = path.file_stem().unwrap_or_default().to_owned();
            name.push(".");
            name.push(&number);
            name.push(".");
            name.push(extension);
            path.with_file_name(name)
        }
        None => {
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(".");
            name.push(&number);
            path.with_file_name(name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_numbered_before_the_extension() {
        assert_eq!(part_path(Path::new("/a/c.trz"), 0), PathBuf::from("/a/c.0000.trz"));
        assert_eq!(part_path(Path::new("c.d.trz"), 12), PathBuf::from("c.d.0012.trz"));
        assert_eq!(part_path(Path::new("/a.b/c"), 3), PathBuf::from("/a.b/c.0003"));
    }

    #[test]
    fn a_file_is_due_by_size_or_by_time() {
        let by_size = Rotation { every: Stretch::Bytes(100), keep: None };
        assert!(!by_size.is_due(100, Duration::MAX) && by_size.is_due(101, Duration::ZERO));
        let by_time = Rotation { every: Stretch::Time(Duration::from_secs(10)), keep: None };
        assert!(!by_time.is_due(u64::MAX, Duration::from_secs(10)));
        assert!(by_time.is_due(0, Duration::from_millis(10_001)));
    }
}
