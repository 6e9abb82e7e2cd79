//! Whole commands, timed side by side: what recording costs the programs that are recorded, and how fast replay answers.
//!
//! All variants of a workload run in turn, round after round, so that a machine whose speed drifts does not favour one.
//! Figures are medians with their least and greatest; ratios are of one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use clap::Args;

use crate::bench_calls::{self, Least};
use crate::bench_replay;
use crate::bench_run::{Run, measure};
use crate::bench_table::{Row, Table};
use crate::bench_workload::{self, Workload};
use crate::shell;

#[derive(Args)]
pub struct Options {
    /// Rounds of every variant
    #[arg(long, default_value_t = 5)]
    pub rounds: u32,
    /// Only workloads and questions whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Leave out the other tracers
    #[arg(long)]
    ours: bool,
    /// Write the figures as JSON here too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Put the table into docs/performance.md, between its markers
    #[arg(long)]
    docs: bool,
    /// Only recording, only replay, or what is added to one system call, by kind of call
    #[arg(long, value_parser = ["record", "replay", "calls"])]
    part: Option<String>,
}

/// A way to run a workload: a command line before the workload's own, `{out}` standing for the file to write.
struct Tracer {
    name: &'static str,
    line: &'static [&'static str],
}

const TRACERS: &[Tracer] = &[
    Tracer { name: "untraced", line: &[] },
    Tracer { name: "tracer record", line: &["{tracer}", "record", "--force", "-o", "{out}", "--"] },
    Tracer {
        name: "tracer record --events openat,execve",
        line: &["{tracer}", "record", "--force", "-o", "{out}", "--events", "openat,execve", "--"],
    },
    Tracer {
        name: "tracer record --only-matched -f comm=nobody",
        line: &["{tracer}", "record", "--force", "-o", "{out}", "--only-matched", "-f", "comm=nobody", "--"],
    },
    Tracer {
        name: "tracer record --transport ringbuf",
        line: &["{tracer}", "record", "--force", "-o", "{out}", "--transport", "ringbuf", "--"],
    },
    Tracer { name: "strace -f", line: &["strace", "-f", "-o", "{out}"] },
    Tracer { name: "perf trace record", line: &["perf", "trace", "record", "-o", "{out}", "--"] },
    Tracer {
        name: "trace-cmd record",
        line: &["trace-cmd", "record", "-q", "-e", "raw_syscalls", "-o", "{out}"],
    },
    // sysdig has to be running first, and does not end with the program.
    Tracer {
        name: "sysdig -z -w",
        line: &[
            "sysdig",
            "sh",
            "-c",
            "sysdig -z -w \"$0\" & tracer=$!; sleep 3; \"$@\"; kill -INT $tracer; wait $tracer || true",
            "{out}",
        ],
    },
];

impl Tracer {
    /// The command line; the first word of sysdig's only says what is needed.
    fn command(&self) -> &'static [&'static str] {
        match self.line {
            ["sysdig", rest @ ..] => rest,
            line => line,
        }
    }
}

/// Whether the tracer is there and works: sysdig is installed on many hosts without the driver that it needs, and
/// trace-cmd wants to set what only some hosts let it.
fn can_run(tracer: &Tracer) -> bool {
    match tracer.line.first() {
        None => true,
        Some(&"sysdig") => {
            Command::new("sysdig").args(["-n", "1"]).output().is_ok_and(|output| output.status.success())
        }
        Some(&"trace-cmd") => {
            let out = std::env::temp_dir().join(format!("tracer-bench-{}.dat", std::process::id()));
            let tried = Command::new("trace-cmd")
                .args(["record", "-q", "-e", "raw_syscalls", "-o"])
                .arg(&out)
                .arg("true")
                .output();
            let _ = fs::remove_file(&out);
            tried.is_ok_and(|output| output.status.success())
        }
        Some(program) => installed(program),
    }
}

pub fn run(options: &Options) -> Result<()> {
    shell::run(Command::new("cargo").current_dir(shell::root()).args([
        "build",
        "--release",
        "--bin",
        "tracer",
    ]))?;
    if options.part.as_deref() == Some("calls") {
        return calls(options);
    }
    let mut table = Table::default();
    let wants = |name: &str| options.only.as_deref().is_none_or(|part| name.contains(part));
    if options.part.as_deref() != Some("replay") {
        for workload in bench_workload::ALL.iter().filter(|workload| wants(workload.name)) {
            record(options, workload, &mut table)?;
        }
    }
    if options.part.as_deref() != Some("record") {
        bench_replay::run(options.rounds, options.ours, &wants, &mut table)?;
    }
    if table.is_empty() {
        bail!("nothing is called {:?}", options.only);
    }
    for tracer in TRACERS.iter().filter(|tracer| !options.ours && !can_run(tracer)) {
        table.note(format!(
            "{} is not in the table: it is not installed, or cannot record on this host.",
            tracer.name
        ));
    }
    let markdown = table.markdown();
    print!("{markdown}");
    if let Some(path) = &options.json {
        fs::write(path, table.json())?;
    }
    if options.docs {
        into_docs(&markdown)?;
    }
    Ok(())
}

