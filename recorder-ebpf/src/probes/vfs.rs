//! Reads and writes as the kernel does them, whoever asks.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};
use events::abi::{form, hooks::Hook};

use events::abi::linux::{S_IFIFO, S_IFMT, S_IFREG};
use crate::{
    marks::lost,
    parts::{change_time_ns, dentry_path, file_path, identify, path_of},
    record::{append_event, header, record_in_hook, slot_of, write_in_hook},
    emit::Writer,
    hook::{Called, Returned, around, forget_kept, keep, on_entry, on_exit, take_kept, wants},
    kernel::{Dentry, File, Path, Pipe, probe},
};

on_exit!(vfs_write, vfs_write_enter, vfs_write_leave, 4, Hook::VfsWrite, written);
on_exit!(vfs_writev, vfs_writev_enter, vfs_writev_leave, 5, Hook::VfsWritev, gathered);
on_exit!(__kernel_write, __kernel_write_enter, __kernel_write_leave, 4, Hook::KernelWrite, written_by_kernel);
on_exit!(vfs_read, vfs_read_enter, vfs_read_leave, 4, Hook::VfsRead, read);
on_exit!(vfs_readv, vfs_readv_enter, vfs_readv_leave, 5, Hook::VfsReadv, scattered);
on_exit!(do_splice, do_splice_enter, do_splice_leave, 6, Hook::DirtyPipeSplice, spliced);
around!(file_update_time, file_update_time_enter, file_update_time_leave, times_to_change, times_changed);
around!(file_modified, file_modified_enter, file_modified_leave, times_to_change, times_changed);
around!(kiocb_modified, kiocb_modified_enter, kiocb_modified_leave, times_of_request_to_change, times_changed);
on_entry!(vfs_utimes, times_set);
on_entry!(do_truncate, truncated);
on_entry!(do_truncate_of_dentry, truncated_by_dentry);
on_entry!(filldir64, listed);

/// What is kept of the start of a file, and the least that can be a magic number.
const MAGIC_BYTES: u32 = 32;
pub const LEAST_MAGIC: i64 = 4;

/// Where the bytes of a write are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Source {
    User,
    Kernel,
}

#[inline(always)]
fn written<const T: bool>(returned: Returned<T>) -> Option<()> {
    moved(Hook::VfsWrite, returned, Some((returned.argument::<1>(), Source::User)))
}

#[inline(always)]
fn gathered<const T: bool>(returned: Returned<T>) -> Option<()> {
    let mut first = 0u64;
    // SAFETY: the helper writes all of the number.
    unsafe { bpf_probe_read_user((&raw mut first).cast(), 8, returned.argument::<1>() as *const _) };
    moved(Hook::VfsWritev, returned, Some((first, Source::User)))
}

#[inline(always)]
fn written_by_kernel<const T: bool>(returned: Returned<T>) -> Option<()> {
    moved(Hook::KernelWrite, returned, Some((returned.argument::<1>(), Source::Kernel)))
}

#[inline(always)]
fn read<const T: bool>(returned: Returned<T>) -> Option<()> {
    moved(Hook::VfsRead, returned, None)
}

#[inline(always)]
fn scattered<const T: bool>(returned: Returned<T>) -> Option<()> {
    moved(Hook::VfsReadv, returned, None)
}

/// The event of a read or write, and for what is written to the start of a file that of its first bytes.
#[inline(always)]
fn moved<const T: bool>(hook: Hook, returned: Returned<T>, bytes: Option<(u64, Source)>) -> Option<()> {
    let file = File::<false>(returned.pointer::<0>());
    let position = returned.pointer::<3>();
    let after = if position.is_null() { 0 } else { probe::<u64>(position) };
    let start = after.wrapping_sub(if returned.result > 0 { returned.result as u64 } else { 0 });
    let has_magic = bytes.is_some() && returned.result >= LEAST_MAGIC && starts_file(file, start);
    let speaks = wants(hook);
    if !speaks && !has_magic {
        return None;
    }
    write_in_hook(hook, |writer, _| {
        let (room, file) = (writer.room(), file.0 as u64);
        if speaks {
            let which = room | (hook as u64) << HOOK_SHIFT | (has_magic as u64) << MORE_SHIFT;
            writer.at = vfs_moved(which, writer.at, file, returned.argument::<2>(), start);
        }
        if has_magic && let Some((address, source)) = bytes {
            let how = magic_length(returned.result) as u64 | (source as u64) << SOURCE_SHIFT;
            writer.at = vfs_magic(room, writer.at, file, address, how);
        }
    })
}

