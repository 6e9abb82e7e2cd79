//! Files mapped into memory, and rights to memory that change.

use events::abi::hooks::Hook;

use crate::{
    parts::{change_time_ns, file_path, identify_with_time},
    record::record_in_hook,
    registers::numbers,
    emit::{Started, Writer},
    hook::{Called, Caller, on_entry, wants},
    kernel::{File, Vma},
};

on_entry!(security_mmap_file, mapped);
on_entry!(security_file_mprotect, protected);
on_entry!(vm_mmap_pgoff, placed);

pub const WRITE: u64 = 2;
pub const EXECUTE: u64 = 4;
const ALL: u64 = 7;

/// Values of `alert`, as the catalogue names them.
pub const ALERT_MAPPED: u64 = 1;
const ALERT_EXECUTABLE: u64 = 2;
const ALERT_WRITABLE: u64 = 3;
const ALERT_NO_LONGER_WRITABLE: u64 = 4;

/// A mapping that is asked for. What is asked of it is read when it is used: the stack has no room for all of it.
pub trait Mapping: Copy {
    fn file(self) -> File<false>;
    fn address(self) -> u64;
    fn length(self) -> u64;
    fn protection(self) -> u64;
    fn flags(self) -> u64;
    fn page(self) -> u64;
}

/// As `security_mmap_file` gets it: where it will be is in the call only.
#[derive(Clone, Copy)]
struct Secured(Called);

impl Mapping for Secured {
    #[inline(always)]
    fn file(self) -> File<false> {
        File(self.0.pointer::<0>())
    }

    #[inline(always)]
    fn address(self) -> u64 {
        Caller::current().argument(0)
    }

    #[inline(always)]
    fn length(self) -> u64 {
        Caller::current().argument(1)
    }

    #[inline(always)]
    fn protection(self) -> u64 {
        self.0.number::<1>()
    }

    #[inline(always)]
    fn flags(self) -> u64 {
        self.0.number::<2>()
    }

    #[inline(always)]
    fn page(self) -> u64 {
        0
    }
}

/// As `vm_mmap_pgoff` gets it.
#[derive(Clone, Copy)]
struct Placed(Called);

impl Mapping for Placed {
    #[inline(always)]
    fn file(self) -> File<false> {
        File(self.0.pointer::<0>())
    }

    #[inline(always)]
    fn address(self) -> u64 {
        self.0.number::<1>()
    }

    #[inline(always)]
    fn length(self) -> u64 {
        self.0.number::<2>()
    }

    #[inline(always)]
    fn protection(self) -> u64 {
        self.0.number::<3>()
    }

    #[inline(always)]
    fn flags(self) -> u64 {
        self.0.number::<4>()
    }

    #[inline(always)]
    fn page(self) -> u64 {
        self.0.number::<5>()
    }
}

#[inline(always)]
fn mapped(call: Called) -> Option<()> {
    let mapping = Secured(call);
    if !mapping.file().is_null() && wants(Hook::MmapFile) {
        file_mapped(call.0);
    }
    // Not of the program that an exec maps, nor of System V's shared memory.
    if Caller::current().is_in(numbers!("mmap")) || Caller::current().is_in(numbers!("mmap2")) {
        if is_object(mapping) {
            object_mapped(call.0);
        }
        if is_alarming(mapping) {
            mapping_alarm(call.0);
        }
    }
    Some(())
}

/// Functions of their own, as are others here: for the small stack.
#[inline(never)]
fn file_mapped(ctx: *mut core::ffi::c_void) -> u64 {
    record_in_hook(Hook::MmapFile, |writer, started| fill_mapped(writer, started, Secured(Called(ctx)))).is_some().into()
}

#[inline(never)]
fn object_mapped(ctx: *mut core::ffi::c_void) -> u64 {
    record_in_hook(Hook::SharedObjectLoaded, |writer, started| fill_object(writer, started, Secured(Called(ctx))))
        .is_some()
        .into()
}

#[inline(never)]
fn mapping_alarm(ctx: *mut core::ffi::c_void) -> u64 {
    record_in_hook(Hook::MemProtAlert, |writer, started| fill_alert(writer, started, Secured(Called(ctx)))).is_some().into()
}

/// Whether it is code that a program loads.
#[inline(always)]
pub fn is_object(mapping: impl Mapping) -> bool {
    wants(Hook::SharedObjectLoaded) && mapping.protection() & EXECUTE != 0 && !mapping.file().is_null()
}

/// Whether it can be written to and executed at once.
#[inline(always)]
pub fn is_alarming(mapping: impl Mapping) -> bool {
    wants(Hook::MemProtAlert) && mapping.protection() & (WRITE | EXECUTE) == WRITE | EXECUTE
}

#[inline(always)]
pub fn fill_mapped(writer: &mut Writer, started: Started, mapping: impl Mapping) -> u32 {
    writer.set_word(started, 1, mapping.file().flags() as u64);
    identify_with_time(writer, started, 2, mapping.file().inode());
    writer.set_word(started, 5, mapping.protection());
    writer.set_word(started, 6, mapping.flags());
    file_path(writer, 0, mapping.file())
}

