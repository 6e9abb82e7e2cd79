//! Control groups made, removed, and entered.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use events::abi::hooks::Hook;

use crate::{
    emit::preemption::Undisturbed,
    parts::kernel_string,
    record::record,
};
use crate::kernel::{Cgroup, Task, address_of};

#[btf_tracepoint(function = "cgroup_mkdir")]
pub fn cgroup_mkdir(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    made_or_removed(Hook::CgroupMkdir, &ctx)
}

#[btf_tracepoint(function = "cgroup_rmdir")]
pub fn cgroup_rmdir(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    made_or_removed(Hook::CgroupRmdir, &ctx)
}

#[inline(always)]
fn made_or_removed(hook: Hook, ctx: &BtfTracePointContext) -> i32 {
    let (cgroup, path): (*const u8, *const u8) = (ctx.arg(0), ctx.arg(1));
    let (cgroup, path) = (Cgroup::<true>(cgroup).untyped(), address_of(path));
    record(hook, |writer, started| {
        writer.set_word(started, 0, cgroup.kn().id());
        writer.set_word(started, 2, cgroup.root().hierarchy_id() as u64);
        kernel_string(writer, 1, path)
    });
    0
}

#[btf_tracepoint(function = "cgroup_attach_task")]
pub fn cgroup_attach_task(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    let (cgroup, path, task): (*const u8, *const u8, *const u8) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    let (cgroup, path, task) = (Cgroup::<true>(cgroup).untyped(), address_of(path), Task::<true>(task).untyped());
    record(Hook::CgroupAttachTask, |writer, started| {
        writer.set_word(started, 2, task.pid() as u64);
        writer.set_word(started, 3, cgroup.kn().id());
        writer.set_word(started, 4, cgroup.root().hierarchy_id() as u64);
        kernel_string(writer, 0, path) | kernel_string(writer, 1, task.comm())
    });
    0
}
