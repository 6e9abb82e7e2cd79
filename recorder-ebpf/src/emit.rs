//! Getting records out: the mapped region of the CPU, or a ring buffer.
//!
//! The one place that knows the transport. A program begins, appends records, and commits them all at once.

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
    BLOB_HEADER_BYTES, BlobHeader, HEADER_BYTES, RecordHeader, Slot,
    files::{found, id},
    form,
    region::{RegionHeader, Tail, VALUE_SIZE_MARK, WriteState, room, spare},
    tables::Config,
};

pub mod preemption;
mod rooms;

pub use rooms::{claim, give_back};

const MMAPABLE: u32 = 1024;

/// The recorder replaces the value's size, the number of entries, and the ring buffer's size.
#[map]
static RING: Array<[u8; VALUE_SIZE_MARK as usize]> = Array::with_max_entries(1, MMAPABLE);
#[map]
static TAILS: Array<Tail> = Array::with_max_entries(1, MMAPABLE);
#[map]
static DOOR: RingBuf = RingBuf::with_byte_size(4096, 0);
/// Records of CPUs that have no region, by slot: those that came online after the recording had begun, beyond the regions
/// that were made for such.
#[map]
static WITHOUT_REGION: Array<[u64; Slot::COUNT]> = Array::with_max_entries(1, 0);

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
    pub fn leave_file(&self, file: u64, dentry: u64, mount: u64) {
        // SAFETY: words of a map value.
        unsafe {
            write_volatile(&raw mut (*self.state).file, file);
            write_volatile(&raw mut (*self.state).dentry, dentry);
            write_volatile(&raw mut (*self.state).mount, mount);
        }
    }

    /// The file, dentry and mount that were left.
    #[inline(always)]
    pub fn left_file(&self) -> (u64, u64, u64) {
        // SAFETY: words of a map value.
        unsafe {
            (
                read_volatile(&raw const (*self.state).file),
                read_volatile(&raw const (*self.state).dentry),
                read_volatile(&raw const (*self.state).mount),
            )
        }
    }

    /// What the parts of this write leave for each other.
    #[inline(always)]
    pub fn state(&self) -> *const WriteState {
        self.state
    }

    /// Notes how a call is recorded.
    #[inline(always)]
    pub fn note_how(&self, how: u64) {
        // SAFETY: a word of a map value.
        unsafe { write_volatile(&raw mut (*self.state).how, how) };
    }

    /// Notes whose a call is, and what it came to.
    #[inline(always)]
    pub fn note_exit(&self, context: u64, result: i64) {
        // SAFETY: words of a map value.
        unsafe {
            write_volatile(&raw mut (*self.state).context, context);
            write_volatile(&raw mut (*self.state).result, result);
        }
    }

    /// Notes an argument of a call whose arguments are in no registers.
    #[inline(always)]
    pub fn note_argument(&self, position: usize, value: u64) {
        // SAFETY: a word of a map value; positions are at most 5.
        unsafe { write_volatile((&raw mut (*self.state).arguments).cast::<u64>().add(position), value) };
    }

    /// Notes where the walk of a path has come to: dentry and mount.
    #[inline(always)]
    pub fn set_walk(&self, dentry: u64, mount: u64) {
        // SAFETY: words of a map value.
        unsafe { write_volatile(&raw mut (*self.state).walk, [dentry, mount]) };
    }

    #[inline(always)]
    pub fn walk(&self) -> [u64; 2] {
        // SAFETY: as above.
        unsafe { read_volatile(&raw const (*self.state).walk) }
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
        if let Some(region) = region_of(bpf_get_smp_processor_id(), slot) {
            count_drop(region, slot, Refusal::Full);
        }
    }
}

/// The region of this CPU. Where there is none, the record is counted.
#[inline(always)]
fn region_of(cpu: u32, slot: u16) -> Option<*mut RegionHeader> {
    let Some(region) = RING.get_ptr_mut(cpu) else {
        // SAFETY: a map value with a counter for each slot.
        unsafe {
            if let Some(counters) = WITHOUT_REGION.get_ptr_mut(0) {
                add(counter_of(counters.cast(), slot), 1);
            }
        }
        return None;
    };
    Some(region.cast())
}

