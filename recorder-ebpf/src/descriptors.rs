//! What descriptors stand for: looked up in the kernel's own table when a call has used one, found unchanged in a few
//! nanoseconds, and sent when it is new or has changed.
//!
//! Nothing is modelled: duplicates, descriptors passed over sockets and tables shared by processes are as the kernel has
//! them at the exit of the call. Only a closed descriptor is no longer there: for those, what was last seen at the same
//! number of the same process is kept.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::{helpers::generated::bpf_probe_read_kernel, macros::map, maps::Array};
use events::abi::{
    RecordHeader,
    files::{DESCRIPTORS, PLACES, part, position, word},
    form, kind,
    tables::{SyscallEntry, descriptor},
};

use crate::{
    context::current,
    emit::{Started, Writer, config},
    kernel::{Dentry, File, Files, InetSock, Sock, Socket, Task, UnixAddress, UnixSock, probe},
    path::{self, Outcome},
    probes::{process::{kernel_string, marks_of}, sockets},
};

const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;
const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// What the last file sent for a place was made from. Pointers may be reused after a file is gone; then its directory,
/// the hash of its name, or what `more` holds has changed.
#[repr(C)]
struct Known {
    file: u64,
    dentry: u64,
    parent: u64,
    name_hash: u64,
    /// Of what has no name: the inode's number, or the addresses of a socket.
    more: u64,
    /// Bits of [`what`].
    what: u64,
    /// [`MOVES`] at the time.
    moves: u64,
    /// An event that began before refers to nothing that was sent after it.
    sent_ns: u64,
    id: u64,
    /// All of the above: two CPUs that write the same place at once leave nothing that looks right.
    check: u64,
}

mod what {
    pub const NAMELESS: u64 = 1;
    /// A socket of the internet families.
    pub const INTERNET: u64 = 2;
    pub const UNLINKED: u64 = 4;
}

/// The last file that was seen at a number of a process.
#[repr(C)]
struct Last {
    table: u64,
    whose: u64,
    id: u64,
    place: u64,
    check: u64,
}

#[map]
static FILES: Array<Known> = Array::with_max_entries(PLACES, 0);
#[map]
static LAST: Array<Last> = Array::with_max_entries(DESCRIPTORS, 0);
/// Counts what may have changed the paths of files that are open: renames and moves of mounts.
#[map]
static MOVES: Array<u64> = Array::with_max_entries(1, 0);

/// A file that records can refer to; id 0 is none.
#[derive(Clone, Copy)]
pub struct Found {
    pub id: u64,
    place: u32,
}

/// The files of a call.
#[derive(Clone, Copy)]
pub struct Descriptors {
    first: Found,
    second: Found,
    pub returned: Found,
    directory: Found,
}

impl Found {
    const NONE: Found = Found { id: 0, place: 0 };

    /// The same, of which the verifier knows nothing: else it follows all that comes after once for every way that a
    /// file can be found, and gives up.
    #[inline(always)]
    fn forgotten(self, writer: &Writer) -> Found {
        Found { id: writer.forget(self.id), place: writer.forget(self.place as u64) as u32 }
    }

    /// Appends a reference to it for the argument at a position.
    #[inline(always)]
    pub fn refer(self, writer: &mut Writer, position: u8) {
        if self.id != 0 {
            writer.refer(position, self.place as u16, self.id);
        }
    }
}

impl Descriptors {
    pub const NONE: Descriptors =
        Descriptors { first: Found::NONE, second: Found::NONE, returned: Found::NONE, directory: Found::NONE };

