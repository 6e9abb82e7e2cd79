//! Memory of the task: numbers that are read there, and addresses of sockets that are appended from there.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_user;
use events::abi::form;

use crate::emit::Writer;

/// Reads a value of user space; `None` when it cannot be read.
#[inline(always)]
pub fn user<T: Copy>(address: u64) -> Option<T> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the helper writes all of the value; T is a number.
    unsafe {
        (bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _) == 0)
            .then(|| value.assume_init())
    }
}

/// A value of the task's memory; zero when it cannot be read. Without a branch, of which the verifier would follow both.
#[inline(always)]
pub fn user_or_zero<T: Copy>(address: u64) -> T {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the helper writes all of the value, zeroes where the address is bad; T is a number.
    unsafe {
        bpf_probe_read_user(value.as_mut_ptr().cast(), size_of::<T>() as u32, address as *const _);
        value.assume_init()
    }
}

/// Appends an address of user space, a `struct sockaddr` of so many bytes. False when it cannot be read.
#[inline(always)]
pub fn user_address(writer: &mut Writer, arg: u8, address: u64, length: u64) -> bool {
    const LARGEST: u64 = 128;
    let length = writer.opaque(if length > LARGEST { LARGEST } else { length }) & 0xff;
    let length = if length > LARGEST { LARGEST } else { length };
    // SAFETY: at most 128 bytes, which the slack holds.
    let failed = unsafe {
        bpf_probe_read_user(writer.blob_bytes().cast(), length as u32, address as *const _) != 0
    };
    if !failed {
        writer.end_blob(arg, form::PLAIN, length as u32);
    }
    !failed
}
