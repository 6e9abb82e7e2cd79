//! Answers are the same whatever way they are found, and whatever threads find them.

mod synthetic;

use events::{Marks, Raw};
use format::Capture;
use pipeline::{Matcher, Question, Source};
use replay::render::clock::Clock;
use replay::render::{Format, Printer, Style};
use scopes::{Plan, ScopeSet};
use synthetic::{Event, Made, busy, process};

/// More than a few pieces a block, and a last block that is not full.
const ROWS: usize = 50_000;

fn source(captures: Vec<Made>) -> Source {
    let open = |made: Made| ("made".to_owned(), Capture::from_bytes(made.bytes()).expect("a capture"));
    Source::new(captures.into_iter().map(open).collect())
}

fn plan(filters: &[&str]) -> Plan {
    Plan::compile(&ScopeSet::parse(filters).expect("filters"))
}

fn question<'a>(source: &'a Source, plan: &'a Plan, threads: usize, limit: Option<u64>) -> Question<'a> {
    let matchers = source.files().iter().map(|_| Matcher::new(plan)).collect();
    Question { threads, limit, ..Question::new(source, matchers) }
}

/// Times and names of the events that scope 1 matches.
fn matched(source: &Source, plan: &Plan) -> Vec<(u64, &'static str)> {
    let mut seen = Vec::new();
    let each = question(source, plan, 1, None).each(&mut |_, event| {
        if event.scopes & 1 != 0 {
            seen.push((event.time_ns, event.event.name));
        }
    });
    each.expect("an answer");
    seen
}

#[test]
fn rows_chosen_by_their_own_columns_are_those_that_are_chosen_row_by_row() {
    let source = source(vec![busy(ROWS, 16_384)]);
    for filters in [
        &["openat.pathname=*c++*_7*.h"][..],
        &["openat.pathname=*header_123*"],
        &["openat.pathname=/usr/include/*", "openat.pathname!=*header_1*"],
        &["openat.pathname=/nowhere*"],
        &["openat.retval<0"],
        &["openat.retval<0", "openat.pathname=*99*"],
        &["openat.retval=5", "read.retval>4000"],
        &["openat.flags=524288", "openat.dirfd=-100", "openat.pathname=*11*"],
        &["openat.pathname=*11*", "openat.context.comm=ls"],
        &["openat.pathname=*11*", "openat.context.processorId=1"],
        &["openat.pathname=*11*", "comm=ls"],
        &["openat.pathname=*11*", "comm!=rare"],
    ] {
        let alone = plan(filters);
        // A scope that sees all of these events has the rows looked at one by one.
        let mut all = filters.to_vec();
        all.push("2:event=openat,read");
        let beside = matched(&source, &plan(&all));
        assert_eq!(matched(&source, &alone), beside, "{filters:?}");
        let count = question(&source, &alone, 2, None).count().expect("a count");
        assert_eq!(count.matched, beside.len() as u64, "{filters:?}");
        assert_eq!(filters[0].contains("nowhere"), beside.is_empty(), "{filters:?}");
    }
}

fn printed(question: &Question<'_>, format: Format) -> (String, pipeline::Stats) {
    let printer = Printer { format, style: Style { clock: Clock::Utc, ..Style::default() } };
    let mut out = Vec::new();
    let stats = question.print(&[&printer], &mut |_, bytes| {
        out.extend_from_slice(bytes);
        Ok(())
    });
    (String::from_utf8(out).expect("UTF-8"), stats.expect("an answer"))
}

#[test]
fn any_number_of_threads_prints_the_same_bytes() {
    // Blocks of two files lie beside each other in time, so that their pieces are woven together.
    let source = source(vec![busy(ROWS, 16_384), busy(ROWS / 3, 3_000)]);
    for (filters, limit) in
        [(&["uid>=0"][..], None), (&["uid>=0"], Some(20_011)), (&["openat.pathname=*7*"], None)]
    {
        let plan = plan(filters);
        let one = printed(&question(&source, &plan, 1, limit), Format::Json);
        let stamp = |line: &str| line[..33].to_owned();
        let times: Vec<String> = one.0.lines().map(stamp).collect();
        assert!(times.is_sorted(), "{filters:?}");
        assert_eq!(times.len() as u64, one.1.matched);
        for threads in [2, 5, 40] {
            let many = printed(&question(&source, &plan, threads, limit), Format::Json);
            assert!(many.0 == one.0, "{threads} threads, {filters:?}");
            assert_eq!(many.1, one.1);
        }
    }
}

#[test]
fn rows_that_become_large_are_handed_on_a_few_at_a_time() {
    const ROWS: u64 = 150;
    let mut made = Made::new();
    // One text for all of them takes little of a file, and each byte of it six of JSON.
    let path = vec![1; 1 << 16];
    for at in 0..ROWS {
        let args = &[("pathname", Raw::Bytes(&path))];
        let context = process(7, 1, 0, "sh", "/bin/sh");
        made.push(&Event { at, name: "openat", context, ret: 3, scopes: 1, marks: Marks(0), args });
    }
    let source = source(vec![made]);
    let plan = plan(&["uid>=0"]);
    let printer = Printer { format: Format::Json, style: Style { clock: Clock::Utc, ..Style::default() } };
    for threads in [1, 3] {
        let (mut largest, mut lines) = (0, 0);
        let stats = question(&source, &plan, threads, None).print(&[&printer], &mut |_, bytes| {
            largest = largest.max(bytes.len());
            lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            Ok(())
        });
        assert_eq!((lines, stats.expect("an answer").matched), (ROWS, ROWS));
        assert!((1 << 20..10 << 20).contains(&largest), "{largest}");
    }
}
