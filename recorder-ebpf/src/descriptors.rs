//! What descriptors stand for: looked up in the kernel's own table when a call has used one, found unchanged in a few
//! nanoseconds, and sent when it is new or has changed.
//!
//! Nothing is modelled: duplicates, descriptors passed over sockets and tables shared by processes are as the kernel has
//! them at the exit of the call. Only a closed descriptor is no longer there: for those, what was last seen at the same
//! number of the same process is kept.

use core::{
    arch::asm,
    ptr::{read_volatile, write_volatile},
};

use aya_ebpf::{helpers::generated::bpf_probe_read_kernel, macros::map, maps::Array};
use events::abi::{
    RecordHeader, bits,
    files::{DESCRIPTORS, PLACES, found, id, part, position, word},
    form, kind,
    tables::{SyscallEntry, descriptor, role},
};

use crate::{
    capture::user_or_zero,
    context::{add_to, current},
    emit::{Started, Writer, config},
    kernel::{Dentry, File, Files, InetSock, Sock, Socket, Task, UnixAddress, UnixSock, VfsMount},
    path::{self, Outcome},
    probes::{process::{kernel_string, marks_of}, sockets},
};

const S_IFMT: u16 = 0o170_000;
const S_IFSOCK: u16 = 0o140_000;
const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// What the last file sent for a place was made from. Pointers may be reused after a file is gone; then its mount, its
/// directory, the hash of its name, or what `more` holds has changed.
#[repr(C)]
struct Known {
    file: u64,
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

mod what {
    pub const NAMELESS: u64 = 1 << 63;
    /// A socket of the internet families.
    pub const INTERNET: u64 = 1 << 62;
    pub const UNLINKED: u64 = 1 << 61;
    /// No bits of it.
    pub const MOVES: u64 = UNLINKED - 1;
}

/// The last file that was seen at a number of a process.
#[repr(C)]
struct Last {
    table: u64,
    whose: u64,
    id: u64,
    check: u64,
}

#[map]
static FILES: Array<Known> = Array::with_max_entries(PLACES, 0);
#[map]
static LAST: Array<Last> = Array::with_max_entries(DESCRIPTORS, 0);
/// Counts, by table of descriptors, when many of them were closed at once: what was last seen there is not kept beyond that.
#[map]
static CLEARED: Array<u64> = Array::with_max_entries(TABLES, 0);

/// Tables that are told apart in [`CLEARED`]; those that share a place lose what they know together.
const TABLES: u32 = 1024;
/// Counts what may have changed the paths of files that are open: renames and moves of mounts.
#[map]
static MOVES: Array<u64> = Array::with_max_entries(1, 0);

/// What a call has to do with descriptors: the bytes `first`, `second` and `descriptors` of its entry, 0 is nothing.
#[derive(Clone, Copy)]
pub struct Descriptors(u32);

impl Descriptors {
    pub const NONE: Descriptors = Descriptors(0);

    #[inline(always)]
    pub fn of(entry: *const SyscallEntry) -> Descriptors {
        // The byte behind the three is another matter.
        // SAFETY: an entry of a static table.
        Descriptors(unsafe { read_volatile(entry.byte_add(SyscallEntry::DESCRIPTORS_OFFSET).cast::<u32>()) } & 0x00ff_ffff)
    }

    /// Position of the first argument that is one, plus 1.
    #[inline(always)]
    fn first(self) -> u8 {
        self.0 as u8
    }

    #[inline(always)]
    fn second(self) -> u8 {
        (self.0 >> 8) as u8
    }

    #[inline(always)]
    fn is(self, bit: u8) -> bool {
        self.0 >> 16 & bit as u32 != 0
    }

