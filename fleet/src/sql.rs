//! `tracer sql`: a query over captures.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionContext;
use format::PublicKey;
use futures::StreamExt;
use scopes::spelled_out;

use crate::captures::{self, Ask, Asked, How};
use crate::cluster;
use crate::events_table::Missing;
use crate::output::Destination;
use crate::rule_files;
use crate::scan::ScanExec;
use crate::session;
use crate::tls::TlsOptions;
use crate::views::FILES;

#[derive(Args, Debug)]
pub struct Options {
    /// Captures, folders of them, s3://bucket/path; the last word is the query
    #[arg(required = true, num_args = 2.., value_name = "FILE... QUERY")]
    words: Vec<String>,
    /// Ask what these scopes match, such as 9:comm=ls; without, all that was recorded (repeatable)
    #[arg(short, long = "filter", value_name = "[N:]FILTER", allow_hyphen_values = true)]
    filters: Vec<String>,
    #[command(flatten)]
    asking: Asking,
    /// table, json (a line a row), csv, parquet, and a file if not stdout: csv:answer.csv
    #[arg(long, short, value_name = "FORMAT[:FILE]", default_value = "table")]
    output: Destination,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// Say on stderr what answering took
    #[arg(long, conflicts_with = "cluster")]
    stats: bool,
}

/// Who answers, and how captures are read.
#[derive(Args, Debug)]
pub struct Asking {
    /// A file of rules, or a folder of them, for findings, beside the rules of the program (repeatable)
    #[arg(long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// Threads that read and answer; all processors unless said otherwise
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Stop at the first block that is damaged, instead of answering what the others hold
    #[arg(long)]
    strict: bool,
    /// Let a cluster answer, whose scheduler this is: captures are read by its executors, from paths or URLs that they reach
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "threads")]
    cluster: Option<String>,
    /// With --cluster: into how many tasks the reading is parted
    #[arg(long, value_name = "N", default_value_t = 16, requires = "cluster")]
    tasks: usize,
    /// File with the age identity that encrypted captures were encrypted to
    #[arg(long, value_name = "FILE", env = "TRACER_IDENTITY")]
    identity: Option<PathBuf>,
    #[command(flatten)]
    tls: TlsOptions,
    /// Open every capture of a folder, whatever its catalogue says (`tracer catalog`)
    #[arg(long)]
    no_catalog: bool,
    /// Ask only a catalogue that this key has signed (a file, or the key's line itself)
    #[arg(long, value_name = "KEY", conflicts_with = "no_catalog")]
    catalog_key: Option<String>,
    /// No warnings on stderr
    #[arg(long, short)]
    quiet: bool,
}

/// How a query ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    Done,
    /// What was looked for was found.
    Found,
    /// An answer was given, and said what is missing from it.
    Partial,
}

impl Options {
    fn split(&self) -> Result<(&[String], &str)> {
        match self.words.split_last() {
            Some((query, files)) if !files.is_empty() => Ok((files, query)),
            _ => bail!("give captures, and behind them a query"),
        }
    }
}

impl Asking {
    fn threads(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(all).max(1)
    }

    /// Whose catalogues are asked.
    fn catalogs(&self) -> Result<Ask> {
        let Some(key) = &self.catalog_key else {
            return Ok(if self.no_catalog { Ask::Nobody } else { Ask::Anyone });
        };
        if let Ok(key) = PublicKey::from_text(key) {
            return Ok(Ask::SignedBy(key));
        }
        let name = || format!("--catalog-key {key}");
        let text = std::fs::read_to_string(key).with_context(name)?;
        Ok(Ask::SignedBy(PublicKey::from_text(&text).with_context(name)?))
    }

