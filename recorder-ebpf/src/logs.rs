//! Messages for logs: of what a program sends to syslog, the journal or audit more is kept than of other buffers, for their
//! lines are asked for as a whole.

use aya_ebpf::helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user};
use events::{
    abi::{
        files::{found, id, log},
        linux::AF_UNIX,
    },
    capture::op,
};

use crate::{
    capture::{Tag, capture_of},
    emit::{Started, Writer},
    kernel::UnixAddress,
    user_memory::user_or_zero,
};

/// As much of a `struct sockaddr_un` as tells a log from other sockets: its family and 22 bytes of its path, zeroes behind
/// its end.
type Address = [u64; 3];
const ADDRESS_BYTES: u32 = 24;

/// Whether a socket of this address is one of a log: `/dev/log`, or in `/run/systemd/journal` or a namespace's
/// `/run/systemd/journal.NAMESPACE`.
#[inline(always)]
fn is_log(address: &Address) -> bool {
    const FAMILY: u64 = AF_UNIX as u64;
    const fn start(path: &[u8; 6]) -> u64 {
        let [a, b, c, d, e, f] = *path;
        u64::from_le_bytes([FAMILY as u8, 0, a, b, c, d, e, f])
    }
    const DEV_LOG: [u64; 2] = [start(b"/dev/l"), u64::from_le_bytes(*b"og\0\0\0\0\0\0")];
    const JOURNAL: [u64; 3] =
        [start(b"/run/s"), u64::from_le_bytes(*b"ystemd/j"), u64::from_le_bytes(*b"ournal\0\0")];
    const THREE_BYTES: u64 = (1 << 24) - 1;
    const SIX_BYTES: u64 = (1 << 48) - 1;
    let [first, second, third] = *address;
    if first == DEV_LOG[0] {
        return second & THREE_BYTES == DEV_LOG[1];
    }
    let behind = (third >> 48) as u8;
    first == JOURNAL[0]
        && second == JOURNAL[1]
        && third & SIX_BYTES == JOURNAL[2]
        && (behind == b'/' || behind == b'.')
}

#[inline(always)]
fn least(length: u32) -> u32 {
    if length > ADDRESS_BYTES { ADDRESS_BYTES } else { length }
}

/// Whether the address that a socket is bound to is one of a log.
#[inline(always)]
pub fn is_log_of_kernel(of: UnixAddress<false>) -> bool {
    if of.is_null() {
        return false;
    }
    let mut address: Address = [0; 3];
    // SAFETY: at most as many bytes as there are.
    let failed = unsafe {
        bpf_probe_read_kernel((&raw mut address).cast(), least(of.length()), of.name().cast()) != 0
    };
    !failed && is_log(&address)
}

/// The same of an address in the task's memory.
#[inline(always)]
fn is_log_of_user(pointer: u64, length: u32) -> bool {
    let mut address: Address = [0; 3];
    // SAFETY: as above.
    let failed =
        unsafe { bpf_probe_read_user((&raw mut address).cast(), least(length), pointer as *const _) != 0 };
    pointer != 0 && !failed && is_log(&address)
}

/// Keeps more of the call's buffers if what it sends is for a log: by the socket that its descriptor is, or by the address
/// that it gives. Of several messages (`sendmmsg`) the first one's address counts for all.
///
/// A global function, of numbers only: the verifier looks at it once.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn logs_widen(tag: u64, at: u64, started: u64) -> u64 {
    let Some(writer) = Writer::resume(Tag(tag).room(), at) else { return 0 };
    let of_descriptor = writer.notes().found(found::FIRST) >> id::LOG_SHIFT;
    let bytes = if of_descriptor == log::AUDIT {
        log::AUDIT_BYTES
    } else if of_descriptor == log::MESSAGES || names_log(&writer, tag, Started(started)) {
        log::MESSAGE_BYTES
    } else {
        return 0;
    };
    writer.widen_buffers(bytes);
    0
}

/// Whether the call itself says that it sends to a log.
#[inline(always)]
fn names_log(writer: &Writer, tag: u64, started: Started) -> bool {
    const ADDRESS: u64 = 4;
    let (slot, is_narrow) = (Tag(tag).slot(), Tag(tag).is_compat());
    let second = writer.word(started, 1);
    let kind = capture_of(slot, 1).op;
    if kind == op::MSGHDR {
        // A message begins with its address and the length of that.
        let pointer: u64 = if is_narrow { user_or_zero::<u32>(second) as u64 } else { user_or_zero(second) };
        let length: u32 = user_or_zero(second.wrapping_add(if is_narrow { 4 } else { 8 }));
        is_log_of_user(pointer, length)
    } else if kind == op::BYTES && capture_of(slot, ADDRESS as u32).op == op::BYTES {
        is_log_of_user(writer.word(started, ADDRESS), writer.word(started, ADDRESS + 1) as u32)
    } else {
        false
    }
}