    /// Finds what the descriptors of a call stand for, and sends what has not been sent. Before the call's own record.
    ///
    /// What is found lies in memory until it is referred to: else the verifier follows all that comes after once for
    /// every way that a file can be found, and gives up.
    #[inline(always)]
    pub fn find<const TYPED: bool>(
        self,
        writer: &mut Writer,
        task: Task<TYPED>,
        argument: impl Fn(usize) -> u64,
        ret: i64,
    ) {
        if self.0 == 0 {
            return;
        }
        if self.first() != 0 {
            let fd = one_of(&argument, self.first()) as u32;
            if self.is(descriptor::CLOSED) {
                let id = if ret == 0 { take_last(number_of(writer, task.files()), task.tgid(), fd) } else { 0 };
                writer.set_found(found::FIRST, id);
            } else {
                let is_changed = self.is(descriptor::READDRESSED);
                let looked_up = if is_changed { None } else { first_at(writer, task, fd) };
                match looked_up {
                    Some(true) => {}
                    Some(false) => send(writer, fd, found::FIRST),
                    None => at(writer, fd, found::FIRST, is_changed),
                }
            }
        }
        if self.second() != 0 {
            at(writer, one_of(&argument, self.second()) as u32, found::SECOND, false);
        }
        if self.is(descriptor::RETURNED) {
            writer.set_found(found::RETURNED, 0);
            if ret >= 0 {
                at(writer, ret as u32, found::RETURNED, false);
            }
        }
        if self.is(descriptor::RELATIVE) {
            writer.set_found(found::DIRECTORY, 0);
            if ret >= 0 {
                let fs = task.fs();
                let (dentry, mount) = (fs.pwd_dentry(), fs.pwd_mnt());
                let none = File::<TYPED>(core::ptr::null());
                if !dentry.is_null() && !find(writer, none, dentry, mount, false, found::DIRECTORY) {
                    send(writer, NO_DESCRIPTOR, found::DIRECTORY);
                }
            }
        }
        writer.at = writer.forget(writer.at);
    }

    /// Appends the references to a call's record. Returns marks.
    #[inline(always)]
    pub fn refer(self, writer: &mut Writer) -> u32 {
        if self.first() != 0 {
            refer(writer, self.first().wrapping_sub(1), found::FIRST);
        }
        if self.second() != 0 {
            refer(writer, self.second().wrapping_sub(1), found::SECOND);
        }
        if self.is(descriptor::RELATIVE) {
            refer(writer, position::WORKING_DIRECTORY, found::DIRECTORY);
        }
        if self.is(descriptor::CLOSED) && writer.found(found::FIRST) != 0 { bits::REMEMBERED } else { 0 }
    }

