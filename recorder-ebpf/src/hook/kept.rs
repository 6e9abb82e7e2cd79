//! What is known at the entry of a function, kept until it returns: for kernels without trampolines, and for functions that
//! change what they were given.

use core::ffi::c_void;

use aya_ebpf::{macros::map, maps::LruHashMap};
use events::abi::hooks::Hook;

use crate::{context::current, registers};

/// Which task is in which function.
#[derive(Clone, Copy)]
#[repr(C)]
struct Key {
    task: u64,
    hook: u64,
}

#[map]
static CALLS: LruHashMap<Key, [u64; 6]> = LruHashMap::with_max_entries(4096, 0);

/// Keeps the arguments of a function until it returns. An inner call of the same function takes the place, and the outer one
/// is counted as forgotten.
#[inline(always)]
pub fn remember(hook: Hook, ctx: *mut c_void) {
    // SAFETY: registers of the context, at the offsets of their kind.
    let register = |offset: usize| unsafe { core::ptr::read_volatile(ctx.cast::<u8>().add(offset).cast::<u64>()) };
    let of = |position: usize| register(registers::of_function(position));
    keep(hook, [of(0), of(1), of(2), of(3), of(4), of(5)]);
}

/// Keeps what is known at the entry of a function until it returns.
#[inline(always)]
pub fn keep(hook: Hook, words: [u64; 6]) {
    let key = Key { task: current::<false>().0 as u64, hook: hook as u64 };
    let _ = CALLS.insert(&key, &words, 0);
}

/// What an exit that was missed may have left is not for another call's.
#[inline(always)]
pub fn forget_kept(hook: Hook) {
    let _ = CALLS.remove(&Key { task: current::<false>().0 as u64, hook: hook as u64 });
}

/// Takes it back; of what inner calls have taken there is none.
#[inline(always)]
pub fn take_kept(hook: Hook) -> Option<[u64; 2]> {
    let key = Key { task: current::<false>().0 as u64, hook: hook as u64 };
    let kept: *const u64 = CALLS.get_ptr(&key)?.cast();
    // SAFETY: an element of the map, which is no less while it is read.
    let words = unsafe { [core::ptr::read_volatile(kept), core::ptr::read_volatile(kept.add(1))] };
    let _ = CALLS.remove(&key);
    Some(words)
}

/// Takes the arguments of a function that returns. Those of a call around an inner one are gone: they are not the inner one's.
#[inline(always)]
pub fn recall(hook: Hook) -> Option<[u64; 6]> {
    let key = Key { task: current::<false>().0 as u64, hook: hook as u64 };
    let kept: *const u64 = CALLS.get_ptr(&key)?.cast();
    // SAFETY: elements of the map's value, which is no less while they are read.
    let word = |at: usize| unsafe { core::ptr::read_volatile(kept.add(at)) };
    let arguments = [word(0), word(1), word(2), word(3), word(4), word(5)];
    let _ = CALLS.remove(&key);
    Some(arguments)
}
