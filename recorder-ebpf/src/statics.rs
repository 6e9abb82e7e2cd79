//! Tables that are the programs' own memory: a map's elements are found by a function that compares the index with their
//! number in memory, the elements of these by arithmetic.
//!
//! Kernels before 5.11 give such memory 4 MiB for all tables together.

use core::arch::asm;

/// The element of a table at an index, of which as many bits count as there are elements, a power of two.
#[inline(always)]
pub fn element<T, const COUNT: usize>(table: *mut [T; COUNT], index: u32) -> *mut T {
    const { assert!(COUNT.is_power_of_two()) };
    let mut index = index as u64;
    // SAFETY: arithmetic. Written out, for the compiler may know that it is within, and the verifier not.
    unsafe { asm!("{0} &= {1}", inout(reg) index, const COUNT as i32 - 1, options(pure, nomem, nostack)) };
    table.cast::<T>().wrapping_add(index as usize)
}
