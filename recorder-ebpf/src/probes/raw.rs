//! Tracepoints that fire so often that they are attached for those who name them only.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use events::abi::{bits, hooks::Hook};

use super::{
    syscalls::given_number,
};
use crate::{
    parts::kernel_string,
    record::{record, record_result},
    context::current,
    emit::preemption::Undisturbed,
    registers::Regs,
    kernel::Task,
};

#[btf_tracepoint(function = "sched_switch")]
pub fn sched_switch(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (previous, next): (*const u8, *const u8) = (ctx.arg(1), ctx.arg(2));
    let (previous, next) = (Task::<true>(previous).untyped(), Task::<true>(next).untyped());
    record(Hook::SchedSwitch, |writer, started| {
        writer.set_word(started, 0, writer.cpu() as u64);
        writer.set_word(started, 1, previous.pid() as u64);
        writer.set_word(started, 3, next.pid() as u64);
        kernel_string(writer, 2, previous.comm()) | kernel_string(writer, 4, next.comm())
    });
    0
}

#[btf_tracepoint(function = "sys_enter")]
pub fn every_sys_enter(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let number: i64 = ctx.arg(1);
    numbered(Hook::SysEnter, number as i32, 0)
}

#[btf_tracepoint(function = "sys_exit")]
pub fn every_sys_exit(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let registers = Regs::<true>(ctx.arg(0));
    let ret: i64 = ctx.arg(1);
    let compat = current::<false>().compat();
    numbered(Hook::SysExit, given_number(registers.number(), compat, ret), ret)
}

#[inline(always)]
fn numbered(hook: Hook, number: i32, ret: i64) -> i32 {
    record_result(hook, ret, |writer, started| {
        writer.set_word(started, 0, number as i64 as u64);
        if current::<false>().compat() { bits::COMPAT } else { 0 }
    });
    0
}
