//! From bytes as the kernel programs write them to records, without a kernel: what the draining thread does for each.

mod setup;

use std::time::Duration;

use divan::counter::ItemsCount;
use events::{
    Context, EventId,
    abi::{CONTEXT_BYTES, HEADER_BYTES, RecordHeader, files, form, kind},
    catalogue,
};
use recorder::{
    kernel::{Drain, Error, Loss, Record, Records, Share, SlotEvent},
    session::{Session, Step},
    source::Source,
    team::Team,
};
use scopes::Plan;

/// Records of one recording.
const RECORDS: usize = 2_000_000;
/// Records of one look at the buffers.
const BATCH: usize = 20_000;
/// The same where many CPUs are busy.
const LARGE_BATCH: usize = 200_000;
const CONTEXT: u64 = 1 << 44 | 7;
const FILE: u64 = 1 << files::id::CPU_SHIFT | 9;

fn main() {
    divan::main();
}

/// What the programs write for one task that reads and writes a byte, or that opens and looks at many files.
#[derive(Clone, Copy, Debug)]
enum Load {
    Dd,
    Find,
}

impl Load {
    fn calls(self) -> &'static [&'static str] {
        match self {
            Load::Dd => &["read", "write"],
            Load::Find => &["newfstatat", "openat", "fcntl", "close"],
        }
    }

    fn slots(self) -> Vec<Option<SlotEvent>> {
        let slots = self.calls().iter().map(|name| catalogue::by_name(name).map(SlotEvent::new));
        slots.collect()
    }

    /// The `n`th record of its CPU, and the `time`th of all.
    fn event(self, n: usize, time: usize, out: &mut Vec<u8>) {
        let slot = n % self.calls().len();
        let at = RecordHeader { kind: kind::EVENT, slot: slot as u16, ..header(time) };
        let file = FILE.to_ne_bytes();
        let path = || format!("/usr/lib/x86_64/{}/{}", n % 97, n.wrapping_mul(7919) % 20_000);
        match (self, slot) {
            (Load::Dd, _) => {
                let blobs: [(u8, u8, &[u8]); 2] = [(0, form::FILE, &file), (1, form::PLAIN, &[0])];
                write(at, &[slot as u64, 0x7fff_0000, 1], &blobs, out);
            }
            (Load::Find, 0) => {
                let (path, stat) = (path(), [0; 144]);
                let blobs: [(u8, u8, &[u8]); 3] =
                    [(0, form::FILE, &file), (1, form::PLAIN, path.as_bytes()), (2, form::PLAIN, &stat)];
                write(at, &[5, 0x7fff_0000, 0x7fff_1000, 0x100], &blobs, out);
            }
            (Load::Find, 1) => {
                let path = path();
                write(
                    at,
                    &[u64::MAX - 99, 0x7fff_0000, 0x80000, 0],
                    &[(1, form::PLAIN, path.as_bytes())],
                    out,
                );
            }
            (Load::Find, 2) => write(at, &[5, 1, 0], &[(0, form::FILE, &file)], out),
            (Load::Find, _) => write(at, &[5], &[(0, form::FILE, &file)], out),
        }
    }
}

/// A load on so many CPUs, read by so many drains.
#[derive(Clone, Copy, Debug)]
struct Machine {
    load: Load,
    cpus: usize,
    drains: usize,
}

const fn machine(load: Load, cpus: usize, drains: usize) -> Machine {
    Machine { load, cpus, drains }
}

const MACHINES: [Machine; 10] = [
    machine(Load::Dd, 2, 1),
    machine(Load::Dd, 8, 1),
    machine(Load::Dd, 64, 1),
    machine(Load::Dd, 64, 2),
    machine(Load::Dd, 64, 16),
    machine(Load::Find, 2, 1),
    machine(Load::Find, 8, 1),
    machine(Load::Find, 64, 1),
    machine(Load::Find, 64, 2),
    machine(Load::Find, 64, 16),
];

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} on {} CPUs, {} drains", self.load, self.cpus, self.drains)
    }
}

fn header(n: usize) -> RecordHeader {
    RecordHeader { time_ns: 1_000_000 + n as u64 * 450, context: CONTEXT, more: 1, ..RecordHeader::default() }
}

