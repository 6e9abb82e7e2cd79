//! Processes: their beginning, end, and what they become. Most of what a scope is decided by.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use events::abi::{
    form,
    hooks::Hook,
    files::told,
    linux::{OVERLAYFS_SUPER_MAGIC, S_IFMT},
    region::spare::{EXEC, EXIT, FORK},
};

use crate::{
    context::{Actor, current, level_of, number_at, previous_comm},
    emit::{Started, Writer, config, preemption::Undisturbed},
    kernel::{Bprm, Dentry, File, Inode, Task, probe},
    marks::marks_of,
    parts::{change_time_ns, kernel_string, span},
    path,
    probes::syscalls,
    registers::clone_flags,
    record::{header, record},
    scopes::{self, scopes},
    spare, timing,
};

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
    let actor = Actor::of(task)?;
    let mut writer = Writer::reserve(Hook::ProcessFork.slot(), true)?;
    let context = actor.id(&mut writer);
    let flags = clone_flags::<TYPED>();
    fork_record(&mut writer, context, Task::<true>(child).untyped().0, flags);
    if !writer.commit() {
        actor.invalidate();
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
    if config!(timing) != 0 {
        timing::timing_forget();
    }
    let actor = Actor::of(task)?;
    let mut writer = Writer::reserve(Hook::ProcessExit.slot(), true)?;
    let context = actor.id(&mut writer);
    syscalls::append_exit(&mut writer, task, context);
    let started = writer.start(Hook::ProcessExit.words());
    let code = if is_last { process_exit_code() } else { task.exit_code() };
    writer.set_word(started, 0, (code >> 8 & 0xff) as u64);
    writer.set_word(started, 1, (code & 0x7f) as u64);
    writer.set_word(started, 2, is_last as u64);
    writer.set_word(started, 3, task.0 as u64);
    writer.end(started, header(Hook::ProcessExit, context, 0));
    if !writer.commit() {
        actor.invalidate();
    }
    actor.set_gone(task);
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
    let actor = Actor::of(task)?;
    let mut writer = Writer::reserve(Hook::ProcessExec.slot(), true)?;
    let context = actor.id(&mut writer);
    let started = writer.start(Hook::ProcessExec.words());
    for word in 0..Hook::ProcessExec.words() as usize {
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
        actor.invalidate();
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

/// Whether a file of an overlay is in its upper layer, where what was written since it was mounted is; of a file elsewhere
/// nothing is told.
///
/// An overlay's inode goes on behind the one that all file systems have, with the name in the upper layer if there is one.
#[inline(always)]
fn upper_layer(inode: Inode<false>) -> u64 {
    if inode.sb().magic() != OVERLAYFS_SUPER_MAGIC {
        return told::NOTHING;
    }
    let upper = Dentry::<false>(probe(inode.behind()));
    if !upper.is_null() && upper.inode().ino() != 0 { told::YES } else { told::NO }
}

/// Whether a file is in memory alone: it hangs in no tree, and has the name that the kernel gives those.
#[inline(always)]
fn is_memfd(dentry: Dentry<false>) -> bool {
    const PREFIX: u64 = u64::from_le_bytes(*b"memfd:\0\0");
    const SIX_BYTES: u64 = (1 << 48) - 1;
    dentry.parent().0 == dentry.0 && probe::<u64>(dentry.name()) & SIX_BYTES == PREFIX
}

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
    writer.set_word(started, 13, upper_layer(inode));
    writer.set_word(started, 14, is_memfd(file.dentry()) as u64);
    if config!(environment) != 0 {
        marks |= span(writer, 6, mm.env_start(), mm.env_end());
    }
    marks
}
