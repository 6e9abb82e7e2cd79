//! What records are made of: files by their identity and path, strings, spans of a task's memory.

use core::arch::asm;

use aya_ebpf::helpers::generated::{
    bpf_probe_read_kernel_str, bpf_probe_read_user, bpf_probe_read_user_str,
};
use events::abi::{BLOB_HEADER_BYTES, form, region::LIST_BYTES};

use crate::{
    context::current,
    emit::{Started, Writer, config},
    kernel::{Dentry, File, Inode, Path, VfsMount, probe},
    marks::{cut, lost, marks_of},
    path,
    user_memory::user_or_zero,
};

/// Time of an inode's last change, ns since 1970.
#[inline(always)]
pub fn change_time_ns(inode: Inode<false>) -> u64 {
    // From 6.13 on the highest bit says that somebody has asked for the time (`I_CTIME_QUERIED`).
    const NANOSECONDS: u32 = u32::MAX >> 1;
    inode.ctime_sec().wrapping_mul(1_000_000_000).wrapping_add((inode.ctime_nsec() & NANOSECONDS) as u64)
}

/// Sets three words from where `first` stands: device, inode and, of `WORDS` 3, time of change.
#[inline(always)]
pub fn identify(writer: &Writer, started: Started, first: usize, inode: Inode<false>) {
    writer.set_word(started, first, inode.sb().dev() as u64);
    writer.set_word(started, first + 1, inode.ino());
}

#[inline(always)]
pub fn identify_with_time(writer: &Writer, started: Started, first: usize, inode: Inode<false>) {
    identify(writer, started, first, inode);
    writer.set_word(started, first + 2, change_time_ns(inode));
}

/// Appends an open file's path. Returns marks.
#[inline(always)]
pub fn file_path(writer: &mut Writer, arg: u8, file: File<false>) -> u32 {
    marks_of(arg as u32, path::append(writer, arg, file))
}

/// Appends what a `struct path` leads to. Returns marks.
#[inline(always)]
pub fn path_of(writer: &mut Writer, arg: u8, path: Path<false>) -> u32 {
    marks_of(arg as u32, path::append_from(writer, arg, path.dentry(), path.mnt()))
}

