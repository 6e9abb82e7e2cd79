//! Events of hooks as the exit of a system call can tell them: where this kernel takes no program on the function itself.
//!
//! Records of the write that the call's own record ends.

use events::abi::{
    bits,
    hooks::Hook,
    tables::role,
};

use super::{
    bpf::{fill_map, fill_program},
    files::of_descriptor,
    memory::{self, Mapping},
    sockets::own_address,
    vfs::{self, Source},
};
use events::abi::linux::{S_IFMT, S_IFSOCK};
use crate::{
    marks::marks_of,
    parts::{change_time_ns, file_path, identify, kernel_string, user_string},
    record::append_event,
    user_memory::{user, user_or_zero},
    registers::{Regs, entry_registers},
    context::current,
    emit::{Notes, Writer, config},
    hook::wants,
    kernel::{BpfMap, BpfProg, File, Socket},
    path,
    registers::numbers,
};

/// Appends what the call that returns did, by its role.
#[inline(always)]
pub fn append(writer: &mut Writer, context: u64, role: u8, result: u64) {
    let (room, at) = (writer.room(), writer.at);
    writer.at = match role {
        role::MAPS => {
            let mut at = at;
            for hook in [Hook::DoMmap, Hook::MmapFile, Hook::SharedObjectLoaded, Hook::MemProtAlert] {
                if wants(hook) {
                    at = stand_ins_maps(room, at, context, hook as u64);
                }
            }
            at
        }
        role::BPF | role::MAY_ATTACH => stand_ins_bpf(room, at, context, role as u64, result),
        // The least that is looked at of what is written.
        role::WRITES | role::WRITES_AT | role::WRITES_VECTOR => {
            if (result as i64) < vfs::LEAST_MAGIC { at } else { stand_ins_writes(room, at, context, role as u64, result) }
        }
        _ => stand_ins_others(room, at, context, role as u64, result),
    };
}

/// Global functions, of numbers only: the verifier looks at them once, and the stack of each is its own.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn stand_ins_maps(room: u64, at: u64, context: u64, hook: u64) -> u64 {
    const DO_MMAP: u64 = Hook::DoMmap as u64;
    const MMAP_FILE: u64 = Hook::MmapFile as u64;
    const SHARED_OBJECT_LOADED: u64 = Hook::SharedObjectLoaded as u64;
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    let done = Mapped::current(&writer);
    let writer = &mut writer;
    match hook {
        DO_MMAP => append_event(writer, context, Hook::DoMmap, true, |writer, started| {
            bits::STAND_IN | memory::fill_placed(writer, started, done)
        }),
        MMAP_FILE if !done.file().is_null() => append_event(writer, context, Hook::MmapFile, true, |writer, started| {
            bits::STAND_IN | memory::fill_mapped(writer, started, done)
        }),
        SHARED_OBJECT_LOADED if memory::is_object(done) => {
            append_event(writer, context, Hook::SharedObjectLoaded, true, |writer, started| {
                bits::STAND_IN | memory::fill_object(writer, started, done)
            });
        }
        MMAP_FILE | SHARED_OBJECT_LOADED => {}
        _ if memory::is_alarming(done) => {
            append_event(writer, context, Hook::MemProtAlert, true, |writer, started| {
                bits::STAND_IN | memory::fill_alert(writer, started, done)
            });
        }
        _ => {}
    }
    writer.at
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn stand_ins_bpf(room: u64, at: u64, context: u64, role: u64, result: u64) -> u64 {
    const PERF_EVENT_IOC_SET_BPF: u32 = 0x4004_2408;
    let done = Done::current(result);
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    if role as u8 == role::BPF {
        if is_bpf_hook(&done) {
            bpf(&mut writer, context, &done);
        }
    } else if done.argument(1) as u32 == PERF_EVENT_IOC_SET_BPF {
        attached(&mut writer, context, done.argument(2) as u32);
    }
    writer.at
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn stand_ins_writes(room: u64, at: u64, context: u64, role: u64, result: u64) -> u64 {
    let done = Done::current(result);
    let role = role as u8;
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    if written_file(role, &done).is_some() {
        writes(&mut writer, context, role, &done);
    }
    writer.at
}

#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn stand_ins_others(room: u64, at: u64, context: u64, role: u64, result: u64) -> u64 {
    let done = Done::current(result);
    let role = role as u8;
    let Some(mut writer) = Writer::resume(room, at) else { return at };
    if is_to_be_told(role, &done) {
        append_other(&mut writer, context, role, &done);
    }
    writer.at
}

