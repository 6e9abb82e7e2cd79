//! Where `struct pt_regs` has what, and how calls are numbered: all that differs between architectures.
//!
//! One object is built for each: the feature `aarch64` chooses the other one.

use events::catalogue::{self, Arch};

#[cfg(not(feature = "aarch64"))]
mod machine {
    use super::Arch;

    pub const ARCH: Arch = Arch::X86_64;
    pub const IS_AARCH64: bool = false;

    /// Arguments of a system call: rdi, rsi, rdx, r10, r8, r9.
    pub const ARGUMENTS: [usize; 6] = [112, 104, 96, 56, 72, 64];
    /// The same of a 32-bit task: ebx, ecx, edx, esi, edi, ebp.
    pub const COMPAT_ARGUMENTS: [usize; 6] = [40, 88, 96, 104, 112, 32];
    /// rax.
    pub const RESULT: usize = 80;
    /// `orig_ax`.
    pub type Number = u64;
    pub const NUMBER: usize = 120;
    /// Arguments of a function: rdi, rsi, rdx, rcx, r8, r9.
    pub const OF_FUNCTION: [i32; 6] = [112, 104, 96, 88, 72, 64];
}

#[cfg(feature = "aarch64")]
mod machine {
    use super::Arch;

    pub const ARCH: Arch = Arch::Aarch64;
    pub const IS_AARCH64: bool = true;

    /// Arguments of a system call: `orig_x0` behind `struct user_pt_regs`, for x0 is the result, then x1 to x5.
    pub const ARGUMENTS: [usize; 6] = [272, 8, 16, 24, 32, 40];
    /// 32-bit tasks have the same registers, of which the upper halves are nothing.
    pub const COMPAT_ARGUMENTS: [usize; 6] = ARGUMENTS;
    /// x0.
    pub const RESULT: usize = 0;
    /// `syscallno`.
    pub type Number = i32;
    pub const NUMBER: usize = 280;
    /// x0 to x5.
    pub const OF_FUNCTION: [i32; 6] = [0, 8, 16, 24, 32, 40];
}

pub use machine::{ARGUMENTS, COMPAT_ARGUMENTS, IS_AARCH64, NUMBER, Number, OF_FUNCTION, RESULT};

/// Where a function's arguments are, for those that read them without a pointer that the verifier knows.
pub const fn of_function(position: usize) -> usize {
    OF_FUNCTION[position] as usize
}

/// The numbers of one system call: native, and for 32-bit tasks. Of a call that there is not, one that no task can give.
#[derive(Clone, Copy)]
pub struct Numbers {
    pub native: i32,
    pub compat: i32,
}

impl Numbers {
    /// Worked out by the compiler: no name is left in the programs.
    pub const fn of(name: &str) -> Numbers {
        const NONE: i32 = i32::MIN;
        let native = match catalogue::number(machine::ARCH, name) {
            Some(number) => number as i32,
            None => NONE,
        };
        let compat = match catalogue::number(Arch::I386, name) {
            Some(number) if matches!(machine::ARCH, Arch::X86_64) => number as i32,
            _ => NONE,
        };
        Numbers { native, compat }
    }

    #[inline(always)]
    pub fn is(self, number: i32, compat: bool) -> bool {
        if compat { number == self.compat } else { number == self.native }
    }
}

/// The numbers of the call of this name, as a constant.
macro_rules! numbers {
    ($name:literal) => {
        const { $crate::registers::Numbers::of($name) }
    };
}
pub(crate) use numbers;