/// Counts an event that the spare of a program has taken over.
#[inline(always)]
pub fn count_taken_over(kind: usize) {
    // SAFETY: a helper without arguments, and a counter of this CPU.
    unsafe {
        if let Some(region) = RING.get_ptr_mut(bpf_get_smp_processor_id()) {
            let counters = &raw mut (*region.cast::<RegionHeader>()).taken_over;
            add(counters.cast::<u64>().add(kind & (spare::COUNT - 1)), 1);
        }
    }
}

/// Counts the return of a function whose entry nothing is known of. Each hook has its own counter.
#[inline(always)]
pub fn count_forgotten(hook: u64) {
    // SAFETY: a helper without arguments, and the region of this CPU; there are fewer hooks than counters.
    unsafe {
        if let Some(region) = region_of(bpf_get_smp_processor_id(), crate::hook::slot_of(hook)) {
            let counters = &raw mut (*region).forgotten;
            add(counters.cast::<u64>().add(hook as usize & (Slot::COUNT - Slot::HOOK_BASE - 1)), 1);
            add(&raw mut (*region).dropped, 1);
        }
    }
}

/// Counts an exit of a system call that no scope can want.
#[inline(always)]
pub fn count_left_out_call() {
    // SAFETY: a helper without arguments, and a counter of this CPU.
    unsafe {
        if let Some(region) = RING.get_ptr_mut(bpf_get_smp_processor_id()) {
            count(&raw mut (*region.cast::<RegionHeader>()).left_out_calls);
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
            count(counters.cast::<u64>().add(hook as usize & (Slot::COUNT - Slot::HOOK_BASE - 1)));
        }
    }
}

/// Adds one to a counter of this CPU that one program alone counts at, which does not interrupt itself. Where it may be
/// preempted while it does, on its way to another task that runs it, in one instruction.
#[inline(always)]
unsafe fn count(counter: *mut u64) {
    // SAFETY: the caller's pointer is to a map value.
    unsafe {
        if config!(disables_preemption) != 0 {
            *counter += 1;
        } else {
            add(counter, 1);
        }
    }
}

/// Adds in one instruction, the one that every kernel has: it does not say what was there before.
#[inline(always)]
unsafe fn add(counter: *mut u64, number: u64) {
    // SAFETY: the caller's pointer is to a map value.
    unsafe { asm!("lock *(u64 *)({0} + 0) += {1}", in(reg) counter, in(reg) number) };
}

/// Why a record is not written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// The recorder has not read what is there.
    Full,
    /// All rooms are taken by programs that this one interrupted or preempted.
    Nested,
}

/// Counts a record that is not written. Programs of all kinds count here, whatever they interrupt: each in one instruction.
#[inline(always)]
unsafe fn count_drop(region: *mut RegionHeader, slot: u16, refusal: Refusal) {
    // SAFETY: counters of this CPU's region; the offset is at most that of the last one.
    unsafe {
        let table = match refusal {
            Refusal::Full => &raw mut (*region).full,
            Refusal::Nested => &raw mut (*region).nested,
        };
        add(counter_of(table.cast(), slot), 1);
        add(&raw mut (*region).dropped, 1);
    }
}

/// The counter of a slot in a table of them.
///
/// # Safety
/// The table is in a map value, and has a counter for each slot.
#[inline(always)]
unsafe fn counter_of(table: *mut u64, slot: u16) -> *mut u64 {
    let (mut counter, mut offset) = (table.cast::<u8>(), slot as u64);
    // SAFETY: the offset is at most that of the last counter. Written out, or the compiler leaves out a check that the
    // verifier needs.
    unsafe {
        asm!(
            "if {offset} < {count} goto +1",
            "{offset} = {count} - 1",
            "{offset} <<= 3",
            "{counter} += {offset}",
            offset = inout(reg) offset,
            counter = inout(reg) counter,
            count = const Slot::COUNT as i32,
            options(nomem, nostack),
        );
    }
    let _ = offset;
    counter.cast()
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
