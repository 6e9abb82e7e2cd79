//! Programs that run when a function of the kernel does. The same bytes are loaded as fentry, LSM or kprobe program, as
//! the recorder finds that this kernel takes them: it renames the section that says which.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_probe_read_user_str;
use events::abi::{Slot, form, hooks::Hook};

use crate::{
    context::{Place, current, forget_current},
    capture::user_or_zero,
    emit::{Started, Writer, config, count_left_out_hook},
    kernel::{Dentry, File, Inode, Path, VfsMount, probe},
    path,
    registers::{self, Numbers},
    scopes::{self, scopes},
    probes::{
        process::{change_time_ns, cut, header, lost, marks_of},
        syscalls::{Regs, entry_registers},
    },
};

/// Defines a program that runs at the entry of a function; the body gets the [`Called`].
macro_rules! on_entry {
    ($program:ident, $body:expr) => {
        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("fentry/", stringify!($program)))]
        pub extern "C" fn $program(ctx: *mut core::ffi::c_void) -> i32 {
            let body: fn($crate::hook::Called) -> Option<()> = $body;
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            body($crate::hook::Called(ctx));
            0
        }
    };
}
pub(crate) use on_entry;

/// Defines a program that runs at the exit of a function of so many arguments, and for kernels without trampolines a
/// pair that remembers the arguments at the entry. The body gets the [`Returned`].
macro_rules! on_exit {
    ($program:ident, $enter:ident, $leave:ident, $arguments:literal, $hook:expr, $body:path) => {
        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("fexit/", stringify!($program)))]
        pub extern "C" fn $program(ctx: *mut core::ffi::c_void) -> i32 {
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            $body($crate::hook::Returned::from_trampoline::<$arguments>(ctx));
            0
        }

        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("kprobe/", stringify!($enter)))]
        pub extern "C" fn $enter(ctx: *mut core::ffi::c_void) -> i32 {
            $crate::hook::remember($hook, ctx);
            0
        }

        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("kretprobe/", stringify!($leave)))]
        pub extern "C" fn $leave(ctx: *mut core::ffi::c_void) -> i32 {
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            match $crate::hook::recall($hook) {
                Some(arguments) => {
                    $body($crate::hook::Returned::from_probe(&arguments, ctx));
                }
                None => $crate::emit::count_forgotten($hook as u64),
            }
            0
        }
    };
}
pub(crate) use on_exit;

/// Defines programs that run at the entry and at the exit of a function, of which the second needs nothing but what the
/// first has kept; the last one is for kernels without trampolines.
macro_rules! around {
    ($program:ident, $enter:ident, $leave:ident, $before:expr, $after:path) => {
        $crate::hook::on_entry!($enter, $before);

        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("fexit/", stringify!($program)))]
        pub extern "C" fn $program(_ctx: *mut core::ffi::c_void) -> i32 {
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            $after();
            0
        }

        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("kretprobe/", stringify!($leave)))]
        pub extern "C" fn $leave(_ctx: *mut core::ffi::c_void) -> i32 {
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            $after();
            0
        }
    };
}
pub(crate) use around;

/// Whether a hook's event is to be recorded.
#[inline(always)]
pub fn wants(hook: Hook) -> bool {
    let number = hook as usize;
    // SAFETY: a static of this program, and the index is within.
    let bits = unsafe {
        core::ptr::read_volatile((&raw const crate::emit::CONFIG.hooks).cast::<u64>().add(number / 64))
    };
    bits >> (number % 64) & 1 != 0
}

/// Whether it is recorded while others are refused.
#[inline(always)]
pub fn is_vital(hook: u64) -> bool {
    let hook = hook & 127;
    // SAFETY: a static of this program, and the index is within.
    let bits = unsafe {
        core::ptr::read_volatile((&raw const crate::emit::CONFIG.vital_hooks).cast::<u64>().add((hook >> 6) as usize))
    };
    bits >> (hook & 63) & 1 != 0
}

/// A function that is being called.
#[derive(Clone, Copy)]
pub struct Called(pub *mut c_void);

impl Called {
    /// The number that is the argument at this position, 0 to 5.
    #[inline(always)]
    pub fn number<const POSITION: usize>(self) -> u64 {
        // Two loads, each with its offset in the instruction: the compiler would make one of them, with an offset that
        // the verifier does not take.
        let number: u64;
        // SAFETY: within the context of either kind of program.
        unsafe {
            if config!(kprobes) != 0 {
                core::arch::asm!("{0} = *(u64 *)({1} + {2})", out(reg) number, in(reg) self.0, const registers::OF_FUNCTION[POSITION]);
            } else {
                core::arch::asm!("{0} = *(u64 *)({1} + {2})", out(reg) number, in(reg) self.0, const POSITION as i32 * 8);
            }
        }
        number
    }

