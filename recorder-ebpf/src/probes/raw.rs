//! Tracepoints that fire so often that they are attached for those who name them only; and those of io_uring.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use events::abi::{bits, hooks::Hook};

use super::{
    process::{kernel_string, record, record_result},
    syscalls::{Regs, given_number},
};
use crate::{
    context::current,
    emit::preemption::Undisturbed,
    kernel::{IoRequest, Task},
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

#[btf_tracepoint(function = "io_uring_create")]
pub fn io_uring_create(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let words: [u32; 4] = [ctx.arg(0), ctx.arg(2), ctx.arg(3), ctx.arg(4)];
    record(Hook::IoUringCreate, |writer, started| {
        for (i, word) in words.into_iter().enumerate() {
            writer.set_word(started, i, word as u64);
        }
        0
    });
    0
}

/// Since 6.0, what is submitted is a request.
#[btf_tracepoint(function = "io_uring_submit_req")]
pub fn io_uring_submit_req(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    const SQPOLL: u32 = 2;
    let request: *const u8 = ctx.arg(0);
    let request = IoRequest::<true>(request).untyped();
    record(Hook::IoUringSubmitReq, |writer, started| {
        writer.set_word(started, 0, request.opcode() as u64);
        writer.set_word(started, 1, request.user_data());
        writer.set_word(started, 2, request.flags() as u64);
        writer.set_word(started, 3, (request.ring().flags() & SQPOLL != 0) as u64);
        writer.set_word(started, 4, request.fd() as u64);
        0
    });
    0
}

/// Before, it was told in numbers: what of them the event has.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
pub fn io_uring_submit_sqe(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (opcode, user_data, by_thread): (u8, u64, u8) = (ctx.arg(1), ctx.arg(2), ctx.arg(4));
    submitted(opcode, user_data, 0, by_thread)
}

/// The same with more of them, since 5.13.
#[btf_tracepoint(function = "io_uring_submit_sqe")]
pub fn io_uring_submit_sqe_of_request(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (opcode, user_data, flags, by_thread): (u8, u64, u32, u8) =
        (ctx.arg(2), ctx.arg(3), ctx.arg(4), ctx.arg(6));
    submitted(opcode, user_data, flags, by_thread)
}

#[inline(always)]
fn submitted(opcode: u8, user_data: u64, flags: u32, by_thread: u8) -> i32 {
    record(Hook::IoUringSubmitReq, |writer, started| {
        writer.set_word(started, 0, opcode as u64);
        writer.set_word(started, 1, user_data);
        writer.set_word(started, 2, flags as u64);
        writer.set_word(started, 3, (by_thread != 0) as u64);
        writer.set_word(started, 4, u64::MAX);
        0
    });
    0
}
