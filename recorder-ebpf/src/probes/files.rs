//! What an open really opened: a stand-in for `security_file_open`, from the descriptor that the call returned.

use aya_ebpf::helpers::generated::bpf_probe_read_user_str;
use events::abi::{bits, files::found, form, hooks::Hook};

use crate::{
    parts::change_time_ns,
    record::header,
    user_memory::user_or_zero,
    context::current,
    descriptors::refer,
    emit::Writer,
    kernel::{File, probe},
};

/// The file behind a descriptor of the current task; null where there is none.
#[inline(always)]
pub fn of_descriptor(fd: u32) -> File<false> {
    let table = current::<false>().files().fdt();
    if fd >= table.max_fds() {
        return File(core::ptr::null());
    }
    File(probe(table.fd().wrapping_add(fd as usize * 8)))
}

const O_PATH: u32 = 0o10_000_000;

/// Appends a record of the file behind a descriptor, whose path has been told already.
#[inline(always)]
pub fn append_opened(writer: &mut Writer, context: u64, fd: u64, pathname: u64) {
    writer.at = files_opened(writer.room(), writer.at, context, fd, pathname);
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn files_opened(room: u64, at: u64, context: u64, fd: u64, pathname: u64) -> u64 {
    let file = of_descriptor(fd as u32);
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    // The hook is not called for what only stands for a path.
    if file.is_null() || file.flags() & O_PATH != 0 {
        return at;
    }
    let writer = &mut writer;
    let started = writer.start(Hook::FileOpen.words());
    let inode = file.inode();
    writer.set_word(started, 0, 0);
    writer.set_word(started, 1, file.flags() as u64);
    writer.set_word(started, 2, inode.sb().dev() as u64);
    writer.set_word(started, 3, inode.ino());
    writer.set_word(started, 4, change_time_ns(inode));
    writer.set_word(started, 5, pathname);
    writer.set_word(started, 6, inode.mode() as u64);
    writer.set_word(started, 7, file.created());
    let mut marks = bits::STAND_IN;
    refer(writer, 0, found::RETURNED);
    // SAFETY: the bound is at most 4,096, which the slack holds.
    let read =
        unsafe { bpf_probe_read_user_str(writer.blob_bytes().cast(), writer.string_bound(), pointer(pathname)) };
    if read > 0 && read <= 4096 {
        writer.end_blob(5, form::PLAIN, read as u32 - 1);
        if read as u32 == writer.string_bound() && user_or_zero::<u8>(pathname + read as u64 - 1) != 0 {
            marks |= crate::marks::cut(5);
        }
    } else {
        marks |= crate::marks::lost(5);
    }
    let mut header = header(Hook::FileOpen, context, marks);
    header.more = 1;
    writer.end(started, header);
    writer.at
}

#[inline(always)]
fn pointer(address: u64) -> *const core::ffi::c_void {
    address as *const _
}
