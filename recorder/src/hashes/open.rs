//! Opening a file that somebody executed, and nothing else.
//!
//! Whoever executes a file may have laid out what is around it. So it is never found by a name alone: what is there is looked at
//! by a descriptor that opens nothing (`O_PATH`), and must be a regular file with the inode and the change time that the kernel
//! told; then that very descriptor is opened, without waiting. What a process executes cannot be written while it does, so that
//! by its own link (`/proc/PID/exe`) a file counts that was removed, renamed or given away since, and was not written. A file system that a process answers for (FUSE), or a server,
//! could make whoever looks wait for ever. Which file system it is, the mounts of those concerned tell by its device, before
//! anything of it is touched, and no walk crosses from it into another.

use std::{
    fs::{self, File},
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::fs::{
    AtFlags, CWD, FileType, MemfdFlags, Mode, OFlags, ResolveFlags, StatxFlags, StatxTimestamp,
};
use rustix::fs::{fstat, memfd_create, open, openat, openat2, statx};

use format::artifact::reasons;

use super::{FileState, HashRequest};

/// File systems that answer by themselves, from memory or a local disk.
const LOCAL: &[&str] = &[
    "bcachefs", "btrfs", "cramfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs",
    "nilfs2", "ntfs3", "overlay", "ramfs", "reiserfs", "rootfs", "romfs", "squashfs", "tmpfs", "devtmpfs",
    "ubifs", "udf", "vfat", "xfs", "zfs",
];

/// Opens executed files.
#[derive(Debug)]
pub struct Opener {
    /// The device of files that are in memory alone (`memfd_create`): no mount shows it.
    memory: Option<u32>,
}

impl Default for Opener {
    fn default() -> Opener {
        let made = memfd_create("tracer", MemfdFlags::CLOEXEC).and_then(fstat);
        Opener { memory: made.ok().map(|meta| kernel_device(meta.st_dev)) }
    }
}

/// A mount of a file system.
#[derive(PartialEq, Eq, Debug)]
pub struct Mount {
    pub id: u64,
    device: u32,
    /// Where it is mounted, and whether that shows the root of the file system.
    pub point: PathBuf,
    is_whole: bool,
    kind: String,
}

impl Opener {
    /// Whether a device holds files that are in memory alone.
    pub fn is_memory(&self, device: u32) -> bool {
        self.memory == Some(device)
    }

    /// The file and its size, if it is still there, unchanged; or why not.
    pub(super) fn open(&self, request: &HashRequest) -> Result<(File, u64), &'static str> {
        let HashRequest { file, at, parent, path } = request;
        let pid = &at.pid;
        let is_in_memory = self.memory == Some(file.device);
        // Of who executed it, if it is alive; of its parent, which mostly lives in the same place; and of the host.
        let roots = [Some(*pid), Some(*parent).filter(|parent| *parent != 0), None];
        let mounts: Vec<Vec<Mount>> = roots.iter().map(|of| mounts(*of, file.device)).collect();
        let mut all = mounts.iter().flatten().peekable();
        let is_known = all.peek().is_some();
        if !is_in_memory && all.any(|mount| !is_local(mount)) {
            return Err(reasons::OTHERS_ANSWER);
        }
        if !is_in_memory && !is_known {
            return Err(reasons::GONE);
        }
        // A process that executes something else meanwhile leads elsewhere: to a file system, perhaps, that says of a file what
        // its owner likes.
        let is_there = |id: Option<u64>, device: u32| match is_in_memory {
            true => device == file.device,
            false => mounts.iter().flatten().any(|mount| Some(mount.id) == id),
        };
        // The link leads to the file itself, whatever it is called by now, and walks nowhere.
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let executable = open(format!("/proc/{pid}/exe"), flags, Mode::empty()).ok();
        if let Some(found) = executable.and_then(|there| same(there, file, Changed::InName, &is_there)) {
            return Ok(found);
        }
        let path = Path::new(std::str::from_utf8(path).map_err(|_| reasons::GONE)?);
        for (of, mounts) in roots.iter().zip(&mounts) {
            for mount in mounts {
                // Elsewhere only what is mounted at the root is looked at: on the way to another mount anything may be.
                if !mount.is_whole && of.is_some() || of.is_some() && mount.point != Path::new("/") {
                    continue;
                }
                let root = match of {
                    Some(pid) => format!("/proc/{pid}/root").into(),
                    None => mount.point.clone(),
                };
                // The host also has the mounts that are the roots of containers.
                let below = [path.strip_prefix(&mount.point), path.strip_prefix("/")];
                let mut there =
                    below.into_iter().flatten().filter_map(|within| beneath(&root, mount.id, within));
                if let Some(found) = there.find_map(|there| same(there, file, Changed::Never, &is_there)) {
                    return Ok(found);
                }
            }
        }
        Err(reasons::GONE)
    }
}

