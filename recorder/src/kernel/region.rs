//! The mapped regions: the one module that touches memory shared with the kernel programs.
//!
//! The kernel writes data beyond `head` and then moves it; what lies between `tail` and `head` it leaves alone until the
//! tail has moved. So bytes there are copied out as they are, and judged afterwards.

use std::{
    ffi::c_void,
    os::fd::BorrowedFd,
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering, fence},
};

use events::abi::{
    HEADER_BYTES, RecordHeader, Slot,
    region::{DATA_OFFSET, RegionHeader, Tail, WriteState, region_bytes, room, slack_bytes, spare},
};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// One shared mapping.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a mapping is not tied to a thread, and all access goes through atomics, or copies of a CPU's data under its
// [`Region`], of which there is one at a time.
unsafe impl Send for Mapping {}
// SAFETY: as above; with `&Regions` alone there is nothing but loads and stores of atomics.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(fd: BorrowedFd<'_>, bytes: usize, protection: ProtFlags) -> std::io::Result<Mapping> {
        let bytes = bytes.next_multiple_of(4096);
        // SAFETY: a new mapping at an address of the kernel's choice.
        let start = unsafe { mmap(std::ptr::null_mut(), bytes, protection, MapFlags::SHARED, fd, 0) }?;
        NonNull::new(start.cast())
            .map(|start| Mapping { start, bytes })
            .ok_or_else(|| std::io::Error::other("mapped at 0"))
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this very mapping, of which no reference outlives `self`.
        let _ = unsafe { munmap(self.start.as_ptr().cast::<c_void>(), self.bytes) };
    }
}

/// Records that were not written, since the start.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Dropped {
    pub full: u64,
    pub nested: u64,
    pub forgotten: u64,
}

/// The regions of all CPUs.
#[derive(Debug)]
pub struct Regions {
    ring: Mapping,
    tails: Mapping,
    data_bytes: usize,
    /// The most that one program writes at once.
    write_bytes: usize,
    cpus: usize,
    /// The most that one region held when it was taken.
    fullest_bytes: AtomicUsize,
}

/// The region of one CPU: whoever has it is the only one who takes what is there.
#[derive(Debug)]
pub struct Region<'r> {
    regions: &'r Regions,
    cpu: usize,
}

impl Region<'_> {
    /// Appends what the CPU has written since to `out`, and gives the room back. False where head and tail cannot be right:
    /// then all that lies between is given up.
    pub fn take(&mut self, out: &mut Vec<u8>) -> bool {
        let Region { regions, cpu } = *self;
        // Nothing but relaxed loads is promised to work on memory that cannot be written.
        let head = regions.head_of(cpu).load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        let tail = regions.tail_of(cpu).load(Ordering::Relaxed);
        let length = head.wrapping_sub(tail) as usize;
        regions.fullest_bytes.fetch_max(length.min(regions.data_bytes), Ordering::Relaxed);
        if length == 0 {
            return true;
        }
        if length > regions.data_bytes {
            regions.tail_of(cpu).store(head, Ordering::Release);
            return false;
        }
        let start = tail as usize & (regions.data_bytes - 1);
        // SAFETY: only the address of the data is computed.
        let data = unsafe { regions.header(cpu).cast::<u8>().add(DATA_OFFSET) };
        let slack = slack_bytes(regions.write_bytes);
        // Kept for the next time, and so no larger than it must be.
        out.reserve_exact(length);
        // A write that began near the end of the data ran over into the slack, and the next one began as if it had gone
        // round: the copy follows writes there.
        let mut at = start;
        let mut left = length;
        while left > 0 {
            let piece =
                if at + left <= regions.data_bytes { left } else { regions.run_over(data, at, left, slack) };
            // SAFETY: at + piece is within the data and its slack; the kernel does not write there before the tail moves.
            unsafe {
                let from = data.add(at);
                let filled = out.len();
                std::ptr::copy_nonoverlapping(from, out.as_mut_ptr().add(filled), piece);
                out.set_len(filled + piece);
            }
            left -= piece;
            at = (at + piece) & (regions.data_bytes - 1);
        }
        regions.tail_of(cpu).store(head, Ordering::Release);
        true
    }
}

