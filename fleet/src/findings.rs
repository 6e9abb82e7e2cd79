//! `tracer scan --cluster`: sets of captures are tasks, and what rules found in each becomes one list, by time.

use anyhow::{Result, anyhow};
use clap::Args;
use datafusion::arrow::array::AsArray;
use datafusion::physical_plan::execute_stream;
use futures::StreamExt;
use rules::Level;

use crate::cluster;
use crate::output::Destination;
use crate::sql::{Asking, Outcome, say, told};

#[derive(Args, Debug)]
pub struct Options {
    /// Captures, folders of them, s3://bucket/path
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    #[command(flatten)]
    asking: Asking,
    /// table, json (a line a finding), csv, parquet, and a file if not stdout: csv:findings.csv
    #[arg(long, short, value_name = "FORMAT[:FILE]", default_value = "table")]
    output: Destination,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
    /// Exit code 1 when there is a finding of this level or above
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    fail_on: Option<Level>,
}

fn level(text: &str) -> Result<Level, String> {
    Level::parse(text).ok_or_else(|| format!("no level: one of {}", Level::ALL.map(Level::name).join(", ")))
}

const QUERY: &str = "select level, time, host, rule, title, host_pid, comm, command, uid, container_id, events, capture, block, \
    row, output from findings order by time, host, host_pid, rule";

pub fn run(options: &Options) -> Result<Outcome> {
    let asked = options.asking.open(&options.files)?;
    let captures = asked.names().len();
    let counts = cluster::runtime()?.block_on(async {
        let session = options.asking.session(&asked, &[]).await?;
        let plan = session.sql(QUERY).await?.create_physical_plan().await?;
        let mut writer = options.output.open(&plan.schema(), options.force)?;
        let mut rows = execute_stream(plan, session.task_ctx())?;
        let mut counts = Level::ALL.map(|level| (level, 0u64));
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let levels = batch.columns().first().and_then(|column| column.as_string_opt::<i32>());
            for name in levels.into_iter().flatten().flatten() {
                let of = counts.iter_mut().find(|(level, _)| level.name() == name);
                of.ok_or_else(|| anyhow!("a finding has the level {name:?}, which there is none"))?.1 += 1;
            }
            writer.write(&batch)?;
        }
        writer.finish()?;
        anyhow::Ok(counts)
    })?;
    let of_levels = counts.iter().filter(|(_, count)| *count > 0);
    let of_levels: Vec<String> =
        of_levels.map(|(level, count)| format!("{count} {}", level.name())).collect();
    say(&match of_levels.is_empty() {
        true => format!("no finding in {} captures", captures),
        false => format!("findings in {} captures: {}", captures, of_levels.join(", ")),
    });
    let is_found = counts
        .iter()
        .any(|(level, count)| *count > 0 && options.fail_on.is_some_and(|least| *level >= least));
    Ok(told(&asked, if is_found { Outcome::Found } else { Outcome::Done }))
}
