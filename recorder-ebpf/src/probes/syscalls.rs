//! System calls: one record at the exit of each, with its arguments and result.

use aya_ebpf::{
    helpers::generated::{bpf_get_prandom_u32, bpf_task_pt_regs}, macros::btf_tracepoint, programs::BtfTracePointContext,
};
use events::abi::{
    RecordHeader, Slot, bits,
    hooks::Hook,
    kind,
    multiplexed::FIRST_OWN,
    region::{
        WriteState,
        spare::{PREPARE_EXEC, SYS_EXIT},
    },
    tables::{SyscallEntry, role},
    x32,
};

use crate::{
    capture::{self, Call, user},
    context::{Place, current, forget_current},
    descriptors::{self, Descriptors},
    emit::{Started, Writer, config, count_left_out_call, preemption::Undisturbed},
    kernel::{Task, probe},
    probes::{
        credentials, files, multiplexed, owners, stand_ins,
    },
    registers::{self, Numbers, numbers},
    scopes::scopes,
    spare,
};

#[unsafe(no_mangle)]
static SYSCALLS: [SyscallEntry; Slot::HOOK_BASE] = [SyscallEntry::EMPTY; Slot::HOOK_BASE];
/// Of the calls of a slot one in so many is recorded, where [`SyscallEntry::SAMPLED`].
#[unsafe(no_mangle)]
static SAMPLES: [u32; Slot::HOOK_BASE] = [0; Slot::HOOK_BASE];
/// The slots of x32's own numbers, from the first one on; a power of two, so that a mask keeps within it.
#[unsafe(no_mangle)]
static X32_SLOTS: [u16; 64] = {
    let mut slots = [0; 64];
    let mut at = 0;
    while at < x32::NATIVE.len() {
        slots[at] = x32::NATIVE[at];
        at += 1;
    }
    slots
};
/// 1,023: a mask that the compiler cannot see through, so that it stays where the verifier needs it.
#[unsafe(no_mangle)]
static SLOT_MASK: u64 = 0;

/// The entry of a slot, 0 to 1,023.
#[inline(always)]
pub fn entry(slot: u32) -> *const SyscallEntry {
    // SAFETY: a static of this program.
    let slot = slot as u64 & unsafe { core::ptr::read_volatile(&raw const SLOT_MASK) };
    (&raw const SYSCALLS).cast::<SyscallEntry>().wrapping_add(slot as usize)
}

/// Whether a call is not the one in so many that is recorded.
#[inline(always)]
fn is_passed_over(slot: u32) -> bool {
    // SAFETY: statics of this program, and a helper without arguments.
    unsafe {
        let slot = slot as u64 & core::ptr::read_volatile(&raw const SLOT_MASK);
        let every = core::ptr::read_volatile((&raw const SAMPLES).cast::<u32>().wrapping_add(slot as usize));
        (bpf_get_prandom_u32() as u64 * every as u64) >> 32 != 0
    }
}

#[inline(always)]
pub fn flags(entry: *const SyscallEntry) -> u8 {
    // SAFETY: an entry of a static table.
    unsafe { core::ptr::read_volatile(&raw const (*entry).flags) }
}

/// `struct pt_regs`, whose layout is part of the kernel's interface: see [`registers`].
#[derive(Clone, Copy)]
pub struct Regs<const TYPED: bool>(pub *const u8);

impl<const TYPED: bool> Regs<TYPED> {
    #[inline(always)]
    pub fn at<T: Copy>(self, offset: usize) -> T {
        if TYPED {
            // SAFETY: the verifier knows the type.
            unsafe { core::ptr::read_volatile(self.0.add(offset).cast()) }
        } else {
            probe(self.0.wrapping_add(offset))
        }
    }

    /// Read as wide as it is: the verifier lets no read go beyond a member.
    #[inline(always)]
    pub fn number(self) -> i32 {
        self.at::<registers::Number>(registers::NUMBER) as i32
    }

    #[inline(always)]
    pub fn result(self) -> i64 {
        self.at::<u64>(registers::RESULT) as i64
    }