    /// The write that may have sent them came to nothing.
    #[inline(always)]
    pub fn forget(self, found: [u64; found::COUNT]) {
        if self.0 != 0 {
            for id in found {
                forget(id);
            }
        }
    }
}

/// Appends a reference to what was found for the argument at a position.
#[inline(always)]
pub fn refer(writer: &mut Writer, position: u8, which: usize) {
    let id = writer.found(which);
    if id != 0 {
        writer.refer(position, id);
    }
}

/// Notes that paths of open files may be others now.
#[inline(always)]
pub fn names_moved() -> u32 {
    if let Some(moves) = MOVES.get_ptr_mut(0) {
        // An increment that two CPUs make at once still changes the number.
        // SAFETY: a map value.
        unsafe { write_volatile(moves, read_volatile(moves).wrapping_add(1) & what::MOVES) };
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

/// Finds the file at a descriptor of the current task by loads alone: a low one, where the kernel cannot cast. `None` where
/// that does not find it, false where it is to be sent.
#[inline(always)]
fn first_at<const TYPED: bool>(writer: &mut Writer, task: Task<TYPED>, fd: u32) -> Option<bool> {
    if !TYPED {
        return None;
    }
    let task = Task::<true>(task.0);
    let file = if config!(files_type) != 0 {
        task.files().fdt().file(fd)
    } else {
        // A process with more descriptors has its table elsewhere.
        let own = task.files().own();
        if fd >= LOW || task.files().fdt().fd() != own {
            return None;
        }
        File(low(own, fd))
    };
    Some(find_open(writer, task, file, fd, found::FIRST, false))
}

/// Descriptors that are found by loads alone on kernels that cannot cast.
const LOW: u32 = 16;

/// The element of a table of pointers: the verifier knows their type only when the offset stands in the instruction.
#[inline(always)]
fn low(table: *const u8, index: u32) -> *const u8 {
    macro_rules! load {
        ($index:literal) => {{
            let element: *const u8;
            // SAFETY: the verifier holds the offset against the type.
            unsafe {
                asm!("{0} = *(u64 *)({1} + {2})", out(reg) element, in(reg) table, const $index * 8, options(nostack))
            };
            element
        }};
    }
    match index {
        0 => load!(0),
        1 => load!(1),
        2 => load!(2),
        3 => load!(3),
        4 => load!(4),
        5 => load!(5),
        6 => load!(6),
        7 => load!(7),
        8 => load!(8),
        9 => load!(9),
        10 => load!(10),
        11 => load!(11),
        12 => load!(12),
        13 => load!(13),
        14 => load!(14),
        _ => load!(15),
    }
}

/// Finds the file at any descriptor of the current task.
#[inline(always)]
fn at(writer: &mut Writer, fd: u32, which: usize, is_changed: bool) {
    writer.set_found(which, 0);
    if descriptors_at(writer.room(), fd as u64, which as u64, is_changed as u64) == 0 {
        send(writer, fd, which);
    }
}

/// Returns 0 when the file is to be sent.
///
/// A global function, of numbers only, as are the others here: the verifier looks at it once for all calls. None of them
/// calls another one, for the stack of all that are under way is small.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn descriptors_at(room: u64, fd: u64, which: u64, is_changed: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, 0) else { return 1 };
    let (which, fd) = (which as usize & (found::COUNT - 1), fd as u32);
    let is_found = if config!(files_type) != 0 {
        let task = current::<true>();
        find_open(&mut writer, task, task.files().fdt().file(fd), fd, which, is_changed != 0)
    } else {
        let task = current::<false>();
        find_open(&mut writer, task, task.files().fdt().file(fd), fd, which, is_changed != 0)
    };
    is_found.into()
}

/// Notes the id of the file at a descriptor, if there is one. False when it is to be sent.
#[inline(always)]
fn find_open<const TYPED: bool>(
    writer: &mut Writer,
    task: Task<TYPED>,
    file: File<TYPED>,
    fd: u32,
    which: usize,
    is_changed: bool,
) -> bool {
    if file.is_null() {
        writer.set_found(which, 0);
        return true;
    }
    if !find(writer, file, file.dentry(), file.mnt(), is_changed, which) {
        return false;
    }
    if config!(remembers) != 0 {
        remember(number_of(writer, task.files()), task.tgid(), fd, writer.found(which));
    }
    true
}

/// What stands for the directory that a task is in.
const NO_DESCRIPTOR: u32 = u32::MAX;

/// Sends the file that [`find`] has left.
#[inline(always)]
fn send(writer: &mut Writer, fd: u32, which: usize) {
    writer.at = descriptors_send(writer.room(), writer.at, fd as u64, which as u64);
}

/// The address of a table of descriptors, as a number that may be reckoned with.
#[inline(always)]
fn number_of<const TYPED: bool>(writer: &Writer, files: Files<TYPED>) -> u64 {
    writer.forget(files.0 as u64)
}

/// Where a file is kept: the best bits of a product with the golden ratio.
#[inline(always)]
fn place_of(file: u64, dentry: u64) -> u32 {
    let address = if file == 0 { dentry } else { file };
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - PLACES.ilog2())) as u32
}

macro_rules! field {
    ($known:ident.$field:ident) => {
        // SAFETY: a map value.
        unsafe { read_volatile(&raw const (*$known).$field) }
    };
}

