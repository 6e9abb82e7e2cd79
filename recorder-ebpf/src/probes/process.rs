//! Birth, change and death of processes.

use core::arch::asm;

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel_str, bpf_probe_read_user},
    macros::btf_tracepoint,
    programs::BtfTracePointContext,
};
use events::abi::{BLOB_HEADER_BYTES, RecordHeader, bits, form, hooks::Hook, kind, region::{LIST_BYTES, spare::{EXEC, EXIT, FORK}}};

use crate::{
    context::{Place, current, forget_current, level_of, number_at, previous_comm},
    emit::{Started, Writer, config, count_left_out_hook, preemption::Undisturbed},
    hook::{is_vital, slot_of},
    kernel::{Bprm, File, Inode, Task, probe},
    path::{self, Outcome},
    probes::syscalls,
    scopes::{self, scopes},
    spare,
};

/// The header of a hook's record: in the place of a result, the call that the task is in.
#[inline(always)]
pub fn header(hook: Hook, context: u64, marks: u32) -> RecordHeader {
    let ret = syscalls::current_call(hook as u64) as i64;
    RecordHeader { slot: hook.slot(), kind: kind::EVENT, words: hook.words(), context, ret, marks, ..RecordHeader::default() }
}

#[btf_tracepoint(function = "sched_process_fork")]
pub fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    spare::first_runs(FORK);
    let _undisturbed = Undisturbed::begin();
    let child: *const u8 = ctx.arg(1);
    if config!(modern) != 0 { on_fork::<true>(child) } else { on_fork::<false>(child) };
    0
}

/// See [`crate::spare`].
#[btf_tracepoint(function = "sched_process_fork")]
pub fn sched_process_fork_spare(ctx: BtfTracePointContext) -> i32 {
    if spare::has_first_run(FORK) {
        return 0;
    }
    let _undisturbed = Undisturbed::begin();
    let child: *const u8 = ctx.arg(1);
    on_fork::<true>(child);
    0
}

#[inline(always)]
fn on_fork<const TYPED: bool>(child: *const u8) -> Option<()> {
    let task = current::<TYPED>();
    if scopes!(lineage) != 0 {
        let child = Task::<true>(child).untyped();
        scopes::scopes_inherit(child.tgid(), child.group_leader().start_boottime());
    }
    let place = Place::of(task)?;
    let mut writer = Writer::begin(Hook::ProcessFork.slot(), true)?;
    let context = place.id(&mut writer);
    let flags = syscalls::clone_flags::<TYPED>();
    fork_record(&mut writer, context, Task::<true>(child).untyped().0, flags);
    if !writer.commit() {
        place.forget();
    }
    Some(())
}

#[inline(always)]
fn fork_record(writer: &mut Writer, context: u64, child: *const u8, flags: u64) -> u32 {
    let (parent, child) = (current::<false>(), Task::<false>(child));
    let started = writer.start(Hook::ProcessFork.words());
    let level = level_of(parent.thread_pid());
    writer.set_word(started, 0, parent.pid() as u64);
    writer.set_word(started, 1, number_at(parent.thread_pid(), level) as u64);
    writer.set_word(started, 2, parent.tgid() as u64);
    writer.set_word(started, 3, number_at(parent.group_leader().thread_pid(), level) as u64);
    writer.set_word(started, 4, parent.group_leader().start_boottime());
    let level = level_of(child.thread_pid());
    let leader = child.group_leader();
    writer.set_word(started, 5, child.pid() as u64);
    writer.set_word(started, 6, number_at(child.thread_pid(), level) as u64);
    writer.set_word(started, 7, child.tgid() as u64);
    writer.set_word(started, 8, number_at(leader.thread_pid(), level) as u64);
    writer.set_word(started, 9, child.start_boottime());
    writer.set_word(started, 10, leader.start_boottime());
    writer.set_word(started, 11, flags);
    writer.end(started, header(Hook::ProcessFork, context, 0));
    0
}

#[btf_tracepoint(function = "sched_process_exit")]
pub fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    spare::first_runs(EXIT);
    let _undisturbed = Undisturbed::begin();
    // Two that end at once both see that nobody lives any more: only the kernel knows whose end was the process's.
    let is_last = if config!(tells_last) != 0 {
        ctx.arg::<u64>(1) & 0xff != 0
    } else {
        current::<false>().signal().live() == 0
    };
    if config!(modern) != 0 { on_task_exit::<true>(is_last) } else { on_task_exit::<false>(is_last) };
    0
}