    /// Finds what the descriptors of a call stand for, and sends what has not been sent. Before the call's own record.
    #[inline(always)]
    pub fn of<const TYPED: bool>(
        writer: &mut Writer,
        task: Task<TYPED>,
        entry: *const SyscallEntry,
        argument: impl Fn(usize) -> u64,
        ret: i64,
    ) -> Descriptors {
        // SAFETY: an entry of a static table.
        let (first, second, flags) = unsafe {
            (
                read_volatile(&raw const (*entry).first),
                read_volatile(&raw const (*entry).second),
                read_volatile(&raw const (*entry).descriptors),
            )
        };
        let mut found = Descriptors::NONE;
        if first | second | flags == 0 {
            return found;
        }
        let files = task.files();
        if first != 0 {
            let fd = one_of(&argument, first) as u32;
            if flags & descriptor::CLOSED != 0 {
                if ret == 0 {
                    found.first = take_last(number_of(writer, files), task.tgid(), fd);
                }
            } else {
                found.first = at(writer, files, task.tgid(), fd, flags & descriptor::READDRESSED != 0);
            }
        }
        found.first = found.first.forgotten(writer);
        if second != 0 {
            found.second = at(writer, files, task.tgid(), one_of(&argument, second) as u32, false);
        }
        found.second = found.second.forgotten(writer);
        if flags & descriptor::RETURNED != 0 && ret >= 0 {
            found.returned = at(writer, files, task.tgid(), ret as u32, false);
        }
        found.returned = found.returned.forgotten(writer);
        if flags & descriptor::RELATIVE != 0 && ret >= 0 {
            found.directory = working_directory(writer);
        }
        found.directory = found.directory.forgotten(writer);
        found
    }

    /// Appends the references to a call's record.
    #[inline(always)]
    pub fn refer(self, writer: &mut Writer, entry: *const SyscallEntry) {
        // SAFETY: an entry of a static table.
        let (first, second) =
            unsafe { (read_volatile(&raw const (*entry).first), read_volatile(&raw const (*entry).second)) };
        self.first.refer(writer, first.wrapping_sub(1));
        self.second.refer(writer, second.wrapping_sub(1));
        self.directory.refer(writer, position::WORKING_DIRECTORY);
    }
}

/// Notes that paths of open files may be others now.
#[inline(always)]
pub fn names_moved() -> u32 {
    if let Some(moves) = MOVES.get_ptr_mut(0) {
        // An increment that two CPUs make at once still changes the number.
        // SAFETY: a map value.
        unsafe { write_volatile(moves, read_volatile(moves).wrapping_add(1)) };
    }
    0
}

#[inline(always)]
fn one_of(argument: &impl Fn(usize) -> u64, position: u8) -> u64 {
    match position {
        1 => argument(0),
        2 => argument(1),
        3 => argument(2),
        4 => argument(3),
        _ => argument(4),
    }
}

/// The file at a descriptor of the current task.
#[inline(always)]
fn at<const TYPED: bool>(writer: &mut Writer, files: Files<TYPED>, tgid: u32, fd: u32, is_changed: bool) -> Found {
    let table = files.fdt();
    if fd >= table.max_fds() {
        return Found::NONE;
    }
    let file = File::<false>(probe(table.fd().wrapping_add(fd as usize * 8)));
    if file.is_null() {
        return Found::NONE;
    }
    let found = known(writer, file.0, file.dentry(), is_changed);
    if config!(remembers) != 0 {
        remember(number_of(writer, files), tgid, fd, found);
    }
    found
}

/// The address of a table of descriptors, as a number that may be reckoned with.
#[inline(always)]
fn number_of<const TYPED: bool>(writer: &Writer, files: Files<TYPED>) -> u64 {
    writer.forget(files.0 as u64)
}

/// The directory that relative paths of the current task begin at.
#[inline(always)]
fn working_directory(writer: &mut Writer) -> Found {
    let dentry = current::<false>().fs().pwd_dentry();
    if dentry.is_null() { Found::NONE } else { known(writer, core::ptr::null(), dentry, false) }
}

/// Where a file is kept: the best bits of a product with the golden ratio.
#[inline(always)]
fn place_of(address: u64) -> u32 {
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACES.ilog2())) as u32
}

macro_rules! field {
    ($known:ident.$field:ident) => {
        // SAFETY: a map value.
        unsafe { read_volatile(&raw const (*$known).$field) }
    };
}

