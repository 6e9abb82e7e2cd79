//! Calls that 32-bit tasks make through another one, such as `connect` through `socketcall`: what is meant, and where its
//! arguments are. See [`events::abi::multiplexed`].

use core::{arch::asm, ptr::read_volatile};

use events::abi::{
    Slot,
    multiplexed::{self, COUNT, IPC_64, Meant, TABLE, source},
};

use crate::{
    user_memory::{user, user_or_zero},
    emit::{Started, Writer, config},
    registers::{COMPAT_ARGUMENTS, IS_AARCH64, Regs, entry_registers},
};

/// In what [`multiplexed_note`] returns: the call was made through another one.
pub const IS_MEANT: u64 = 1;
/// What its arguments point to is not followed: structures of a form that no library uses any more.
pub const IS_OLD: u64 = 2;

/// The slot of what the call of the current task by this slot means; the same slot where it means nothing.
#[inline(always)]
pub fn meant(slot: u32) -> u32 {
    multiplexed_call(slot as u64) as u32 & (Slot::HOOK_BASE as u32 - 1)
}

/// Puts the arguments that have been noted into the record that has begun.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn multiplexed_set_arguments(room: u64, started: u64) -> u64 {
    let Some(writer) = Writer::resume(room, started) else { return 0 };
    let notes = writer.notes();
    for position in 0..6 {
        writer.set_word(Started(started), position, notes.argument(position));
    }
    0
}

/// The slot that is meant, by the first argument alone: for what happens in a call that the kernel has begun to do.
#[inline(always)]
pub fn slot_meant(slot: u32, selector: u64) -> u32 {
    let Some(index) = index(slot, selector) else { return slot };
    // SAFETY: an entry of a static table.
    let meant = unsafe { read_volatile(&raw const (*entry(index)).slot) };
    if meant == 0 { slot } else { meant as u32 }
}

#[inline(always)]
fn index(slot: u32, selector: u64) -> Option<u64> {
    let number = slot.wrapping_sub(Slot::COMPAT_BASE as u32);
    multiplexed::index(number as u16, selector as u32).map(|index| index as u64)
}

/// A number below a power of two. The mask is written out, for the compiler may know that it changes nothing, and the
/// verifier does not.
#[inline(always)]
fn below<const COUNT: i32>(number: u64) -> usize {
    let mut number = number;
    // SAFETY: arithmetic.
    unsafe { asm!("{0} &= {1}", inout(reg) number, const COUNT - 1, options(pure, nomem, nostack)) };
    number as usize
}

/// The entry of an index.
#[inline(always)]
fn entry(index: u64) -> *const Meant {
    (&raw const TABLE).cast::<Meant>().wrapping_add(below::<{ COUNT as i32 }>(index))
}

/// Where the registers have the arguments of a 32-bit task's call; the last one again, for an index of three bits.
#[unsafe(no_mangle)]
static ARGUMENTS: [u8; 8] = {
    let mut offsets = [COMPAT_ARGUMENTS[5] as u8; 8];
    let mut i = 0;
    while i < COMPAT_ARGUMENTS.len() {
        assert!(COMPAT_ARGUMENTS[i] < 256 || IS_AARCH64);
        offsets[i] = COMPAT_ARGUMENTS[i] as u8;
        i += 1;
    }
    offsets
};

macro_rules! field {
    ($meant:ident.$field:ident) => {
        // SAFETY: an entry of a static table.
        unsafe { read_volatile(&raw const (*$meant).$field) }
    };
}

#[inline(always)]
fn registers() -> Regs<false> {
    if config!(modern) != 0 { entry_registers::<true>() } else { entry_registers::<false>() }
}

/// The argument of the call as it was made that is so numbered, from 1 on.
#[inline(always)]
fn given(regs: Regs<false>, number: u8) -> u64 {
    // SAFETY: an entry of a static table.
    let offset =
        unsafe { read_volatile((&raw const ARGUMENTS).cast::<u8>().add(below::<8>(number.wrapping_sub(1) as u64))) };
    regs.at::<u64>(offset as usize) & 0xffff_ffff
}

/// Where an argument of the call that is meant is: see [`source`].
#[inline(always)]
fn from_source(regs: Regs<false>, meant: *const Meant, position: u64) -> u64 {
    // SAFETY: six entries and what follows them in the table.
    let from = unsafe { read_volatile((&raw const (*meant).sources).cast::<u8>().add(below::<8>(position))) };
    if from >= source::LIST {
        let list = given(regs, field!(meant.list));
        return user_or_zero::<u32>(list.wrapping_add((from - source::LIST) as u64 * 4)) as u64;
    }
    if from == source::NONE { 0 } else { given(regs, from) }
}

/// What the current task's call means, by its registers.
#[inline(always)]
fn current(regs: Regs<false>) -> Option<*const Meant> {
    let slot = (regs.number() as u32).wrapping_add(Slot::COMPAT_BASE as u32);
    Some(entry(index(slot, regs.argument(0, true))?))
}

/// See [`meant`]. Global functions, of numbers only: the verifier looks at them once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn multiplexed_call(slot: u64) -> u64 {
    readable().unwrap_or(slot)
}

/// The slot that is meant, where the list of arguments can be read.
#[inline(always)]
fn readable() -> Option<u64> {
    let regs = registers();
    let meant = current(regs)?;
    let (slot, words) = (field!(meant.slot), field!(meant.words));
    if slot == 0 {
        return None;
    }
    if words != 0 {
        // It can lie across two pages, and no more: its ends tell of all of it.
        let list = given(regs, field!(meant.list));
        user::<u32>(list)?;
        user::<u32>(list.wrapping_add((words as u64 - 1) * 4))?;
    }
    Some(slot as u64)
}

/// An argument of the call of the current task, a 32-bit one, before there is a write.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn multiplexed_argument(position: u64) -> u64 {
    let regs = registers();
    match current(regs) {
        Some(meant) => from_source(regs, meant, position),
        None => given(regs, position as u8 + 1),
    }
}

/// The result, where the call says at an address what it came to.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn multiplexed_result(ret: u64) -> u64 {
    let regs = registers();
    let Some(meant) = current(regs) else { return ret };
    let result = field!(meant.result);
    if result == 0 || ret != 0 {
        return ret;
    }
    user_or_zero::<u32>(given(regs, result)) as u64
}

/// Notes all arguments in the write where the call of this slot, of a 32-bit task, was made through another one, and says
/// by [`IS_MEANT`] and [`IS_OLD`] whether it was.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn multiplexed_note(room: u64, slot: u64) -> u64 {
    let Some(writer) = Writer::resume(room, 0) else { return 0 };
    let regs = registers();
    let Some(meant) = current(regs) else { return 0 };
    if field!(meant.slot) as u64 != slot {
        return 0;
    }
    let command = field!(meant.command) as u64;
    let mut how = IS_MEANT;
    for position in 0..6 {
        let mut value = from_source(regs, meant, position);
        if position + 1 == command {
            how |= if value & IPC_64 == 0 { IS_OLD } else { 0 };
            value &= !IPC_64;
        }
        writer.notes().set_argument(position as usize, value);
        how = writer.opaque(how);
    }
    how
}