#[inline(always)]
pub fn fill_object(writer: &mut Writer, started: Started, mapping: impl Mapping) -> u32 {
    writer.set_word(started, 1, mapping.file().flags() as u64);
    identify_with_time(writer, started, 2, mapping.file().inode());
    file_path(writer, 0, mapping.file())
}

#[inline(always)]
pub fn fill_alert(writer: &mut Writer, started: Started, mapping: impl Mapping) -> u32 {
    writer.set_word(started, 0, ALERT_MAPPED);
    writer.set_word(started, 1, mapping.address());
    writer.set_word(started, 2, mapping.length());
    writer.set_word(started, 3, mapping.protection());
    if mapping.file().is_null() {
        return 0;
    }
    identify_with_time(writer, started, 6, mapping.file().inode());
    file_path(writer, 5, mapping.file())
}

#[inline(always)]
fn placed(call: Called) -> Option<()> {
    record_in_hook(Hook::DoMmap, |writer, started| fill_placed(writer, started, Placed(call)))
}

#[inline(always)]
pub fn fill_placed(writer: &mut Writer, started: Started, mapping: impl Mapping) -> u32 {
    writer.set_word(started, 0, mapping.address());
    writer.set_word(started, 6, mapping.page());
    writer.set_word(started, 7, mapping.length());
    writer.set_word(started, 8, mapping.protection());
    writer.set_word(started, 9, mapping.flags());
    if mapping.file().is_null() {
        return 0;
    }
    writer.set_word(started, 2, mapping.file().flags() as u64);
    identify_with_time(writer, started, 3, mapping.file().inode());
    file_path(writer, 1, mapping.file())
}

#[inline(always)]
fn protected(call: Called) -> Option<()> {
    if wants(Hook::FileMprotect) {
        rights_change(call.0);
    }
    if wants(Hook::MemProtAlert) {
        let before = Vma::<false>(call.pointer::<0>()).flags() & ALL;
        let alert = alert_of(before, call.number::<1>());
        if alert != 0 {
            rights_alarm(call.0, alert);
        }
    }
    Some(())
}

#[inline(never)]
fn rights_change(ctx: *mut core::ffi::c_void) -> u64 {
    let call = Called(ctx);
    let (area, asked) = (Vma::<false>(call.pointer::<0>()), call.number::<1>());
    let done = record_in_hook(Hook::FileMprotect, |writer, started| {
        let caller = Caller::current();
        let has_key = caller.is_in(numbers!("pkey_mprotect"));
        let (address, length) = span(caller, area);
        writer.set_word(started, 1, asked);
        writer.set_word(started, 3, area.flags() & ALL);
        writer.set_word(started, 4, address);
        writer.set_word(started, 5, length);
        writer.set_word(started, 6, if has_key { caller.argument(3) } else { u64::MAX });
        if area.file().is_null() {
            return 0;
        }
        writer.set_word(started, 2, change_time_ns(area.file().inode()));
        file_path(writer, 0, area.file())
    });
    done.is_some().into()
}

#[inline(never)]
fn rights_alarm(ctx: *mut core::ffi::c_void, alert: u64) -> u64 {
    let call = Called(ctx);
    let (area, asked) = (Vma::<false>(call.pointer::<0>()), call.number::<1>());
    let done = record_in_hook(Hook::MemProtAlert, |writer, started| {
        let (address, length) = span(Caller::current(), area);
        writer.set_word(started, 0, alert);
        writer.set_word(started, 1, address);
        writer.set_word(started, 2, length);
        writer.set_word(started, 3, asked);
        writer.set_word(started, 4, area.flags() & ALL);
        if area.file().is_null() {
            return 0;
        }
        identify_with_time(writer, started, 6, area.file().inode());
        file_path(writer, 5, area.file())
    });
    done.is_some().into()
}

/// What the caller names, else the whole area.
#[inline(always)]
fn span(caller: Caller, area: Vma<false>) -> (u64, u64) {
    if caller.is_in(numbers!("pkey_mprotect")) || caller.is_in(numbers!("mprotect")) {
        (caller.argument(0), caller.argument(1))
    } else {
        (area.start(), area.end().wrapping_sub(area.start()))
    }
}

/// What is alarming in a change of rights; 0 for nothing.
#[inline(always)]
fn alert_of(before: u64, asked: u64) -> u64 {
    if before & EXECUTE == 0 && asked & EXECUTE != 0 {
        ALERT_EXECUTABLE
    } else if before & (WRITE | EXECUTE) == EXECUTE && asked & (WRITE | EXECUTE) == WRITE | EXECUTE {
        ALERT_WRITABLE
    } else if before & (WRITE | EXECUTE) == WRITE | EXECUTE && asked & (WRITE | EXECUTE) == EXECUTE {
        ALERT_NO_LONGER_WRITABLE
    } else {
        0
    }
}
