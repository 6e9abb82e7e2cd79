//! What descriptors stand for: looked up in the kernel's own table when a call has used one, found unchanged in a few
//! nanoseconds, and sent when it is new or has changed.
//!
//! Nothing is modelled: duplicates, descriptors passed over sockets and tables shared by processes are as the kernel has
//! them at the exit of the call. Only a closed descriptor is no longer there: for those, what was last seen at the same
//! number of the same process is kept ([`last_seen`]).

use core::{arch::asm, ptr::read_volatile};

use events::abi::{
    bits,
    files::{found, id, position, told},
    tables::{SyscallEntry, descriptor},
};

use crate::{
    context::current,
    emit::{Writer, config},
    kernel::{File, Files, Task},
};

mod describe;
mod last_seen;
mod table;

pub use last_seen::descriptors_forget;
use last_seen::{remember, take_last};
pub use table::names_moved;
use table::{NO_DESCRIPTOR, find, invalidate, send};

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
        let task = task.untrusted();
        if self.first() != 0 {
            let fd = one_of(&argument, self.first()) as u32;
            if self.is(descriptor::CLOSED) {
                let id = if ret == 0 { take_last(number_of(writer, task.files()), task.tgid(), fd) } else { 0 };
                writer.notes().set_found(found::FIRST, id);
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
            writer.notes().set_found(found::RETURNED, 0);
            writer.notes().set_created(told::NOTHING);
            if ret >= 0 {
                at(writer, ret as u32, found::RETURNED, false);
            }
        }
        if self.is(descriptor::RELATIVE) {
            writer.notes().set_found(found::DIRECTORY, 0);
            if ret >= 0 {
                let fs = task.fs();
                let (dentry, mount) = (fs.pwd_dentry(), fs.pwd_mnt());
                let none = File::<TYPED>(core::ptr::null());
                if !dentry.is_null() && !find(writer, none, dentry, mount, false, found::DIRECTORY) {
                    send(writer, NO_DESCRIPTOR, found::DIRECTORY);
                }
            }
        }
        writer.at = writer.opaque(writer.at);
    }

    /// Whether the call's last word says if it made the file that it opened.
    #[inline(always)]
    pub fn tells_created(self) -> bool {
        self.is(descriptor::CREATED)
    }

    /// Whether what the call sends may be for a log: by what its descriptor stands for, or by where it says itself.
    #[inline(always)]
    pub fn may_log(self, writer: &Writer) -> bool {
        self.is(descriptor::LOGS)
            && (self.is(descriptor::LOGS_BY_ADDRESS) || writer.notes().found(found::FIRST) >> id::LOG_SHIFT != 0)
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
        if self.is(descriptor::CLOSED) && writer.notes().found(found::FIRST) != 0 { bits::REMEMBERED } else { 0 }
    }

    /// The write that may have sent them came to nothing.
    #[inline(always)]
    pub fn invalidate(self, found: [u64; found::COUNT]) {
        if self.0 != 0 {
            for id in found {
                invalidate(id);
            }
        }
    }
}

/// Appends a reference to what was found for the argument at a position.
#[inline(always)]
pub fn refer(writer: &mut Writer, position: u8, which: usize) {
    let id = writer.notes().found(which);
    if id != 0 {
        writer.refer(position, id);
    }
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
    writer.notes().set_found(which, 0);
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
        writer.notes().set_found(which, 0);
        return true;
    }
    if which == found::RETURNED {
        writer.notes().set_created(file.created());
    }
    if !find(writer, file, file.dentry(), file.mnt(), is_changed, which) {
        return false;
    }
    if config!(remembers) != 0 {
        remember(number_of(writer, task.files()), task.tgid(), fd, writer.notes().found(which));
    }
    true
}

/// The address of a table of descriptors, as a number that may be reckoned with.
#[inline(always)]
fn number_of<const TYPED: bool>(writer: &Writer, files: Files<TYPED>) -> u64 {
    writer.opaque(files.0 as u64)
}
