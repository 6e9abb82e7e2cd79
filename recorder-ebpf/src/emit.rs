//! Getting records out: the mapped region of the CPU, or a ring buffer.
//!
//! The one place that knows the transport. A program begins, appends records, and commits them all at once.

use core::{
    ptr::{read_volatile, write_volatile},
    sync::atomic::{Ordering, compiler_fence},
};

use aya_ebpf::{
    helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns, bpf_ringbuf_output, bpf_ringbuf_query},
    macros::map,
    maps::{Array, RingBuf},
};
use events::abi::{
    BLOB_HEADER_BYTES, BlobHeader, HEADER_BYTES, RecordHeader, form,
    hooks::Hook,
    region::{CAPTURE_LIMIT, DATA_OFFSET, LARGEST_WRITE, RegionHeader, SLACK, Tail, VALUE_SIZE_MARK},
    tables::Config,
};

const MMAPABLE: u32 = 1024;

/// The recorder replaces the value's size, the number of entries, and the ring buffer's size.
#[map]
static RING: Array<[u8; VALUE_SIZE_MARK as usize]> = Array::with_max_entries(1, MMAPABLE);
#[map]
static TAILS: Array<Tail> = Array::with_max_entries(1, MMAPABLE);
#[map]
static DOOR: RingBuf = RingBuf::with_byte_size(4096, 0);
/// Where records are put together that cannot be written in place; two for each CPU.
#[map]
static SCRATCH: Array<[u8; LARGEST_WRITE + SLACK]> = Array::with_max_entries(2, 0);

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

/// A write that has begun.
pub struct Writer {
    base: *mut u8,
    region: *mut RegionHeader,
    tails: *mut Tail,
    head: u64,
    /// Where the next record or blob goes, from `base`.
    pub at: u64,
    pub time_ns: u64,
    pub cpu: u32,
    slot: u16,
    /// Where the record that ended last began.
    last: u64,
    /// Instead of that of the current task, where not 0.
    other_context: u64,
    /// Not in place: to the ring buffer at the end.
    copied: bool,
    nested: bool,
}

/// Where the write that has begun on this CPU goes, found again by a function that cannot be given a [`Writer`].
pub struct Room {
    base: *mut u8,
    region: *mut RegionHeader,
}

mod room {
    pub const IN_PLACE: u64 = 0;
    pub const COPIED: u64 = 1;
    pub const NESTED: u64 = 2;
}

impl Room {
    /// `kind` is [`Writer::kind_of_room`].
    #[inline(always)]
    pub fn of_current_write(kind: u64) -> Option<Room> {
        // SAFETY: as in `begin`; the head does not move before the write is committed.
        unsafe {
            let cpu = bpf_get_smp_processor_id();
            let region: *mut RegionHeader = RING.get_ptr_mut(cpu)?.cast();
            let base = match kind {
                room::IN_PLACE => {
                    let head = read_volatile(&raw const (*region).head);
                    (region as *mut u8).add(DATA_OFFSET).add((head & config!(data_mask)) as usize)
                }
                room::COPIED => SCRATCH.get_ptr_mut(cpu * 2)?.cast(),
                _ => SCRATCH.get_ptr_mut(cpu * 2 + 1)?.cast(),
            };
            Some(Room { base, region })
        }
    }

    #[inline(always)]
    pub fn pointer(&self, offset: u64) -> *mut u8 {
        // SAFETY: the mask keeps it within the write.
        unsafe { self.base.add(within(offset)) }
    }

    /// As [`Writer::forget`].
    #[inline(always)]
    pub fn forget(&self, number: u64) -> u64 {
        // SAFETY: a field of this CPU's region.
        unsafe {
            write_volatile(&raw mut (*self.region).forgotten, number);
            read_volatile(&raw const (*self.region).forgotten)
        }
    }
}