fn write(header: RecordHeader, words: &[u64], blobs: &[(u8, u8, &[u8])], out: &mut Vec<u8>) {
    let blob_bytes: usize = blobs.iter().map(|(_, _, bytes)| 8 + bytes.len().next_multiple_of(8)).sum();
    let length = (HEADER_BYTES + words.len() * 8 + blob_bytes) as u32;
    out.extend(header.time_ns.to_ne_bytes());
    out.extend(length.to_ne_bytes());
    out.extend(header.slot.to_ne_bytes());
    out.extend([header.kind, words.len() as u8]);
    out.extend(header.context.to_ne_bytes());
    out.extend(header.ret.to_ne_bytes());
    out.extend(header.marks.to_ne_bytes());
    out.extend(header.cpu.to_ne_bytes());
    out.extend(header.more.to_ne_bytes());
    out.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    for (arg, form, bytes) in blobs {
        out.extend((bytes.len() as u32).to_ne_bytes());
        out.extend([*arg, *form, 0, 0]);
        out.extend_from_slice(bytes);
        out.resize(out.len().next_multiple_of(8), 0);
    }
}

/// What is told once: who the task is, and what its descriptor stands for.
fn told(out: &mut Vec<u8>) {
    let mut words = [0; CONTEXT_BYTES / 8];
    // pid and tid, comm.
    (words[0], words[11]) = (42 << 32 | 42, u64::from_ne_bytes(*b"dd\0\0\0\0\0\0"));
    write(
        RecordHeader { kind: kind::CONTEXT, ..header(0) },
        &words,
        &[(0, form::PATH, b"dd\0bin\0usr\0")],
        out,
    );
    let file = RecordHeader { kind: kind::FILE, context: FILE, ..header(0) };
    write(file, &[0o020_666, 5, 0], &[(files::part::PATH, form::PATH, b"zero\0dev\0")], out);
}

struct Bytes {
    drain: Drain,
    /// What each look finds, by CPU; the next one last.
    batches: Vec<Vec<Vec<u8>>>,
}

impl Bytes {
    fn new(load: Load) -> Bytes {
        Bytes::of(machine(load, 1, 1))
    }

    /// CPUs write by turns, so that none has two records in a row: the dearest to put in order.
    fn of(machine: Machine) -> Bytes {
        let Machine { load, cpus, drains } = machine;
        let batch = if cpus == 1 { BATCH } else { LARGE_BATCH };
        let batches = (0..RECORDS / batch).map(|number| {
            let mut of_cpus = vec![Vec::new(); cpus];
            if number == 0 {
                told(&mut of_cpus[0]);
            }
            for n in number * batch..(number + 1) * batch {
                let cpu = n % cpus;
                let start = of_cpus[cpu].len();
                // What each CPU does is what one alone would.
                load.event(n / cpus, n, &mut of_cpus[cpu]);
                of_cpus[cpu][start + CPU_AT..][..2].copy_from_slice(&(cpu as u16).to_ne_bytes());
            }
            of_cpus
        });
        let mut drain = Drain::new(load.slots(), cpus, 0, Vec::new());
        if drains > 1 {
            drain.employ(Team::start(drains, || Ok(())).expect("threads"));
        }
        Bytes { batches: batches.rev().collect(), drain }
    }
}

/// Where a record's header has its CPU.
const CPU_AT: usize = 36;

impl Source for Bytes {
    fn wait(&mut self, _: Duration) -> Result<(), Error> {
        Ok(())
    }

    fn drain(&mut self, records: &mut impl Records) -> Result<usize, Error> {
        let Some(batch) = self.batches.pop() else { return Ok(0) };
        batch.iter().for_each(|of_cpu| self.drain.take_piece(of_cpu));
        Ok(self.drain.release(u64::MAX, records))
    }

    fn finish(self, _: &mut impl Records) -> Result<(), Error> {
        Ok(())
    }
}

/// Counts what it is given.
#[derive(Default)]
struct Count {
    events: [usize; 2],
    contexts: usize,
}

impl Records for Count {
    fn context(&mut self, _: u32, _: &Context<'_>) {
        self.contexts += 1;
    }

