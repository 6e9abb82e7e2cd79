//! Integer columns of extreme values answer filters as plain comparisons of 128-bit numbers do.

mod synthetic;

use events::consts::Names;
use events::{Arg, ArgKind, Event, Marks, Raw, catalogue};
use format::Capture;
use pipeline::{Matcher, Question, Source};
use scopes::{Plan, ScopeSet};
use synthetic::{Made, process};

/// Values at which something wraps, changes its sign or does not fit any more.
fn extremes() -> Vec<i128> {
    let edges = [0, 1 << 7, 1 << 8, 1 << 15, 1 << 16, 1 << 31, 1 << 32, 1 << 63, 1 << 64, 4095];
    let around = |edge: i128| [-edge - 1, -edge, -edge + 1, edge - 1, edge, edge + 1];
    let mut all: Vec<i128> = edges.into_iter().flat_map(around).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Which numbers a kind holds; `None` for what is no integer.
fn range(kind: ArgKind) -> Option<(i128, i128)> {
    Some(match kind {
        ArgKind::I32 => (i32::MIN.into(), i32::MAX.into()),
        ArgKind::I64 => (i64::MIN.into(), i64::MAX.into()),
        ArgKind::U8 => (0, u8::MAX.into()),
        ArgKind::U16 => (0, u16::MAX.into()),
        ArgKind::U32 => (0, u32::MAX.into()),
        ArgKind::U64 => (0, u64::MAX.into()),
        _ => return None,
    })
}

/// For each kind of integer an argument of that kind whose numbers have no names.
fn arguments() -> Vec<(&'static Event, usize, &'static Arg)> {
    let mut found: Vec<(&'static Event, usize, &'static Arg)> = Vec::new();
    for event in catalogue::events().filter(|event| !event.is_derived()) {
        for (position, arg) in event.args.iter().enumerate() {
            let is_plain = range(arg.kind).is_some() && matches!(arg.names, Names::None);
            if is_plain && !found.iter().any(|(_, _, known)| known.kind == arg.kind) {
                found.push((event, position, arg));
            }
        }
    }
    found
}

/// A row for each value, as the argument and as the result.
fn capture(event: &Event, position: usize, values: &[i128], rows_per_block: usize) -> Source {
    let mut made = Made::new();
    made.rows_per_block = rows_per_block;
    let context = process(7, 1, 0, "sh", "/bin/sh");
    for (row, value) in (0..).zip(values) {
        let mut args = vec![Raw::Missing; event.args.len()];
        args[position] = Raw::Number(*value as u64);
        made.row(synthetic::BOOT + row, event.id, &context, *value as i64, 0, 1, Marks(0), &args);
    }
    let capture = Capture::from_bytes(made.bytes()).expect("a capture");
    Source::new(vec![("extremes".to_owned(), capture)])
}

fn count(source: &Source, filter: &str) -> Option<u64> {
    let plan = Plan::compile(&ScopeSet::parse(&[filter]).ok()?);
    let question = Question { strict: true, ..Question::new(source, vec![Matcher::new(&plan)]) };
    let mut rows = 0;
    question.each(&mut |_, _| rows += 1).expect("an answer");
    assert_eq!(question.count().expect("a count").matched, rows, "{filter}: counted and shown");
    Some(rows)
}

fn passes(op: &str, value: i128, asked: i128) -> bool {
    match op {
        "=" => value == asked,
        "!=" => value != asked,
        "<" => value < asked,
        "<=" => value <= asked,
        ">" => value > asked,
        _ => value >= asked,
    }
}

#[test]
fn integers_are_compared_as_numbers_up_to_their_ends() {
    let arguments = arguments();
    assert_eq!(arguments.len(), 6, "a kind of integers has no argument: {arguments:?}");
    let (mut compared, mut found) = (0, 0);
    for (event, position, arg) in arguments {
        let (low, high) = range(arg.kind).expect("an integer");
        let values: Vec<i128> = extremes().into_iter().filter(|it| (low..=high).contains(it)).collect();
        // Many values of a column, and blocks in which it is constant.
        for (rows_per_block, step) in [(1000, 1), (1, 7)] {
            let source = capture(event, position, &values, rows_per_block);
            for asked in extremes().into_iter().step_by(step) {
                for op in ["=", "!=", "<", "<=", ">", ">="] {
                    let of = |value: fn(i128) -> i128| {
                        values.iter().filter(|it| passes(op, value(**it), asked)).count() as u64
                    };
                    let filter = format!("{}.{}{op}{asked}", event.name, arg.name);
                    // Some say when they are parsed that they can match nothing.
                    if let Some(rows) = count(&source, &filter) {
                        assert_eq!(rows, of(|value| value), "{filter} of {values:?}");
                        (compared, found) = (compared + 1, found + rows);
                    }
                    // Results are of one kind, whatever the arguments are.
                    if arg.kind != ArgKind::I64 {
                        continue;
                    }
                    let filter = format!("{}.retval{op}{asked}", event.name);
                    if let Some(rows) = count(&source, &filter) {
                        assert_eq!(rows, of(|value| (value as i64).into()), "{filter} of {values:?}");
                        (compared, found) = (compared + 1, found + rows);
                    }
                }
            }
        }
    }
    assert!(compared > 1000 && found > 10_000, "{compared} filters compared, {found} rows found");
}
