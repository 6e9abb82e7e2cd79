//! What is done by way of an io_uring: rings, what is submitted to them, and what it came to.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use events::abi::{files::{position, told}, hooks::Hook};

use super::{
    files::of_descriptor,
};
use events::abi::linux::{S_IFIFO, S_IFMT, S_IFSOCK};
use crate::{
    marks::{lost, marks_of},
    parts::{change_time_ns, identify, kernel_string},
    record::{record, record_result},
    user_memory::user_address,
    context::current,
    descriptors,
    emit::{Started, Writer, preemption::Undisturbed},
    kernel::{
        File, FileName, IoClose, IoConnect, IoLink, IoMkdir, IoOpen, IoRename, IoRequest, IoStatx, IoUnlink, probe,
    },
    path,
};

/// Operations, by the kernel's `include/uapi/linux/io_uring.h`.
mod op {
    pub const CONNECT: u8 = 16;
    pub const OPENAT: u8 = 18;
    pub const CLOSE: u8 = 19;
    pub const STATX: u8 = 21;
    pub const OPENAT2: u8 = 28;
    pub const RENAMEAT: u8 = 35;
    pub const UNLINKAT: u8 = 36;
    pub const MKDIRAT: u8 = 37;
    pub const SYMLINKAT: u8 = 38;
    pub const LINKAT: u8 = 39;

    /// Those that are about no descriptor: a bit for each.
    pub const WITHOUT: u64 = 1
        | 1 << 7
        | 1 << 11
        | 1 << 12
        | 1 << 14
        | 1 << 15
        | 1 << 20
        | 1 << 25
        | 1 << 29
        | 1 << 31
        | 1 << 32
        | 1 << 40
        | 1 << 45
        | 1 << 50
        | 1 << 51
        | 1 << 52
        | 1 << 53;
}

/// Words of a submission.
mod word {
    pub const ADDR: usize = 3;
    pub const FD: usize = 4;
    pub const PATHNAME: usize = 5;
    pub const NEW_DIRFD: usize = 6;
    pub const NEW_PATHNAME: usize = 7;
    pub const OP_FLAGS: usize = 8;
    pub const MODE: usize = 9;
    pub const SQ_THREAD: usize = 10;
    pub const REQUEST: usize = 11;
}

#[btf_tracepoint(function = "io_uring_create")]
pub fn io_uring_create(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let words: [u32; 4] = [ctx.arg(0), ctx.arg(2), ctx.arg(3), ctx.arg(4)];
    record(Hook::IoUringCreate, |writer, started| {
        for (i, word) in words.into_iter().enumerate() {
            writer.set_word(started, i, word as u64);
        }
        0
    });
    0
}

/// Since 6.0, what is submitted is a request.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub fn io_uring_submit_req(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    const SQPOLL: u32 = 2;
    let request: *const u8 = ctx.arg(0);
    let request = IoRequest::<true>(request).untyped();
    record(Hook::IoUringSubmitReq, |writer, started| {
        writer.set_word(started, 0, request.opcode() as u64);
        writer.set_word(started, 1, request.user_data());
        writer.set_word(started, 2, request.flags() as u64);
        writer.set_word(started, word::SQ_THREAD, (request.ring().flags() & SQPOLL != 0) as u64);
        writer.set_word(started, word::REQUEST, request.0 as u64);
        let returned = io_uring_details(writer.room(), writer.at, started.0, request.0 as u64);
        writer.at = returned & 0xffff_ffff;
        (returned >> 32) as u32
    });
    0
}

/// What an operation is about: its descriptor, names and address. Returns marks and where the write has come to.
///
/// A global function, of numbers only: the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn io_uring_details(room: u64, at: u64, started: u64, request: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let (started, request) = (Started(started), request as *const u8);
    let marks = details(&mut writer, started, request);
    (marks as u64) << 32 | writer.at & 0xffff_ffff
}

