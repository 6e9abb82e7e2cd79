//! How small blocks get, and how fast they are written and read: `cargo bench -p tracer-format`.
#![allow(clippy::print_stdout)] // the table of sizes is a result

mod workload;

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::ItemsCount;
use format::{
    BlockBuilder, Capture, Compression, EncodedBlock, Encoder, Header, Options, Scratch, Writer,
    current_schema,
};
use workload::{Workload, push};

const ROWS: usize = 65_536;
/// The workloads, by what they are called on the command line.
const NAMES: [&str; 4] = ["dd", "find", "find_contents", "forks"];

fn workload(name: &str) -> &'static Workload {
    static ALL: LazyLock<[Workload; 4]> = LazyLock::new(|| {
        let rows = 4 * ROWS;
        [workload::dd(rows), workload::find(rows, false), workload::find(rows, true), workload::forks(rows)]
    });
    &ALL[NAMES.iter().position(|n| *n == name).expect("a workload's name")]
}

fn encode(workload: &Workload, compression: Compression) -> Vec<EncodedBlock> {
    let mut encoder = Encoder::new(Options::new(compression));
    let mut builder = BlockBuilder::new();
    let blocks = workload.events.chunks(ROWS).map(|events| {
        push(&mut builder, events);
        encoder.encode(&mut builder).expect("blocks encode")
    });
    blocks.collect()
}

fn capture(name: &str) -> Capture {
    let header = Header { schema: current_schema(), ..Header::default() };
    let mut writer = Writer::create(Vec::new(), &header).expect("memory takes it");
    for block in encode(workload(name), Compression::Default) {
        writer.block(&block).expect("memory takes it");
    }
    Capture::from_bytes(writer.finish().expect("memory takes it").0).expect("it reads")
}

#[divan::bench(args = NAMES, sample_count = 10)]
fn push_rows(bencher: Bencher<'_, '_>, name: &str) {
    let events = &workload(name).events[..ROWS];
    let mut builder = BlockBuilder::new();
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        builder.clear();
        push(&mut builder, events);
    });
}

fn bench_encode(bencher: Bencher<'_, '_>, name: &str, compression: Compression) {
    let events = &workload(name).events[..ROWS];
    let mut encoder = Encoder::new(Options::new(compression));
    bencher
        .counter(ItemsCount::new(events.len()))
        .with_inputs(|| {
            let mut builder = BlockBuilder::new();
            push(&mut builder, events);
            builder
        })
        .bench_local_values(|mut builder| encoder.encode(&mut builder).expect("blocks encode").bytes());
}

#[divan::bench(args = NAMES, sample_count = 10)]
fn encode_fast(bencher: Bencher<'_, '_>, name: &str) {
    bench_encode(bencher, name, Compression::Fast);
}

#[divan::bench(args = NAMES, sample_count = 10)]
fn encode_default(bencher: Bencher<'_, '_>, name: &str) {
    bench_encode(bencher, name, Compression::Default);
}

#[divan::bench(args = NAMES, sample_count = 3)]
fn encode_max(bencher: Bencher<'_, '_>, name: &str) {
    bench_encode(bencher, name, Compression::Max);
}

fn bench_read(bencher: Bencher<'_, '_>, name: &str, read: impl Fn(&format::Block) -> format::Result<u64>) {
    let capture = capture(name);
    let mut scratch = Scratch::new();
    let rows: u64 = capture.blocks().iter().map(|b| b.statistics.rows).sum();
    bencher.counter(ItemsCount::new(rows as usize)).bench_local(|| {
        let blocks = 0..capture.blocks().len();
        blocks
            .map(|at| read(&capture.block(at, &mut scratch)?))
            .sum::<format::Result<u64>>()
            .expect("it reads")
    });
}

/// What a filter on contexts and events needs.
#[divan::bench(args = NAMES, sample_count = 20)]
fn read_codes(bencher: Bencher<'_, '_>, name: &str) {
    bench_read(bencher, name, |block| {
        let rows = block.event_codes()?.len() + block.context_codes()?.len();
        Ok((rows + block.contexts()?.len()) as u64)
    });
}

#[divan::bench(args = NAMES, sample_count = 20)]
fn read_all_but_arguments(bencher: Bencher<'_, '_>, name: &str) {
    bench_read(bencher, name, |block| {
        let codes = block.event_codes()?.len() + block.context_codes()?.len() + block.contexts()?.len();
        let rows = block.times()?.len() + block.rets()?.len() + block.scopes()?.len() + block.marks()?.len();
        Ok((codes + rows + block.cpus()?.len()) as u64)
    });
}

#[divan::bench(args = NAMES, sample_count = 20)]
fn read_arguments(bencher: Bencher<'_, '_>, name: &str) {
    bench_read(bencher, name, |block| {
        let mut rows = 0;
        for code in 0..block.event_list().len() as u16 {
            for position in 0..6 {
                rows += block.args(code).column(position)?.rows();
            }
        }
        Ok(rows as u64)
    });
}

/// A capture of ten million events, as a file: 160 blocks or, flushed each second, 1200.
#[divan::bench(args = [160, 1200], sample_count = 20)]
fn open_file(bencher: Bencher<'_, '_>, blocks: usize) {
    let path = std::env::temp_dir().join(format!("tracer-bench-{}-{blocks}.trz", std::process::id()));
    let header = Header { schema: current_schema(), ..Header::default() };
    let file = std::fs::File::create(&path).expect("the temporary directory takes it");
    let mut writer = Writer::create(file, &header).expect("the disk takes it");
    let rows = 10_000_000 / blocks;
    let mut builder = BlockBuilder::new();
    let mut encoder = Encoder::new(Options::default());
    push(&mut builder, &workload("forks").events[..rows.min(ROWS)]);
    let block = encoder.encode(&mut builder).expect("blocks encode");
    for _ in 0..blocks {
        writer.block(&block).expect("the disk takes it");
    }
    writer.finish().expect("the disk takes it");
    bencher.bench_local(|| Capture::open(&path).expect("it reads").blocks().len());
    std::fs::remove_file(&path).expect("it is there");
}

fn main() {
    if std::env::args().any(|arg| arg == "--bench") {
        println!("{:<20} {:>10} {:>10} {:>10}   bytes an event", "", "fast", "default", "max");
        for name in NAMES {
            let workload = workload(name);
            let size = |compression| {
                let bytes: usize = encode(workload, compression).iter().map(EncodedBlock::bytes).sum();
                bytes as f64 / workload.events.len() as f64
            };
            let [fast, default, max] = [Compression::Fast, Compression::Default, Compression::Max].map(size);
            println!("{:<20} {fast:>10.3} {default:>10.3} {max:>10.3}", workload.name);
        }
    }
    divan::main();
}
