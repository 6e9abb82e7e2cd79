//! Counters of what is not written: by cause, and by event or program.

use core::arch::asm;

use aya_ebpf::{helpers::generated::bpf_get_smp_processor_id, macros::map, maps::Array};
use events::abi::{
    Slot,
    region::{RegionHeader, spare},
};

use super::{REGIONS, config};

/// Records of CPUs that have no region, by slot: those that came online after the recording had begun, beyond the regions
/// that were made for such.
#[map]
static WITHOUT_REGION: Array<[u64; Slot::COUNT]> = Array::with_max_entries(1, 0);

/// Why a record is not written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The recorder has not read what is there.
    Full,
    /// All rooms are taken by programs that this one interrupted or preempted.
    Nested,
}

/// Counts a record of a program that has begun no write.
#[inline(always)]
pub fn count_lost(slot: u16) {
    // SAFETY: a helper without arguments, and the region of this CPU.
    unsafe {
        if let Some(region) = region_of(bpf_get_smp_processor_id(), slot) {
            count_drop(region, slot, Refusal::Full);
        }
    }
}

/// The region of this CPU. Where there is none, the record is counted.
#[inline(always)]
pub fn region_of(cpu: u32, slot: u16) -> Option<*mut RegionHeader> {
    let Some(region) = REGIONS.get_ptr_mut(cpu) else {
        // SAFETY: a map value with a counter for each slot.
        unsafe {
            if let Some(counters) = WITHOUT_REGION.get_ptr_mut(0) {
                add(counter_of(counters.cast(), slot), 1);
            }
        }
        return None;
    };
    Some(region.cast())
}

/// Counts an event that the spare of a program has taken over.
#[inline(always)]
pub fn count_taken_over(kind: usize) {
    // SAFETY: a helper without arguments, and a counter of this CPU.
    unsafe {
        if let Some(region) = REGIONS.get_ptr_mut(bpf_get_smp_processor_id()) {
            let counters = &raw mut (*region.cast::<RegionHeader>()).taken_over;
            add(counters.cast::<u64>().add(kind & (spare::COUNT - 1)), 1);
        }
    }
}

/// Counts the return of a function whose entry nothing is known of. Each hook has its own counter.
#[inline(always)]
pub fn count_forgotten(hook: u64) {
    // SAFETY: a helper without arguments, and the region of this CPU; there are fewer hooks than counters.
    unsafe {
        if let Some(region) = region_of(bpf_get_smp_processor_id(), crate::record::slot_of(hook)) {
            let counters = &raw mut (*region).forgotten;
            add(counters.cast::<u64>().add(hook as usize & (Slot::COUNT - Slot::HOOK_BASE - 1)), 1);
            add(&raw mut (*region).dropped, 1);
        }
    }
}

/// Counts an exit of a system call that no scope can want.
#[inline(always)]
pub fn count_left_out_call() {
    // SAFETY: a helper without arguments, and a counter of this CPU.
    unsafe {
        if let Some(region) = REGIONS.get_ptr_mut(bpf_get_smp_processor_id()) {
            count(&raw mut (*region.cast::<RegionHeader>()).left_out_calls);
        }
    }
}

/// The same of a hook: each has its own counter, for one may interrupt another's counting.
#[inline(always)]
pub fn count_left_out_hook(hook: u64) {
    // SAFETY: a helper without arguments, and the region of this CPU; there are fewer hooks than counters.
    unsafe {
        if let Some(region) = REGIONS.get_ptr_mut(bpf_get_smp_processor_id()) {
            let counters = &raw mut (*region.cast::<RegionHeader>()).left_out_hooks;
            count(counters.cast::<u64>().add(hook as usize & (Slot::COUNT - Slot::HOOK_BASE - 1)));
        }
    }
}

/// Counts a call whose beginning could not be noted.
#[inline(always)]
pub fn count_untimed_call() {
    // SAFETY: a helper without arguments, and a counter of this CPU.
    unsafe {
        if let Some(region) = REGIONS.get_ptr_mut(bpf_get_smp_processor_id()) {
            count(&raw mut (*region.cast::<RegionHeader>()).untimed_calls);
        }
    }
}

/// Adds one to a counter of this CPU that one program alone counts at, which does not interrupt itself. Where it may be
/// preempted while it does, on its way to another task that runs it, in one instruction.
#[inline(always)]
unsafe fn count(counter: *mut u64) {
    // SAFETY: the caller's pointer is to a map value.
    unsafe {
        if config!(disables_preemption) != 0 {
            *counter += 1;
        } else {
            add(counter, 1);
        }
    }
}

/// Adds in one instruction, the one that every kernel has: it does not say what was there before.
#[inline(always)]
pub unsafe fn add(counter: *mut u64, number: u64) {
    // SAFETY: the caller's pointer is to a map value.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) counter, in(reg) number) };
}

/// Counts a record that is not written. Programs of all kinds count here, whatever they interrupt: each in one instruction.
#[inline(always)]
pub unsafe fn count_drop(region: *mut RegionHeader, slot: u16, refusal: Refusal) {
    // SAFETY: counters of this CPU's region; the offset is at most that of the last one.
    unsafe {
        let table = match refusal {
            Refusal::Full => &raw mut (*region).full,
            Refusal::Nested => &raw mut (*region).nested,
        };
        add(counter_of(table.cast(), slot), 1);
        add(&raw mut (*region).dropped, 1);
    }
}

/// The counter of a slot in a table of them.
///
/// # Safety
/// The table is in a map value, and has a counter for each slot.
#[inline(always)]
unsafe fn counter_of(table: *mut u64, slot: u16) -> *mut u64 {
    let (mut counter, mut offset) = (table.cast::<u8>(), slot as u64);
    // SAFETY: the offset is at most that of the last counter. Written out, or the compiler leaves out a check that the
    // verifier needs.
    unsafe {
        asm!(
            "if {offset} < {count} goto +1",
            "{offset} = {count} - 1",
            "{offset} <<= 3",
            "{counter} += {offset}",
            offset = inout(reg) offset,
            counter = inout(reg) counter,
            count = const Slot::COUNT as i32,
            options(nomem, nostack),
        );
    }
    let _ = offset;
    counter.cast()
}