#[inline(always)]
fn details(writer: &mut Writer, started: Started, request: *const u8) -> u32 {
    const NONE: u64 = u64::MAX;
    let opcode = IoRequest::<false>(request).opcode();
    let (mut dirfd, mut new_dirfd) = (NONE, NONE);
    let (mut name, mut new_name) = (FileName::<false>(core::ptr::null()), FileName::<false>(core::ptr::null()));
    // The operation's own structure lies where the request begins.
    match opcode {
        op::OPENAT | op::OPENAT2 => {
            let open = IoOpen::<false>(request);
            (dirfd, name) = (open.dfd() as u64, open.filename());
            writer.set_word(started, word::OP_FLAGS, open.flags());
            writer.set_word(started, word::MODE, open.mode());
        }
        op::STATX => {
            let statx = IoStatx::<false>(request);
            (dirfd, name) = (statx.dfd() as u64, statx.filename());
            writer.set_word(started, word::OP_FLAGS, statx.flags() as u64);
        }
        op::UNLINKAT => {
            let unlink = IoUnlink::<false>(request);
            (dirfd, name) = (unlink.dfd() as u64, unlink.filename());
            writer.set_word(started, word::OP_FLAGS, unlink.flags() as u64);
        }
        op::MKDIRAT => {
            let mkdir = IoMkdir::<false>(request);
            (dirfd, name) = (mkdir.dfd() as u64, mkdir.filename());
            writer.set_word(started, word::MODE, mkdir.mode() as u64);
        }
        op::RENAMEAT => {
            let rename = IoRename::<false>(request);
            (dirfd, name) = (rename.old_dfd() as u64, rename.oldpath());
            (new_dirfd, new_name) = (rename.new_dfd() as u64, rename.newpath());
            writer.set_word(started, word::OP_FLAGS, rename.flags() as u64);
        }
        op::SYMLINKAT | op::LINKAT => {
            let link = IoLink::<false>(request);
            (dirfd, name) = (link.old_dfd() as u64, link.oldpath());
            (new_dirfd, new_name) = (link.new_dfd() as u64, link.newpath());
            writer.set_word(started, word::OP_FLAGS, link.flags() as u64);
            if opcode == op::SYMLINKAT {
                dirfd = NONE;
            }
        }
        op::CLOSE => dirfd = IoClose::<false>(request).fd() as u64,
        opcode if opcode >= 64 || op::WITHOUT >> opcode & 1 == 0 => {
            dirfd = IoRequest::<false>(request).fd() as u64;
        }
        _ => {}
    }
    let mut marks = 0;
    writer.set_word(started, word::FD, dirfd);
    writer.set_word(started, word::NEW_DIRFD, new_dirfd);
    // The fixed files of a ring have numbers of their own.
    const FIXED_FILE: u32 = 1;
    if IoRequest::<false>(request).flags() & FIXED_FILE == 0 {
        stands_for(writer, word::FD as u8, dirfd);
    }
    stands_for(writer, word::NEW_DIRFD as u8, new_dirfd);
    if !name.is_null() {
        marks |= kernel_string(writer, word::PATHNAME as u8, name.name());
        let fs = current::<false>().fs();
        path::append_from(writer, position::WORKING_DIRECTORY, fs.pwd_dentry(), fs.pwd_mnt());
    }
    if !new_name.is_null() {
        marks |= kernel_string(writer, word::NEW_PATHNAME as u8, new_name.name());
    }
    if opcode == op::CONNECT {
        let connect = IoConnect::<false>(request);
        if !user_address(writer, word::ADDR as u8, connect.addr() as u64, connect.addr_len() as u64) {
            marks |= lost(word::ADDR as u32);
        }
    }
    marks
}

/// Appends the path that a descriptor stands for; what is no file in a tree has none.
#[inline(always)]
fn stands_for(writer: &mut Writer, arg: u8, fd: u64) {
    if (fd as i32) < 0 {
        return;
    }
    let file = of_descriptor(fd as u32);
    if !file.is_null() && is_in_tree(file) {
        path::append(writer, arg, file);
    }
}

