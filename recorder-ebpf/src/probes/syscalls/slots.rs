//! The table of what is recorded of each system call, and a call's slot in it by its number.

use aya_ebpf::helpers::generated::bpf_get_prandom_u32;
use events::abi::{Slot, multiplexed::FIRST_OWN, tables::SyscallEntry, x32};

use crate::{
    context::current,
    emit::config,
    probes::multiplexed,
    registers::{self, entry_registers, numbers},
};

#[unsafe(no_mangle)]
static SYSCALLS: [SyscallEntry; Slot::HOOK_BASE] = [SyscallEntry::EMPTY; Slot::HOOK_BASE];
/// Of the calls of a slot one in so many is recorded, where [`SyscallEntry::SAMPLED`].
#[unsafe(no_mangle)]
static SAMPLES: [u32; Slot::HOOK_BASE] = [0; Slot::HOOK_BASE];
/// The slots of x32's own numbers, from the first one on; a power of two, so that a mask keeps within it.
#[unsafe(no_mangle)]
static X32_SLOTS: [u16; 64] = {
    let mut slots = [0; 64];
    let mut at = 0;
    while at < x32::NATIVE.len() {
        slots[at] = x32::NATIVE[at];
        at += 1;
    }
    slots
};
/// 1,023: a mask that the compiler cannot see through, so that it stays where the verifier needs it.
#[unsafe(no_mangle)]
static SLOT_MASK: u64 = 0;

/// The entry of a slot, 0 to 1,023.
#[inline(always)]
pub fn entry(slot: u32) -> *const SyscallEntry {
    // SAFETY: a static of this program.
    let slot = slot as u64 & unsafe { core::ptr::read_volatile(&raw const SLOT_MASK) };
    (&raw const SYSCALLS).cast::<SyscallEntry>().wrapping_add(slot as usize)
}

/// Whether a call is not the one in so many that is recorded.
#[inline(always)]
pub fn is_passed_over(slot: u32) -> bool {
    // SAFETY: statics of this program, and a helper without arguments.
    unsafe {
        let slot = slot as u64 & core::ptr::read_volatile(&raw const SLOT_MASK);
        let every = core::ptr::read_volatile((&raw const SAMPLES).cast::<u32>().wrapping_add(slot as usize));
        (bpf_get_prandom_u32() as u64 * every as u64) >> 32 != 0
    }
}

#[inline(always)]
pub fn flags(entry: *const SyscallEntry) -> u8 {
    // SAFETY: an entry of a static table.
    unsafe { core::ptr::read_volatile(&raw const (*entry).flags) }
}

/// How many argument words a call's record has.
#[inline(always)]
pub fn words_of(entry: *const SyscallEntry) -> u8 {
    // SAFETY: an entry of a static table.
    unsafe { core::ptr::read_volatile(&raw const (*entry).words) & 7 }
}

pub const ENOSYS: i64 = -38;

/// The number that the task gave. A return from a signal handler restores what was there, -1 for the number; a refused
/// call has it too.
#[inline(always)]
pub fn given_number(number: i32, compat: bool, ret: i64) -> i32 {
    if number != -1 || ret == ENOSYS {
        number
    } else if compat {
        numbers!("rt_sigreturn").compat
    } else {
        numbers!("rt_sigreturn").native
    }
}

/// What a number stands for.
#[derive(Clone, Copy)]
pub struct Numbered {
    pub slot: u32,
    /// One of x32's own, whose structures are those of 32-bit tasks.
    pub is_narrow: bool,
}

/// The slot of a call by its number; `None` for numbers that no call has.
#[inline(always)]
pub fn slot_of(number: i32, compat: bool, ret: i64) -> Option<Numbered> {
    let number = given_number(number, compat, ret);
    // The numbers of 32-bit ARM are in no table here.
    if registers::IS_AARCH64 && compat {
        return None;
    }
    let is_x32 = !registers::IS_AARCH64 && !compat && number >= x32::BIT;
    // A kernel that is built without them, as most are, refuses all of them.
    if is_x32 && ret == ENOSYS {
        return None;
    }
    let number = if is_x32 { number & !x32::BIT } else { number } as u32;
    let end = if compat { FIRST_OWN as u32 } else { Slot::SYSCALLS as u32 };
    if number < end {
        return Some(Numbered { slot: if compat { number + Slot::COMPAT_BASE as u32 } else { number }, is_narrow: false });
    }
    let own = number.wrapping_sub(x32::FIRST) as u64;
    if !is_x32 || own >= x32::NATIVE.len() as u64 {
        return None;
    }
    // SAFETY: statics of this program; a mask of 63 that stays where the verifier needs it.
    let slot = unsafe {
        let own = own & core::ptr::read_volatile(&raw const SLOT_MASK) >> 4;
        core::ptr::read_volatile((&raw const X32_SLOTS).cast::<u16>().wrapping_add(own as usize))
    };
    Some(Numbered { slot: slot as u32 & (Slot::SYSCALLS as u32 - 1), is_narrow: true })
}

/// The slot of the call that the current task is in, plus 1; 0 where it is in none: in an interrupt of its own code, or
/// a thread of the kernel, for which the registers at the end of the stack are nobody's.
///
/// A global function of a number, as others are: the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn current_call(hook: u64) -> u64 {
    let task = current::<false>();
    if hook >= Slot::COUNT as u64 || task.is_kernel_thread() || task.is_io_worker() {
        return 0;
    }
    let regs = if config!(modern) != 0 { entry_registers::<true>() } else { entry_registers::<false>() };
    let number = regs.number();
    if number < 0 {
        return 0;
    }
    let compat = task.compat();
    let Some(Numbered { slot, .. }) = slot_of(number, compat, 0) else { return 0 };
    let slot = if compat { multiplexed::slot_meant(slot, regs.argument(0, true)) } else { slot };
    slot as u64 + 1
}