    /// The same of an address. Read as any memory is: before 5.17 verifiers let no program load a pointer to a number from
    /// its context, and of one that they do let it load they would know the type.
    #[inline(always)]
    pub fn pointer<const POSITION: usize>(self) -> *const u8 {
        let offset = if config!(kprobes) != 0 { registers::of_function(POSITION) } else { POSITION * 8 };
        probe(self.0.cast::<u8>().cast_const().wrapping_add(offset))
    }
}

/// A function that has returned: its arguments as they were at its entry, and its result.
#[derive(Clone, Copy)]
pub struct Returned<const TRAMPOLINE: bool> {
    arguments: *const u64,
    pub result: i64,
}

impl Returned<true> {
    /// The context has the arguments, then the result.
    #[inline(always)]
    pub fn from_trampoline<const ARGUMENTS: usize>(ctx: *mut c_void) -> Returned<true> {
        let arguments: *const u64 = ctx.cast();
        // SAFETY: within the context.
        let result = unsafe { core::ptr::read_volatile(arguments.add(ARGUMENTS)) as i64 };
        Returned { arguments, result }
    }
}

impl Returned<false> {
    /// The arguments are those that were kept, the result is a register.
    #[inline(always)]
    pub fn from_probe(arguments: &[u64; 6], ctx: *mut c_void) -> Returned<false> {
        // SAFETY: a register of the context.
        let result = unsafe { core::ptr::read_volatile(ctx.cast::<u8>().add(registers::RESULT).cast()) };
        Returned { arguments: arguments.as_ptr(), result }
    }
}

impl<const TRAMPOLINE: bool> Returned<TRAMPOLINE> {
    /// From the context it is read as in [`Called::pointer`].
    #[inline(always)]
    pub fn argument<const POSITION: usize>(&self) -> u64 {
        let place = self.arguments.wrapping_add(POSITION);
        // SAFETY: one of the kept arguments.
        if TRAMPOLINE { probe(place.cast()) } else { unsafe { core::ptr::read_volatile(place) } }
    }

    #[inline(always)]
    pub fn pointer<const POSITION: usize>(&self) -> *const u8 {
        self.argument::<POSITION>() as *const u8
    }
}

mod remembered {
    use aya_ebpf::{macros::map, maps::LruHashMap};

    /// Which task is in which function.
    #[derive(Clone, Copy)]
    #[repr(C)]
    pub struct Key {
        pub task: u64,
        pub hook: u64,
    }

    #[map]
    pub static CALLS: LruHashMap<Key, [u64; 6]> = LruHashMap::with_max_entries(4096, 0);
}

/// Keeps the arguments of a function until it returns. An inner call of the same function takes the place, and the outer one
/// is counted as forgotten.
#[inline(always)]
pub fn remember(hook: Hook, ctx: *mut c_void) {
    // SAFETY: registers of the context, at the offsets of their kind.
    let register = |offset: usize| unsafe { core::ptr::read_volatile(ctx.cast::<u8>().add(offset).cast::<u64>()) };
    let of = |position: usize| register(registers::of_function(position));
    keep(hook, [of(0), of(1), of(2), of(3), of(4), of(5)]);
}

/// Keeps what is known at the entry of a function until it returns.
#[inline(always)]
pub fn keep(hook: Hook, words: [u64; 6]) {
    let key = remembered::Key { task: current::<false>().0 as u64, hook: hook as u64 };
    let _ = remembered::CALLS.insert(&key, &words, 0);
}

/// What an exit that was missed may have left is not for another call's.
#[inline(always)]
pub fn forget_kept(hook: Hook) {
    let _ = remembered::CALLS.remove(&remembered::Key { task: current::<false>().0 as u64, hook: hook as u64 });
}

/// Takes it back; of what inner calls have taken there is none.
#[inline(always)]
pub fn take_kept(hook: Hook) -> Option<[u64; 2]> {
    let key = remembered::Key { task: current::<false>().0 as u64, hook: hook as u64 };
    let kept: *const u64 = remembered::CALLS.get_ptr(&key)?.cast();
    // SAFETY: an element of the map, which is no less while it is read.
    let words = unsafe { [core::ptr::read_volatile(kept), core::ptr::read_volatile(kept.add(1))] };
    let _ = remembered::CALLS.remove(&key);
    Some(words)
}

