//! The arguments of an exec, which has thrown them away when it returns.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use events::abi::{RecordHeader, bits, kind, region::spare::PREPARE_EXEC, tables::SyscallEntry};

use super::{Numbered, append, entry, flags, how, slot_of};
use crate::{
    context::{Actor, current},
    descriptors::Descriptors,
    emit::{Writer, config, preemption::Undisturbed},
    registers::{Regs, entry_registers},
    spare,
};

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
    Actor::of(task)?;
    let mut writer = Writer::reserve(slot as u16, true)?;
    let header = RecordHeader {
        slot: slot as u16,
        kind: kind::ENTRY,
        // Whose it is: a thread that execs has its leader's number when the call returns, and its own when it fails.
        ret: writer.opaque(task.0 as u64) as i64,
        context: task.pid() as u64,
        marks: bits::AT_ENTRY | if compat { bits::COMPAT } else { 0 },
        ..RecordHeader::default()
    };
    writer.notes().set_how(if compat { how::COMPAT } else { 0 } | if is_narrow { how::NARROW } else { 0 });
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