/// Notes the id of a file. False when it is new or has changed: then it is left for [`send`]. Without a file: a directory.
#[inline(always)]
fn find<const TYPED: bool>(
    writer: &mut Writer,
    file: File<TYPED>,
    dentry: Dentry<TYPED>,
    mount: VfsMount<TYPED>,
    is_changed: bool,
    which: usize,
) -> bool {
    let (file_number, dentry_number, mount_number) = if TYPED {
        (writer.forget(file.0 as u64), writer.forget(dentry.0 as u64), writer.forget(mount.0 as u64))
    } else {
        (file.0 as u64, dentry.0 as u64, mount.0 as u64)
    };
    let (Some(known), Some(moves)) = (FILES.get_ptr(place_of(file_number, dentry_number)), MOVES.get_ptr(0)) else {
        writer.set_found(which, 0);
        return true;
    };
    let (hashed, parent, name_hash) = dentry.identity();
    let (state, id) = (field!(known.state), field!(known.id));
    // SAFETY: a map value.
    let moves = unsafe { read_volatile(moves) };
    if field!(known.file) == file_number
        && field!(known.dentry) == dentry_number
        && field!(known.mount) == mount_number
        && field!(known.parent) as *const u8 == parent.0
        && field!(known.name_hash) == name_hash
        && state & what::MOVES == moves
        && field!(known.sent_ns) <= writer.time_ns()
        && (state & what::UNLINKED != 0) == (hashed == 0)
        && !is_changed
        && field!(known.check) == check(known, id)
        && (state & what::NAMELESS == 0 || field!(known.more) == more_of(state, file, dentry))
    {
        writer.set_found(which, id);
        return true;
    }
    writer.set_found(which, 0);
    writer.leave_file(file_number, dentry_number, mount_number);
    false
}

/// The sum of what an entry says. The id is the caller's: another CPU may have put its own there by now.
#[inline(always)]
fn check(known: *const Known, id: u64) -> u64 {
    let mut sum = id;
    macro_rules! add {
        ($($field:ident)*) => { $(add_to(&mut sum, field!(known.$field));)* };
    }
    add!(file dentry mount parent name_hash more state sent_ns);
    sum
}

/// Sends what a file is, and notes its id.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn descriptors_send(room: u64, at: u64, fd: u64, which: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let (file, dentry, mount) = writer.left_file();
    let place = place_of(file, dentry);
    let (Some(known), Some(moves)) = (FILES.get_ptr_mut(place), MOVES.get_ptr(0)) else { return at };
    // SAFETY: a map value.
    let moves = unsafe { read_volatile(moves) };
    let (file, dentry) = (File::<false>(file as *const u8), Dentry::<false>(dentry as *const u8));
    let mount = VfsMount::<false>(mount as *const u8);
    let (hashed, parent, name_hash) = dentry.identity();
    let id = writer.next_file_id(place);
    let what = tell(&mut writer, id, file, dentry, mount);
    let state = what | moves | if hashed == 0 { what::UNLINKED } else { 0 };
    let more = if what & what::NAMELESS != 0 { more_of(what, file, dentry) } else { 0 };
    let mut check = 0;
    macro_rules! set {
        ($field:ident, $value:expr) => {{
            let value: u64 = $value;
            check ^= value;
            // SAFETY: a map value.
            unsafe { write_volatile(&raw mut (*known).$field, value) };
        }};
    }
    // What makes it valid is written last, from what was meant: what is there by then may be another CPU's.
    // SAFETY: a map value.
    unsafe { write_volatile(&raw mut (*known).check, 0) };
    set!(file, file.0 as u64);
    set!(dentry, dentry.0 as u64);
    set!(mount, mount.0 as u64);
    set!(parent, parent.0 as u64);
    set!(name_hash, name_hash);
    set!(more, more);
    set!(state, state);
    set!(sent_ns, writer.time_ns());
    set!(id, id);
    // SAFETY: as above.
    unsafe { write_volatile(&raw mut (*known).check, check) };
    writer.set_found(which as usize & (found::COUNT - 1), id);
    if config!(remembers) != 0 && fd as u32 != NO_DESCRIPTOR {
        let task = current::<false>();
        remember(task.files().0 as u64, task.tgid(), fd as u32, id);
    }
    writer.at
}

