//! What a recording is written into.
//!
//! It is opened and judged before anything is attached to the kernel ([`OutputPlace`]). A file is made under a fresh name and
//! gets its own once its header stands, so that nothing is taken for a capture that is none, and a recording that fails
//! to start replaces nothing. Room is asked of the file system ahead of the writing, with enough left over for the
//! file's end: a full disk is met before a block is half written, and the file can still be finished.

mod folder;
mod stream;

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

pub use folder::{Folder, is_fresh_name};
use rustix::fs::{FallocateFlags, fallocate, fstat, lstat};
pub use stream::Stream;

/// Asked for at once, so that the file system is asked rarely.
const STEP_BYTES: u64 = 4 << 20;
/// When a whole step is not to be had any more.
const SMALL_STEP_BYTES: u64 = 64 << 10;

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    #[error("{path} is there already: choose another name with -o, or replace it with --force")]
    Exists { path: PathBuf },
    #[error("{path} is not a regular file: it cannot be replaced")]
    NotAFile { path: PathBuf },
    #[error(
        "{path} is a FIFO or a device, and whoever is behind it would get the whole capture: write into it with --stream if that is meant"
    )]
    IsAStream { path: PathBuf },
    #[error("{path} is not written into: {reason}")]
    UnsafeStream { path: PathBuf, reason: &'static str },
    #[error("a capture is no text for a terminal: write it into a file (-o FILE) or a pipe (-o - | ...)")]
    Terminal,
    #[error("cannot write {path}: {source}")]
    Io { path: PathBuf, source: io::Error },
}

/// Where a recording goes: opened, judged, and with its first file made.
#[derive(Debug)]
pub struct OutputPlace {
    kind: OutputKind,
    /// What is written first, until it is taken.
    first: Option<Output>,
}

#[derive(Debug)]
enum OutputKind {
    Files { folder: Arc<Folder>, force: bool },
    Stream,
}

impl OutputPlace {
    /// A file that gets this path, or the first of several in its directory. One that is there is replaced only by
    /// `force`, and only when the new one has begun. `/dev/null` is written as it is.
    pub fn file(path: &Path, force: bool) -> Result<OutputPlace, OutputError> {
        if let Some(null) = Stream::null(path) {
            return Ok(OutputPlace::stream(null, path));
        }
        let (folder, name) = Folder::of(path)?;
        let folder = Arc::new(folder);
        let first = Output::file(&folder, &name, force)?;
        Ok(OutputPlace { kind: OutputKind::Files { folder, force }, first: Some(first) })
    }

    /// A stream that `path` is said of in messages.
    pub fn stream(stream: Stream, path: &Path) -> OutputPlace {
        OutputPlace { kind: OutputKind::Stream, first: Some(Output::stream(stream, path)) }
    }

    pub fn is_stream(&self) -> bool {
        matches!(self.kind, OutputKind::Stream)
    }

    /// The output for a file of this path, which is in the place's directory. A stream has one output, once.
    pub fn output(&mut self, path: &Path) -> Result<Output, OutputError> {
        match (&self.kind, self.first.take()) {
            (OutputKind::Files { folder, force }, first) => {
                let name = path.file_name().ok_or_else(|| OutputError::NotAFile { path: path.to_owned() })?;
                match first {
                    Some(mut first) => {
                        first.path = folder.path_of(name);
                        Ok(first)
                    }
                    None => Output::file(folder, name, *force),
                }
            }
            (OutputKind::Stream, Some(first)) => Ok(first),
            (OutputKind::Stream, None) => Err(OutputError::NotAFile { path: path.to_owned() }),
        }
    }

    /// Whether a store has said that it has the file whose last seal holds this head.
    pub fn is_acknowledged(&self, head: &[u8; 32]) -> bool {
        matches!(&self.kind, OutputKind::Files { folder, .. } if folder.is_acknowledged(head))
    }

