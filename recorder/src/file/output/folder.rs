//! The directory that captures are written into: opened once, so that every file of a recording goes into the same one,
//! whatever becomes of its path.
//!
//! A file is made under a fresh name and gets its own when its header stands. Nothing that somebody else has put there
//! is ever opened, truncated or followed: names are made with `O_EXCL`, and given by `renameat2`.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use format::acknowledged;
use rustix::{
    fs::{
        AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, Stat, flock, fstat, fsync, linkat,
        openat, renameat, renameat_with, statat, unlinkat,
    },
    io::Errno,
};

use super::OutputError;

/// Names to try before it is said that none can be made.
const ATTEMPTS: usize = 16;
/// Of a long name this much stands in the fresh one: file systems take 255 bytes.
const STEM_BYTES: usize = 200;

/// An open directory.
#[derive(Debug)]
pub struct Folder {
    directory: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// The directory that a file of this path is in, and the file's name there.
    pub fn of(path: &Path) -> Result<(Folder, OsString), OutputError> {
        let fail = |source| OutputError::Io { path: path.to_owned(), source };
        let name = path.file_name().ok_or_else(|| OutputError::NotAFile { path: path.to_owned() })?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(CWD, parent, flags, Mode::empty()).map_err(|error| fail(error.into()))?;
        let path = path.parent().map(Path::to_owned).unwrap_or_default();
        Ok((Folder { directory, path }, name.to_owned()))
    }

    pub fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    pub fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Whether a file may get this name.
    pub fn check(&self, name: &OsStr, force: bool) -> Result<(), OutputError> {
        let path = || self.path_of(name);
        match statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(OutputError::Io { path: path(), source: error.into() }),
            Ok(there) => match FileType::from_raw_mode(there.st_mode) {
                FileType::Fifo | FileType::CharacterDevice => Err(OutputError::IsAStream { path: path() }),
                FileType::RegularFile | FileType::Symlink if force => Ok(()),
                FileType::RegularFile | FileType::Symlink => Err(OutputError::Exists { path: path() }),
                _ => Err(OutputError::NotAFile { path: path() }),
            },
        }
    }

    /// A new file for its owner alone (0600), under a name that nothing had: `NAME.1a2b3c4d.partial`.
    pub fn create(&self, name: &OsStr) -> Result<(File, OsString), OutputError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut error = Errno::EXIST;
        for _ in 0..ATTEMPTS {
            let fresh = fresh_name(name);
            match openat(&self.directory, &fresh, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => {
                    // As long as it is open nobody takes it for a file that was left behind.
                    let _ = flock(&file, FlockOperation::NonBlockingLockExclusive);
                    return Ok((file.into(), fresh));
                }
                Err(Errno::EXIST | Errno::INTR) => {}
                Err(other) => {
                    error = other;
                    break;
                }
            }
        }
        Err(OutputError::Io { path: self.path_of(name), source: error.into() })
    }

    /// Gives a file another name; what has it already is replaced only by `force`.
    pub fn rename(&self, from: &OsStr, to: &OsStr, force: bool) -> Result<(), OutputError> {
        self.check(to, force)?;
        let here = &self.directory;
        let renamed = if force {
            renameat(here, from, here, to)
        } else {
            match renameat_with(here, from, here, to, RenameFlags::NOREPLACE) {
                // Not every file system can; a second link refuses as well when the name is taken.
                Err(Errno::INVAL | Errno::NOSYS) => linkat(here, from, here, to, AtFlags::empty())
                    .and_then(|()| unlinkat(here, from, AtFlags::empty())),
                renamed => renamed,
            }
        };
        renamed.map_err(|error| match error {
            Errno::EXIST => OutputError::Exists { path: self.path_of(to) },
            error => OutputError::Io { path: self.path_of(to), source: error.into() },
        })
    }

    /// Whether there is a mark that a store has the capture of this head.
    pub fn is_acknowledged(&self, head: &[u8; 32]) -> bool {
        let mark = Path::new(acknowledged::UPLOADED).join(acknowledged::mark(head));
        statat(&self.directory, &mark, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|mark| FileType::from_raw_mode(mark.st_mode) == FileType::RegularFile)
    }

    /// Removes a name if it still is that file's.
    pub fn remove(&self, name: &OsStr, of: &Stat) -> io::Result<()> {
        let there = statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if (there.st_dev, there.st_ino) != (of.st_dev, of.st_ino) {
            return Err(io::Error::other("another file has its name now"));
        }
        Ok(unlinkat(&self.directory, name, AtFlags::empty())?)
    }

    /// Puts names on the disk. File systems that cannot are none to promise anything.
    pub fn sync(&self) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        if let Ok(directory) = openat(&self.directory, ".", flags, Mode::empty()) {
            let _ = fsync(directory);
        }
    }

    /// Whether nobody but the recorder's user and root can put anything there.
    pub fn is_private(&self) -> io::Result<bool> {
        let folder = fstat(&self.directory)?;
        let is_ours = folder.st_uid == 0 || folder.st_uid == rustix::process::geteuid().as_raw();
        Ok(is_ours && folder.st_mode & 0o022 == 0)
    }
}