/// See [`crate::spare`].
#[btf_tracepoint(function = "sched_process_exit")]
pub fn sched_process_exit_spare(ctx: BtfTracePointContext) -> i32 {
    if spare::has_first_run(EXIT) {
        return 0;
    }
    let _undisturbed = Undisturbed::begin();
    let is_last = if config!(tells_last) != 0 {
        ctx.arg::<u64>(1) & 0xff != 0
    } else {
        current::<false>().signal().live() == 0
    };
    on_task_exit::<true>(is_last);
    0
}

/// All threads of a process end, with one status.
const SIGNAL_GROUP_EXIT: u32 = 4;

#[inline(always)]
fn on_task_exit<const TYPED: bool>(is_last: bool) -> Option<()> {
    let task = current::<TYPED>();
    if scopes!(lineage) != 0 && is_last {
        scopes::disinherit(task.tgid());
    }
    let place = Place::of(task)?;
    let mut writer = Writer::begin(Hook::ProcessExit.slot(), true)?;
    let context = place.id(&mut writer);
    syscalls::append_exit(&mut writer, task, context);
    let started = writer.start(Hook::ProcessExit.words());
    let code = if is_last { process_exit_code() } else { task.exit_code() };
    writer.set_word(started, 0, (code >> 8 & 0xff) as u64);
    writer.set_word(started, 1, (code & 0x7f) as u64);
    writer.set_word(started, 2, is_last as u64);
    writer.set_word(started, 3, task.0 as u64);
    writer.end(started, header(Hook::ProcessExit, context, 0));
    if !writer.commit() {
        place.forget();
    }
    place.set_gone(task);
    Some(())
}

/// What the parent is told of the process, whose last thread may have ended with another code.
#[inline(always)]
fn process_exit_code() -> u32 {
    let task = current::<false>();
    let signal = task.signal();
    if signal.flags() & SIGNAL_GROUP_EXIT != 0 { signal.group_exit_code() } else { task.group_leader().exit_code() }
}

#[btf_tracepoint(function = "sched_process_exec")]
pub fn sched_process_exec(ctx: BtfTracePointContext) -> i32 {
    spare::first_runs(EXEC);
    let _undisturbed = Undisturbed::begin();
    let bprm: *const u8 = ctx.arg(2);
    if config!(modern) != 0 { on_exec::<true>(bprm) } else { on_exec::<false>(bprm) };
    0
}

/// See [`crate::spare`].
#[btf_tracepoint(function = "sched_process_exec")]
pub fn sched_process_exec_spare(ctx: BtfTracePointContext) -> i32 {
    if spare::has_first_run(EXEC) {
        return 0;
    }
    let _undisturbed = Undisturbed::begin();
    let bprm: *const u8 = ctx.arg(2);
    on_exec::<true>(bprm);
    0
}

#[inline(always)]
fn on_exec<const TYPED: bool>(bprm: *const u8) -> Option<()> {
    let task = current::<TYPED>();
    let previous_comm = previous_comm(task);
    let place = Place::of(task)?;
    let mut writer = Writer::begin(Hook::ProcessExec.slot(), true)?;
    let context = place.id(&mut writer);
    let started = writer.start(Hook::ProcessExec.words());
    for word in 0..13 {
        writer.set_word(started, word, 0);
    }
    if let Some([first, second]) = previous_comm {
        // SAFETY: the write has room for it.
        unsafe {
            let bytes = writer.blob_bytes().cast::<u64>();
            *bytes = first;
            *bytes.add(1) = second;
        }
        writer.end_blob(5, form::PLAIN, 16);
    }
    let marks = exec_record(&mut writer, started, Bprm::<true>(bprm).untyped().0);
    writer.end(started, header(Hook::ProcessExec, context, marks));
    if !writer.commit() {
        place.forget();
    }
    Some(())
}

#[btf_tracepoint(function = "task_rename")]
pub fn task_rename(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (task, name): (*const u8, *const u8) = (ctx.arg(0), ctx.arg(1));
    let task = Task::<true>(task).untyped();
    record(Hook::TaskRename, |writer, _| {
        kernel_string(writer, 0, task.comm()) | kernel_string(writer, 1, crate::kernel::address_of(name))
    });
    0
}

/// Records a hook in the context of the current task; `fill` sets words, appends blobs and gives marks.
#[inline(always)]
pub fn record(hook: Hook, fill: impl FnOnce(&mut Writer, Started) -> u32) -> Option<()> {
    record_as(hook, fill, |_| {})
}

/// The same of what has a result.
#[inline(always)]
pub fn record_result(hook: Hook, ret: i64, fill: impl FnOnce(&mut Writer, Started) -> u32) -> Option<()> {
    record_as(hook, fill, |header| header.ret = ret)
}