const HOOK_SHIFT: u32 = 8;
const MORE_SHIFT: u32 = 16;
const SOURCE_SHIFT: u32 = 32;

/// Appends the event of a read or write, all of which have the same words. Functions of their own, this one and the next:
/// many programs share them, and the stack of each is its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn vfs_moved(which: u64, at: u64, file: u64, count: u64, start: u64) -> u64 {
    let Some(mut writer) = Writer::resume(which & 0xff, at) else { return at };
    let writer = &mut writer;
    let (context, file) = (writer.notes().context(), File::<false>(file as *const u8));
    let started = writer.start(Hook::VfsWrite.words());
    writer.set_word(started, 0, 0);
    identify(writer, started, 1, file.inode());
    writer.set_word(started, 3, count);
    writer.set_word(started, 4, start);
    let marks = file_path(writer, 0, file);
    let mut header = header(Hook::VfsWrite, context, marks);
    header.slot = slot_of(which >> HOOK_SHIFT & 0x7f);
    header.more = (which >> MORE_SHIFT & 1) as u16;
    writer.end(started, header);
    writer.at
}

/// The event of a file's first bytes, as the last of a write.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn vfs_magic(room: u64, at: u64, file: u64, address: u64, how: u64) -> u64 {
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let source = if how >> SOURCE_SHIFT == Source::Kernel as u64 { Source::Kernel } else { Source::User };
    let context = writer.notes().context();
    append_magic(&mut writer, context, File(file as *const u8), address, source, how as u32, false, 0);
    writer.at
}

/// Whether a write at this offset begins a regular file.
#[inline(always)]
pub fn starts_file(file: File<false>, offset: u64) -> bool {
    wants(Hook::MagicWrite) && offset == 0 && file.inode().mode() & S_IFMT == S_IFREG
}

/// How much is kept of what was written.
#[inline(always)]
pub fn magic_length(written: i64) -> u32 {
    if written > MAGIC_BYTES as i64 { MAGIC_BYTES } else { written as u32 & 0x1f }
}

#[inline(always)]
pub fn append_magic(
    writer: &mut Writer,
    context: u64,
    file: File<false>,
    address: u64,
    source: Source,
    length: u32,
    more: bool,
    marks: u32,
) {
    // Inlined: a frame more would not fit on the stack.
    append_event(writer, context, Hook::MagicWrite, more, #[inline(always)] |writer, started| {
        identify(writer, started, 2, file.inode());
        let mut marks = marks | file_path(writer, 0, file);
        let length = length & (2 * MAGIC_BYTES - 1);
        let (to, from) = (writer.blob_bytes().cast(), address as *const _);
        // SAFETY: at most 63 bytes, which the write has room for.
        let failed = unsafe {
            if source == Source::Kernel {
                bpf_probe_read_kernel(to, length, from) != 0
            } else {
                bpf_probe_read_user(to, length, from) != 0
            }
        };
        if failed {
            marks |= lost(1);
        } else {
            writer.end_blob(1, form::PLAIN, length);
        }
        marks
    });
}

#[inline(always)]
fn times_to_change(call: Called) -> Option<()> {
    file_to_change(File(call.pointer::<0>()))
}

/// The file is the first field of a `struct kiocb`.
#[inline(always)]
fn times_of_request_to_change(call: Called) -> Option<()> {
    file_to_change(File(probe(call.pointer::<0>())))
}

#[inline(always)]
fn file_to_change(file: File<false>) -> Option<()> {
    let inode = file.inode();
    if inode.mode() & S_IFMT == S_IFREG {
        keep(Hook::FileModification, [file.0 as u64, change_time_ns(inode), 0, 0, 0, 0]);
    } else {
        forget_kept(Hook::FileModification);
    }
    Some(())
}

