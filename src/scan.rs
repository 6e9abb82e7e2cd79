//! `tracer scan`: rules asked of captures.

mod falco;
pub mod json;
#[cfg(feature = "record")]
pub mod line;
mod memory;
mod ocsf;
mod sarif;
mod text;

use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use rules::Level;
use rules::finding::Finding;
use rules::scan::{Asking, Scan};

use crate::asking::AskOptions;
use crate::fleet_command;
use crate::outcome::{self, Outcome};
use crate::progress::Progress;
use crate::range::TimeRange;
use crate::rule_files::RuleOptions;
use crate::stderr;
use memory::Memory;

/// Findings that are kept until all are there, to be told by severity.
const MAX_FINDINGS: usize = 1 << 20;

#[derive(Args, Debug)]
pub struct Options {
    #[command(flatten)]
    ask: AskOptions,
    #[command(flatten)]
    rules: RuleOptions,
    /// How findings are told: text by severity; a line of JSON each in order of time, ours, OCSF's or Falco's; or SARIF
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value = "text")]
    output: Format,
    /// Exit code 1 when there is a finding of this level or above
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    fail_on: Option<Level>,
    /// Each finding by itself, instead of one line for what the same program did
    #[arg(long)]
    all: bool,
    /// Say which rules cannot be answered by these captures and why, and where answers are approximate
    #[arg(long)]
    coverage: bool,
    /// Let a cluster do it, whose scheduler this is (by tracer-fleet): a task for the captures of each boot
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["all", "audit_rules", "baseline", "coverage", "from", "history", "learn", "no_builtin", "only", "to", "verify"])]
    cluster: Option<String>,
    /// With --cluster: the certificate of its authority (PEM); without, TRACER_TLS_CA says where it is
    #[arg(long, value_name = "FILE", requires_all = ["cluster", "tls_cert", "tls_key"])]
    tls_ca: Option<PathBuf>,
    /// With --cluster: the own certificate of that authority (PEM); without, TRACER_TLS_CERT says where it is
    #[arg(long, value_name = "FILE", requires = "tls_ca")]
    tls_cert: Option<PathBuf>,
    /// With --cluster: its private key (PEM); without, TRACER_TLS_KEY says where it is
    #[arg(long, value_name = "FILE", requires = "tls_ca")]
    tls_key: Option<PathBuf>,
    #[command(flatten)]
    memory: Memory,
    #[command(flatten)]
    range: TimeRange,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Text,
    Json,
    /// A document of SARIF 2.1.0
    Sarif,
    /// Detection Findings (class 2004) of OCSF 1.8.0, a line each
    Ocsf,
    /// As Falco prints JSON, a line each, with the output that the rule's template makes
    Falco,
}

fn level(text: &str) -> Result<Level, String> {
    let names = Level::ALL.map(Level::name).join(", ");
    Level::parse(text).ok_or_else(|| format!("no level: one of {names}"))
}

