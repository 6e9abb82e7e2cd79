//! Security hooks on files: opened, named, renamed, mounted, watched, read by the kernel.

use events::abi::hooks::Hook;

use crate::{
    marks::marks_of,
    parts::{change_time_ns, dentry_path, file_path, identify, identify_with_time, kernel_string, path_of, user_string},
    record::{append_event, record_in_hook, write_in_hook},
    registers::numbers,
    hook::{Called, Caller, on_entry, wants},
    kernel::{Dentry, File, Path, VfsMount},
    path,
};

on_entry!(security_file_open, opened);
on_entry!(security_inode_unlink, unlinked);
on_entry!(security_inode_rename, renamed);
on_entry!(security_inode_mknod, node_made);
on_entry!(security_inode_symlink, link_made);
on_entry!(security_sb_mount, mounted);
on_entry!(security_sb_umount, unmounted);
on_entry!(security_path_notify, watched);
on_entry!(security_kernel_read_file, read_by_kernel);
on_entry!(security_kernel_post_read_file, has_been_read_by_kernel);

#[inline(always)]
fn opened(call: Called) -> Option<()> {
    let file = File::<false>(call.pointer::<0>());
    record_in_hook(Hook::FileOpen, |writer, started| {
        writer.set_word(started, 1, file.flags() as u64);
        identify_with_time(writer, started, 2, file.inode());
        writer.set_word(started, 6, file.inode().mode() as u64);
        writer.set_word(started, 7, file.created());
        let marks = file_path(writer, 0, file);
        // The name that the caller gave, where it gave one.
        let caller = Caller::current();
        let name = match (caller.number, caller.compat) {
            (2 | 85 | 59, false) | (5 | 8 | 11, true) => caller.argument(0),
            (257 | 322, false) | (295 | 358, true) | (437, _) => caller.argument(1),
            _ => 0,
        };
        marks | user_string(writer, 5, name)
    })
}

#[inline(always)]
fn unlinked(call: Called) -> Option<()> {
    let dentry = Dentry::<false>(call.pointer::<1>());
    record_in_hook(Hook::InodeUnlink, |writer, started| {
        let inode = dentry.inode();
        writer.set_word(started, 1, inode.ino());
        writer.set_word(started, 2, inode.sb().dev() as u64);
        writer.set_word(started, 3, change_time_ns(inode));
        dentry_path(writer, 0, dentry)
    })
}

#[inline(always)]
fn renamed(call: Called) -> Option<()> {
    let (from, to) = (Dentry::<false>(call.pointer::<1>()), Dentry::<false>(call.pointer::<3>()));
    record_in_hook(Hook::InodeRename, |writer, _| dentry_path(writer, 0, from) | dentry_path(writer, 1, to))
}

#[inline(always)]
fn node_made(call: Called) -> Option<()> {
    let dentry = Dentry::<false>(call.pointer::<1>());
    let (mode, dev) = (call.number::<2>(), call.number::<3>());
    record_in_hook(Hook::InodeMknod, |writer, started| {
        writer.set_word(started, 1, mode & 0xffff);
        writer.set_word(started, 2, dev & 0xffff_ffff);
        dentry_path(writer, 0, dentry)
    })
}

#[inline(always)]
fn link_made(call: Called) -> Option<()> {
    let (dentry, target) = (Dentry::<false>(call.pointer::<1>()), call.pointer::<2>());
    record_in_hook(Hook::InodeSymlink, |writer, _| dentry_path(writer, 0, dentry) | kernel_string(writer, 1, target))
}

#[inline(always)]
fn mounted(call: Called) -> Option<()> {
    let (device, place, kind) = (call.pointer::<0>(), Path::<false>(call.pointer::<1>()), call.pointer::<2>());
    let flags = call.number::<3>();
    record_in_hook(Hook::SbMount, |writer, started| {
        writer.set_word(started, 3, flags);
        let mut marks = path_of(writer, 1, place);
        // A remount or a change of propagation has neither.
        if !device.is_null() {
            marks |= kernel_string(writer, 0, device);
        }
        if !kind.is_null() {
            marks |= kernel_string(writer, 2, kind);
        }
        marks
    })
}

#[inline(always)]
fn unmounted(call: Called) -> Option<()> {
    let (mount, flags) = (VfsMount::<false>(call.pointer::<0>()), call.number::<1>());
    record_in_hook(Hook::SbUmount, |writer, started| {
        writer.set_word(started, 2, flags);
        let path = path::append_from(writer, 0, mount.root(), mount);
        marks_of(0, path) | kernel_string(writer, 1, mount.sb().kind().name())
    })
}

#[inline(always)]
fn watched(call: Called) -> Option<()> {
    let path = Path::<false>(call.pointer::<0>());
    let (mask, kind) = (call.number::<1>(), call.number::<2>());
    let caller = Caller::current();
    let is_inotify = wants(Hook::InotifyWatch) && caller.is_in(numbers!("inotify_add_watch"));
    if !wants(Hook::PathNotify) && !is_inotify {
        return None;
    }
    write_in_hook(Hook::PathNotify, |writer, context| {
        let inode = path.dentry().inode();
        if wants(Hook::PathNotify) {
            append_event(writer, context, Hook::PathNotify, is_inotify, |writer, started| {
                writer.set_word(started, 1, inode.ino());
                writer.set_word(started, 2, inode.sb().dev() as u64);
                writer.set_word(started, 3, mask);
                writer.set_word(started, 4, kind & 0xffff_ffff);
                path_of(writer, 0, path)
            });
        }
        if is_inotify {
            append_event(writer, context, Hook::InotifyWatch, false, |writer, started| {
                writer.set_word(started, 1, inode.ino());
                writer.set_word(started, 2, inode.sb().dev() as u64);
                path_of(writer, 0, path)
            });
        }
    })
}

#[inline(always)]
fn read_by_kernel(call: Called) -> Option<()> {
    let (file, kind) = (File::<false>(call.pointer::<0>()), call.number::<1>());
    record_in_hook(Hook::KernelReadFile, |writer, started| {
        identify(writer, started, 1, file.inode());
        writer.set_word(started, 3, kind);
        writer.set_word(started, 4, change_time_ns(file.inode()));
        file_path(writer, 0, file)
    })
}

#[inline(always)]
fn has_been_read_by_kernel(call: Called) -> Option<()> {
    let (file, size, kind) = (File::<false>(call.pointer::<0>()), call.number::<2>(), call.number::<3>());
    record_in_hook(Hook::KernelPostReadFile, |writer, started| {
        writer.set_word(started, 1, size);
        writer.set_word(started, 2, kind);
        file_path(writer, 0, file)
    })
}