    /// Removes a file of the recording, if it still is the one that was written.
    pub fn remove(&self, closed: &ClosedFile) -> io::Result<()> {
        match (&self.kind, closed.path.file_name()) {
            (OutputKind::Files { folder, .. }, Some(name)) => folder.remove(name, &closed.stat),
            _ => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// A file that is finished.
#[derive(Clone, Debug)]
pub struct ClosedFile {
    pub path: PathBuf,
    pub bytes: u64,
    stat: rustix::fs::Stat,
}

impl ClosedFile {
    /// One that is there already, by its path; a link is none.
    pub fn at(path: &Path) -> io::Result<ClosedFile> {
        let stat = lstat(path)?;
        if !matches!(rustix::fs::FileType::from_raw_mode(stat.st_mode), rustix::fs::FileType::RegularFile) {
            return Err(io::Error::other("it is no regular file"));
        }
        Ok(ClosedFile { path: path.to_owned(), bytes: stat.st_size as u64, stat })
    }

    /// What it takes of the disk.
    pub fn disk_bytes(&self) -> u64 {
        on_disk(self.bytes).max(self.stat.st_blocks as u64 * 512)
    }
}

/// Bytes of the disk that so many bytes of a file take: file systems give whole blocks of 4 KiB, as most are made.
fn on_disk(bytes: u64) -> u64 {
    bytes.next_multiple_of(4096)
}

/// An open output. Bytes written are counted where others can see them.
#[derive(Debug)]
pub struct Output {
    to: To,
    path: PathBuf,
    written: u64,
    /// Up to here the file system has promised room; `None` when it makes no promises.
    promised: Option<u64>,
    /// The most that is asked for at once.
    step_bytes: u64,
    /// The file never becomes larger than this, nor asks for more.
    most_bytes: u64,
    total: Arc<AtomicU64>,
}

#[derive(Debug)]
enum To {
    File {
        file: File,
        folder: Arc<Folder>,
        /// The name that the file has: a fresh one until [`Output::name`].
        name: OsString,
        is_named: bool,
        force: bool,
    },
    Stream(Stream),
}

impl Output {
    fn file(folder: &Arc<Folder>, name: &OsStr, force: bool) -> Result<Output, OutputError> {
        folder.check(name, force)?;
        let (file, fresh) = folder.create(name)?;
        let to = To::File { file, folder: Arc::clone(folder), name: fresh, is_named: false, force };
        Ok(Output::new(to, folder.path_of(name), Some(0)))
    }

    fn stream(mut stream: Stream, path: &Path) -> Output {
        stream.begins();
        Output::new(To::Stream(stream), path.to_owned(), None)
    }

    fn new(to: To, path: PathBuf, promised: Option<u64>) -> Output {
        let (step_bytes, most_bytes) = (STEP_BYTES, u64::MAX);
        Output { to, path, written: 0, promised, step_bytes, most_bytes, total: Arc::default() }
    }

    /// Asks the file system for this much at once, at most.
    pub fn ask_at_most(&mut self, step_bytes: u64) {
        self.step_bytes = step_bytes.min(STEP_BYTES);
    }

    /// Bounds the file: what would make it larger fails as on a full disk.
    pub fn bound(&mut self, most_bytes: u64) {
        self.most_bytes = most_bytes;
    }

    /// What the file takes of the disk, promised room included, with `bytes` more in it.
    pub fn disk_bytes_with(&self, bytes: u64) -> u64 {
        on_disk(self.promised.unwrap_or_default().max(self.written + bytes))
    }

    /// Says that the header stands: gives a file its name.
    pub fn name(&mut self) -> Result<(), OutputError> {
        match &mut self.to {
            To::File { folder, name, is_named, force, .. } if !*is_named => {
                let own = self.path.file_name().unwrap_or_default();
                folder.rename(name, own, *force)?;
                *name = own.to_owned();
                *is_named = true;
            }
            To::File { .. } => {}
            To::Stream(stream) => stream.has_begun(),
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

    /// Stops waiting for whoever reads a stream once `abandoned` is set.
    pub fn abandon_with(&mut self, abandoned: Arc<AtomicBool>) {
        if let To::Stream(stream) = &mut self.to {
            stream.abandon_with(abandoned);
            stream.begins();
        }
    }

    pub fn written(&self) -> u64 {
        self.written
    }

    /// Makes sure that `bytes` more fit, and `end` after them. An error here has written nothing.
    pub fn reserve(&mut self, bytes: u64, end: u64) -> io::Result<()> {
        let (Some(promised), To::File { file, .. }) = (self.promised, &self.to) else { return Ok(()) };
        let need = self.written + bytes + end;
        if need <= promised {
            return Ok(());
        }
        for step in [self.step_bytes, SMALL_STEP_BYTES.min(self.step_bytes), 0] {
            let upto = need + step;
            if on_disk(upto) > self.most_bytes {
                continue;
            }
            match fallocate(file, FallocateFlags::KEEP_SIZE, promised, upto - promised) {
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

    /// Takes back what was written beyond `bytes`, if this is a file that can.
    pub fn rewind(&mut self, bytes: u64) {
        let To::File { file, .. } = &mut self.to else { return };
        if self.written <= bytes {
            return;
        }
        if file.set_len(bytes).is_ok() && file.seek(SeekFrom::Start(bytes)).is_ok() {
            self.total.fetch_sub(self.written - bytes, Ordering::Relaxed);
            self.written = bytes;
        }
    }

    /// Puts what was written on the disk.
    pub fn sync(&self) -> io::Result<()> {
        match &self.to {
            To::File { file, .. } => file.sync_data(),
            To::Stream(_) => Ok(()),
        }
    }

    /// Gives back what was promised and not used, and puts all on the disk. The file stays open.
    pub fn finalize(&mut self) -> io::Result<ClosedFile> {
        let stat = match &self.to {
            To::File { file, folder, .. } => {
                file.set_len(self.written)?;
                file.sync_data()?;
                folder.sync();
                fstat(file)?
            }
            To::Stream(stream) => stream.stat()?,
        };
        Ok(ClosedFile { path: self.path.clone(), bytes: self.written, stat })
    }
}

impl Drop for Output {
    /// What never got its name is nobody's: a recording that could not begin leaves nothing behind.
    fn drop(&mut self) {
        if let To::File { file, folder, name, is_named: false, .. } = &self.to
            && let Ok(own) = fstat(file)
        {
            let _ = folder.remove(name, &own);
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if on_disk(self.written + bytes.len() as u64) > self.most_bytes {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let written = match &mut self.to {
            To::File { file, .. } => file.write(bytes)?,
            To::Stream(stream) => stream.write(bytes)?,
        };
        self.written += written as u64;
        self.total.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::File { file, .. } => file.flush(),
            To::Stream(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    fn create(path: &Path, force: bool) -> Result<Output, OutputError> {
        OutputPlace::file(path, force)?.output(path)
    }

    #[test]
    fn a_file_without_a_name_yet_does_not_stand_under_it_and_goes_when_it_gets_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.0001.trz");
        let mut output = create(&path, false).unwrap();
        output.write_all(b"header").unwrap();
        assert!(!path.exists());
        output.name().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"header");
        assert_eq!((output.path(), fs::read_dir(dir.path()).unwrap().count()), (path.as_path(), 1));
        assert!(matches!(create(&path, false), Err(OutputError::Exists { .. })));
        drop(create(&path, true).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        assert_eq!(fs::read(&path).unwrap(), b"header", "replaced by a recording that never began");
    }

    #[test]
    fn a_new_file_is_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.trz");
        let mut output = create(&path, false).unwrap();
        output.reserve(5, 100).unwrap();
        output.write_all(b"hello").unwrap();
        output.name().unwrap();
        assert_eq!(output.finalize().unwrap().bytes, 5);
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.len(), meta.permissions().mode() & 0o777), (5, 0o600));
    }

    #[test]
    fn a_file_that_is_there_stays_unless_forced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.trz");
        fs::write(&path, "precious").unwrap();
        let message = create(&path, false).unwrap_err().to_string();
        assert!(message.contains("c.trz is there already") && message.contains("--force"), "{message}");
        assert_eq!(fs::read(&path).unwrap(), b"precious");
        let mut output = create(&path, true).unwrap();
        output.write_all(b"new").unwrap();
        output.name().unwrap();
        output.finalize().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(create(dir.path(), true), Err(OutputError::NotAFile { .. })));
        assert!(matches!(create(&dir.path().join("no/c.trz"), true), Err(OutputError::Io { .. })));
    }

    #[test]
    fn a_link_to_nowhere_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(dir.path().join("target"), dir.path().join("link")).unwrap();
        assert!(create(&dir.path().join("link"), false).is_err());
        assert!(!dir.path().join("target").exists());
    }

    #[test]
    fn the_null_device_is_written_as_it_is() {
        let mut output = create(Path::new("/dev/null"), false).unwrap();
        output.reserve(1 << 40, 0).unwrap();
        output.write_all(b"hello").unwrap();
        output.name().unwrap();
        assert_eq!(output.finalize().unwrap().bytes, 5);
        drop(create(Path::new("/dev/null"), true).unwrap());
        assert!(Path::new("/dev/null").exists());
    }

    fn fifo(path: &Path, mode: u32) {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, mode.into()).unwrap();
    }

    #[test]
    fn a_fifo_is_written_only_when_asked_for_and_when_nobody_else_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.trz");
        fifo(&path, 0o600);
        for force in [false, true] {
            let message = create(&path, force).unwrap_err().to_string();
            assert!(message.contains("--stream"), "{message}");
        }
        let refused = |path: &Path| Stream::open(path).unwrap_err().to_string();
        assert!(refused(&path).contains("start its reader first"), "{}", refused(&path));
        let _reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        Stream::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(refused(&path).contains("chmod 600"), "{}", refused(&path));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(refused(&path).contains("its directory"), "{}", refused(&path));
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(refused(&file).contains("neither a FIFO"), "{}", refused(&file));
    }

    #[test]
    fn a_reader_that_takes_nothing_does_not_hold_a_stream_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        fifo(&path, 0o600);
        let _reader = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let mut place = OutputPlace::stream(Stream::open(&path).unwrap(), &path);
        let abandoned = Arc::new(AtomicBool::new(false));
        let mut output = place.output(&path).unwrap();
        output.abandon_with(Arc::clone(&abandoned));
        output.name().unwrap();
        abandoned.store(true, Ordering::Relaxed);
        let error = output.write_all(&vec![0; 4 << 20]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(output.written() >= 4096, "what the pipe holds was written");
        assert!(place.output(&path).is_err(), "a stream has one output");
    }
}
