//! Rows in any order: the event with a number, the number of an event, a stretch of an answer, single rows; and the same
//! answer where what waits for its turn is kept encoded.

mod synthetic;

use std::ops::ControlFlow;

use events::Raw;
use format::Capture;
use pipeline::{
    Access, EventView, Matcher, Output, Projection, Question, RowRef, Sink, Source, Stats, Wanted,
};
use replay::render::{Format, Printer, Style};
use scopes::{Plan, ScopeSet};
use synthetic::{Event, Made, busy, process};

fn source(made: Vec<Made>) -> Source {
    let capture = |(at, made): (usize, Made)| {
        (format!("{at}.trz"), Capture::from_bytes(made.bytes()).expect("a capture"))
    };
    Source::new(made.into_iter().enumerate().map(capture).collect())
}

/// Hosts whose rows stand among each other, some of them packets that something is derived from.
fn hosts(count: u64) -> Source {
    let host = |number: u64| {
        let mut made = Made::new();
        made.rows_per_block = 20 + number as usize % 7;
        made.header.host.hostname = format!("host{number}");
        made.header.host.boot_id = format!("b{number}");
        for row in 0..150u64 {
            let at = row * 1_000_000 + number * 1_000 + row % 3 * 900_000;
            let context = process(100 + row as u32 % 5, 1, 0, "worker", "/bin/worker");
            let packet = synthetic::tcp_packet(1000 + row as u16, 80, 5, 2, b"x");
            let (name, args) = match row % 4 {
                0 => ("net_packet", vec![("data", Raw::Bytes(&packet)), ("length", Raw::Number(41))]),
                1 => ("openat", vec![("pathname", Raw::Bytes(b"/etc/passwd"))]),
                2 => ("ptrace", vec![("request", Raw::Number(0))]),
                _ => ("close", vec![("fd", Raw::Number(row))]),
            };
            let (ret, scopes) = (row as i64 % 9 - 1, row % 5);
            let marks = events::Marks(row as u32 % 2);
            made.push(&Event { at, name, context, ret, scopes, marks, args: &args });
        }
        made
    };
    source((0..count).map(host).collect())
}

fn plan(filters: &[&str]) -> Plan {
    Plan::compile(&ScopeSet::parse(filters).expect("filters"))
}

fn question<'a>(source: &'a Source, plan: &'a Plan) -> Question<'a> {
    let matchers = source.files().iter().map(|_| Matcher::new(plan)).collect();
    Question::new(source, matchers)
}

fn printer() -> Printer {
    Printer { format: Format::Json, style: Style::default() }
}

fn text(question: &Question<'_>) -> (String, Stats) {
    let mut bytes = Vec::new();
    let printer = printer();
    let stats = question.print(&[&printer as &dyn Output], &mut |_, more| {
        bytes.extend_from_slice(more);
        Ok(())
    });
    (String::from_utf8(bytes).expect("JSON"), stats.expect("an answer"))
}

/// Where each event of an answer stands.
struct Places;

impl Sink for Places {
    type Worker = ();
    type Made = Vec<(RowRef, u64)>;

    fn projection(&self) -> Projection {
        Projection::NONE
    }

    fn worker(&self) {}

    fn begin(&self) -> Self::Made {
        Vec::new()
    }

    fn event(&self, (): &mut (), event: &EventView<'_>, made: &mut Self::Made) {
        made.push((event.at, event.scopes));
    }

    fn size(&self, made: &Self::Made) -> usize {
        made.len()
    }

    fn truncate(&self, made: &mut Self::Made, events: usize) {
        made.truncate(events);
    }
}

fn places(question: &Question<'_>) -> Vec<(RowRef, u64)> {
    let mut all = Vec::new();
    question
        .ask(&Places, &mut |more| {
            all.extend(more);
            Ok(ControlFlow::Continue(()))
        })
        .expect("an answer");
    all
}

const QUESTIONS: [&[&str]; 4] = [
    &["1:uid>=0"],
    &["3:event=openat,close", "3:openat.retval>2", "9:comm=worker"],
    &["1:event=net_packet_tcp,net_packet_ipv4,net_packet"],
    &["2:tree=100", "4:event=close"],
];

#[test]
fn an_event_is_found_by_its_number_and_its_number_by_where_it_stands() {
    let source = hosts(3);
    for filters in QUESTIONS {
        let plan = plan(filters);
        let question = question(&source, &plan);
        let all = places(&question);
        assert!(all.len() > 50, "{filters:?}: {}", all.len());
        for number in [0, 1, 17, all.len() / 2, all.len() - 1] {
            let (found, _) = question.nth(number as u64).expect("an answer");
            assert_eq!(found.map(|found| found.at), Some(all[number].0), "{filters:?} {number}");
            assert_eq!(question.number_of(all[number].0).expect("an answer").0, Some(number as u64));
        }
        assert_eq!(question.nth(all.len() as u64).expect("an answer").0, None);
        let nowhere = RowRef { file: 1, block: 99, ..RowRef::default() };
        assert_eq!(question.number_of(nowhere).expect("an answer").0, None);
    }
}