impl Regions {
    /// Maps what the maps REGIONS and TAILS hold, each with an element per CPU.
    pub fn map(
        ring: BorrowedFd<'_>,
        tails: BorrowedFd<'_>,
        (data_bytes, write_bytes): (usize, usize),
        cpus: usize,
    ) -> std::io::Result<Regions> {
        let ring = Mapping::new(ring, region_bytes(data_bytes, write_bytes) * cpus, ProtFlags::READ)?;
        let tails = Mapping::new(tails, size_of::<Tail>() * cpus, ProtFlags::READ | ProtFlags::WRITE)?;
        Ok(Regions { ring, tails, data_bytes, write_bytes, cpus, fullest_bytes: AtomicUsize::new(0) })
    }

    pub fn cpus(&self) -> usize {
        self.cpus
    }

    pub fn data_bytes(&self) -> usize {
        self.data_bytes
    }

    /// The most that one region held when it was taken, since that was forgotten.
    pub fn fullest_bytes(&self) -> usize {
        self.fullest_bytes.load(Ordering::Relaxed)
    }

    pub fn forget_fullest(&mut self) {
        *self.fullest_bytes.get_mut() = 0;
    }

    fn header(&self, cpu: usize) -> *mut RegionHeader {
        assert!(cpu < self.cpus);
        // SAFETY: within the mapping, which has an element for each CPU.
        unsafe { self.ring.start.as_ptr().add(region_bytes(self.data_bytes, self.write_bytes) * cpu).cast() }
    }

    fn tail(&self, cpu: usize) -> *mut Tail {
        assert!(cpu < self.cpus);
        // SAFETY: as above.
        unsafe { self.tails.start.as_ptr().add(size_of::<Tail>() * cpu).cast() }
    }

    fn head_of(&self, cpu: usize) -> &AtomicU64 {
        // SAFETY: aligned and mapped as long as `self`; written by the kernel, read here atomically.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.header(cpu)).head) }
    }

    fn tail_of(&self, cpu: usize) -> &AtomicU64 {
        // SAFETY: as above.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.tail(cpu)).tail) }
    }

    fn asleep_of(&self, cpu: usize) -> &AtomicU32 {
        // SAFETY: as above.
        unsafe { AtomicU32::from_ptr(&raw mut (*self.tail(cpu)).asleep) }
    }

    /// Bytes that wait to be taken, of all CPUs.
    pub fn waiting_bytes(&self) -> usize {
        let of_cpu = |cpu| {
            let head = self.head_of(cpu).load(Ordering::Relaxed);
            head.wrapping_sub(self.tail_of(cpu).load(Ordering::Relaxed)) as usize
        };
        (0..self.cpus).map(of_cpu).map(|bytes| bytes.min(self.data_bytes)).sum()
    }