/// What a call was: its arguments and its result, which is no error.
#[derive(Clone, Copy)]
struct Done {
    regs: Regs<false>,
    compat: bool,
    result: u64,
}

impl Done {
    /// The call that returns.
    #[inline(always)]
    fn current(result: u64) -> Done {
        let regs = if config!(modern) != 0 { entry_registers::<true>() } else { entry_registers::<false>() };
        Done { regs, compat: current::<false>().compat(), result }
    }

    #[inline(always)]
    fn argument(&self, position: usize) -> u64 {
        self.regs.argument(position, self.compat)
    }
}

#[inline(always)]
fn is_to_be_told(role: u8, done: &Done) -> bool {
    match role {
        role::DUPLICATES => is_socket(of_descriptor(done.result as u32)),
        role::MAY_DUPLICATE => {
            const F_DUPFD: u64 = 0;
            const F_DUPFD_CLOEXEC: u64 = 1030;
            let command = done.argument(1);
            let duplicates = command == F_DUPFD || command == F_DUPFD_CLOEXEC;
            duplicates && is_socket(of_descriptor(done.result as u32))
        }
        _ => true,
    }
}

#[inline(always)]
fn append_other(writer: &mut Writer, context: u64, role: u8, done: &Done) {
    match role {
        role::DUPLICATES | role::MAY_DUPLICATE => duplicates(writer, context, done),
        role::CHANGES_DIRECTORY => directory(writer, context, done),
        _ => {
            const MODULE: u64 = 2;
            const KEXEC_IMAGE: u64 = 3;
            let kind = if role == role::READS_MODULE { MODULE } else { KEXEC_IMAGE };
            read_by_kernel(writer, context, done.argument(0) as u32, kind);
        }
    }
}

/// A call that maps memory.
#[derive(Clone, Copy)]
struct Mapped {
    done: Done,
    /// Where the arguments have been noted, where the call has them in a list: in bytes where others count in pages.
    noted: Notes,
}

impl Mapped {
    #[inline(always)]
    fn current(writer: &Writer) -> Mapped {
        let done = Done::current(0);
        let is_listed = done.compat && numbers!("old_mmap").is(done.regs.number(), true);
        Mapped { done, noted: if is_listed { writer.notes() } else { Notes::NONE } }
    }

    #[inline(always)]
    fn argument(&self, position: usize) -> u64 {
        if self.noted.is_none() { self.done.argument(position) } else { self.noted.argument(position) }
    }
}

impl Mapping for Mapped {
    #[inline(always)]
    fn file(self) -> File<false> {
        const ANONYMOUS: u64 = 0x20;
        if self.flags() & ANONYMOUS != 0 { File(core::ptr::null()) } else { of_descriptor(self.argument(4) as u32) }
    }

    #[inline(always)]
    fn address(self) -> u64 {
        self.argument(0)
    }

    #[inline(always)]
    fn length(self) -> u64 {
        self.argument(1)
    }

    #[inline(always)]
    fn protection(self) -> u64 {
        self.argument(2)
    }

    #[inline(always)]
    fn flags(self) -> u64 {
        self.argument(3)
    }

    #[inline(always)]
    fn page(self) -> u64 {
        // 32-bit tasks give pages, for bytes would not do (`mmap2`).
        if self.done.compat && self.noted.is_none() { self.argument(5) } else { self.argument(5) >> 12 }
    }
}

#[inline(always)]
fn is_socket(file: File<false>) -> bool {
    !file.is_null() && file.inode().mode() & S_IFMT == S_IFSOCK
}

/// What a second descriptor of a socket is connected to: no stand-in, for it is the call that tells it.
#[inline(always)]
fn duplicates(writer: &mut Writer, context: u64, done: &Done) {
    let file = of_descriptor(done.result as u32);
    append_event(writer, context, Hook::SocketDup, true, |writer, started| {
        writer.set_word(started, 0, done.argument(0));
        writer.set_word(started, 1, done.result);
        own_address::<true>(writer, 2, Socket::<false>(file.private_data()).sk());
        0
    });
}

