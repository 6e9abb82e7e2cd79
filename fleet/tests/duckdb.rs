//! Queries are answered as DuckDB answers them over the Parquet that `tracer export` writes of the same captures.
#![allow(clippy::print_stdout)] // a test that cannot run here says so

#[path = "support/python.rs"]
mod python;
mod support;

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use interchange::export::parquet::Table;
use interchange::export::{About, Exporter};
use pipeline::Question;
use replay::Asked;
use serde_json::Value;
use support::{answer, busy, rows, save, tables};

/// Each in the words that both engines have. Rows are compared without order, so that limits stand behind what is unique.
const QUERIES: [&str; 34] = [
    "select count(*) from events",
    "select comm, count(*) from events group by comm",
    "select event, count(*), min(retval), max(retval), sum(retval) from events group by event",
    "select host, comm, event, count(*) from events group by host, comm, event",
    "select count(*) from events where comm = 'ls'",
    "select count(*) from events where comm = 'cron,d'",
    "select count(*) from events where comm <> 'ls'",
    "select count(*) from events where comm in ('ls', 'cat') and uid = 1000",
    "select count(*) from events where comm like 'ss%' or comm like '%x'",
    "select count(*) from events where comm like '_s'",
    "select count(*) from events where comm > 'l' and comm < 'o'",
    "select count(*) from events where uid >= 33 and uid < 1000",
    "select count(*) from events where uid between 1 and 1000 and event = 'openat'",
    "select count(*) from events where not (comm = 'ls' or uid = 0)",
    "select count(*) from events where comm = 'ls' and comm = 'cat'",
    "select count(*) from events where comm = 'ls' or event = 'openat' and retval < 0",
    "select pathname, count(*) from events where pathname is not null group by pathname",
    "select pathname, errno, count(*) from events where retval < 0 group by pathname, errno",
    "select count(*) from events where pathname = '/tmp/a b' and flags = 65",
    "select count(distinct host_pid), count(distinct pathname) from events",
    "select remote_addr, remote_port, count(*) from events where event = 'connect' group by remote_addr, remote_port",
    "select host, min(remote_port), max(bytes) from events group by host having count(*) > 10",
    "select comm, avg(retval) from events where event = 'read' group by comm",
    "select host, count(*) from events where host = 'web1' group by host",
    "select host_pid, count(*) as n from events group by host_pid order by n desc, host_pid limit 5",
    "select entity, parent_entity, exe from events where host_pid = 510 group by entity, parent_entity, exe",
    "select event, syscall_nr from events group by event, syscall_nr",
    "select args from events where event = 'connect' and comm = 'nginx'",
    "select recorded_scopes, scopes, count(*) from events group by recorded_scopes, scopes",
    "select count(*) from events a join (select distinct host_pid from events where comm = 'xmrig') b on a.host_pid = b.host_pid",
    "select comm, row_number() over (partition by comm order by time, host, host_pid) as n from events where event = 'openat' and uid = 33",
    "select date_trunc('second', time) as s, count(*) from events group by 1 order by 1",
    "select count(*) from events where time >= timestamp '2022-11-15 20:09:17' and time < timestamp '2022-11-15 20:09:19'",
    "select comm from events where uid = 1000 union select exe from events where uid = 0",
];

/// Reads queries a line each, and prints the rows of each as a line of JSON.
const ASK: &str = "
import duckdb, json, sys
duckdb.sql(\"set timezone='UTC'\")
duckdb.sql(f\"create view events as select * from '{sys.argv[1]}'\")
for query in sys.stdin:
    rows = duckdb.sql(query).fetchall()
    print(json.dumps(rows, default=str))
";

/// What `tracer export --to parquet` writes.
fn export(source: &pipeline::Source, path: &Path) {
    let asked = Asked::recorded(source);
    let exporter = Exporter::new(interchange::Format::Parquet, About::default());
    let mut table = Table::new(File::create(path).expect("a file"), &[]).expect("a table");
    let question = Question::new(source, asked.matchers(source));
    question.print(&[&exporter], &mut |_, rows| Ok(table.rows(rows)?)).expect("rows");
    table.finish().expect("a table");
}

/// Numbers as numbers, whatever their type; times by their digits.
fn same(value: &Value) -> String {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(number) => number.to_string(),
            None => format!("{:.6}", number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) if text.starts_with("20") && text.len() >= 19 => {
            text.replace('T', " ").trim_end_matches("+00:00").trim_end_matches('Z').to_owned()
        }
        Value::Array(values) => values.iter().map(same).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn sorted(rows: &[Vec<Value>]) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(same).collect()).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn queries_are_answered_as_duckdb_answers_them() {
    if !python::has("duckdb") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let files: Vec<String> = (1..=3)
        .map(|host| {
            let made = busy(&format!("web{host}"), host, 3_000, 400, host == 2);
            save(made, &folder.path().join(format!("web{host}.trz")))
        })
        .collect();
    let (session, opened) = tables(&files, &[], 3);
    let parquet = folder.path().join("events.parquet");
    export(&opened.source, &parquet);
    let mut duckdb = Command::new(python::python())
        .args(["-c", ASK, parquet.to_str().expect("UTF-8")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    let queries = QUERIES.iter().map(|query| format!("{query}\n")).collect::<String>();
    duckdb.stdin.take().expect("a pipe").write_all(queries.as_bytes()).expect("queries");
    let output = duckdb.wait_with_output().expect("python ends");
    assert!(output.status.success(), "DuckDB ended with {}", output.status);
    let answers = String::from_utf8(output.stdout).expect("UTF-8");
    let mut of_duckdb = answers.lines();
    for query in QUERIES {
        let theirs: Vec<Vec<Value>> =
            serde_json::from_str(of_duckdb.next().unwrap_or_default()).expect("rows of DuckDB");
        let ours = rows(&answer(&session, query).await.0);
        assert!(!theirs.is_empty(), "{query} has no rows");
        assert_eq!(sorted(&ours), sorted(&theirs), "{query}");
    }
}