    /// The region of each CPU, to be taken by whom it is given to.
    pub fn each(&mut self) -> impl Iterator<Item = Region<'_>> {
        let regions = &*self;
        (0..regions.cpus).map(move |cpu| Region { regions, cpu })
    }

    /// How far to copy from `at` so as to end with the write that crosses the end of the data.
    fn run_over(&self, data: *const u8, at: usize, left: usize, slack: usize) -> usize {
        let mut end = at;
        let mut has_more = false;
        while (end < self.data_bytes || has_more)
            && end - at < left
            && end + HEADER_BYTES <= self.data_bytes + slack
        {
            // SAFETY: a header at `end` is within the data and its slack; it holds numbers only.
            let header = unsafe { data.add(end).cast::<RecordHeader>().read_unaligned() };
            if header.length == 0 {
                break;
            }
            has_more = header.more != 0;
            end = end.saturating_add(header.length as usize);
        }
        (end - at).clamp(1, left).min(self.data_bytes + slack - at)
    }

    /// Says that the recorder is going to wait. False when there is something to take already.
    pub fn sleep(&mut self) -> bool {
        for cpu in 0..self.cpus {
            self.asleep_of(cpu).store(1, Ordering::Relaxed);
        }
        // The programs move the head first and look at this word then; here it is the other way round.
        fence(Ordering::SeqCst);
        let quarter = self.data_bytes as u64 / 4;
        (0..self.cpus).all(|cpu| {
            let head = self.head_of(cpu).load(Ordering::Relaxed);
            head.wrapping_sub(self.tail_of(cpu).load(Ordering::Relaxed)) < quarter
        })
    }

    pub fn wake(&mut self) {
        for cpu in 0..self.cpus {
            self.asleep_of(cpu).store(0, Ordering::Relaxed);
        }
    }

    /// Records of a CPU that were not written, in all.
    pub fn dropped(&self, cpu: usize) -> u64 {
        // SAFETY: as in `head_of`.
        unsafe { AtomicU64::from_ptr(&raw mut (*self.header(cpu)).dropped) }.load(Ordering::Relaxed)
    }

    /// What a CPU's programs dropped because no scope can want it.
    pub fn left_out(&self, cpu: usize) -> u64 {
        let header = self.header(cpu);
        let counter = |place: *mut u64| {
            // SAFETY: as in `head_of`.
            unsafe { AtomicU64::from_ptr(place) }.load(Ordering::Relaxed)
        };
        // SAFETY: only addresses within the header are computed.
        let (calls, hooks) =
            unsafe { (&raw mut (*header).left_out_calls, (&raw mut (*header).left_out_hooks).cast::<u64>()) };
        let hooks = (0..Slot::COUNT - Slot::HOOK_BASE).map(|hook| counter(hooks.wrapping_add(hook)));
        counter(calls) + hooks.sum::<u64>()
    }

    /// Records of a slot that were not written: because all was full, because all rooms were taken, and because nothing was
    /// known any more of the entry of a function that returned.
    pub fn dropped_of(&self, cpu: usize, slot: usize) -> Dropped {
        assert!(slot < Slot::COUNT);
        let header = self.header(cpu);
        // SAFETY: as in `head_of`, and the slot is within the tables.
        let counter =
            |table: *mut u64| unsafe { AtomicU64::from_ptr(table.add(slot)) }.load(Ordering::Relaxed);
        // SAFETY: only addresses within the header are computed.
        let (full, nested) =
            unsafe { ((&raw mut (*header).full).cast::<u64>(), (&raw mut (*header).nested).cast::<u64>()) };
        let forgotten = slot.checked_sub(Slot::HOOK_BASE).map_or(0, |hook| {
            // SAFETY: only an address within the header is computed.
            let table = unsafe { (&raw mut (*header).forgotten).cast::<u64>() };
            // SAFETY: as in `head_of`, and the hook is within the table.
            unsafe { AtomicU64::from_ptr(table.add(hook)) }.load(Ordering::Relaxed)
        });
        Dropped { full: counter(full), nested: counter(nested), forgotten }
    }

    /// Runs of a program that its spare took over, on all CPUs; one of `abi::region::spare`.
    pub fn taken_over(&self, kind: usize) -> u64 {
        assert!(kind < spare::COUNT);
        let of_cpu = |cpu| {
            // SAFETY: as in `head_of`, and the kind is within the table.
            let counter = unsafe { (&raw mut (*self.header(cpu)).taken_over).cast::<u64>().add(kind) };
            // SAFETY: as above.
            unsafe { AtomicU64::from_ptr(counter) }.load(Ordering::Relaxed)
        };
        (0..self.cpus).map(of_cpu).sum()
    }

    /// Calls whose beginning found no room in the map of them, on all CPUs.
    pub fn untimed_calls(&self) -> u64 {
        let of_cpu = |cpu| {
            // SAFETY: as in `head_of`.
            unsafe { AtomicU64::from_ptr(&raw mut (*self.header(cpu)).untimed_calls) }.load(Ordering::Relaxed)
        };
        (0..self.cpus).map(of_cpu).sum()
    }

    /// The head of a CPU's data while a program writes there; `None` when none does.
    pub fn written_at(&self, cpu: usize) -> Option<u64> {
        let header = self.header(cpu);
        // SAFETY: as in `head_of`.
        let (nest, claims) = unsafe {
            let writes = (&raw mut (*header).writes).cast::<WriteState>().add(room::DATA as usize);
            (AtomicU32::from_ptr(&raw mut (*header).nest), AtomicU64::from_ptr(&raw mut (*writes).claims))
        };
        let is_writing = nest.load(Ordering::Relaxed) != 0 || claims.load(Ordering::Relaxed) != 0;
        is_writing.then(|| self.head_of(cpu).load(Ordering::Relaxed))
    }
}
