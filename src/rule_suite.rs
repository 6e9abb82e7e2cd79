//! `tracer rules test`: captures, rules, and what these must find in those.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use rules::scan::{Asking, Scan};
use rules::suite::{self, Case, Told};
use scopes::spelled_out;

use crate::inputs::Reading;
use crate::outcome::Outcome;
use crate::{rule_files, stderr};

#[derive(Args, Debug)]
pub struct Options {
    /// Files of tests: see docs/rules.md
    #[arg(required = true, value_name = "TEST")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    reading: Reading,
    /// How results are told
    #[arg(long, short, value_name = "FORMAT", value_enum, default_value = "text")]
    output: Format,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Text,
    /// XML as continuous integration reads it
    Junit,
}

/// A test that was run.
struct Done {
    case: Case,
    seconds: f64,
    /// What was not as expected.
    failures: Vec<String>,
}

pub fn run(options: &Options) -> Result<Outcome> {
    let mut done = Vec::new();
    for file in &options.files {
        let name = file.display().to_string();
        let text = fs::read_to_string(file).with_context(|| name.clone())?;
        let cases = match suite::read(&name, &text) {
            Ok(cases) => cases,
            Err(errors) => {
                errors.iter().for_each(stderr::say_lines);
                bail!("{name} is no file of tests");
            }
        };
        let folder = file.parent().unwrap_or(Path::new("."));
        for case in cases {
            let start = Instant::now();
            // A capture or a rule that is not there fails its test, and not those behind it.
            let failures = match one(&case, folder, &options.reading) {
                Ok(failures) => failures,
                Err(error) => vec![format!("{error:#}")],
            };
            done.push(Done { case, seconds: start.elapsed().as_secs_f64(), failures });
        }
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match options.output {
        Format::Text => text_of(&done, &mut out)?,
        Format::Junit => junit(&done, &mut out)?,
    }
    out.flush()?;
    let failed = done.iter().any(|done| !done.failures.is_empty());
    Ok(if failed { Outcome::Found } else { Outcome::Done })
}

fn one(case: &Case, folder: &Path, reading: &Reading) -> Result<Vec<String>> {
    let within = |names: &[String]| names.iter().map(|name| folder.join(name)).collect::<Vec<_>>();
    let corpus = rule_files::read(&within(&case.rules), &[], case.rules.is_empty())?;
    let broken = corpus.diagnostics.iter().filter(|it| it.is_error()).count();
    let source = reading.source(&within(&case.captures))?;
    let scan = Scan::new(&corpus.rules, &source);
    let mut found = Vec::new();
    scan.run(Asking { threads: 1, ..Asking::default() }, &mut |finding| {
        if let Some(rule) = corpus.rules.get(finding.rule) {
            found.push(Told { rule: rule.id.clone(), process: finding.process.name });
        }
    })?;
    let mut failures = case.failures(&found);
    // Silence of a rule that was not asked says nothing.
    for name in case.silent.iter().chain(case.expect.iter().map(|it| &it.rule)) {
        let number = corpus.rules.iter().position(|rule| rule.id == *name);
        match number.map(|number| scan.unanswerable().get(&number)) {
            None => failures.push(format!("{name}: there is no such rule ({broken} could not be read)")),
            Some(Some(why)) => failures.push(format!("{name}: it cannot be answered: {why}")),
            Some(None) => {}
        }
    }
    failures.dedup();
    Ok(failures)
}

fn text_of(done: &[Done], out: &mut impl Write) -> io::Result<()> {
    for Done { case, failures, .. } in done {
        let verdict = if failures.is_empty() { "ok    " } else { "FAILED" };
        writeln!(out, "{verdict}  {}  {}", spelled_out(&case.name), case.place)?;
        for failure in failures {
            writeln!(out, "        {}", spelled_out(failure))?;
        }
    }
    let failed = done.iter().filter(|done| !done.failures.is_empty()).count();
    writeln!(out, "{} tests, {failed} failed", done.len())
}

fn junit(done: &[Done], out: &mut impl Write) -> io::Result<()> {
    let failed = done.iter().filter(|done| !done.failures.is_empty()).count();
    let seconds: f64 = done.iter().map(|done| done.seconds).sum();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(
        out,
        r#"<testsuites><testsuite name="tracer rules" tests="{}" failures="{failed}" time="{seconds:.3}">"#,
        done.len()
    )?;
    for Done { case, seconds, failures } in done {
        let (name, file) = (escaped(&case.name), escaped(&case.place.file));
        writeln!(out, r#"<testcase classname="{file}" name="{name}" time="{seconds:.3}">"#)?;
        if let Some(first) = failures.first() {
            let all = escaped(&failures.join("\n"));
            writeln!(out, r#"<failure message="{}">{all}</failure>"#, escaped(first))?;
        }
        writeln!(out, "</testcase>")?;
    }
    writeln!(out, "</testsuite></testsuites>")
}

/// For XML, which has no way to write control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push('\n'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
