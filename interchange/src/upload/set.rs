//! Names of a rotated set's files.

use std::ffi::{OsStr, OsString};
use std::path::Path;

/// The name that a set was recorded under: `c.trz`, whose files are `c.0000.trz`, `c.0001.trz` and so on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SetName {
    stem: OsString,
    extension: Option<OsString>,
}

impl SetName {
    pub fn of(name: &Path) -> SetName {
        match name.extension() {
            Some(extension) => SetName {
                stem: name.file_stem().unwrap_or_default().to_owned(),
                extension: Some(extension.to_owned()),
            },
            None => SetName { stem: name.file_name().unwrap_or_default().to_owned(), extension: None },
        }
    }

    /// Whether a file is of the set.
    pub fn has(&self, path: &Path) -> bool {
        let bytes = |name: &OsStr| name.as_encoded_bytes().to_vec();
        let Some(name) = path.file_name() else { return false };
        let mut number = bytes(name);
        let mut before = bytes(&self.stem);
        before.push(b'.');
        if number.len() <= before.len() || !number.starts_with(&before) {
            return false;
        }
        number.drain(..before.len());
        if let Some(extension) = &self.extension {
            let mut behind = vec![b'.'];
            behind.extend(bytes(extension));
            if !number.ends_with(&behind) {
                return false;
            }
            number.truncate(number.len() - behind.len());
        }
        number.len() >= 4 && number.iter().all(u8::is_ascii_digit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_files_of_the_name_are_of_the_set() {
        let set = SetName::of(Path::new("/a/c.d.trz"));
        for name in ["c.d.0000.trz", "/b/c.d.12345.trz"] {
            assert!(set.has(Path::new(name)), "{name}");
        }
        for name in ["c.d.trz", "c.d.1.trz", "c.0000.trz", "c.d.0000", "c.d.00x0.trz", "c.d.0000.trz.partial"]
        {
            assert!(!set.has(Path::new(name)), "{name}");
        }
        assert!(SetName::of(Path::new("c")).has(Path::new("c.0003")));
    }
}