/// Whether this is a name that [`Folder::create`] makes for a file of this one.
pub fn is_fresh_name(fresh: &OsStr, name: &OsStr) -> bool {
    let words = fresh.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
    let number = words.and_then(|words| words.strip_prefix(b".")?.strip_suffix(b".partial"));
    number.is_some_and(|number| number.len() == 8 && number.iter().all(u8::is_ascii_hexdigit))
}

fn fresh_name(name: &OsStr) -> OsString {
    let number = RandomState::new().build_hasher().finish() as u32;
    let stem = name.as_encoded_bytes();
    let stem = stem.get(..STEM_BYTES).unwrap_or(stem);
    let mut fresh = match std::str::from_utf8(stem) {
        Ok(_) if stem.len() == name.len() => name.to_owned(),
        _ => OsString::from(String::from_utf8_lossy(stem).into_owned()),
    };
    fresh.push(format!(".{number:08x}.partial"));
    fresh
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_planted_under_a_name_is_neither_opened_nor_followed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.trz");
        let (folder, name) = Folder::of(&path).unwrap();
        let (_file, fresh) = folder.create(&name).unwrap();
        // Whatever comes to stand under the name while the recording is being prepared.
        fs::write(dir.path().join("precious"), "precious").unwrap();
        std::os::unix::fs::symlink(dir.path().join("precious"), &path).unwrap();
        assert!(matches!(folder.rename(&fresh, &name, false), Err(OutputError::Exists { .. })));
        folder.rename(&fresh, &name, true).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read(dir.path().join("precious")).unwrap(), b"precious");
    }

    #[test]
    fn files_go_into_the_directory_that_was_opened_though_its_path_leads_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let (here, moved, other) =
            (dir.path().join("here"), dir.path().join("moved"), dir.path().join("other"));
        fs::create_dir(&here).unwrap();
        fs::create_dir(&other).unwrap();
        let (folder, name) = Folder::of(&here.join("c.trz")).unwrap();
        fs::rename(&here, &moved).unwrap();
        std::os::unix::fs::symlink(&other, &here).unwrap();
        let (_file, fresh) = folder.create(&name).unwrap();
        folder.rename(&fresh, &name, false).unwrap();
        assert!(moved.join("c.trz").is_file());
        assert_eq!(fs::read_dir(&other).unwrap().count(), 0);
    }

    #[test]
    fn another_file_of_the_same_name_is_not_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.trz");
        let (folder, name) = Folder::of(&path).unwrap();
        let (file, fresh) = folder.create(&name).unwrap();
        folder.rename(&fresh, &name, false).unwrap();
        let own = fstat(&file).unwrap();
        fs::rename(&path, dir.path().join("away")).unwrap();
        fs::write(&path, "another").unwrap();
        assert!(folder.remove(&name, &own).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"another");
    }

    #[test]
    fn fresh_names_are_known_again() {
        let name = OsStr::new("s.0003.trz");
        assert!(is_fresh_name(&fresh_name(name), name));
        for other in [
            "s.0003.trz",
            "s.0003.trz.1.partial",
            "s.0004.trz.0011aabb.partial",
            "s.0003.trz.0011aabg.partial",
        ] {
            assert!(!is_fresh_name(OsStr::new(other), name), "{other}");
        }
    }

    #[test]
    fn long_names_leave_room_for_the_fresh_one() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, name) = Folder::of(&dir.path().join("é".repeat(127))).unwrap();
        let (_file, fresh) = folder.create(&name).unwrap();
        folder.rename(&fresh, &name, false).unwrap();
    }
}