/// Takes the arguments of a function that returns. Those of a call around an inner one are gone: they are not the inner one's.
#[inline(always)]
pub fn recall(hook: Hook) -> Option<[u64; 6]> {
    let key = remembered::Key { task: current::<false>().0 as u64, hook: hook as u64 };
    let kept: *const u64 = remembered::CALLS.get_ptr(&key)?.cast();
    // SAFETY: elements of the map's value, which is no less while they are read.
    let word = |at: usize| unsafe { core::ptr::read_volatile(kept.add(at)) };
    let arguments = [word(0), word(1), word(2), word(3), word(4), word(5)];
    let _ = remembered::CALLS.remove(&key);
    Some(arguments)
}

/// Records one event of the current task; `fill` sets words, appends blobs and gives marks.
#[inline(always)]
pub fn record(hook: Hook, fill: impl FnOnce(&mut Writer, Started) -> u32) -> Option<()> {
    record_in(hook_begin(hook as u64), hook, |writer, context| event(writer, context, hook, false, fill))
}

/// Writes events of the current task in one go; a lack of room is counted under the hook.
#[inline(always)]
pub fn write(hook: Hook, fill: impl FnOnce(&mut Writer, u64)) -> Option<()> {
    record_in(hook_begin_any(hook as u64), hook, fill)
}

#[inline(always)]
fn record_in(room: u64, hook: Hook, fill: impl FnOnce(&mut Writer, u64)) -> Option<()> {
    let (mut writer, context) = Writer::take_over(room, hook.slot())?;
    fill(&mut writer, context);
    hook_commit(writer.room(), writer.at, hook as u64);
    Some(())
}

/// Begins a write for what some scope may want of the current task.
///
/// A global function, of numbers only, as are the others here: the verifier looks at it once, and the programs are small.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn hook_begin(hook: u64) -> u64 {
    begin::<false>(hook).unwrap_or(0)
}

/// The same whatever the scopes want.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn hook_begin_any(hook: u64) -> u64 {
    begin::<true>(hook).unwrap_or(0)
}

#[inline(always)]
fn begin<const ANY: bool>(hook: u64) -> Option<u64> {
    let task = current::<false>();
    let place = Place::of(task)?;
    if !ANY && scopes!(is_on) != 0 && !scopes::is_kept(hook) && !place.may_match(scopes::of_hook(hook)) {
        count_left_out_hook(hook);
        return None;
    }
    let writer = Writer::begin_in_hook(slot_of(hook), is_vital(hook))?;
    let (context, is_new) =
        if writer.is_nested() { (place.id_if_fresh(), false) } else { place.id_to_send(&writer) };
    Some(writer.hand_over(context, is_new))
}

/// Commits what [`hook_begin`] began.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn hook_commit(room: u64, at: u64, hook: u64) -> u64 {
    let Some(writer) = Writer::resume_to_commit(room, at, slot_of(hook), is_vital(hook)) else { return 0 };
    if !writer.commit_in_hook() {
        forget_current();
    }
    0
}

#[inline(always)]
pub fn slot_of(hook: u64) -> u16 {
    (Slot::HOOK_BASE as u64 + (hook & 127)) as u16
}

/// Appends an event to a write. With `more`, another one of the same write follows.
#[inline(always)]
pub fn event(
    writer: &mut Writer,
    context: u64,
    hook: Hook,
    more: bool,
    fill: impl FnOnce(&mut Writer, Started) -> u32,
) {
    let started = writer.start(hook.words());
    for word in 0..hook.words() as usize {
        writer.set_word(started, word, 0);
    }
    let marks = fill(writer, started);
    let mut header = header(hook, context, marks);
    header.more = more as u16;
    writer.end(started, header);
}

/// What the current task called, and with what.
#[derive(Clone, Copy)]
pub struct Caller {
    pub number: i32,
    pub compat: bool,
    regs: Regs<false>,
}

impl Caller {
    #[inline(always)]
    pub fn current() -> Caller {
        let regs = if config!(modern) != 0 { entry_registers::<true>() } else { entry_registers::<false>() };
        Caller { number: regs.number(), compat: current::<false>().compat(), regs }
    }

    #[inline(always)]
    pub fn argument(self, position: usize) -> u64 {
        self.regs.argument(position, self.compat)
    }

    /// Whether it is in the system call of these numbers.
    #[inline(always)]
    pub fn is_in(self, call: Numbers) -> bool {
        call.is(self.number, self.compat)
    }
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
    let mut is_cut = writer.forget(0);
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
        is_cut = writer.forget(is_cut);
        length = writer.forget(length + read as u64) & 0x7fff;
    }
    writer.end_blob(arg, form::PLAIN, length as u32);
    marks
}
