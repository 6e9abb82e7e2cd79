//! Captures of which every row is known, and queries over them.
#![allow(dead_code)] // each test uses its part

#[path = "../../../replay/tests/synthetic/mod.rs"]
pub mod synthetic;

use std::path::Path;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::json::writer::{JsonArray, WriterBuilder};
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use events::{Marks, Raw};
use pipeline::{Question, Source};
use replay::Asked;
use scopes::ScopeSet;
use serde_json::Value;
use synthetic::{Event, Made, process};
use tracer_fleet::captures::{self, Ask, How, Opened};
use tracer_fleet::scan::ScanExec;
use tracer_fleet::session;

/// The program that is in one block alone.
pub const RARE: &str = "xmrig";

const PROGRAMS: [(&str, &str, u32); 6] = [
    ("ls", "/usr/bin/ls", 1000),
    ("cat", "/usr/bin/cat", 1000),
    ("sshd", "/usr/sbin/sshd", 0),
    ("nginx", "/usr/sbin/nginx", 33),
    ("cron,d", "/usr/sbin/cron", 0),
    ("systemd", "/usr/lib/systemd/systemd", 0),
];

/// Numbers that look random and are the same in each run.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// A host with so many events, of which `rare` at one place are of [`RARE`].
pub fn busy(host: &str, seed: u64, rows: u64, rows_per_block: usize, rare: bool) -> Made {
    let mut made = Made::new();
    made.rows_per_block = rows_per_block;
    made.header.host.hostname = host.into();
    made.header.host.boot_id = format!("boot of {host}");
    let mut numbers = Numbers(seed);
    for at in 0..rows {
        let (comm, exe, uid) = match rare && at == rows / 2 {
            true => (RARE, "/tmp/xmrig", 1000),
            false => PROGRAMS[numbers.below(PROGRAMS.len() as u64) as usize],
        };
        let context = process(500 + numbers.below(40) as u32, 1, uid, comm, exe);
        let file = ["/etc/passwd", "/etc/shadow", "/tmp/a b", "/tmp/\"q\"", "/var/log/syslog"];
        let path = file[numbers.below(file.len() as u64) as usize];
        let failed = numbers.below(5) == 0;
        let port = (443 + numbers.below(3)) as u16;
        let address =
            [&[2, 0][..], &port.to_be_bytes(), &[10, 0, 0, numbers.below(4) as u8], &[0; 8]].concat();
        let event = |name, ret, args| Event {
            at: at * 1_000_000,
            name,
            context,
            ret,
            scopes: 1,
            marks: Marks(0),
            args,
        };
        match numbers.below(4) {
            0 => made.push(&event(
                "openat",
                if failed { -2 } else { 3 },
                &[
                    ("dirfd", Raw::Number(-100i64 as u64)),
                    ("pathname", Raw::Bytes(path.as_bytes())),
                    ("flags", Raw::Number(0o101)),
                    ("mode", Raw::Number(0o644)),
                ],
            )),
            1 => made.push(&event(
                "connect",
                if failed { -111 } else { 0 },
                &[("sockfd", Raw::Number(3)), ("addr", Raw::Bytes(&address)), ("addrlen", Raw::Number(16))],
            )),
            2 => made.push(&event(
                "read",
                numbers.below(4096) as i64,
                &[("fd", Raw::Number(3)), ("count", Raw::Number(4096))],
            )),
            _ => made.push(&event("sched_process_exec", 0, &[("pathname", Raw::Bytes(exe.as_bytes()))])),
        }
    }
    made
}

pub fn save(made: Made, path: &Path) -> String {
    made.save(path);
    path.to_str().expect("UTF-8").to_owned()
}

/// Captures as the tables of a session that runs here.
pub fn tables(files: &[String], filters: &[&str], threads: usize) -> (SessionContext, Opened) {
    let captures = captures::named(files, &Ask::Anyone).expect("captures");
    let how = How { strict: false, ..How::default() };
    let asked = captures::Asked::new(captures, None, how).expect("they open");
    let filters: Vec<String> = filters.iter().map(|it| (*it).to_owned()).collect();
    let session = session::embedded(threads);
    session::add_tables(&session, &asked, &filters).expect("tables");
    (session, asked.all().expect("they open").clone())
}

/// The rows of an answer, and the plan that gave them.
pub async fn answer(session: &SessionContext, query: &str) -> (Vec<RecordBatch>, Arc<dyn ExecutionPlan>) {
    let frame = session.sql(query).await.unwrap_or_else(|error| panic!("{query}: {error}"));
    let plan = frame.create_physical_plan().await.unwrap_or_else(|error| panic!("{query}: {error}"));
    let batches = collect(Arc::clone(&plan), session.task_ctx()).await;
    (batches.unwrap_or_else(|error| panic!("{query}: {error}")), plan)
}

/// The one number that a query gives.
pub async fn number(session: &SessionContext, query: &str) -> u64 {
    let rows = rows(&answer(session, query).await.0);
    rows.first().and_then(|row| row[0].as_u64()).unwrap_or_else(|| panic!("{query}: {rows:?}"))
}

/// Rows as values of JSON, in the order of columns.
pub fn rows(batches: &[RecordBatch]) -> Vec<Vec<Value>> {
    let mut out = Vec::new();
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(&mut out);
    writer.write_batches(&batches.iter().collect::<Vec<_>>()).expect("JSON");
    writer.finish().expect("JSON");
    let objects: Vec<serde_json::Map<String, Value>> =
        if out.is_empty() { Vec::new() } else { serde_json::from_slice(&out).expect("JSON") };
    objects.into_iter().map(|object| object.into_iter().map(|(_, value)| value).collect()).collect()
}

/// Rows as lines, sorted.
pub fn lines(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::default().with_null("NULL");
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|it| ArrayFormatter::try_new(it, &options).expect("text")).collect();
        lines.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|it| it.value(row).to_string()).collect::<Vec<_>>().join("|")),
        );
    }
    lines.sort();
    lines
}

/// Blocks that scans of a plan read, and of how many.
pub fn blocks_read(plan: &Arc<dyn ExecutionPlan>) -> (usize, usize) {
    let own = plan.downcast_ref::<ScanExec>().map_or((0, 0), |scan| {
        let metrics = scan.metrics().expect("metrics");
        (metrics.sum_by_name("blocks_read").map_or(0, |it| it.as_usize()), scan.reads.total_blocks)
    });
    plan.children().into_iter().map(blocks_read).fold(own, |sum, it| (sum.0 + it.0, sum.1 + it.1))
}

/// What `tracer replay -f ... --count` says, and how many blocks it reads for it. Without filters: all that was recorded.
pub fn replayed(source: &Source, filters: &[&str]) -> (u64, u64) {
    let filters = if filters.is_empty() { &["pid>=0"] } else { filters };
    let asked = Asked::given(ScopeSet::parse(filters).expect("filters"), source).expect("they fit");
    let stats = Question::new(source, asked.matchers(source)).count().expect("a count");
    (stats.matched, stats.blocks_read)
}
