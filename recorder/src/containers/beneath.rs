//! Reading files that others may have laid out: below a directory, without following a link, and nothing but a regular
//! file of a bounded size.
//!
//! Opening can already do something (a watchdog device reboots when it is closed again, a tape rewinds, a terminal can
//! become ours, a pipe makes wait). So what is there is looked at by a descriptor that opens nothing (`O_PATH`), and only
//! a regular file is then opened, through that very descriptor.

use std::{
    fs::File,
    io::Read,
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
};

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat, openat2};

/// A directory that is trusted as a place to start from; its own path may have links, which are root's or its owner's.
pub(crate) fn start(path: &Path) -> Option<OwnedFd> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// The contents of a regular file of at most `bound` bytes below the directory.
pub(crate) fn read(directory: &OwnedFd, path: &Path, bound: u64) -> Option<Vec<u8>> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let there = openat2(directory, path, flags, Mode::empty(), resolve).ok()?;
    let meta = fstat(&there).ok()?;
    if FileType::from_raw_mode(meta.st_mode) != FileType::RegularFile || meta.st_size as u64 > bound {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(CWD, format!("/proc/self/fd/{}", there.as_raw_fd()), flags, Mode::empty()).ok()?;
    let mut bytes = Vec::new();
    File::from(file).take(bound).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn only_regular_files_below_the_directory_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        fs::create_dir_all(home.join("a")).unwrap();
        fs::write(dir.path().join("outside"), "secret").unwrap();
        fs::write(home.join("a/file"), "text").unwrap();
        fs::write(home.join("a/large"), vec![0; 101]).unwrap();
        symlink(dir.path().join("outside"), home.join("link")).unwrap();
        symlink("/dev/null", home.join("device")).unwrap();
        symlink(home.join("a"), home.join("b")).unwrap();
        rustix::fs::mkfifoat(CWD, home.join("fifo"), 0o600.into()).unwrap();
        let start = start(&home).unwrap();
        assert_eq!(read(&start, Path::new("a/file"), 100).as_deref(), Some(&b"text"[..]));
        for path in ["a/large", "link", "device", "fifo", "b/file", "a", "../outside", "/etc/passwd", "none"]
        {
            assert_eq!(read(&start, Path::new(path), 100), None, "{path}");
        }
    }
}
