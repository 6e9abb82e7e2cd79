//! The table of open files: what was last sent for each, and whether that is still so.

use core::ptr::{read_volatile, write_volatile};

use events::abi::files::{PLACES, found, id};

use super::{
    describe::{describe, socket_of},
    last_seen::remember,
};
use crate::{
    context::{add_to, current},
    emit::{Writer, config},
    hash,
    kernel::{Dentry, File, VfsMount},
    statics,
};

/// What the last file sent for a place was made from: its name, which opening it again does not change, and of what has no
/// name what it is. Pointers may be reused after a file is gone; then its mount, its directory, the hash of its name, or what
/// `more` holds has changed.
#[repr(C)]
struct FileEntry {
    dentry: u64,
    /// A file that is mounted in two places has two paths.
    mount: u64,
    parent: u64,
    name_hash: u64,
    /// Of what has no name: the inode's number, or the addresses of a socket.
    more: u64,
    /// [`MOVES`] at the time, and above that bits of [`what`].
    state: u64,
    /// An event that began before refers to nothing that was sent after it.
    sent_ns: u64,
    id: u64,
    /// All of the above: two CPUs that write the same place at once leave nothing that looks right.
    check: u64,
}

impl FileEntry {
    const EMPTY: FileEntry = FileEntry {
        dentry: 0,
        mount: 0,
        parent: 0,
        name_hash: 0,
        more: 0,
        state: 0,
        sent_ns: 0,
        id: 0,
        check: 0,
    };
}

pub mod what {
    use events::abi::files::{id, log};

    pub const NAMELESS: u64 = 1 << 63;
    /// A socket of the internet families.
    pub const INTERNET: u64 = 1 << 62;
    pub const UNLINKED: u64 = 1 << 61;
    /// A socket whose other end is a log, or one of audit.
    pub const AUDIT: u64 = 1 << 60;
    pub const LOG: u64 = 1 << 59;
    /// No bits of it.
    pub const MOVES: u64 = LOG - 1;

    /// The log that a socket is, where the file's id has it.
    #[inline(always)]
    pub fn log(what: u64) -> u64 {
        (what >> LOG.trailing_zeros() & (log::MESSAGES | log::AUDIT)) << id::LOG_SHIFT
    }
}

static mut FILES: [FileEntry; PLACES as usize] = [const { FileEntry::EMPTY }; PLACES as usize];

/// Counts what may have changed the paths of files that are open: renames and moves of mounts.
static mut MOVES: u64 = 0;

#[inline(always)]
fn file_at(place: u32) -> *mut FileEntry {
    statics::element(&raw mut FILES, place)
}

#[inline(always)]
fn moves() -> u64 {
    // SAFETY: a static of the programs.
    unsafe { read_volatile(&raw const MOVES) }
}

/// Notes that paths of open files may be others now.
#[inline(always)]
pub fn names_moved() -> u32 {
    // An increment that two CPUs make at once still changes the number.
    // SAFETY: a static of the programs.
    unsafe { write_volatile(&raw mut MOVES, moves().wrapping_add(1) & what::MOVES) };
    0
}

/// What stands for the directory that a task is in.
pub const NO_DESCRIPTOR: u32 = u32::MAX;

/// Sends the file that [`find`] has left.
#[inline(always)]
pub fn send(writer: &mut Writer, fd: u32, which: usize) {
    writer.at = descriptors_send(writer.room(), writer.at, fd as u64, which as u64);
}

/// Where a file is kept.
#[inline(always)]
fn bucket_of(dentry: u64, mount: u64) -> u32 {
    hash::bucket(dentry.wrapping_add(mount), PLACES)
}

macro_rules! field {
    ($entry:ident.$field:ident) => {
        // SAFETY: an element of a static of the programs.
        unsafe { read_volatile(&raw const (*$entry).$field) }
    };
}
pub(super) use field;