pub fn run(options: Options) -> Result<Outcome> {
    if let Some(cluster) = &options.cluster {
        return on_cluster(&options, cluster);
    }
    let corpus = options.rules.read()?;
    let source = options.ask.source()?;
    let zone = options.ask.zone();
    let start = Instant::now();
    let scan = Scan::new(&corpus.rules, &source);
    let asking = Asking {
        range: options.ask.range(&options.range, &source)?,
        strict: options.ask.damage.strict,
        threads: options.ask.threads.count(),
        seen: options.memory.seen(&corpus.rules, &options.ask.inputs.reading)?,
        learn_ns: options.memory.learn_ns(),
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut findings: Vec<Finding> = Vec::new();
    let mut counts = Counts::default();
    let mut failed = Ok(());
    let files = options.ask.inputs.files()?;
    let progress = match options.output {
        Format::Text | Format::Sarif => Progress::of(files),
        _ => Progress::unless_printing(files),
    };
    let report = scan.run(asking, &mut |finding| {
        let Some(rule) = corpus.rules.get(finding.rule) else { return };
        counts.add(&finding, rule.level);
        let write = match options.output {
            Format::Text | Format::Sarif if findings.len() < MAX_FINDINGS => return findings.push(finding),
            Format::Text | Format::Sarif => return,
            Format::Json => json::write,
            Format::Ocsf => ocsf::write,
            Format::Falco => falco::write,
        };
        if failed.is_ok() {
            failed = write(&finding, rule, &mut out);
        }
    })?;
    drop(progress);
    failed.context("writing findings")?;
    options.memory.save(&report.seen)?;
    if options.output == Format::Sarif {
        sarif::write(&findings, &corpus.rules, &mut out)?;
        let left_out = counts.findings - findings.len() as u64;
        if left_out > 0 {
            stderr::warn(format_args!("{left_out} findings behind the first {MAX_FINDINGS} are left out"));
        }
    }
    if options.output == Format::Text {
        text::write(&findings, &corpus.rules, &zone, options.all, &mut out)?;
        if counts.findings > findings.len() as u64 {
            writeln!(out, "... and {} more", counts.findings - findings.len() as u64)?;
        }
    }
    if options.coverage && options.output == Format::Text {
        text::coverage(&scan, &corpus.rules, &mut out)?;
    }
    let summary = text::summary(&counts, &corpus, &scan, &report, start.elapsed().as_secs_f64());
    match options.output {
        Format::Text => {
            out.write_all(summary.as_bytes())?;
            out.flush()?;
        }
        _ => {
            out.flush()?;
            stderr::say_lines(summary.trim_end());
        }
    }
    losses(&source);
    let is_found =
        options.fail_on.is_some_and(|least| counts.highest.is_some_and(|highest| highest >= least));
    outcome::with_gaps(if is_found { Outcome::Found } else { Outcome::Done }, &report.stats.gaps, &source)
}

/// The same by the other program.
fn on_cluster(options: &Options, cluster: &str) -> Result<Outcome> {
    let format = match options.output {
        Format::Text => "table",
        Format::Json => "json",
        _ => bail!("with --cluster findings are told as text or json (a line a row of the table findings)"),
    };
    let mut words: Vec<OsString> = ["--cluster", cluster, "-o", format].map(OsString::from).to_vec();
    if let Some(level) = options.fail_on {
        words.extend(["--fail-on".into(), level.name().into()]);
    }
    if options.ask.damage.strict {
        words.push("--strict".into());
    }
    let certificates =
        [("--tls-ca", &options.tls_ca), ("--tls-cert", &options.tls_cert), ("--tls-key", &options.tls_key)];
    for (option, path) in certificates {
        words.extend(path.iter().flat_map(|path| [option.into(), path.clone().into_os_string()]));
    }
    for rules in &options.rules.rules {
        words.extend(["--rules".into(), rules.clone().into_os_string()]);
    }
    words.push("--".into());
    words.extend(options.ask.inputs.given().iter().map(|path| path.clone().into_os_string()));
    fleet_command::scan(words)
}

/// What was found, by level.
#[derive(Debug, Default)]
pub struct Counts {
    findings: u64,
    by_level: [u64; 5],
    rules: std::collections::BTreeSet<usize>,
    highest: Option<Level>,
}

impl Counts {
    fn add(&mut self, finding: &Finding, level: Level) {
        self.findings += 1;
        if let Some(count) = self.by_level.get_mut(level as usize) {
            *count += 1;
        }
        self.rules.insert(finding.rule);
        self.highest = self.highest.max(Some(level));
    }
}

/// Where losses may have hidden something.
fn losses(source: &pipeline::Source) {
    for file in source.files() {
        let losses = file.capture.losses();
        let count: u64 = losses.iter().map(|loss| loss.count).sum();
        if let Some((first, last)) =
            losses.iter().map(|loss| loss.from_ns).min().zip(losses.iter().map(|loss| loss.to_ns).max())
        {
            let at = |boot_ns: u64| {
                let wall = file.wall(0, boot_ns);
                jiff::Timestamp::from_nanosecond(wall.into())
                    .map_or_else(|_| "?".into(), |time| time.to_string())
            };
            stderr::warn(format_args!(
                "{}: {count} events were lost between {} and {}: what they would have shown is not among the findings",
                file.name,
                at(first),
                at(last)
            ));
        }
    }
}
