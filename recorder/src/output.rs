//! The file that a recording goes into.
//!
//! Room is asked of the file system ahead of the writing, with enough left over for the file's end: a full disk is met
//! before a block is half written, and the file can still be finished.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rustix::fs::{FallocateFlags, fallocate};

/// Asked for at once, so that the file system is asked rarely.
const STEP_BYTES: u64 = 4 << 20;
/// When a whole step is not to be had any more.
const SMALL_STEP_BYTES: u64 = 64 << 10;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    #[error("{path} is there already: choose another name with -o, or replace it with --force")]
    Exists { path: PathBuf },
    #[error("{path} is not a regular file: it can be written, but not replaced")]
    NotAFile { path: PathBuf },
    #[error("cannot write {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// An open output file. Bytes written are counted where others can see them.
#[derive(Debug)]
pub struct Output {
    file: File,
    path: PathBuf,
    written: u64,
    /// Up to here the file system has promised room; `None` when it makes no promises.
    promised: Option<u64>,
    is_file: bool,
    /// Where the frame begins that is being written.
    marked: u64,
    total: Arc<AtomicU64>,
}

/// Whether [`Output::create`] would take this path, as far as that can be told without writing anything.
pub fn check(path: &Path, force: bool) -> Result<(), OutputError> {
    match fs::metadata(path) {
        Ok(meta) if is_stream(&meta) => Ok(()),
        Ok(_) if !force => Err(OutputError::Exists { path: path.to_owned() }),
        Ok(meta) if !meta.is_file() => Err(OutputError::NotAFile { path: path.to_owned() }),
        _ => Ok(()),
    }
}

fn is_stream(meta: &fs::Metadata) -> bool {
    meta.file_type().is_char_device() || meta.file_type().is_fifo()
}

impl Output {
    /// Creates the file for its owner alone (0600). A file that is there is replaced only by `force`; a device such as
    /// `/dev/null` is written as it is.
    pub fn create(path: &Path, force: bool) -> Result<Output, OutputError> {
        let fail = |source| OutputError::Io { path: path.to_owned(), source };
        let mut promised = Some(0);
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        check(path, force)?;
        match fs::metadata(path) {
            Ok(meta) if is_stream(&meta) => promised = None,
            there => {
                if there.is_ok() {
                    // Not truncated but replaced: who has the old file open or mapped keeps it.
                    fs::remove_file(path).map_err(fail)?;
                }
                // Refuses what appears in between, a dangling link included.
                options.create_new(true);
            }
        }
        let file = options.open(path).map_err(fail)?;
        let (is_file, total) = (promised.is_some(), Arc::default());
        Ok(Output { file, path: path.to_owned(), written: 0, promised, is_file, marked: 0, total })
    }

    /// The same under another name, `PATH.partial`, until [`Output::name`].
    pub fn create_unnamed(path: &Path, force: bool) -> Result<Output, OutputError> {
        check(path, force)?;
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        // One that is there already was left by a recorder that was killed.
        Output::create(Path::new(&partial), true)
    }

    /// Gives the file its name.
    pub fn name(&mut self, path: &Path) -> Result<(), OutputError> {
        if self.is_file && self.path != path {
            fs::rename(&self.path, path)
                .map_err(|source| OutputError::Io { path: path.to_owned(), source })?;
            self.path = path.to_owned();
        }
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Counts this file's bytes into `total`, which several files of one recording may share.
    pub fn count_into(&mut self, total: Arc<AtomicU64>) {
        self.total = total;
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    /// Makes sure that `bytes` more fit, and `end` after them. An error here has written nothing.
    pub fn reserve(&mut self, bytes: u64, end: u64) -> io::Result<()> {
        let Some(promised) = self.promised else { return Ok(()) };
        let need = self.written + bytes + end;
        if need <= promised {
            return Ok(());
        }
        for step in [STEP_BYTES, SMALL_STEP_BYTES, 0] {
            let upto = need + step;
            match fallocate(&self.file, FallocateFlags::KEEP_SIZE, promised, upto - promised) {
                Ok(()) => {
                    self.promised = Some(upto);
                    return Ok(());
                }
                Err(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT) => {}
                Err(rustix::io::Errno::INTR) => {}
                // This file system cannot promise: writes themselves will tell.
                Err(_) => {
                    self.promised = None;
                    return Ok(());
                }
            }
        }
        Err(io::ErrorKind::StorageFull.into())
    }

    /// Remembers this place for [`Output::rewind`].
    pub fn mark(&mut self) {
        self.marked = self.written;
    }

    /// Takes back what was written since the mark, if this is a file that can.
    pub fn rewind(&mut self) {
        if self.written == self.marked {
            return;
        }
        if self.file.set_len(self.marked).is_ok() && self.file.seek(SeekFrom::Start(self.marked)).is_ok() {
            self.total.fetch_sub(self.written - self.marked, Ordering::Relaxed);
            self.written = self.marked;
        }
    }

    /// Gives back what was promised and not used, and puts all on the disk. The file stays open.
    pub fn settle(&mut self) -> io::Result<u64> {
        if self.is_file {
            self.file.set_len(self.written)?;
            self.file.sync_data()?;
        }
        Ok(self.written)
    }

    /// Takes the file away again, when nothing of worth came into it.
    pub fn remove(self) -> io::Result<()> {
        let mine = self.file.metadata()?;
        let there = fs::symlink_metadata(&self.path)?;
        if mine.is_file() && mine.ino() == there.ino() && mine.dev() == there.dev() {
            fs::remove_file(&self.path)?;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.written += written as u64;
        self.total.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_without_a_name_yet_does_not_stand_under_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.0001.trz");
        fs::write(dir.path().join("s.0001.trz.partial"), "left over").unwrap();
        let mut output = Output::create_unnamed(&path, false).unwrap();
        output.write_all(b"header").unwrap();
        assert!(!path.exists());
        output.name(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"header");
        assert_eq!((output.path(), fs::read_dir(dir.path()).unwrap().count()), (path.as_path(), 1));
        assert!(matches!(Output::create_unnamed(&path, false), Err(OutputError::Exists { .. })));
        output.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_new_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.trz");
        let mut output = Output::create(&path, false).unwrap();
        output.reserve(5, 100).unwrap();
        output.write_all(b"hello").unwrap();
        assert_eq!(output.settle().unwrap(), 5);
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (5, 0o600));
    }

    #[test]
    fn a_file_that_is_there_stays_unless_forced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.trz");
        fs::write(&path, "precious").unwrap();
        let message = Output::create(&path, false).unwrap_err().to_string();
        assert!(message.contains("c.trz is there already") && message.contains("--force"), "{message}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        let mut output = Output::create(&path, true).unwrap();
        output.write_all(b"new").unwrap();
        output.settle().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Output::create(dir.path(), true), Err(OutputError::NotAFile { .. })));
        assert!(matches!(Output::create(&dir.path().join("no/c.trz"), true), Err(OutputError::Io { .. })));
    }

    #[test]
    fn a_link_to_nowhere_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path().join("target"), dir.path().join("link")).unwrap();
        assert!(Output::create(&dir.path().join("link"), false).is_err());
        assert!(!dir.path().join("target").exists());
    }

    #[test]
    fn devices_are_written_as_they_are() {
        let mut output = Output::create(Path::new("/dev/null"), false).unwrap();
        output.reserve(1 << 40, 0).unwrap();
        output.write_all(b"hello").unwrap();
        assert_eq!(output.settle().unwrap(), 5);
        Output::create(Path::new("/dev/null"), true).unwrap().remove().unwrap();
        assert!(Path::new("/dev/null").exists());
    }
}
