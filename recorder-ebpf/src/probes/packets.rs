//! Packets, as the programs of the root control group see them: from the IP header on, in both directions.
//!
//! These programs can be preempted and interrupted, so they use nothing of the CPU's own: their records go to a ring
//! buffer, which is the kernel's to lock. A packet costs more than that anyway.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{
        bpf_get_smp_processor_id, bpf_get_socket_cookie, bpf_ktime_get_ns, bpf_ringbuf_discard, bpf_ringbuf_query,
        bpf_ringbuf_reserve, bpf_ringbuf_submit, bpf_skb_load_bytes,
    },
    macros::{cgroup_skb, map},
    maps::RingBuf,
    programs::SkBuffContext,
};
use events::abi::{
    BLOB_HEADER_BYTES, BlobHeader, HEADER_BYTES, RecordHeader, bits, form, hooks::Hook, kind, region::PACKET_HEADERS,
};

use super::owners;
use crate::emit::{config, count_lost, is_asleep};

/// The recorder sets the size.
#[map]
static PACKETS: RingBuf = RingBuf::with_byte_size(4096, 0);

const WORDS: usize = 5;
const FIXED: usize = HEADER_BYTES + WORDS * 8 + BLOB_HEADER_BYTES;

/// The header of IPv4.
const SHORTEST: u32 = 20;

const INGRESS: u64 = 0;
const EGRESS: u64 = 1;
const PASS: i32 = 1;

#[cgroup_skb(ingress)]
pub fn packet_in(ctx: SkBuffContext) -> i32 {
    packet(&ctx, INGRESS);
    PASS
}

#[cgroup_skb(egress)]
pub fn packet_out(ctx: SkBuffContext) -> i32 {
    packet(&ctx, EGRESS);
    PASS
}

#[inline(always)]
fn packet(ctx: &SkBuffContext, direction: u64) {
    let whole = ctx.len();
    // SAFETY: the context that the program got.
    let cookie = unsafe { bpf_get_socket_cookie(ctx.as_ptr()) };
    let Some(owner) = owners::of(cookie) else { return };
    // The settings are frozen, so the verifier takes this for a constant.
    let bound = config!(snaplen) + PACKET_HEADERS;
    let room = FIXED as u64 + (bound as u64 + 7 & !7);
    // SAFETY: what is reserved is written within its size, and given back on all ways.
    unsafe {
        let ring = (&raw const PACKETS).cast_mut().cast();
        let record: *mut u8 = bpf_ringbuf_reserve(ring, room, 0).cast();
        if record.is_null() {
            count_lost(Hook::Packet.slot());
            return;
        }
        let bytes = record.add(FIXED);
        let loaded = if whole > bound { bound } else { whole };
        // Shorter ones there are none. Verifiers before 6.5 do not learn from a comparison with 0 that it is more.
        if loaded < SHORTEST || bpf_skb_load_bytes(ctx.as_ptr(), 0, bytes.cast(), loaded) != 0 {
            count_lost(Hook::Packet.slot());
            bpf_ringbuf_discard(record.cast(), NO_WAKEUP);
            return;
        }
        let wanted = headers(bytes) + config!(snaplen);
        let kept = if loaded > wanted { wanted } else { loaded };
        let words = record.add(HEADER_BYTES).cast::<u64>();
        *words = 0;
        *words.add(1) = whole as u64;
        *words.add(2) = direction;
        *words.add(3) = (*ctx.skb.skb).ifindex as u64;
        *words.add(4) = cookie;
        *record.add(FIXED - BLOB_HEADER_BYTES).cast::<BlobHeader>() =
            BlobHeader { length: kept, arg: 0, form: form::PLAIN, place: 0 };
        *record.cast::<RecordHeader>() = RecordHeader {
            time_ns: bpf_ktime_get_ns(),
            // What was reserved beyond it was never written.
            length: FIXED as u32 + (kept + 7 & !7),
            slot: Hook::Packet.slot(),
            kind: kind::EVENT,
            words: WORDS as u8,
            context: owner.context,
            ret: 0,
            marks: if whole > kept { bits::TRUNCATED | 1 << bits::CUT_ARG_SHIFT } else { 0 },
            cpu: bpf_get_smp_processor_id() as u16,
            more: 0,
        };
        const AVAILABLE: u64 = 0;
        const SIZE: u64 = 1;
        let is_filling = bpf_ringbuf_query(ring, AVAILABLE) > bpf_ringbuf_query(ring, SIZE) / 4;
        bpf_ringbuf_submit(record.cast(), if is_filling && is_asleep() { FORCE_WAKEUP } else { NO_WAKEUP });
    }
}

const NO_WAKEUP: u64 = 1;
const FORCE_WAKEUP: u64 = 2;

/// Bytes of the packet's headers, at most [`PACKET_HEADERS`]. What does not parse has the smallest.
///
/// # Safety
/// `PACKET_HEADERS` bytes can be read; those after the packet's end are anything, and only make it keep what there is.
#[inline(always)]
unsafe fn headers(bytes: *const u8) -> u32 {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    // SAFETY: at most 60 + 12 bytes in.
    unsafe {
        let first = *bytes;
        let (network, protocol) = if first >> 4 == 6 {
            (40, *bytes.add(6))
        } else {
            ((first & 0xf) as u32 * 4, *bytes.add(9))
        };
        let transport = match protocol {
            TCP => (*bytes.add(network as usize + 12) >> 4) as u32 * 4,
            UDP => 8,
            _ => 8,
        };
        network + transport
    }
}
