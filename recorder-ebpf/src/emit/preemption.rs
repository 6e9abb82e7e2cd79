//! Keeping other tasks off the CPU while a program writes.
//!
//! Until 6.19 tracepoints ran their programs with preemption disabled; from 7.0 on they do not, and trampolines never did.
//! A program that is preempted in the middle of a record keeps the room that it writes in, and the kernel itself leaves out
//! every other task's run of the same program on that CPU. So programs disable preemption where the kernel has functions
//! for it, and lets global functions be called meanwhile (6.15 and later). Elsewhere rooms are claimed: see
//! [`super::Writer::reserve`].

use events::abi::tables::{PREEMPT_DISABLE_MARK, PREEMPT_ENABLE_MARK};

use super::config;

/// While it is there, nothing but interrupts runs on this CPU beside the program.
#[must_use]
pub struct Undisturbed;

impl Undisturbed {
    #[inline(always)]
    pub fn begin() -> Undisturbed {
        if config!(disables_preemption) != 0 {
            // SAFETY: the recorder puts the number of the kernel's function here, or the verifier sees that it is never
            // called.
            unsafe {
                let disable: unsafe extern "C" fn() = core::mem::transmute(PREEMPT_DISABLE_MARK as usize);
                disable();
            }
        }
        Undisturbed
    }
}

/// The same in programs on tracepoints, where the kernel itself does it before 7.0.
#[must_use]
pub struct UndisturbedTracepoint;

impl UndisturbedTracepoint {
    #[inline(always)]
    pub fn begin() -> UndisturbedTracepoint {
        if config!(preempts_tracepoints) != 0 {
            core::mem::forget(Undisturbed::begin());
        }
        UndisturbedTracepoint
    }
}

impl Drop for UndisturbedTracepoint {
    #[inline(always)]
    fn drop(&mut self) {
        if config!(preempts_tracepoints) != 0 {
            drop(Undisturbed);
        }
    }
}

impl Drop for Undisturbed {
    #[inline(always)]
    fn drop(&mut self) {
        if config!(disables_preemption) != 0 {
            // SAFETY: as above.
            unsafe {
                let enable: unsafe extern "C" fn() = core::mem::transmute(PREEMPT_ENABLE_MARK as usize);
                enable();
            }
        }
    }
}