/// What each recorder adds to a call.
fn calls(options: &Options) -> Result<()> {
    let work = tempfile::tempdir()?;
    let (out, report) = (work.path().join("capture"), work.path().join("report"));
    // Of strace a call is two stops of the process: not a matter of nanoseconds.
    let tracers = TRACERS.iter().filter(|tracer| tracer.name != "strace -f" && can_run(tracer));
    let mut costs: Vec<(&Tracer, Least)> = tracers.map(|tracer| (tracer, Least::default())).collect();
    // What others are compared with comes last.
    costs.sort_by_key(|(tracer, _)| tracer.name == "perf trace record");
    for _ in 0..options.rounds {
        for (tracer, least) in &mut costs {
            measure(&mut workload_under(tracer, bench_calls::WORKLOAD, work.path(), &out, &report))?;
            least.add(bench_calls::read(&report)?);
            let _ = fs::remove_file(&out);
        }
    }
    let named: Vec<_> = costs.into_iter().map(|(tracer, least)| (tracer.name, least)).collect();
    println!("{}\n", bench_replay::host());
    print!("{}", bench_calls::markdown(&named));
    Ok(())
}

const BEGIN: &str = "<!-- cargo xtask bench --docs: from here -->\n";
const END: &str = "<!-- cargo xtask bench --docs: to here -->\n";

/// Replaces what stands between the markers.
fn into_docs(markdown: &str) -> Result<()> {
    let path = shell::root().join("docs/performance.md");
    let text = fs::read_to_string(&path)?;
    let (Some(begin), Some(end)) = (text.find(BEGIN), text.find(END)) else {
        bail!("{} has no markers for the table", path.display());
    };
    let (Some(before), Some(after)) = (text.get(..begin + BEGIN.len()), text.get(end..)) else {
        bail!("{}: the markers are in the wrong order", path.display());
    };
    fs::write(&path, format!("{before}\n{}\n{markdown}\n{after}", bench_replay::host()))?;
    Ok(())
}

fn record(options: &Options, workload: &Workload, table: &mut Table) -> Result<()> {
    let work = tempfile::tempdir()?;
    workload.prepare(work.path())?;
    let out = work.path().join("capture");
    let tracers: Vec<&Tracer> = TRACERS
        .iter()
        .filter(|tracer| !options.ours || tracer.line.first().is_none_or(|program| *program == "{tracer}"))
        .filter(|tracer| can_run(tracer))
        // strace slows a million calls to minutes: once is enough to see the size of it.
        .collect();
    let mut rows: Vec<Row> =
        tracers.iter().map(|tracer| Row::new(workload.name, tracer.name).compared()).collect();
    for round in 0..options.rounds {
        for (tracer, row) in tracers.iter().zip(&mut rows) {
            if tracer.name == "strace -f" && round > 0 {
                continue;
            }
            let report = work.path().join("report");
            let run = measure(&mut workload_under(tracer, workload.name, work.path(), &out, &report))?;
            let took_s: f64 = fs::read_to_string(&report)?.trim().parse()?;
            let bytes = fs::metadata(&out).map(|meta| meta.len()).ok();
            let (events, lost) = if tracer.name.starts_with("tracer") { counts(&out) } else { (None, None) };
            row.add(Run { wall_s: took_s, ..run }, bytes, events, lost);
            let _ = fs::remove_file(&out);
        }
    }
    for row in rows {
        table.push(row, workload.calls());
    }
    Ok(())
}

/// The command that runs a workload under a tracer.
fn workload_under(tracer: &Tracer, workload: &str, work: &Path, out: &Path, report: &Path) -> Command {
    let prefix = fill(tracer.command(), out);
    let mut command = Command::new(prefix.first().map_or(workload_program(), String::as_str));
    command.args(prefix.iter().skip(1));
    if !prefix.is_empty() {
        command.arg(workload_program());
    }
    command.args(["workload", workload]).arg(work).arg(report);
    command
}

/// Events and losses of one of our captures.
pub fn counts(capture: &Path) -> (Option<u64>, Option<u64>) {
    let said = shell::text(Command::new(tracer_program()).arg("info").arg(capture).args(["-o", "json"]));
    let value: Option<serde_json::Value> = said.ok().and_then(|text| serde_json::from_str(&text).ok());
    let number = |key: &str| value.as_ref().and_then(|value| value.get(key)?.as_u64());
    (number("events"), number("lost"))
}

fn fill(line: &[&str], out: &Path) -> Vec<String> {
    line.iter()
        .map(|word| match *word {
            "{tracer}" => tracer_program().display().to_string(),
            "{out}" => out.display().to_string(),
            other => other.to_owned(),
        })
        .collect()
}

pub fn installed(program: &str) -> bool {
    program == "{tracer}"
        || Command::new("sh")
            .args(["-c", &format!("command -v {program}")])
            .output()
            .is_ok_and(|o| o.status.success())
}

pub fn tracer_program() -> PathBuf {
    let out =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| shell::root().join("target"), PathBuf::from);
    shell::root().join(out).join("release/tracer")
}

/// This program again: it runs the workload and reports how long that took, without the tracer's own start.
pub fn workload_program() -> &'static str {
    static SELF: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    SELF.get_or_init(|| {
        std::env::current_exe().map_or_else(|_| "xtask".to_owned(), |path| path.display().to_string())
    })
}
