//! A context filter over columns in memory: rows a second on one core, with one scope and with 64.
//!
//! `cargo bench -p tracer-scopes`. The aim is above 150 million rows a second, and 64 scopes in at most 3 times the time
//! of one.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use events::{Context, EventId, Raw, catalogue};
use scopes::batch::{self, Table};
use scopes::{Plan, ScopeSet, Subject};

const ROWS: usize = 65_536;
const CONTEXTS: usize = 500;

fn main() {
    divan::main();
}

fn plan(scopes: usize) -> Plan {
    let filters: Vec<String> = (1..=scopes)
        .flat_map(|n| {
            [format!("{n}:comm=comm{n}*"), format!("{n}:uid>={n}"), format!("{n}:event=openat,close")]
        })
        .collect();
    Plan::compile(&ScopeSet::parse(&filters).unwrap_or_default())
}

struct Columns {
    comms: Vec<String>,
    context_codes: Vec<u16>,
    event_codes: Vec<u16>,
    events: Vec<EventId>,
}

/// Codes as a busy host has them: a few tasks make most of the rows.
fn columns() -> Columns {
    let mut state = 1_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let events: Vec<EventId> = catalogue::events().map(|event| event.id).take(100).collect();
    Columns {
        comms: (0..CONTEXTS).map(|n| format!("comm{}", n % 80)).collect(),
        context_codes: (0..ROWS).map(|_| (random() % CONTEXTS).min(random() % CONTEXTS) as u16).collect(),
        event_codes: (0..ROWS)
            .map(|_| (random() % events.len()).min(random() % events.len()) as u16)
            .collect(),
        events,
    }
}

/// The work of one block: its contexts and events once, then every row.
fn fill(plan: &Plan, columns: &Columns, contexts: &mut Table, events: &mut Table) {
    contexts.fill(columns.comms.iter().enumerate().map(|(n, comm)| {
        let context = Context { comm: comm.as_bytes(), uid: n as u32, ..Context::default() };
        plan.context_mask(&Subject::of(&context))
    }));
    events.fill(columns.events.iter().map(|id| plan.event_mask(*id)));
}

#[divan::bench(args = [1, 64])]
fn masks_of_a_block(bencher: Bencher<'_, '_>, scopes: usize) {
    let (plan, columns) = (plan(scopes), columns());
    let (mut contexts, mut events) = (Table::new(), Table::new());
    let mut out = vec![0; ROWS];
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        fill(&plan, &columns, &mut contexts, &mut events);
        batch::masks(&contexts, &events, &columns.context_codes, &columns.event_codes, black_box(&mut out));
    });
}

#[divan::bench(args = [1, 64])]
fn count_of_a_block(bencher: Bencher<'_, '_>, scopes: usize) {
    let (plan, columns) = (plan(scopes), columns());
    let (mut contexts, mut events) = (Table::new(), Table::new());
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        fill(&plan, &columns, &mut contexts, &mut events);
        black_box(batch::count(&contexts, &events, &columns.context_codes, &columns.event_codes))
    });
}

#[divan::bench(args = [1, 64])]
fn rows_alone(bencher: Bencher<'_, '_>, scopes: usize) {
    let (plan, columns) = (plan(scopes), columns());
    let (mut contexts, mut events) = (Table::new(), Table::new());
    fill(&plan, &columns, &mut contexts, &mut events);
    let mut out = vec![0; ROWS];
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| {
        batch::masks(&contexts, &events, &columns.context_codes, &columns.event_codes, black_box(&mut out));
    });
}

