//! The last file that was seen at a number of a process, for calls that close one.

use core::ptr::{read_volatile, write_volatile};

use events::abi::{files::DESCRIPTORS, tables::role};

use super::table::field;
use crate::{context::current, hash, statics, user_memory::user_or_zero};

/// The last file that was seen at a number of a process.
#[repr(C)]
struct Last {
    table: u64,
    whose: u64,
    id: u64,
    check: u64,
}

impl Last {
    const EMPTY: Last = Last { table: 0, whose: 0, id: 0, check: 0 };
}

static mut LAST: [Last; DESCRIPTORS as usize] = [const { Last::EMPTY }; DESCRIPTORS as usize];

/// Counts, by table of descriptors, when many of them were closed at once: what was last seen there is not kept beyond that.
static mut CLEARED: [u64; TABLES as usize] = [0; TABLES as usize];

/// Tables that are told apart in [`CLEARED`]; those that share a place lose what they know together.
const TABLES: u32 = 1024;

#[inline(always)]
fn whose(tgid: u32, fd: u32) -> u64 {
    (tgid as u64) << 32 | fd as u64
}

#[inline(always)]
fn last(table: u64, whose: u64) -> *mut Last {
    let key = table ^ whose.wrapping_mul(hash::GOLDEN_RATIO);
    statics::element(&raw mut LAST, hash::bucket(key, DESCRIPTORS))
}

#[inline(always)]
pub fn remember(table: u64, tgid: u32, fd: u32, id: u64) {
    let whose = whose(tgid, fd);
    let last = last(table, whose);
    let check = table ^ whose ^ id ^ cleared(table);
    if field!(last.check) == check {
        return;
    }
    // SAFETY: an element of a static of the programs; what makes it valid is written last.
    unsafe {
        write_volatile(&raw mut (*last).check, 0);
        write_volatile(&raw mut (*last).table, table);
        write_volatile(&raw mut (*last).whose, whose);
        write_volatile(&raw mut (*last).id, id);
        write_volatile(&raw mut (*last).check, check);
    }
}

/// How often many descriptors of a table were closed at once, where no bits of numbers and addresses are in its way.
#[inline(always)]
fn cleared(table: u64) -> u64 {
    // SAFETY: an element of a static of the programs.
    unsafe { read_volatile(cleared_of(table)) }.wrapping_mul(hash::GOLDEN_RATIO)
}

#[inline(always)]
fn cleared_of(table: u64) -> *mut u64 {
    statics::element(&raw mut CLEARED, hash::bucket(table, TABLES))
}

/// The descriptors of the current task that a call has closed, or given anew, are not what was last seen at their numbers.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn descriptors_forget(role: u64, pair: u64) -> u64 {
    let task = current::<false>();
    let table = task.files().0 as u64;
    if role == role::CLOSES_RANGE as u64 {
        let cleared = cleared_of(table);
        // SAFETY: an element of a static of the programs; whichever of two increments is lost, the number changes.
        unsafe { write_volatile(cleared, read_volatile(cleared).wrapping_add(1)) };
        return 0;
    }
    let both: u64 = user_or_zero(pair);
    take_last(table, task.tgid(), both as u32);
    take_last(table, task.tgid(), (both >> 32) as u32);
    0
}

/// What was last seen at a descriptor that is now closed.
#[inline(always)]
pub fn take_last(table: u64, tgid: u32, fd: u32) -> u64 {
    let whose = whose(tgid, fd);
    let last = last(table, whose);
    let id = field!(last.id);
    if field!(last.table) != table || field!(last.whose) != whose || field!(last.check) != table ^ whose ^ id ^ cleared(table) {
        return 0;
    }
    // SAFETY: an element of a static of the programs.
    unsafe { write_volatile(&raw mut (*last).check, 0) };
    id
}
