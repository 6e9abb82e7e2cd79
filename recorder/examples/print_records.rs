//! Prints what the kernel side records: `print_records [SECONDS] [EVENT...]`.
#![allow(clippy::print_stdout)]

use std::time::{Duration, Instant};

use events::{Context, EventId, Raw, catalogue};
use recorder::kernel::{Kernel, KernelOptions, Loss, Record, Records};

#[derive(Default)]
struct Printer {
    tasks: std::collections::HashMap<u32, String>,
}

impl Records for Printer {
    fn context(&mut self, id: u32, context: &Context<'_>) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (comm, exe, uts) = (text(context.comm), text(context.exe), text(context.uts));
        println!("context {id}: {comm} {exe} {uts} {context:?}");
        self.tasks.insert(id, format!("{comm}[{}/{}]", context.pid, context.tid));
    }

    fn record(&mut self, record: &Record<'_>) {
        let task = self.tasks.get(&record.context).map_or("?", String::as_str);
        let event = catalogue::by_id(record.event);
        let (name, declared) = event.map_or(("?", &[][..]), |event| (event.name, event.args));
        let args: Vec<String> = declared
            .iter()
            .zip(record.args)
            .map(|(arg, raw)| match raw {
                Raw::Missing => format!("{}=-", arg.name),
                Raw::Number(number) => format!("{}={number:#x}", arg.name),
                Raw::Bytes(bytes) => format!("{}={:?}", arg.name, String::from_utf8_lossy(bytes)),
            })
            .collect();
        println!(
            "{} {task} {name}({}) = {} marks {:#x}",
            record.time_ns,
            args.join(", "),
            record.ret,
            record.marks.0
        );
    }

    fn lost(&mut self, loss: &Loss) {
        println!("lost: {loss:?}");
    }

    fn forget(&mut self, id: u32) {
        self.tasks.remove(&id);
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let seconds: f64 = arguments.next().map_or(Ok(1.0), |text| text.parse())?;
    let events: Vec<EventId> =
        arguments.filter_map(|name| catalogue::by_name(&name)).map(|event| event.id).collect();
    let options =
        KernelOptions { events: (!events.is_empty()).then_some(events), ..KernelOptions::default() };
    let mut kernel = Kernel::load(&options).map_err(|error| {
        println!("{error}");
        error
    })?;
    for unavailable in kernel.unavailable() {
        let name = catalogue::by_id(unavailable.event).map_or("?", |event| event.name);
        println!("unavailable: {name}: {}", unavailable.reason);
    }
    let mut printer = Printer::default();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < end {
        kernel.wait(Duration::from_millis(20))?;
        kernel.drain(&mut printer)?;
    }
    kernel.finish(&mut printer)?;
    Ok(())
}
