//! What a system call costs more while it is recorded: `syscall_cost [ROUNDS]`, as root.
//!
//! Each round times the same calls bare, with the recording attached, and bare again; the figure is the median of the
//! paired differences. Time it on an idle machine, and compare builds only in pairs.
#![allow(clippy::print_stdout)]

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use events::Context;
use recorder::kernel::{Kernel, KernelOptions, Loss, Record, Records, Transport};

const CALLS: u32 = 200_000;

#[derive(Default)]
struct Counter {
    records: u64,
    lost: u64,
}

impl Records for Counter {
    fn context(&mut self, _: u32, _: &Context<'_>) {}

    fn record(&mut self, _: &Record<'_>) {
        self.records += 1;
    }

    fn lost(&mut self, loss: &Loss) {
        self.lost += loss.count;
    }
}

/// Runs the calls in another process: the recorder's own are not recorded.
fn time_calls(call: &str) -> Result<f64, Box<dyn std::error::Error>> {
    let program = std::env::current_exe()?;
    let output = std::process::Command::new(program).args(["--calls", call]).output()?;
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

fn calls(call: &str) -> f64 {
    let start = Instant::now();
    for _ in 0..CALLS {
        match call {
            "access" => drop(rustix::fs::access(c"/nonexistent/path/of/a/file", rustix::fs::Access::EXISTS)),
            _ => drop(rustix::process::getppid()),
        }
    }
    start.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

fn record(transport: Transport, call: &str) -> Result<(f64, Counter), Box<dyn std::error::Error>> {
    let mut kernel = Kernel::load(&KernelOptions { transport, ..KernelOptions::default() })?;
    let done = AtomicBool::new(false);
    let drained = AtomicU64::new(0);
    let (time, counter) = std::thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let mut counter = Counter::default();
            while !done.load(Ordering::Relaxed) {
                if kernel.wait(Duration::from_millis(10)).is_err() {
                    break;
                }
                drained.fetch_add(kernel.drain(&mut counter).unwrap_or(0) as u64, Ordering::Relaxed);
            }
            let _ = kernel.finish(&mut counter);
            counter
        });
        let time = time_calls(call).map_err(|error| error.to_string());
        done.store(true, Ordering::Relaxed);
        (time, consumer.join())
    });
    Ok((time?, counter.map_err(|_| "the consumer died")?))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, call] = arguments.as_slice()
        && flag == "--calls"
    {
        println!("{}", calls(call));
        return Ok(());
    }
    let rounds = arguments.first().map_or(Ok(10), |text| text.parse::<usize>())?;
    println!("| call | transport | bare ns | added ns (median of {rounds}) | records | lost |");
    println!("|---|---|---|---|---|---|");
    for call in ["getppid", "access"] {
        for transport in [Transport::Region, Transport::Ringbuf] {
            let (mut bare, mut added, mut total) = (Vec::new(), Vec::new(), Counter::default());
            for _ in 0..rounds {
                let before = time_calls(call)?;
                let (recorded, counter) = record(transport, call)?;
                let after = time_calls(call)?;
                bare.push(before.min(after));
                added.push(recorded - (before + after) / 2.0);
                total.records += counter.records;
                total.lost += counter.lost;
            }
            println!(
                "| {call} | {transport:?} | {:.0} | {:.0} | {} | {} |",
                median(bare),
                median(added),
                total.records,
                total.lost
            );
        }
    }
    Ok(())
}