/// The write that sent this came to nothing.
#[inline(always)]
fn forget(id: u64) {
    if id != 0
        && let Some(known) = FILES.get_ptr_mut(id::place(id))
    {
        // SAFETY: a map value.
        unsafe { write_volatile(&raw mut (*known).check, 0) };
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

#[inline(always)]
fn socket_of<const TYPED: bool>(file: File<TYPED>) -> Sock<false> {
    Socket::<false>(file.private_data()).sk()
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
fn remember(table: u64, tgid: u32, fd: u32, id: u64) {
    let whose = whose(tgid, fd);
    let Some(last) = last(table, whose) else { return };
    let check = table ^ whose ^ id ^ cleared(table);
    if field!(last.check) == check {
        return;
    }
    // SAFETY: a map value; what makes it valid is written last.
    unsafe {
        write_volatile(&raw mut (*last).check, 0);
        write_volatile(&raw mut (*last).table, table);
        write_volatile(&raw mut (*last).whose, whose);
        write_volatile(&raw mut (*last).id, id);
        write_volatile(&raw mut (*last).check, check);
    }
}

/// How often many descriptors of a table were closed at once, where no bits of numbers and addresses are in its way.
#[inline(always)]
fn cleared(table: u64) -> u64 {
    let Some(cleared) = cleared_of(table) else { return 0 };
    // SAFETY: a map value.
    unsafe { read_volatile(cleared) }.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[inline(always)]
fn cleared_of(table: u64) -> Option<*mut u64> {
    CLEARED.get_ptr_mut((table.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - TABLES.ilog2())) as u32)
}

/// The descriptors of the current task that a call has closed, or given anew, are not what was last seen at their numbers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn descriptors_forget(role: u64, pair: u64) -> u64 {
    let task = current::<false>();
    let table = task.files().0 as u64;
    if role == role::CLOSES_RANGE as u64 {
        if let Some(cleared) = cleared_of(table) {
            // SAFETY: a map value; whichever of two increments is lost, the number changes.
            unsafe { write_volatile(cleared, read_volatile(cleared).wrapping_add(1)) };
        }
        return 0;
    }
    let both: u64 = user_or_zero(pair);
    take_last(table, task.tgid(), both as u32);
    take_last(table, task.tgid(), (both >> 32) as u32);
    0
}

/// What was last seen at a descriptor that is now closed.
#[inline(always)]
fn take_last(table: u64, tgid: u32, fd: u32) -> u64 {
    let whose = whose(tgid, fd);
    let Some(last) = last(table, whose) else { return 0 };
    let id = field!(last.id);
    if field!(last.table) != table || field!(last.whose) != whose || field!(last.check) != table ^ whose ^ id ^ cleared(table) {
        return 0;
    }
    // SAFETY: a map value.
    unsafe { write_volatile(&raw mut (*last).check, 0) };
    id
}

/// Appends a record that says what a file is. Without a file: a directory that a task is in. Returns bits of [`what`].
#[inline(always)]
fn tell(
    writer: &mut Writer,
    id: u64,
    file: File<false>,
    dentry: Dentry<false>,
    mount: VfsMount<false>,
) -> u64 {
    let inode = dentry.inode();
    let mode = inode.mode();
    let (hashed, parent, _) = dentry.identity();
    let is_nameless = parent.0 == dentry.0 && mount.root().0 != dentry.0;
    let started = writer.start(word::COUNT);
    writer.set_word(started, word::KIND, mode as u64);
    writer.set_word(started, word::INODE, inode.ino());
    // Roots of file systems are found by no name, and are there all the same.
    writer.set_word(started, word::UNLINKED, (hashed == 0 && parent.0 != dentry.0) as u64);
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
        slot: id::place(id) as u16,
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
