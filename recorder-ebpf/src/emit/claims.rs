//! Who has a room: by a plain word where nothing but an interrupt can come between, by a counter elsewhere.

use core::ptr::{read_volatile, write_volatile};

use events::abi::region::{RegionHeader, WriteState, room};

use super::{config, counters::add};

/// Takes the data for a write; false when somebody writes there.
///
/// Where programs cannot be preempted, who interrupts another one ends before that goes on: a plain word is enough, and
/// whoever finds it 0 finds the data free until it is done. Elsewhere it is claimed.
#[inline(always)]
pub unsafe fn take_data(region: *mut RegionHeader) -> bool {
    // SAFETY: fields of a map value.
    unsafe {
        if config!(disables_preemption) == 0 {
            return claim(claims_of(region, room::DATA));
        }
        let is_free = read_volatile(&raw const (*region).nest) == 0;
        if is_free {
            write_volatile(&raw mut (*region).nest, 1);
        }
        is_free
    }
}

#[inline(always)]
pub unsafe fn give_back_data(region: *mut RegionHeader) {
    // SAFETY: as above.
    unsafe {
        if config!(disables_preemption) == 0 {
            give_back(claims_of(region, room::DATA));
        } else {
            write_volatile(&raw mut (*region).nest, 0);
        }
    }
}

/// Takes the room for a write that interrupts one of the data.
#[inline(always)]
pub unsafe fn take_nested(region: *mut RegionHeader) -> bool {
    // SAFETY: as above.
    unsafe {
        if config!(disables_preemption) == 0 {
            return claim(claims_of(region, room::NESTED));
        }
        let is_free = read_volatile(&raw const (*region).nest) == 1;
        if is_free {
            write_volatile(&raw mut (*region).nest, 2);
        }
        is_free
    }
}

#[inline(always)]
pub unsafe fn give_back_nested(region: *mut RegionHeader) {
    // SAFETY: as above.
    unsafe {
        if config!(disables_preemption) == 0 {
            give_back(claims_of(region, room::NESTED));
        } else {
            write_volatile(&raw mut (*region).nest, 1);
        }
    }
}

/// Claims a room by its counter. Who has added to the counter and then reads 1 is alone, and whoever comes later reads more; who reads
/// more takes back what it added, and no more than that. So it does not matter where in it a program is preempted: two
/// that come at once may both go without, but never both have it, and it is free again when both have gone. No instruction
/// that older kernels lack.
///
/// # Safety
/// It is a pointer to a word of a map value.
#[inline(always)]
pub unsafe fn claim(claims: *mut u64) -> bool {
    // SAFETY: the caller's pointer is to a map value.
    unsafe {
        add(claims, 1);
        let is_mine = read_volatile(claims) == 1;
        if !is_mine {
            give_back(claims);
        }
        is_mine
    }
}

/// # Safety
/// As for [`claim`], which has been true for it.
#[inline(always)]
pub unsafe fn give_back(claims: *mut u64) {
    // SAFETY: by the caller's word.
    unsafe { add(claims, u64::MAX) };
}

#[inline(always)]
unsafe fn claims_of(region: *mut RegionHeader, room: u64) -> *mut u64 {
    // SAFETY: a field of a map value.
    unsafe { &raw mut (*(&raw mut (*region).writes).cast::<WriteState>().add(room as usize)).claims }
}