    #[inline(always)]
    pub fn argument(self, position: usize, compat: bool) -> u64 {
        if compat {
            self.at::<u64>(registers::COMPAT_ARGUMENTS[position]) & 0xffff_ffff
        } else {
            self.at(registers::ARGUMENTS[position])
        }
    }
}

/// The registers that the current task entered the kernel with.
#[inline(always)]
pub fn entry_registers<const TYPED: bool>() -> Regs<false> {
    if TYPED {
        let task = current::<true>();
        // SAFETY: the task is the current one.
        let regs = unsafe { bpf_task_pt_regs(task.0.cast_mut().cast()) } as *const u8;
        Regs(crate::kernel::address_of(regs))
    } else {
        let task = current::<false>();
        Regs(task.stack().wrapping_add(config!(regs_offset) as usize))
    }
}

/// The flags and exit signal with which the current call makes a task; 0 where that is no call of the task's own.
#[inline(always)]
pub fn clone_flags<const TYPED: bool>() -> u64 {
    const SIGCHLD: u64 = 17;
    const CLONE_VM_VFORK: u64 = 0x4100;
    let regs = entry_registers::<TYPED>();
    let compat = current::<false>().compat();
    let number = regs.number();
    let is = |numbers: Numbers| numbers.is(number, compat);
    if is(numbers!("clone")) {
        regs.argument(0, compat)
    } else if is(numbers!("fork")) {
        SIGCHLD
    } else if is(numbers!("vfork")) {
        CLONE_VM_VFORK | SIGCHLD
    } else if is(numbers!("clone3")) {
        let arguments = regs.argument(0, compat);
        let exit_signal = user::<u64>(arguments.wrapping_add(32)).unwrap_or(0);
        user::<u64>(arguments).unwrap_or(0) | exit_signal & 0xff
    } else {
        0
    }
}

/// The number that the task gave. A return from a signal handler restores what was there, -1 for the number; a refused
/// call has it too.
#[inline(always)]
pub fn given_number(number: i32, compat: bool, ret: i64) -> i32 {
    if number != -1 || ret == ENOSYS {
        number
    } else if compat {
        numbers!("rt_sigreturn").compat
    } else {
        numbers!("rt_sigreturn").native
    }
}

const ENOSYS: i64 = -38;

/// What a number stands for.
#[derive(Clone, Copy)]
pub struct Numbered {
    pub slot: u32,
    /// One of x32's own, whose structures are those of 32-bit tasks.
    pub is_narrow: bool,
}

/// The slot of a call by its number; `None` for numbers that no call has.
#[inline(always)]
pub fn slot_of(number: i32, compat: bool, ret: i64) -> Option<Numbered> {
    let number = given_number(number, compat, ret);
    // The numbers of 32-bit ARM are in no table here.
    if registers::IS_AARCH64 && compat {
        return None;
    }
    let is_x32 = !registers::IS_AARCH64 && !compat && number >= x32::BIT;
    // A kernel that is built without them, as most are, refuses all of them.
    if is_x32 && ret == ENOSYS {
        return None;
    }
    let number = if is_x32 { number & !x32::BIT } else { number } as u32;
    let end = if compat { FIRST_OWN as u32 } else { Slot::SYSCALLS as u32 };
    if number < end {
        return Some(Numbered { slot: if compat { number + Slot::COMPAT_BASE as u32 } else { number }, is_narrow: false });
    }
    let own = number.wrapping_sub(x32::FIRST) as u64;
    if !is_x32 || own >= x32::NATIVE.len() as u64 {
        return None;
    }
    // SAFETY: statics of this program; a mask of 63 that stays where the verifier needs it.
    let slot = unsafe {
        let own = own & core::ptr::read_volatile(&raw const SLOT_MASK) >> 4;
        core::ptr::read_volatile((&raw const X32_SLOTS).cast::<u16>().wrapping_add(own as usize))
    };
    Some(Numbered { slot: slot as u32 & (Slot::SYSCALLS as u32 - 1), is_narrow: true })
}

