//! When calls begin. Only where the recorder asks for it: every call pays for it twice.
//!
//! ```text
//! sys_enter:          the task's place in the map is told the time, the call and its arguments
//! sys_exit:           the time goes into the record; the task is in no call any more
//! sched_process_exit: the place is given back
//! ```
//! What the map says when the recording ends are the calls that have not returned.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::{
    helpers::generated::{bpf_get_current_task, bpf_ktime_get_ns},
    macros::{btf_tracepoint, map},
    maps::HashMap,
    programs::BtfTracePointContext,
};
use events::abi::tables::{Begun, SyscallEntry};

use crate::{
    context::{Actor, current},
    emit::{Writer, config, count_untimed_call, preemption::Undisturbed},
    kernel::Task,
    probes::syscalls::{Numbered, entry, flags, slot_of},
    registers::Regs,
};

/// By task. The recorder sets the size.
#[map]
static BEGUN: HashMap<u64, Begun> = HashMap::with_max_entries(1, 0);

/// Calls whose beginning is noted. Of those that are made through another one it is not known yet whether they are wanted.
pub const NOTED: u8 = SyscallEntry::WANTED | SyscallEntry::MULTIPLEXED;

#[btf_tracepoint(function = "sys_enter")]
pub fn timing_sys_enter(ctx: BtfTracePointContext) -> i32 {
    if config!(timing) != 0 {
        let regs = Regs::<true>(ctx.arg(0));
        if config!(modern) != 0 { on_entry::<true>(regs) } else { on_entry::<false>(regs) };
    }
    0
}

#[inline(always)]
fn on_entry<const TYPED: bool>(regs: Regs<true>) -> Option<()> {
    let task = current::<TYPED>();
    let compat = task.compat();
    let number = regs.number();
    let Numbered { slot, .. } = slot_of(number, compat, 0)?;
    if flags(entry(slot)) & NOTED == 0 {
        return None;
    }
    let _undisturbed = Undisturbed::begin();
    let begun = place_of(task, slot as u16)?;
    // SAFETY: a map value, and a helper without arguments. What makes it valid is written last.
    unsafe {
        write_volatile(&raw mut (*begun).time_ns, 0);
        write_volatile(&raw mut (*begun).number, number as u32 as u64);
        write_volatile(&raw mut (*begun).slot, slot as u64);
        write_volatile(&raw mut (*begun).tid, task.pid() as u64);
        write_volatile(&raw mut (*begun).compat, compat as u64);
        for position in 0..6 {
            let argument = (&raw mut (*begun).arguments).cast::<u64>().add(position);
            write_volatile(argument, regs.argument(position, compat));
        }
        write_volatile(&raw mut (*begun).time_ns, bpf_ktime_get_ns());
    }
    Some(())
}

/// The task's place in the map; `None` where it is not recorded, or there is none left.
#[inline(always)]
fn place_of<const TYPED: bool>(task: Task<TYPED>, slot: u16) -> Option<*mut Begun> {
    // SAFETY: a helper without arguments.
    let key = unsafe { bpf_get_current_task() };
    if let Some(begun) = BEGUN.get_ptr_mut(&key) {
        return Some(begun);
    }
    let actor = Actor::of(task)?;
    // Of a call that never returns nothing else would say whose it is.
    if !actor.is_sent()
        && let Some(mut writer) = Writer::reserve(slot, false)
    {
        actor.id(&mut writer);
        if !writer.commit() {
            actor.invalidate();
        }
    }
    if BEGUN.insert(&key, &Begun { time_ns: 0, number: 0, slot: 0, tid: 0, compat: 0, arguments: [0; 6] }, 0).is_err() {
        count_untimed_call();
        return None;
    }
    BEGUN.get_ptr_mut(&key)
}

/// Any number fits: an exec that succeeded has been given another one.
pub const ANY_NUMBER: u64 = u32::MAX as u64;

/// The current task's call of this number has returned. When it began; 0 where that is not known.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn timing_end(number: u64) -> u64 {
    // SAFETY: a helper without arguments.
    let key = unsafe { bpf_get_current_task() };
    let Some(begun) = BEGUN.get_ptr_mut(&key) else { return 0 };
    // SAFETY: a map value.
    unsafe {
        let began = read_volatile(&raw const (*begun).time_ns);
        let given = read_volatile(&raw const (*begun).number) as u32;
        write_volatile(&raw mut (*begun).time_ns, 0);
        // A return from a signal's handler has restored another number, and its own is -1.
        let is_same = number as u32 == given || number as u32 == ANY_NUMBER as u32;
        if is_same { began } else { 0 }
    }
}

/// The current task goes.
#[inline(always)]
pub fn timing_forget() {
    // SAFETY: a helper without arguments.
    let key = unsafe { bpf_get_current_task() };
    let _ = BEGUN.remove(&key);
}
