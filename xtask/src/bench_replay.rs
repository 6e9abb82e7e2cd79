//! Questions to captures, each with the capture that shows what it is about.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::bench::{counts, installed, tracer_program, workload_program};
use crate::bench_run::measure;
use crate::bench_table::{Row, Table};
use crate::shell;

/// A capture to ask.
struct Capture {
    name: &'static str,
    /// Run by `sh`; `$0` is this program, whose workloads are there too.
    script: &'static str,
    questions: &'static [Question],
    /// Times are told as multiples of the first question's.
    compared: bool,
}

/// A question to a capture.
struct Question {
    name: &'static str,
    arguments: Arguments,
    /// Only rows of this event count as scanned.
    of: Option<&'static str>,
}

enum Arguments {
    These(&'static [&'static str]),
    /// As many scopes, each of another program.
    Scopes(usize),
    /// All rules that are part of the program, and those of folders that the variable RULES names, with colons between them.
    Rules,
    /// Another program over the capture as JSON: `{json}`.
    Other(&'static [&'static str]),
}

use Arguments::{Other, Rules, Scopes, These};

const CAPTURES: &[Capture] = &[
    Capture {
        name: "4 million of dd",
        script: "dd if=/dev/zero of=/dev/null bs=1 count=2000000 status=none; find /usr -xdev > /dev/null; true",
        questions: &[
            Question { name: "one scope (comm=dd)", arguments: Scopes(1), of: None },
            Question { name: "64 scopes", arguments: Scopes(64), of: None },
            Question {
                name: "everything, counted",
                arguments: These(&["-f", "uid>=0", "--count"]),
                of: None,
            },
            Question { name: "rules", arguments: Rules, of: None },
        ],
        compared: true,
    },
    Capture {
        name: "10 million",
        script: "dd if=/dev/zero of=/dev/null bs=1 count=2500000 status=none; /bin/true; \
                 dd if=/dev/zero of=/dev/null bs=1 count=2600000 status=none; true",
        questions: &[
            Question { name: "rare comm", arguments: These(&["-f", "comm=true", "--count"]), of: None },
            Question {
                name: "context filter (comm=dd)",
                arguments: These(&["-f", "comm=dd", "--count"]),
                of: None,
            },
        ],
        compared: false,
    },
    Capture {
        name: "300,000 openat",
        script: "$0 workload opens /tmp /dev/null",
        questions: &[
            Question {
                name: "argument wildcard (openat.pathname=*lib*x86*)",
                arguments: These(&["-f", "openat.pathname=*lib*x86*", "--count"]),
                of: Some("openat"),
            },
            Question { name: "rules", arguments: Rules, of: Some("openat") },
        ],
        compared: false,
    },
    Capture {
        name: "find /usr",
        script: "find /usr -xdev > /dev/null; true",
        questions: &[
            Question { name: "JSON", arguments: These(&["-f", "uid>=0", "-o", "json"]), of: None },
            Question { name: "table", arguments: These(&["-f", "uid>=0", "-o", "table"]), of: None },
            Question {
                name: "comm=find and openat of *lib*",
                arguments: These(&["-f", "comm=find", "-f", "openat.pathname=*lib*", "--count"]),
                of: None,
            },
            Question {
                name: "the same with jq, over the JSON",
                arguments: Other(&[
                    "jq",
                    "-c",
                    "select(.processName == \"find\" and .eventName == \"openat\" and \
                     (.args[1].value // \"\" | contains(\"lib\")))",
                    "{json}",
                ]),
                of: None,
            },
        ],
        compared: false,
    },
];