/// Paths of a block's dictionary, each judged once.
#[divan::bench(args = [1, 64])]
fn paths(bencher: Bencher<'_, '_>, scopes: usize) {
    let filters: Vec<String> =
        (1..=scopes).map(|n| format!("{n}:openat.pathname=/etc/{n}*,*/lib{n}.so,/proc/self/stat")).collect();
    let plan = Plan::compile(&ScopeSet::parse(&filters).unwrap_or_default());
    let Some((openat, (position, _))) =
        catalogue::by_name("openat").and_then(|e| Some((e.id, e.arg("pathname")?)))
    else {
        return;
    };
    let paths: Vec<String> = (0..1000).map(|n| format!("/usr/lib/x86_64-linux-gnu/lib{n}.so")).collect();
    bencher.counter(ItemsCount::new(paths.len())).bench_local(|| {
        paths.iter().fold(0, |all, path| all ^ plan.arg_mask(openat, position, Raw::Bytes(path.as_bytes())))
    });
}

/// All paths of a block's dictionary at once, as a full scan asks them: each scope looks for something else in them.
#[divan::bench(args = [1, 64])]
fn parts_of_paths(bencher: Bencher<'_, '_>, scopes: usize) {
    dictionary(bencher, (1..=scopes).map(|n| format!("{n}:openat.pathname=*lib{n}*")));
}

/// The same with parts that have nothing in common.
#[divan::bench(args = [1, 64])]
fn unlike_parts_of_paths(bencher: Bencher<'_, '_>, scopes: usize) {
    let part = |n: usize| {
        WORDS.iter().cycle().nth(n * 7).copied().unwrap_or_default().to_owned() + &(n % 9).to_string()
    };
    dictionary(bencher, (1..=scopes).map(|n| format!("{n}:openat.pathname=*{}*", part(n))));
}

/// A list of indicators: from texts to a plan. The aim is a second for 100,000.
#[divan::bench(args = [1_000, 10_000, 100_000], sample_count = 3)]
fn compiling_a_list(bencher: Bencher<'_, '_>, patterns: usize) {
    let lines = (0..patterns as u64).map(|n| {
        let name = n.wrapping_mul(6_364_136_223_846_793_005);
        if n % 3 == 0 { format!("/tmp/{name:016x}/*\n") } else { format!("*{name:016x}*\n") }
    });
    let list: String = lines.collect();
    let read = |_: &str| Ok::<_, String>(list.clone().into_bytes());
    let vocabulary = scopes::Vocabulary { lists: Some(&read), ..scopes::Vocabulary::default() };
    bencher.counter(ItemsCount::new(patterns)).bench_local(|| {
        let filters = [black_box("openat.pathname=@list")];
        let set = ScopeSet::with_vocabulary::<_, &str, &str>(&filters, &[], vocabulary);
        Plan::compile(&set.unwrap_or_default())
    });
}

const WORDS: &[&str] = &[
    "usr",
    "share",
    "doc",
    "python",
    "lib",
    "site-packages",
    "linux",
    "gnu",
    "man",
    "cache",
    "registry",
    "index",
    "include",
    "target",
    "release",
    "deps",
    "crypto",
    "passwd",
    "shadow",
    "cron",
    "systemd",
    "service",
    "module",
    "kernel",
    "bin",
    "test",
];

fn dictionary(bencher: Bencher<'_, '_>, filters: impl Iterator<Item = String>) {
    let filters: Vec<String> = filters.collect();
    let plan = Plan::compile(&ScopeSet::parse(&filters).unwrap_or_default());
    let Some(openat) = catalogue::by_name("openat") else { return };
    let Some((position, _)) = openat.arg("pathname") else { return };
    let mut state = 7_u64;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for _ in 0..4096 {
        for _ in 0..3 + random() % 5 {
            let word = WORDS.get(random() % WORDS.len()).copied().unwrap_or_default();
            bytes.extend_from_slice(format!("/{word}").as_bytes());
        }
        bytes.extend_from_slice(format!("/{}.rs", random() % 1000).as_bytes());
        ends.push(bytes.len() as u32);
    }
    let strings = batch::Strings::new(&bytes, &ends);
    bencher
        .counter(ItemsCount::new(ends.len()))
        .bench_local(|| plan.text_masks(openat.id, position, black_box(strings)));
}