/// Appends the path of a name in a directory, where the kernel does not say through which mount it came. Returns marks.
#[inline(always)]
pub fn dentry_path(writer: &mut Writer, arg: u8, dentry: Dentry<false>) -> u32 {
    let mnt = VfsMount::<false>(hook_mount_of(dentry.0 as u64) as *const u8);
    marks_of(arg as u32, path::append_from(writer, arg, dentry, mnt))
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn hook_mount_of(dentry: u64) -> u64 {
    mount_of(Dentry::<false>(dentry as *const u8)).0 as u64
}

/// A mount of the whole file system that a name is in: the one that the task is in or has its root in, else the first.
#[inline(always)]
fn mount_of(dentry: Dentry<false>) -> VfsMount<false> {
    let sb = dentry.sb();
    let root = sb.root();
    let fs = current::<false>().fs();
    let (here, top) = (fs.pwd_mnt(), fs.root_mnt());
    if here.root().0 == root.0 {
        here
    } else if top.root().0 == root.0 {
        top
    } else {
        sb.first_mount()
    }
}

/// Appends a string of the task's memory. Returns marks.
#[inline(always)]
pub fn user_string(writer: &mut Writer, arg: u8, string: u64) -> u32 {
    let returned = hook_user_string(writer.room(), writer.at, arg as u64, string);
    writer.at = returned & 0xffff_ffff;
    (returned >> 32) as u32
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn hook_user_string(room: u64, at: u64, arg: u64, string: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let marks = if string == 0 { 0 } else { read_user_string(&mut writer, arg as u8, string) };
    (marks as u64) << 32 | writer.at & 0xffff_ffff
}

#[inline(always)]
fn read_user_string(writer: &mut Writer, arg: u8, string: u64) -> u32 {
    // SAFETY: the bound is at most 4,096, which the slack holds.
    let read = unsafe { bpf_probe_read_user_str(writer.blob_bytes().cast(), writer.string_bound(), string as *const _) };
    if read <= 0 || read > 4096 {
        return lost(arg as u32);
    }
    writer.end_blob(arg, form::PLAIN, read as u32 - 1);
    let is_cut = read as u32 == writer.string_bound() && user_or_zero::<u8>(string + read as u64 - 1) != 0;
    if is_cut { cut(arg as u32) } else { 0 }
}

/// Appends an array of the kernel's strings, each with its NUL. Returns marks.
#[inline(always)]
pub fn kernel_strings(writer: &mut Writer, arg: u8, array: *const u8) -> u32 {
    const STRINGS: usize = 32;
    const LONGEST: u32 = 1024;
    let mut marks = cut(arg as u32);
    let start = writer.at + events::abi::BLOB_HEADER_BYTES as u64;
    let mut length = 0u64;
    let mut is_cut = writer.opaque(0);
    for i in 0..STRINGS {
        let string: *const u8 = probe(array.wrapping_add(i * 8));
        if string.is_null() {
            marks = if is_cut != 0 { marks } else { 0 };
            break;
        }
        // SAFETY: at most 1,024 bytes at a place within the write.
        let read = unsafe {
            aya_ebpf::helpers::generated::bpf_probe_read_kernel_str(
                writer.pointer(start + length).cast(),
                LONGEST,
                string.cast(),
            )
        };
        if read <= 0 || read > LONGEST as i64 {
            return lost(arg as u32);
        }
        if read == LONGEST as i64 {
            is_cut |= probe::<u8>(string.wrapping_add(LONGEST as usize - 1)) as u64;
        }
        is_cut = writer.opaque(is_cut);
        length = writer.opaque(length + read as u64) & 0x7fff;
    }
    writer.end_blob(arg, form::PLAIN, length as u32);
    marks
}

/// Appends a string of the kernel as a blob. Returns marks.
#[inline(always)]
pub fn kernel_string(writer: &mut Writer, arg: u8, string: *const u8) -> u32 {
    let returned = probe_string(writer.room(), writer.at, arg as u64, string as u64);
    writer.at = returned & 0xffff_ffff;
    (returned >> 32) as u32
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn probe_string(room: u64, at: u64, arg: u64, string: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let marks = read_kernel_string(&mut writer, arg as u8, string as *const u8);
    (marks as u64) << 32 | writer.at & 0xffff_ffff
}

#[inline(always)]
fn read_kernel_string(writer: &mut Writer, arg: u8, string: *const u8) -> u32 {
    const BOUND: u32 = 4096;
    // SAFETY: the slack holds the bound.
    let read = unsafe { bpf_probe_read_kernel_str(writer.blob_bytes().cast(), BOUND, string.cast()) };
    if read <= 0 || read > BOUND as i64 {
        return lost(arg as u32);
    }
    writer.end_blob(arg, form::PLAIN, read as u32 - 1);
    // A string that just fits looks like one that was cut: the byte in the NUL's place tells.
    let is_cut = read == BOUND as i64 && probe::<u8>(string.wrapping_add(BOUND as usize - 1)) != 0;
    if is_cut { cut(arg as u32) } else { 0 }
}

/// Appends a span of the task's memory, such as its argv, as a blob. Returns marks.
#[inline(always)]
pub fn span(writer: &mut Writer, arg: u8, from: u64, to: u64) -> u32 {
    let returned = probe_span(writer.room(), writer.at, arg as u64, from, to);
    writer.at = returned & 0xffff_ffff;
    (returned >> 32) as u32
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn probe_span(room: u64, at: u64, arg: u64, from: u64, to: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let marks = read_span(&mut writer, arg as u8, from, to);
    (marks as u64) << 32 | writer.at & 0xffff_ffff
}

#[inline(always)]
fn read_span(writer: &mut Writer, arg: u8, from: u64, to: u64) -> u32 {
    const PIECE: u64 = 4096;
    const PIECES: u64 = *LIST_BYTES.end() as u64 / PIECE;
    let bound = config!(list_bytes) as u64;
    let whole = to.wrapping_sub(from);
    let length = if whole > bound { bound } else { whole };
    let start = writer.at + BLOB_HEADER_BYTES as u64;
    let mut done = writer.opaque(0);
    for _ in 0..PIECES + 1 {
        let mut piece = length.wrapping_sub(done);
        if piece == 0 || piece > PIECE * PIECES || start + done > config!(capture_limit) {
            break;
        }
        let to = writer.pointer(start + done);
        // Bounded at the very end: verifiers before 5.16 know nothing of a number any more that has been on the stack.
        // SAFETY: arithmetic, and then at most 4,096 bytes, which the slack holds.
        let failed = unsafe {
            asm!("if {0} <= 4096 goto +1", "{0} = 4096", inout(reg) piece, options(pure, nomem, nostack));
            bpf_probe_read_user(to.cast(), piece as u32, from.wrapping_add(done) as *const _) != 0
        };
        if failed {
            break;
        }
        done = writer.opaque(done + piece);
    }
    if done == 0 && whole != 0 {
        return lost(arg as u32);
    }
    writer.end_blob(arg, form::PLAIN, done as u32 & 0xf_ffff);
    if done < whole { cut(arg as u32) } else { 0 }
}