#[inline(always)]
fn known(writer: &mut Writer, file: *const u8, dentry: Dentry<false>, is_changed: bool) -> Found {
    let place = place_of(file as u64 ^ dentry.0 as u64);
    let (Some(known), Some(moves)) = (FILES.get_ptr_mut(place), MOVES.get_ptr(0)) else { return Found::NONE };
    let [hashed, parent, name_hash] = dentry.identity();
    // SAFETY: a map value.
    let moves = unsafe { read_volatile(moves) };
    let what = field!(known.what);
    let is_same = field!(known.file) == file as u64
        && field!(known.dentry) == dentry.0 as u64
        && field!(known.parent) == parent
        && field!(known.name_hash) == name_hash
        && field!(known.moves) == moves
        && field!(known.sent_ns) <= writer.time_ns
        && (what & what::UNLINKED != 0) == (hashed == 0)
        && !is_changed;
    if is_same {
        let more = field!(known.more);
        let id = field!(known.id);
        let check = file as u64 ^ dentry.0 as u64 ^ parent ^ name_hash ^ more ^ what ^ moves ^ field!(known.sent_ns) ^ id;
        if check == field!(known.check) && (what & what::NAMELESS == 0 || more == more_of(what, file, dentry)) {
            return Found { id, place };
        }
    }
    let id = writer.next_context_id();
    let told = tell(writer, id, place, file, dentry.0);
    let what = told | if hashed == 0 { what::UNLINKED } else { 0 };
    let more = if what & what::NAMELESS != 0 { more_of(what, file, dentry) } else { 0 };
    // SAFETY: a map value; what makes it valid is written last.
    unsafe {
        write_volatile(&raw mut (*known).check, 0);
        write_volatile(&raw mut (*known).file, file as u64);
        write_volatile(&raw mut (*known).dentry, dentry.0 as u64);
        write_volatile(&raw mut (*known).parent, parent);
        write_volatile(&raw mut (*known).name_hash, name_hash);
        write_volatile(&raw mut (*known).more, more);
        write_volatile(&raw mut (*known).what, what);
        write_volatile(&raw mut (*known).moves, moves);
        write_volatile(&raw mut (*known).sent_ns, writer.time_ns);
        write_volatile(&raw mut (*known).id, id);
        let check = file as u64 ^ dentry.0 as u64 ^ parent ^ name_hash ^ more ^ what ^ moves ^ writer.time_ns ^ id;
        write_volatile(&raw mut (*known).check, check);
    }
    Found { id, place }
}

/// The write that sent these came to nothing.
#[inline(always)]
pub fn forget(found: Found) {
    if let Some(known) = FILES.get_ptr_mut(found.place) {
        // SAFETY: a map value.
        unsafe { write_volatile(&raw mut (*known).check, 0) };
    }
}

impl Descriptors {
    /// The write that may have sent them came to nothing.
    #[inline(always)]
    pub fn forget(self) {
        forget(self.first);
        forget(self.second);
        forget(self.returned);
        forget(self.directory);
    }
}

/// What tells a file without a name from others at the same addresses.
#[inline(always)]
fn more_of(what: u64, file: *const u8, dentry: Dentry<false>) -> u64 {
    if what & what::INTERNET != 0 {
        socket_of(file).endpoints()
    } else {
        dentry.inode().ino()
    }
}

#[inline(always)]
fn socket_of(file: *const u8) -> Sock<false> {
    Socket::<false>(File::<false>(file).private_data()).sk()
}

#[inline(always)]
fn whose(tgid: u32, fd: u32) -> u64 {
    (tgid as u64) << 32 | fd as u64
}

#[inline(always)]
fn last(table: u64, whose: u64) -> Option<*mut Last> {
    let key = table ^ whose.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    LAST.get_ptr_mut((key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - DESCRIPTORS.ilog2())) as u32)
}

#[inline(always)]
fn remember(table: u64, tgid: u32, fd: u32, found: Found) {
    let whose = whose(tgid, fd);
    let Some(last) = last(table, whose) else { return };
    let check = table ^ whose ^ found.id ^ found.place as u64;
    if field!(last.check) == check {
        return;
    }
    // SAFETY: a map value; what makes it valid is written last.
    unsafe {
        write_volatile(&raw mut (*last).check, 0);
        write_volatile(&raw mut (*last).table, table);
        write_volatile(&raw mut (*last).whose, whose);
        write_volatile(&raw mut (*last).id, found.id);
        write_volatile(&raw mut (*last).place, found.place as u64);
        write_volatile(&raw mut (*last).check, check);
    }
}

