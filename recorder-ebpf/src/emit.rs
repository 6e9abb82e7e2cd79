//! Getting records out: the mapped region of the CPU, or a ring buffer.
//!
//! The one place that knows the transport. A program reserves a write, appends records, and commits them all at once.

use core::{
    arch::asm,
    ptr::{read_volatile, write_volatile},
};

use aya_ebpf::{
    helpers::generated::{bpf_get_smp_processor_id, bpf_ringbuf_output},
    macros::map,
    maps::{Array, RingBuf},
};
use events::abi::{
    BLOB_HEADER_BYTES, BlobHeader, HEADER_BYTES, RecordHeader,
    files::id,
    form,
    region::{RegionHeader, Tail, VALUE_SIZE_MARK, WriteState, room},
    tables::Config,
};

mod claims;
mod counters;
mod notes;
pub mod preemption;
mod rooms;

pub use claims::{claim, give_back};
pub use counters::{
    count_forgotten, count_left_out_call, count_left_out_hook, count_lost, count_taken_over, count_untimed_call,
};
use counters::{Refusal, count_drop, region_of};
pub use notes::Notes;

const MMAPABLE: u32 = 1024;

/// The recorder replaces the value's size, the number of entries, and the ring buffer's size.
#[map]
static REGIONS: Array<[u8; VALUE_SIZE_MARK as usize]> = Array::with_max_entries(1, MMAPABLE);
#[map]
static TAILS: Array<Tail> = Array::with_max_entries(1, MMAPABLE);
#[map]
static RING_BUFFER: RingBuf = RingBuf::with_byte_size(4096, 0);

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
    state: *mut WriteState,
    head: u64,
    /// Where the next record or blob goes, from `base`.
    pub at: u64,
    slot: u16,
    /// One of [`room`].
    room: u64,
    is_vital: bool,
}

/// A record that has begun: the offset of its header.
#[derive(Clone, Copy)]
pub struct Started(pub u64);

impl Writer {
    #[inline(always)]
    pub fn pointer(&self, offset: u64) -> *mut u8 {
        // SAFETY: the mask keeps it within the write.
        unsafe { self.base.add(within(offset)) }
    }

    /// Bytes of a string that are kept, NUL included; at most 4,096, which the verifier is shown.
    #[inline(always)]
    pub fn string_bound(&self) -> u32 {
        // SAFETY: a word of a map value, and arithmetic.
        unsafe {
            let mut bound = read_volatile(&raw const (*self.state).string_bound);
            asm!("if {0} <= 4096 goto +1", "{0} = 4096", inout(reg) bound, options(pure, nomem, nostack));
            bound as u32
        }
    }

    /// Bytes of a buffer that are kept, where it has no bound of its own.
    #[inline(always)]
    pub fn buffer_bound(&self) -> u64 {
        // SAFETY: a word of a map value.
        unsafe { read_volatile(&raw const (*self.state).buffer_bound) }
    }

    /// Keeps so many bytes of buffers at least.
    #[inline(always)]
    pub fn widen_buffers(&self, bytes: u64) {
        if bytes > config!(buffer_bound) as u64 {
            // SAFETY: as above.
            unsafe { write_volatile(&raw mut (*self.state).buffer_bound, bytes) };
        }
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

    /// A number that this CPU has not given before: those of each room are others.
    #[inline(always)]
    pub fn next_number(&self) -> u64 {
        // SAFETY: only this CPU writes its counter, and whoever is in the room keeps others out.
        unsafe {
            let next = (*self.state).ids.wrapping_add(1);
            (*self.state).ids = next;
            next * room::COUNT as u64 + self.room
        }
    }

    /// What the parts of this write leave for each other.
    #[inline(always)]
    pub fn notes(&self) -> Notes {
        Notes(self.state)
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

    /// Appends a number behind all that the record has.
    #[inline(always)]
    pub fn put(&mut self, number: u64) {
        // SAFETY: as above.
        unsafe { *self.pointer(self.at).cast::<u64>() = number };
        self.at += 8;
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
        self.at <= config!(capture_limit)
    }

    /// The header of a blob that has been written, so many bytes from the start of the write.
    #[inline(always)]
    pub fn blob_at(&self, at: u64) -> BlobHeader {
        // SAFETY: as above.
        unsafe { *self.pointer(at).cast::<BlobHeader>() }
    }

    /// Eight bytes of what has been written, so many bytes from the start of the write.
    #[inline(always)]
    pub fn word_at(&self, at: u64) -> u64 {
        // SAFETY: as above.
        unsafe { self.pointer(at).cast::<u64>().read_unaligned() }
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
        self.at = self.opaque(self.at);
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
    pub fn opaque(&self, number: u64) -> u64 {
        // SAFETY: a word of a map value.
        unsafe {
            write_volatile(&raw mut (*self.state).opaque, number);
            read_volatile(&raw const (*self.state).opaque)
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

/// Wakes the recorder when it waits.
#[inline(always)]
unsafe fn ring_when_asleep(tails: *mut Tail) {
    const FORCE_WAKEUP: u64 = 2;
    // SAFETY: a map value; the bell is eight bytes on the stack.
    unsafe {
        if read_volatile(&raw const (*tails).asleep) != 0 {
            write_volatile(&raw mut (*tails).asleep, 0);
            let bell = 0u64;
            bpf_ringbuf_output((&raw const RING_BUFFER).cast_mut().cast(), (&raw const bell).cast_mut().cast(), 8, FORCE_WAKEUP);
        }
    }
}
