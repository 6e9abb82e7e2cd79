//! What the kernel adds to itself: modules, probes, devices, entries of procfs and debugfs, programs that it starts.

use events::abi::hooks::Hook;

use crate::{
    parts::{dentry_path, kernel_string, kernel_strings},
    record::record_in_hook,
    hook::{Called, Returned, on_entry, on_exit},
    kernel::{Dentry, Device, Kprobe, Module, UserModeHelper, probe},
};

on_entry!(do_init_module, module_starts);
on_entry!(register_kprobe, probe_set);
on_entry!(call_usermodehelper_exec, helper_called);
on_entry!(proc_create, proc_entry_made);
on_entry!(debugfs_create_file, debug_file_made);
on_entry!(debugfs_create_file_full, debug_file_made_in_full);
on_entry!(debugfs_create_dir, debug_folder_made);
on_entry!(device_add, device_added);
on_exit!(
    __register_chrdev, __register_chrdev_enter, __register_chrdev_leave, 5, Hook::RegisterChrdev, character_device_made
);
on_exit!(
    kallsyms_lookup_name, kallsyms_lookup_name_enter, kallsyms_lookup_name_leave, 1, Hook::KallsymsLookupName,
    symbol_found
);

#[inline(always)]
fn module_starts(call: Called) -> Option<()> {
    let module = Module::<false>(call.pointer::<0>());
    record_in_hook(Hook::DoInitModule, |writer, started| {
        let (next, previous): (*const u8, *const u8) = (probe(module.list()), probe(module.list().wrapping_add(8)));
        writer.set_word(started, 3, previous as u64);
        writer.set_word(started, 4, next as u64);
        writer.set_word(started, 5, probe::<u64>(previous));
        writer.set_word(started, 6, probe::<u64>(next.wrapping_add(8)));
        let marks = kernel_string(writer, 0, module.name());
        let (version, source) = (module.version(), module.srcversion());
        if !version.is_null() {
            kernel_string(writer, 1, version);
        }
        if !source.is_null() {
            kernel_string(writer, 2, source);
        }
        marks
    })
}

#[inline(always)]
fn probe_set(call: Called) -> Option<()> {
    let kprobe = Kprobe::<false>(call.pointer::<0>());
    record_in_hook(Hook::KprobeAttach, |writer, started| {
        writer.set_word(started, 1, kprobe.pre_handler() as u64);
        writer.set_word(started, 2, kprobe.post_handler() as u64);
        let symbol = kprobe.symbol_name();
        // By address, it has no name.
        if symbol.is_null() { 0 } else { kernel_string(writer, 0, symbol) }
    })
}

#[inline(always)]
fn helper_called(call: Called) -> Option<()> {
    let (helper, wait) = (UserModeHelper::<false>(call.pointer::<0>()), call.number::<1>());
    record_in_hook(Hook::CallUsermodehelper, |writer, started| {
        writer.set_word(started, 3, wait);
        kernel_string(writer, 0, helper.path())
            | kernel_strings(writer, 1, helper.argv())
            | kernel_strings(writer, 2, helper.envp())
    })
}

#[inline(always)]
fn proc_entry_made(call: Called) -> Option<()> {
    let (name, operations) = (call.pointer::<0>(), call.number::<3>());
    record_in_hook(Hook::ProcCreate, |writer, started| {
        writer.set_word(started, 1, operations);
        kernel_string(writer, 0, name)
    })
}

#[inline(always)]
fn debug_file_made(call: Called) -> Option<()> {
    debug_file(call, call.number::<4>())
}

/// The same since the function has one argument more.
#[inline(always)]
fn debug_file_made_in_full(call: Called) -> Option<()> {
    debug_file(call, call.number::<5>())
}

#[inline(always)]
fn debug_file(call: Called, operations: u64) -> Option<()> {
    let (name, mode, parent) = (call.pointer::<0>(), call.number::<1>(), Dentry::<false>(call.pointer::<2>()));
    record_in_hook(Hook::DebugfsCreateFile, |writer, started| {
        writer.set_word(started, 2, mode & 0xffff);
        writer.set_word(started, 3, operations);
        kernel_string(writer, 0, name) | if parent.is_null() { 0 } else { dentry_path(writer, 1, parent) }
    })
}

#[inline(always)]
fn debug_folder_made(call: Called) -> Option<()> {
    let (name, parent) = (call.pointer::<0>(), Dentry::<false>(call.pointer::<1>()));
    record_in_hook(Hook::DebugfsCreateDir, |writer, _| {
        kernel_string(writer, 0, name) | if parent.is_null() { 0 } else { dentry_path(writer, 1, parent) }
    })
}

#[inline(always)]
fn device_added(call: Called) -> Option<()> {
    let device = Device::<false>(call.pointer::<0>());
    record_in_hook(Hook::DeviceAdd, |writer, _| {
        let (given, first, parent) = (device.name(), device.init_name(), device.parent());
        let marks = kernel_string(writer, 0, if given.is_null() { first } else { given });
        if !parent.is_null() {
            kernel_string(writer, 1, parent.name());
        }
        marks
    })
}

#[inline(always)]
fn character_device_made<const T: bool>(returned: Returned<T>) -> Option<()> {
    let requested = returned.argument::<0>() as u32 as u64;
    record_in_hook(Hook::RegisterChrdev, |writer, started| {
        writer.set_word(started, 0, requested);
        // Of a number that was asked for, success is 0.
        writer.set_word(started, 1, if requested == 0 { returned.result as u64 } else { requested });
        writer.set_word(started, 3, returned.argument::<4>());
        kernel_string(writer, 2, returned.pointer::<3>())
    })
}

#[inline(always)]
fn symbol_found<const T: bool>(returned: Returned<T>) -> Option<()> {
    record_in_hook(Hook::KallsymsLookupName, |writer, started| {
        writer.set_word(started, 1, returned.result as u64);
        kernel_string(writer, 0, returned.pointer::<0>())
    })
}