/// What was last seen at a descriptor that is now closed.
#[inline(always)]
fn take_last(table: u64, tgid: u32, fd: u32) -> Found {
    let whose = whose(tgid, fd);
    let Some(last) = last(table, whose) else { return Found::NONE };
    let (id, place) = (field!(last.id), field!(last.place));
    if field!(last.table) != table || field!(last.whose) != whose || field!(last.check) != table ^ whose ^ id ^ place {
        return Found::NONE;
    }
    // SAFETY: a map value.
    unsafe { write_volatile(&raw mut (*last).check, 0) };
    Found { id, place: place as u32 }
}

/// Appends a record that says what a file is. Without a file: a directory that a task is in. Returns bits of [`what`].
#[inline(never)]
fn tell(writer: &mut Writer, id: u64, place: u32, file: *const u8, dentry: *const u8) -> u64 {
    let dentry = Dentry::<false>(dentry);
    let mount = if file.is_null() { current::<false>().fs().pwd_mnt() } else { File::<false>(file).mnt() };
    let inode = dentry.inode();
    let mode = inode.mode();
    let [hashed, parent, _] = dentry.identity();
    let is_nameless = parent == dentry.0 as u64 && mount.root().0 != dentry.0;
    let started = writer.start(word::COUNT);
    writer.set_word(started, word::KIND, mode as u64);
    writer.set_word(started, word::INODE, inode.ino());
    writer.set_word(started, word::UNLINKED, (hashed == 0 && !is_nameless) as u64);
    let (mut what, mut outcome) = (0, Outcome::Whole);
    if is_nameless {
        what = what::NAMELESS;
        if mode & S_IFMT == S_IFSOCK && !file.is_null() {
            what |= tell_socket(writer, started, mode, socket_of(file));
        } else {
            kernel_string(writer, part::FILE_SYSTEM, inode.sb().kind().name());
            outcome = path::append_from(writer, part::PATH, dentry, mount);
        }
    } else {
        outcome = path::append_from(writer, part::PATH, dentry, mount);
    }
    writer.end(started, RecordHeader {
        slot: place as u16,
        kind: kind::FILE,
        words: word::COUNT,
        context: id,
        marks: marks_of(part::PATH as u32, outcome),
        more: 1,
        ..RecordHeader::default()
    });
    what
}

/// Appends what a socket is and where its ends are.
#[inline(always)]
fn tell_socket(writer: &mut Writer, started: Started, mode: u16, sock: Sock<false>) -> u64 {
    let family = sock.family();
    let kind = mode as u64 | (family as u64) << 16 | (sock.protocol() as u64) << 32;
    writer.set_word(started, word::KIND, kind);
    if family == AF_INET || family == AF_INET6 {
        // Kept when the connection ends, as the other number is not.
        let port = InetSock::<false>(sock.0).sport();
        sockets::address(writer, part::LOCAL, family, port, sock.rcv_saddr(), sock.v6_rcv_saddr());
        sockets::address(writer, part::REMOTE, family, sock.dport(), sock.daddr(), sock.v6_daddr());
        return what::INTERNET;
    }
    if family == AF_UNIX && UnixSock::<false>::is_known() {
        let sock = UnixSock::<false>(sock.0);
        unix_address(writer, part::LOCAL, sock.addr());
        let peer = sock.peer();
        if !peer.is_null() {
            unix_address(writer, part::REMOTE, peer.addr());
        }
    }
    0
}

/// Appends a `struct sockaddr_un`, if the socket has one.
#[inline(always)]
fn unix_address(writer: &mut Writer, arg: u8, address: UnixAddress<false>) {
    const LONGEST: u32 = 110;
    if address.is_null() {
        return;
    }
    let length = address.length();
    let length = if length > LONGEST { LONGEST } else { length };
    // What is read beyond its end is not sent.
    // SAFETY: the write has room for a blob.
    let failed =
        unsafe { bpf_probe_read_kernel(writer.blob_bytes().cast(), LONGEST, address.name().cast()) != 0 };
    if !failed {
        writer.end_blob(arg, form::PLAIN, length);
    }
}
