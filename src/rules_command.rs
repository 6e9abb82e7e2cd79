//! `tracer rules`: what is in files of rules.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use rules::scan::{Scan, answerable};
use rules::{Corpus, Diagnostic};
use scopes::spelled_out;
use serde_json::json;

use crate::inputs::Reading;
use crate::outcome::Outcome;
use crate::{rule_files, rule_suite};

#[derive(Args, Debug)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Say what of rules cannot be read, and with a capture what it cannot answer; exit code 1 when something cannot be read
    Check(CheckOptions),
    /// List rules
    List(ListOptions),
    /// Ask captures rules and compare what they find with what is expected; exit code 1 when something differs
    Test(rule_suite::Options),
}

#[derive(Args, Debug)]
struct CheckOptions {
    /// A file of rules, or a folder that is read with all below it
    #[arg(value_name = "DIR")]
    rules: PathBuf,
    /// A capture: which rules can it answer?
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// What audit is told, as `auditctl -R` reads it: Sigma's rules that ask for the key of such a rule can be answered (repeatable)
    #[arg(long, value_name = "FILE")]
    audit_rules: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// How it is told
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value = "text")]
    output: Format,
}

#[derive(Args, Debug)]
struct ListOptions {
    /// Files of rules, and folders that are read with all below them; without any, the rules that are part of the program
    #[arg(value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// How they are told
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value = "text")]
    output: Format,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Text,
    Json,
}

pub fn run(options: Options) -> Result<Outcome> {
    match options.command {
        Command::Check(options) => check(&options),
        Command::List(options) => list(&options),
        Command::Test(options) => rule_suite::run(&options),
    }
}

fn check(options: &CheckOptions) -> Result<Outcome> {
    let corpus = rule_files::read(std::slice::from_ref(&options.rules), &options.audit_rules, false)?;
    let unanswerable = match &options.file {
        None => answerable(&corpus.rules),
        Some(file) => {
            let source = options.reading.source(std::slice::from_ref(file))?;
            Scan::new(&corpus.rules, &source).unanswerable().clone()
        }
    };
    let read = corpus.rules.len();
    let mut out = BufWriter::new(io::stdout().lock());
    match options.output {
        Format::Json => {
            let why = |(number, why): (&usize, &String)| {
                let rule = corpus.rules.get(*number)?;
                Some(json!({"id": rule.id, "title": rule.title, "why": why}))
            };
            let value = json!({
                "summary": {
                    "rules": corpus.found,
                    "read": read,
                    "answerable": read - unanswerable.len(),
                    "otherSystems": corpus.foreign.iter().map(|(_, count)| count).sum::<usize>(),
                    "disabled": corpus.disabled,
                },
                "diagnostics": corpus.diagnostics.iter().map(diagnostic).collect::<Vec<_>>(),
                "unanswerable": unanswerable.iter().filter_map(why).collect::<Vec<_>>(),
            });
            serde_json::to_writer_pretty(&mut out, &value)?;
            writeln!(out)?;
        }
        Format::Text => {
            for diagnostic in &corpus.diagnostics {
                writeln!(out, "{diagnostic}")?;
            }
            tell_unanswerable(&corpus, &unanswerable, &mut out)?;
            write!(out, "{} rules, {read} read, {} answerable", corpus.found, read - unanswerable.len())?;
            for (system, count) in &corpus.foreign {
                write!(out, ", {count} of {}", spelled_out(system))?;
            }
            if corpus.disabled > 0 {
                write!(out, ", {} disabled", corpus.disabled)?;
            }
            writeln!(out)?;
        }
    }
    out.flush()?;
    let is_wrong = corpus.diagnostics.iter().any(Diagnostic::is_error);
    Ok(if is_wrong { Outcome::Found } else { Outcome::Done })
}

fn diagnostic(it: &Diagnostic) -> serde_json::Value {
    json!({
        "severity": if it.is_error() { "error" } else { "warning" },
        "file": &*it.place.file,
        "line": it.place.line,
        "column": it.place.column,
        "message": &*it.message,
        "suggestion": it.suggestion.as_deref(),
    })
}

/// Rules that cannot be answered, by reason.
fn tell_unanswerable(
    corpus: &Corpus,
    unanswerable: &BTreeMap<usize, String>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut by_reason: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, why) in unanswerable {
        by_reason.entry(why).or_default().push(*number);
    }
    for (why, numbers) in by_reason {
        writeln!(out, "cannot be answered: {}", spelled_out(why))?;
        for rule in numbers.into_iter().filter_map(|number| corpus.rules.get(number)) {
            writeln!(out, "  {}  {}", spelled_out(&rule.id), spelled_out(&rule.title))?;
        }
    }
    Ok(())
}

fn list(options: &ListOptions) -> Result<Outcome> {
    let corpus = rule_files::read(&options.rules, &[], options.rules.is_empty())?;
    let mut out = BufWriter::new(io::stdout().lock());
    for rule in &corpus.rules {
        match options.output {
            Format::Text => {
                let (id, title) = (spelled_out(&rule.id), spelled_out(&rule.title));
                writeln!(
                    out,
                    "{:<8}  {:<6}  {id}  {title}  {}",
                    rule.level,
                    rule.language.name(),
                    rule.place
                )?;
            }
            Format::Json => {
                let value = json!({
                    "id": rule.id,
                    "title": rule.title,
                    "level": rule.level.name(),
                    "source": rule.language.name(),
                    "authors": rule.authors,
                    "tags": rule.tags,
                    "description": rule.description,
                    "file": &*rule.place.file,
                    "line": rule.place.line,
                });
                serde_json::to_writer(&mut out, &value)?;
                writeln!(out)?;
            }
        }
    }
    let refused = rules::behaviours::refused().filter(|_| options.rules.is_empty());
    for it in refused {
        match options.output {
            Format::Text => {
                writeln!(out, "{:<8}  {:<6}  {}  {}  {}", "refused", "tracer", it.id, it.name, it.why)?
            }
            Format::Json => {
                serde_json::to_writer(&mut out, &json!({"id": it.id, "title": it.name, "refused": it.why}))?;
                writeln!(out)?;
            }
        }
    }
    out.flush()?;
    Ok(Outcome::Done)
}