/// The slot of the call that the current task is in, plus 1; 0 where it is in none: in an interrupt of its own code, or
/// a thread of the kernel, for which the registers at the end of the stack are nobody's.
///
/// A global function of a number, as others are: the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn current_call(hook: u64) -> u64 {
    let task = current::<false>();
    if hook >= Slot::COUNT as u64 || task.is_kernel_thread() || task.is_io_worker() {
        return 0;
    }
    let regs = if config!(modern) != 0 { entry_registers::<true>() } else { entry_registers::<false>() };
    let number = regs.number();
    if number < 0 {
        return 0;
    }
    let compat = task.compat();
    let Some(Numbered { slot, .. }) = slot_of(number, compat, 0) else { return 0 };
    let slot = if compat { multiplexed::slot_meant(slot, regs.argument(0, true)) } else { slot };
    slot as u64 + 1
}

/// How many argument words a call's record has.
#[inline(always)]
pub fn words_of(entry: *const SyscallEntry) -> u8 {
    // SAFETY: an entry of a static table.
    unsafe { core::ptr::read_volatile(&raw const (*entry).words) & 7 }
}

#[inline(always)]
pub fn set_arguments<const TYPED: bool>(writer: &mut Writer, started: Started, regs: Regs<TYPED>, compat: bool) {
    writer.set_word(started, 0, regs.argument(0, compat));
    writer.set_word(started, 1, regs.argument(1, compat));
    writer.set_word(started, 2, regs.argument(2, compat));
    writer.set_word(started, 3, regs.argument(3, compat));
    writer.set_word(started, 4, regs.argument(4, compat));
    writer.set_word(started, 5, regs.argument(5, compat));
}

/// How a call's exit is recorded: what is noted beside the write.
mod how {
    use crate::probes::multiplexed::{IS_MEANT, IS_OLD};

    pub const COMPAT: u64 = 1;
    /// What its arguments point to lies as in a 32-bit task.
    pub const NARROW: u64 = 2;
    pub const WANTED: u64 = 4;
    pub const DONE_EXEC: u64 = 8;
    pub const BLOCKED: u64 = 16;
    /// It was made through another one: its arguments have been noted.
    pub const MEANT: u64 = IS_MEANT << MEANT_SHIFT;
    /// What its arguments point to is not followed.
    pub const OLD: u64 = IS_OLD << MEANT_SHIFT;
    pub const MEANT_SHIFT: u32 = 8;
}

#[inline(always)]
fn noted_how(state: *const WriteState) -> u64 {
    // SAFETY: a word of a map value.
    unsafe { core::ptr::read_volatile(&raw const (*state).how) }
}

#[inline(always)]
fn noted_result(state: *const WriteState) -> i64 {
    // SAFETY: as above.
    unsafe { core::ptr::read_volatile(&raw const (*state).result) }
}

/// Appends a record of a system call, of which has been noted [`how`].
#[inline(always)]
pub fn append<const TYPED: bool, const ALL: bool>(
    writer: &mut Writer,
    entry: *const SyscallEntry,
    regs: Regs<TYPED>,
    header: RecordHeader,
    compat: bool,
    descriptors: Descriptors,
) {
    let words = words_of(entry);
    // SAFETY: an entry of a static table.
    let (mut followed, compared) = unsafe {
        (
            core::ptr::read_volatile(&raw const (*entry).followed),
            core::ptr::read_volatile(&raw const (*entry).compared),
        )
    };
    let started = writer.start(words);
    set_arguments(writer, started, regs, compat);
    let how = noted_how(writer.state());
    let is_narrow = how & (how::COMPAT | how::NARROW) != 0;
    if how & how::MEANT != 0 {
        multiplexed::multiplexed_set_arguments(writer.room(), started.0);
    }
    if how & how::OLD != 0 {
        followed = 0;
    }
    // Of calls that are told by it; of others what follows takes its place.
    writer.set_word(started, 6, regs.number() as u64);
    let mut marks = header.marks;
    if followed != 0 {
        let call = Call { ret: header.ret, slot: header.slot, compat: is_narrow, started };
        marks |= capture::follow::<ALL>(writer, &call, followed);
        marks |= capture::judge::<ALL>(writer, &call, flags(entry), compared);
    }
    marks |= descriptors.refer(writer);
    writer.end(started, RecordHeader { words, marks, ..header });
}

