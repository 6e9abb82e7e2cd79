//! A capture that is written as it comes: into a pipe, a FIFO or a device.
//!
//! Only what is asked for by a form of its own is a stream (`-o -`, `--stream`), and only what nobody else could have
//! put there: whoever owns a FIFO reads the whole capture. What stands under the name is looked at before it is opened
//! (`O_PATH`), since opening a device may already do something.

use std::{
    io::{self, IsTerminal as _},
    os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{CWD, FileType, Mode, OFlags, Stat, fstat, major, minor, open, openat},
    io::Errno,
};

use super::{Folder, OutputError};

/// How long a full pipe is waited for before it is asked whether to go on.
const LOOK_AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How long the other side may take nothing before the recording has begun.
const FIRST_PATIENCE: Duration = Duration::from_secs(5);
/// So much goes into a pipe without waiting once it says that there is room (`PIPE_BUF`).
const SURELY_FITS: usize = 4096;

/// What is written as it comes.
#[derive(Debug)]
pub struct Stream {
    to: OwnedFd,
    /// A write gives back what it did not take, rather than to wait.
    is_nonblocking: bool,
    /// Until when the first bytes must have been taken.
    begin_by: Option<Instant>,
    abandoned: Arc<AtomicBool>,
}

impl Stream {
    /// A FIFO or a character device that is there, for `--stream`.
    pub fn open(path: &Path) -> Result<Stream, OutputError> {
        let fail = |error: Errno| OutputError::Io { path: path.to_owned(), source: error.into() };
        let refuse = |reason| OutputError::UnsafeStream { path: path.to_owned(), reason };
        let (folder, name) = Folder::of(path)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let there = openat(folder.directory(), &name, flags, Mode::empty()).map_err(fail)?;
        let meta = fstat(&there).map_err(fail)?;
        let kind = FileType::from_raw_mode(meta.st_mode);
        if !matches!(kind, FileType::Fifo | FileType::CharacterDevice) {
            return Err(refuse(
                "it is neither a FIFO nor a character device; without --stream a file is made",
            ));
        }
        if meta.st_uid != rustix::process::geteuid().as_raw() {
            return Err(refuse("it belongs to another user"));
        }
        if !folder.is_private().map_err(|source| OutputError::Io { path: path.to_owned(), source })? {
            return Err(refuse("others can write into its directory"));
        }
        if kind == FileType::Fifo && meta.st_mode & 0o077 != 0 {
            return Err(refuse("others may open it: `chmod 600` it"));
        }
        let to = reopen(there.as_fd()).map_err(|error| match error {
            Errno::NXIO => refuse("nobody reads from it: start its reader first"),
            error => fail(error),
        })?;
        if to.is_terminal() {
            return Err(OutputError::Terminal);
        }
        Ok(Stream::of(to, true))
    }

    /// The device that takes everything, if that is what stands there. It gives nothing to anybody.
    pub fn null(path: &Path) -> Option<Stream> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let there = open(path, flags, Mode::empty()).ok()?;
        is_null(&fstat(&there).ok()?)
            .then(|| reopen(there.as_fd()).ok())
            .flatten()
            .map(|to| Stream::of(to, true))
    }

    /// Standard output, for `-o -`.
    pub fn standard_output() -> Result<Stream, OutputError> {
        let fail = |source| OutputError::Io { path: "standard output".into(), source };
        let stdout = io::stdout();
        if stdout.is_terminal() {
            return Err(OutputError::Terminal);
        }
        // A pipe is opened once more, for this program alone: to write without waiting must not change what others have
        // who write into it too. What cannot be opened so (a socket) is written in small pieces.
        let own = match FileType::from_raw_mode(fstat(&stdout).map_err(|error| fail(error.into()))?.st_mode) {
            FileType::Fifo => reopen(stdout.as_fd()).ok(),
            _ => None,
        };
        match own {
            Some(to) => Ok(Stream::of(to, true)),
            None => stdout.as_fd().try_clone_to_owned().map(|to| Stream::of(to, false)).map_err(fail),
        }
    }

    fn of(to: OwnedFd, is_nonblocking: bool) -> Stream {
        let begin_by = Some(Instant::now() + FIRST_PATIENCE);
        Stream { to, is_nonblocking, begin_by, abandoned: Arc::default() }
    }

    /// Stops waiting for the other side once this is set.
    pub fn abandon_with(&mut self, abandoned: Arc<AtomicBool>) {
        self.abandoned = abandoned;
    }

    /// The beginning has been taken: from now on whoever runs the recording says how long to wait.
    pub fn has_begun(&mut self) {
        self.begin_by = None;
    }

    /// The time for the beginning runs from here.
    pub fn begins(&mut self) {
        self.begin_by = Some(Instant::now() + FIRST_PATIENCE);
    }

    pub fn stat(&self) -> io::Result<Stat> {
        Ok(fstat(&self.to)?)
    }

    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = if self.is_nonblocking { bytes } else { bytes.get(..SURELY_FITS).unwrap_or(bytes) };
        loop {
            if self.is_nonblocking || self.is_ready()? {
                match rustix::io::write(&self.to, piece) {
                    Err(Errno::AGAIN) => {}
                    Err(Errno::INTR) => continue,
                    written => return Ok(written?),
                }
            }
            let is_over = self.begin_by.is_some_and(|by| by <= Instant::now());
            if is_over || self.abandoned.load(Ordering::Relaxed) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "its reader takes nothing"));
            }
            if self.is_nonblocking {
                self.is_ready()?;
            }
        }
    }

    fn is_ready(&self) -> io::Result<bool> {
        match poll(&mut [PollFd::new(&self.to, PollFlags::OUT)], Some(&LOOK_AGAIN)) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::INTR) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

/// The same file, opened for writing without waiting.
fn reopen(file: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    openat(CWD, format!("/proc/self/fd/{}", file.as_raw_fd()), flags, Mode::empty())
}

/// `/dev/null` by its number, whatever its name.
fn is_null(meta: &Stat) -> bool {
    let is_device = FileType::from_raw_mode(meta.st_mode) == FileType::CharacterDevice;
    is_device && (major(meta.st_rdev), minor(meta.st_rdev)) == (1, 3)
}