    /// Looks at captures, and tells what there is to know of them before an answer.
    pub fn open(&self, files: &[String]) -> Result<Asked> {
        let ask = self.catalogs()?;
        let captures = captures::named(files, &ask)?;
        let rules = Arc::new(rule_files::read(&self.rules)?);
        let how =
            How { strict: self.strict, rules, identity: self.identity.clone(), missing: Missing::default() };
        let asked = Asked::new(captures, ask.key(), how)?;
        if !self.quiet {
            let source = &asked.unknown().source;
            replay::open::warnings(source).iter().for_each(|line| say(&format!("warning: {line}")));
        }
        Ok(asked)
    }

    /// A session with these captures as tables.
    pub async fn session(&self, asked: &Asked, filters: &[String]) -> Result<SessionContext> {
        let session = match &self.cluster {
            Some(address) => cluster::session(address, self.tasks, &self.tls).await?,
            None => session::embedded(self.threads()),
        };
        session::add_tables(&session, asked, filters)?;
        session.sql(FILES).await?;
        Ok(session)
    }
}

pub fn run(options: &Options) -> Result<Outcome> {
    let (files, query) = options.split()?;
    let start = Instant::now();
    let asked = options.asking.open(files)?;
    let (plan, rows) = cluster::runtime()?.block_on(async {
        let session = options.asking.session(&asked, &options.filters).await?;
        answer(&session, query, options).await
    })?;
    if options.stats {
        stats(&plan, rows, start.elapsed().as_secs_f64());
    }
    Ok(told(&asked, Outcome::Done))
}

async fn answer(
    session: &SessionContext,
    query: &str,
    options: &Options,
) -> Result<(Arc<dyn ExecutionPlan>, usize)> {
    let plan = session.sql(query).await?.create_physical_plan().await?;
    let mut writer = options.output.open(&plan.schema(), options.force)?;
    let mut stream = execute_stream(Arc::clone(&plan), session.task_ctx())?;
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        rows += batch.num_rows();
        writer.write(&batch)?;
    }
    writer.finish()?;
    Ok((plan, rows))
}

/// What reading took: of all scans of the plan.
fn stats(plan: &Arc<dyn ExecutionPlan>, rows: usize, seconds: f64) {
    let (mut read, mut total, mut of_rows, mut bytes) = (0, 0, 0, 0);
    let (mut opened, mut captures) = (0, 0);
    each_scan(plan, &mut |scan| {
        let metrics = scan.metrics().unwrap_or_default();
        let sum = |name: &str| metrics.sum_by_name(name).map_or(0, |value| value.as_usize());
        read += sum("blocks_read");
        of_rows += sum("rows_read");
        bytes += sum("bytes_decompressed");
        total += scan.reads.total_blocks;
        opened += scan.reads.spec.captures.len();
        captures += scan.reads.total_captures;
    });
    say(&format!(
        "{rows} rows in {seconds:.3} s: {opened} of {captures} captures opened, {read} of {total} blocks read with {of_rows} events, \
         {bytes} bytes decompressed"
    ));
}

fn each_scan(plan: &Arc<dyn ExecutionPlan>, see: &mut dyn FnMut(&ScanExec)) {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        see(scan);
    }
    plan.children().into_iter().for_each(|child| each_scan(child, see));
}

/// Tells the blocks that are missing from the answer, and records beside the events that could not be read.
pub fn told(asked: &Asked, mut outcome: Outcome) -> Outcome {
    for file in asked.unknown().source.files() {
        if let Some(what) = file.capture.unread_records() {
            outcome = Outcome::Partial;
            say(&format!(
                "{}: processes, containers or users that it knew cannot be read, and what depends on them is missing: {what}",
                file.name
            ));
        }
    }
    for text in asked.how().missing.said() {
        outcome = Outcome::Partial;
        say(&text);
    }
    for gap in asked.how().missing.gaps() {
        outcome = Outcome::Partial;
        say(&replay::open::missing(&gap));
    }
    outcome
}

/// One line to stderr, in the program's name. What comes out of captures gets no control characters past it.
#[expect(clippy::print_stderr, reason = "the one writer to stderr")]
pub fn say(line: &str) {
    for line in line.lines() {
        eprintln!("tracer: {}", spelled_out(line));
    }
}