/// A record that has begun: the offset of its header.
#[derive(Clone, Copy)]
pub struct Started(u64);

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
            if config!(ringbuf) != 0 {
                let base = SCRATCH.get_ptr_mut(cpu * 2)?.cast();
                return Some(Writer { base, region, tails, head, at: 0, time_ns, cpu, slot, last: 0, other_context: 0, copied: true, nested: false });
            }
            let mask = config!(data_mask);
            let tail = read_volatile(&raw const (*tails).tail);
            if head.wrapping_sub(tail) + LARGEST_WRITE as u64 > mask + 1 {
                count_drop(region, slot);
                ring_when_asleep(tails);
                write_volatile(&raw mut (*region).nest, 0);
                return None;
            }
            let base = (region as *mut u8).add(DATA_OFFSET).add((head & mask) as usize);
            Some(Writer { base, region, tails, head, at: 0, time_ns, cpu, slot, last: 0, other_context: 0, copied: false, nested: false })
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
            let tails = TAILS.get_ptr_mut(cpu)?;
            let base = SCRATCH.get_ptr_mut(cpu * 2 + 1)?.cast();
            write_volatile(&raw mut (*region).nest, 2);
            compiler_fence(Ordering::SeqCst);
            let time_ns = bpf_ktime_get_ns();
            Some(Writer { base, region, tails, head: 0, at: 0, time_ns, cpu, slot, last: 0, other_context: 0, copied: true, nested: true })
        }
    }

    #[inline(always)]
    pub fn pointer(&self, offset: u64) -> *mut u8 {
        // SAFETY: the mask keeps it within the write.
        unsafe { self.base.add(within(offset)) }
    }

    /// What finds its [`Room`] again.
    #[inline(always)]
    pub fn kind_of_room(&self) -> u64 {
        match (self.nested, self.copied) {
            (true, _) => room::NESTED,
            (false, true) => room::COPIED,
            (false, false) => room::IN_PLACE,
        }
    }

    /// Whether this write interrupts another.
    #[inline(always)]
    pub fn is_nested(&self) -> bool {
        self.nested
    }

    /// A number that is unique in this recording.
    #[inline(always)]
    pub fn next_context_id(&self) -> u64 {
        // SAFETY: only this CPU writes its counter, and `nest` keeps interrupts out.
        unsafe {
            let next = (*self.region).contexts.wrapping_add(1);
            (*self.region).contexts = next;
            (self.cpu as u64 + 1) << 44 | next & 0xfff_ffff_ffff
        }
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
        let context = if self.other_context != 0 { self.other_context } else { header.context };
        self.other_context = 0;
        self.last = started.0;
        // SAFETY: as above.
        unsafe {
            *self.pointer(started.0).cast::<RecordHeader>() =
                RecordHeader { time_ns: self.time_ns, length, cpu: self.cpu as u16, context, ..header };
        }
    }

    /// The next record that ends belongs to another context than the current task's.
    #[inline(always)]
    pub fn set_context(&mut self, context: u64) {
        self.other_context = context;
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
    pub fn refer(&mut self, arg: u8, place: u16, id: u64) {
        let header = BlobHeader { length: 8, arg, form: form::FILE, place };
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
        Room { base: self.base, region: self.region }.forget(number)
    }

    /// Nothing follows the record that ended last, whatever it says.
    #[inline(always)]
    pub fn end_here(&self) {
        if self.at != 0 {
            // SAFETY: as above.
            unsafe { (*self.pointer(self.last).cast::<RecordHeader>()).more = 0 };
        }
    }

    /// Publishes all records of this write; false when they found no room after all.
    #[inline(always)]
    pub fn commit(self) -> bool {
        let mut is_out = true;
        // SAFETY: as in `begin`.
        unsafe {
            compiler_fence(Ordering::SeqCst);
            if self.copied {
                is_out = self.output();
            } else {
                let head = self.head + self.at;
                write_volatile(&raw mut (*self.region).head, head);
                let shift = config!(quarter_shift);
                if self.head >> shift != head >> shift {
                    ring_when_asleep(self.tails);
                }
            }
            compiler_fence(Ordering::SeqCst);
            write_volatile(&raw mut (*self.region).nest, self.nested as u32);
        }
        is_out
    }

    #[inline(always)]
    unsafe fn output(&self) -> bool {
        if self.at == 0 {
            return true;
        }
        const NO_WAKEUP: u64 = 1;
        const FORCE_WAKEUP: u64 = 2;
        const AVAILABLE: u64 = 0;
        // SAFETY: the scratch holds what was written; the length is within it.
        unsafe {
            let door = (&raw const DOOR).cast_mut().cast();
            let mut flags = NO_WAKEUP;
            if read_volatile(&raw const (*self.tails).asleep) != 0
                && bpf_ringbuf_query(door, AVAILABLE) > config!(quarter_bytes)
            {
                write_volatile(&raw mut (*self.tails).asleep, 0);
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
pub fn count_left_out_hook(hook: Hook) {
    // SAFETY: a helper without arguments, and the region of this CPU; there are fewer hooks than counters.
    unsafe {
        if let Some(region) = RING.get_ptr_mut(bpf_get_smp_processor_id()) {
            let counters = &raw mut (*region.cast::<RegionHeader>()).left_out_hooks;
            *counters.cast::<u64>().add(hook as usize) += 1;
        }
    }
}

/// Counts a record that found no room.
#[inline(always)]
unsafe fn count_drop(region: *mut RegionHeader, slot: u16) {
    // By way of memory, or the compiler leaves out a check that the verifier needs.
    // SAFETY: a field of this CPU's region.
    let slot = unsafe {
        write_volatile(&raw mut (*region).forgotten, slot as u64);
        read_volatile(&raw const (*region).forgotten) as usize
    };
    if slot < events::abi::Slot::COUNT {
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
