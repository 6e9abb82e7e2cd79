//! Programs that run when a function of the kernel does. The same bytes are loaded as fentry, LSM or kprobe program, as
//! the recorder finds that this kernel takes them: it renames the section that says which.

use core::ffi::c_void;

use events::abi::hooks::Hook;

use crate::{
    emit::config,
    kernel::probe,
    registers,
};

mod caller;
mod kept;

pub use caller::Caller;
pub use kept::{forget_kept, keep, recall, remember, take_kept};

/// Defines a program that runs at the entry of a function; the body gets the [`Called`].
macro_rules! on_entry {
    ($program:ident, $body:expr) => {
        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("fentry/", stringify!($program)))]
        pub extern "C" fn $program(ctx: *mut core::ffi::c_void) -> i32 {
            let body: fn($crate::hook::Called) -> Option<()> = $body;
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            body($crate::hook::Called(ctx));
            0
        }
    };
}
pub(crate) use on_entry;

/// Defines a program that runs at the exit of a function of so many arguments, and for kernels without trampolines a
/// pair that remembers the arguments at the entry. The body gets the [`Returned`].
macro_rules! on_exit {
    ($program:ident, $enter:ident, $leave:ident, $arguments:literal, $hook:expr, $body:path) => {
        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("fexit/", stringify!($program)))]
        pub extern "C" fn $program(ctx: *mut core::ffi::c_void) -> i32 {
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            $body($crate::hook::Returned::from_trampoline::<$arguments>(ctx));
            0
        }

        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("kprobe/", stringify!($enter)))]
        pub extern "C" fn $enter(ctx: *mut core::ffi::c_void) -> i32 {
            $crate::hook::remember($hook, ctx);
            0
        }

        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("kretprobe/", stringify!($leave)))]
        pub extern "C" fn $leave(ctx: *mut core::ffi::c_void) -> i32 {
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            match $crate::hook::recall($hook) {
                Some(arguments) => {
                    $body($crate::hook::Returned::from_probe(&arguments, ctx));
                }
                None => $crate::emit::count_forgotten($hook as u64),
            }
            0
        }
    };
}
pub(crate) use on_exit;

/// Defines programs that run at the entry and at the exit of a function, of which the second needs nothing but what the
/// first has kept; the last one is for kernels without trampolines.
macro_rules! around {
    ($program:ident, $enter:ident, $leave:ident, $before:expr, $after:path) => {
        $crate::hook::on_entry!($enter, $before);

        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("fexit/", stringify!($program)))]
        pub extern "C" fn $program(_ctx: *mut core::ffi::c_void) -> i32 {
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            $after();
            0
        }

        #[unsafe(no_mangle)]
        #[unsafe(link_section = concat!("kretprobe/", stringify!($leave)))]
        pub extern "C" fn $leave(_ctx: *mut core::ffi::c_void) -> i32 {
            let _undisturbed = $crate::emit::preemption::Undisturbed::begin();
            $after();
            0
        }
    };
}
pub(crate) use around;

/// Whether a hook's event is to be recorded.
#[inline(always)]
pub fn wants(hook: Hook) -> bool {
    let number = hook as usize;
    // SAFETY: a static of this program, and the index is within.
    let bits = unsafe {
        core::ptr::read_volatile((&raw const crate::emit::CONFIG.hooks).cast::<u64>().add(number / 64))
    };
    bits >> (number % 64) & 1 != 0
}

/// Whether it is recorded while others are refused.
#[inline(always)]
pub fn is_vital(hook: u64) -> bool {
    let hook = hook & 127;
    // SAFETY: a static of this program, and the index is within.
    let bits = unsafe {
        core::ptr::read_volatile((&raw const crate::emit::CONFIG.vital_hooks).cast::<u64>().add((hook >> 6) as usize))
    };
    bits >> (hook & 63) & 1 != 0
}

/// A function that is being called.
#[derive(Clone, Copy)]
pub struct Called(pub *mut c_void);

impl Called {
    /// The number that is the argument at this position, 0 to 5.
    #[inline(always)]
    pub fn number<const POSITION: usize>(self) -> u64 {
        // Two loads, each with its offset in the instruction: the compiler would make one of them, with an offset that
        // the verifier does not take.
        let number: u64;
        // SAFETY: within the context of either kind of program.
        unsafe {
            if config!(kprobes) != 0 {
                core::arch::asm!("{0} = *(u64 *)({1} + {2})", out(reg) number, in(reg) self.0, const registers::OF_FUNCTION[POSITION]);
            } else {
                core::arch::asm!("{0} = *(u64 *)({1} + {2})", out(reg) number, in(reg) self.0, const POSITION as i32 * 8);
            }
        }
        number
    }

    /// The same of an address. Read as any memory is: before 5.17 verifiers let no program load a pointer to a number from
    /// its context, and of one that they do let it load they would know the type.
    #[inline(always)]
    pub fn pointer<const POSITION: usize>(self) -> *const u8 {
        let offset = if config!(kprobes) != 0 { registers::of_function(POSITION) } else { POSITION * 8 };
        probe(self.0.cast::<u8>().cast_const().wrapping_add(offset))
    }
}

/// A function that has returned: its arguments as they were at its entry, and its result.
#[derive(Clone, Copy)]
pub struct Returned<const TRAMPOLINE: bool> {
    arguments: *const u64,
    pub result: i64,
}

impl Returned<true> {
    /// The context has the arguments, then the result.
    #[inline(always)]
    pub fn from_trampoline<const ARGUMENTS: usize>(ctx: *mut c_void) -> Returned<true> {
        let arguments: *const u64 = ctx.cast();
        // SAFETY: within the context.
        let result = unsafe { core::ptr::read_volatile(arguments.add(ARGUMENTS)) as i64 };
        Returned { arguments, result }
    }
}

impl Returned<false> {
    /// The arguments are those that were kept, the result is a register.
    #[inline(always)]
    pub fn from_probe(arguments: &[u64; 6], ctx: *mut c_void) -> Returned<false> {
        // SAFETY: a register of the context.
        let result = unsafe { core::ptr::read_volatile(ctx.cast::<u8>().add(registers::RESULT).cast()) };
        Returned { arguments: arguments.as_ptr(), result }
    }
}

impl<const TRAMPOLINE: bool> Returned<TRAMPOLINE> {
    /// From the context it is read as in [`Called::pointer`].
    #[inline(always)]
    pub fn argument<const POSITION: usize>(&self) -> u64 {
        let place = self.arguments.wrapping_add(POSITION);
        // SAFETY: one of the kept arguments.
        if TRAMPOLINE { probe(place.cast()) } else { unsafe { core::ptr::read_volatile(place) } }
    }

    #[inline(always)]
    pub fn pointer<const POSITION: usize>(&self) -> *const u8 {
        self.argument::<POSITION>() as *const u8
    }
}