#[btf_tracepoint(function = "sys_exit")]
#[inline(always)]
pub fn sys_exit(ctx: BtfTracePointContext) -> i32 {
    spare::first_runs(SYS_EXIT);
    if config!(modern) != 0 { on_exit::<true>(&ctx) } else { on_exit::<false>(&ctx) };
    0
}

/// See [`crate::spare`].
#[btf_tracepoint(function = "sys_exit")]
#[inline(always)]
pub fn sys_exit_spare(ctx: BtfTracePointContext) -> i32 {
    if !spare::has_first_run(SYS_EXIT) {
        on_exit::<true>(&ctx);
    }
    0
}

/// Whether seccomp took a call back: 1 or 0, which the verifier does not tell apart behind a global function.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn call_taken_back(ret: u64, number: u64) -> u64 {
    if ret != number {
        return 0;
    }
    let is_taken_back =
        if config!(modern) != 0 { current::<true>().is_taken_back() } else { current::<false>().is_taken_back() };
    is_taken_back as u64
}

#[inline(always)]
fn on_exit<const TYPED: bool>(ctx: &BtfTracePointContext) -> Option<()> {
    /// What stands as the result until a call has been made (ENOSYS).
    const NOTHING_DONE: i64 = -38;
    let regs = Regs::<true>(ctx.arg(0));
    let mut ret: i64 = ctx.arg(1);
    let task = current::<TYPED>();
    let compat = task.compat();
    // A number beyond the table is as one in it that no call has.
    let unknown = Numbered { slot: Slot::UNKNOWN as u32, is_narrow: false };
    let Numbered { slot, is_narrow } = slot_of(regs.number(), compat, ret).unwrap_or(unknown);
    // A call that was taken back has its number where its result would be.
    // Without a branch: the verifier would follow all of the rest twice.
    let is_blocked = call_taken_back(ret as u64, regs.number() as u64) & 1;
    ret ^= (ret ^ NOTHING_DONE) & (is_blocked as i64).wrapping_neg();
    let (mut slot, mut entry) = (slot, entry(slot));
    if flags(entry) & SyscallEntry::MULTIPLEXED != 0 {
        let meant = multiplexed::meant(slot);
        if meant != slot {
            ret = multiplexed::multiplexed_result(ret as u64) as i64;
        }
        slot = meant;
        entry = self::entry(slot);
    }
    let flags = flags(entry);
    let is_done_exec = flags & SyscallEntry::EXEC != 0 && ret == 0;
    // SAFETY: an entry of a static table.
    let mut role = unsafe { core::ptr::read_volatile(&raw const (*entry).role) };
    let mut is_wanted = flags & SyscallEntry::WANTED != 0 || is_done_exec;
    if is_done_exec && config!(remembers) != 0 {
        descriptors::descriptors_forget(role::CLOSES_RANGE as u64, 0);
    }
    if !is_wanted && role == role::NONE {
        return None;
    }
    // Recorded here and not by a function of its own: under the scopes' functions there is no stack left for one.
    let slot = if flags & SyscallEntry::UNKNOWN != 0 { Hook::UnknownSyscall.slot() as u32 } else { slot };
    // Whoever does it, and whether or not it is wanted.
    if role == role::MOVES_NAMES {
        if ret >= 0 {
            descriptors::names_moved();
        }
        if !is_wanted {
            return None;
        }
        role = role::NONE;
    }
    if role >= role::CLOSES_RANGE && role <= role::GIVES_PAIR_3 {
        if ret >= 0 {
            let pair = if role == role::GIVES_PAIR_3 { 3 } else { 0 };
            let address =
                if compat { multiplexed::multiplexed_argument(pair as u64) } else { regs.argument(pair, false) };
            descriptors::descriptors_forget(role as u64, address);
        }
        if !is_wanted {
            return None;
        }
        role = role::NONE;
    }
    let _undisturbed = Undisturbed::begin();
    let place = Place::of(task)?;
    // SAFETY: as above.
    let word = unsafe { core::ptr::read_volatile(&raw const (*entry).scopes) };
    if scopes!(is_on) != 0 && flags & SyscallEntry::KEPT == 0 && !place.may_match(word) {
        if word != 0 {
            count_left_out_call();
        }
        // Whose a socket is has to be known all the same.
        let is_of_socket = role == role::GIVES_SOCKET || role == role::USES_SOCKET;
        if !is_of_socket && (scopes!(sends_contexts) == 0 || place.is_sent()) {
            return None;
        }
        is_wanted = false;
        if !is_of_socket {
            role = role::NONE;
        }
    }
    if is_wanted && flags & SyscallEntry::SAMPLED != 0 && is_passed_over(slot) {
        count_left_out_call();
        if role == role::NONE {
            return None;
        }
        is_wanted = false;
    }
    let mut writer = Writer::begin(slot as u16, flags & SyscallEntry::VITAL != 0)?;
    let context = place.id(&mut writer);
    // However all this came about, the verifier is to follow the rest once.
    let slot = writer.forget(slot as u64) as u32;
    // In memory, where it takes nothing of the small stack.
    writer.note_exit(context, ret);
    let role = writer.forget(role as u64) as _;
    writer.note_how(
        if compat { how::COMPAT } else { 0 }
            | if is_narrow { how::NARROW } else { 0 }
            | if is_wanted { how::WANTED } else { 0 }
            | if is_done_exec { how::DONE_EXEC } else { 0 }
            | is_blocked * how::BLOCKED
            | if compat { multiplexed::multiplexed_note(writer.room(), slot as u64) << how::MEANT_SHIFT } else { 0 },
    );
    let state = writer.state();
    let (how, ret) = (|| noted_how(state), || noted_result(state));
    let argument = |position| {
        let how = how();
        if how & how::MEANT != 0 {
            multiplexed::noted(state, position)
        } else {
            regs.argument(position, how & how::COMPAT != 0)
        }
    };
    // Every opened file has its name told once, for the hook as for the call.
    let is_wanted = how() & how::WANTED != 0;
    let descriptors = if is_wanted || role != role::NONE { Descriptors::of(entry) } else { Descriptors::NONE };
    descriptors.find(&mut writer, task, argument, ret());
    let (context, ret) = (writer.context(), ret());
    if role != role::NONE && ret >= 0 {
        let first = argument(0);
        match role {
            role::OPENS_0 => files::append_opened(&mut writer, context, ret as u64, first),
            role::OPENS_1 => files::append_opened(&mut writer, context, ret as u64, argument(1)),
            role::SWITCHES_NAMESPACES => credentials::append_namespaces(&mut writer, context),
            role::CHANGES_CREDENTIALS => credentials::append_credentials(&mut writer, context),
            role::EXECS => credentials::append_given(&mut writer, context),
            role::STAND_INS.. => stand_ins::append(&mut writer, context, role, ret as u64),
            role::GIVES_SOCKET => drop(owners::owners_note_user(ret as u32)),
            _ => drop(owners::owners_note_user(first as u32)),
        }
    }
    let (how, context, ret) = (noted_how(state), writer.context(), noted_result(state));
    if how & how::WANTED != 0 {
        let compat = how & how::COMPAT != 0;
        let header = RecordHeader {
            slot: slot as u16,
            kind: kind::EVENT,
            context,
            ret,
            marks: if compat { bits::COMPAT } else { 0 } | if how & how::BLOCKED != 0 { bits::BLOCKED } else { 0 },
            ..RecordHeader::default()
        };
        if how & how::DONE_EXEC != 0 {
            // The registers are those of the new program. Its arguments have been sent, under the task's address.
            let started = writer.start(1);
            writer.set_word(started, 0, current::<TYPED>().0 as u64);
            writer.end(started, RecordHeader { kind: kind::EXECED, words: 1, ..header });
        } else {
            append::<true, true>(&mut writer, entry, regs, header, compat, descriptors);
        }
    } else {
        writer.end_here();
    }
    let found = writer.all_found();
    if !writer.commit() {
        // Found again, which is rare: a pointer to its place would lie on the stack all the while.
        forget_current();
        descriptors.forget(found);
    }
    Some(())
}

