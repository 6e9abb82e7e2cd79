//! Where a capture's bytes go: `cargo run --release -p tracer-format --example columns -- FILE`.
#![allow(clippy::print_stdout)] // a table is what it is for

use std::collections::BTreeMap;

use format::{Capture, Scratch};

fn main() -> format::Result<()> {
    let path = std::env::args_os().nth(1).unwrap_or_default();
    let capture = Capture::open(path.as_ref())?;
    let mut scratch = Scratch::new();
    let mut sizes: BTreeMap<String, (f64, u64, u64)> = BTreeMap::new();
    let (mut rows, mut blocks) = (0, 0);
    for (at, info) in capture.blocks().iter().enumerate() {
        let block = capture.block(at, &mut scratch)?;
        rows += block.rows() as u64;
        blocks += info.bytes;
        for size in block.column_sizes() {
            let event = size.event.and_then(|event| capture.schema().event(event.event));
            let argument = match (event, size.column) {
                (Some(event), format::ColumnName::Argument(at)) => {
                    event.args.get(at as usize).map(|arg| arg.name)
                }
                _ => None,
            };
            let name = match (event, argument) {
                (Some(event), Some(argument)) => format!("{}.{argument}", event.name),
                (Some(event), None) => format!("{} {:?}", event.name, size.column),
                (None, _) => format!("{:?}", size.column),
            };
            let total = sizes.entry(name).or_default();
            total.0 += size.stored;
            total.1 += size.raw;
            total.2 += size.event.map_or(block.rows() as u64, |event| u64::from(event.rows));
        }
        sizes.entry("directories".into()).or_default().0 += block.directory_bytes() as f64;
    }
    println!("{rows} rows, {} bytes, {} of them not in blocks", capture.bytes(), capture.bytes() - blocks);
    let mut sizes: Vec<_> = sizes.into_iter().collect();
    sizes.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    for (name, (stored, raw, of)) in sizes.iter().take(40) {
        println!(
            "{:>8.3} bytes a row  {stored:>10.0} of {raw:>10}, {of:>8} rows  {name}",
            stored / rows as f64
        );
    }
    Ok(())
}
