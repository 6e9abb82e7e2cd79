//! Getting records out: the mapped region of the CPU, or a ring buffer.
//!
//! The one place that knows the transport. A program begins, appends records, and commits them all at once.

use core::{
    arch::asm,
    ptr::{read_volatile, write_volatile},
    sync::atomic::{Ordering, compiler_fence},
};

use aya_ebpf::{
    helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns, bpf_ringbuf_output, bpf_ringbuf_query},
    macros::map,
    maps::{Array, RingBuf},
};
use events::abi::{
    BLOB_HEADER_BYTES, BlobHeader, HEADER_BYTES, RecordHeader, Slot,
    files::{found, id},
    form,
    region::{
        CAPTURE_LIMIT, DATA_OFFSET, LARGEST_WRITE, ROOM_BYTES, RegionHeader, Tail, VALUE_SIZE_MARK, WriteState, room,
    },
    tables::Config,
};

use crate::context::context_send;

const MMAPABLE: u32 = 1024;

/// The recorder replaces the value's size, the number of entries, and the ring buffer's size.
#[map]
static RING: Array<[u8; VALUE_SIZE_MARK as usize]> = Array::with_max_entries(1, MMAPABLE);
#[map]
static TAILS: Array<Tail> = Array::with_max_entries(1, MMAPABLE);
#[map]
static DOOR: RingBuf = RingBuf::with_byte_size(4096, 0);

#[unsafe(no_mangle)]
pub static CONFIG: Config = Config::EMPTY;
/// Masks that the compiler cannot see through, so that it leaves them where the verifier needs them.
#[unsafe(no_mangle)]
static WRITE_MASK: u64 = 0;

macro_rules! config {
    ($field:ident) => {{
        // SAFETY: a static of this program.
        #[allow(unused_unsafe)]
        let value = unsafe { core::ptr::read_volatile(&raw const crate::emit::CONFIG.$field) };
        value
    }};
}
pub(crate) use config;

/// Keeps an offset within what one write may hold.
#[inline(always)]
fn within(offset: u64) -> usize {
    // SAFETY: a static of this program.
    (offset & unsafe { read_volatile(&raw const WRITE_MASK) }) as usize
}

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

/// A write that has begun.
pub struct Writer {
    base: *mut u8,
    region: *mut RegionHeader,
    state: *mut WriteState,
    head: u64,
    /// Where the next record or blob goes, from `base`.
    pub at: u64,
    slot: u16,
    /// One of [`room`].
    room: u64,
}

