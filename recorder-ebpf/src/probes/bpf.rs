//! Programs and maps of BPF.

use events::abi::hooks::Hook;

use crate::{
    parts::kernel_string,
    record::record_in_hook,
    registers::numbers,
    emit::{Started, Writer},
    hook::{Called, Caller, on_entry},
    kernel::{BpfMap, BpfProg},
};

on_entry!(security_bpf, called);
on_entry!(security_bpf_map, map_taken);
on_entry!(security_bpf_prog, program_taken);

#[inline(always)]
fn called(call: Called) -> Option<()> {
    let command = call.number::<0>();
    record_in_hook(Hook::Bpf, |writer, started| {
        writer.set_word(started, 0, command);
        0
    })
}

#[inline(always)]
fn map_taken(call: Called) -> Option<()> {
    let map = BpfMap::<false>(call.pointer::<0>());
    record_in_hook(Hook::BpfMap, |writer, started| fill_map(writer, started, map))
}

#[inline(always)]
pub fn fill_map(writer: &mut Writer, started: Started, map: BpfMap<false>) -> u32 {
    writer.set_word(started, 0, map.id() as u64);
    kernel_string(writer, 1, map.name())
}

#[inline(always)]
fn program_taken(call: Called) -> Option<()> {
    const LOAD: u64 = 5;
    let program = BpfProg::<false>(call.pointer::<0>());
    let caller = Caller::current();
    let is_load = caller.is_in(numbers!("bpf")) && caller.argument(0) == LOAD;
    record_in_hook(Hook::BpfProg, |writer, started| fill_program(writer, started, program, is_load))
}

/// Which helpers it calls is not kept by the kernel.
#[inline(always)]
pub fn fill_program(writer: &mut Writer, started: Started, program: BpfProg<false>, is_load: bool) -> u32 {
    writer.set_word(started, 0, program.kind() as u64);
    writer.set_word(started, 3, program.aux().id() as u64);
    writer.set_word(started, 4, is_load as u64);
    kernel_string(writer, 1, program.aux().name())
}