/// What is written within one tick of the kernel's clock changes the time once, and so is one modification. On newer
/// kernels it changes each time that somebody has looked at it.
#[inline(always)]
fn times_changed() -> Option<()> {
    let [file, before] = take_kept(Hook::FileModification)?;
    let file = File::<false>(file as *const u8);
    let after = change_time_ns(file.inode());
    if after == before {
        return None;
    }
    record_in_hook(Hook::FileModification, |writer, started| {
        identify(writer, started, 1, file.inode());
        writer.set_word(started, 3, before);
        writer.set_word(started, 4, after);
        file_path(writer, 0, file)
    })
}

#[inline(always)]
fn times_set(call: Called) -> Option<()> {
    let (path, times) = (Path::<false>(call.pointer::<0>()), call.pointer::<1>());
    record_in_hook(Hook::VfsUtimes, |writer, started| {
        identify(writer, started, 1, path.dentry().inode());
        // Without times, it is now.
        if !times.is_null() {
            writer.set_word(started, 3, nanoseconds(times));
            writer.set_word(started, 4, nanoseconds(times.wrapping_add(16)));
        }
        path_of(writer, 0, path)
    })
}

/// A `struct timespec64` as one number.
#[inline(always)]
fn nanoseconds(time: *const u8) -> u64 {
    probe::<u64>(time).wrapping_mul(1_000_000_000).wrapping_add(probe::<u64>(time.wrapping_add(8)))
}

#[inline(always)]
fn truncated(call: Called) -> Option<()> {
    truncation(Dentry(call.pointer::<1>()), call.number::<2>())
}

/// The same before 5.12, when no user namespace came first.
#[inline(always)]
fn truncated_by_dentry(call: Called) -> Option<()> {
    truncation(Dentry(call.pointer::<0>()), call.number::<1>())
}

#[inline(always)]
fn truncation(dentry: Dentry<false>, length: u64) -> Option<()> {
    record_in_hook(Hook::DoTruncate, |writer, started| {
        writer.set_word(started, 1, dentry.inode().ino());
        writer.set_word(started, 2, dentry.inode().sb().dev() as u64);
        writer.set_word(started, 3, length);
        dentry_path(writer, 0, dentry)
    })
}

/// An entry of a directory that is listed without an inode: some rootkits hide processes so.
#[inline(always)]
fn listed(call: Called) -> Option<()> {
    let (name, inode) = (call.pointer::<1>(), call.number::<4>());
    if inode != 0 {
        return None;
    }
    record_in_hook(Hook::HiddenInodes, |writer, _| crate::parts::kernel_string(writer, 0, name))
}

/// A splice of a file into a pipe whose buffer may be written to after it: what CVE-2022-0847 makes of it.
#[inline(always)]
fn spliced<const T: bool>(returned: Returned<T>) -> Option<()> {
    const CAN_MERGE: u32 = 0x10;
    const BUFFER_BYTES: u32 = 40;
    const FLAGS_AT: u32 = 24;
    const PAGE: u64 = 4096;
    let (from, to) = (File::<false>(returned.pointer::<0>()), File::<false>(returned.pointer::<2>()));
    if returned.result <= 0
        || from.inode().mode() & S_IFMT == S_IFIFO
        || to.inode().mode() & S_IFMT != S_IFIFO
    {
        return None;
    }
    let pipe = Pipe::<false>(to.private_data());
    let last = pipe.head().wrapping_sub(1) & pipe.ring_size().wrapping_sub(1);
    let buffer = pipe.buffers().wrapping_add((last * BUFFER_BYTES) as usize);
    let flags: u32 = probe(buffer.wrapping_add(FLAGS_AT as usize));
    if flags & CAN_MERGE == 0 {
        return None;
    }
    let (offset, length): (u32, u32) = (probe(buffer.wrapping_add(8)), probe(buffer.wrapping_add(12)));
    record_in_hook(Hook::DirtyPipeSplice, |writer, started| {
        let position = returned.pointer::<1>();
        let position = if position.is_null() { from.pos() } else { probe::<u64>(position) };
        writer.set_word(started, 0, from.inode().ino());
        writer.set_word(started, 1, from.inode().mode() as u64);
        writer.set_word(started, 3, position);
        writer.set_word(started, 4, PAGE.wrapping_sub((offset.wrapping_add(length)) as u64));
        writer.set_word(started, 5, to.inode().ino());
        writer.set_word(started, 6, flags as u64);
        file_path(writer, 2, from)
    })
}
