//! `tracer export --to arrow`: the stream reads back as the rows that `replay` prints.

mod program;

use std::process::Command;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use program::{Folder, printed, text, tracer};
use serde_json::Value;

fn batches(stream: &[u8]) -> Vec<RecordBatch> {
    let reader = StreamReader::try_new(stream, None).expect("a stream");
    reader.map(|batch| batch.expect("a batch")).collect()
}

#[test]
fn each_row_of_the_stream_is_a_row_of_the_answer() {
    for name in ["id-ls", "tree", "format-v4"] {
        let file = format!("{}/fixtures/{name}.trz", env!("CARGO_MANIFEST_DIR"));
        let output = tracer(&[
            "export",
            &file,
            "--to",
            "arrow",
            "-o",
            "-",
            "-q",
            "-f",
            "3:pid>=0",
            "-f",
            "9:event=openat",
        ]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let batches = batches(&output.stdout);
        let schema = batches.first().expect("a batch").schema();
        assert_eq!(schema.metadata().get("tracer.columns").map(String::as_str), Some("1"));
        assert!(schema.metadata().get("tracer.source.0").is_some_and(|source| source.contains("head=")));
        let lines = printed(&["replay", &file, "-o", "json", "-q", "-f", "3:pid>=0", "-f", "9:event=openat"]);
        let mut lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let (mut seq, mut marked) = (0, 0);
        for batch in &batches {
            let column = |name: &str| batch.column_by_name(name).expect(name);
            let text = |name: &str, row: usize| {
                let column = column(name).as_string::<i32>();
                (!column.is_null(row)).then(|| column.value(row).to_owned())
            };
            let int = |name: &str, row: usize| column(name).as_primitive::<Int64Type>().value(row);
            for row in 0..batch.num_rows() {
                let line = lines.next().expect("as many rows");
                seq += 1;
                assert_eq!(int("seq", row), seq);
                assert_eq!(
                    Some(column("time").as_primitive::<TimestampNanosecondType>().value(row)),
                    line["timestamp"].as_i64()
                );
                assert_eq!(text("event", row).as_deref(), line["eventName"].as_str());
                assert_eq!(text("comm", row).as_deref(), line["processName"].as_str());
                assert_eq!(text("exe", row).as_deref().unwrap_or_default(), line["executable"]["path"]);
                assert_eq!(Some(int("retval", row)), line["returnValue"].as_i64());
                assert_eq!(Some(int("host_pid", row)), line["hostProcessId"].as_i64());
                let args: Value = serde_json::from_str(&text("args", row).expect("arguments")).expect("JSON");
                let listed = line["args"].as_array().expect("arguments");
                for arg in listed {
                    assert_eq!(args[arg["name"].as_str().expect("a name")], arg["value"], "{line}");
                }
                let argv = column("argv").as_list::<i32>();
                let said = listed.iter().find(|arg| arg["name"] == "argv").map(|arg| &arg["value"]);
                match said.and_then(Value::as_array) {
                    None => assert!(argv.is_null(row), "{line}"),
                    Some(said) => {
                        let strings = argv.value(row);
                        let strings =
                            strings.as_string::<i32>().iter().map(|it| Value::from(it.expect("a string")));
                        assert_eq!(&strings.collect::<Vec<_>>(), said);
                    }
                }
                let of_row = column("marks").as_list::<i32>();
                let told = line["marks"]["event"].as_array().map(Vec::as_slice).unwrap_or_default();
                if told.is_empty() {
                    assert!(of_row.is_null(row), "{line}");
                } else {
                    let names = of_row.value(row);
                    let names = names.as_string::<i32>().iter().map(|it| Value::from(it.expect("a name")));
                    assert_eq!(names.collect::<Vec<_>>(), told, "{line}");
                    marked += 1;
                }
                let scopes = column("scopes").as_list::<i32>().value(row);
                let scopes: Vec<i32> = scopes.as_primitive::<Int32Type>().values().to_vec();
                assert_eq!(Value::from(scopes), line["scopes"]);
            }
        }
        assert!(lines.next().is_none() && seq > 50, "{seq} rows");
        assert!(name != "format-v4" || marked > 0, "rows of that fixture have marks");
    }
}

#[test]
fn a_stream_is_one_file_and_ends_quietly_with_its_reader() {
    let folder = Folder::new();
    let file = format!("{}/fixtures/id-ls.trz", env!("CARGO_MANIFEST_DIR"));
    let target = text(&folder.path("a.arrows"));
    printed(&["export", &file, "--to", "arrow", "-o", &target, "-q"]);
    let written = std::fs::read(&target).expect("a file");
    assert_eq!(written, tracer(&["export", &file, "--to", "arrow", "-q"]).stdout);
    let into_folder = tracer(&["export", &file, "--to", "arrow", "-o", &text(&folder.path("")), "-q"]);
    let err = String::from_utf8_lossy(&into_folder.stderr).into_owned();
    assert!(into_folder.status.code() == Some(2) && err.contains("one stream"), "{err}");
    // Nothing matches: a stream without rows.
    let none = tracer(&["export", &file, "--to", "arrow", "-q", "-f", "comm=nobody"]);
    assert!(none.status.success() && batches(&none.stdout).iter().all(|batch| batch.num_rows() == 0));
    let command = format!("{} export {file} --to arrow -q | head -c 100", env!("CARGO_BIN_EXE_tracer"));
    let cut = Command::new("sh").args(["-c", &command]).output().expect("a shell");
    assert!(cut.stderr.is_empty(), "{}", String::from_utf8_lossy(&cut.stderr));
}
