//! The system call that a hook happens in.

use crate::{
    context::current,
    emit::config,
    registers::{Numbers, Regs, entry_registers},
};

/// What the current task called, and with what.
#[derive(Clone, Copy)]
pub struct Caller {
    pub number: i32,
    pub compat: bool,
    regs: Regs<false>,
}

impl Caller {
    #[inline(always)]
    pub fn current() -> Caller {
        let regs = if config!(modern) != 0 { entry_registers::<true>() } else { entry_registers::<false>() };
        Caller { number: regs.number(), compat: current::<false>().compat(), regs }
    }

    #[inline(always)]
    pub fn argument(self, position: usize) -> u64 {
        self.regs.argument(position, self.compat)
    }

    /// Whether it is in the system call of these numbers.
    #[inline(always)]
    pub fn is_in(self, call: Numbers) -> bool {
        call.is(self.number, self.compat)
    }
}