/// Asks each capture its questions in turn, round after round.
pub fn run(rounds: u32, ours: bool, wants: &dyn Fn(&str) -> bool, table: &mut Table) -> Result<()> {
    for capture in CAPTURES {
        let can_ask = |question: &&Question| match &question.arguments {
            Other([program, ..]) => !ours && installed(program),
            _ => true,
        };
        let questions: Vec<&Question> = capture
            .questions
            .iter()
            .filter(|question| wants(question.name) || wants(capture.name))
            .filter(can_ask)
            .collect();
        if questions.is_empty() {
            continue;
        }
        let work = tempfile::tempdir()?;
        let file = record(capture, work.path())?;
        let json = work.path().join("capture.json");
        if questions.iter().any(|question| matches!(question.arguments, Other(_))) {
            let destination = format!("json:{}", json.display());
            let mut command = Command::new(tracer_program());
            shell::output(command.arg("replay").arg(&file).args(["-f", "uid>=0", "-o", &destination]))?;
        }
        let (events, lost) = counts(&file);
        let group = format!("replay: {}", capture.name);
        let mut rows: Vec<Row> = questions
            .iter()
            .map(|question| Row::new(&group, question.name))
            .map(|row| if capture.compared { row.compared() } else { row })
            .collect();
        for _ in 0..rounds {
            for (question, row) in questions.iter().zip(&mut rows) {
                let scanned = match question.of {
                    Some(event) => rows_of(&file, event),
                    None => events,
                };
                row.add(measure(&mut command(question, &file, &json))?, None, scanned, None);
            }
        }
        for row in rows {
            table.push(row, None);
        }
        if lost > Some(0) {
            table.note(format!(
                "While \"{}\" was recorded, {} events were lost.",
                capture.name,
                lost.unwrap_or_default()
            ));
        }
    }
    Ok(())
}

fn record(capture: &Capture, dir: &Path) -> Result<PathBuf> {
    let file = dir.join("capture.trz");
    let mut command = Command::new(tracer_program());
    command.args(["record", "-o"]).arg(&file).args(["--", "sh", "-c", capture.script, workload_program()]);
    shell::output(&mut command)?;
    if fs::metadata(&file)?.len() == 0 {
        bail!("{}: nothing was recorded", capture.name);
    }
    Ok(file)
}

fn command(question: &Question, file: &Path, json: &Path) -> Command {
    let mut ours = Command::new(tracer_program());
    ours.arg("replay").arg(file).args(["--threads", "1"]);
    match &question.arguments {
        These(arguments) => {
            ours.args(*arguments);
        }
        Scopes(count) => {
            for scope in 1..=*count {
                // The first is of a program that is there; the others differ in what they look at.
                let filter = match (scope, scope % 4) {
                    (1, _) => "1:comm=dd".to_owned(),
                    (_, 0) => format!("{scope}:comm=program{scope}"),
                    (_, 1) => format!("{scope}:uid={scope}"),
                    (_, 2) => format!("{scope}:pid={}", scope * 1000),
                    (_, _) => format!("{scope}:binary=/opt/program{scope}"),
                };
                ours.args(["-f", &filter]);
            }
            ours.arg("--count");
        }
        Rules => {
            let mut scan = Command::new(tracer_program());
            scan.arg("scan").arg(file).args(["--threads", "1", "-o", "json"]);
            let folders = std::env::var("RULES").unwrap_or_default();
            folders.split(':').filter(|folder| !folder.is_empty()).for_each(|folder| {
                scan.args(["--rules", folder]);
            });
            return scan;
        }
        Other(line) => {
            let mut words =
                line.iter().map(|word| if *word == "{json}" { json.as_os_str() } else { word.as_ref() });
            let mut other = Command::new(words.next().unwrap_or_default());
            other.args(words);
            return other;
        }
    }
    ours
}

fn rows_of(capture: &Path, event: &str) -> Option<u64> {
    let said =
        shell::text(Command::new(tracer_program()).arg("info").arg(capture).args(["-o", "json"])).ok()?;
    serde_json::from_str::<serde_json::Value>(&said).ok()?["by_event"][event].as_u64()
}

/// What the figures were taken on, in one line.
pub fn host() -> String {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = shell::text(Command::new("uname").args(["-sr"])).unwrap_or_default();
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        processor.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    format!("{kernel}, {cpus} CPUs ({}).\n", model.map_or("unknown", |(_, model)| model))
}
