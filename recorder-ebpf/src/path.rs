//! Absolute paths of files, by walking up their directories and through the mounts that hold them.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use events::abi::form;

use crate::{
    emit::Writer,
    kernel::{Dentry, File, VfsMount},
};

/// Directories and mounts that one look at a path goes through, and looks at most: more than a path of the longest kind
/// (`PATH_MAX`) has. The verifier follows every step of a look, and of looks only that they are repeated.
const STEPS: u32 = 48;
const LOOKS: u32 = 48;
/// Bytes of a component, NUL included (`NAME_MAX` + 1).
const COMPONENT_BYTES: u32 = 256;
/// With this much of a path no component more is taken.
const PATH_BYTES: u64 = 4096;
/// Holds any length up to there, and one component more.
const LENGTH_MASK: u64 = 0x1fff;

/// How a walk ended, in the upper half of what [`path_walk`] returns.
const WHOLE: u64 = 0;
const PSEUDO: u64 = 1;
const CUT: u64 = 2;
const FAULT: u64 = 3;
/// It has not ended.
const GOES_ON: u64 = 4;

/// What became of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Whole,
    /// What is next to the root is missing.
    Cut,
    Lost,
}

/// Appends a file's path as a blob.
#[inline(always)]
pub fn append(writer: &mut Writer, arg: u8, file: File<false>) -> Outcome {
    if file.is_null() || !writer.has_room() {
        return Outcome::Lost;
    }
    append_from(writer, arg, file.dentry(), file.mnt())
}

#[inline(always)]
pub fn append_from(writer: &mut Writer, arg: u8, dentry: Dentry<false>, mnt: VfsMount<false>) -> Outcome {
    let start = writer.at + events::abi::BLOB_HEADER_BYTES as u64;
    writer.notes().set_walk(dentry.0 as u64, mnt.0 as u64);
    let mut walked = writer.opaque(GOES_ON << 32);
    for _ in 0..LOOKS {
        walked = path_walk(writer.room(), writer.opaque(start), walked & LENGTH_MASK);
        walked = writer.opaque(walked);
        if walked >> 32 != GOES_ON {
            break;
        }
    }
    let length = walked & LENGTH_MASK;
    let (form, outcome) = match walked >> 32 {
        FAULT => return Outcome::Lost,
        WHOLE => (form::PATH, Outcome::Whole),
        PSEUDO => (form::PSEUDO_PATH, Outcome::Whole),
        _ => (form::PARTIAL_PATH, Outcome::Cut),
    };
    writer.end_blob(arg, form, length as u32);
    outcome
}

/// What is above a directory of a mount.
pub enum Above {
    /// Itself, for what has no name.
    Parent(Dentry<false>),
    /// Its mount is mounted there.
    Mount(Dentry<false>, VfsMount<false>),
    /// It is the root.
    Nothing,
    Unknown,
}

#[inline(always)]
pub fn above(dentry: Dentry<false>, vfsmount: VfsMount<false>) -> Above {
    let parent = dentry.parent();
    if dentry.0 == vfsmount.root().0 {
        let mount = vfsmount.mount();
        let above = mount.parent();
        return if above.0 == mount.0 || above.is_null() {
            Above::Nothing
        } else {
            Above::Mount(mount.mountpoint(), above.vfsmount())
        };
    }
    if dentry.is_null() || parent.is_null() { Above::Unknown } else { Above::Parent(parent) }
}

/// Writes components from where the walk has come to, the last one first, each with its NUL, `start` bytes into the write
/// and `length` bytes from there. Returns the new length in the lower half and how it ended in the upper.
///
/// A global function, of numbers only: the verifier looks at it once for all the paths that a program may tell.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn path_walk(room: u64, start: u64, length: u64) -> u64 {
    let Some(writer) = Writer::resume(room, start) else { return FAULT << 32 };
    let [dentry, mnt] = writer.notes().walk();
    let mut dentry = Dentry::<false>(dentry as *const u8);
    let mut vfsmount = VfsMount::<false>(mnt as *const u8);
    // As unknown from the first step on as it will be after it, so that one look at a step is enough.
    let mut length = writer.opaque(length) & LENGTH_MASK;
    for _ in 0..STEPS {
        let parent = match above(dentry, vfsmount) {
            Above::Parent(parent) => parent,
            Above::Mount(mountpoint, mount) => {
                (dentry, vfsmount) = (mountpoint, mount);
                continue;
            }
            Above::Nothing => return WHOLE << 32 | length,
            Above::Unknown => return FAULT << 32,
        };
        if length >= PATH_BYTES {
            return CUT << 32 | length;
        }
        // SAFETY: `pointer` is within the write, and the slack holds a component more.
        let read = unsafe {
            bpf_probe_read_kernel_str(writer.pointer(start + length).cast(), COMPONENT_BYTES, dentry.name().cast())
        };
        if read <= 0 || read > COMPONENT_BYTES as i64 {
            return FAULT << 32;
        }
        length = writer.opaque(length + read as u64) & LENGTH_MASK;
        if dentry.0 == parent.0 {
            return PSEUDO << 32 | length;
        }
        dentry = parent;
    }
    writer.notes().set_walk(dentry.0 as u64, vfsmount.0 as u64);
    GOES_ON << 32 | length
}