/// Whether its file system answers by itself.
pub fn is_local(mount: &Mount) -> bool {
    LOCAL.contains(&mount.kind.as_str())
}

/// The mounts of a device that a process sees; of the recorder's own place without one.
fn mounts(pid: Option<u32>, device: u32) -> Vec<Mount> {
    mounts_of(pid).into_iter().filter(|mount| mount.device == device).collect()
}

/// All of them.
pub fn mounts_of(pid: Option<u32>) -> Vec<Mount> {
    let of = pid.map_or("self".to_owned(), |pid| pid.to_string());
    let text = fs::read_to_string(format!("/proc/{of}/mountinfo")).unwrap_or_default();
    text.lines().filter_map(mount).collect()
}

/// A line of `/proc/PID/mountinfo`: see proc(5).
fn mount(line: &str) -> Option<Mount> {
    let (before, after) = line.split_once(" - ")?;
    let mut words = before.split(' ');
    let id = words.next()?.parse().ok()?;
    let mut words = words.skip(1);
    let (major, minor) = words.next()?.split_once(':')?;
    let (root, point) = (words.next()?, words.next()?);
    Some(Mount {
        id,
        device: major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?,
        point: point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\").into(),
        is_whole: root == "/",
        kind: after.split(' ').next()?.to_owned(),
    })
}

/// The mount that a descriptor leads to.
pub fn mount_of(there: &OwnedFd) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", there.as_raw_fd())).ok()?;
    text.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim().parse().ok()
}

/// What is there below a directory, which must be of this mount, on the directory's own file system.
pub fn beneath(root: &Path, mount: u64, path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(root, flags, Mode::empty()).ok()?;
    // Another one may be mounted over it.
    if mount_of(&root) != Some(mount) {
        return None;
    }
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_XDEV
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat2(root, path, flags, Mode::empty(), resolve).ok()
}

/// What may have become of a file since.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Changed {
    Never,
    /// Its names, its owner or its mode, but not its bytes.
    InName,
}

/// Opens what a descriptor stands for, if that is the file in that state. `is_there`: whether a mount and a device are those of the
/// file.
fn same(
    there: OwnedFd,
    file: &FileState,
    changed: Changed,
    is_there: &dyn Fn(Option<u64>, u32) -> bool,
) -> Option<(File, u64)> {
    let wanted =
        StatxFlags::TYPE | StatxFlags::INO | StatxFlags::CTIME | StatxFlags::MTIME | StatxFlags::SIZE;
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let meta = statx(&there, "", flags, wanted).ok()?;
    if !is_there(mount_of(&there), meta.stx_dev_major << 20 | meta.stx_dev_minor) {
        return None;
    }
    let changed_ns = nanoseconds(meta.stx_ctime);
    let is_same = changed_ns == file.changed_ns
        || changed == Changed::InName
            && changed_ns > file.changed_ns
            && nanoseconds(meta.stx_mtime) <= file.changed_ns;
    let is_file = FileType::from_raw_mode(meta.stx_mode.into()) == FileType::RegularFile;
    if !is_file || meta.stx_ino != file.inode || !is_same {
        return None;
    }
    let flags = OFlags::RDONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = openat(CWD, format!("/proc/self/fd/{}", there.as_raw_fd()), flags, Mode::empty()).ok()?;
    Some((File::from(file), meta.stx_size))
}

pub fn nanoseconds(time: StatxTimestamp) -> u64 {
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec.into())
}

/// A device number of `stat` as the kernel holds it.
pub(super) fn kernel_device(device: u64) -> u32 {
    libc::major(device) << 20 | libc::minor(device)
}
