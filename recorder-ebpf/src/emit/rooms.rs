//! Where a write is put together: at the head of the CPU's data, in a room for those that interrupt others, or in a room of
//! hooks that may be preempted. From its beginning, over the global functions that go on with it, to its commit.

use core::{
    arch::asm,
    ptr::{read_volatile, write_volatile},
    sync::atomic::{Ordering, compiler_fence},
};

use aya_ebpf::helpers::generated::{
    bpf_get_smp_processor_id, bpf_ktime_get_ns, bpf_ringbuf_output, bpf_ringbuf_query,
};
use events::abi::region::{DATA_OFFSET, RegionHeader, SHORT_STRING, WriteState, room};

use super::{
    RING_BUFFER, REGIONS, Refusal, TAILS, Writer,
    claims::{give_back_data, give_back_nested, take_data, take_nested},
    claim, config, count_drop, give_back, region_of, ring_when_asleep, within,
};

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

/// Moves the head: what has been written before it is there for whoever sees it moved. Processors of x86_64 write in
/// order.
#[cfg(not(feature = "aarch64"))]
#[inline(always)]
unsafe fn publish(place: *mut u64, head: u64) {
    // SAFETY: a word of a map value.
    unsafe { write_volatile(place, head) };
}

/// The same by an exchange: of what kernels of this architecture take before 6.15, it alone orders what is around it.
#[cfg(feature = "aarch64")]
#[inline(always)]
unsafe fn publish(place: *mut u64, head: u64) {
    // SAFETY: a word of a map value.
    unsafe {
        asm!("{0} = xchg_64({1} + 0, {0})", inout(reg) head => _, in(reg) place, options(nostack));
    }
}

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
    /// Begins a write of at most [`Config::write_bytes`](events::abi::tables::Config::write_bytes); `None` when there is no room, which is counted under the slot.
    /// What is vital has room for longer.
    #[inline(always)]
    pub fn reserve(slot: u16, is_vital: bool) -> Option<Writer> {
        // SAFETY: helpers without arguments.
        let cpu = unsafe { bpf_get_smp_processor_id() };
        let region = region_of(cpu, slot)?;
        // SAFETY: points into a map value of this CPU.
        if !unsafe { take_data(region) } {
            // SAFETY: as above.
            unsafe { count_drop(region, slot, Refusal::Nested) };
            return None;
        }
        Writer::reserve_data(region, cpu, slot, is_vital)
    }

    /// Begins what is never to be sent: a place to put things together. `None` where the data is somebody's or full.
    #[inline(always)]
    pub fn reserve_to_discard() -> Option<Writer> {
        // SAFETY: as in `reserve` and `reserve_data`.
        unsafe {
            let cpu = bpf_get_smp_processor_id();
            let region: *mut RegionHeader = REGIONS.get_ptr_mut(cpu)?.cast();
            if !take_data(region) {
                return None;
            }
            compiler_fence(Ordering::SeqCst);
            let head = read_volatile(&raw const (*region).head);
            let mask = config!(data_mask);
            if config!(ringbuf) == 0 {
                let Some(tails) = TAILS.get_ptr_mut(cpu) else {
                    give_back_data(region);
                    return None;
                };
                if head.wrapping_sub(read_volatile(&raw const (*tails).tail)) + config!(write_bytes) > mask + 1 {
                    give_back_data(region);
                    return None;
                }
            }
            let state = (&raw mut (*region).writes).cast::<WriteState>();
            write_volatile(&raw mut (*state).string_bound, config!(string_bound) as u64);
            write_volatile(&raw mut (*state).buffer_bound, config!(buffer_bound) as u64);
            let start = DATA_OFFSET as u64 + (head & mask);
            write_volatile(&raw mut (*state).start, start);
            let base = (region as *mut u8).add(start as usize);
            Some(Writer { base, region, state, head, at: 0, slot: 0, room: room::DATA, is_vital: false })
        }
    }

    /// Ends what [`Writer::reserve_to_discard`] began.
    #[inline(always)]
    pub fn discard(self) {
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the data is this write's.
        unsafe { give_back_data(self.region) };
    }

    /// The same for programs that may interrupt another write.
    #[inline(always)]
    pub fn reserve_in_interrupt(slot: u16, is_vital: bool) -> Option<Writer> {
        // SAFETY: as in `reserve`.
        unsafe {
            let cpu = bpf_get_smp_processor_id();
            let region = region_of(cpu, slot)?;
            if take_data(region) {
                return Writer::reserve_data(region, cpu, slot, is_vital);
            }
            if !take_nested(region) {
                count_drop(region, slot, Refusal::Nested);
                return None;
            }
            let state = (&raw mut (*region).writes).cast::<WriteState>().add(room::NESTED as usize);
            Some(Writer::reserve_aside(region, state, room::NESTED, slot))
        }
    }

    /// The same for programs that run when a function of the kernel does. Trampolines let other tasks preempt them: where
    /// that cannot be forbidden they write in rooms of their own, of which there are few, and leave the data to the tracepoints.
    #[inline(always)]
    pub fn reserve_in_hook(slot: u16, is_vital: bool) -> Option<Writer> {
        if hooks_share_rooms() {
            return Writer::reserve_in_interrupt(slot, is_vital);
        }
        // SAFETY: a map value.
        unsafe {
            let cpu = bpf_get_smp_processor_id();
            let region = region_of(cpu, slot)?;
            let first = (&raw mut (*region).writes).cast::<WriteState>().add(room::FIRST_OF_HOOKS as usize);
            let (state, room) = if claim(&raw mut (*first).claims) {
                (first, room::FIRST_OF_HOOKS)
            } else if claim(&raw mut (*first.add(1)).claims) {
                (first.add(1), room::FIRST_OF_HOOKS + 1)
            } else {
                count_drop(region, slot, Refusal::Nested);
                return None;
            };
            Some(Writer::reserve_aside(region, state, room, slot))
        }
    }

    /// Begins at the head of the data, which has been taken; it is given back when there is no room.
    #[inline(always)]
    fn reserve_data(region: *mut RegionHeader, cpu: u32, slot: u16, is_vital: bool) -> Option<Writer> {
        // SAFETY: both are map values of this CPU, which only who has taken the data writes; the data mask and the slack
        // keep every offset inside.
        unsafe {
            compiler_fence(Ordering::SeqCst);
            let time_ns = bpf_ktime_get_ns();
            let head = read_volatile(&raw const (*region).head);
            let state = (&raw mut (*region).writes).cast::<WriteState>();
            write_volatile(&raw mut (*state).time_ns, time_ns);
            let mask = config!(data_mask);
            let mut string_bound = config!(string_bound);
            if config!(ringbuf) == 0 {
                // Below half of the data nothing depends on how much is waiting.
                if head.wrapping_sub(read_volatile(&raw const (*region).known_tail)) > mask / 2 {
                    let Some(tails) = TAILS.get_ptr_mut(cpu) else {
                        give_back_data(region);
                        return None;
                    };
                    let tail = read_volatile(&raw const (*tails).tail);
                    write_volatile(&raw mut (*region).known_tail, tail);
                    let waiting = head.wrapping_sub(tail);
                    let kept_back = if is_vital { 0 } else { config!(kept_back) };
                    if waiting + config!(write_bytes) + kept_back > mask + 1 {
                        count_drop(region, slot, Refusal::Full);
                        ring_when_asleep(tails);
                        give_back_data(region);
                        return None;
                    }
                    // What is compared with what it was at the entry has to be as long as there.
                    let may_be_short = !is_vital && config!(strict) == 0;
                    if may_be_short && waiting > mask / 2 && string_bound > SHORT_STRING {
                        string_bound = SHORT_STRING;
                    }
                }
            }
            write_volatile(&raw mut (*state).string_bound, string_bound as u64);
            write_volatile(&raw mut (*state).buffer_bound, config!(buffer_bound) as u64);
            let start = DATA_OFFSET as u64 + (head & mask);
            write_volatile(&raw mut (*state).start, start);
            let base = (region as *mut u8).add(start as usize);
            Some(Writer { base, region, state, head, at: 0, slot, room: room::DATA, is_vital })
        }
    }

    /// Begins in another room, which has been taken.
    #[inline(always)]
    fn reserve_aside(region: *mut RegionHeader, state: *mut WriteState, room: u64, slot: u16) -> Writer {
        // SAFETY: a map value; a room is within the region.
        unsafe {
            compiler_fence(Ordering::SeqCst);
            write_volatile(&raw mut (*state).time_ns, bpf_ktime_get_ns());
            write_volatile(&raw mut (*state).string_bound, config!(string_bound) as u64);
            write_volatile(&raw mut (*state).buffer_bound, config!(buffer_bound) as u64);
            let start = config!(rooms_offset) + (room - room::NESTED) * config!(room_bytes);
            write_volatile(&raw mut (*state).start, start);
            let base = (region as *mut u8).add(start as usize);
            Writer { base, region, state, head: 0, at: 0, slot, room, is_vital: false }
        }
    }

    /// The write that goes on, found again in a global function, which takes numbers only: [`Writer::room`] and how far
    /// it has come; the function returns how far it came then.
    #[inline(always)]
    pub fn resume(room: u64, at: u64) -> Option<Writer> {
        // SAFETY: the index is within the table, and every room that begins up to the last one is within the region.
        unsafe {
            let cpu = bpf_get_smp_processor_id();
            let region: *mut RegionHeader = REGIONS.get_ptr_mut(cpu)?.cast();
            let state = (&raw mut (*region).writes).cast::<WriteState>().add(number_of_room(room) as usize);
            let start = read_volatile(&raw const (*state).start);
            let base = place(region, start, config!(last_room));
            if base.is_null() {
                return None;
            }
            // The head does not move before the write is committed.
            let head = read_volatile(&raw const (*region).head);
            Some(Writer { base, region, state, head, at, slot: 0, room, is_vital: false })
        }
    }

    /// The same write as [`Writer::resume`], to end it.
    #[inline(always)]
    pub fn resume_to_commit(room: u64, at: u64, slot: u16, is_vital: bool) -> Option<Writer> {
        let mut writer = Writer::resume(room, at)?;
        writer.slot = slot;
        writer.is_vital = is_vital;
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
        // SAFETY: as in `reserve`.
        unsafe {
            compiler_fence(Ordering::SeqCst);
            if self.is_nested() || config!(ringbuf) != 0 {
                is_out = self.output();
            } else {
                let head = self.head + self.at;
                publish(&raw mut (*self.region).head, head);
                let shift = config!(quarter_shift);
                if self.head >> shift != head >> shift
                    && let Some(tails) = TAILS.get_ptr_mut(self.cpu())
                {
                    ring_when_asleep(tails);
                }
            }
            compiler_fence(Ordering::SeqCst);
            if self.is_nested() { give_back_nested(self.region) } else { give_back_data(self.region) }
        }
        is_out
    }

    /// The same for what [`Writer::reserve_in_hook`] began.
    #[inline(always)]
    pub fn commit_in_hook(self) -> bool {
        if hooks_share_rooms() {
            return self.commit();
        }
        // SAFETY: as in `reserve_in_hook`.
        unsafe {
            compiler_fence(Ordering::SeqCst);
            let is_out = self.output();
            compiler_fence(Ordering::SeqCst);
            give_back(&raw mut (*self.state).claims);
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
            let ring = (&raw const RING_BUFFER).cast_mut().cast();
            let waiting = bpf_ringbuf_query(ring, AVAILABLE);
            let mut flags = NO_WAKEUP;
            if waiting > config!(quarter_bytes)
                && let Some(tails) = TAILS.get_ptr_mut(self.cpu())
                && read_volatile(&raw const (*tails).asleep) != 0
            {
                write_volatile(&raw mut (*tails).asleep, 0);
                flags = FORCE_WAKEUP;
            }
            let length = within(self.at) as u64;
            let is_out = (self.is_vital || waiting <= config!(ring_limit))
                && bpf_ringbuf_output(ring, self.base.cast(), length, flags) == 0;
            if !is_out {
                count_drop(self.region, self.slot, Refusal::Full);
            }
            is_out
        }
    }
}

/// Whether hooks write where tracepoints do: nothing but interrupts can come between.
#[inline(always)]
fn hooks_share_rooms() -> bool {
    config!(kprobes) != 0 || config!(disables_preemption) != 0
}
