//! Kernel modules.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use events::abi::hooks::Hook;

use crate::{
    emit::preemption::Undisturbed,
    parts::kernel_string,
    record::record,
};
use crate::kernel::Module;

#[btf_tracepoint(function = "module_load")]
pub fn module_load(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    module(Hook::ModuleLoad, &ctx)
}

#[btf_tracepoint(function = "module_free")]
pub fn module_free(ctx: BtfTracePointContext) -> i32 {
    let _undisturbed = Undisturbed::begin();
    module(Hook::ModuleFree, &ctx)
}

#[inline(always)]
fn module(hook: Hook, ctx: &BtfTracePointContext) -> i32 {
    let module: *const u8 = ctx.arg(0);
    let module = Module::<true>(module).untyped();
    record(hook, |writer, _| {
        let marks = kernel_string(writer, 0, module.name());
        let (version, source) = (module.version(), module.srcversion());
        if !version.is_null() {
            kernel_string(writer, 1, version);
        }
        if !source.is_null() {
            kernel_string(writer, 2, source);
        }
        marks
    });
    0
}