#[test]
fn a_stretch_of_an_answer_is_that_part_of_it() {
    let source = hosts(3);
    for filters in QUESTIONS {
        let plan = plan(filters);
        let whole = text(&question(&source, &plan)).0;
        let lines: Vec<&str> = whole.split_inclusive('\n').collect();
        for (skip, limit) in [(0, 3), (5, 1), (40, 25), (lines.len() - 2, 9), (lines.len(), 1)] {
            for threads in [1, 3] {
                let part =
                    Question { skip: skip as u64, limit: Some(limit), threads, ..question(&source, &plan) };
                let expected = lines[skip..(skip + limit as usize).min(lines.len())].concat();
                let (told, stats) = text(&part);
                assert_eq!(told, expected, "{filters:?} {skip} {limit} {threads}");
                assert_eq!(stats.matched as usize, expected.lines().count());
                assert_eq!(part.count().expect("a count").matched, stats.matched);
            }
        }
    }
}

#[test]
fn blocks_before_a_number_are_not_read() {
    let source = source(vec![busy(20_000, 500)]);
    let everything = Plan::everything();
    let question = question(&source, &everything);
    let (found, stats) = question.nth(15_250).expect("an answer");
    let at = found.expect("an event").at;
    assert_eq!((at.block, at.row), (30, 250));
    assert_eq!((stats.blocks_read, stats.blocks_skipped), (1, 30));
    let (number, stats) = question.number_of(at).expect("an answer");
    assert_eq!((number, stats.blocks_read), (Some(15_250), 1));
}

#[test]
fn single_rows_are_what_an_answer_says_of_them() {
    let source = hosts(4);
    let plan = plan(&["1:event=net_packet_tcp,net_packet,openat,close", "3:close.fd>10"]);
    let question = question(&source, &plan);
    let lines = text(&question).0;
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let all = places(&question);
    assert_eq!(all.len(), lines.len());
    assert!(all.iter().any(|(at, _)| at.derived > 0) && all.iter().any(|(_, scopes)| *scopes == 0b101));
    let mut access = Access::new(&question, Projection::ALL);
    let printer = printer();
    let mut render = printer.renderer();
    // From the end to the beginning, some twice.
    let order: Vec<usize> = (0..all.len()).rev().chain([7, 7, 300, 2]).collect();
    let wanted: Vec<Wanted> = order.iter().map(|at| Wanted { at: all[*at].0, scopes: all[*at].1 }).collect();
    let mut told = Vec::new();
    access
        .rows(&wanted, &mut |view| {
            render.block();
            render.event(view, &mut told);
        })
        .expect("rows");
    let expected: String = order.iter().map(|at| lines[*at]).collect();
    assert_eq!(String::from_utf8(told).expect("JSON"), expected);
    // What is not there is an error, and nothing is read for who does not want it any more.
    let beyond = Wanted { at: RowRef { row: 60_000, ..all[0].0 }, scopes: 1 };
    let error = access.rows(&[beyond], &mut |_| {}).expect_err("no such row");
    let source = std::error::Error::source(&error).expect("a cause").to_string();
    assert!(source.contains("has no row 60000"), "{source}");
    question.cancellation.cancel();
    assert!(matches!(access.rows(&wanted, &mut |_| {}), Err(pipeline::Error::Cancelled)));
}

#[test]
fn what_waits_encoded_gives_the_same_answer() {
    let source = hosts(12);
    for filters in QUESTIONS {
        let plan = plan(filters);
        let whole = question(&source, &plan);
        for threads in [1, 3] {
            let sliced = Question { waiting_bytes: 0, threads, ..question(&source, &plan) };
            assert_eq!(text(&sliced).0, text(&whole).0, "{filters:?} {threads}");
            assert_eq!(places(&sliced), places(&whole), "{filters:?} {threads}");
            let stretch = Question { skip: 100, limit: Some(33), ..sliced.clone() };
            assert_eq!(text(&stretch).0, text(&Question { skip: 100, limit: Some(33), ..whole.clone() }).0);
        }
    }
    // By the recorded masks, too.
    let everything = Plan::everything();
    let recorded = |waiting_bytes| {
        let matchers = source.files().iter().map(|_| Matcher::recorded(&everything)).collect();
        text(&Question { waiting_bytes, ..Question::new(&source, matchers) }).0
    };
    assert_eq!(recorded(0), recorded(usize::MAX));
}

#[test]
fn two_hundred_files_that_overlap_are_put_in_order_in_little_memory() {
    let mut made = Made::new();
    for row in 0..150u64 {
        let path = format!("/{row}/{}", "x".repeat(700));
        let args = [("pathname", Raw::Bytes(path.as_bytes()))];
        let context = process(100, 1, 0, "worker", "/bin/worker");
        let marks = events::Marks(0);
        made.push(&Event { at: row * 1000, name: "openat", context, ret: 0, scopes: 1, marks, args: &args });
    }
    let bytes = made.bytes();
    let capture = |at| (format!("{at}.trz"), Capture::from_bytes(bytes.clone()).expect("a capture"));
    let source = Source::new((0..200).map(capture).collect());
    let everything = Plan::everything();
    let all = question(&source, &everything);
    let whole = text(&all).0;
    const BYTES: usize = 2 << 20;
    for threads in [1, 3] {
        let few = Question { waiting_bytes: BYTES, threads, ..question(&source, &everything) };
        assert!(text(&few).0 == whole, "{threads} threads");
        // Whole ones, slices that come next, and blocks that are being matched.
        let (most, of_all) = (few.meter.most_held(), all.meter.most_held());
        assert!(most < 3 * BYTES && of_all > 9 * BYTES, "{most} {of_all}");
    }
}
