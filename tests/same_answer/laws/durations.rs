//! How long calls took: what a filter finds is what the rows say one by one, whoever is asked and however it is told.

use std::fs;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use serde_json::Value;

use crate::case::{Case, ask};
use crate::program::{printed, tracer};
use crate::questions::{self, Bound};
use crate::random::Random;
use crate::rows::{assert_same, is_unfinished};
use crate::views::rows_of;

/// Whether a row passes: what is no call, and what is not known, passes nothing.
fn passes(row: &Value, (operator, ns): Bound) -> bool {
    let Some(took) = row["duration"].as_u64() else { return false };
    match operator {
        "=" => took == ns,
        "!=" => took != ns,
        "<" => took < ns,
        "<=" => took <= ns,
        ">" => took > ns,
        _ => took >= ns,
    }
}

/// Asked of all events, of one of them, by a count, and of what was cut out, also by a rule.
pub fn durations(case: &Case, random: &mut Random) {
    let bound = questions::bound(random);
    let time = questions::time(bound, random);
    let filters = [format!("duration{time}")];
    if !case.shape.is_timed {
        let refused = tracer(&["replay", "-q", case.one(), "-f", &filters[0]]);
        let said = String::from_utf8_lossy(&refused.stderr);
        let is_said = said.contains("how long calls took was not recorded");
        return assert!(refused.status.code() == Some(2) && is_said, "{filters:?}: {said}");
    }
    let all = ask(&[case.one()], &["pid>=0".into()], &[]);
    let chosen = |is: &dyn Fn(&Value) -> bool| -> String {
        let lines = all.split_inclusive('\n');
        lines.filter(|line| is(&serde_json::from_str(line).expect("a row is JSON"))).collect()
    };
    let what = |how: &str| format!("{filters:?}, {how}, {:?}", case.shape);
    let expected = chosen(&|row| passes(row, bound));
    assert_same(&ask(&[case.one()], &filters, &[]), &expected, &what("replay"));
    let counted = ask(&[case.one()], &filters, &["--count", "--threads", "3"]);
    assert_eq!(counted.trim(), expected.lines().count().to_string(), "{}", what("--count"));
    // All that is seen of a cut is what was cut out, and it says still that it knows of durations.
    let out = case.path("took.trz");
    printed(&["cut", case.one(), "-o", &out, "-f", &filters[0]]);
    case.verify(&out);
    assert_same(&ask(&[&out], &filters, &[]), &expected, &what("cut"));
    assert_same(&ask(&[&out], &["pid>=0".into()], &[]), &expected, &what("all of a cut"));
    // Of one event alone, which leaves the others as they are.
    let event = *random.of(&["openat", "write", "read"]);
    let of_one = ["event=openat,write,read".to_owned(), format!("{event}.context.duration{time}")];
    let is_chosen = |row: &Value| match row["eventName"].as_str() {
        Some(name) if name == event => passes(row, bound),
        name => matches!(name, Some("openat" | "write" | "read")),
    };
    assert_same(&ask(&[case.one()], &of_one, &[]), &chosen(&is_chosen), &what(&format!("{of_one:?}")));
    // Rules judge what was cut out, and of it what was done: no call that has not returned.
    let rules = case.path("took.yaml");
    fs::write(&rules, format!("rule: a\ntitle: A\nlevel: high\nwhen:\n  - event: {event}\n"))
        .expect("a folder");
    let found = printed(&["scan", "--rules", &rules, "--no-builtin", "--all", "-o", "json", &out]);
    let judged = chosen(&|row| row["eventName"] == event && passes(row, bound) && !is_unfinished(row));
    assert_eq!(found.lines().count(), judged.lines().count(), "{}", what(&format!("scan {event}")));
}

/// As columns of tables and behind the lines of strace.
pub fn exports(case: &Case, _: &mut Random) {
    if !case.shape.is_timed {
        return;
    }
    let rows = rows_of(&ask(&[case.one()], &["pid>=0".into()], &[]));
    let stream = tracer(&["export", "-q", "--to", "arrow", case.one(), "-f", "pid>=0"]).stdout;
    let batches = StreamReader::try_new(&stream[..], None).expect("a stream");
    let told: Vec<(Value, Value)> = batches.flat_map(|batch| told(&batch.expect("a batch"))).collect();
    let marks = |row: &Value| match &row["marks"]["event"] {
        Value::Null => Value::Array(Vec::new()),
        marks => marks.clone(),
    };
    let expected: Vec<(Value, Value)> =
        rows.iter().map(|row| (row["duration"].clone(), marks(row))).collect();
    assert_eq!(told, expected, "duration_ns and marks of a stream of Arrow, {:?}", case.shape);
    let log = printed(&["export", "-q", "--to", "strace", case.one(), "-f", "pid>=0"]);
    let is_call = |row: &&Value| {
        events::catalogue::by_name(row["eventName"].as_str().expect("an event"))
            .is_some_and(events::Event::is_syscall)
    };
    let is_exit = |row: &&Value| row["eventName"] == "sched_process_exit";
    let mut lines = log.lines();
    for row in rows.iter().filter(|row| is_call(row) || is_exit(row)) {
        let line = lines.next().unwrap_or_default();
        let ends = match row["duration"].as_u64() {
            _ if is_unfinished(row) => line.ends_with(" <unfinished ...>"),
            Some(ns) => {
                line.ends_with(&format!(" <{}.{:06}>", ns / 1_000_000_000, ns % 1_000_000_000 / 1_000))
            }
            None => !line.ends_with('>'),
        };
        assert!(ends, "{line} of {row}, {:?}", case.shape);
    }
    assert_eq!(lines.next(), None, "{:?}", case.shape);
}

/// Durations and marks of each row.
fn told(batch: &RecordBatch) -> Vec<(Value, Value)> {
    let column = |name: &str| batch.column_by_name(name).expect(name);
    let (durations, marks) =
        (column("duration_ns").as_primitive::<Int64Type>(), column("marks").as_list::<i32>());
    let row = |row: usize| {
        let duration = if durations.is_null(row) { Value::Null } else { durations.value(row).into() };
        let names = if marks.is_null(row) { None } else { Some(marks.value(row)) };
        let names = names
            .iter()
            .flat_map(|names| names.as_string::<i32>().iter().map(|it| Value::from(it.expect("a name"))));
        (duration, names.collect())
    };
    (0..batch.num_rows()).map(row).collect()
}