/// The arguments of an exec while they are still there. The record waits in the recorder for the call's exit.
#[inline(always)]
fn exec_entry<const TYPED: bool, const REGS: bool>(regs: Regs<REGS>) -> Option<()> {
    let task = current::<TYPED>();
    let compat = task.compat();
    let Numbered { slot, is_narrow } = slot_of(regs.number(), compat, 0)?;
    let entry = entry(slot);
    let wanted = SyscallEntry::WANTED | SyscallEntry::EXEC;
    if flags(entry) & wanted != wanted {
        return None;
    }
    let _undisturbed = Undisturbed::begin();
    Place::of(task)?;
    let mut writer = Writer::begin(slot as u16, true)?;
    let header = RecordHeader {
        slot: slot as u16,
        kind: kind::ENTRY,
        // Whose it is: a thread that execs has its leader's number when the call returns, and its own when it fails.
        ret: writer.forget(task.0 as u64) as i64,
        context: task.pid() as u64,
        marks: bits::AT_ENTRY | if compat { bits::COMPAT } else { 0 },
        ..RecordHeader::default()
    };
    writer.note_how(if compat { how::COMPAT } else { 0 } | if is_narrow { how::NARROW } else { 0 });
    append::<REGS, false>(&mut writer, entry, regs, header, compat, Descriptors::NONE);
    writer.commit();
    Some(())
}

