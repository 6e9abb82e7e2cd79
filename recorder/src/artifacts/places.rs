//! Opening files that others have open, or had a moment ago, and nothing else.
//!
//! What leads there is a process's own link (`/proc/PID/fd/N`), which walks nowhere, or a path within one local file system.
//! It is looked at by a descriptor that opens nothing, and read only where that is a regular file of a file system that
//! answers by itself: see `hashes::open`, whose rules are the same.

use std::{
    fs::{self, File},
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use format::artifact::reasons;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, StatxFlags, open, openat, readlink, statx};

use crate::hashes::open::{Mount, Opener, beneath, is_local, mount_of, mounts_of, nanoseconds};

/// A file that is held: it stays, whatever becomes of its names.
#[derive(Debug)]
pub(super) struct Place {
    file: OwnedFd,
    /// What it is called now.
    pub path: Vec<u8>,
    pub found: &'static str,
}

/// What is known of a held file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct State {
    pub size: u64,
    /// Wall clock, ns: whoever writes it cannot set this.
    pub changed_ns: u64,
}

type Found<T> = Result<T, &'static str>;

/// What a process has open under this number.
pub(super) fn of_process(opener: &Opener, pid: u32, fd: i32) -> Found<Place> {
    let link = format!("/proc/{pid}/fd/{fd}");
    let file = open(&link, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|_| reasons::GONE)?;
    check(opener, &file, &mounts_of(Some(pid)))?;
    Ok(Place { path: called(&file), file, found: "descriptor" })
}

/// What stands at a path of the host, if that is within one local file system.
pub(super) fn at_path(path: &[u8]) -> Found<Place> {
    let path = std::str::from_utf8(path).map_err(|_| reasons::GONE)?;
    let path = Path::new(path);
    let is_plain = path.is_absolute() && !path.components().any(|part| part.as_os_str() == "..");
    if !is_plain {
        return Err(reasons::GONE);
    }
    let mounts = mounts_of(None);
    // Of several at one place, the last one covers the others.
    let of = mounts.iter().filter(|mount| path.starts_with(&mount.point));
    let mount = of.max_by_key(|mount| (mount.point.components().count(), mount.id)).ok_or(reasons::GONE)?;
    if !is_local(mount) {
        return Err(reasons::OTHERS_ANSWER);
    }
    let within = path.strip_prefix(&mount.point).map_err(|_| reasons::GONE)?;
    let file = beneath(&mount.point, mount.id, within).ok_or(reasons::GONE)?;
    Ok(Place { path: called(&file), file, found: "path" })
}

/// Refuses what must not even be looked at.
fn check(opener: &Opener, file: &OwnedFd, mounts: &[Mount]) -> Found<()> {
    let id = mount_of(file);
    match mounts.iter().find(|mount| Some(mount.id) == id) {
        Some(mount) if is_local(mount) => Ok(()),
        Some(_) => Err(reasons::OTHERS_ANSWER),
        // Files in memory are on a mount that nobody sees; their device tells them. This asks nobody who would have to
        // answer.
        None => {
            let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
            let meta = statx(file, "", flags, StatxFlags::TYPE).map_err(|_| reasons::UNREADABLE)?;
            let device = meta.stx_dev_major << 20 | meta.stx_dev_minor;
            opener.is_memory(device).then_some(()).ok_or(reasons::OTHERS_ANSWER)
        }
    }
}

fn called(file: &OwnedFd) -> Vec<u8> {
    readlink(format!("/proc/self/fd/{}", file.as_raw_fd()), Vec::new())
        .map(std::ffi::CString::into_bytes)
        .unwrap_or_default()
}

impl Place {
    /// Its size, and when it was changed last; of a regular file.
    pub fn state(&self) -> Found<State> {
        let wanted = StatxFlags::TYPE | StatxFlags::CTIME | StatxFlags::SIZE;
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        let meta = statx(&self.file, "", flags, wanted).map_err(|_| reasons::UNREADABLE)?;
        if FileType::from_raw_mode(meta.stx_mode.into()) != FileType::RegularFile {
            return Err(reasons::NO_FILE);
        }
        Ok(State { size: meta.stx_size, changed_ns: nanoseconds(meta.stx_ctime) })
    }

    /// Opens it for reading, without waiting for anybody.
    pub fn open(&self) -> Found<File> {
        self.state()?;
        let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let link = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        openat(CWD, link, flags, Mode::empty()).map(File::from).map_err(|_| reasons::UNREADABLE)
    }
}

/// The mount namespace of the recorder: of others, paths are none of the host's.
pub fn own_mnt_ns() -> u32 {
    let link = fs::read_link("/proc/self/ns/mnt").unwrap_or_else(|_| PathBuf::new());
    let digits = link.to_string_lossy();
    let digits = digits.trim_start_matches("mnt:[").trim_end_matches(']');
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use rustix::fs::{MemfdFlags, memfd_create};

    use super::*;

    #[test]
    fn a_file_is_held_when_its_name_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        fs::write(&path, "bytes").unwrap();
        let opened = File::open(&path).unwrap();
        let opener = Opener::default();
        let place = of_process(&opener, std::process::id(), opened.as_raw_fd()).unwrap();
        assert_eq!(place.path, path.to_str().unwrap().as_bytes());
        fs::remove_file(&path).unwrap();
        drop(opened);
        let mut text = String::new();
        place.open().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), place.state().unwrap().size), ("bytes", 5));
    }

    #[test]
    fn memory_is_read_and_devices_and_pipes_are_not() {
        let opener = Opener::default();
        let of = |file: &dyn std::os::fd::AsRawFd| {
            of_process(&opener, std::process::id(), file.as_raw_fd()).and_then(|place| place.open())
        };
        let memory = memfd_create("x", MemfdFlags::CLOEXEC).unwrap();
        assert!(of(&memory).is_ok());
        let (pipe, _other) = std::io::pipe().unwrap();
        assert_eq!(of(&pipe).unwrap_err(), reasons::OTHERS_ANSWER);
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(of(&File::open(folder.path()).unwrap()).unwrap_err(), reasons::NO_FILE);
        assert_eq!(of_process(&opener, std::process::id(), 9_999).unwrap_err(), reasons::GONE);
    }

    #[test]
    fn a_path_leads_through_no_link() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().canonicalize().unwrap();
        fs::write(folder.join("x"), "bytes").unwrap();
        std::os::unix::fs::symlink(folder.join("x"), folder.join("link")).unwrap();
        let at = |name: &str| at_path(folder.join(name).to_str().unwrap().as_bytes());
        assert!(at("x").and_then(|place| place.open()).is_ok());
        // The link itself is found, and is no file.
        assert_eq!(at("link").and_then(|place| place.open()).unwrap_err(), reasons::NO_FILE);
        for name in ["none", "../x", "link/y"] {
            assert_eq!(at(name).unwrap_err(), reasons::GONE, "{name}");
        }
        assert_eq!(at_path(b"/proc/self/exe").unwrap_err(), reasons::OTHERS_ANSWER);
    }
}