/// A record that has begun: the offset of its header.
#[derive(Clone, Copy)]
pub struct Started(pub u64);

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
        // SAFETY: a word of a map value.
        let context = unsafe { read_volatile(&raw const (*writer.state).context) };
        if begun & NEW_CONTEXT != 0 {
            writer.at = context_send(writer.room, 0, context);
        }
        Some((writer, context))
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

    #[inline(always)]
    pub fn pointer(&self, offset: u64) -> *mut u8 {
        // SAFETY: the mask keeps it within the write.
        unsafe { self.base.add(within(offset)) }
    }

    /// When the write began. Asked of memory, as much is that must not lie on the small stack.
    #[inline(always)]
    pub fn time_ns(&self) -> u64 {
        // SAFETY: a word of a map value.
        unsafe { read_volatile(&raw const (*self.state).time_ns) }
    }

    #[inline(always)]
    pub fn cpu(&self) -> u32 {
        // SAFETY: a helper without arguments.
        unsafe { bpf_get_smp_processor_id() }
    }

    /// Whether this write interrupts another.
    #[inline(always)]
    pub fn is_nested(&self) -> bool {
        self.room == room::NESTED
    }

    /// A number that no other context of this recording has.
    #[inline(always)]
    pub fn next_context_id(&self) -> u64 {
        (self.cpu() as u64 + 1) << id::CPU_SHIFT | self.next_number() & ((1 << id::CPU_SHIFT) - 1)
    }

    /// A number that no other file at the same place has.
    #[inline(always)]
    pub fn next_file_id(&self, place: u32) -> u64 {
        let number = self.next_number() & id::NUMBER_MASK;
        (self.cpu() as u64 + 1) << id::CPU_SHIFT | (place as u64) << id::PLACE_SHIFT | number
    }

    /// Those of each room are others.
    #[inline(always)]
    fn next_number(&self) -> u64 {
        // SAFETY: only this CPU writes its counter, and whoever is in the room keeps others out.
        unsafe {
            let next = (*self.state).ids.wrapping_add(1);
            (*self.state).ids = next;
            next * room::COUNT as u64 + self.room
        }
    }

    /// Leaves a file that is to be sent to the function that sends it.
    #[inline(always)]
    pub fn leave_file(&self, file: u64, dentry: u64) {
        // SAFETY: words of a map value.
        unsafe {
            write_volatile(&raw mut (*self.state).file, file);
            write_volatile(&raw mut (*self.state).dentry, dentry);
        }
    }

    /// The file and dentry that were left.
    #[inline(always)]
    pub fn left_file(&self) -> (u64, u64) {
        // SAFETY: words of a map value.
        unsafe { (read_volatile(&raw const (*self.state).file), read_volatile(&raw const (*self.state).dentry)) }
    }

    /// What the call's descriptors stand for.
    #[inline(always)]
    pub fn found(&self, which: usize) -> u64 {
        // SAFETY: a word of a map value.
        unsafe { read_volatile((&raw const (*self.state).found).cast::<u64>().add(which)) }
    }

    #[inline(always)]
    pub fn all_found(&self) -> [u64; found::COUNT] {
        // SAFETY: as above.
        unsafe { read_volatile(&raw const (*self.state).found) }
    }

    #[inline(always)]
    pub fn set_found(&self, which: usize, id: u64) {
        // SAFETY: as above.
        unsafe { write_volatile((&raw mut (*self.state).found).cast::<u64>().add(which), id) };
    }

    /// Begins a record with room for its header and argument words.
    #[inline(always)]
    pub fn start(&mut self, words: u8) -> Started {
        let started = Started(self.at);
        self.at += (HEADER_BYTES + words as usize * 8) as u64;
        started
    }

    #[inline(always)]
    pub fn set_word(&self, started: Started, index: usize, value: u64) {
        // SAFETY: `pointer` is within the write, and the slack takes what runs over.
        unsafe { *self.pointer(started.0).add(HEADER_BYTES + index * 8).cast::<u64>() = value };
    }

    /// What follows a record's header.
    #[inline(always)]
    pub fn payload(&self, started: Started) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.pointer(started.0).add(HEADER_BYTES) }
    }

    #[inline(always)]
    pub fn word(&self, started: Started, index: u64) -> u64 {
        // SAFETY: as above.
        unsafe { *self.pointer(started.0).add(HEADER_BYTES).add((index & 7) as usize * 8).cast::<u64>() }
    }

    /// Ends a record: its header, with the length that came out.
    #[inline(always)]
    pub fn end(&mut self, started: Started, header: RecordHeader) {
        let length = (self.at - started.0) as u32;
        // SAFETY: as above, and a word of a map value.
        unsafe {
            write_volatile(&raw mut (*self.state).last, started.0);
            *self.pointer(started.0).cast::<RecordHeader>() =
                RecordHeader { time_ns: self.time_ns(), length, cpu: self.cpu() as u16, ..header };
        }
    }

    /// Whether another blob may be begun.
    #[inline(always)]
    pub fn has_room(&self) -> bool {
        self.at <= CAPTURE_LIMIT as u64
    }

    /// Where the bytes of the next blob go: up to 8 KiB may be written.
    #[inline(always)]
    pub fn blob_bytes(&self) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.pointer(self.at).add(BLOB_HEADER_BYTES) }
    }

    /// Ends a blob of which so many bytes have been written.
    #[inline(always)]
    pub fn end_blob(&mut self, arg: u8, form: u8, length: u32) {
        // SAFETY: as above.
        unsafe { *self.pointer(self.at).cast::<BlobHeader>() = BlobHeader { length, arg, form, place: 0 } };
        self.at += BLOB_HEADER_BYTES as u64 + (length as u64 + 7 & !7);
        self.at = self.forget(self.at);
    }

    /// Appends a blob that refers to a file.
    #[inline(always)]
    pub fn refer(&mut self, arg: u8, id: u64) {
        let header = BlobHeader { length: 8, arg, form: form::FILE, place: id::place(id) as u16 };
        // SAFETY: as above.
        unsafe {
            *self.pointer(self.at).cast::<BlobHeader>() = header;
            *self.blob_bytes().cast::<u64>() = id;
        }
        self.at += BLOB_HEADER_BYTES as u64 + 8;
    }

    /// The same number, of which the verifier knows nothing any more: without this it follows every length that a
    /// string may have through all that comes after, and gives up.
    #[inline(always)]
    pub fn forget(&self, number: u64) -> u64 {
        // SAFETY: a word of a map value.
        unsafe {
            write_volatile(&raw mut (*self.state).forgotten, number);
            read_volatile(&raw const (*self.state).forgotten)
        }
    }

    /// Nothing follows the record that ended last, whatever it says.
    #[inline(always)]
    pub fn end_here(&self) {
        if self.at != 0 {
            // SAFETY: as above.
            unsafe {
                let last = read_volatile(&raw const (*self.state).last);
                (*self.pointer(last).cast::<RecordHeader>()).more = 0;
            }
        }
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

/// Whether the recorder waits for the bell; who asks must ring it.
#[inline(always)]
pub fn is_asleep() -> bool {
    // SAFETY: a helper without arguments, and a map value.
    unsafe {
        let Some(tails) = TAILS.get_ptr_mut(bpf_get_smp_processor_id()) else { return false };
        let asleep = read_volatile(&raw const (*tails).asleep) != 0;
        if asleep {
            write_volatile(&raw mut (*tails).asleep, 0);
        }
        asleep
    }
}

/// Counts a record of a program that has begun no write.
#[inline(always)]
pub fn count_lost(slot: u16) {
    // SAFETY: a helper without arguments, and the region of this CPU.
    unsafe {
        if let Some(region) = RING.get_ptr_mut(bpf_get_smp_processor_id()) {
            count_drop(region.cast(), slot);
        }
    }
}

/// Counts an exit of a system call that no scope can want.
#[inline(always)]
pub fn count_left_out_call() {
    // SAFETY: a helper without arguments, and a counter of this CPU that no other program touches.
    unsafe {
        if let Some(region) = RING.get_ptr_mut(bpf_get_smp_processor_id()) {
            (*region.cast::<RegionHeader>()).left_out_calls += 1;
        }
    }
}

/// The same of a hook: each has its own counter, for one may interrupt another's counting.
#[inline(always)]
pub fn count_left_out_hook(hook: u64) {
    // SAFETY: a helper without arguments, and the region of this CPU; there are fewer hooks than counters.
    unsafe {
        if let Some(region) = RING.get_ptr_mut(bpf_get_smp_processor_id()) {
            let counters = &raw mut (*region.cast::<RegionHeader>()).left_out_hooks;
            *counters.cast::<u64>().add(hook as usize & (Slot::COUNT - Slot::HOOK_BASE - 1)) += 1;
        }
    }
}

/// Counts a record that found no room.
#[inline(always)]
unsafe fn count_drop(region: *mut RegionHeader, slot: u16) {
    // By way of memory, or the compiler leaves out a check that the verifier needs.
    // SAFETY: a field of this CPU's region.
    let slot = unsafe {
        write_volatile(&raw mut (*region).dropping, slot as u64);
        read_volatile(&raw const (*region).dropping) as usize
    };
    if slot < Slot::COUNT {
        // SAFETY: a counter of this CPU.
        unsafe {
            let counter = (&raw mut (*region).drops).cast::<u64>().add(slot);
            *counter += 1;
            (*region).dropped += 1;
        }
    }
}

/// Wakes the recorder when it waits.
#[inline(always)]
unsafe fn ring_when_asleep(tails: *mut Tail) {
    const FORCE_WAKEUP: u64 = 2;
    // SAFETY: a map value; the bell is eight bytes on the stack.
    unsafe {
        if read_volatile(&raw const (*tails).asleep) != 0 {
            write_volatile(&raw mut (*tails).asleep, 0);
            let bell = 0u64;
            bpf_ringbuf_output((&raw const DOOR).cast_mut().cast(), (&raw const bell).cast_mut().cast(), 8, FORCE_WAKEUP);
        }
    }
}