/// Past the last check of an exec, before the old memory goes (6.10 and later).
#[btf_tracepoint(function = "sched_prepare_exec")]
pub fn sched_prepare_exec(_ctx: BtfTracePointContext) -> i32 {
    spare::first_runs(PREPARE_EXEC);
    if config!(modern) != 0 {
        exec_entry::<true, false>(entry_registers::<true>());
    } else {
        exec_entry::<false, false>(entry_registers::<false>());
    }
    0
}

/// See [`crate::spare`].
#[btf_tracepoint(function = "sched_prepare_exec")]
pub fn sched_prepare_exec_spare(_ctx: BtfTracePointContext) -> i32 {
    if !spare::has_first_run(PREPARE_EXEC) {
        exec_entry::<true, false>(entry_registers::<true>());
    }
    0
}

/// The same for kernels without that tracepoint; every call of the machine pays for it.
#[btf_tracepoint(function = "sys_enter")]
pub fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    let regs = Regs::<true>(ctx.arg(0));
    if config!(modern) != 0 { exec_entry::<true, true>(regs) } else { exec_entry::<false, true>(regs) };
    0
}

/// `exit` and `exit_group` do not return: they are recorded when the task goes.
#[inline(always)]
pub fn append_exit<const TYPED: bool>(writer: &mut Writer, task: Task<TYPED>, context: u64) {
    let regs = entry_registers::<TYPED>();
    // The entry of a call sets the result to this; a task that dies of a fault has another number there.
    if regs.result() != ENOSYS {
        return;
    }
    let compat = task.compat();
    let number = regs.number();
    let is_exit = numbers!("exit").is(number, compat) || numbers!("exit_group").is(number, compat);
    let Some(Numbered { slot, .. }) = slot_of(number, compat, 0) else { return };
    let entry = entry(slot);
    if !is_exit || flags(entry) & SyscallEntry::WANTED == 0 {
        return;
    }
    let started = writer.start(1);
    writer.set_word(started, 0, regs.argument(0, compat));
    writer.end(started, RecordHeader {
        slot: slot as u16,
        kind: kind::EVENT,
        words: 1,
        context,
        more: 1,
        marks: bits::AT_ENTRY | if compat { bits::COMPAT } else { 0 },
        ..RecordHeader::default()
    });
}
