//! The one unsafe step of the workload: a system call with registers as they are given.

use std::ffi::CStr;

/// What goes into a register.
pub trait Word {
    fn word(self) -> usize;
}

macro_rules! words {
    ($($number:ty),*) => { $(impl Word for $number {
        fn word(self) -> usize {
            self as usize
        }
    })* };
}

words!(i32, u32, i64, u64, usize, u16, u8);

impl<T> Word for *const T {
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

impl<T> Word for *mut T {
    fn word(self) -> usize {
        self.expose_provenance()
    }
}

impl<T> Word for &T {
    fn word(self) -> usize {
        (&raw const *self).expose_provenance()
    }
}

impl<T> Word for &mut T {
    fn word(self) -> usize {
        (&raw mut *self).expose_provenance()
    }
}

impl Word for &CStr {
    fn word(self) -> usize {
        self.as_ptr().expose_provenance()
    }
}

/// A null pointer.
pub const NULL: usize = 0;

/// Makes the call; -1 when it failed.
pub fn enter(number: i64, args: &[usize]) -> i64 {
    let at = |position: usize| args.get(position).copied().unwrap_or(0);
    // SAFETY: every pointer that the workload passes is null, or a page that it never maps, or to memory that lives
    // until after the call and is as long as the call's other arguments say; what a call may do to the process besides
    // (its memory map, descriptors, ids) stays within what the workload made itself. No other thread runs, except
    // where `processes` starts some, and those touch their own memory only.
    unsafe { libc::syscall(number, at(0), at(1), at(2), at(3), at(4), at(5)) }
}

/// `call!(SYS_close, fd)`: the call of that name in `libc`.
macro_rules! call {
    ($name:ident $(, $arg:expr)* $(,)?) => {
        $crate::workload::raw::enter(libc::$name, &[$($crate::workload::raw::Word::word($arg)),*])
    };
}

/// `numbered!(451, fd)`: a call that `libc` has no name for yet.
macro_rules! numbered {
    ($number:expr $(, $arg:expr)* $(,)?) => {
        $crate::workload::raw::enter($number, &[$($crate::workload::raw::Word::word($arg)),*])
    };
}

pub(super) use {call, numbered};
