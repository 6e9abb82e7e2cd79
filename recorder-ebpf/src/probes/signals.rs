//! Signals on their way.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use events::abi::hooks::Hook;

use crate::{
    emit::preemption::Undisturbed,
    parts::kernel_string,
    record::record,
};
use crate::kernel::{KernelSiginfo, Task, address_of};

#[btf_tracepoint(function = "signal_generate")]
pub fn signal_generate(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    const SI_KERNEL: u64 = 0x80;
    let (signal, group, result): (u64, u64, u64) = (ctx.arg(0), ctx.arg(3), ctx.arg(4));
    let (info, task): (*const u8, *const u8) = (ctx.arg(1), ctx.arg(2));
    let (info, task) = (address_of(info), Task::<true>(task).untyped());
    record(Hook::SignalGenerate, |writer, started| {
        // 0 and 1 stand for "from a user" and "from the kernel", without more.
        let code = match info as u64 {
            0 => 0,
            1 => SI_KERNEL,
            _ => KernelSiginfo::<false>(info).code() as u64,
        };
        writer.set_word(started, 0, signal);
        writer.set_word(started, 1, code);
        writer.set_word(started, 3, task.tgid() as u64);
        writer.set_word(started, 4, task.pid() as u64);
        writer.set_word(started, 5, group);
        writer.set_word(started, 6, result);
        kernel_string(writer, 2, task.comm())
    });
    0
}