/// Notes the id of a file. False when it is new or has changed: then it is left for [`send`]. Without a file: a directory.
#[inline(always)]
pub fn find<const TYPED: bool>(
    writer: &mut Writer,
    file: File<TYPED>,
    dentry: Dentry<TYPED>,
    mount: VfsMount<TYPED>,
    is_changed: bool,
    which: usize,
) -> bool {
    let (dentry_number, mount_number) = if TYPED {
        (writer.opaque(dentry.0 as u64), writer.opaque(mount.0 as u64))
    } else {
        (dentry.0 as u64, mount.0 as u64)
    };
    let entry = file_at(bucket_of(dentry_number, mount_number));
    let (hashed, parent, name_hash) = dentry.identity();
    let (state, id) = (field!(entry.state), field!(entry.id));
    if field!(entry.dentry) == dentry_number
        && field!(entry.mount) == mount_number
        && field!(entry.parent) as *const u8 == parent.0
        && field!(entry.name_hash) == name_hash
        && state & what::MOVES == moves()
        && field!(entry.sent_ns) <= writer.time_ns()
        && (state & what::UNLINKED != 0) == (hashed == 0)
        && !is_changed
        && field!(entry.check) == check(entry, id)
        && (state & what::NAMELESS == 0 || field!(entry.more) == more_of(state, file, dentry))
    {
        writer.notes().set_found(which, id);
        return true;
    }
    writer.notes().set_found(which, 0);
    writer.notes().set_file(file.0 as u64, dentry_number, mount_number);
    false
}

/// The sum of what an entry says. The id is the caller's: another CPU may have put its own there by now.
#[inline(always)]
fn check(entry: *const FileEntry, id: u64) -> u64 {
    let mut sum = id;
    macro_rules! add {
        ($($field:ident)*) => { $(add_to(&mut sum, field!(entry.$field));)* };
    }
    add!(dentry mount parent name_hash more state sent_ns);
    sum
}

/// Sends what a file is, and notes its id.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn descriptors_send(room: u64, at: u64, fd: u64, which: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let (file, dentry, mount) = writer.notes().file();
    let place = bucket_of(dentry, mount);
    let (entry, moves) = (file_at(place), moves());
    let (file, dentry) = (File::<false>(file as *const u8), Dentry::<false>(dentry as *const u8));
    let mount = VfsMount::<false>(mount as *const u8);
    let (hashed, parent, name_hash) = dentry.identity();
    let number = writer.next_number() & id::NUMBER_MASK;
    let id = (writer.cpu() as u64 + 1) << id::CPU_SHIFT | (place as u64) << id::PLACE_SHIFT | number;
    let what = describe(&mut writer, id, file, dentry, mount);
    let id = id | what::log(what);
    let state = what | moves | if hashed == 0 { what::UNLINKED } else { 0 };
    let more = if what & what::NAMELESS != 0 { more_of(what, file, dentry) } else { 0 };
    let mut check = 0;
    macro_rules! set {
        ($field:ident, $value:expr) => {{
            let value: u64 = $value;
            check ^= value;
            // SAFETY: an element of a static of the programs.
            unsafe { write_volatile(&raw mut (*entry).$field, value) };
        }};
    }
    // What makes it valid is written last, from what was meant: what is there by then may be another CPU's.
    // SAFETY: an element of a static of the programs.
    unsafe { write_volatile(&raw mut (*entry).check, 0) };
    set!(dentry, dentry.0 as u64);
    set!(mount, mount.0 as u64);
    set!(parent, parent.0 as u64);
    set!(name_hash, name_hash);
    set!(more, more);
    set!(state, state);
    set!(sent_ns, writer.time_ns());
    set!(id, id);
    // SAFETY: as above.
    unsafe { write_volatile(&raw mut (*entry).check, check) };
    writer.notes().set_found(which as usize & (found::COUNT - 1), id);
    if config!(remembers) != 0 && fd as u32 != NO_DESCRIPTOR {
        let task = current::<false>();
        remember(task.files().0 as u64, task.tgid(), fd as u32, id);
    }
    writer.at
}

/// The write that sent this came to nothing.
#[inline(always)]
pub fn invalidate(id: u64) {
    if id != 0 {
        // SAFETY: an element of a static of the programs.
        unsafe { write_volatile(&raw mut (*file_at(id::place(id))).check, 0) };
    }
}

/// What tells a file without a name from others at the same addresses.
#[inline(always)]
fn more_of<const TYPED: bool>(what: u64, file: File<TYPED>, dentry: Dentry<TYPED>) -> u64 {
    if what & what::INTERNET != 0 && !file.is_null() {
        socket_of(file).endpoints()
    } else {
        dentry.inode().ino()
    }
}
