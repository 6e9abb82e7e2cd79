//! Where a write is put together: at the head of the CPU's data, in a room for those that interrupt others, or at a desk
//! of a hook's own. From its beginning, over the global functions that go on with it, to its commit.

use core::{
    arch::asm,
    ptr::{read_volatile, write_volatile},
    sync::atomic::{Ordering, compiler_fence},
};

use aya_ebpf::helpers::generated::{
    bpf_get_smp_processor_id, bpf_ktime_get_ns, bpf_ringbuf_output, bpf_ringbuf_query,
};
use events::abi::region::{DATA_OFFSET, LARGEST_WRITE, ROOM_BYTES, RegionHeader, WriteState, room};

use super::{DOOR, RING, TAILS, Writer, config, count_drop, ring_when_asleep, within};
use crate::context::context_send;

/// The place in a region where a write begins; null when that is beyond the last place where one may.
///
/// Written out, for verifiers before 6.4 forget what they have seen a number compared with when the compiler keeps it in
/// memory before it adds it.
#[inline(always)]
fn place(region: *mut RegionHeader, start: u64, last: u64) -> *mut u8 {
    let mut place: *mut u8 = region.cast();
    // SAFETY: arithmetic, and jumps within it.
    unsafe {
        asm!(
            "if {start} > {last} goto +2",
            "{place} += {start}",
            "goto +1",
            "{place} = 0",
            start = in(reg) start,
            last = in(reg) last,
            place = inout(reg) place,
            options(nomem, nostack),
        );
    }
    place
}

/// In what [`Writer::hand_over`] returns.
const NEW_CONTEXT: u64 = 1 << 8;

/// Keeps a room's number within the table. Written out, for the compiler knows that it is and the verifier does not.
#[inline(always)]
fn number_of_room(room: u64) -> u64 {
    let mut number = room;
    // SAFETY: arithmetic.
    unsafe {
        asm!("{0} &= {1}", inout(reg) number, const room::COUNT as i32 - 1, options(pure, nomem, nostack));
    }
    number
}

impl Writer {
    /// Begins a write of at most `LARGEST_WRITE` bytes; `None` when there is no room, which is counted under the slot.
    #[inline(always)]
    pub fn begin(slot: u16) -> Option<Writer> {
        // SAFETY: helpers without arguments.
        let (cpu, time_ns) = unsafe { (bpf_get_smp_processor_id(), bpf_ktime_get_ns()) };
        let region: *mut RegionHeader = RING.get_ptr_mut(cpu)?.cast();
        let tails = TAILS.get_ptr_mut(cpu)?;
        // SAFETY: both point into map values of this CPU, which only this CPU's programs write; the data mask and the
        // slack keep every offset inside.
        unsafe {
            if read_volatile(&raw const (*region).nest) != 0 {
                count_drop(region, slot);
                return None;
            }
            write_volatile(&raw mut (*region).nest, 1);
            compiler_fence(Ordering::SeqCst);
            let head = read_volatile(&raw const (*region).head);
            let state = (&raw mut (*region).writes).cast::<WriteState>();
            write_volatile(&raw mut (*state).time_ns, time_ns);
            let mask = config!(data_mask);
            if config!(ringbuf) == 0 {
                let tail = read_volatile(&raw const (*tails).tail);
                if head.wrapping_sub(tail) + LARGEST_WRITE as u64 > mask + 1 {
                    count_drop(region, slot);
                    ring_when_asleep(tails);
                    write_volatile(&raw mut (*region).nest, 0);
                    return None;
                }
            }
            let start = DATA_OFFSET as u64 + (head & mask);
            write_volatile(&raw mut (*state).start, start);
            let base = (region as *mut u8).add(start as usize);
            Some(Writer { base, region, state, head, at: 0, slot, room: room::DATA })
        }
    }

