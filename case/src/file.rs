//! Cases on the disk.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::{Case, VERSION};

/// What a case is called, unless somebody says otherwise.
pub const FILE_NAME: &str = "CASE.toml";

/// A file that is larger is no case: thousands of notes are far less.
pub(crate) const MOST_BYTES: u64 = 16 << 20;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error("{}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error("{}: no case has more than {MOST_BYTES} bytes", path.display())]
    Large { path: PathBuf },
    #[error("{}: {what}", path.display())]
    Wrong { path: PathBuf, what: String },
    #[error("{}: it is of version {version}, and this program reads up to {VERSION}: use a later one", path.display())]
    Later { path: PathBuf, version: u32 },
}

/// The case that lies beside a capture: in its folder, whether there is one yet or not.
pub fn beside(capture: &Path) -> PathBuf {
    if capture.is_dir() { capture.join(FILE_NAME) } else { capture.with_file_name(FILE_NAME) }
}

impl Case {
    /// Reads a case. What it does not understand is an error: otherwise it would be lost when the case is saved.
    pub fn load(path: &Path) -> Result<Case, Error> {
        let failed = |source| Error::Io { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes))
            .map_err(failed)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(Error::Large { path: path.to_owned() });
        }
        let wrong = |what: String| Error::Wrong { path: path.to_owned(), what };
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is no text in UTF-8".into()))?;
        // A later version may have what this one does not know, so its number is looked at first.
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        let version = table.get("version").and_then(toml::Value::as_integer);
        match version.map(u32::try_from) {
            None => return Err(wrong(format!("it has no `version = {VERSION}`, so it is no case"))),
            Some(Ok(version)) if version > VERSION => {
                return Err(Error::Later { path: path.to_owned(), version });
            }
            Some(_) => {}
        }
        let case: Case = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        for (number, mark) in (1..).zip(&case.marks) {
            if mark.capture == 0 || mark.capture > case.captures.len() {
                let (of, count) = (mark.capture, case.captures.len());
                return Err(wrong(format!(
                    "mark {number} is of capture {of}, and there are {count} of them"
                )));
            }
        }
        Ok(case)
    }

    /// The same, and an empty case where there is no file yet.
    pub fn load_or_new(path: &Path) -> Result<Case, Error> {
        match Case::load(path) {
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(Case::default()),
            case => case,
        }
    }

    /// Writes it beside the file and puts it in its place: a reader sees the old one or the new one.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let text = toml::to_string(self)
            .map_err(|error| Error::Wrong { path: path.to_owned(), what: error.to_string() })?;
        replace(path, text.as_bytes())
    }
}

/// Writes a file beside the one that is there, and puts it in its place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = PathBuf::from(partial);
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|source| {
        let _ = fs::remove_file(&partial);
        Error::Io { path: path.to_owned(), source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Head, Mark, Query, Settings};

    fn mark(key: Option<char>, row: u32, note: &str) -> Mark {
        Mark {
            key,
            capture: 1,
            block: 12,
            row,
            derived: 0,
            time: 1_668_542_955_041_923_000 + i64::from(row),
            event: "openat".into(),
            process: "bash 510".into(),
            note: note.into(),
        }
    }

    #[test]
    fn a_case_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = beside(&folder.path().join("c.trz"));
        let mut case = Case::load_or_new(&path).expect("a new one");
        assert_eq!(case.capture("c.trz", Some(Head([7; 32]))), 1);
        case.mark(mark(Some('a'), 511, "quotes \" and\nlines, \u{202e}and \u{1b}[31m"));
        case.queries.push(Query { name: "opens".into(), filters: vec!["event=openat".into()] });
        case.report = Settings { title: "T".into(), ..Settings::default() };
        case.save(&path).expect("saved");
        assert_eq!(Case::load(&path).expect("read"), case);
        let names: Vec<_> = fs::read_dir(folder.path()).expect("a folder").collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn a_capture_is_known_by_its_head_and_else_by_its_name() {
        let mut case = Case::default();
        assert_eq!(case.capture("a.trz", None), 1);
        assert_eq!(case.capture("a.trz", Some(Head([1; 32]))), 1);
        assert_eq!(case.capture("renamed.trz", Some(Head([1; 32]))), 1);
        assert_eq!(case.capture("a.trz", Some(Head([2; 32]))), 2);
    }

    #[test]
    fn an_event_has_one_mark_and_a_key_goes_to_one_event() {
        let mut case = Case::default();
        case.capture("a.trz", None);
        case.mark(mark(Some('a'), 2, "first"));
        case.mark(mark(Some('b'), 1, "second"));
        case.mark(mark(Some('a'), 1, "third"));
        let marks: Vec<_> = case.marks.iter().map(|it| (it.key, it.row, it.note.as_str())).collect();
        assert_eq!(marks, [(Some('a'), 1, "third")]);
    }

    #[test]
    fn what_is_no_case_says_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(FILE_NAME);
        let head = "[[capture]]\nfile = \"c.trz\"\n";
        for (text, said) in [
            ("title = \"x\"\n", "no `version = 1`"),
            ("version = 2\nfuture = true\n", "this program reads up to 1"),
            ("version = 1\ntypo = 3\n", "typo"),
            ("version = 1\n[[capture]]\nfile = \"c\"\nhead = \"xyz\"\n", "64 digits of hex"),
            (
                &format!(
                    "version = 1\n{head}[[mark]]\ncapture = 2\nblock = 0\nrow = 0\ntime = 0\nevent = \"x\"\n"
                ),
                "mark 1 is of capture 2",
            ),
            ("\u{0}", "TOML parse error"),
        ] {
            fs::write(&path, text).expect("written");
            let error = Case::load(&path).expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
