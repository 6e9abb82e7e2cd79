//! Calls of numbers that the catalogue does not know: newer than it, of an ABI that this kernel is built without, or of
//! no kernel at all.

use events::abi::{bits, hooks::Hook};

use super::{process, syscalls::entry_registers};
use crate::{context::current, emit::config, hook::wants};

/// Records the call that returns, when that is wanted.
///
/// A global function: it is called from the exit of every system call, which has little stack to spare.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn unknown_call(number: u64, ret: u64) -> u64 {
    if !wants(Hook::UnknownSyscall) {
        return 0;
    }
    let regs = if config!(modern) != 0 { entry_registers::<true>() } else { entry_registers::<false>() };
    let compat = current::<false>().compat();
    process::record_result(Hook::UnknownSyscall, ret as i64, |writer, started| {
        writer.set_word(started, 0, number);
        for position in 0..6 {
            writer.set_word(started, position + 1, regs.argument(position, compat));
        }
        if compat { bits::COMPAT } else { 0 }
    });
    0
}