    /// The same for programs that may interrupt another write.
    #[inline(always)]
    pub fn begin_in_interrupt(slot: u16) -> Option<Writer> {
        // SAFETY: as in `begin`.
        unsafe {
            let cpu = bpf_get_smp_processor_id();
            let region: *mut RegionHeader = RING.get_ptr_mut(cpu)?.cast();
            let nest = read_volatile(&raw const (*region).nest);
            if nest == 0 {
                return Writer::begin(slot);
            }
            if nest != 1 {
                count_drop(region, slot);
                return None;
            }
            write_volatile(&raw mut (*region).nest, 2);
            compiler_fence(Ordering::SeqCst);
            let time_ns = bpf_ktime_get_ns();
            let state = (&raw mut (*region).writes).cast::<WriteState>().add(room::NESTED as usize);
            write_volatile(&raw mut (*state).time_ns, time_ns);
            let start = config!(rooms_offset);
            write_volatile(&raw mut (*state).start, start);
            let base = (region as *mut u8).add(start as usize);
            Some(Writer { base, region, state, head: 0, at: 0, slot, room: room::NESTED })
        }
    }

    /// The same for programs that run when a function of the kernel does. Trampolines let other tasks preempt them,
    /// with programs that write on the same CPU: those write at a desk that is theirs alone, and nothing that another
    /// program counts on is changed.
    #[inline(always)]
    pub fn begin_in_hook(slot: u16) -> Option<Writer> {
        if config!(kprobes) != 0 {
            return Writer::begin_in_interrupt(slot);
        }
        // SAFETY: a map value; counters of this CPU, where every step of a claim is one instruction.
        unsafe {
            let cpu = bpf_get_smp_processor_id();
            let region: *mut RegionHeader = RING.get_ptr_mut(cpu)?.cast();
            let first = (&raw mut (*region).writes).cast::<WriteState>().add(room::FIRST_DESK as usize);
            let (state, room) = if claim(first) {
                (first, room::FIRST_DESK)
            } else if claim(first.add(1)) {
                (first.add(1), room::FIRST_DESK + 1)
            } else {
                count_drop(region, slot);
                return None;
            };
            let time_ns = bpf_ktime_get_ns();
            write_volatile(&raw mut (*state).time_ns, time_ns);
            let start = config!(rooms_offset) + (room - room::NESTED) * ROOM_BYTES as u64;
            write_volatile(&raw mut (*state).start, start);
            let base = (region as *mut u8).add(start as usize);
            Some(Writer { base, region, state, head: 0, at: 0, slot, room })
        }
    }

    /// The write that goes on, found again in a global function, which takes numbers only: [`Writer::room`] and how far
    /// it has come; the function returns how far it came then.
    #[inline(always)]
    pub fn resume(room: u64, at: u64) -> Option<Writer> {
        const LAST: usize = (room::COUNT - 2) * ROOM_BYTES;
        // SAFETY: the index is within the table, and every room that begins up to the last one is within the region.
        unsafe {
            let cpu = bpf_get_smp_processor_id();
            let region: *mut RegionHeader = RING.get_ptr_mut(cpu)?.cast();
            let state = (&raw mut (*region).writes).cast::<WriteState>().add(number_of_room(room) as usize);
            let start = read_volatile(&raw const (*state).start);
            let base = place(region, start, config!(rooms_offset) + LAST as u64);
            if base.is_null() {
                return None;
            }
            // The head does not move before the write is committed.
            let head = read_volatile(&raw const (*region).head);
            Some(Writer { base, region, state, head, at, slot: 0, room })
        }
    }

    /// Leaves the write to the program that called, which takes it over by [`Writer::take_over`]: with its context, and
    /// whether that is to be sent first. Returns its room, plus 1.
    #[inline(always)]
    pub fn hand_over(self, context: u64, is_new: bool) -> u64 {
        // SAFETY: a word of a map value.
        unsafe { write_volatile(&raw mut (*self.state).context, context) };
        self.room + 1 | if is_new { NEW_CONTEXT } else { 0 }
    }

    /// The write that a global function has begun, and the context of its records. Of 0 there is none.
    #[inline(always)]
    pub fn take_over(begun: u64, slot: u16) -> Option<(Writer, u64)> {
        if begun == 0 {
            return None;
        }
        let mut writer = Writer::resume_to_commit((begun & (NEW_CONTEXT - 1)).wrapping_sub(1), 0, slot)?;
        let context = writer.context();
        if begun & NEW_CONTEXT != 0 {
            writer.at = context_send(writer.room, 0, context);
        }
        Some((writer, context))
    }