#[inline(always)]
fn record_as(
    hook: Hook,
    fill: impl FnOnce(&mut Writer, Started) -> u32,
    change: impl FnOnce(&mut RecordHeader),
) -> Option<()> {
    let (mut writer, context) = Writer::take_over(probe_begin(hook as u64), hook.slot())?;
    let started = writer.start(hook.words());
    for word in 0..hook.words() as usize {
        writer.set_word(started, word, 0);
    }
    let marks = fill(&mut writer, started);
    let mut header = header(hook, context, marks);
    change(&mut header);
    writer.end(started, header);
    probe_commit(writer.room(), writer.at, hook as u64);
    Some(())
}

/// Begins a write, also in interrupts. A global function: the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn probe_begin(hook: u64) -> u64 {
    begin(hook).unwrap_or(0)
}

#[inline(always)]
fn begin(hook: u64) -> Option<u64> {
    let task = current::<false>();
    let place = Place::of(task)?;
    if scopes!(is_on) != 0 && !scopes::is_kept(hook) && !place.may_match(scopes::of_hook(hook)) {
        count_left_out_hook(hook);
        return None;
    }
    let writer = Writer::begin_in_interrupt(slot_of(hook), is_vital(hook))?;
    let (context, is_new) =
        if writer.is_nested() { (place.id_if_fresh(), false) } else { place.id_to_send(&writer) };
    Some(writer.hand_over(context, is_new))
}

/// Commits what [`probe_begin`] began.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn probe_commit(room: u64, at: u64, hook: u64) -> u64 {
    if let Some(writer) = Writer::resume_to_commit(room, at, slot_of(hook), is_vital(hook))
        && !writer.commit()
    {
        forget_current();
    }
    0
}

/// The bits of a mode that say what kind of file it is.
pub const S_IFMT: u16 = 0o170_000;

/// Everything that the new program is known by. Returns marks.
#[inline(always)]
fn exec_record(writer: &mut Writer, started: Started, bprm: *const u8) -> u32 {
    let (task, bprm) = (current::<false>(), Bprm::<false>(bprm));
    let mut marks = kernel_string(writer, 0, bprm.filename());
    let file = bprm.file();
    marks |= marks_of(1, path::append(writer, 1, file));
    let inode = file.inode();
    writer.set_word(started, 7, inode.sb().dev() as u64);
    writer.set_word(started, 8, inode.ino());
    writer.set_word(started, 9, change_time_ns(inode));
    writer.set_word(started, 10, inode.mode() as u64);
    marks |= kernel_string(writer, 3, bprm.interp());
    let mm = task.mm();
    marks |= span(writer, 2, mm.arg_start(), mm.arg_end());
    let stdin = File::<false>(probe(task.files().fdt().fd()));
    if !stdin.is_null() {
        writer.set_word(started, 11, (stdin.inode().mode() & S_IFMT) as u64);
        marks |= marks_of(4, path::append(writer, 4, stdin));
    }
    writer.set_word(started, 12, task.real_parent().is_kernel_thread() as u64);
    if config!(environment) != 0 {
        marks |= span(writer, 6, mm.env_start(), mm.env_end());
    }
    marks
}

/// Time of an inode's last change, ns since 1970.
#[inline(always)]
pub fn change_time_ns(inode: Inode<false>) -> u64 {
    // From 6.13 on the highest bit says that somebody has asked for the time (`I_CTIME_QUERIED`).
    const NANOSECONDS: u32 = u32::MAX >> 1;
    inode.ctime_sec().wrapping_mul(1_000_000_000).wrapping_add((inode.ctime_nsec() & NANOSECONDS) as u64)
}

/// Marks of an argument by how its path came out.
#[inline(always)]
pub fn marks_of(position: u32, outcome: Outcome) -> u32 {
    match outcome {
        Outcome::Whole => 0,
        Outcome::Cut => bits::PARTIAL | cut(position),
        Outcome::Lost => lost(position),
    }
}

/// By the position in the record, as [`Hook::args`] has it.
#[inline(always)]
pub fn cut(position: u32) -> u32 {
    bits::TRUNCATED | 1 << (bits::CUT_ARG_SHIFT + (position & 7))
}

#[inline(always)]
pub fn lost(position: u32) -> u32 {
    bits::FAULT | 1 << (bits::LOST_ARG_SHIFT + (position & 7))
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
fn span(writer: &mut Writer, arg: u8, from: u64, to: u64) -> u32 {
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
    let mut done = writer.forget(0);
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
        done = writer.forget(done + piece);
    }
    if done == 0 && whole != 0 {
        return lost(arg as u32);
    }
    writer.end_blob(arg, form::PLAIN, done as u32 & 0xf_ffff);
    if done < whole { cut(arg as u32) } else { 0 }
}
