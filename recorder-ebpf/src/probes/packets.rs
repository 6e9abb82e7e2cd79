//! Packets, as the programs of the root control group see them: from the IP header on, in both directions.
//!
//! These programs can be preempted, so they use nothing of the CPU's own: their records go to the ring buffer.

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{
        bpf_get_smp_processor_id, bpf_get_socket_cookie, bpf_ktime_get_ns, bpf_ringbuf_discard, bpf_ringbuf_reserve,
        bpf_ringbuf_submit, bpf_skb_load_bytes,
    },
    macros::cgroup_skb,
    programs::SkBuffContext,
};
use events::abi::{BLOB_HEADER_BYTES, BlobHeader, HEADER_BYTES, RecordHeader, bits, form, hooks::Hook, kind};

use super::sockets::OWNERS;
use crate::emit::{DOOR, config};

const WORDS: usize = 5;
const FIXED: usize = HEADER_BYTES + WORDS * 8 + BLOB_HEADER_BYTES;

const INGRESS: u64 = 0;
const EGRESS: u64 = 1;
const PASS: i32 = 1;

#[cgroup_skb]
pub fn packet_in(ctx: SkBuffContext) -> i32 {
    packet(&ctx, INGRESS);
    PASS
}

#[cgroup_skb]
pub fn packet_out(ctx: SkBuffContext) -> i32 {
    packet(&ctx, EGRESS);
    PASS
}

#[inline(always)]
fn packet(ctx: &SkBuffContext, direction: u64) {
    let skb = ctx.skb.skb;
    let whole = ctx.len();
    let bound = config!(snaplen);
    // A size that the verifier takes for a constant, since the settings are frozen.
    let room = FIXED as u64 + (bound as u64 + 7 & !7);
    // SAFETY: what is reserved is written within its size, and given back on all ways.
    unsafe {
        let record: *mut u8 = bpf_ringbuf_reserve((&raw const DOOR).cast_mut().cast(), room, 0).cast();
        if record.is_null() {
            crate::emit::count_lost(Hook::Packet.slot());
            return;
        }
        let mut kept = if whole > bound { bound } else { whole };
        if kept == 0 || bpf_skb_load_bytes(ctx.as_ptr(), 0, record.add(FIXED).cast(), kept) != 0 {
            kept = 0;
        }
        let sock = (*skb).__bindgen_anon_2.sk;
        let address = sock as u64;
        let owner = if address == 0 { 0 } else { OWNERS.get(&address).copied().unwrap_or(0) };
        let words = record.add(HEADER_BYTES).cast::<u64>();
        *words = 0;
        *words.add(1) = whole as u64;
        *words.add(2) = direction;
        *words.add(3) = (*skb).ifindex as u64;
        *words.add(4) = if address == 0 { 0 } else { bpf_get_socket_cookie(ctx.as_ptr()) };
        *record.add(FIXED - BLOB_HEADER_BYTES).cast::<BlobHeader>() =
            BlobHeader { length: kept, arg: 0, form: form::PLAIN, spare: 0 };
        let cut = if whole > bound { bits::TRUNCATED | 1 << bits::CUT_ARG_SHIFT } else { 0 };
        *record.cast::<RecordHeader>() = RecordHeader {
            time_ns: bpf_ktime_get_ns(),
            // What was reserved beyond it was never written.
            length: FIXED as u32 + (kept + 7 & !7),
            slot: Hook::Packet.slot(),
            kind: kind::EVENT,
            words: WORDS as u8,
            context: owner,
            ret: 0,
            marks: cut,
            cpu: bpf_get_smp_processor_id() as u16,
            more: 0,
        };
        if kept == 0 {
            bpf_ringbuf_discard(record.cast(), 1);
        } else {
            bpf_ringbuf_submit(record.cast(), 1);
        }
    }
}
