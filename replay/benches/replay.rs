//! How fast captures answer, one thread, columns decompressed each time: `cargo bench -p tracer-replay --bench replay`.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::sync::OnceLock;

use divan::counter::ItemsCount;
use format::Capture;
use pipeline::{Matcher, Question, Source};
use replay::render::{Format, Printer, Style};
use scopes::{Plan, ScopeSet};

const EVENTS: usize = 1_000_000;

fn main() {
    divan::main();
}

fn source() -> &'static Source {
    static SOURCE: OnceLock<Source> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let bytes = synthetic::busy(EVENTS, 16_384).bytes();
        Source::new(vec![("busy".into(), Capture::from_bytes(bytes).expect("our own capture"))])
    })
}

fn plan(filters: &[String]) -> Plan {
    Plan::compile(&ScopeSet::parse(filters).expect("filters"))
}

fn question<'a>(plan: &'a Plan, source: &'a Source) -> Question<'a> {
    Question::new(source, vec![Matcher::new(plan)])
}

#[divan::bench(args = ["comm=cc1", "uid>0", "event=openat", "openat.args.pathname=*header_1*", "comm=rare"])]
fn count(bencher: divan::Bencher<'_, '_>, filter: &str) {
    let plan = plan(&[filter.to_owned()]);
    let question = question(&plan, source());
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| question.count().expect("an answer").matched);
}

#[divan::bench]
fn count_64_scopes(bencher: divan::Bencher<'_, '_>) {
    let comms = ["cc1", "as", "ld", "make", "sh", "ls", "grep", "python3"];
    let filters: Vec<String> =
        (1..=64).map(|scope| format!("{scope}:comm={}", comms[scope % comms.len()])).collect();
    let plan = plan(&filters);
    let question = question(&plan, source());
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| question.count().expect("an answer").matched);
}

#[divan::bench(args = [Format::Json, Format::Table], sample_count = 10)]
fn print(bencher: divan::Bencher<'_, '_>, format: Format) {
    let plan = Plan::everything();
    let question = question(&plan, source());
    let printer = Printer { format, style: Style::default() };
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        let mut bytes = 0;
        let printed = question.print(&[&printer], &mut |_, written| {
            bytes += written.len();
            Ok(())
        });
        printed.expect("an answer");
        bytes
    });
}