    fn record(&mut self, record: &Record<'_>) {
        self.events[usize::from(record.event == EventId(0))] += record.args.len();
    }

    fn lost(&mut self, _: &Loss) {}
}

/// Counts what it is given, by itself or in shares.
#[derive(Default)]
struct Shares {
    alone: Count,
    shares: Vec<CountShare>,
}

#[derive(Clone, Default)]
struct CountShare(usize);

impl Share for CountShare {
    fn record(&mut self, record: &Record<'_>) {
        self.0 += record.args.len();
    }
}

impl Share for &mut CountShare {
    fn record(&mut self, record: &Record<'_>) {
        CountShare::record(self, record);
    }
}

impl Records for Shares {
    fn context(&mut self, id: u32, context: &Context<'_>) {
        self.alone.context(id, context);
    }

    fn record(&mut self, record: &Record<'_>) {
        self.alone.record(record);
    }

    fn lost(&mut self, _: &Loss) {}

    fn begin_sharing(&mut self) -> bool {
        true
    }

    fn shares(&mut self, count: usize) -> Vec<Box<dyn Share + '_>> {
        self.shares.resize(count, CountShare::default());
        self.shares.iter_mut().map(|share| -> Box<dyn Share + '_> { Box::new(share) }).collect()
    }
}

/// Reading alone, of many CPUs.
#[divan::bench(args = MACHINES, sample_count = 5, sample_size = 1)]
fn read_many(bencher: divan::Bencher<'_, '_>, machine: Machine) {
    bencher.counter(ItemsCount::new(RECORDS)).with_inputs(|| Bytes::of(machine)).bench_local_values(
        |mut bytes| {
            let mut shares = Shares::default();
            while bytes.drain(&mut shares).is_ok_and(|read| read > 0) {}
            shares.alone.events[0] + shares.shares.iter().map(|share| share.0).sum::<usize>()
        },
    );
}

/// A whole recording of many CPUs, up to the file.
#[divan::bench(args = MACHINES, sample_count = 3, sample_size = 1)]
fn record_many(bencher: divan::Bencher<'_, '_>, machine: Machine) {
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder");
    bencher.counter(ItemsCount::new(RECORDS)).with_inputs(|| Bytes::of(machine)).bench_local_values(
        |bytes| {
            let mut left = bytes.batches.len() + 1;
            let setup = setup::setup_to(&dir.path().join("c.trz"), Plan::everything(), machine.drains);
            let summary = Session::start(setup).and_then(|session| {
                session.record(bytes, &mut || {
                    left = left.saturating_sub(1);
                    if left == 0 { Step::Stop } else { Step::Go }
                })
            });
            assert!(summary.is_ok(), "{summary:?}");
            summary.map_or(0, |summary| summary.lost)
        },
    );
}

/// Reading alone.
#[divan::bench(args = [Load::Dd, Load::Find], sample_count = 5, sample_size = 1)]
fn read(bencher: divan::Bencher<'_, '_>, load: Load) {
    bencher.counter(ItemsCount::new(RECORDS)).with_inputs(|| Bytes::new(load)).bench_local_values(
        |mut bytes| {
            let mut count = Count::default();
            while bytes.drain(&mut count).is_ok_and(|read| read > 0) {}
            assert_eq!(count.contexts, 2);
            count.events
        },
    );
}

/// A whole recording, up to the file.
#[divan::bench(args = [Load::Dd, Load::Find], sample_count = 5, sample_size = 1)]
fn record(bencher: divan::Bencher<'_, '_>, load: Load) {
    bencher.counter(ItemsCount::new(RECORDS)).with_inputs(|| Bytes::new(load)).bench_local_values(|bytes| {
        let mut left = bytes.batches.len() + 1;
        let summary = Session::start(setup::setup(Plan::everything(), false)).and_then(|session| {
            session.record(bytes, &mut || {
                left = left.saturating_sub(1);
                if left == 0 { Step::Stop } else { Step::Go }
            })
        });
        assert!(summary.is_ok(), "{summary:?}");
        summary.map_or(0, |summary| summary.lost)
    });
}
