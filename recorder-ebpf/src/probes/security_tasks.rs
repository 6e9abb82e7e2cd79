//! Security hooks on what tasks are and may: programs, limits, the clock, capabilities.

use events::abi::hooks::Hook;

use crate::{
    marks::{cut, lost},
    parts::{file_path, identify},
    record::record_in_hook,
    registers::numbers,
    capture::{self, Read},
    hook::{Called, Caller, on_entry},
    kernel::{Bprm, Task, probe},
};

on_entry!(security_bprm_check, checked);
on_entry!(security_task_setrlimit, limited);
on_entry!(security_settime64, clock_set);
on_entry!(security_task_prctl, controlled);
on_entry!(cap_capable, capable);

#[inline(always)]
fn checked(call: Called) -> Option<()> {
    let file = Bprm::<false>(call.pointer::<0>()).file();
    record_in_hook(Hook::BprmCheck, |writer, started| {
        identify(writer, started, 1, file.inode());
        let mut marks = file_path(writer, 0, file);
        // The new memory is not the task's yet: what the caller gave is.
        let caller = Caller::current();
        let first = if caller.is_in(numbers!("execve")) {
            1
        } else if caller.is_in(numbers!("execveat")) {
            2
        } else {
            return marks;
        };
        let argv = if first == 1 { caller.argument(1) } else { caller.argument(2) };
        marks |= marks_of_read(3, capture::strings(writer, 3, argv, caller.compat));
        if crate::emit::config!(environment) != 0 {
            let envp = if first == 1 { caller.argument(2) } else { caller.argument(3) };
            marks |= marks_of_read(4, capture::strings(writer, 4, envp, caller.compat));
        }
        marks
    })
}

#[inline(always)]
fn marks_of_read(position: u32, read: Read) -> u32 {
    match read {
        Read::Whole | Read::Skipped => 0,
        Read::Cut => cut(position),
        Read::Lost => lost(position),
    }
}

#[inline(always)]
fn limited(call: Called) -> Option<()> {
    let (task, resource, limits) = (Task::<false>(call.pointer::<0>()), call.number::<1>(), call.pointer::<2>());
    record_in_hook(Hook::TaskSetrlimit, |writer, started| {
        writer.set_word(started, 0, task.tgid() as u64);
        writer.set_word(started, 1, resource);
        writer.set_word(started, 2, probe::<u64>(limits));
        writer.set_word(started, 3, probe::<u64>(limits.wrapping_add(8)));
        0
    })
}

#[inline(always)]
fn clock_set(call: Called) -> Option<()> {
    let (time, zone) = (call.pointer::<0>(), call.pointer::<1>());
    record_in_hook(Hook::Settime64, |writer, started| {
        if !time.is_null() {
            writer.set_word(started, 0, probe::<u64>(time));
            writer.set_word(started, 1, probe::<u64>(time.wrapping_add(8)));
        }
        if !zone.is_null() {
            writer.set_word(started, 2, probe::<u32>(zone) as u64);
            writer.set_word(started, 3, probe::<u32>(zone.wrapping_add(4)) as u64);
        }
        0
    })
}

#[inline(always)]
fn controlled(call: Called) -> Option<()> {
    let words =
        [call.number::<0>(), call.number::<1>(), call.number::<2>(), call.number::<3>(), call.number::<4>()];
    record_in_hook(Hook::TaskPrctl, |writer, started| {
        for (i, word) in words.into_iter().enumerate() {
            writer.set_word(started, i, word);
        }
        0
    })
}

#[inline(always)]
fn capable(call: Called) -> Option<()> {
    let capability = call.number::<2>();
    record_in_hook(Hook::CapCapable, |writer, started| {
        writer.set_word(started, 0, capability);
        0
    })
}