    /// What was handed over with the write.
    #[inline(always)]
    pub fn context(&self) -> u64 {
        // SAFETY: a word of a map value.
        unsafe { read_volatile(&raw const (*self.state).context) }
    }

    /// The same write as [`Writer::resume`], to end it.
    #[inline(always)]
    pub fn resume_to_commit(room: u64, at: u64, slot: u16) -> Option<Writer> {
        let mut writer = Writer::resume(room, at)?;
        writer.slot = slot;
        Some(writer)
    }

    /// What [`Writer::resume`] takes.
    #[inline(always)]
    pub fn room(&self) -> u64 {
        self.room
    }

    /// Publishes all records of this write; false when they found no room after all.
    #[inline(always)]
    pub fn commit(self) -> bool {
        let mut is_out = true;
        // SAFETY: as in `begin`.
        unsafe {
            compiler_fence(Ordering::SeqCst);
            if self.is_nested() || config!(ringbuf) != 0 {
                is_out = self.output();
            } else {
                let head = self.head + self.at;
                write_volatile(&raw mut (*self.region).head, head);
                let shift = config!(quarter_shift);
                if self.head >> shift != head >> shift
                    && let Some(tails) = TAILS.get_ptr_mut(self.cpu())
                {
                    ring_when_asleep(tails);
                }
            }
            compiler_fence(Ordering::SeqCst);
            write_volatile(&raw mut (*self.region).nest, self.is_nested() as u32);
        }
        is_out
    }

    /// The same for what [`Writer::begin_in_hook`] began.
    #[inline(always)]
    pub fn commit_in_hook(self) -> bool {
        if config!(kprobes) != 0 {
            return self.commit();
        }
        // SAFETY: as in `begin_in_hook`.
        unsafe {
            compiler_fence(Ordering::SeqCst);
            let is_out = self.output();
            compiler_fence(Ordering::SeqCst);
            give_back(self.state);
            is_out
        }
    }

    #[inline(always)]
    unsafe fn output(&self) -> bool {
        if self.at == 0 {
            return true;
        }
        const NO_WAKEUP: u64 = 1;
        const FORCE_WAKEUP: u64 = 2;
        const AVAILABLE: u64 = 0;
        // SAFETY: the room holds what was written; the length is within it.
        unsafe {
            let door = (&raw const DOOR).cast_mut().cast();
            let mut flags = NO_WAKEUP;
            if let Some(tails) = TAILS.get_ptr_mut(self.cpu())
                && read_volatile(&raw const (*tails).asleep) != 0
                && bpf_ringbuf_query(door, AVAILABLE) > config!(quarter_bytes)
            {
                write_volatile(&raw mut (*tails).asleep, 0);
                flags = FORCE_WAKEUP;
            }
            let length = within(self.at) as u64;
            let is_out = bpf_ringbuf_output(door, self.base.cast(), length, flags) == 0;
            if !is_out {
                count_drop(self.region, self.slot);
            }
            is_out
        }
    }
}

/// Claims a desk. Who has added to the counter and then reads 1 is alone, and whoever comes later reads more: no
/// instruction that older kernels lack.
#[inline(always)]
unsafe fn claim(desk: *mut WriteState) -> bool {
    // SAFETY: a field of a map value.
    unsafe {
        let claims = &raw mut (*desk).claims;
        add(claims, 1);
        let is_mine = read_volatile(claims) == 1;
        if !is_mine {
            give_back(desk);
        }
        is_mine
    }
}

/// Adds in one instruction, the one that every kernel has: it does not say what was there before.
#[inline(always)]
unsafe fn add(counter: *mut u64, number: u64) {
    // SAFETY: the caller's pointer is to a map value.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) counter, in(reg) number) };
}

#[inline(always)]
unsafe fn give_back(desk: *mut WriteState) {
    // SAFETY: a field of a map value.
    unsafe { add(&raw mut (*desk).claims, u64::MAX) };
}
