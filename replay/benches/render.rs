//! How fast events become text, one thread: `cargo bench -p tracer-replay --bench render`.

use divan::counter::ItemsCount;
use events::{Context, Marks, Raw, catalogue};
use pipeline::source::Host;
use pipeline::{Args, EventView, Output};
use replay::render::{Format, Printer, Style};

fn main() {
    divan::main();
}

const EVENTS: usize = 10_000;

/// Opens by 64 tasks in turn, as a block of a busy host holds them.
#[divan::bench(args = [Format::Json, Format::Table, Format::TableVerbose])]
fn openat(bencher: divan::Bencher<'_, '_>, format: Format) {
    let openat = catalogue::by_name("openat").expect("the catalogue has openat");
    let args = [
        Raw::Number(-100i64 as u64),
        Raw::Bytes(b"/usr/include/x86_64-linux-gnu/bits/types.h"),
        Raw::Number(0x8_0000),
        Raw::Number(0),
    ];
    let contexts: Vec<Context<'_>> = (0..64)
        .map(|number| Context {
            pid: 470_000 + number,
            tid: 470_000 + number,
            ppid: 469_000,
            ns_pid: 470_000 + number,
            ns_tid: 470_000 + number,
            uid: 1000,
            mnt_ns: 4_026_531_841,
            pid_ns: 4_026_531_836,
            cgroup_id: 6512,
            comm: b"cc1plus",
            exe: b"/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus",
            uts: b"buildhost",
            ..Context::default()
        })
        .collect();
    let host = Host::default();
    let printer = Printer { format, style: Style::default() };
    let mut renderer = printer.renderer();
    let mut out = Vec::new();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        out.clear();
        renderer.block();
        for number in 0..EVENTS {
            let code = number % contexts.len();
            renderer.event(
                &EventView {
                    at: pipeline::RowRef::default(),
                    time_ns: number as u64 * 700,
                    wall_ns: 1_668_542_955_041_923_000 + number as i64 * 700,
                    event: openat,
                    context: &contexts[code],
                    context_index: code as u32,
                    host: &host,
                    container: None,
                    cpu: 1,
                    ret: 3,
                    scopes: 256,
                    duration_ns: None,
                    recorded: 0,
                    marks: Marks(0),
                    args: Args::List(&args),
                    base: None,
                },
                &mut out,
            );
        }
        out.len()
    });
}