#[inline(always)]
fn directory(writer: &mut Writer, context: u64, done: &Done) {
    // A descriptor is no address of a string, nor the other way round.
    const LOWEST_ADDRESS: u64 = 1 << 16;
    let fs = current::<false>().fs();
    append_event(writer, context, Hook::SetFsPwd, true, |writer, _| {
        let named = done.argument(0);
        let marks = if named < LOWEST_ADDRESS { 0 } else { user_string(writer, 0, named) };
        bits::STAND_IN | marks | marks_of(1, path::append_from(writer, 1, fs.pwd_dentry(), fs.pwd_mnt()))
    });
}

const MAP_CREATE: u64 = 0;
const PROG_LOAD: u64 = 5;
const PROG_ATTACH: u64 = 8;
const PROG_GET_FD_BY_ID: u64 = 13;
const MAP_GET_FD_BY_ID: u64 = 14;
const RAW_TRACEPOINT_OPEN: u64 = 17;
const LINK_CREATE: u64 = 28;

/// Whether a command of `bpf` does what is to be told.
#[inline(always)]
fn is_bpf_hook(done: &Done) -> bool {
    let hook = match done.argument(0) {
        MAP_CREATE | MAP_GET_FD_BY_ID => Hook::BpfMap,
        PROG_LOAD | PROG_GET_FD_BY_ID => Hook::BpfProg,
        PROG_ATTACH | RAW_TRACEPOINT_OPEN | LINK_CREATE => Hook::BpfAttach,
        _ => return false,
    };
    wants(hook)
}

#[inline(always)]
fn bpf(writer: &mut Writer, context: u64, done: &Done) {
    let (command, attributes) = (done.argument(0), done.argument(1));
    match command {
        MAP_CREATE | MAP_GET_FD_BY_ID => {
            let map = BpfMap::<false>(of_descriptor(done.result as u32).private_data());
            append_event(writer, context, Hook::BpfMap, true, |writer, started| {
                bits::STAND_IN | fill_map(writer, started, map)
            });
        }
        PROG_LOAD | PROG_GET_FD_BY_ID => {
            let program = BpfProg::<false>(of_descriptor(done.result as u32).private_data());
            append_event(writer, context, Hook::BpfProg, true, |writer, started| {
                bits::STAND_IN | fill_program(writer, started, program, command == PROG_LOAD)
            });
        }
        _ => {
            let at = if command == PROG_ATTACH { 4 } else if command == RAW_TRACEPOINT_OPEN { 8 } else { 0 };
            attached(writer, context, user_or_zero::<u32>(attributes.wrapping_add(at)));
        }
    }
}

/// A program begins to run at what it is attached to.
#[inline(always)]
fn attached(writer: &mut Writer, context: u64, fd: u32) {
    let program = BpfProg::<false>(of_descriptor(fd).private_data());
    append_event(writer, context, Hook::BpfAttach, true, |writer, started| {
        writer.set_word(started, 0, program.kind() as u64);
        bits::STAND_IN | kernel_string(writer, 1, program.aux().name())
    });
}

#[inline(always)]
fn read_by_kernel(writer: &mut Writer, context: u64, fd: u32, kind: u64) {
    let file = of_descriptor(fd);
    append_event(writer, context, Hook::KernelReadFile, true, |writer, started| {
        identify(writer, started, 1, file.inode());
        writer.set_word(started, 3, kind);
        writer.set_word(started, 4, change_time_ns(file.inode()));
        bits::STAND_IN | file_path(writer, 0, file)
    });
}

/// The regular file whose first bytes the call wrote.
#[inline(always)]
fn written_file(role: u8, done: &Done) -> Option<File<false>> {
    if (done.result as i64) < vfs::LEAST_MAGIC {
        return None;
    }
    let file = of_descriptor(done.argument(0) as u32);
    let start = if role == role::WRITES_AT { done.argument(3) } else { file.pos().wrapping_sub(done.result) };
    vfs::starts_file(file, start).then_some(file)
}

#[inline(always)]
fn writes(writer: &mut Writer, context: u64, role: u8, done: &Done) {
    let file = of_descriptor(done.argument(0) as u32);
    let mut address = done.argument(1);
    if role == role::WRITES_VECTOR {
        address = user::<u64>(address).unwrap_or(0);
    }
    let length = vfs::magic_length(done.result as i64);
    vfs::append_magic(writer, context, file, address, Source::User, length, true, bits::STAND_IN);
}