#[inline(always)]
fn is_in_tree(file: File<false>) -> bool {
    let kind = file.inode().mode() & S_IFMT;
    kind != S_IFSOCK && kind != S_IFIFO
}

/// Before, it was told in numbers: what of them the event has.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
pub fn io_uring_submit_sqe(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (opcode, user_data, by_thread): (u8, u64, u8) = (ctx.arg(1), ctx.arg(2), ctx.arg(4));
    submitted(opcode, user_data, 0, by_thread)
}

/// The same with more of them, since 5.13.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
pub fn io_uring_submit_sqe_of_request(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (opcode, user_data, flags, by_thread): (u8, u64, u32, u8) =
        (ctx.arg(2), ctx.arg(3), ctx.arg(4), ctx.arg(6));
    submitted(opcode, user_data, flags, by_thread)
}

#[inline(always)]
fn submitted(opcode: u8, user_data: u64, flags: u32, by_thread: u8) -> i32 {
    record(Hook::IoUringSubmitReq, |writer, started| {
        writer.set_word(started, 0, opcode as u64);
        writer.set_word(started, 1, user_data);
        writer.set_word(started, 2, flags as u64);
        writer.set_word(started, word::SQ_THREAD, (by_thread != 0) as u64);
        writer.set_word(started, word::FD, u64::MAX);
        writer.set_word(started, word::NEW_DIRFD, u64::MAX);
        0
    });
    0
}

/// Since 6.13, with the entry that the task gets.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (request, entry): (*const u8, *const u8) = (ctx.arg(1), ctx.arg(2));
    // `struct io_uring_cqe`, which is the kernel's interface. Read as any memory: it may be user space's by its type.
    let entry = crate::kernel::address_of(entry);
    let result: i32 = probe(entry.wrapping_add(8));
    completed(crate::kernel::address_of(request), probe(entry), result, probe(entry.wrapping_add(12)))
}

/// Before, since 5.19, with its members.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_by_members(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (request, user_data, result, flags): (*const u8, u64, i32, u32) =
        (ctx.arg(1), ctx.arg(2), ctx.arg(3), ctx.arg(4));
    completed(crate::kernel::address_of(request), user_data, result, flags)
}

/// Before, without the request.
#[btf_tracepoint(function = "io_uring_complete")]
pub fn io_uring_complete_alone(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (user_data, result): (u64, i32) = (ctx.arg(1), ctx.arg(2));
    completed(core::ptr::null(), user_data, result, 0)
}

#[inline(always)]
fn completed(request: *const u8, user_data: u64, result: i32, flags: u32) -> i32 {
    const FIRST_OF_OPENED: usize = 5;
    const CREATED: usize = 8;
    let opcode = if request.is_null() { u8::MAX } else { IoRequest::<false>(request).opcode() };
    // Whoever does it, and whether or not it is wanted.
    if opcode == op::RENAMEAT && result >= 0 {
        descriptors::names_moved();
    }
    record_result(Hook::IoUringComplete, result as i64, |writer, started| {
        writer.set_word(started, 0, opcode as u64);
        writer.set_word(started, 1, user_data);
        writer.set_word(started, 2, flags as u64);
        writer.set_word(started, 3, request as u64);
        writer.set_word(started, CREATED, told::NOTHING);
        let is_open = opcode == op::OPENAT || opcode == op::OPENAT2;
        if !is_open || result < 0 || IoOpen::<false>(request).file_slot() != 0 {
            return 0;
        }
        // What was opened, by the descriptor that the task gets.
        let file = of_descriptor(result as u32);
        if file.is_null() {
            return 0;
        }
        identify(writer, started, FIRST_OF_OPENED, file.inode());
        writer.set_word(started, FIRST_OF_OPENED + 2, change_time_ns(file.inode()));
        writer.set_word(started, CREATED, file.created());
        marks_of(4, path::append(writer, 4, file))
    });
    0
}
