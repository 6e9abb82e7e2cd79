//! Where `struct pt_regs` has what, and how calls are numbered: all that differs between architectures.
//!
//! One object is built for each: the feature `aarch64` chooses the other one.

use aya_ebpf::helpers::generated::bpf_task_pt_regs;
use events::catalogue::{self, Arch};

use crate::{
    context::current,
    emit::config,
    kernel::{address_of, probe},
    user_memory::user,
};

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

/// `struct pt_regs`, whose layout is part of the kernel's interface: see [`registers`].
#[derive(Clone, Copy)]
pub struct Regs<const TYPED: bool>(pub *const u8);

impl<const TYPED: bool> Regs<TYPED> {
    #[inline(always)]
    pub fn at<T: Copy>(self, offset: usize) -> T {
        if TYPED {
            // SAFETY: the verifier knows the type.
            unsafe { core::ptr::read_volatile(self.0.add(offset).cast()) }
        } else {
            probe(self.0.wrapping_add(offset))
        }
    }

    /// Read as wide as it is: the verifier lets no read go beyond a member.
    #[inline(always)]
    pub fn number(self) -> i32 {
        self.at::<Number>(NUMBER) as i32
    }

    #[inline(always)]
    pub fn result(self) -> i64 {
        self.at::<u64>(RESULT) as i64
    }

    #[inline(always)]
    pub fn argument(self, position: usize, compat: bool) -> u64 {
        if compat {
            self.at::<u64>(COMPAT_ARGUMENTS[position]) & 0xffff_ffff
        } else {
            self.at(ARGUMENTS[position])
        }
    }
}

/// The registers that the current task entered the kernel with.
#[inline(always)]
pub fn entry_registers<const TYPED: bool>() -> Regs<false> {
    if TYPED {
        let task = current::<true>();
        // SAFETY: the task is the current one.
        let regs = unsafe { bpf_task_pt_regs(task.0.cast_mut().cast()) } as *const u8;
        Regs(address_of(regs))
    } else {
        let task = current::<false>();
        Regs(task.stack().wrapping_add(config!(regs_offset) as usize))
    }
}

/// The flags and exit signal with which the current call makes a task; 0 where that is no call of the task's own.
#[inline(always)]
pub fn clone_flags<const TYPED: bool>() -> u64 {
    const SIGCHLD: u64 = 17;
    const CLONE_VM_VFORK: u64 = 0x4100;
    let regs = entry_registers::<TYPED>();
    let compat = current::<false>().compat();
    let number = regs.number();
    let is = |numbers: Numbers| numbers.is(number, compat);
    if is(numbers!("clone")) {
        regs.argument(0, compat)
    } else if is(numbers!("fork")) {
        SIGCHLD
    } else if is(numbers!("vfork")) {
        CLONE_VM_VFORK | SIGCHLD
    } else if is(numbers!("clone3")) {
        let arguments = regs.argument(0, compat);
        let exit_signal = user::<u64>(arguments.wrapping_add(32)).unwrap_or(0);
        user::<u64>(arguments).unwrap_or(0) | exit_signal & 0xff
    } else {
        0
    }
}
