//! Other ways to be told of the same rows: what they count is what `replay` shows.

use std::collections::BTreeMap;
use std::fs;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use crate::case::{Case, ask, with};
use crate::program::{printed, tracer};
use crate::random::Random;
use crate::rows::is_unfinished;

pub fn rows_of(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// An event is a line, or two, in formats that hold every kind of event.
pub fn export(case: &Case, random: &mut Random) {
    let (format, lines) = *random.of(&[("csv", 1), ("timesketch", 1), ("ecs", 2), ("otlp-json", 1)]);
    let exported =
        printed(&with(&[&["export", "-q", "--to", format][..], &case.files()].concat(), &case.filters));
    let found = match format {
        // Without its header; texts in it may have lines of their own.
        "csv" => exported.matches("\r\n").count().saturating_sub(1),
        _ => exported.lines().count(),
    };
    assert_eq!(found, case.rows.lines().count() * lines, "export --to {format}, {}", case.told());
}

/// A table for other engines holds the rows that replay shows, in their order, with their values.
pub fn parquet(case: &Case, _: &mut Random) {
    let path = case.path("rows.parquet");
    let arguments = [&["export", "-q", "--to", "parquet", "-o", &path][..], &case.files()].concat();
    let output = tracer(&with(&arguments, &case.filters));
    assert!(output.status.success(), "export --to parquet, {}: {:?}", case.told(), output.status);
    let file = fs::File::open(&path).expect("a table");
    let table = SerializedFileReader::new(file).expect("a table that can be read");
    let rows: Vec<BTreeMap<String, Field>> = table
        .get_row_iter(None)
        .expect("rows")
        .map(|row| {
            let row = row.expect("a row that can be read");
            row.get_column_iter().map(|(name, field)| (name.clone(), field.clone())).collect()
        })
        .collect();
    let shown = rows_of(&case.rows);
    assert_eq!(rows.len(), shown.len(), "export --to parquet, {}", case.told());
    let number = |field: &Field| match field {
        Field::Long(number) => Value::from(*number),
        Field::Null => Value::Null,
        other => panic!("not a number: {other:?}"),
    };
    let text = |field: &Field| match field {
        Field::Str(text) => Value::from(text.clone()),
        other => panic!("not a text: {other:?}"),
    };
    for (at, (row, shown)) in rows.iter().zip(&shown).enumerate() {
        let is = |column: &str, value: Value, member: &str| {
            assert_eq!(value, shown[member], "row {at} of a table, {column}, {}", case.told());
        };
        // Of a call that has not returned there is no result.
        let result = if is_unfinished(shown) { Value::Null } else { shown["returnValue"].clone() };
        assert_eq!(number(&row["retval"]), result, "row {at} of a table, retval, {}", case.told());
        for (column, member) in [
            ("time", "timestamp"),
            ("duration_ns", "duration"),
            ("pid", "processId"),
            ("tid", "threadId"),
            ("host_pid", "hostProcessId"),
            ("uid", "userId"),
            ("cpu", "processorId"),
        ] {
            is(column, number(&row[column]), member);
        }
        for (column, member) in [("event", "eventName"), ("comm", "processName")] {
            is(column, text(&row[column]), member);
        }
    }
}

/// The groups hold all events.
pub fn top(case: &Case, random: &mut Random) {
    let by = *random.of(&["comm", "event", "binary", "user", "host"]);
    let arguments = [&["top", "-o", "json", "--limit", "1000000", "--by", by][..], &case.files()].concat();
    let groups = rows_of(&printed(&with(&arguments, &case.filters)));
    let events: u64 = groups.iter().map(|group| group["events"].as_u64().expect("a number")).sum();
    assert_eq!(events, case.rows.lines().count() as u64, "top --by {by}, {}", case.told());
    // Without groups there is no line of them, and every row has its group: its own name.
    let member = match by {
        "comm" => "processName",
        "event" => "eventName",
        _ => return,
    };
    for group in groups {
        let name = &group["name"];
        let of_name = rows_of(&case.rows).iter().filter(|row| row[member] == *name).count() as u64;
        assert_eq!(group["events"].as_u64(), Some(of_name), "top --by {by}: {name}, {}", case.told());
    }
}

/// The processes hold all events.
pub fn tree(case: &Case, _: &mut Random) {
    let arguments = [&["tree", "-o", "json"][..], &case.files()].concat();
    let processes = rows_of(&printed(&with(&arguments, &case.filters)));
    let events: u64 = processes.iter().map(|it| it["events"].as_u64().expect("a number")).sum();
    assert_eq!(events, case.rows.lines().count() as u64, "tree, {}", case.told());
}

/// A rule finds the rows that the filter that says the same finds.
pub fn scan(case: &Case, random: &mut Random) {
    let program = *random.of(&["/cc1", "/sh", "/make", "/sshd"]);
    let rules = case.path("rule.yml");
    let rule = format!(
        "title: A Program\nid: a\nlogsource: {{product: linux, category: process_creation}}\n\
         detection:\n  s: {{Image|endswith: {program}}}\n  condition: s\nlevel: high\n"
    );
    fs::write(&rules, rule).expect("a folder");
    let found = tracer(
        &[&["scan", "--rules", &rules, "--no-builtin", "--all", "-o", "json"][..], &case.files()].concat(),
    );
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success(), "scan {program}, {:?}: {said}", case.told());
    let found = String::from_utf8(found.stdout).expect("UTF-8").lines().count();
    let filters = [format!("sched_process_exec.pathname=*{program}")];
    let rows = ask(&case.files(), &filters, &[]);
    assert_eq!(found, rows.lines().count(), "scan {program} and {filters:?}, {}", case.told());
}
