//! System calls: one record at the exit of each, with its arguments and result.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use events::abi::{
    RecordHeader, Slot, bits,
    hooks::Hook,
    kind,
    region::spare::SYS_EXIT,
    tables::{SyscallEntry, role},
};

use crate::{
    capture::{self, Call, Tag},
    context::{Actor, current, invalidate_current},
    descriptors::{self, Descriptors},
    emit::{Started, Writer, config, count_left_out_call, preemption::UndisturbedTracepoint},
    kernel::Task,
    logs,
    probes::{credentials, files, multiplexed, owners, stand_ins},
    registers::{Regs, entry_registers, numbers},
    scopes::scopes,
    spare, timing,
};

mod exec;
mod slots;

pub use slots::{Numbered, current_call, entry, flags, given_number, slot_of, words_of};
use slots::{ENOSYS, is_passed_over};

#[inline(always)]
pub fn set_arguments<const TYPED: bool>(writer: &mut Writer, started: Started, regs: Regs<TYPED>, compat: bool) {
    let words = writer.payload(started).cast::<u64>();
    macro_rules! set {
        ($($position:literal)*) => {
            // SAFETY: within the write, whose slack takes what runs over.
            $(unsafe { words.add($position).write(regs.argument($position, compat)) };)*
        };
    }
    set!(0 1 2 3 4 5);
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
    let how = writer.notes().how();
    let is_narrow = how & (how::COMPAT | how::NARROW) != 0;
    if how & how::MEANT != 0 {
        multiplexed::multiplexed_set_arguments(writer.room(), started.0);
    }
    if how & how::OLD != 0 {
        followed = 0;
    }
    // Of calls that are told by it; of others what follows takes its place.
    writer.set_word(started, 6, regs.number() as u64);
    if descriptors.tells_created() {
        // What followed the arguments in the registers takes its place nowhere: it is the kernel's word.
        writer.set_word(started, words.wrapping_sub(1) as usize & 7, writer.notes().created());
    }
    let mut marks = header.marks;
    if followed != 0 {
        let call = Call { ret: header.ret, slot: header.slot, compat: is_narrow, started };
        if ALL && config!(strict) == 0 && descriptors.may_log(writer) {
            logs::logs_widen(Tag::of(writer.room(), call.slot, is_narrow, 0).0, writer.at, started.0);
        }
        marks |= capture::follow::<ALL>(writer, &call, followed);
        marks |= capture::judge::<ALL>(writer, &call, flags(entry), compared);
    }
    marks |= descriptors.refer(writer);
    let mut kind = header.kind;
    if ALL && config!(timing) != 0 {
        writer.put(writer.notes().began());
        kind |= kind::TIMED;
    }
    writer.end(started, RecordHeader { kind, words, marks, ..header });
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
    // Whatever else becomes of it, the task is in the call no more.
    let began = if config!(timing) != 0 && flags(entry) & timing::NOTED != 0 {
        let is_done_exec = flags(entry) & SyscallEntry::EXEC != 0 && ret == 0;
        timing::timing_end(if is_done_exec { timing::ANY_NUMBER } else { regs.number() as u64 })
    } else {
        0
    };
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
    let _undisturbed = UndisturbedTracepoint::begin();
    let actor = Actor::of(task)?;
    // SAFETY: as above.
    let word = unsafe { core::ptr::read_volatile(&raw const (*entry).scopes) };
    if scopes!(is_on) != 0 && flags & SyscallEntry::KEPT == 0 && !actor.may_match(word) {
        if word != 0 {
            count_left_out_call();
        }
        // Whose a socket is has to be known all the same.
        let is_of_socket = role == role::GIVES_SOCKET || role == role::USES_SOCKET;
        if !is_of_socket && (scopes!(sends_contexts) == 0 || actor.is_sent()) {
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
    let mut writer = Writer::reserve(slot as u16, flags & SyscallEntry::VITAL != 0)?;
    let context = actor.id(&mut writer);
    // However all this came about, the verifier is to follow the rest once.
    let slot = writer.opaque(slot as u64) as u32;
    // In memory, where it takes nothing of the small stack.
    writer.notes().set_context(context);
    writer.notes().set_result(ret);
    if config!(timing) != 0 {
        writer.notes().set_began(began);
    }
    let role = writer.opaque(role as u64) as _;
    writer.notes().set_how(
        if compat { how::COMPAT } else { 0 }
            | if is_narrow { how::NARROW } else { 0 }
            | if is_wanted { how::WANTED } else { 0 }
            | if is_done_exec { how::DONE_EXEC } else { 0 }
            | is_blocked * how::BLOCKED
            | if compat { multiplexed::multiplexed_note(writer.room(), slot as u64) << how::MEANT_SHIFT } else { 0 },
    );
    let notes = writer.notes();
    let (how, ret) = (|| notes.how(), || notes.result());
    let argument = |position| {
        let how = how();
        if how & how::MEANT != 0 {
            notes.argument(position)
        } else {
            regs.argument(position, how & how::COMPAT != 0)
        }
    };
    // Every opened file has its name told once, for the hook as for the call.
    let is_wanted = how() & how::WANTED != 0;
    let descriptors = if is_wanted || role != role::NONE { Descriptors::of(entry) } else { Descriptors::NONE };
    descriptors.find(&mut writer, task, argument, ret());
    let (context, ret) = (notes.context(), ret());
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
    let (how, context, ret) = (notes.how(), notes.context(), notes.result());
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
            let mut kind = kind::EXECED;
            if config!(timing) != 0 {
                writer.put(notes.began());
                kind |= kind::TIMED;
            }
            writer.end(started, RecordHeader { kind, words: 1, ..header });
        } else {
            append::<true, true>(&mut writer, entry, regs, header, compat, descriptors);
        }
    } else {
        writer.end_here();
    }
    let found = notes.all_found();
    if !writer.commit() {
        // Found again, which is rare: a pointer to its place would lie on the stack all the while.
        invalidate_current();
        descriptors.invalidate(found);
    }
    Some(())
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
